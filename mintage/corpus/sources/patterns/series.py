"""What the readings are made from and what they are: bars as arrays, and readings that name their bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from mintage.corpus.sources.markets.bars import Bars, Price


@dataclass(frozen=True)
class Series:
    """The bars of a symbol as arrays of N floats.

    Prices are brought to the terms of the first bar by the splits so far (`factor` is their product up to
    each bar), so a split leaves no gap and a later split changes no earlier number. `session` numbers the
    days, and `intraday` says that bars are shorter than one.
    """

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray | None
    session: np.ndarray
    factor: np.ndarray
    intraday: bool = False

    def __len__(self) -> int:
        return len(self.close)

    def until(self, count: int) -> Series:
        """The first `count` bars only: what was known at the close of bar `count - 1`."""
        return Series(
            self.open[:count],
            self.high[:count],
            self.low[:count],
            self.close[:count],
            None if self.volume is None else self.volume[:count],
            self.session[:count],
            self.factor[:count],
            self.intraday,
        )


def series_of(bars: Bars, intraday: bool = False) -> Series:
    """Bars as arrays."""
    factor = np.ones(len(bars))
    if bars.splits and len(bars):
        factor = np.array([float(bars.factor(bars.times[0], moment)) for moment in bars.times])
    days = [moment.toordinal() for moment in bars.times]
    return Series(
        open=np.array([float(price) for price in bars.open]) * factor,
        high=np.array([float(price) for price in bars.high]) * factor,
        low=np.array([float(price) for price in bars.low]) * factor,
        close=np.array([float(price) for price in bars.close]) * factor,
        volume=None if bars.volume is None else np.array([float(each) for each in bars.volume]) / factor,
        session=np.array(days, dtype=int),
        factor=factor,
        intraday=intraday,
    )


class Point(NamedTuple):
    """A price of a bar that a reading rests on, and its part in the reading."""

    role: str
    bar: int
    price: Price


class Value(NamedTuple):
    """A computed figure of a reading: in the terms of `Series` if it is a price, else without a unit."""

    name: str
    value: float
    unit: Literal["price", "index"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One statement of technical analysis.

    `known` is the bar at whose close it became knowable; no point lies after it, and nothing after it can
    change the reading.
    """

    kind: str
    known: int
    points: tuple[Point, ...]
    values: tuple[Value, ...] = ()
