"""Annual and quarterly reports, and amended ones: statements from the tables, and the management's words
about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from mintage.corpus.document import Document
from mintage.corpus.sources.sandbox.clock import Period, local_day, long_date
from mintage.corpus.sources.sandbox.facts import (
    Facts,
    dollars,
    hundredths,
    labels,
    money,
    number,
    quarter_words,
    tenths,
)
from mintage.corpus.sources.sandbox.happened import event_texts
from mintage.corpus.sources.sandbox.prose import LICENCE, Section, Voice, cell, compose, listed, table
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.sectors import Indicator
from mintage.corpus.sources.sandbox.tables import (
    BALANCE,
    CASH_FLOW,
    INCOME,
    Company,
    Economy,
    Event,
    Quarter,
    Statement,
)

ANNUAL_WEIGHT = 2.0  # an annual report against a quarterly one of weight 1
_CASH_LABELS = {
    "noncash_charges": "impairment of goodwill",
    "receivables_change": "change in receivables",
    "inventories_change": "change in inventories",
    "other_assets_change": "change in other assets",
    "payables_change": "change in payables",
    "accrued_change": "change in accrued liabilities",
    "acquisitions": "acquisitions of businesses",
    "investing_cash": "cash used in investing activities",
    "debt_change": "borrowings, net of repayments",
    "dividends": "dividends paid",
    "buybacks": "repurchases of common stock",
    "financing_cash": "cash from financing activities",
    "cash_change": "net change in cash",
    "cash_beginning": "cash at beginning of period",
    "cash_end": "cash at end of period",
}
_SHORT_CASH_FLOW = (
    "operating_cash",
    "capital_spending",
    "acquisitions",
    "debt_change",
    "dividends",
    "buybacks",
    "cash_change",
)
_LATER = ("acquisition", "contract", "chief", "buyback", "rating")  # told as subsequent events


def reported_period(quarter: Quarter) -> Period:
    """The period of the report that a quarter calls for: the year with the fourth quarter."""
    return Period(quarter.period.year, 0) if quarter.period.quarter == 4 else quarter.period


def native_id(company: Company, period: Period) -> str:
    """The name of a report, the same for the original and the amended one."""
    return f"{company.ticker}-{period.label.replace(' ', '-')}"


def write_filing(
    seed: int, economy: Economy, quarter: Quarter, room: float, original: Document | None
) -> Document:
    """The report of a quarter (or of its year) in about `room` characters; the amended one where the
    `original` that it supersedes is given."""
    company, period = quarter.company, reported_period(quarter)
    amended = quarter.restatement if original is not None else None
    at = amended.amended_at if amended else quarter.filed_at
    stream = Stream(seed, "filing", company.ticker, period.label, bool(amended))
    now = economy.statement(company.ticker, period, at)
    before = economy.statement(company.ticker, period.year_before(), at)
    facts = common_facts(stream, economy, company, now, before, at)
    voice = Voice("filings")
    kind = "annual report" if period.quarter == 0 else "quarterly report"
    title = f"{company.legal_name}: {'amended ' if amended else ''}{kind} for {period.label}"
    parts = [Section(f"# {title}", [_cover(company, period, at)], [])]
    if amended and original and original.available_at:
        facts.text(filed_day=long_date(local_day(original.available_at)))
        parts.append(
            Section(
                "## Explanatory note",
                [voice.say("explanatory note", facts), _restatement(voice, facts, quarter)],
                [],
            )
        )
    if period.quarter == 0:
        parts += [_business(voice, facts, company, now, before), _risks(voice, facts, company, now, before)]
    parts += _discussion(voice, facts, economy, quarter, now, before, at)
    parts.append(Section("## Financial statements", statements(company, now, before, stream.chance(0.5)), []))
    parts.append(
        Section(
            "## Controls and procedures", [voice.say("controls weak" if amended else "controls", facts)], []
        )
    )
    return Document.make(
        source="sandbox_filings",
        native_id=native_id(company, period),
        text=compose(parts, room, facts),
        licence=LICENCE,
        use="ship",
        kind=kind.replace(" ", "_"),
        title=title,
        available_at=at,
        date_precision="second",
        published_at=at,
        period_end=period.end,
        vintage=1 if amended else 0,
        supersedes=original.doc_id if original else None,
        entities=[("ticker", company.ticker)],
    )


def common_facts(
    stream: Stream, economy: Economy, company: Company, now: Statement, before: Statement | None, at: datetime
) -> Facts:
    """Facts of the period, of the sector's vocabulary and of the economy as known at a moment."""
    facts = Facts(stream, company).period(now, before)
    sector, macro = company.sector, economy.macro
    goods, inputs, customers = (
        stream.sample(words, 2) for words in (sector.goods, sector.inputs, sector.customers)
    )
    return facts.text(
        goods1=goods[0],
        goods2=goods[1],
        input1=inputs[0],
        input2=inputs[1],
        customer1=customers[0],
        customer2=customers[1],
        product1=company.products[0],
        product2=company.products[1],
        product3=company.products[2],
        segment=company.segments[0],
        segment_list=listed(company.segments),
        segment_count=("two", "three", "four")[len(company.segments) - 2],
        founded=str(company.founded),
        employees=number(company.employees),
        inflation=tenths(macro.latest(macro.inflation, at)[1]),
        unemployment=tenths(macro.latest(macro.unemployment, at)[1]),
        policy_rate=hundredths(macro.rate_at(at)),
        best=_best_segment(now, before),
    )


