"""Each pattern is read where its definition says, with the bars and prices that make it."""

import numpy as np
import pytest

from mintage.corpus.sources.patterns.candles import candle_masks
from mintage.corpus.sources.patterns.charts import chart_readings, flag_readings
from mintage.corpus.sources.patterns.crosses import falls_below, rises_above
from mintage.corpus.sources.patterns.gaps import gap_readings
from mintage.corpus.sources.patterns.indicators import average_true_range
from mintage.corpus.sources.patterns.series import Point, Reading, Series
from mintage.corpus.sources.patterns.swings import structure_readings, swing_readings, swings

REACH = 3


def series_of_bars(bars: list[tuple[float, float, float, float]]) -> Series:
    """A series of (open, high, low, close)."""
    columns = [np.array(column, dtype=float) for column in zip(*bars)]
    return Series(*columns, volume=None, session=np.arange(len(bars)), factor=np.ones(len(bars)))


def path(*corners: tuple[int, float]) -> Series:
    """Bars around straight lines between corners (bar, price)."""
    where, prices = zip(*corners)
    close = np.interp(np.arange(where[-1] + 1), where, prices)
    opened = (np.concatenate([close[:1], close[:-1]]) + close) / 2  # so a corner stands out by itself
    return Series(
        open=opened,
        high=np.maximum(opened, close) + 0.25,
        low=np.minimum(opened, close) - 0.25,
        close=close,
        volume=None,
        session=np.arange(len(close)),
        factor=np.ones(len(close)),
    )


def charts(series: Series) -> dict[str, Reading]:
    average_range = average_true_range(series.high, series.low, series.close)
    readings = chart_readings(series, swings(series, REACH), average_range)
    return {reading.kind: reading for reading in readings}


def mirrored(series: Series) -> Series:
    """The series upside down."""
    return Series(
        open=200 - series.open,
        high=200 - series.low,
        low=200 - series.high,
        close=200 - series.close,
        volume=None,
        session=series.session,
        factor=series.factor,
    )


DOUBLE_TOP = path((0, 90), (20, 110), (30, 100), (40, 110), (60, 90))
SHOULDERS = path((0, 90), (20, 108), (28, 100), (38, 115), (48, 101), (56, 108), (75, 88))
ASCENDING = path((0, 90), (20, 110), (30, 100), (38, 110), (44, 104), (49, 107), (60, 118))
DESCENDING = path((0, 120), (20, 100), (30, 110), (38, 100), (44, 106), (49, 103), (60, 92))
SYMMETRICAL = path((0, 90), (20, 112), (30, 98), (40, 109), (48, 102), (53, 105), (65, 118))


@pytest.mark.parametrize(("series", "upper"), [(DOUBLE_TOP, True), (mirrored(DOUBLE_TOP), False)])
def test_a_double_top_is_known_at_the_first_close_beyond_the_low_between(series, upper):
    reading = charts(series)["double_top" if upper else "double_bottom"]
    outer, inner = ("high", "low") if upper else ("low", "high")
    first, between, second, close = reading.points
    assert (first.price, between.price, second.price) == (outer, inner, outer)
    assert abs(first.bar - 20) <= 1 and abs(between.bar - 30) <= 1 and abs(second.bar - 40) <= 1
    level = getattr(series, inner)[between.bar]
    beyond = series.close < level if upper else series.close > level
    assert close == Point("close", reading.known, "close")
    assert reading.known == next(bar for bar in range(second.bar, len(series)) if beyond[bar])


def test_two_highs_far_apart_in_price_are_no_double_top():
    assert "double_top" not in charts(path((0, 90), (20, 110), (30, 100), (40, 113), (60, 90)))


@pytest.mark.parametrize(("series", "upper"), [(SHOULDERS, True), (mirrored(SHOULDERS), False)])
def test_head_and_shoulders_is_known_at_the_close_through_its_neckline(series, upper):
    reading = charts(series)["head_and_shoulders" if upper else "inverse_head_and_shoulders"]
    roles = {point.role: point for point in reading.points}
    bars = [roles[role].bar for role in ("left", "one", "head", "two", "right")]
    assert np.abs(np.array(bars) - [20, 28, 38, 48, 56]).max() <= 1
    lows = [getattr(series, roles[role].price)[roles[role].bar] for role in ("one", "two")]
    neckline = np.polyval(np.polyfit(bars[1::2], lows, 1), reading.known)
    assert reading.values[0].value == pytest.approx(neckline)
    close = series.close[reading.known]
    assert close < neckline if upper else close > neckline


