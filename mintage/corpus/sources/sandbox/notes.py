"""Market notes: the week, the movers after news, previews of results, sectors compared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from mintage.corpus.document import Document
from mintage.corpus.sources.sandbox.clock import (
    eastern,
    is_business_day,
    local_day,
    long_date,
    office_time,
)
from mintage.corpus.sources.sandbox.facts import (
    Facts,
    dollars,
    hundredths,
    money,
    quarter_words,
    ratio_tenths,
    tenths,
)
from mintage.corpus.sources.sandbox.filings import common_facts
from mintage.corpus.sources.sandbox.happened import event_texts
from mintage.corpus.sources.sandbox.prose import LICENCE, Section, Voice, compose
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.simulation import reaction_day
from mintage.corpus.sources.sandbox.tables import Company, Economy, Event, Quarter

NOTE_LENGTH = 700.0  # characters of a usual note


def trading_day_before(day: date) -> date:
    """The last trading day before this one."""
    day -= timedelta(days=1)
    while not is_business_day(day):
        day -= timedelta(days=1)
    return day


def week_time(seed: int, day: date) -> datetime:
    """When the note on the week that ends on this trading day appears."""
    return office_time(Stream(seed, "week time", day), day, 17, 18)


def mover_time(seed: int, company: Company, moment: datetime) -> datetime:
    """When the note on a share after news of this moment appears: after the first market close since."""
    return office_time(
        Stream(seed, "mover time", company.ticker, moment), reaction_day(moment), 16, 18
    ) + timedelta(minutes=15)


def preview_time(seed: int, quarter: Quarter) -> datetime:
    """When the note before a quarter's results appears."""
    stream = Stream(seed, "preview time", quarter.company.ticker, quarter.period.label)
    return office_time(stream, local_day(quarter.released_at) - timedelta(days=stream.integer(4, 12)), 7, 17)


def sector_time(day: date, number: int) -> datetime:
    """When the week's sector notes appear: one after the other in the evening of its last trading day."""
    return eastern(day, 20, 0) + timedelta(seconds=47 * number)


def sectors_in_turn(seed: int, economy: Economy, day: date) -> list[str]:
    """The sectors in a random order, three times over."""
    sectors = sorted({company.sector.name for company in economy.companies.values()})
    return [
        name for turn in range(3) for name in Stream(seed, "sectors", day, turn).sample(sectors, len(sectors))
    ]


