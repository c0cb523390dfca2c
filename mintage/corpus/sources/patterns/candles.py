"""Candlestick patterns of one to three bars, known at the close of the last.

The shapes follow Steve Nison, Japanese Candlestick Charting Techniques (1991), with these bounds: a long body
is longer than the mean body of the 10 bars before, a small one at most half of it, a doji at most a tenth of
its bar's range; a shadow is long from twice the body, and absent up to a tenth of the range. Reversal shapes
need a trend before them: the close against the close five bars earlier.
"""

from __future__ import annotations

import numpy as np

from mintage.corpus.sources.patterns.indicators import simple_average
from mintage.corpus.sources.patterns.series import Point, Reading, Series

BODY_BARS = 10
TREND_BARS = 5
FIRST = BODY_BARS + 3  # before it no pattern is sought


def shifted(values: np.ndarray, bars: int) -> np.ndarray:
    """The column as it was some bars earlier; NaN (False) where there was nothing."""
    result = np.zeros_like(values) if values.dtype == bool else np.full(len(values), np.nan)
    if bars < len(values):
        result[bars:] = values[: len(values) - bars]
    return result


def candle_readings(series: Series) -> list[Reading]:
    """Every candlestick pattern of a series, in no particular order."""
    readings = []
    for (kind, bars), mask in candle_masks(series).items():
        for bar in np.flatnonzero(mask).tolist():
            if bar >= FIRST:
                readings.append(Reading(f"candle_{kind}", bar, candle_points(bar, bars)))
    return readings


def candle_points(bar: int, bars: int) -> tuple[Point, ...]:
    """Open and close of the bars of a pattern, and the last one's high and low."""
    points: list[Point] = []
    for back in range(bars - 1, -1, -1):
        name = ("", "before_", "first_")[back]
        points += [Point(f"{name}open", bar - back, "open"), Point(f"{name}close", bar - back, "close")]
    return (*points, Point("high", bar, "high"), Point("low", bar, "low"))


def candle_masks(series: Series) -> dict[tuple[str, int], np.ndarray]:
    """For each pattern (its name, how many bars it has) whether it ends at each of the N bars."""
    opened, high, low, close = series.open, series.high, series.low, series.close
    body, span = np.abs(close - opened), high - low
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    upper, lower = high - top, bottom - low
    usual = shifted(simple_average(body, BODY_BARS), 1)
    white, black = close > opened, close < opened
    long, small = body > usual, body <= usual / 2
    doji = (span > 0) & (body <= span / 10)
    fell = shifted(close, 1) < shifted(close, 1 + TREND_BARS)
    rose = shifted(close, 1) > shifted(close, 1 + TREND_BARS)

    open1, close1 = shifted(opened, 1), shifted(close, 1)
    top1, bottom1 = shifted(top, 1), shifted(bottom, 1)
    white1, black1, long1, small1 = (shifted(each, 1) for each in (white, black, long, small))
    open2, close2 = shifted(opened, 2), shifted(close, 2)
    white2, black2, long2 = (shifted(each, 2) for each in (white, black, long))
    top2, bottom2 = shifted(top, 2), shifted(bottom, 2)
    fell2, rose2 = shifted(fell, 2), shifted(rose, 2)

    long_tail = (lower >= 2 * body) & (upper <= span / 10) & (body > 0) & ~doji
    long_wick = (upper >= 2 * body) & (lower <= span / 10) & (body > 0) & ~doji
    middle1, middle2 = (open1 + close1) / 2, (open2 + close2) / 2
    engulfs = (top > top1) & (bottom < bottom1)
    inside = (top < top1) & (bottom > bottom1)
    return {
        ("doji", 1): doji,
        ("hammer", 1): long_tail & fell,
        ("hanging_man", 1): long_tail & rose,
        ("inverted_hammer", 1): long_wick & fell,
        ("shooting_star", 1): long_wick & rose,
        ("marubozu_white", 1): white & long & (body >= 0.95 * span),
        ("marubozu_black", 1): black & long & (body >= 0.95 * span),
        ("bullish_engulfing", 2): white & black1 & engulfs & fell,
        ("bearish_engulfing", 2): black & white1 & engulfs & rose,
        ("bullish_harami", 2): white & black1 & long1 & inside & small & fell,
        ("bearish_harami", 2): black & white1 & long1 & inside & small & rose,
        ("piercing_line", 2): white
        & black1
        & long1
        & (opened < close1)
        & (close > middle1)
        & (close < open1)
        & fell,
        ("dark_cloud_cover", 2): black
        & white1
        & long1
        & (opened > close1)
        & (close < middle1)
        & (close > open1)
        & rose,
        ("morning_star", 3): black2 & long2 & small1 & (top1 < bottom2) & white & (close > middle2) & fell2,
        ("evening_star", 3): white2 & long2 & small1 & (bottom1 > top2) & black & (close < middle2) & rose2,
        ("three_white_soldiers", 3): white
        & white1
        & white2
        & long
        & long1
        & long2
        & (close > close1)
        & (close1 > close2)
        & (opened > open1)
        & (opened < close1)
        & (open1 > open2)
        & (open1 < close2),
        ("three_black_crows", 3): black
        & black1
        & black2
        & long
        & long1
        & long2
        & (close < close1)
        & (close1 < close2)
        & (opened < open1)
        & (opened > close1)
        & (open1 < open2)
        & (open1 > close2),
    }
