"""Settings of a source of price bars in files."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True)
class Columns:
    """The names of a price file's columns; the defaults are those of a CSV that yfinance wrote.

    The date is ISO 8601 or has a strptime `date_format`. Columns that are None do not exist in the file.
    `symbol` names the column of a file that holds many symbols; without it a file is one symbol, called as
    the file is. `adjusted_close` is used to check splits and dividends, never as a figure.
    """

    date: str = "Date"
    date_format: str | None = None
    open: str = "Open"
    high: str = "High"
    low: str = "Low"
    close: str = "Close"
    adjusted_close: str | None = "Adj Close"
    volume: str | None = "Volume"
    dividend: str | None = "Dividends"
    split: str | None = "Stock Splits"
    symbol: str | None = None

    def names(self) -> list[str]:
        """Every column that is read."""
        optional = (self.adjusted_close, self.volume, self.dividend, self.split, self.symbol)
        required = (self.date, self.open, self.high, self.low, self.close)
        return [*required, *(name for name in optional if name is not None)]


@dataclass(frozen=True)
class Market:
    """What holds for the symbols that the universe file does not describe.

    `currency` is what prices are in, an ISO 4217 code or words; None for exchange rates and index points.
    `zone` and `close` are the exchange's time zone and the local time at which a daily bar is complete. A
    market that never closes (foreign exchange, crypto) closes its day at "24:00".
    """

    currency: str | None = "USD"
    zone: str = "America/New_York"
    close: str = "16:00"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"market: unknown zone {self.zone!r}; write it as America/New_York or UTC"
            ) from None
        if self.close != "24:00":
            try:
                time.fromisoformat(self.close)
            except ValueError:
                raise ValueError(f"market: the close {self.close!r} is not a time such as 16:00") from None


@dataclass(frozen=True, kw_only=True)
class MarketsSource:
    """A source of daily bars in files: csv (also .gz and .zst) and parquet, one symbol a file or many.

    `path` is a file, a directory (read whole) or a glob pattern. `adjusted` says what the file's prices,
    volumes and dividends already are: "splits" (divided by later splits, as Yahoo and yfinance with
    auto_adjust=False give them) or "none" (as they were traded). The texts state prices as traded, or
    adjusted by the splits known at the document's own day. A price with more than `price_places` digits
    after the point (binary noise) is rounded half to even.

    `universe` is a CSV file (symbol, name, sector, currency, exchange, zone, close, listed; all but symbol
    may be empty or missing): only its symbols are read, and it gives sector tables. `periods` are the
    summaries to write; `since_listing` adds the performance since the first bar at the end of each year.
    `licence` and `use` are yours to state for the files at hand.

    `questions` adds questions with exact answers about each month's closes (the source `NAME_questions`).

    `yfinance`, in place of `path`, has `mintage collect` ask Yahoo for the universe's symbols by that
    package. It is unofficial, for personal use under Yahoo's terms, and so cannot go with `use: ship`; a
    symbol that is there already is asked for again by `collect`, and the newest answer is read.
    """

    name: str = "markets"
    path: str | None = None
    licence: str
    use: Literal["ship", "local", "evaluate", "none"] = "local"
    columns: Columns = field(default_factory=Columns)
    adjusted: Literal["none", "splits"] = "splits"
    market: Market = field(default_factory=Market)
    price_places: int = 4
    universe: str | None = None
    periods: tuple[Literal["month", "quarter", "year"], ...] = ("month", "quarter", "year")
    since_listing: bool = True
    questions: bool = False
    yfinance: bool = False

    def __post_init__(self) -> None:
        if (self.path is None) != self.yfinance:
            raise ValueError(
                f"{self.name}: give the price files by `path`, or say `yfinance: true`, not both"
            )
        if self.yfinance and self.universe is None:
            raise ValueError(f"{self.name}: yfinance needs a universe file that names the symbols to ask for")
        if self.yfinance and self.use == "ship":
            raise ValueError(f"{self.name}: Yahoo's terms do not allow `use: ship`; say local or evaluate")
        if self.price_places < 2:
            raise ValueError(f"{self.name}: price_places must be at least 2")
