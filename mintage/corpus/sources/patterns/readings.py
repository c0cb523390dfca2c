"""All readings of a series, in the order in which they became known."""

from __future__ import annotations

from mintage.corpus.sources.patterns.candles import candle_readings
from mintage.corpus.sources.patterns.charts import chart_readings, flag_readings
from mintage.corpus.sources.patterns.crosses import Indicators, cross_readings, indicators_of
from mintage.corpus.sources.patterns.gaps import gap_readings
from mintage.corpus.sources.patterns.series import Reading, Series
from mintage.corpus.sources.patterns.swings import structure_readings, swing_readings, swings


def readings_of(
    series: Series, reach: int, smallest_gap: float, indicators: Indicators | None = None
) -> list[Reading]:
    """Every reading of a series, sorted by the bar at which it became known, of one bar in a fixed order.

    Causal: `readings_of(series.until(n))` is what this gives with `known < n`, for every n.

    Args:
        series: the bars.
        reach: bars on each side that a swing must exceed.
        smallest_gap: the least size of a fair-value gap, in average true ranges.
        indicators: the series' indicators, where they are at hand already.
    """
    indicators = indicators or indicators_of(series)
    average_range = indicators.average_range
    found = swings(series, reach)
    readings = [
        *cross_readings(series, indicators),
        *candle_readings(series),
        *swing_readings(found),
        *structure_readings(series, found),
        *gap_readings(series, average_range, smallest_gap),
        *chart_readings(series, found, average_range),
        *flag_readings(series, average_range),
    ]
    return sorted(readings, key=lambda reading: reading.known)