@pytest.mark.parametrize(
    ("series", "kind", "side"),
    [
        (ASCENDING, "ascending", "up"),
        (DESCENDING, "descending", "down"),
        (SYMMETRICAL, "symmetrical", "up"),
        (mirrored(SYMMETRICAL), "symmetrical", "down"),
    ],
)
def test_a_triangle_is_known_with_its_last_swing_and_left_by_a_close_outside(series, kind, side):
    found = charts(series)
    formed, left = found[f"triangle_{kind}_formed"], found[f"triangle_{kind}_{side}"]
    assert formed.known == max(point.bar for point in formed.points) + REACH
    assert formed.known < left.known
    close, line = series.close[left.known], left.values[0].value
    assert close > line if side == "up" else close < line
    assert formed.values[1].value < series.close[formed.known] < formed.values[0].value
    for value, pair in zip(formed.values, (formed.points[:2], formed.points[2:])):
        bars, prices = zip(*((each.bar, getattr(series, each.price)[each.bar]) for each in pair))
        assert value.value == pytest.approx(np.polyval(np.polyfit(bars, prices, 1), formed.known))


@pytest.mark.parametrize("up", [True, False])
def test_a_flag_is_known_at_the_close_beyond_its_pole(up):
    series = path((0, 100), (30, 100), (35, 112), (42, 109), (46, 116))
    series = series if up else mirrored(series)
    (reading,) = flag_readings(series, average_true_range(series.high, series.low, series.close))
    roles = {point.role: point.bar for point in reading.points}
    assert reading.kind == ("flag_up" if up else "flag_down")
    assert roles["pole_start"] in range(27, 32) and roles["pole_end"] in (35, 36)
    extreme = series.high[roles["pole_end"]] if up else series.low[roles["pole_end"]]
    beyond = series.close > extreme if up else series.close < extreme
    assert reading.known == int(np.argmax(beyond))


def test_swings_are_the_bars_beyond_all_their_neighbours_and_known_when_the_last_has_closed():
    random = np.random.default_rng(7)
    close = 50 + np.cumsum(random.integers(-3, 4, 400)) / 2  # equal highs occur, and are no swings
    series = series_of_bars([(each, each + 1, each - 1, each) for each in close.tolist()])
    expected = []
    for bar in range(REACH, len(series) - REACH):
        around = [*range(bar - REACH, bar), *range(bar + 1, bar + REACH + 1)]
        if all(series.high[bar] > series.high[other] for other in around):
            expected.append(Reading("swing_high", bar + REACH, (Point("swing", bar, "high"),)))
        if all(series.low[bar] < series.low[other] for other in around):
            expected.append(Reading("swing_low", bar + REACH, (Point("swing", bar, "low"),)))
    assert swing_readings(swings(series, REACH)) == expected and len(expected) > 30


def test_structure_breaks_with_the_trend_and_changes_character_against_it():
    series = path((0, 100), (10, 110), (18, 104), (30, 118), (38, 108), (50, 124), (70, 95))
    readings = structure_readings(series, swings(series, REACH))
    breaks = [
        (each.kind, each.points[0].bar) for each in readings if each.kind.startswith(("break", "change"))
    ]
    kinds = [kind for kind, _ in breaks]
    assert kinds[:2] == ["break_of_structure_up", "break_of_structure_up"]
    assert kinds[2] == "change_of_character_down"
    assert [abs(bar - level) <= 1 for (_, bar), level in zip(breaks, (10, 30, 38))] == [True] * 3
    (change,) = [each for each in readings if each.kind == "change_of_character_down"]
    level = series.low[change.points[0].bar]
    assert series.close[change.known] < level <= series.close[change.known - 1]


def test_an_order_block_is_the_last_bar_against_the_break_and_is_tested_once():
    series = path((0, 100), (10, 110), (18, 104), (30, 118), (40, 102), (50, 112))
    readings = structure_readings(series, swings(series, REACH))
    block = next(each for each in readings if each.kind == "order_block_bullish")
    against = block.points[0].bar
    assert series.close[against] < series.open[against]
    assert all(series.close[bar] >= series.open[bar] for bar in range(against + 1, block.known))
    tested = [
        each
        for each in readings
        if each.kind == "order_block_bullish_tested" and each.points[0].bar == against
    ]
    touches = np.flatnonzero(series.low[block.known + 1 :] <= series.high[against]) + block.known + 1
    assert [each.known for each in tested] == [touches[0]]


