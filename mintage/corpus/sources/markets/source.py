"""Documents of a source of price bars: summaries by month, quarter and year, performance since listing, and
sector tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from mintage.corpus.document import CHAT, Document
from mintage.corpus.extract.figures import chosen
from mintage.corpus.extract.price_questions import Month, Split
from mintage.corpus.extract.questions import Question
from mintage.corpus.extract.series_questions import Value
from mintage.corpus.sources.files import FilesSource, find_files
from mintage.corpus.sources.markets.bars import (
    Bars,
    FileBar,
    as_traded,
    daily_close,
    read_file,
    round_half_even,
)
from mintage.corpus.sources.markets.periods import Period, Summary, periods, returns, since_first, summary
from mintage.corpus.sources.markets.quality import WEEK_DAYS, findings
from mintage.corpus.sources.markets.sectors import Sectors, SectorTable
from mintage.corpus.sources.markets.settings import Columns, Market, MarketsSource
from mintage.corpus.sources.markets.text import since_first_text, summary_text
from mintage.corpus.sources.markets.universe import Listing, read_universe
from mintage.corpus.sources.report import RawFile, SourceReport
from mintage.corpus.sources.rows import kind_of
from mintage.errors import MintageError
from mintage.workspace import file_sha256

TITLES = {"month": "monthly summary", "quarter": "quarterly summary", "year": "yearly summary"}


@dataclass(frozen=True)
class SymbolBars:
    """A symbol's bars as traded, what is known of it, and the file or address that they came from."""

    listing: Listing
    bars: Bars
    raw: RawFile
    url: str | None = None


def price_files(path: str, name: str) -> list[tuple[Path, str]]:
    """The price files at a path in the order of their names.

    Raises:
        MintageError: there are none, or a file is neither csv nor parquet.
    """
    found = find_files(FilesSource(name=name, path=path, licence=""))
    for file, _ in found:
        if kind_of(file)[0] not in (".csv", ".parquet"):
            raise MintageError(f"{file}: prices are read from csv and parquet; name the files with a pattern")
    return found


def files(settings: MarketsSource) -> list[tuple[Path, str]]:
    """Every file of the user's that a build reads: the prices and the universe."""
    prices = [] if settings.path is None else price_files(settings.path, settings.name)
    return with_universe(prices, settings.universe)


def with_universe(prices: list[tuple[Path, str]], universe: str | None) -> list[tuple[Path, str]]:
    """The price files, with the universe's file before them if there is one."""
    if universe is None:
        return prices
    own = Path(universe).expanduser()
    others = [(file, name) for file, name in prices if file.resolve() != own.resolve()]
    return [(own, own.name), *others]


def listings_of(universe: str, market: Market, report: SourceReport) -> dict[str, Listing]:
    """The universe's listings by symbol; its file is noted in the report."""
    own = Path(universe).expanduser()
    listings = read_universe(own, market, report)
    report.files.append(RawFile(own.name, file_sha256(own), own.stat().st_size))
    return listings


