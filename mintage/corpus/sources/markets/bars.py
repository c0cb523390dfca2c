"""Price bars out of files: exact, in the order of time, as they were traded, with their dated splits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from mintage.corpus.sources.dates import DateField, in_utc
from mintage.corpus.sources.dates import read as read_date
from mintage.corpus.sources.markets.settings import Columns, Market
from mintage.corpus.sources.report import SourceReport
from mintage.corpus.sources.rows import BadRow, read_rows

Price = Literal["open", "high", "low", "close"]
PRICES: tuple[Price, ...] = ("open", "high", "low", "close")
DIVIDEND_PLACES = 6
PRECISION = 34  # digits of intermediate results, many more than any price has


class FileBar(NamedTuple):
    """One row as the file gives it. `time` is local to the exchange and naive; a missing price is None."""

    line: int
    time: datetime
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    adjusted_close: Decimal | None
    volume: Decimal | None
    dividend: Decimal
    split: Decimal

    @property
    def traded(self) -> bool:
        """Whether the row has any price; vendors write rows without one for days without a session."""
        return any(getattr(self, what) is not None for what in PRICES)


class Event(NamedTuple):
    """A split (new shares for one old share) or a dividend (per share as it was then), on its ex-date."""

    time: datetime
    amount: Decimal


@dataclass(frozen=True)
class Bars:
    """The bars of one symbol as they were traded, oldest first; all columns have one entry a bar.

    `times` are the bars' stamps, local to the exchange and naive. `splits` and `dividends` are in the order
    of time; a bar of the ex-date is already traded after the event. `dropped_bars` are the times of bars that
    were left out because their prices could not be trusted, `dropped_dividends` those of dividends.
    """

    symbol: str
    times: tuple[datetime, ...]
    open: tuple[Decimal, ...]
    high: tuple[Decimal, ...]
    low: tuple[Decimal, ...]
    close: tuple[Decimal, ...]
    volume: tuple[Decimal, ...] | None
    splits: tuple[Event, ...] = ()
    dividends: tuple[Event, ...] = ()
    dropped_bars: tuple[datetime, ...] = ()
    dropped_dividends: tuple[datetime, ...] = ()
    split_products: tuple[Decimal, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        products = [Decimal(1)]
        for split in self.splits:
            products.append(products[-1] * split.amount)
        object.__setattr__(self, "split_products", tuple(products))

    def __len__(self) -> int:
        return len(self.times)

    def factor(self, of: datetime, known: datetime) -> Decimal:
        """What a price of the moment `of` is divided by to compare with prices of the moment `known`: the
        product of the splits after `of` and not after `known`. Splits after `known` never matter."""
        if not self.splits:
            return Decimal(1)
        before = bisect_right(self.splits, of, key=lambda event: event.time)
        until = bisect_right(self.splits, known, key=lambda event: event.time)
        if before == until:
            return Decimal(1)
        with localcontext(prec=PRECISION):
            return self.split_products[until] / self.split_products[before]

    def price(self, index: int, what: Price, known: int) -> Decimal:
        """A price of bar `index` in the terms of bar `known`; unrounded where a split lies between them."""
        value: Decimal = getattr(self, what)[index]
        if not self.splits:
            return value
        factor = self.factor(self.times[index], self.times[known])
        if factor == 1:
            return value
        with localcontext(prec=PRECISION):
            return value / factor


def round_half_even(value: Decimal, places: int) -> Decimal:
    """The value with at most `places` digits after the point and at least two, half to even."""
    with localcontext(prec=PRECISION):
        rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
        digits = max(2, -int(rounded.normalize().as_tuple().exponent))
        return rounded.quantize(Decimal(1).scaleb(-min(digits, max(places, 2))))


def daily_close(moment: datetime, market: Market) -> datetime:
    """The instant (UTC) at which the daily bar of a local day is complete."""
    day = datetime.combine(moment.date(), time())
    hours = timedelta(days=1) if market.close == "24:00" else since_midnight(time.fromisoformat(market.close))
    return in_utc(day + hours, ZoneInfo(market.zone)).astimezone(UTC)


def since_midnight(moment: time) -> timedelta:
    """A time of day as a duration."""
    return timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second)


def decimal(value: Any, column: str) -> Decimal | None:
    """A number of a cell, None for an empty one.

    Raises:
        ValueError: it is not a number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"{column}: a {type(value).__name__} is not a number")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"{column}: {str(value)[:40]!r} is not a number") from None
    if number.is_nan():
        return None
    if number.is_infinite():
        raise ValueError(f"{column}: the number is infinite")
    return number


