"""Press releases: results, events as they happen, and notices that accounts must be restated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from mintage.corpus.document import Document
from mintage.corpus.sources.sandbox.clock import Period, local_day, long_date
from mintage.corpus.sources.sandbox.facts import Facts, money, quarter_words
from mintage.corpus.sources.sandbox.filings import common_facts, indicator_facts, segment_facts
from mintage.corpus.sources.sandbox.happened import event_texts
from mintage.corpus.sources.sandbox.prose import LICENCE, Section, Voice, compose
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.tables import Company, Economy, Event, Quarter

EVENT_WEIGHT = 0.4  # the release of an event against one of results of weight 1


def write_results(seed: int, economy: Economy, quarter: Quarter, room: float) -> Document:
    """The release of a quarter's results (with the year's in the fourth quarter) in about `room`
    characters."""
    company, period, at = quarter.company, quarter.period, quarter.released_at
    stream = Stream(seed, "results", company.ticker, period.label)
    now, before = quarter.reported, economy.statement(company.ticker, period.year_before(), at)
    facts = common_facts(stream, economy, company, now, before, at)
    low, high = quarter.guidance
    facts.text(
        chief=economy.chief_at(company.ticker, at),
        finance=company.finance_chief,
        relations=company.relations_chief,
        day=long_date(local_day(at)),
        period_title=stream.pick((period.label, f"{quarter_words(period)[4:]}")),
        next_period=quarter_words(period.next()),
        guidance_low=money(low, company),
        guidance_high=money(high, company),
    )
    voice = Voice("releases")
    direction = ("still", "up", "down")[facts.direction("revenue")]
    title = voice.say(f"headline {direction}", facts)
    bullets = [voice.say("bullet", facts) for _ in range(stream.integer(2, 4))]
    for name in stream.sample(company.segments, stream.integer(1, 3)):
        bullets.append(voice.say("bullet segment", segment_facts(facts, now, before, name)))
    if stream.chance(0.5):
        one = stream.pick(company.sector.indicators)
        bullets.append(voice.say("bullet indicator", indicator_facts(facts, now, before, one)))
    earned = voice.say("net" if facts.comparable("net_income") else "net loss", facts)
    required = [
        f"{voice.say('lede', facts)} {earned}",
        "\n".join(f"- {bullet}" for bullet in stream.sample(bullets, len(bullets))),
    ]
    if period.quarter == 4:
        year = Period(period.year, 0)
        whole = economy.statement(company.ticker, year, at)
        annual = Facts(stream, company).period(
            whole, economy.statement(company.ticker, year.year_before(), at)
        )
        annual.text(year=year.label, year_before=year.year_before().label)
        required.append(voice.say("year", annual))
    required.append(voice.say("outlook", facts))
    mood = "quote down" if direction == "down" else "quote up"
    optional: list[Callable[[], str]] = [
        partial(voice.say, topic, facts) for topic in (mood, mood, "about", "about", "contact")
    ]
    text = compose([Section(f"# {title}", required, optional)], room, facts)
    return _document(
        company, f"{company.ticker}-{period.label.replace(' ', '-')}-results", title, text, at, period
    )


def write_event(seed: int, economy: Economy, event: Event, room: float) -> Document:
    """The release about an event, at the moment when it happens."""
    company, at = economy.companies[event.ticker], event.at
    day = local_day(at)
    period = Period(day.year, (day.month + 2) // 3)
    facts = _event_facts(seed, economy, company, period, at, event.kind).text(
        **event_texts(event, _bare(company))
    )
    facts.text(
        goods=event.names.get("goods", company.sector.goods[0]),
        event_segment=event.names.get("segment", company.segments[0]),
    )
    voice = Voice("releases")
    kind = event.kind
    if kind == "chief":
        facts.text(chief=event.names["successor"])
    if kind == "guidance":
        kind = "guidance up" if event.figures["low"] > event.figures["earlier_low"] else "guidance down"
    title = voice.say(f"title {kind}", facts)
    lede = f"{company.home}, {long_date(day)} - {voice.say(f'body {event.kind}', facts)}"
    more = [lambda: voice.say(f"more {event.kind}", facts)] * 2 + [
        lambda: voice.say("about", facts),
        lambda: voice.say("contact", facts),
    ]
    text = compose([Section(f"# {title}", [lede], more)], room, facts)
    native_id = f"{company.ticker}-{at:%Y%m%d}-{event.kind}"
    return _document(company, native_id, title, text, at, None)


def write_restatement_notice(seed: int, economy: Economy, quarter: Quarter, room: float) -> Document:
    """The notice that accounts should no longer be relied upon, before the amended report."""
    company, period, restatement = quarter.company, quarter.period, quarter.restatement
    assert restatement is not None
    at = restatement.announced_at
    facts = _event_facts(seed, economy, company, period, at, "restatement").text(
        restated_period=quarter_words(period)
    )
    voice = Voice("releases")
    title = voice.say("restatement title", facts)
    lede = f"{company.home}, {long_date(local_day(at))} - {voice.say('restatement body', facts)}"
    more = [lambda: voice.say("restatement more", facts)] * 2 + [lambda: voice.say("about", facts)]
    text = compose([Section(f"# {title}", [lede], more)], room, facts)
    return _document(
        company, f"{company.ticker}-{period.label.replace(' ', '-')}-notice", title, text, at, period
    )


def _bare(company: Company) -> Facts:
    return Facts(Stream(company.ticker), company)


def _event_facts(
    seed: int, economy: Economy, company: Company, period: Period, at: datetime, kind: str
) -> Facts:
    """Facts for a release outside the reporting season: the last published accounts, the chief of the day."""
    stream = Stream(seed, "event release", company.ticker, at, kind)
    last = economy.last_reported(company.ticker, at)
    facts = common_facts(stream, economy, company, last.as_of(at), None, at)
    return facts.text(
        period=quarter_words(period),
        chief=economy.chief_at(company.ticker, at),
        finance=company.finance_chief,
        relations=company.relations_chief,
    )


def _document(
    company: Company, native_id: str, title: str, text: str, at: datetime, period: Period | None
) -> Document:
    return Document.make(
        source="sandbox_releases",
        native_id=native_id,
        text=text,
        licence=LICENCE,
        use="ship",
        kind="press_release",
        title=title,
        available_at=at,
        date_precision="second",
        published_at=at,
        period_end=period.end if period else None,
        entities=[("ticker", company.ticker)],
    )