def _best_segment(now: Statement, before: Statement | None) -> str:
    """The segment whose revenue moved most in the direction of the whole."""
    sign = 1 if before is None or now["revenue"] >= before["revenue"] else -1
    changes = {
        name: sign * (value - (before.segments[name] if before else 0))
        for name, value in now.segments.items()
    }
    return max(changes, key=lambda name: changes[name])


def segment_facts(facts: Facts, now: Statement, before: Statement | None, segment: str) -> Facts:
    """The same facts with one segment in front: its name and `unit_revenue`."""
    facts.text(segment=segment)
    return facts.figure(
        "unit_revenue",
        now.segments[segment],
        before.segments[segment] if before else None,
        name=f"{segment} revenue",
    )


def indicator_facts(facts: Facts, now: Statement, before: Statement | None, one: Indicator) -> Facts:
    """The same facts with one operating indicator in front."""
    return facts.figure(
        "indicator",
        now.indicators[one.key],
        before.indicators[one.key] if before else None,
        one.form,
        one.label,
    )


def _cover(company: Company, period: Period, at: datetime) -> str:
    return "\n".join(
        (
            f"Company: {company.legal_name}",
            f"Ticker: {company.ticker}",
            f"Sector: {company.sector.name}",
            f"Period: {period.label}",
            f"Period end: {long_date(period.end)}",
            f"Filed: {long_date(local_day(at))}",
            f"Amounts: {company.unit}s of dollars, except per share",
        )
    )


def _restatement(voice: Voice, facts: Facts, quarter: Quarter) -> str:
    """What was wrong and what is right, for the quarter that was restated."""
    restatement, company = quarter.restatement, quarter.company
    assert restatement is not None
    facts.text(
        wrong=money(restatement.reported, company),
        right=money(restatement.restated, company),
        difference=money(restatement.reported - restatement.restated, company),
        item_name=labels(company)[restatement.item].capitalize(),
    )
    whole, end = facts.texts["period"], facts.texts["segment"]
    facts.text(period=quarter_words(quarter.period), segment=restatement.segment or end)
    text = voice.say(f"restatement {restatement.reason}", facts)
    facts.text(period=whole, segment=end)
    return text


def _business(voice: Voice, facts: Facts, company: Company, now: Statement, before: Statement) -> Section:
    def segment(name: str) -> str:
        return voice.say("segment business", segment_facts(facts, now, before, name))

    more = [lambda: voice.say("business more", facts)] * 5
    return Section(
        "## Business",
        [voice.say("business", facts)],
        [*more, *(lambda name=name: segment(name) for name in company.segments)],
    )


def _risks(voice: Voice, facts: Facts, company: Company, now: Statement, before: Statement) -> Section:
    def risk(text: str) -> str:
        segment_facts(facts, now, before, facts.stream.pick(company.segments)).text(risk=text)
        said = voice.say("risk", facts)
        return (
            f"{said} {voice.say('risk more', facts)}"
            if facts.stream.chance(0.5) and voice.fresh("risk more")
            else said
        )

    risks = facts.stream.sample(company.sector.risks, 6)
    return Section(
        "## Risk factors",
        [voice.say("risk intro", facts), risk(risks[0])],
        [partial(risk, text) for text in risks[1:]],
    )