def read_time(value: Any, columns: Columns, zone: ZoneInfo) -> datetime:
    """A bar's stamp as naive local time. A midnight with an offset is a day and stays that day.

    Raises:
        ValueError: it is not a date.
    """
    written, _ = read_date(value, DateField(columns.date, format=columns.date_format))
    if written.tzinfo is not None and written.time() != time():
        written = written.astimezone(zone)
    return written.replace(tzinfo=None)


def read_file(
    path: Path, name: str, columns: Columns, market: Market, symbol: str, report: SourceReport
) -> Iterator[tuple[str, list[FileBar]]]:
    """The bars of a file by symbol, each symbol's in the order of time; unreadable rows and second bars of
    one time are counted in the report."""
    zone = ZoneInfo(market.zone)
    by_symbol: dict[str, dict[datetime, FileBar]] = {}
    for row in read_rows(path, name, columns.names()):
        if isinstance(row, BadRow):
            report.bad(name, row.line, row.reason)
            continue
        try:
            bar = file_bar(row.line, row.fields, columns, zone)
        except ValueError as error:
            report.bad(name, row.line, str(error))
            continue
        owner = symbol if columns.symbol is None else str(row.fields[columns.symbol])
        mine = by_symbol.setdefault(owner, {})
        if bar.time in mine:
            report.bad(name, row.line, f"a second bar of {bar.time:%Y-%m-%d %H:%M}; one bar a time")
        else:
            mine[bar.time] = bar
    for owner, bars in by_symbol.items():
        yield owner, [bars[moment] for moment in sorted(bars)]


def file_bar(line: int, fields: dict[str, Any], columns: Columns, zone: ZoneInfo) -> FileBar:
    """One row as a bar.

    Raises:
        ValueError: a cell cannot be read.
    """

    def cell(column: str | None) -> Decimal | None:
        return None if column is None else decimal(fields[column], column)

    dividend, split = cell(columns.dividend) or Decimal(0), cell(columns.split) or Decimal(0)
    if dividend < 0 or split < 0:
        raise ValueError("a dividend or a split below zero")
    return FileBar(
        line=line,
        time=read_time(fields[columns.date], columns, zone),
        open=cell(columns.open),
        high=cell(columns.high),
        low=cell(columns.low),
        close=cell(columns.close),
        adjusted_close=cell(columns.adjusted_close),
        volume=cell(columns.volume),
        dividend=dividend,
        split=split,
    )


def as_traded(
    symbol: str,
    rows: list[FileBar],
    adjusted: Literal["none", "splits"],
    places: int,
    spoiled_prices: set[int],
    spoiled_dividends: set[int],
) -> Bars:
    """The bars of a file as they were traded; `spoiled…` are positions in `rows` whose prices or dividend are
    left out. A split stands even where its bar's prices do not."""
    splits = tuple(Event(row.time, row.split) for row in rows if row.split not in (0, 1))
    kept = [row for index, row in enumerate(rows) if index not in spoiled_prices]
    paid = [row for index, row in enumerate(rows) if row.dividend and index not in spoiled_dividends]

    def later_splits(moment: datetime) -> Decimal:
        product = Decimal(1)
        if adjusted == "splits":
            for split in splits:
                if split.time > moment:
                    product *= split.amount
        return product

    with localcontext(prec=PRECISION):
        factors = [later_splits(row.time) for row in kept]
        prices = {
            what: tuple(
                round_half_even(getattr(row, what) * factor, places) for row, factor in zip(kept, factors)
            )
            for what in PRICES
        }
        with_volume = bool(kept) and all(row.volume is not None for row in kept)
        volume = tuple(
            (row.volume / factor).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
            for row, factor in zip(kept, factors)
            if row.volume is not None
        )
        dividends = tuple(
            Event(row.time, round_half_even(row.dividend * later_splits(row.time), DIVIDEND_PLACES))
            for row in paid
        )
    return Bars(
        symbol=symbol,
        times=tuple(row.time for row in kept),
        **prices,
        volume=volume if with_volume and any(volume) else None,
        splits=splits,
        dividends=dividends,
        dropped_bars=tuple(
            row.time for index, row in enumerate(rows) if index in spoiled_prices and row.traded
        ),
        dropped_dividends=tuple(rows[index].time for index in sorted(spoiled_dividends)),
    )
