"""Question-answer pairs whose exact answers follow from their own context, and how answers are read back.

Each is one user message (a context of a few figures, then a question) and one answer that restates what was
asked. The kinds:

- `lookup_key_value`: one figure out of three to five lines "label: figure unit";
- `lookup_sentence`: one figure out of a sentence or two with three or four figures;
- `direction_worded`: whether an item rose or fell, where the context says so in words;
- `comparison_numeric`: whether it was higher or lower, where the context gives the two figures only;
- `which_company`, `which_quarter`: which of the lines has the highest or the lowest figure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mintage.corpus.document import Document, chat_text
from mintage.corpus.sources.sandbox.clock import Period
from mintage.corpus.sources.sandbox.facts import OUTFLOWS, ratio_tenths
from mintage.corpus.sources.sandbox.filings import reported_period
from mintage.corpus.sources.sandbox.grammar import expand, sections
from mintage.corpus.sources.sandbox.prose import LICENCE, Pacer, listed
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.tables import Company, Economy, Quarter, Statement

KINDS = (
    "lookup_key_value",
    "lookup_sentence",
    "direction_worded",
    "comparison_numeric",
    "which_company",
    "which_quarter",
)
_TURNS = (
    *KINDS,
    "lookup_key_value",
    "lookup_key_value",
    "lookup_sentence",
    "direction_worded",
)  # how often each is asked

# One name for each item, so that the words of a question are the words of its context.
ITEMS = {
    "revenue": "revenue", "cost_of_revenue": "cost of sales", "gross_profit": "gross profit",
    "operating_income": "operating income", "net_income": "net income",
    "interest_expense": "interest expense", "income_tax": "income tax", "cash": "cash",
    "inventories": "inventory", "total_assets": "balance sheet total", "debt": "debt",
    "total_equity": "equity", "operating_cash": "operating cash flow",
    "capital_spending": "capital spending", "gross_margin": "gross margin",
    "earnings_per_share": "earnings per share",
}  # fmt: skip

_FIGURE = r"\d[\d,]*(?:\.\d+)?"
_UNIT = r"(?:million|thousand|percent|dollars)"
_ANSWERS = {
    "lookup_key_value": re.compile(rf".+ of .+ in .+ was ({_FIGURE}) {_UNIT}\."),
    "lookup_sentence": re.compile(rf".+ of .+ in .+ was ({_FIGURE}) {_UNIT}\."),
    "direction_worded": re.compile(r".+ of .+ (rose|fell) in .+\."),
    "comparison_numeric": re.compile(r".+ of .+ was (higher|lower) in .+ than in .+\."),
    "which_company": re.compile(r"The company with the (?:highest|lowest) .+ in .+ was (.+)\."),
    "which_quarter": re.compile(r".+ of .+ was (?:highest|lowest) in (Q[1-4] \d{4})\."),
}


def answer_key(kind: str, answer_text: str) -> str | None:
    """What an answer says: the figure ("1,234"), the company, the quarter ("Q2 2014") or the word ("rose",
    "fell", "higher", "lower"); None for an answer that has not the form of its kind."""
    match = _ANSWERS[kind].fullmatch(answer_text.strip())
    return match[1] if match else None


def context_figures(kind: str, context: str) -> list[str]:
    """The candidates of a context (or of a whole prompt) in their order: figures for look-ups, companies or
    quarters for the questions which of them, and the two words for directions and comparisons."""
    if kind == "direction_worded":
        return ["rose", "fell"]
    if kind == "comparison_numeric":
        return ["higher", "lower"]
    if kind == "which_company":
        return re.findall(rf"^([A-Z]\w+): {_FIGURE} {_UNIT}$", context, re.MULTILINE)
    if kind == "which_quarter":
        return re.findall(rf"^(Q[1-4] \d{{4}}): {_FIGURE} {_UNIT}$", context, re.MULTILINE)
    return re.findall(rf"({_FIGURE}) {_UNIT}\b", context)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A rendered pair."""

    context: str
    question: str
    answer: str


