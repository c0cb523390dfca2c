"""Earnings calls: prepared remarks and questions by analysts, a few hours after the release."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mintage.corpus.document import Document
from mintage.corpus.sources.sandbox.facts import Facts, money, quarter_words
from mintage.corpus.sources.sandbox.filings import common_facts, indicator_facts, segment_facts
from mintage.corpus.sources.sandbox.happened import event_texts
from mintage.corpus.sources.sandbox.prose import LICENCE, Voice
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.sectors import Indicator
from mintage.corpus.sources.sandbox.tables import Economy, Event, Quarter, Statement

Exchange = Callable[[], tuple[str, str]]  # writes a question and its answer


def write_call(seed: int, economy: Economy, quarter: Quarter, room: float) -> Document:
    """The transcript of a quarter's call in about `room` characters."""
    company, period, at = quarter.company, quarter.period, quarter.call_at
    stream = Stream(seed, "call", company.ticker, period.label)
    now = quarter.reported
    before = economy.statement(company.ticker, period.year_before(), at)
    facts = common_facts(stream, economy, company, now, before, at)
    leader = economy.chief_at(company.ticker, at)
    low, high = quarter.guidance
    facts.text(
        chief=leader,
        first=leader.split()[0],
        finance=company.finance_chief,
        relations=company.relations_chief,
        relations_first=company.relations_chief.split()[0],
        next_period=quarter_words(period.next()),
        guidance_low=money(low, company),
        guidance_high=money(high, company),
    )
    voice = Voice("calls")
    title = f"{company.name} ({company.ticker}) {period.label} earnings call"
    chief, finance = f"{leader}, chief executive", f"{company.finance_chief}, chief financial officer"
    opening = "chief open" if facts.direction("revenue") >= 0 else "chief open bad"
    turns = [
        ("Operator", voice.say("operator", facts)),
        (f"{company.relations_chief}, investor relations", voice.say("relations", facts)),
        (chief, " ".join([voice.say(opening, facts), *_remarks(voice, facts, quarter, before, room)])),
        (finance, _figures(voice, facts, room)),
    ]
    written = len(title) + sum(len(speaker) + len(words) + 4 for speaker, words in turns)
    analysts = stream.sample(company.analysts, len(company.analysts))
    exchanges = _exchanges(voice, facts, quarter, before)
    for number, exchange in enumerate(stream.sample(exchanges, len(exchanges))):
        if number and written > room:
            break
        analyst, firm = analysts[number % len(analysts)]
        facts.text(analyst=analyst, firm=firm)
        hand_over = voice.say("next question" if number else "to questions", facts)
        ask, answer = exchange()
        answerer = chief if stream.chance(0.5) else finance
        block = [
            ("Operator", hand_over),
            (f"{analyst}, {firm}", f"{voice.say('thanks', facts)} {ask}"),
            (answerer, answer),
        ]
        turns += block
        written += sum(len(speaker) + len(words) + 4 for speaker, words in block)
    turns.append(("Operator", voice.say("close", facts)))
    return Document.make(
        source="sandbox_calls",
        native_id=f"{company.ticker}-{period.label.replace(' ', '-')}-call",
        text="\n\n".join([f"# {title}", *(f"{speaker}: {words}" for speaker, words in turns)]),
        licence=LICENCE,
        use="ship",
        kind="earnings_call",
        title=title,
        available_at=at,
        date_precision="second",
        published_at=at,
        period_end=period.end,
        entities=[("ticker", company.ticker)],
    )


def _remarks(voice: Voice, facts: Facts, quarter: Quarter, before: Statement, room: float) -> list[str]:
    """What the chief executive says after the opening: more of it in a longer call."""
    now, company, stream = quarter.reported, quarter.company, facts.stream
    count = stream.integer(1, 2) + int(room > 2_500) + int(room > 4_500)
    said = [voice.say("chief more", facts) for _ in range(count)]
    said += [
        voice.say("chief segment", segment_facts(facts, now, before, name))
        for name in stream.sample(company.segments, count)
    ]
    for one in stream.sample(company.sector.indicators, count - 1):
        said.append(
            voice.say(
                "indicator" if one.form == "count" else "rate indicator",
                indicator_facts(facts, now, before, one),
            )
        )
    return stream.sample(said, len(said))


def _figures(voice: Voice, facts: Facts, room: float) -> str:
    """What the chief financial officer says."""
    stream = facts.stream
    more = [voice.say("finance more", facts) for _ in range(stream.integer(1, 3) + 2 * int(room > 3_000))]
    net = voice.say("finance net" if facts.comparable("net_income") else "finance net loss", facts)
    return " ".join([voice.say("finance", facts), *more, net, voice.say("finance outlook", facts)])


def _exchanges(voice: Voice, facts: Facts, quarter: Quarter, before: Statement) -> list[Exchange]:
    """Questions that can be asked about this quarter, each with its answer."""
    now, company = quarter.reported, quarter.company

    def about(topic: str) -> Exchange:
        return lambda: (voice.say(f"ask {topic}", facts), voice.say(f"answer {topic}", facts))

    def segment(name: str) -> tuple[str, str]:
        segment_facts(facts, now, before, name)
        return about("segment")()

    def indicator(one: Indicator) -> tuple[str, str]:
        indicator_facts(facts, now, before, one)
        return about("indicator")()

    def event(one: Event) -> tuple[str, str]:
        facts.text(**event_texts(one, facts))
        return about(f"event {one.kind}")()

    result = [about("margin"), about("cash"), about("guidance"), about("macro")]
    result += [partial(segment, name) for name in company.segments]
    result += [partial(indicator, one) for one in company.sector.indicators]
    result += [partial(event, one) for one in quarter.events if f"ask event {one.kind}" in voice.phrases]
    return result
