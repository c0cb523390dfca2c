"""What can be asked about the figures of one filing, with exact answers: look-ups, differences, growth,
ratios, comparisons, totals, averages, remainders and changes of margins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from mintage.corpus.document import chat_text
from mintage.corpus.extract.calculations import combined, grouped, in_percent, operand, rounded
from mintage.corpus.extract.figures import chosen, column_scale, form_of, number, period_words, quantity
from mintage.corpus.extract.measures import (
    FLOWS,
    PER_SHARE,
    STOCKS,
    Amount,
    Measure,
    by_name,
    months_of,
    was,
    year_before,
)
from mintage.corpus.extract.statements import Period, Row, caption, rows_text

OTHERS = 3  # names in the context that the question does not ask for

SHARES = {
    "gross margin": ("gross profit", "revenue"),
    "operating margin": ("operating income", "revenue"),
    "net margin": ("net income", "revenue"),
    "research and development as a share of revenue": ("research and development expense", "revenue"),
    "capital expenditure as a share of revenue": ("capital expenditure", "revenue"),
    "effective tax rate": ("income tax expense", "income before taxes"),
    "payout ratio": ("dividends declared per share", "diluted earnings per share"),
    "equity ratio": ("shareholders' equity", "total assets"),
    "goodwill as a share of total assets": ("goodwill", "total assets"),
}
MULTIPLES = {
    "current ratio": ("current assets", "current liabilities"),
    "ratio of liabilities to equity": ("total liabilities", "shareholders' equity"),
    "ratio of operating cash flow to net income": ("operating cash flow", "net income"),
}
REMAINDERS = {
    "free cash flow": ("operating cash flow", "capital expenditure"),
    "working capital": ("current assets", "current liabilities"),
    "income after taxes": ("income before taxes", "income tax expense"),
}

LOOKUPS = (
    "What {was} {owned} {when}?",
    "How much {was} {owned} {when}?",
    "State {owned} {when}.",
)
CHANGES = (
    "By how much did {owned} change from {before} to {now}?",
    "What is the change in {owned} from {before} to {now}?",
)
GROWTHS = (
    "By what percentage did {owned} change from {before} to {now}?",
    "What was the growth rate of {owned} from {before} to {now}, in percent?",
    "How much, in percent, did {owned} rise or fall from {before} to {now}?",
)
SHARE_QUESTIONS = (
    "What was {company}'s {ratio} {when}, in percent? It is {above} divided by {below}.",
    "Divide {above} by {below} to get the {ratio} of {company} {when}. How many percent is it?",
)
MULTIPLE_QUESTIONS = (
    "What was {company}'s {ratio} {when}, that is {above} divided by {below}?",
    "Calculate the {ratio} of {company} {when} ({above} divided by {below}).",
)
REMAINDER_QUESTIONS = (
    "What was {company}'s {ratio} {when}, that is {above} less {below}?",
    "Calculate the {ratio} of {company} {when} ({above} less {below}).",
)
POINTS = (
    "By how many percentage points did {company}'s {ratio} ({above} divided by {below}) change from {before} "
    "to {now}?",
    "{company}'s {ratio} is its {above} divided by its {below}. By how many percentage points did it change "
    "from {before} to {now}?",
)
HIGHER = (
    "{Was} {owned} higher {when} or {then}?",
    "{When} or {then}: when {was} {owned} higher?",
)
LARGER = (
    "Which was larger {when}, {company}'s {one} or its {other}?",
    "Comparing {company}'s {one} with its {other} {when}, which was larger?",
)
AVERAGES = (
    "What was the average of {owned} over {periods}?",
    "Calculate the mean of {owned} over {periods}.",
)
TOTALS = ("What was the total of {owned} over {periods}?", "Add up {owned} over {periods}.")


@dataclass(frozen=True)
class Question:
    """A question that can be asked, in one of its `templates`, with its answer: in a sentence with the
    calculation, and the result alone. `uses` are its operands."""

    kind: str
    templates: Sequence[str]
    slots: Mapping[str, str]
    answer: str
    answer_text: str
    program: str
    uses: tuple[Measure, ...]

    @property
    def key(self) -> str:
        """What distinguishes it from the others about the same filing."""
        return f"{self.kind} {self.program} {self.uses}"

    @property
    def entities(self) -> list[tuple[str, str]]:
        """What a document of it says of its calculation."""
        return [("program", self.program), ("answer", self.answer)]

    def chat(self, context: str, asked: str) -> str:
        """The text of a document of it: context and question in one message, the answer in another."""
        return chat_text(
            [
                {"role": "user", "content": f"{context.rstrip()}\n\n{asked}"},
                {"role": "assistant", "content": self.answer_text},
            ]
        )


def digest(text: str) -> str:
    """A hash to draw by."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def listed(parts: Sequence[str]) -> str:
    """The parts as English lists them: "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


class Asker:
    """What can be asked about one filing of a company."""

    def __init__(self, company: str, amounts: Mapping[Measure, Amount], annual: bool):
        self.company = company
        self.annual = annual
        self.names = by_name(amounts)
        self.amounts_scale = column_scale(
            amount.value for measure, amount in amounts.items() if measure.name not in PER_SHARE
        )

    def questions(self) -> Iterator[Question]:
        """Every question that the filing's figures can answer."""
        for name, amounts in self.names.items():
            for period, amount in amounts.items():
                yield self.lookup(name, period, amount)
                before = year_before(period, amounts)
                if before is not None:
                    yield from self.changes(name, period, before)
            yield from self.over_years(name, amounts)
        for period in {period: None for amounts in self.names.values() for period in amounts}:
            yield from self.ratios(period)
            yield from self.larger(period)

    def amount(self, name: str, period: Period) -> Amount | None:
        """The amount of a measure, if the filing gives it."""
        return self.names.get(name, {}).get(period)

    def period(self, period: Period) -> str:
        """A period in words."""
        return period_words(*period, fiscal_year=self.annual)

    def when(self, period: Period) -> str:
        """A period as an adverb."""
        return f"at {self.period(period)}" if period[0] is None else f"in {self.period(period)}"

    def lookup(self, name: str, period: Period, amount: Amount) -> Question:
        """The figure itself."""
        said, when = quantity(*amount, self.scale(name)), self.when(period)
        return Question(
            "lookup",
            LOOKUPS,
            {"owned": f"{self.company}'s {name}", "when": when, "was": was(name)},
            said,
            f"{when[0].upper()}{when[1:]}, {self.company}'s {name} {was(name)} {said}.",
            format(amount.value, "f"),
            (Measure(name, period),),
        )

    def changes(self, name: str, now: Period, before: Period) -> Iterator[Question]:
        """The difference between two years, the growth rate, and which of them was higher."""
        (new, unit), (old, _) = self.names[name][now], self.names[name][before]
        if new == old:
            return
        scale = self.scale(name)
        after, first = operand(new, scale), operand(old, scale)
        change = combined(after, "-", first)
        owned, moved = f"{self.company}'s {name}", "rose" if new > old else "fell"
        periods = {"now": self.period(now), "before": self.period(before), "owned": owned}
        uses = (Measure(name, now), Measure(name, before))
        span = f"From {periods['before']} to {periods['now']}, {owned}"
        said = quantity(change.value, unit, scale)
        size = quantity(change.value.copy_abs(), unit, scale)
        text = f"{span} {moved} by {size}: {change.shown} = {said}."
        yield Question("difference", CHANGES, periods, said, text, change.program, uses)
        if old > 0 and (growth := rounded(in_percent(combined(grouped(change), "/", first)), 1)).value:
            said = f"{number(growth.value)} percent"
            size = f"{number(growth.value.copy_abs())} percent"
            text = f"{span} {moved} by {size}: {growth.shown} = {said}{self.unit_note(unit, scale)}."
            yield Question("growth", GROWTHS, periods, said, text, growth.program, uses)
        when, then = self.when(now), self.when(before)
        best, least = (after, first) if new > old else (first, after)
        answer = when if new > old else then
        more = f"{best.shown} is more than {least.shown}{self.unit_note(unit, scale)}"
        yield Question(
            "higher_period",
            HIGHER,
            {
                "owned": owned,
                "when": when,
                "then": then,
                "When": f"{when[0].upper()}{when[1:]}",
                "was": was(name),
                "Was": was(name).capitalize(),
            },
            answer,
            f"{owned} {was(name)} higher {answer}: {more}.",
            f"{after.program} > {first.program}",
            uses,
        )

    def over_years(self, name: str, amounts: Mapping[Period, Amount]) -> Iterator[Question]:
        """The mean, and for flows the sum, over three successive years."""
        newest = next(iter(amounts))
        second = year_before(newest, amounts)
        third = year_before(second, amounts) if second else None
        if second is None or third is None:
            return
        periods = (third, second, newest)
        values = [amounts[period].value for period in periods]
        unit, scale = amounts[newest].unit, self.scale(name)
        first, *others = (operand(value, scale) for value in values)
        total = first
        for other in others:
            total = combined(total, "+", other)
        uses = tuple(Measure(name, period) for period in periods)
        owned = f"{self.company}'s {name}"
        words = self.span(periods)
        slots = {"owned": owned, "periods": words}
        if name in FLOWS:
            said = quantity(total.value, unit, scale)
            text = f"Over {words}, the total of {owned} was {said}: {total.shown} = {said}."
            yield Question("total", TOTALS, slots, said, text, total.program, uses)
        places = (2 if scale == 1 else 1) - (len(str(scale)) - 1)
        mean = rounded(combined(grouped(total), "/", operand(Decimal(3), 1)), places)
        said = quantity(mean.value, unit, scale)
        text = f"Over {words}, the average of {owned} was {said}: {mean.shown} = {said}."
        yield Question("average", AVERAGES, slots, said, text, mean.program, uses)

    def span(self, periods: Sequence[Period]) -> str:
        """Periods in words, together."""
        words = [self.period(period) for period in periods]
        years = "the fiscal year ended "
        if all(word.startswith(years) for word in words):
            return f"the fiscal years ended {listed([word.removeprefix(years) for word in words])}"
        return f"the dates {listed(words)}" if periods[0][0] is None else listed(words)

    def ratios(self, period: Period) -> Iterator[Question]:
        """Margins and other ratios of a period, remainders, and the change of a margin over a year."""
        for ratio, (above, below) in (SHARES | MULTIPLES | REMAINDERS).items():
            upper, lower = self.amount(above, period), self.amount(below, period)
            if upper is None or lower is None or lower.value <= 0:
                continue
            scale = self.scale(above)
            first, second = operand(upper.value, scale), operand(lower.value, scale)
            when = self.when(period)
            slots = {
                "company": self.company,
                "ratio": ratio,
                "above": above,
                "below": below,
                "when": when,
            }
            uses = (Measure(above, period), Measure(below, period))
            note = self.unit_note(upper.unit, scale)
            head = f"{when[0].upper()}{when[1:]}, {self.company}'s {ratio} was"
            if ratio in REMAINDERS:
                rest = combined(first, "-", second)
                said = quantity(rest.value, upper.unit, scale)
                text = f"{head} {said}: {rest.shown} = {said}."
                yield Question("remainder", REMAINDER_QUESTIONS, slots, said, text, rest.program, uses)
            elif ratio in MULTIPLES:
                result = rounded(combined(first, "/", second), 2)
                said = number(result.value)
                text = f"{head} {said}: {result.shown} = {said}{note}."
                yield Question("multiple", MULTIPLE_QUESTIONS, slots, said, text, result.program, uses)
            else:
                result = rounded(in_percent(combined(first, "/", second)), 1)
                said = f"{number(result.value)} percent"
                text = f"{head} {said}: {result.shown} = {said}{note}."
                yield Question("share", SHARE_QUESTIONS, slots, said, text, result.program, uses)
                yield from self.points(ratio, period, slots)

    def points(self, ratio: str, now: Period, slots: Mapping[str, str]) -> Iterator[Question]:
        """How a margin changed over a year, in percentage points, calculated before rounding."""
        above, below = SHARES[ratio]
        before = year_before(now, self.names[below])
        old = [self.amount(name, before) for name in (above, below)] if before else []
        if before is None or old[0] is None or old[1] is None or old[1].value <= 0:
            return
        new = [self.names[above][now], self.names[below][now]]
        scale = self.scale(above)
        a, b, c, d = (operand(amount.value, scale) for amount in (*new, *old) if amount)
        difference = combined(combined(a, "/", b), "-", combined(c, "/", d))
        change = rounded(in_percent(grouped(difference)), 1)
        if not change.value:
            return
        said = f"{number(change.value)} percentage points"
        words = {"now": self.period(now), "before": self.period(before)}
        text = (
            f"From {words['before']} to {words['now']}, {self.company}'s {ratio} changed by {said}: "
            f"{change.shown} = {said}{self.unit_note(new[0].unit, scale)}."
        )
        uses = tuple(Measure(name, period) for period in (now, before) for name in (above, below))
        yield Question("margin_change", POINTS, {**slots, **words}, said, text, change.program, uses)

    def larger(self, period: Period) -> Iterator[Question]:
        """Which of two measures of one kind was larger."""
        kind = STOCKS if period[0] is None else FLOWS
        own = [name for name in kind if (amount := self.amount(name, period)) and amount.value > 0]
        for one, other in pairwise(own):
            (first, unit), (second, _) = self.names[one][period], self.names[other][period]
            if first == second:
                continue
            scale = self.scale(one)
            a, b = operand(first, scale), operand(second, scale)
            name, high, low = (one, a, b) if first > second else (other, b, a)
            when = self.when(period)
            text = (
                f"{when[0].upper()}{when[1:]}, {self.company}'s {name} {was(name)} larger: {high.shown} is "
                f"more than {low.shown}{self.unit_note(unit, scale)}."
            )
            slots = {"company": self.company, "one": one, "other": other, "when": when}
            uses = (Measure(one, period), Measure(other, period))
            yield Question("larger_measure", LARGER, slots, name, text, f"{a.program} > {b.program}", uses)

    def scale(self, name: str) -> int:
        """The scale in which a measure is written: that of the filing's amounts, none for those per share."""
        return 1 if name in PER_SHARE else self.amounts_scale

    def unit_note(self, unit: str, scale: int) -> str:
        """What the figures of a calculation are in."""
        return f" (figures in {caption(unit, scale)[3:-1]})"

    def context(self, question: Question, identity: str) -> str:
        """The operands among other figures of the filing for the same periods, in one of the three forms."""
        names = {measure.name for measure in question.uses}
        periods = {measure.period for measure in question.uses}
        lengths = {months_of(period) for period in periods}
        others = [
            name
            for name in sorted(self.names, key=lambda name: digest(f"{identity} {name}"))
            if name not in names and periods & set(self.names[name])
        ]
        wanted = names | set(others[:OTHERS])
        if chosen(f"{identity} extra", (True, False)):
            near = {period for name in names for period in self.names[name] if months_of(period) in lengths}
            periods |= set(sorted(near, key=lambda period: period[1])[-3:])
        rows = [
            Row(name, amount.unit, *period, amount.value, self.scale(name))
            for name in sorted(wanted, key=lambda name: digest(f"{identity} place {name}"))
            for period, amount in self.names[name].items()
            if period in periods
        ]
        return rows_text(rows, form_of(identity), self.company, identity, self.annual)
