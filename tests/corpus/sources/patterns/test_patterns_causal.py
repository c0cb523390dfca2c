"""No reading is ever rewritten: what is known at a bar stays as it is, whatever comes after it."""

import csv
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_bars import bars_of, eurusd_source, spy_source

from mintage.corpus.sources.patterns.crosses import indicators_of
from mintage.corpus.sources.patterns.gaps import gap_readings
from mintage.corpus.sources.patterns.readings import readings_of
from mintage.corpus.sources.patterns.series import Series, series_of
from mintage.corpus.sources.patterns.swings import structure_readings, swings

REACH, SMALLEST_GAP = 5, 0.25


@pytest.fixture(scope="module")
def spy(shared_data) -> Series:
    return series_of(bars_of(spy_source(shared_data)))


@pytest.fixture(scope="module")
def eurusd(shared_data) -> Series:
    return series_of(bars_of(eurusd_source(shared_data)), intraday=True)


def rewritten(series: Series, counts) -> list[int]:
    """The lengths at which the readings are not those of the whole series so far."""
    whole = readings_of(series, REACH, SMALLEST_GAP)
    wrong = []
    for count in counts:
        before = [reading for reading in whole if reading.known < count]
        if readings_of(series.until(count), REACH, SMALLEST_GAP) != before:
            wrong.append(count)
    return wrong


def test_a_replay_bar_by_bar_over_spy_rewrites_nothing(spy):
    assert rewritten(spy.until(1_500), [*range(300), *range(300, 1_500, 50)]) == []


def test_a_replay_over_quarter_hours_of_the_euro_rewrites_nothing(eurusd):
    assert rewritten(eurusd.until(1_500), [*range(200), *range(200, 1_500, 60)]) == []


@pytest.mark.slow
def test_a_replay_of_every_bar_of_spy_rewrites_nothing(spy):
    assert rewritten(spy, range(len(spy) + 1)) == []


def test_nothing_after_a_bar_changes_what_was_known_at_it(spy):
    count = 1_200
    changed = dataclasses.replace(
        spy.until(2_000),
        **{
            name: np.concatenate([getattr(spy, name)[:count], getattr(spy, name)[count:2_000] * 0.37])
            for name in ("open", "high", "low", "close")
        },
    )
    first, second = (
        [reading for reading in readings_of(series, REACH, SMALLEST_GAP) if reading.known < count]
        for series in (spy.until(2_000), changed)
    )
    assert first == second and len(first) > 1_000


def test_no_reading_rests_on_a_bar_after_it(spy, eurusd):
    for series in (spy, eurusd):
        for reading in readings_of(series, REACH, SMALLEST_GAP):
            assert all(0 <= point.bar <= reading.known for point in reading.points)
            assert reading.points


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 160))
def test_random_markets_are_never_reread(seed, count):
    random = np.random.default_rng(seed)
    close = 100 + np.cumsum(random.integers(-4, 5, 160)) * 0.5
    opened = close + random.integers(-3, 4, 160) * 0.5
    series = Series(
        open=opened,
        high=np.maximum(opened, close) + random.integers(0, 3, 160) * 0.5,
        low=np.minimum(opened, close) - random.integers(0, 3, 160) * 0.5,
        close=close,
        volume=random.integers(0, 5, 160).astype(float),
        session=np.arange(160),
        factor=np.ones(160),
    )
    whole = readings_of(series, 2, 0.0)
    assert readings_of(series.until(count), 2, 0.0) == [each for each in whole if each.known < count]


def rows(path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_fair_value_gaps_are_those_of_another_library_which_stamps_them_a_bar_too_early(eurusd, shared_data):
    theirs = {
        (bar, float(row["FVG"]), float(row["Top"]), float(row["Bottom"]))
        for bar, row in enumerate(rows(shared_data / "fixtures/ta/smc/fvg_result_data.csv"))
        if row["FVG"]
    }
    average_range = indicators_of(eurusd).average_range
    readings = [each for each in gap_readings(eurusd, average_range, 0.0) if "filled" not in each.kind]
    own = {
        (
            reading.known - 1,
            1.0 if reading.kind == "gap_up" else -1.0,
            *(getattr(eurusd, point.price)[point.bar] for point in reading.points),
        )
        for reading in readings
    }
    assert len(own) == len(readings) == 5_020
    assert own == theirs


def test_swings_that_the_other_library_stamps_at_their_own_bar_are_known_only_later(eurusd, shared_data):
    """Its first and last rows are not swings at all, and it moves stamps as bars come in."""
    theirs = [
        (bar, row["HighLow"] == "1.0")
        for bar, row in enumerate(rows(shared_data / "fixtures/ta/smc/swing_highs_lows_result_data.csv"))
        if row["HighLow"]
    ]
    own = {(swing.bar, swing.high): swing for swing in swings(eurusd, REACH)}
    shared = [own[key] for key in theirs if key in own]
    assert len(shared) > 2_000
    assert all(swing.known == swing.bar + REACH for swing in shared)
    for swing in shared[:50]:
        early = swings(eurusd.until(swing.bar + REACH), REACH)
        assert swing not in early  # at their stamp, and for four bars more, nobody could know it
        assert swing in swings(eurusd.until(swing.bar + REACH + 1), REACH)
    assert theirs[0] not in own and theirs[-1] not in own


def test_breaks_that_the_other_library_stamps_before_they_happen_are_read_when_they_happen(
    eurusd, shared_data
):
    theirs = [
        (bar, int(float(row["BrokenIndex"])))
        for bar, row in enumerate(rows(shared_data / "fixtures/ta/smc/bos_choch_result_data.csv"))
        if row["BOS"] or row["CHOCH"]
    ]
    assert len(theirs) > 1_000
    assert all(stamp < broken for stamp, broken in theirs)  # each is stamped at a bar that could not know it
    breaks = [
        reading
        for reading in structure_readings(eurusd, swings(eurusd, REACH))
        if reading.kind.startswith(("break", "change"))
    ]
    for reading in breaks:
        level, close = reading.points
        price, closed = getattr(eurusd, level.price)[level.bar], eurusd.close[close.bar]
        up = reading.kind.endswith("up")
        assert close.bar == reading.known and (closed > price if up else closed < price)
        between = eurusd.close[level.bar + 1 : reading.known]
        assert (between <= price).all() if up else (between >= price).all()  # the first close beyond it