def write_questions(seed: int, economy: Economy, quarter: Quarter, pacer: Pacer) -> Iterator[Document]:
    """Questions about the report of this quarter (and older ones), as many as the pacer grants; they draw on
    nothing that came after the report, and become available with it."""
    at, company = quarter.filed_at, quarter.company
    stream = Stream(seed, "questions", company.ticker, quarter.period.label)
    pacer.grant(1)
    number = 0
    asked: set[str] = set()
    while pacer.balance > 0:
        kind = stream.pick(_TURNS)
        pair = _WRITERS[kind](stream, economy, quarter)
        number += 1
        if pair is None or pair.context + pair.question in asked:
            continue
        asked.add(pair.context + pair.question)
        text = chat_text(
            [
                {"role": "user", "content": f"{pair.context}\n{pair.question}"},
                {"role": "assistant", "content": pair.answer},
            ]
        )
        pacer.wrote(text)
        yield Document.make(
            source="sandbox_questions",
            native_id=f"{company.ticker}-{quarter.period.label.replace(' ', '-')}-question-{number:03d}",
            text=text,
            licence=LICENCE,
            use="ship",
            kind="chat",
            title=kind,
            available_at=at,
            date_precision="second",
            published_at=at,
            period_end=quarter.period.end,
            entities=[("ticker", company.ticker), ("question_kind", kind)],
        )


def _amounts(company: Company, statement: Statement) -> dict[str, str]:
    """The positive figures of a statement as they are written, by item."""
    values = {
        item: -statement[item] if item in OUTFLOWS else statement[item]
        for item in ITEMS
        if item in statement.values
    }
    written = {item: f"{value:,} {company.unit}" for item, value in values.items() if value > 0}
    share = ratio_tenths(statement["gross_profit"], statement["revenue"])
    written["gross_margin"] = f"{share // 10}.{share % 10} percent"
    earned = statement["earnings_per_share"]
    written.pop("earnings_per_share", None)
    if earned > 0:
        written["earnings_per_share"] = f"{earned // 100:,}.{earned % 100:02d} dollars"
    return written


def _period(stream: Stream, quarter: Quarter) -> Period:
    """The period of the report, most of the time the quarter where it is an annual one."""
    return quarter.period if stream.chance(0.7) else reported_period(quarter)


def _chosen(
    stream: Stream, economy: Economy, quarter: Quarter, count: int
) -> tuple[Period, dict[str, str]] | None:
    """A period and so many of its items with different figures."""
    period = _period(stream, quarter)
    amounts = _amounts(quarter.company, economy.statement(quarter.company.ticker, period, quarter.filed_at))
    items = stream.sample(sorted(amounts), count)
    chosen = {item: amounts[item] for item in items}
    return (period, chosen) if len(set(chosen.values())) == count else None


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _lookup_question(stream: Stream, item: str, company: str, period: str) -> str:
    return stream.pick(
        (
            f"What was the {item} of {company} in {period}?",
            f"What was {item} of {company} in {period}?",
            f"How much was the {item} of {company} in {period}?",
            f"State the {item} of {company} in {period}.",
            f"Give the {item} of {company} in {period}.",
        )
    )


def _lookup_key_value(stream: Stream, economy: Economy, quarter: Quarter) -> _Asked | None:
    found = _chosen(stream, economy, quarter, stream.integer(3, 5))
    if found is None:
        return None
    period, amounts = found
    name = quarter.company.name
    head = stream.pick(
        (f"{name}, {period.label}", f"{name} {period.label}", f"Company: {name}\nPeriod: {period.label}")
    )
    lines = [f"{_capital(ITEMS[item])}: {amount}" for item, amount in amounts.items()]
    asked = stream.pick(sorted(amounts))
    return _Asked(
        "\n".join([head, *lines]),
        _lookup_question(stream, ITEMS[asked], name, period.label),
        f"{_capital(ITEMS[asked])} of {name} in {period.label} was {amounts[asked]}.",
    )