def _discussion(
    voice: Voice,
    facts: Facts,
    economy: Economy,
    quarter: Quarter,
    now: Statement,
    before: Statement,
    at: datetime,
) -> list[Section]:
    """Results, segments and operations, liquidity and outlook."""
    company, stream = quarter.company, facts.stream

    def topic(name: str) -> Callable[[], str]:
        return partial(voice.say, name, facts)

    def topics(*names: str) -> list[Callable[[], str]]:
        return [topic(name) for name in names]

    def segment(name: str) -> str:
        return voice.say("segment", segment_facts(facts, now, before, name))

    def indicator(one: Indicator) -> str:
        return voice.say(
            "indicator" if one.form == "count" else "rate indicator", indicator_facts(facts, now, before, one)
        )

    profitable = facts.comparable("operating_income")
    earning = facts.comparable("net_income")
    results = Section(
        "## Management's discussion and analysis",
        [f"{voice.say('revenue', facts)} {voice.say('net' if earning else 'net loss', facts)}"],
        [
            *topics("revenue", "margin", "margin", "selling", "selling", "depreciation", "interest"),
            *topics("operating" if profitable else "operating loss", "net" if earning else "net loss"),
        ],
    )
    if now["research"]:
        results.optional += topics("research", "research")
    if now["special_charges"]:
        results.optional.append(topic("special"))
    if now["noncash_charges"]:
        results.required.append(voice.say("write off", facts))
    if now.period.quarter:
        last = economy.statement(company.ticker, now.period.previous(), at)
        sequential = common_facts(stream, economy, company, now, last, at)
        results.optional += [lambda: voice.say("revenue quarterly", sequential)] * 2
        guided = quarter.earlier_guidance
        if guided:
            low, high = guided
            facts.text(guided_low=money(low, company), guided_high=money(high, company))
            outcome = (
                "kept" if low <= now["revenue"] <= high else "beaten" if now["revenue"] > high else "missed"
            )
            results.optional.append(topic(f"guidance {outcome}"))
    operations = Section("### Segments and operations", [], [])
    operations.optional += [partial(segment, name) for name in company.segments]
    operations.optional += [partial(indicator, one) for one in company.sector.indicators]
    operations.optional += [topic("macro")] * 2
    numbers = (now.period.quarter,) if now.period.quarter else (1, 2, 3, 4)
    quarters = [economy.quarters[company.ticker, Period(now.period.year, number)] for number in numbers]
    events = [event for one in quarters for event in one.events]
    told = [_event(voice, facts, event) for event in events if now.period.quarter or event.kind != "guidance"]
    if told:
        operations.required.append(" ".join(told))
    cash = Section(
        "### Liquidity and capital resources",
        [voice.say("liquidity", facts)],
        topics("operating cash", "capital spending", "capital spending", "liquidity", "debt")
        + topics("working capital", "working capital", "working capital"),
    )
    if now["dividends"] or now["buybacks"]:
        cash.optional.append(topic("returns"))
    low, high = quarter.guidance
    following = quarter.period.next()
    facts.text(
        next_period=quarter_words(following),
        guidance_low=money(low, company),
        guidance_high=money(high, company),
    )
    outlook = Section("### Outlook", [voice.say("outlook", facts)], [])
    later = [
        event
        for event in (
            economy.quarters[company.ticker, following].events
            if (company.ticker, following) in economy.quarters
            else []
        )
        if event.at < at and event.kind in _LATER
    ]
    sections = [results, operations, cash, outlook]
    if later:
        sections.append(
            Section("### Subsequent events", [_event(voice, facts, event) for event in later], [])
        )
    return sections


def _event(voice: Voice, facts: Facts, event: Event) -> str:
    return voice.say(f"event {event.kind}", facts.text(**event_texts(event, facts)))


def statements(company: Company, now: Statement, before: Statement, as_tables: bool) -> list[str]:
    """The statements: Markdown tables, or key-value lines; quarterly reports have a short cash flow
    statement."""
    names = labels(company) | _CASH_LABELS
    flows = _SHORT_CASH_FLOW if now.period.quarter else CASH_FLOW
    unit = f"{company.unit}s of dollars"
    blocks = [
        (
            f"### Income statement ({unit}, except per share)",
            [(names[item].capitalize(), item) for item in INCOME],
        ),
        (
            f"### Balance sheet at end of period ({unit})",
            [(names[item].capitalize(), item) for item in BALANCE],
        ),
        (f"### Cash flow statement ({unit})", [(names[item].capitalize(), item) for item in flows]),
    ]
    result = []
    for heading, rows in blocks:
        figures = [(label, (cell(now[item]), cell(before[item]))) for label, item in rows]
        if heading.startswith("### Income"):
            earned = [dollars(one["earnings_per_share"]) for one in (now, before)]
            figures.append((names["earnings_per_share"].capitalize(), (earned[0], earned[1])))
        result.append(f"{heading}\n\n{_block(now, before, figures, as_tables)}")
    segments = [(name, (cell(value), cell(before.segments[name]))) for name, value in now.segments.items()]
    segments.append((names["revenue"].capitalize(), (cell(now["revenue"]), cell(before["revenue"]))))
    result.append(f"### Revenue by segment ({unit})\n\n{_block(now, before, segments, as_tables)}")
    return result


def _block(now: Statement, before: Statement, rows: list[tuple[str, tuple[str, str]]], as_table: bool) -> str:
    if as_table:
        return table(("Item", now.period.label, before.period.label), rows)
    return "\n".join(
        f"{label}: {figures[0]} ({before.period.label}: {figures[1]})" for label, figures in rows
    )
