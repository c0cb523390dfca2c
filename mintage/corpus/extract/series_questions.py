"""Questions about dated values of one series (a macroeconomic one, or daily closes), with exact answers.

Each has its program, as those about a company's figures have: the calculation on the values as the context
gives them, in Decimal, rounded half up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from mintage.corpus.extract.calculations import Term, combined, grouped, in_percent, operand, rounded
from mintage.corpus.extract.figures import UNITS, number, quantity
from mintage.corpus.extract.questions import Question

LEVELS = (
    "As of {as_of}, what was the value of {name} {when}?",
    "Which value of {name} {when} was known on {as_of}?",
    "State {name} {when}, as of {as_of}.",
)
CHANGES = (
    "By how much did {name} change from {before} to {now}, as of {as_of}?",
    "As of {as_of}, what is the change in {name} from {before} to {now}?",
)
GROWTHS = (
    "By what percentage did {name} change from {before} to {now}, as of {as_of}?",
    "As of {as_of}, how much, in percent, did {name} rise or fall from {before} to {now}?",
)
REVISIONS = (
    "By how much was the value of {name} {when} revised between {first} and {as_of}?",
    "As of {as_of}, how far is the value of {name} {when} from the one that was known on {first}?",
)
RETURNS = (
    "What was the return of {name} from the close of {before} to the close of {now}, in percent?",
    "By what percentage did the close of {name} change from {before} to {now}?",
)
SPLIT_RETURNS = (
    "With the split taken into account, what was the return of {name} from the close of {before} to that of "
    "{now}, in percent?",
    "A holder kept {name} from the close of {before} to that of {now}, through the split. What was the "
    "return in percent?",
)
HIGHEST = (
    "What was the highest close of {name} in {month}?",
    "Which of the closes of {name} in {month} was the highest?",
)
ADJUSTED = (
    "What is the close of {name} on {before}, adjusted for the split of {split}?",
    "Adjust the close of {name} on {before} for the split of {split}.",
)
PRICE_PLACES = 4  # of an adjusted price


class Value(NamedTuple):
    """A value of a period: its label (2024-01) and its words as an adverb (in January 2024)."""

    value: Decimal
    label: str
    when: str


def said_in(value: Decimal, unit: str) -> str:
    """A value in its unit: a code of `UNITS`, or words."""
    return quantity(value, unit, 1) if unit in UNITS else f"{number(value)} {unit}".rstrip()


def moved(new: Decimal, old: Decimal) -> str:
    """The verb of a change."""
    return "rose" if new > old else "fell"


def level(name: str, unit: str, one: Value, as_of: str) -> Question:
    """A value as of a day."""
    said = said_in(one.value, unit)
    text = f"As of {as_of}, the value of {name} {one.when} was {said}."
    slots = {"name": name, "when": one.when, "as_of": as_of}
    return Question("level", LEVELS, slots, said, text, format(one.value, "f"), ())


def changes(name: str, unit: str, before: Value, now: Value, as_of: str) -> Iterator[Question]:
    """The difference between two values, and the growth rate of one that is no percentage itself."""
    if now.value == before.value:
        return
    new, old = operand(now.value, 1), operand(before.value, 1)
    change = combined(new, "-", old)
    slots = {"name": name, "before": before.label, "now": now.label, "as_of": as_of}
    span = f"From {before.label} to {now.label}, {name} {moved(now.value, before.value)}"
    of_change = "percentage_points" if unit == "percent" else unit
    said, size = said_in(change.value, of_change), said_in(change.value.copy_abs(), of_change)
    text = f"{span} by {size}: {change.shown} = {said}."
    yield Question("change", CHANGES, slots, said, text, change.program, ())
    if before.value > 0 and unit != "percent":
        growth = rounded(in_percent(combined(grouped(change), "/", old)), 1)
        if growth.value:
            yield percentage("growth", GROWTHS, slots, span, growth)


def revision(name: str, unit: str, one: Value, first: Decimal, first_day: str, as_of: str) -> Question:
    """How far a value is from the first one that was known of it."""
    change = combined(operand(one.value, 1), "-", operand(first, 1))
    said = said_in(change.value, "percentage_points" if unit == "percent" else unit)
    span = f"Between {first_day} and {as_of} the value of {name} {one.when}"
    text = f"{span} was revised: {change.shown} = {said}."
    slots = {"name": name, "when": one.when, "first": first_day, "as_of": as_of}
    return Question("revision", REVISIONS, slots, said, text, change.program, ())


def price_return(name: str, before: Value, now: Value, factor: Decimal) -> Iterator[Question]:
    """The return between two closes as traded; `factor` is the number of new shares for an old one by the
    splits between them."""
    old, new = operand(before.value, 1), operand(now.value, 1)
    held = new if factor == 1 else combined(new, "*", operand(factor, 1))
    result = rounded(in_percent(combined(grouped(combined(held, "-", old)), "/", old)), 2)
    if not result.value:
        return
    slots = {"name": name, "before": before.label, "now": now.label}
    span = (
        f"From the close of {before.label} to that of {now.label}, {name} {moved(held.value, before.value)}"
    )
    kind, templates = ("return", RETURNS) if factor == 1 else ("split_return", SPLIT_RETURNS)
    yield percentage(kind, templates, slots, span, result)


def percentage(
    kind: str, templates: Sequence[str], slots: dict[str, str], span: str, result: Term
) -> Question:
    """A question whose answer is a rounded percentage."""
    said = f"{number(result.value)} percent"
    text = f"{span} by {number(result.value.copy_abs())} percent: {result.shown} = {said}."
    return Question(kind, templates, slots, said, text, result.program, ())


def highest(name: str, month: str, closes: Sequence[Value], unit: str) -> Question:
    """The highest of a month's closes."""
    best = max(closes, key=lambda one: one.value)
    said = said_in(best.value, unit)
    text = f"The highest close of {name} in {month} was {said}, on {best.label}."
    program = f"max({', '.join(format(one.value, 'f') for one in closes)})"
    return Question("highest_close", HIGHEST, {"name": name, "month": month}, said, text, program, ())


def split_adjusted(name: str, before: Value, split_day: str, factor: Decimal, unit: str) -> Question:
    """A close from before a split in the terms of after it."""
    places = max(PRICE_PLACES, -int(before.value.as_tuple().exponent))
    result = rounded(combined(operand(before.value, 1), "/", operand(factor, 1)), places)
    shown = Decimal(format(result.value.normalize(), "f"))
    said = said_in(shown, unit)
    head = f"Adjusted for the split of {split_day}, the close of {name} on {before.label} is {said}"
    text = f"{head}: {result.shown} = {said}."
    slots = {"name": name, "before": before.label, "split": split_day}
    return Question("split_adjusted", ADJUSTED, slots, said, text, result.program, ())
