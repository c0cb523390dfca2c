"""Months, quarters and years of a symbol in exact figures, each in the terms of its own last day."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Literal

from mintage.corpus.sources.markets.bars import PRECISION, Bars, Event

Kind = Literal["month", "quarter", "year"]
MONTHS: dict[Kind, int] = {"month": 1, "quarter": 3, "year": 12}
SESSIONS_OF_YEAR = 252
FEWEST_RETURNS = 10  # below it a volatility says nothing
LATE_START_DAYS = 5  # a file that begins this much after a period's first day lacks its opening sessions
DAYS_OF_YEAR = Decimal("365.25")


@dataclass(frozen=True)
class Period:
    """A calendar period and the bars in it: positions `first` to `last`, both included."""

    kind: Kind
    label: str
    start: date
    end: date
    first: int
    last: int


@dataclass(frozen=True)
class Dated:
    """A figure of a day."""

    value: Decimal
    day: date


@dataclass(frozen=True)
class Drawdown:
    """The deepest fall of closes below an earlier close: the fall as a fraction, and its two days."""

    fraction: Decimal
    peak: date
    trough: date


@dataclass(frozen=True)
class Summary:
    """A period in figures. Prices, dividends and volume are adjusted for splits up to `last_day`.

    Returns, drawdown and volatility are fractions, unrounded. `base` is what the return starts from: the last
    close before the period, or the period's first open where there is no close before it. `volatility` is the
    sample standard deviation of close-to-close returns times the square root of 252. `total_return` has each
    dividend reinvested at the close of its ex-date; it is None without dividends or where one was left out.
    """

    period: Period
    first_day: date
    last_day: date
    sessions: int
    base: Dated
    from_open: bool
    open: Decimal
    high: Dated
    low: Dated
    close: Decimal
    price_return: Decimal
    total_return: Decimal | None
    volatility: Decimal | None
    volume: Decimal | None
    drawdown: Drawdown | None
    dividends: tuple[Event, ...]
    splits: tuple[Event, ...]
    dividends_doubtful: bool


def period_bounds(day: date, kind: Kind) -> tuple[date, date]:
    """The first and last calendar day of the period that a day lies in."""
    months = MONTHS[kind]
    start = date(day.year, (day.month - 1) // months * months + 1, 1)
    past = start.year * 12 + start.month - 1 + months
    return start, date(past // 12, past % 12 + 1, 1) - timedelta(days=1)


def period_label(start: date, kind: Kind) -> str:
    """A period's name: 2023-03, 2023-Q1, 2023."""
    quarter = f"{start.year}-Q{(start.month + 2) // 3}"
    return {"month": f"{start:%Y-%m}", "quarter": quarter, "year": str(start.year)}[kind]


def periods(bars: Bars, kind: Kind, listed: date | None = None) -> Iterator[Period]:
    """The whole periods of a symbol, oldest first.

    The first is left out if the bars begin after its opening days (unless the symbol was `listed` in it), the
    last if sessions may still be missing, and any period of which a bar was left out.
    """
    weekends = any(moment.weekday() >= 5 for moment in bars.times)
    first = 0
    while first < len(bars):
        start, end = period_bounds(bars.times[first].date(), kind)
        after = datetime.combine(end + timedelta(days=1), datetime.min.time())
        past = bisect_left(bars.times, after)
        late = (bars.times[first].date() - start).days >= LATE_START_DAYS
        began = first > 0 or not late or (listed is not None and start <= listed <= end)
        ended = past < len(bars) or nothing_left(bars.times[past - 1].date(), end, weekends)
        dropped = any(start <= moment.date() <= end for moment in bars.dropped_bars)
        if began and ended and not dropped:
            yield Period(kind, period_label(start, kind), start, end, first, past - 1)
        first = past


def nothing_left(last: date, end: date, weekends: bool) -> bool:
    """Whether no session can follow `last` up to `end`; most markets have none on weekends."""
    rest = (last + timedelta(days=number + 1) for number in range((end - last).days))
    return all(not weekends and day.weekday() >= 5 for day in rest)


def returns(bars: Bars) -> list[Decimal | None]:
    """The close-to-close return of each bar as a fraction, adjusted for splits; None for the first."""
    result: list[Decimal | None] = [None]
    with localcontext(prec=PRECISION):
        for index in range(1, len(bars)):
            result.append(bars.close[index] / bars.price(index - 1, "close", index) - 1)
    return result


def events_between(events: tuple[Event, ...], after: datetime, until: datetime) -> tuple[Event, ...]:
    """The events after one moment and not after another."""
    first = bisect_right(events, after, key=lambda event: event.time)
    past = bisect_right(events, until, key=lambda event: event.time)
    return events[first:past]


def total_return(bars: Bars, first: int, last: int) -> Decimal | None:
    """The return from the close of bar `first` to that of `last` with every dividend between reinvested at
    its ex-date's close; None where one of them was left out."""
    if any(bars.times[first] < moment <= bars.times[last] for moment in bars.dropped_dividends):
        return None
    with localcontext(prec=PRECISION):
        growth = bars.close[last] / bars.price(first, "close", last)
        for dividend in events_between(bars.dividends, bars.times[first], bars.times[last]):
            at = bisect_left(bars.times, dividend.time)
            growth *= 1 + dividend.amount / bars.factor(dividend.time, bars.times[at]) / bars.close[at]
        return growth - 1