def _lookup_sentence(stream: Stream, economy: Economy, quarter: Quarter) -> _Asked | None:
    found = _chosen(stream, economy, quarter, stream.integer(3, 4))
    if found is None:
        return None
    period, amounts = found
    name = quarter.company.name
    parts = [f"{ITEMS[item]} of {amount}" for item, amount in amounts.items()]
    clauses = [f"{ITEMS[item]} was {amount}" for item, amount in amounts.items()]
    context = stream.pick(
        (
            f"In {period.label}, {name} reported {listed(parts)}.",
            f"{name} reported {listed(parts)} in {period.label}.",
            f"For {period.label}, {name} showed {listed(parts)}.",
            f"In {period.label}, {listed(clauses)} at {name}.",
            f"At {name}, {listed(clauses)} in {period.label}.",
            f"{name} had {listed(parts[:2])} in {period.label}. It also had {listed(parts[2:])}.",
        )
    )
    asked = stream.pick(sorted(amounts))
    return _Asked(
        context,
        _lookup_question(stream, ITEMS[asked], name, period.label),
        f"{_capital(ITEMS[asked])} of {name} in {period.label} was {amounts[asked]}.",
    )


def _pair(stream: Stream, economy: Economy, quarter: Quarter) -> tuple[str, Period, Period, int, int] | None:
    """An item with two different positive figures: of this period, and of the one a year or a quarter
    before."""
    company, period = quarter.company, _period(stream, quarter)
    earlier = period.previous() if period.quarter and stream.chance(0.4) else period.year_before()
    now, before = (economy.statement(company.ticker, one, quarter.filed_at) for one in (period, earlier))
    rising = stream.chance(
        0.5
    )  # first the direction and then the item, so that both directions are equally frequent
    items = []
    for item in ITEMS:
        if item in now.values and item != "earnings_per_share":
            sign = -1 if item in OUTFLOWS else 1
            first, second = sign * now[item], sign * before[item]
            if first > 0 and second > 0 and first != second and (first > second) == rising:
                items.append(item)
    if not items:
        return None
    item = stream.pick(items)
    return item, period, earlier, abs(now[item]), abs(before[item])


def _direction_worded(stream: Stream, economy: Economy, quarter: Quarter) -> _Asked | None:
    found = _pair(stream, economy, quarter)
    if found is None:
        return None
    item, period, earlier, now, before = found
    company, name = quarter.company, ITEMS[item]
    ups = "up" if now > before else "down"
    size = (
        "small"
        if abs(now - before) < 0.02 * before
        else "large"
        if abs(now - before) > 0.15 * before
        else "middle"
    )
    verb = expand(stream.pick(sections("words")[f"rose {size} {ups}"]), stream, {})
    a, b, owner = f"{now:,} {company.unit}", f"{before:,} {company.unit}", company.name
    context = stream.pick(
        (
            f"{_capital(name)} of {owner} {verb} from {b} in {earlier.label} to {a} in {period.label}.",
            f"In {period.label}, {name} of {owner} {verb} to {a} from {b} in {earlier.label}.",
            f"{_capital(name)} of {owner} {verb} in {period.label}, to {a}. In {earlier.label} it was {b}.",
            f"In {period.label} {name} of {owner} {verb}, to {a}.",
        )
    )
    question = stream.pick(
        (
            f"Did {name} of {owner} rise or fall in {period.label}?",
            f"In which direction did {name} of {owner} move in {period.label}?",
            f"Did the {name} of {owner} go up or down in {period.label}?",
        )
    )
    return _Asked(
        context,
        question,
        f"{_capital(name)} of {owner} {'rose' if now > before else 'fell'} in {period.label}.",
    )


