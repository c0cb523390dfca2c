"""Questions about a month's daily closes, with the closes as their context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from mintage.corpus.extract import series_questions as ask
from mintage.corpus.extract.figures import chosen, form_of, number, unit_words
from mintage.corpus.extract.questions import Question
from mintage.corpus.extract.series_questions import Value


@dataclass(frozen=True)
class Split:
    """A split: the label of the first day after it, and the new shares for each old one."""

    day: str
    factor: Decimal


@dataclass(frozen=True)
class Month:
    """A month of closes as traded, of which the first may be the last one before it. `name` is what they are
    closes of, `unit` a code or words, `label` the month (2024-03)."""

    name: str
    unit: str
    label: str
    closes: Sequence[Value]
    splits: Sequence[Split] = ()

    def factor(self, before: Value, now: Value) -> Decimal:
        """The new shares for one old share by the splits between two closes."""
        product = Decimal(1)
        for split in self.splits:
            if before.label < split.day <= now.label:
                product *= split.factor
        return product

    def questions(self) -> list[Question]:
        """The return to a day of the month, its highest close, and a close adjusted for a split."""
        first, days = self.closes[0], self.closes[1:]
        end = chosen(f"{self.name} {self.label} end", days[len(days) // 2 :])
        found = list(ask.price_return(self.name, first, end, self.factor(first, end)))
        within = [one for one in self.closes if one.label.startswith(self.label)]
        if not self.splits and len(within) > 1:
            found.append(ask.highest(self.name, self.label, within, self.unit))
        if len(self.splits) == 1:
            (split,) = self.splits
            before = [one for one in self.closes if one.label < split.day]
            if before:
                old = chosen(f"{self.name} {self.label} old", before)
                found.append(ask.split_adjusted(self.name, old, split.day, split.factor, self.unit))
        return found

    def context(self, identity: str) -> str:
        """The closes as a table, as lines, or as a sentence, by the hash of an identity."""
        unit = unit_words(self.unit) if self.unit in ask.UNITS else self.unit
        head = f"{self.name}, daily closes as traded" + (f", in {unit}" if unit else "")
        notes = [f"Split on {split.day}: {number(split.factor)} new for 1 old." for split in self.splits]
        pairs = [(one.label, number(one.value)) for one in self.closes]
        form = form_of(identity)
        if form == "table":
            lines = [f"{head}.", *notes, "", "| Date | Close |", "|---|---|"]
            return "\n".join([*lines, *(f"| {day} | {close} |" for day, close in pairs)])
        if form == "key_value":
            return "\n".join([head, *(f"{day}: {close}" for day, close in pairs), *notes])
        said = ", ".join(f"{close} on {day}" for day, close in pairs)
        return " ".join([f"{head}: {said}.", *notes])
