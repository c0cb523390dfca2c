"""What happens to companies: events at random moments, drawn afresh each quarter, so that nobody can foresee
them."""

from __future__ import annotations

from datetime import timedelta

from mintage.corpus.sources.sandbox.clock import Period, office_time
from mintage.corpus.sources.sandbox.names import company_name, person, place, product, research_firm
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.tables import Company, Event

# Chance in a quarter, and what the price does on average and at random (fractions of the price).
KINDS: dict[str, tuple[float, float, float]] = {
    "acquisition": (0.035, -0.01, 0.03),
    "strike": (0.03, -0.03, 0.015),
    "product": (0.09, 0.012, 0.02),
    "contract": (0.07, 0.02, 0.015),
    "chief": (0.022, 0.0, 0.035),
    "lawsuit": (0.02, -0.02, 0.02),
    "outage": (0.03, -0.035, 0.02),
    "restructuring": (0.02, 0.01, 0.03),
    "buyback": (0.04, 0.015, 0.01),
    "dividend": (0.12, 0.008, 0.008),
    "rating": (0.03, 0.0, 0.03),
    "partnership": (0.04, 0.01, 0.015),
    "guidance": (0.03, 0.0, 0.05),
}
DEFAULT_REACTION = (-0.38, 0.1)
_COUNTERPARTIES = (
    "a national retailer", "a government ministry", "a large utility", "a group of regional hospitals",
    "an overseas distributor", "a leading car maker", "a consortium of banks",
)  # fmt: skip
_GRIEVANCES = (
    "pay and overtime",
    "pensions",
    "working hours",
    "safety on the shop floor",
    "the use of temporary workers",
)
_OUTAGES = ("fire", "flood", "power failure", "cyber attack", "equipment failure")
_CLAIMS = ("patent infringement", "price fixing", "a data breach", "defective products", "unpaid overtime")
_AGENCIES = ("Corwen Ratings", "Allgate Credit", "Brightmoor Ratings")
GRADES = ("AA", "A", "BBB", "BB", "B", "CCC")


def draw_events(
    seed: int,
    company: Company,
    period: Period,
    revenue: int,
    cash: int,
    debt: int,
    dividend: int,
    chief: str,
    grade: int,
    guided: tuple[int, int] | None,
) -> list[Event]:
    """The events of one company in one quarter, in order of time. `revenue` is that of the quarter before,
    `dividend` in cents a share, `grade` an index of `GRADES`, `guided` the standing guidance for this
    quarter's revenue."""
    stream = Stream(seed, "events", company.ticker, period.label)
    events = []
    for kind, (chance, _, _) in KINDS.items():
        if kind == "buyback" and cash > revenue:
            chance = 0.3  # idle cash makes boards generous
        if not stream.chance(chance) or (kind == "strike" and not company.sector.labour):
            continue
        day = period.start + timedelta(days=stream.integer(0, 84))
        at = office_time(stream, day, 6, 18)
        figures, names = _details(stream, kind, company, revenue, cash, debt, dividend, chief, grade, guided)
        if figures or names:
            events.append(Event(kind, company.ticker, at, figures, names))
    return sorted(events, key=lambda event: event.at)


def default_event(seed: int, company: Company, period: Period, debt: int, rate: int) -> Event:
    """A missed payment of interest, and the exchange of part of the debt into shares that follows from it."""
    stream = Stream(seed, "default", company.ticker, period.label)
    at = office_time(stream, period.start + timedelta(days=stream.integer(3, 80)), 6, 18)
    figures = {
        "missed": max(1, round(debt * rate / 20_000)),
        "debt": debt,
        "exchanged": round(debt * stream.between(0.45, 0.7)),
    }
    return Event("default", company.ticker, at, figures, {"adviser": research_firm(stream)})