def write_week(seed: int, economy: Economy, friday: date, room: float) -> Document:
    """The note on a week that ends on this trading day."""
    stream, at = Stream(seed, "week", friday), week_time(seed, friday)
    before = trading_day_before(friday - timedelta(days=6))
    changes = {
        ticker: (prices[friday] - prices[before], prices[before]) for ticker, prices in economy.prices.items()
    }
    ranked = sorted(changes, key=lambda ticker: (changes[ticker][0] / changes[ticker][1], ticker))
    company = economy.companies[ranked[-1]]
    sectors = sorted({one.sector.name for one in economy.companies.values()})
    facts = _facts(stream, economy, company, at)
    index, index_before = economy.index[friday], economy.index[before]
    facts.text(
        index=points(index),
        index_before=points(index_before),
        index_percent=tenths(ratio_tenths(index - index_before, index_before)),
        index_move="a gain" if index > index_before else "a loss",
    )
    for role, ticker in (("winner", ranked[-1]), ("loser", ranked[0])):
        change, base = changes[ticker]
        facts.text(
            **{
                role: economy.companies[ticker].name,
                f"{role}_ticker": ticker,
                f"{role}_percent": tenths(ratio_tenths(change, base)),
                f"{role}_price": dollars(economy.prices[ticker][friday]),
            }
        )
    voice = Voice("notes")

    def sector() -> str:
        name = stream.pick(sectors)
        moves = [
            (1000 * changes[one.ticker][0] + changes[one.ticker][1] // 2) // changes[one.ticker][1]
            for one in economy.companies.values() if one.sector.name == name
        ]  # fmt: skip
        return voice.say(
            "sector", facts.text(sector=name, sector_percent=tenths(round(sum(moves) / len(moves))))
        )

    required = [voice.say("week", facts)]
    if changes[ranked[-1]][0] > 0 > changes[ranked[0]][0]:
        required.append(f"{voice.say('winners', facts)} {voice.say('losers', facts)}")
    else:
        required.append(voice.say("flat week", facts))
    optional = [lambda: voice.say("rates", facts), sector, sector, lambda: voice.say("outlook week", facts)]
    return _note(
        stream, f"week-{friday}", voice.say("title week", facts), required, optional, facts, at, [], room
    )


def points(hundredths_of_a_point: int) -> str:
    """ "1,234.56"."""
    return f"{hundredths_of_a_point // 100:,}.{hundredths_of_a_point % 100:02d}"


def write_mover(
    seed: int, economy: Economy, company: Company, news: Event | Quarter, room: float
) -> Document:
    """The note on a share after an event or after results."""
    moment = news.at if isinstance(news, Event) else news.released_at
    day, prices = reaction_day(moment), economy.prices[company.ticker]
    stream, at = Stream(seed, "mover", company.ticker, moment), mover_time(seed, company, moment)
    before = prices[trading_day_before(day)]
    facts = _facts(stream, economy, company, at).text(
        day=long_date(day),
        price_close=dollars(prices[day]),
        price_before=dollars(before),
        day_percent=tenths(ratio_tenths(prices[day] - before, before)),
    )
    voice = Voice("notes")
    direction = "still" if prices[day] == before else "up" if prices[day] > before else "down"
    if isinstance(news, Event):
        why = voice.say(f"why {news.kind}", facts.text(**event_texts(news, facts)))
    else:
        why = voice.say("why results", facts.text(**_expectation(news)))
    optional = [
        lambda: voice.say("view", facts),
        lambda: voice.say("view", facts),
        lambda: voice.say("rates", facts),
    ]
    title = voice.say("title mover down" if direction == "down" else "title mover", facts)
    required = [f"{voice.say(f'mover {direction}', facts)} {why}"]
    name = f"mover-{company.ticker}-{moment:%Y%m%d%H%M}"
    return _note(
        stream, name, title, required, optional, facts, at, [company.ticker], stream.between(0.4, 1) * room
    )


def _expectation(quarter: Quarter) -> dict[str, str]:
    """What was expected of a quarter, and by how much it was missed or beaten."""
    revenue, expected = quarter.reported["revenue"], quarter.expected_revenue
    sign = "-" if revenue < expected else ""
    return {
        "expected": money(expected, quarter.company),
        "surprise": sign + tenths(ratio_tenths(revenue - expected, expected)),
    }


def write_preview(seed: int, economy: Economy, quarter: Quarter, room: float) -> Document:
    """The note on what is expected of results, some days before them. It knows nothing of the quarter
    itself."""
    company, period = quarter.company, quarter.period
    stream, at = Stream(seed, "preview", company.ticker, period.label), preview_time(seed, quarter)
    year_ago = economy.statement(company.ticker, period.year_before(), at)["revenue"]
    facts = _facts(stream, economy, company, at).text(
        preview_label=period.label,
        preview_period=quarter_words(period),
        expected=money(quarter.expected_revenue, company),
        year_ago_revenue=money(year_ago, company),
    )
    voice = Voice("notes")
    optional: list[Callable[[], str]] = [lambda: voice.say("view", facts)] * 2
    if quarter.earlier_guidance:
        low, high = quarter.earlier_guidance
        place = (
            "within"
            if low <= quarter.expected_revenue <= high
            else "above"
            if quarter.expected_revenue > high
            else "below"
        )
        facts.text(guided_low=money(low, company), guided_high=money(high, company), guided_place=place)
        optional.append(lambda: voice.say("preview guidance", facts))
    required = [voice.say("preview", facts)]
    name = f"preview-{company.ticker}-{period.label.replace(' ', '-')}"
    return _note(
        stream,
        name,
        voice.say("title preview", facts),
        required,
        optional,
        facts,
        at,
        [company.ticker],
        stream.between(0.4, 1) * room,
    )


def write_sector(seed: int, economy: Economy, sector: str, at: datetime, room: float) -> Document:
    """The note that compares the companies of a sector by their last results."""
    stream = Stream(seed, "sector note", sector, at)
    peers = stream.sample([one for one in economy.companies.values() if one.sector.name == sector], 5)
    facts = _facts(stream, economy, peers[0], at)
    voice = Voice("notes")
    lines = []
    for peer in peers:
        quarter = economy.last_reported(peer.ticker, at)
        now, before = quarter.as_of(at), economy.statement(peer.ticker, quarter.period.year_before(), at)
        facts.text(
            peer=peer.name,
            peer_ticker=peer.ticker,
            peer_period=quarter_words(quarter.period),
            peer_revenue=money(now["revenue"], peer),
            peer_higher="higher" if now["revenue"] >= before["revenue"] else "lower",
            peer_percent=tenths(ratio_tenths(now["revenue"] - before["revenue"], before["revenue"])),
            peer_margin=tenths(ratio_tenths(now["gross_profit"], now["revenue"])),
        )
        lines.append(voice.say("sector line", facts))
    optional = [lambda: voice.say("rates", facts)]
    name = f"sector-{sector.replace(' ', '-')}-{at:%Y%m%d%H%M%S}"
    return _note(
        stream,
        name,
        voice.say("title sector", facts),
        [" ".join(lines)],
        optional,
        facts,
        at,
        [one.ticker for one in peers],
        room,
    )


def _facts(stream: Stream, economy: Economy, company: Company, at: datetime) -> Facts:
    """Facts of a note: the last accounts published, the economy as known, an analyst."""
    quarter = economy.last_reported(company.ticker, at)
    facts = common_facts(stream, economy, company, quarter.as_of(at), None, at)
    analyst, firm = stream.pick(company.analysts)
    growth = economy.macro.latest(economy.macro.growth, at)[1]
    return facts.text(
        analyst=analyst, firm=firm, growth=tenths(growth), policy_rate=hundredths(economy.macro.rate_at(at))
    )


def _note(
    stream: Stream,
    name: str,
    title: str,
    required: list[str],
    optional: list[Callable[[], str]],
    facts: Facts,
    at: datetime,
    tickers: list[str],
    room: float,
) -> Document:
    text = compose([Section(f"# {title}", required, optional)], room, facts)
    return Document.make(
        source="sandbox_notes",
        native_id=name,
        text=text,
        licence=LICENCE,
        use="ship",
        kind="market_note",
        title=title,
        available_at=at,
        date_precision="second",
        published_at=at,
        entities=[("ticker", ticker) for ticker in tickers],
    )
