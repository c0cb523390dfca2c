"""Facts of one event for the templates of every family."""

from __future__ import annotations

from mintage.corpus.sources.sandbox.clock import MONTHS, local_day, long_date
from mintage.corpus.sources.sandbox.facts import Facts, dollars, money, number
from mintage.corpus.sources.sandbox.tables import Event

_MONEY = (
    "price", "target_revenue", "spent", "value", "settlement", "repair", "charge", "savings", "authorised",
    "invested", "low", "high", "earlier_low", "earlier_high", "missed", "exchanged",
)  # fmt: skip
_COUNTS = ("workers", "days", "jobs", "months", "years")
_SLOTS = {"home": "place", "plant": "place", "product": "new_product", "segment": "event_segment"}


def event_texts(event: Event, facts: Facts) -> dict[str, str]:
    """Every figure and name of the event as a slot."""
    day = local_day(event.at)
    texts = {_SLOTS.get(name, name): value for name, value in event.names.items()}
    if "before" in event.names:
        texts["before_grade"], texts["after_grade"] = event.names["before"], event.names["after"]
    for name, value in event.figures.items():
        if name in _MONEY:
            texts[name] = money(value, facts.company)
        elif name in _COUNTS:
            texts[name] = number(value)
    if event.kind == "dividend":
        texts["before_dividend"], texts["after_dividend"] = (
            dollars(event.figures["before"]),
            dollars(event.figures["after"]),
        )
    if "debt" in event.figures:
        texts["owed"] = money(event.figures["debt"], facts.company)
    return {**texts, "event_day": long_date(day), "event_month": f"{MONTHS[day.month - 1]} {day.year}"}
