"""Question-answer pairs whose exact answers follow from their own context, and how answers are read back.

Each is one user message (a context of a few figures, then a question) and one answer that restates what was
asked. The kinds:

- `lookup_key_value`: one figure out of three to five lines "- item: figure unit";
- `lookup_sentence`: one figure out of a sentence or two with three or four figures;
- `direction_worded`: whether one of a few items rose or fell, where the context says so in words;
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
from mintage.corpus.sources.sandbox.names import company_name
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

# The share of the questions in which the company goes by a name that the economy does not know. Where all
# names are known, a small model learns them by heart, and gives one of them to whatever company it is asked
# about.
DISGUISED = 0.5

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
    "lookup_key_value": re.compile(rf"In .+, .+'s .+ was ({_FIGURE}) {_UNIT}\."),
    "lookup_sentence": re.compile(rf"In .+, .+'s .+ was ({_FIGURE}) {_UNIT}\."),
    "direction_worded": re.compile(r"In .+, .+'s .+ (rose|fell)\."),
    "comparison_numeric": re.compile(r"In .+, .+'s .+ was (higher|lower) than in .+\."),
    "which_company": re.compile(r"The company with the (?:highest|lowest) .+ in .+ was (.+)\."),
    "which_quarter": re.compile(r".+'s .+ was (?:highest|lowest) in (Q[1-4] \d{4})\."),
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
        return re.findall(rf"^- ([A-Z]\w+): {_FIGURE} {_UNIT}$", context, re.MULTILINE)
    if kind == "which_quarter":
        return re.findall(rf"^- (Q[1-4] \d{{4}}): {_FIGURE} {_UNIT}$", context, re.MULTILINE)
    return re.findall(rf"({_FIGURE}) {_UNIT}\b", context)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A rendered pair."""

    context: str
    question: str
    answer: str

    def renamed(self, name: str, other: str) -> _Asked:
        """The same about a company of another name."""
        return _Asked(*(text.replace(name, other) for text in (self.context, self.question, self.answer)))


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
        disguised = stream.chance(DISGUISED)
        if disguised:
            pair = pair.renamed(company.name, company_name(stream))
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
            entities=[*([] if disguised else [("ticker", company.ticker)]), ("question_kind", kind)],
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


def _question(stream: Stream, templates: tuple[str, ...], item: str, name: str, period: str) -> str:
    owned = stream.pick((f"{name}'s {item}", f"the {item} of {name}"))
    return stream.pick(templates).format(owned=owned, period=period)


_LOOKUPS = (
    "What was {owned} in {period}?",
    "How much was {owned} in {period}?",
    "State {owned} in {period}.",
    "Give {owned} in {period}.",
)


def lookup_answer(name: str, period: str, item: str, amount: str) -> str:
    """The answer of both look-ups. The item stands right before the figure, in lower case as in the contexts,
    so that the words before a figure are those that tell which figure it is: small models copy it then."""
    return f"In {period}, {name}'s {item} was {amount}."


def key_value_context(stream: Stream, name: str, period: str, amounts: dict[str, str]) -> str:
    """Lines "- item: amount" under a head."""
    head = stream.pick((f"{name}, {period}", f"{name} {period}", f"Company: {name}\nPeriod: {period}"))
    return "\n".join([head, *(f"- {item}: {amount}" for item, amount in amounts.items())])


def sentence_context(stream: Stream, name: str, period: str, amounts: dict[str, str]) -> str:
    """A few sentences with the items and their amounts."""
    verbs = ("was", "was", "came to", "stood at", "reached")
    parts = [f"{item} of {amount}" for item, amount in amounts.items()]
    clauses = [f"{item} {stream.pick(verbs)} {amount}" for item, amount in amounts.items()]
    had = f"{stream.pick(('The company', 'It'))} had {listed(parts[1:])}."
    others = " ".join(f"{stream.pick(('Its', 'The'))} {clause}." for clause in clauses[1:])
    return stream.pick(
        (
            f"In {period}, {name} reported {listed(parts)}.",
            f"{name} reported {listed(parts)} in {period}.",
            f"For {period}, {name} showed {listed(parts)}.",
            f"In {period}, {name}'s {listed(clauses)}.",
            f"{name}'s {clauses[0]} in {period}, while {listed(clauses[1:])}.",
            f"In {period}, {name}'s {clauses[0]}. {had}",
            f"In {period}, {name}'s {clauses[0]}. {others}",
            f"{name} reported {parts[0]} in {period}. {others}",
        )
    )