def test_a_sweep_trades_beyond_a_swing_and_closes_back_inside():
    base = path((0, 100), (10, 110), (20, 104), (30, 106))
    bars = [
        *zip(base.open.tolist(), base.high.tolist(), base.low.tolist(), base.close.tolist()),
        (106.0, 112.0, 105.0, 107.0),
        (107.0, 112.5, 106.0, 107.0),
    ]
    broken = series_of_bars([*bars[:-2], (106.0, 112.0, 105.0, 111.5)])
    kinds = {each.kind for each in structure_readings(broken, swings(broken, REACH)) if each.known == 31}
    assert "break_of_structure_up" in kinds and "liquidity_sweep_high" not in kinds
    series = series_of_bars(bars)
    readings = structure_readings(series, swings(series, REACH))
    (sweep,) = [each for each in readings if each.kind == "liquidity_sweep_high"]
    assert sweep.known == 31 and sweep.points[0].price == "high" and abs(sweep.points[0].bar - 10) <= 1


def test_a_gap_is_known_at_its_third_bar_and_filled_when_it_is_traded_through():
    series = series_of_bars(
        [(10, 11, 9, 10), (10, 14, 10, 14), (14, 15, 12, 14), (14, 14, 11.5, 12), (12, 12, 11, 11)]
    )
    readings = gap_readings(series, np.ones(5), 0.5)
    assert [(each.kind, each.known) for each in readings] == [("gap_up", 2), ("gap_up_filled", 4)]
    assert readings[0].points == (Point("top", 2, "low"), Point("bottom", 0, "high"))
    assert gap_readings(series, np.ones(5) * 3, 0.5) == []  # one point is less than half of three


FALLING = [(120 - number, 120.5 - number, 118.5 - number, 119 - number) for number in range(13)]
RISING = [(100 + number, 101.5 + number, 99.5 + number, 101 + number) for number in range(13)]


@pytest.mark.parametrize(
    ("before", "bars", "kind"),
    [
        (RISING, [(113, 115, 111, 113.2)], "doji"),
        (FALLING, [(107, 107.5, 104, 107.5)], "hammer"),
        (RISING, [(113, 113.5, 110, 113.5)], "hanging_man"),
        (FALLING, [(106.5, 110, 106.4, 107)], "inverted_hammer"),
        (RISING, [(113.5, 116, 112.9, 113)], "shooting_star"),
        (RISING, [(113, 116, 113, 116)], "marubozu_white"),
        (FALLING, [(107, 107, 104, 104)], "marubozu_black"),
        (FALLING, [(106.5, 109, 106, 108.5)], "bullish_engulfing"),
        (RISING, [(113.5, 114, 111, 111.5)], "bearish_engulfing"),
        (FALLING, [(107, 107, 103, 103), (104, 104.6, 103.9, 104.4)], "bullish_harami"),
        (RISING, [(113, 117, 113, 117), (116, 116.1, 115.4, 115.6)], "bearish_harami"),
        (FALLING, [(107, 107, 103, 103), (102, 106, 102, 106)], "piercing_line"),
        (RISING, [(113, 117, 113, 117), (118, 118, 114, 114)], "dark_cloud_cover"),
        (FALLING, [(107, 107, 103, 103), (102, 102.5, 101.5, 102.2), (103, 106, 103, 106)], "morning_star"),
        (RISING, [(113, 117, 113, 117), (118, 118.5, 117.8, 118.2), (117, 117, 114, 114)], "evening_star"),
        (RISING, [(113, 116, 113, 116), (114, 119, 114, 119), (117, 122, 117, 122)], "three_white_soldiers"),
        (FALLING, [(107, 107, 104, 104), (106, 106, 101, 101), (103, 103, 98, 98)], "three_black_crows"),
    ],
)
def test_a_candlestick_pattern_is_read_at_its_last_bar(before, bars, kind):
    series = series_of_bars([*before, *before[-1:], *bars])
    masks = {name: mask for (name, _), mask in candle_masks(series).items()}
    assert masks[kind][-1]
    assert set(masks) >= {kind} and len(masks) == 17
    flat = series_of_bars([(100, 101, 99, 100.5)] * len(series))
    assert not {name: mask for (name, _), mask in candle_masks(flat).items()}[kind][-1]


def test_a_crossing_is_the_bar_that_is_beyond_after_one_that_was_not():
    values = np.array([np.nan, 71, 69, 70, 70.5, 80, 60])
    assert rises_above(values, 70.0) == [4]  # the first defined value crosses nothing
    assert falls_below(values, 70.0) == [2, 6]