def summary(bars: Bars, period: Period, daily: list[Decimal | None]) -> Summary:
    """A period in figures; `daily` are the symbol's `returns`."""
    first, last = period.first, period.last
    indices = range(first, last + 1)
    days = [moment.date() for moment in bars.times[first : last + 1]]
    closes = [bars.price(index, "close", last) for index in indices]
    highs = [bars.price(index, "high", last) for index in indices]
    lows = [bars.price(index, "low", last) for index in indices]
    high, low = highs.index(max(highs)), lows.index(min(lows))
    opened = bars.price(first, "open", last)
    gap = first > 0 and any(
        bars.times[first - 1] < moment < bars.times[first] for moment in bars.dropped_bars
    )
    from_open = first == 0 or gap
    base = (
        Dated(opened, days[0])
        if from_open
        else Dated(bars.price(first - 1, "close", last), bars.times[first - 1].date())
    )
    before = bars.times[first] - timedelta(microseconds=1) if from_open else bars.times[first - 1]
    dividends = events_between(bars.dividends, before, bars.times[last])
    doubtful = any(before < moment <= bars.times[last] for moment in bars.dropped_dividends)
    with localcontext(prec=PRECISION):
        price_return = closes[-1] / base.value - 1
        volume = None
        if bars.volume is not None:
            factors = [bars.factor(bars.times[index], bars.times[last]) for index in indices]
            volume = sum((bars.volume[index] * factor for index, factor in zip(indices, factors)), Decimal(0))
    return Summary(
        period=period,
        first_day=days[0],
        last_day=days[-1],
        sessions=len(days),
        base=base,
        from_open=from_open,
        open=opened,
        high=Dated(highs[high], days[high]),
        low=Dated(lows[low], days[low]),
        close=closes[-1],
        price_return=price_return,
        total_return=total_return(bars, first - 1, last) if dividends and not from_open else None,
        volatility=volatility([each for each in daily[first + from_open : last + 1] if each is not None]),
        volume=volume,
        drawdown=drawdown(closes, days),
        dividends=tuple(in_terms(bars, each, last) for each in dividends),
        splits=events_between(bars.splits, before, bars.times[last]),
        dividends_doubtful=doubtful,
    )


def in_terms(bars: Bars, dividend: Event, known: int) -> Event:
    """A dividend per share as shares are at bar `known`."""
    factor = bars.factor(dividend.time, bars.times[known])
    return dividend if factor == 1 else dividend._replace(amount=dividend.amount / factor)


def volatility(sample: list[Decimal]) -> Decimal | None:
    """The annualised sample standard deviation of daily returns; None for fewer than ten."""
    if len(sample) < FEWEST_RETURNS:
        return None
    with localcontext(prec=PRECISION):
        mean = sum(sample, Decimal(0)) / len(sample)
        variance = sum(((each - mean) ** 2 for each in sample), Decimal(0)) / (len(sample) - 1)
        return (variance * SESSIONS_OF_YEAR).sqrt()


def drawdown(closes: list[Decimal], days: list[date]) -> Drawdown | None:
    """The maximum drawdown of closes; None where no close lies below an earlier one."""
    deepest: Drawdown | None = None
    peak = 0
    with localcontext(prec=PRECISION):
        for index, close in enumerate(closes):
            if close >= closes[peak]:
                peak = index
                continue
            fall = close / closes[peak] - 1
            if deepest is None or fall < deepest.fraction:
                deepest = Drawdown(fall, days[peak], days[index])
    return deepest


@dataclass(frozen=True)
class SinceFirst:
    """A symbol from its first bar to the end of a year, in the terms of that end.

    `yearly` is the compound annual growth rate of the price over calendar days / 365.25. The extremes are of
    closes and None where bars were left out on the way.
    """

    first: Dated
    last: Dated
    listed: date | None
    multiple: Decimal
    yearly: Decimal
    total_multiple: Decimal | None
    highest: Dated | None
    lowest: Dated | None
    splits: tuple[Event, ...]


def since_first(bars: Bars, last: int, listed: date | None) -> SinceFirst | None:
    """The performance from the first close to that of bar `last`; None within the first year."""
    days = (bars.times[last].date() - bars.times[0].date()).days
    if days < DAYS_OF_YEAR:
        return None
    closes = [bars.price(index, "close", last) for index in range(last + 1)]
    doubtful = any(moment <= bars.times[last] for moment in bars.dropped_bars)
    high, low = closes.index(max(closes)), closes.index(min(closes))
    total = total_return(bars, 0, last)
    with_dividends = bool(events_between(bars.dividends, bars.times[0], bars.times[last]))
    with localcontext(prec=PRECISION):
        multiple = closes[last] / closes[0]
        yearly = (multiple.ln() * DAYS_OF_YEAR / days).exp() - 1
        return SinceFirst(
            first=Dated(closes[0], bars.times[0].date()),
            last=Dated(closes[last], bars.times[last].date()),
            listed=listed,
            multiple=multiple,
            yearly=yearly,
            total_multiple=total + 1 if total is not None and with_dividends else None,
            highest=None if doubtful else Dated(closes[high], bars.times[high].date()),
            lowest=None if doubtful else Dated(closes[low], bars.times[low].date()),
            splits=events_between(bars.splits, bars.times[0], bars.times[last]),
        )
