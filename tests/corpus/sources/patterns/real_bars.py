"""The real bars that the tests of patterns read: SPY by day, euros in dollars by quarter of an hour."""

from __future__ import annotations

from pathlib import Path

from mintage.corpus.sources.markets.bars import Bars
from mintage.corpus.sources.markets.settings import Columns, Market
from mintage.corpus.sources.markets.source import read_bars
from mintage.corpus.sources.patterns.settings import PatternsSource
from mintage.corpus.sources.report import SourceReport

SPY_COLUMNS = Columns("date", None, "open", "high", "low", "close", None, "volume", None, None)
EURUSD_COLUMNS = Columns(
    "Date", "%Y.%m.%d %H:%M:%S", "Open", "High", "Low", "Close", None, "Tickvol", None, None
)


def spy_source(data: Path) -> PatternsSource:
    return PatternsSource(
        path=str(data / "fixtures/ta/tulip/SPY_D.csv"), licence="MIT", columns=SPY_COLUMNS, adjusted="none"
    )


def eurusd_source(data: Path) -> PatternsSource:
    return PatternsSource(
        path=str(data / "fixtures/ta/smc/EURUSD_15M.csv.gz"),
        licence="MIT",
        columns=EURUSD_COLUMNS,
        adjusted="none",
        market=Market(None, "UTC", "24:00"),
        price_places=5,
        bar_minutes=15,
    )


def bars_of(source: PatternsSource) -> Bars:
    report = SourceReport()
    (symbol,) = read_bars(source, report)
    assert report.bad_rows == 0
    return symbol.bars