def _details(
    stream: Stream,
    kind: str,
    company: Company,
    revenue: int,
    cash: int,
    debt: int,
    dividend: int,
    chief: str,
    grade: int,
    guided: tuple[int, int] | None,
) -> tuple[dict[str, int], dict[str, str]]:
    """Figures and names of one event; both empty where the event cannot happen to this company now."""
    if kind == "acquisition":
        price = max(1, round(revenue * stream.between(0.1, 0.9)))
        figures = {"price": price, "target_revenue": max(1, round(price * stream.between(0.25, 0.6)))}
        return figures, {
            "target": company_name(stream),
            "home": place(stream),
            "segment": stream.pick(company.segments),
        }
    if kind == "strike":
        names = {
            "plant": place(stream),
            "grievance": stream.pick(_GRIEVANCES),
            "segment": stream.pick(company.segments),
        }
        return {"workers": stream.integer(3, 64) * 50, "days": stream.integer(3, 24)}, names
    if kind == "product":
        return {"spent": max(1, round(revenue * stream.between(0.01, 0.08)))}, {
            "product": product(stream),
            "segment": stream.pick(company.segments),
            "goods": stream.pick(company.sector.goods),
        }
    if kind == "contract":
        return {"value": max(1, round(revenue * stream.between(0.05, 0.6))), "years": stream.integer(2, 7)}, {
            "customer": stream.pick(_COUNTERPARTIES),
            "segment": stream.pick(company.segments),
            "goods": stream.pick(company.sector.goods),
        }
    if kind == "chief":
        return {"years": stream.integer(2, 11)}, {
            "former": chief,
            "successor": person(stream),
            "origin": stream.pick(("inside", "outside")),
            "reason": stream.pick(
                (
                    "retire",
                    "pursue other interests",
                    "leave for personal reasons",
                    "step down by mutual agreement",
                )
            ),
        }
    if kind == "lawsuit":
        return {"settlement": max(1, round(revenue * stream.between(0.01, 0.09)))}, {
            "claim": stream.pick(_CLAIMS)
        }
    if kind == "outage":
        return {
            "days": stream.integer(2, 30),
            "repair": max(1, round(revenue * stream.between(0.004, 0.03))),
        }, {
            "plant": place(stream),
            "cause": stream.pick(_OUTAGES),
            "segment": stream.pick(company.segments),
        }
    if kind == "restructuring":
        jobs = max(20, round(company.employees * stream.between(0.01, 0.07) / 10) * 10)
        figures = {"jobs": jobs, "charge": max(1, round(revenue * stream.between(0.01, 0.05)))}
        return {**figures, "savings": max(1, round(figures["charge"] * stream.between(0.5, 1.4)))}, {
            "plant": place(stream)
        }
    if kind == "buyback":
        return {
            "authorised": max(5, round(cash * stream.between(0.2, 0.9) / 5) * 5),
            "months": stream.integer(6, 24),
        }, {}
    if kind == "dividend":
        if dividend == 0:
            return {}, {}
        after = (
            dividend + max(1, round(dividend * stream.between(0.04, 0.25)))
            if stream.chance(0.82)
            else round(dividend * 0.6)
        )
        return {"before": dividend, "after": max(1, after)}, {}
    if kind == "rating":
        after = grade + stream.pick((-1, 1))
        if debt == 0 or not 0 <= after < len(GRADES):
            return {}, {}
        return {"debt": debt}, {
            "agency": stream.pick(_AGENCIES),
            "before": GRADES[grade],
            "after": GRADES[after],
        }
    if kind == "partnership":
        return {"invested": max(1, round(revenue * stream.between(0.005, 0.05)))}, {
            "partner": company_name(stream),
            "goods": stream.pick(company.sector.goods),
        }
    if kind == "guidance" and guided is not None:
        factor = 1 + stream.pick((-1, 1)) * stream.between(0.02, 0.06)
        low, high = (round(value * factor) for value in guided)
        return {"low": low, "high": high, "earlier_low": guided[0], "earlier_high": guided[1]}, {}
    return {}, {}
