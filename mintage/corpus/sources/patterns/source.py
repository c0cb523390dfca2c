"""Documents of technical readings: one for each bar at which something became known, available at its
close."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from mintage.corpus.document import Document
from mintage.corpus.sources.dates import in_utc
from mintage.corpus.sources.markets.bars import Bars, daily_close
from mintage.corpus.sources.markets.settings import Market
from mintage.corpus.sources.markets.source import SymbolBars, price_files, read_bars, with_universe
from mintage.corpus.sources.patterns.crosses import indicators_of
from mintage.corpus.sources.patterns.readings import readings_of
from mintage.corpus.sources.patterns.series import Reading, series_of
from mintage.corpus.sources.patterns.settings import PatternsSource
from mintage.corpus.sources.patterns.text import Sheet, bar_text
from mintage.corpus.sources.report import SourceReport


def files(settings: PatternsSource) -> list[tuple[Path, str]]:
    """Every file that a build reads: the prices, and the universe if there is one."""
    return with_universe(price_files(settings.path, settings.name), settings.universe)


def read(settings: PatternsSource, report: SourceReport) -> Iterator[Document]:
    """The documents of each symbol in the order of its bars.

    Raises:
        MintageError: no file, or one that cannot be read at all.
    """
    for symbol in read_bars(settings, report):
        problem = wrong_length(symbol.bars, settings.bar_minutes)
        if problem is not None:
            report.bad(symbol.raw.file, 1, f"{symbol.listing.symbol}: {problem}")
            continue
        yield from symbol_documents(settings, symbol)


def wrong_length(bars: Bars, minutes: int | None) -> str | None:
    """Why the bars are not as long as the settings say, if they are not."""
    several = len({moment.date() for moment in bars.times}) < len(bars)
    if several and minutes is None:
        return "several bars a day; say their length in `bar_minutes`"
    if not several and minutes is not None and len(bars) > 1:
        return "one bar a day; leave out `bar_minutes`"
    return None


def symbol_documents(settings: PatternsSource, symbol: SymbolBars) -> Iterator[Document]:
    """The documents of one symbol."""
    bars, listing = symbol.bars, symbol.listing
    series = series_of(bars, settings.bar_minutes is not None)
    indicators = indicators_of(series)
    sheet = Sheet(listing, bars, series, indicators, settings.price_places, settings.swing_bars)
    readings = readings_of(series, settings.swing_bars, settings.smallest_gap, indicators)
    for bar, known in groupby(readings, key=lambda reading: reading.known):
        yield bar_document(settings, symbol, sheet, bar, list(known))


def bar_document(
    settings: PatternsSource, symbol: SymbolBars, sheet: Sheet, bar: int, readings: list[Reading]
) -> Document:
    """The document of a bar."""
    identity = f"{symbol.listing.symbol}/{sheet.time(bar)}"
    return Document.make(
        source=settings.name,
        native_id=identity,
        kind="market",
        title=f"{symbol.listing.label}: technical readings known at the close of {sheet.time(bar)}",
        text=bar_text(identity, sheet, bar, readings),
        available_at=bar_close(symbol.bars.times[bar], symbol.listing.market, settings),
        date_precision="minute",
        period_end=symbol.bars.times[bar].date(),
        entities=[("ticker", symbol.listing.symbol)],
        raw_sha256=symbol.raw.sha256,
        raw_file=symbol.raw.file,
        licence=settings.licence,
        use=settings.use,
    )


def bar_close(stamp: datetime, market: Market, settings: PatternsSource) -> datetime:
    """The instant (UTC) at which a bar is complete."""
    if settings.bar_minutes is None:
        return daily_close(stamp, market)
    minutes = settings.bar_minutes if settings.stamp == "start" else 0
    return (in_utc(stamp, ZoneInfo(market.zone)) + timedelta(minutes=minutes)).astimezone(UTC)