_Context = Callable[[Stream, str, str, dict[str, str]], str]


def _lookup(
    stream: Stream, economy: Economy, quarter: Quarter, count: int, context: _Context
) -> _Asked | None:
    found = _chosen(stream, economy, quarter, count)
    if found is None:
        return None
    name, period = quarter.company.name, found[0].label
    amounts = {ITEMS[item]: amount for item, amount in found[1].items()}
    asked = stream.pick(sorted(amounts))
    return _Asked(
        context(stream, name, period, amounts),
        _question(stream, _LOOKUPS, asked, name, period),
        lookup_answer(name, period, asked, amounts[asked]),
    )


def _lookup_key_value(stream: Stream, economy: Economy, quarter: Quarter) -> _Asked | None:
    return _lookup(stream, economy, quarter, stream.integer(3, 5), key_value_context)


def _lookup_sentence(stream: Stream, economy: Economy, quarter: Quarter) -> _Asked | None:
    return _lookup(stream, economy, quarter, stream.integer(3, 4), sentence_context)


@dataclass(frozen=True, slots=True)
class _Moves:
    """Items with two different positive figures: of a period, and of the one a year or a quarter before."""

    period: Period
    earlier: Period
    figures: dict[str, tuple[int, int]]


def _moves(stream: Stream, economy: Economy, quarter: Quarter) -> _Moves:
    company, period = quarter.company, _period(stream, quarter)
    earlier = period.previous() if period.quarter and stream.chance(0.4) else period.year_before()
    now, before = (economy.statement(company.ticker, one, quarter.filed_at) for one in (period, earlier))
    figures = {}
    for item in ITEMS:
        if item in now.values and item != "earnings_per_share":
            sign = -1 if item in OUTFLOWS else 1
            pair = sign * now[item], sign * before[item]
            if min(pair) > 0 and pair[0] != pair[1]:
                figures[item] = pair
    return _Moves(period, earlier, figures)


def _rising_or_falling(stream: Stream, moves: _Moves) -> str | None:
    """An item: first the direction is drawn and then the item, so that both directions are equally
    frequent."""
    rising = stream.chance(0.5)
    items = [item for item, (now, before) in moves.figures.items() if (now > before) == rising]
    return stream.pick(items) if items else None


_DIRECTIONS = (
    "Did {owned} rise or fall in {period}?",
    "In which direction did {owned} move in {period}?",
    "Did {owned} go up or down in {period}?",
)


def direction_answer(name: str, period: str, item: str, rising: bool) -> str:
    """The answer of a direction question; as in look-ups, the item stands right before what is asked for."""
    return f"In {period}, {name}'s {item} {'rose' if rising else 'fell'}."


def direction_verb(stream: Stream, now: int, before: int) -> str:
    """A verb for the move from one figure to another."""
    change = abs(now - before)
    size = "small" if change < 0.02 * before else "large" if change > 0.15 * before else "middle"
    direction = "up" if now > before else "down"
    return expand(stream.pick(sections("words")[f"rose {size} {direction}"]), stream, {})


