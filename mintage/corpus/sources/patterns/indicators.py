"""Indicators as functions of arrays; each value at bar i uses the bars up to i only, and is NaN while
undefined.

Definitions: J. Welles Wilder, New Concepts in Technical Trading Systems (1978), for RSI, ATR and ADX; Gerald
Appel's MACD; John Bollinger's bands with the population standard deviation. An exponential average starts
from the simple average of its first values; Wilder's average is one with the factor 1 / period.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def windows(values: np.ndarray, period: int) -> np.ndarray:
    """The windows of `period` values that end at each bar from `period - 1` on (N - period + 1, period)."""
    return np.ascontiguousarray(sliding_window_view(values, period))


def padded(tail: np.ndarray, length: int) -> np.ndarray:
    """A column of `length` that ends with `tail` and begins with NaN."""
    column = np.full(length, np.nan)
    if len(tail):
        column[-len(tail) :] = tail
    return column


def simple_average(values: np.ndarray, period: int) -> np.ndarray:
    """The mean of the last `period` values."""
    if len(values) < period:
        return np.full(len(values), np.nan)
    return padded(windows(values, period).mean(axis=1), len(values))


def smoothed(values: np.ndarray, period: int, factor: float) -> np.ndarray:
    """The recursive average a[i] = a[i-1] + factor * (x[i] - a[i-1]), started from the mean of the first
    `period` values; leading NaNs are passed over."""
    result = np.full(len(values), np.nan)
    start = int(np.argmax(~np.isnan(values))) if len(values) else 0
    first = start + period - 1
    if len(values) <= first:
        return result
    average = float(np.mean(values[start : first + 1]))
    result[first] = average
    for index, value in enumerate(values[first + 1 :].tolist(), first + 1):
        average += factor * (value - average)
        result[index] = average
    return result


def exponential_average(values: np.ndarray, period: int) -> np.ndarray:
    """The exponential moving average with the factor 2 / (period + 1)."""
    return smoothed(values, period, 2 / (period + 1))


def wilder_average(values: np.ndarray, period: int) -> np.ndarray:
    """Wilder's moving average, with the factor 1 / period."""
    return smoothed(values, period, 1 / period)


def relative_strength_index(close: np.ndarray, period: int = 14) -> np.ndarray:
    """Wilder's RSI, 0 to 100; 50 where nothing has moved."""
    change = np.diff(close, prepend=np.nan)
    rise = wilder_average(np.where(np.isnan(change), np.nan, np.maximum(change, 0)), period)
    fall = wilder_average(np.where(np.isnan(change), np.nan, np.maximum(-change, 0)), period)
    total = rise + fall
    return np.where(total == 0, 50.0, 100 * rise / np.where(total == 0, 1, total))


class Macd(NamedTuple):
    """Appel's MACD line, its signal line, and the difference (histogram), each of N values."""

    line: np.ndarray
    signal: np.ndarray
    histogram: np.ndarray


def macd(close: np.ndarray, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Moving average convergence and divergence: the fast less the slow exponential average."""
    line = exponential_average(close, fast) - exponential_average(close, slow)
    smooth = exponential_average(line, signal)
    return Macd(line, smooth, line - smooth)


class Bands(NamedTuple):
    """Bollinger's lower band, middle and upper band, each of N values."""

    lower: np.ndarray
    middle: np.ndarray
    upper: np.ndarray


def bollinger(close: np.ndarray, period: int = 20, width: float = 2.0) -> Bands:
    """The simple average and `width` population standard deviations to each side."""
    middle = simple_average(close, period)
    if len(close) < period:
        return Bands(middle, middle, middle)
    spread = padded(windows(close, period).std(axis=1), len(close)) * width
    return Bands(middle - spread, middle, middle + spread)


def true_range(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """The range of a bar including the close before it; the first bar has its own range only."""
    if not len(close):
        return close.copy()
    before = np.concatenate([close[:1], close[:-1]])
    before[0] = np.clip(before[0], low[0], high[0])
    return np.maximum(high, before) - np.minimum(low, before)


def average_true_range(high: np.ndarray, low: np.ndarray, close: np.ndarray, period: int = 14) -> np.ndarray:
    """Wilder's ATR."""
    return wilder_average(true_range(high, low, close), period)


class Directional(NamedTuple):
    """Wilder's ADX and the two directional indicators, each of N values from 0 to 100."""

    adx: np.ndarray
    plus: np.ndarray
    minus: np.ndarray
    directional_index: np.ndarray


def average_directional_index(
    high: np.ndarray, low: np.ndarray, close: np.ndarray, period: int = 14
) -> Directional:
    """Wilder's directional movement: `directional_index` is DX, `adx` its Wilder average."""
    up, down = np.diff(high, prepend=np.nan), -np.diff(low, prepend=np.nan)
    ranges = true_range(high, low, close)
    if len(ranges):
        ranges[0] = np.nan
        up[0] = down[0] = np.nan
    plus_move = np.where(np.isnan(up), np.nan, np.where((up > down) & (up > 0), up, 0.0))
    minus_move = np.where(np.isnan(up), np.nan, np.where((down > up) & (down > 0), down, 0.0))
    average = wilder_average(ranges, period)
    safe = np.where(average == 0, np.nan, average)
    plus = 100 * wilder_average(plus_move, period) / safe
    minus = 100 * wilder_average(minus_move, period) / safe
    total = plus + minus
    index = np.where(total == 0, 0.0, 100 * np.abs(plus - minus) / np.where(total == 0, 1, total))
    return Directional(wilder_average(index, period), plus, minus, index)


def typical_price(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """The mean of high, low and close."""
    return (high + low + close) / 3


def rolling_vwap(price: np.ndarray, volume: np.ndarray, period: int = 20) -> np.ndarray:
    """The volume-weighted average price of the last `period` bars; NaN where nothing was traded in them."""
    if len(price) < period:
        return np.full(len(price), np.nan)
    traded = windows(volume, period).sum(axis=1)
    value = windows(price * volume, period).sum(axis=1)
    return padded(np.where(traded > 0, value / np.where(traded > 0, traded, 1), np.nan), len(price))


def session_vwap(price: np.ndarray, volume: np.ndarray, session: np.ndarray) -> np.ndarray:
    """The volume-weighted average price since the session's first bar; NaN while nothing was traded in it."""
    result = np.full(len(price), np.nan)
    value = traded = 0.0
    current = None
    rows = zip(price.tolist(), volume.tolist(), session.tolist())
    for index, (each, weight, number) in enumerate(rows):
        if number != current:
            current, value, traded = number, 0.0, 0.0
        value, traded = value + each * weight, traded + weight
        if traded > 0:
            result[index] = value / traded
    return result
