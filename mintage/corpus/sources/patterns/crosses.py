"""Readings of indicators: crossings of levels, of averages and of bands, each known at the bar that
crosses."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mintage.corpus.sources.patterns import indicators
from mintage.corpus.sources.patterns.indicators import Bands, Directional, Macd
from mintage.corpus.sources.patterns.series import Point, Reading, Series, Value

AVERAGES = (20, 50, 200)
OVERBOUGHT, OVERSOLD, TRENDING = 70.0, 30.0, 25.0


@dataclass(frozen=True)
class Indicators:
    """Every indicator of a series, each column of N values in the terms of `Series`."""

    rsi: np.ndarray
    macd: Macd
    bands: Bands
    average_range: np.ndarray
    directional: Directional
    vwap: np.ndarray | None
    averages: dict[int, np.ndarray]


def indicators_of(series: Series) -> Indicators:
    """The indicators with their usual periods. VWAP is over the session where bars are shorter than a day,
    else over 20 bars; without volume there is none."""
    high, low, close = series.high, series.low, series.close
    vwap = None
    if series.volume is not None:
        price = indicators.typical_price(high, low, close)
        if series.intraday:
            vwap = indicators.session_vwap(price, series.volume, series.session)
        else:
            vwap = indicators.rolling_vwap(price, series.volume)
    return Indicators(
        rsi=indicators.relative_strength_index(close),
        macd=indicators.macd(close),
        bands=indicators.bollinger(close),
        average_range=indicators.average_true_range(high, low, close),
        directional=indicators.average_directional_index(high, low, close),
        vwap=vwap,
        averages={period: indicators.simple_average(close, period) for period in AVERAGES},
    )


def rises_above(values: np.ndarray, level: np.ndarray | float) -> list[int]:
    """The bars at which a column is above a level that it was not above one bar before; undefined bars never
    count."""
    above = values > level
    known = ~np.isnan(values) & ~np.isnan(np.broadcast_to(np.asarray(level, dtype=float), values.shape))
    crossed = above[1:] & ~above[:-1] & known[1:] & known[:-1]
    return [int(bar) + 1 for bar in np.flatnonzero(crossed)]


def falls_below(values: np.ndarray, level: np.ndarray | float) -> list[int]:
    """The bars at which a column is below a level that it was not below one bar before."""
    return rises_above(-values, -level)


def cross_readings(series: Series, found: Indicators) -> list[Reading]:
    """All crossings, in no particular order."""
    readings: list[Reading] = []

    def add(kind: str, bars: list[int], *columns: tuple[str, np.ndarray, bool]) -> None:
        for bar in bars:
            values = tuple(
                Value(name, float(column[bar]), "price" if price else "index")
                for name, column, price in columns
            )
            readings.append(Reading(kind, bar, (Point("close", bar, "close"),), values))

    close, rsi, adx = series.close, found.rsi, found.directional
    add("rsi_above", rises_above(rsi, OVERBOUGHT), ("rsi", rsi, False))
    add("rsi_below", falls_below(rsi, OVERSOLD), ("rsi", rsi, False))
    lines = (("macd", found.macd.line, True), ("signal", found.macd.signal, True))
    add("macd_up", rises_above(found.macd.line, found.macd.signal), *lines)
    add("macd_down", falls_below(found.macd.line, found.macd.signal), *lines)
    add("band_above", rises_above(close, found.bands.upper), ("band", found.bands.upper, True))
    add("band_below", falls_below(close, found.bands.lower), ("band", found.bands.lower, True))
    strength = (("adx", adx.adx, False), ("plus", adx.plus, False), ("minus", adx.minus, False))
    add("adx_above", rises_above(adx.adx, TRENDING), *strength)
    for fast, slow in pairwise(AVERAGES):
        first, second = found.averages[fast], found.averages[slow]
        columns = (("fast", first, True), ("slow", second, True))
        add(f"average_{fast}_{slow}_up", rises_above(first, second), *columns)
        add(f"average_{fast}_{slow}_down", falls_below(first, second), *columns)
    if found.vwap is not None and not series.intraday:
        add("vwap_up", rises_above(close, found.vwap), ("vwap", found.vwap, True))
        add("vwap_down", falls_below(close, found.vwap), ("vwap", found.vwap, True))
    return readings