def direction_context(
    stream: Stream, name: str, period: str, figures: dict[str, tuple[int, int]], unit: str
) -> str:
    """A few sentences on how items moved; `figures`: of the period and of the one before, by item."""
    clauses = []
    for item, (now, before) in figures.items():
        amounts = ("", "", f" to {now:,} {unit}", f" from {before:,} to {now:,} {unit}")
        clauses.append(f"{item} {direction_verb(stream, now, before)}{stream.pick(amounts)}")
    lead = stream.pick(
        (f"In {period}, {name}'s {{}}.", f"In {period} {name}'s {{}}.", f"{name}'s {{}} in {period}.")
    )
    first, rest = clauses[0], clauses[1:]
    if rest and stream.chance(0.5):
        first += stream.pick((", while ", " and ", ", and ", " as ")) + rest.pop(0)
    return " ".join(
        [
            lead.format(first),
            *(f"{stream.pick(('Its', 'The', 'Meanwhile,', 'Also,'))} {clause}." for clause in rest),
        ]
    )


def _direction_worded(stream: Stream, economy: Economy, quarter: Quarter) -> _Asked | None:
    moves = _moves(stream, economy, quarter)
    item = _rising_or_falling(stream, moves)
    if item is None:
        return None
    others = stream.sample([one for one in moves.figures if one != item], stream.integer(1, 3))
    told = stream.sample([item, *others], 4)
    name, period = quarter.company.name, moves.period.label
    now, before = moves.figures[item]
    return _Asked(
        direction_context(
            stream, name, period, {ITEMS[one]: moves.figures[one] for one in told}, quarter.company.unit
        ),
        _question(stream, _DIRECTIONS, ITEMS[item], name, period),
        direction_answer(name, period, ITEMS[item], now > before),
    )


_COMPARISONS = (
    "Was {owned} higher or lower in {period} than in {earlier}?",
    "Compare {owned} in {period} with {earlier}: was it higher or lower?",
)


def _comparison_numeric(stream: Stream, economy: Economy, quarter: Quarter) -> _Asked | None:
    moves = _moves(stream, economy, quarter)
    item = _rising_or_falling(stream, moves)
    if item is None:
        return None
    name, unit, owned = ITEMS[item], quarter.company.unit, f"{quarter.company.name}'s {ITEMS[item]}"
    period, earlier = moves.period.label, moves.earlier.label
    lines = list(zip((period, earlier), moves.figures[item]))
    (first, a), (second, b) = stream.sample(lines, 2)
    context = stream.pick(
        (
            f"{owned} was {a:,} {unit} in {first} and {b:,} {unit} in {second}.",
            f"{owned}\n- {first}: {a:,} {unit}\n- {second}: {b:,} {unit}",
        )
    )
    now, before = moves.figures[item]
    templates = tuple(template.replace("{earlier}", earlier) for template in _COMPARISONS)
    return _Asked(
        context,
        _question(stream, templates, name, quarter.company.name, period),
        f"In {period}, {owned} was {'higher' if now > before else 'lower'} than in {earlier}.",
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
    name = f"{company.name}'s {ITEMS[item]}"
    return _extreme(
        stream,
        values,
        company.unit,
        head=name,
        question=f"In which quarter was {name} {{extreme}}?",
        answer=f"{name} was {{extreme}} in {{label}}.",
    )


def _extreme(
    stream: Stream, values: dict[str, int], unit: str, head: str, question: str, answer: str
) -> _Asked | None:
    """Which line has the highest or the lowest figure; None where it is not one line alone."""
    extreme, wanted = stream.pick((("highest", max), ("lowest", min)))
    labels = [label for label, value in values.items() if value == wanted(values.values())]
    if len(values) < 3 or len(labels) > 1:
        return None
    context = "\n".join([head, *(f"- {label}: {value:,} {unit}" for label, value in values.items())])
    return _Asked(context, question.format(extreme=extreme), answer.format(extreme=extreme, label=labels[0]))


_WRITERS: dict[str, Callable[[Stream, Economy, Quarter], _Asked | None]] = {
    "lookup_key_value": _lookup_key_value,
    "lookup_sentence": _lookup_sentence,
    "direction_worded": _direction_worded,
    "comparison_numeric": _comparison_numeric,
    "which_company": _which_company,
    "which_quarter": _which_quarter,
}