def _comparison_numeric(stream: Stream, economy: Economy, quarter: Quarter) -> _Asked | None:
    found = _pair(stream, economy, quarter)
    if found is None:
        return None
    item, period, earlier, now, before = found
    company, name, owner = quarter.company, ITEMS[item], quarter.company.name
    a, b = f"{now:,} {company.unit}", f"{before:,} {company.unit}"
    context = stream.pick(
        (
            f"{_capital(name)} of {owner} was {a} in {period.label} and {b} in {earlier.label}.",
            f"{_capital(name)} of {owner} was {b} in {earlier.label} and {a} in {period.label}.",
            f"{_capital(name)} of {owner}\n{period.label}: {a}\n{earlier.label}: {b}",
            f"{_capital(name)} of {owner}\n{earlier.label}: {b}\n{period.label}: {a}",
        )
    )
    question = stream.pick(
        (
            f"Was {name} of {owner} higher or lower in {period.label} than in {earlier.label}?",
            f"Compare {name} of {owner} in {period.label} with {earlier.label}: was it higher or lower?",
        )
    )
    word = "higher" if now > before else "lower"
    return _Asked(
        context,
        question,
        f"{_capital(name)} of {owner} was {word} in {period.label} than in {earlier.label}.",
    )


def _which_company(stream: Stream, economy: Economy, quarter: Quarter) -> _Asked | None:
    period, at, unit = quarter.period, quarter.filed_at, quarter.company.unit
    others = [
        company
        for company in economy.companies.values()
        if company.unit == unit
        and company != quarter.company
        and economy.quarters[company.ticker, period].filed_at <= at
    ]
    item = stream.pick(("revenue", "gross_profit", "cash", "total_assets", "cost_of_revenue"))
    companies = [quarter.company, *stream.sample(others, stream.integer(2, 3))]
    values = {
        company.name: economy.statement(company.ticker, period, at)[item]
        for company in stream.sample(companies, 4)
    }
    return _extreme(
        stream,
        values,
        unit,
        head=stream.pick((f"{_capital(ITEMS[item])} in {period.label}", f"{period.label}, {ITEMS[item]}")),
        question=f"Which company had the {{extreme}} {ITEMS[item]} in {period.label}?",
        answer=f"The company with the {{extreme}} {ITEMS[item]} in {period.label} was {{label}}.",
    )


def _which_quarter(stream: Stream, economy: Economy, quarter: Quarter) -> _Asked | None:
    company, period = quarter.company, quarter.period
    item = stream.pick(("revenue", "gross_profit", "cash", "total_assets", "cost_of_revenue"))
    values = {}
    for _ in range(stream.integer(3, 5)):
        values[period.label] = economy.statement(company.ticker, period, quarter.filed_at)[item]
        period = period.previous()
    if stream.chance(0.7):
        values = dict(reversed(values.items()))
    name = f"{ITEMS[item]} of {company.name}"
    return _extreme(
        stream,
        values,
        company.unit,
        head=_capital(name),
        question=f"In which quarter was {name} {{extreme}}?",
        answer=f"{_capital(name)} was {{extreme}} in {{label}}.",
    )


def _extreme(
    stream: Stream, values: dict[str, int], unit: str, head: str, question: str, answer: str
) -> _Asked | None:
    """Which line has the highest or the lowest figure; None where it is not one line alone."""
    extreme, wanted = stream.pick((("highest", max), ("lowest", min)))
    labels = [label for label, value in values.items() if value == wanted(values.values())]
    if len(values) < 3 or len(labels) > 1:
        return None
    context = "\n".join([head, *(f"{label}: {value:,} {unit}" for label, value in values.items())])
    return _Asked(context, question.format(extreme=extreme), answer.format(extreme=extreme, label=labels[0]))


_WRITERS: dict[str, Callable[[Stream, Economy, Quarter], _Asked | None]] = {
    "lookup_key_value": _lookup_key_value,
    "lookup_sentence": _lookup_sentence,
    "direction_worded": _direction_worded,
    "comparison_numeric": _comparison_numeric,
    "which_company": _which_company,
    "which_quarter": _which_quarter,
}