class PriceSettings(Protocol):
    """What the settings of every source of bars say about its files; see `MarketsSource`."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str | None: ...
    @property
    def columns(self) -> Columns: ...
    @property
    def adjusted(self) -> Literal["none", "splits"]: ...
    @property
    def price_places(self) -> int: ...
    @property
    def market(self) -> Market: ...
    @property
    def universe(self) -> str | None: ...


def read_bars(settings: PriceSettings, report: SourceReport) -> Iterator[SymbolBars]:
    """The symbols below a path, one in memory at a time (a file of many symbols: that file's). What looks
    wrong is counted in the report and left out; with a universe, so are symbols that it does not name.

    Raises:
        MintageError: no file, or one that cannot be read at all.
    """
    universe, market = settings.universe, settings.market
    if settings.path is None:
        raise MintageError(f"{settings.name}: no `path` to read from; `yfinance` is collected first")
    listings = None if universe is None else listings_of(universe, market, report)
    own = None if universe is None else Path(universe).expanduser().resolve()
    for file, file_name in price_files(settings.path, settings.name):
        if file.resolve() == own:
            continue
        if file.stat().st_size == 0:
            report.bad(file_name, 1, "the file is empty")
            continue
        raw = RawFile(file_name, file_sha256(file), file.stat().st_size)
        report.files.append(raw)
        stem = (file.with_suffix("") if kind_of(file)[1] else file).stem
        for symbol, rows in read_file(file, file_name, settings.columns, market, stem, report):
            if listings is not None and symbol not in listings:
                report.other_rows += len(rows)
                continue
            listing = listings[symbol] if listings is not None else Listing(symbol, market)
            bars = checked(symbol, rows, settings.adjusted, settings.price_places, file_name, report)
            if len(bars):
                yield SymbolBars(listing, bars, raw)


def checked(
    symbol: str,
    rows: list[FileBar],
    adjusted: Literal["none", "splits"],
    places: int,
    file: str,
    report: SourceReport,
) -> Bars:
    """A symbol's bars without what looks wrong, which is counted row by row."""
    spoiled: dict[str, set[int]] = {"prices": set(), "dividend": set()}
    for finding in findings(rows, adjusted):
        for index in finding.rows:
            spoiled[finding.spoils].add(index)
            report.bad(file, rows[index].line, f"{rows[index].time:%Y-%m-%d}: {finding.reason}")
    return as_traded(symbol, rows, adjusted, places, spoiled["prices"], spoiled["dividend"])


def read(settings: MarketsSource, report: SourceReport) -> Iterator[Document]:
    """The documents of the symbols in the order of their files, then the sector tables.

    Raises:
        MintageError: no file, or one that cannot be read at all.
    """
    yield from documents(settings, read_bars(settings, report), report)


def documents(
    settings: MarketsSource, symbols: Iterable[SymbolBars], report: SourceReport
) -> Iterator[Document]:
    """The documents of symbols one by one, then the sector tables."""
    sectors = Sectors()
    for symbol in symbols:
        problem = not_daily(symbol.bars)
        if problem is not None:
            report.bad(symbol.raw.file, 1, f"{symbol.listing.symbol}: {problem}")
            continue
        daily = returns(symbol.bars)
        listed = symbol.listing.listed
        summaries = [
            summary(symbol.bars, period, daily)
            for kind in settings.periods
            for period in periods(symbol.bars, kind, listed)
        ]
        sectors.add(symbol.listing, [(each, complete_at(symbol, each.period.last)) for each in summaries])
        for each in summaries:
            yield summary_document(settings, symbol, each)
        if settings.since_listing:
            for period in periods(symbol.bars, "year", listed):
                yield from since_documents(settings, symbol, period.last)
        if settings.questions:
            for period in periods(symbol.bars, "month", listed):
                yield from question_documents(settings, symbol, period)
    for table in sectors.tables():
        yield sector_document(settings, table)


def not_daily(bars: Bars) -> str | None:
    """Why the bars are not daily ones, if they are not."""
    days = {moment.date() for moment in bars.times}
    if len(days) < len(bars):
        return "several bars a day; this source reads daily bars, `patterns` reads shorter ones"
    span = (bars.times[-1] - bars.times[0]).days
    if len(bars) > 5 and span / (len(bars) - 1) > WEEK_DAYS:
        return "bars further apart than days; this source reads daily bars"
    return None


def complete_at(symbol: SymbolBars, index: int) -> datetime:
    """The instant at which a daily bar was complete."""
    return daily_close(symbol.bars.times[index], symbol.listing.market)


def document(
    settings: MarketsSource,
    symbol: SymbolBars,
    identity: str,
    title: str,
    text: str,
    last: int,
    question: Question | None = None,
) -> Document:
    """A document of a symbol (a chat if it is a question) that became known with bar `last`."""
    return Document.make(
        source=f"{settings.name}_questions" if question else settings.name,
        native_id=identity,
        kind=CHAT if question else "market",
        title=title,
        text=text,
        available_at=complete_at(symbol, last),
        date_precision="minute",
        period_end=symbol.bars.times[last].date(),
        entities=[("ticker", symbol.listing.symbol), *(question.entities if question else [])],
        url=symbol.url,
        raw_sha256=symbol.raw.sha256,
        raw_file=symbol.raw.file,
        licence=settings.licence,
        use=settings.use,
    )


def summary_document(settings: MarketsSource, symbol: SymbolBars, each: Summary) -> Document:
    """The document of a period."""
    identity = f"{symbol.listing.symbol}/{each.period.label}"
    text = summary_text(identity, symbol.listing, symbol.bars, each, settings.price_places)
    title = f"{symbol.listing.label}, {each.period.label}: {TITLES[each.period.kind]}"
    return document(settings, symbol, identity, title, text, each.period.last)


def question_documents(settings: MarketsSource, symbol: SymbolBars, period: Period) -> Iterator[Document]:
    """Questions about a month's closes, as they were traded, and the last close before it."""
    bars, listing = symbol.bars, symbol.listing
    closes = []
    for index in range(max(0, period.first - 1), period.last + 1):
        day = bars.times[index].date().isoformat()
        closes.append(Value(round_half_even(bars.close[index], settings.price_places), day, f"on {day}"))
    splits = [
        Split(split.time.date().isoformat(), split.amount)
        for split in bars.splits
        if bars.times[max(0, period.first - 1)] < split.time <= bars.times[period.last]
    ]
    month = Month(listing.label, listing.market.currency or "", period.label, closes, splits)
    for question in month.questions():
        identity = f"{listing.symbol}/{period.label}/{question.kind}"
        asked = chosen(identity, question.templates).format(**question.slots)
        text = question.chat(month.context(identity), asked)
        yield document(settings, symbol, identity, question.kind, text, period.last, question)


def since_documents(settings: MarketsSource, symbol: SymbolBars, last: int) -> Iterator[Document]:
    """The document of a symbol's performance since its listing or first bar, if a year has passed."""
    bars, listed = symbol.bars, symbol.listing.listed
    if listed is not None and not 0 <= (bars.times[0].date() - listed).days <= 7:
        listed = None  # the file does not begin at the listing
    since = since_first(bars, last, listed)
    if since is not None:
        identity = f"{symbol.listing.symbol}/since-{since.first.day}/{since.last.day}"
        text = since_first_text(identity, symbol.listing, since, settings.price_places)
        since_what = "its listing" if listed else str(since.first.day)
        title = f"{symbol.listing.label}: performance since {since_what}, as of {since.last.day}"
        yield document(settings, symbol, identity, title, text, last)


def sector_document(settings: MarketsSource, table: SectorTable) -> Document:
    """The document of a sector table; it came out of many files."""
    return Document.make(
        source=settings.name,
        native_id=f"sectors/{table.label}",
        kind="market",
        title=f"Performance by sector, {table.label}",
        text=table.text,
        available_at=table.available_at,
        date_precision="minute",
        period_end=table.end,
        licence=settings.licence,
        use=settings.use,
    )
