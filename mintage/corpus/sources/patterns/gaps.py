"""Fair-value gaps: three bars of which the first and the third do not overlap, known at the third's close."""

from __future__ import annotations

import numpy as np

from mintage.corpus.sources.patterns.series import Point, Reading, Series

LOOKBACK = 250  # bars for which an open gap is kept in mind


def gap_readings(series: Series, average_range: np.ndarray, smallest: float) -> list[Reading]:
    """The gaps of at least `smallest` times the average true range (N) of their third bar, and their filling:
    the first bar that trades through the whole gap.

    A gap up needs a middle bar that closed above its open, a gap down one that closed below.
    """
    readings: list[Reading] = []
    waiting: list[tuple[bool, int, float]] = []  # up, third bar, the price that fills it
    opened, high, low, close = (
        column.tolist() for column in (series.open, series.high, series.low, series.close)
    )
    ranges = average_range.tolist()
    for bar in range(2, len(series)):
        still: list[tuple[bool, int, float]] = []
        for up, third, edge in waiting:
            if low[bar] <= edge if up else high[bar] >= edge:
                readings.append(Reading("gap_up_filled" if up else "gap_down_filled", bar, sides(up, third)))
            elif bar - third < LOOKBACK:
                still.append((up, third, edge))
        waiting = still
        for up, size in ((True, low[bar] - high[bar - 2]), (False, low[bar - 2] - high[bar])):
            with_gap = close[bar - 1] > opened[bar - 1] if up else close[bar - 1] < opened[bar - 1]
            enough = smallest == 0 or size >= smallest * ranges[bar]  # false while the average is undefined
            if size > 0 and with_gap and enough:
                readings.append(Reading("gap_up" if up else "gap_down", bar, sides(up, bar)))
                waiting.append((up, bar, high[bar - 2] if up else low[bar - 2]))
    return readings


def sides(up: bool, third: int) -> tuple[Point, Point]:
    """The upper and lower side of a gap."""
    if up:
        return Point("top", third, "low"), Point("bottom", third - 2, "high")
    return Point("top", third - 2, "low"), Point("bottom", third, "high")
