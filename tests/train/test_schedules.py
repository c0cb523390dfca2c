import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from mintage.train.schedules import learning_rate_factor
from mintage.train.settings import ScheduleSettings


def curve(steps, settings):
    return [learning_rate_factor(step, steps, settings) for step in range(steps)]


def test_wsd_warms_up_stays_and_falls_in_a_line_to_its_floor():
    factors = curve(100, ScheduleSettings("wsd", 0.1, 0.3, 0.1))
    assert factors[:10] == [(step + 1) / 10 for step in range(10)]
    assert factors[9:70] == [1.0] * 61
    falls = [a - b for a, b in itertools.pairwise(factors[69:])]
    assert all(math.isclose(fall, 0.9 / 31) for fall in falls)
    assert math.isclose(factors[-1] - 0.9 / 31, 0.1)


def test_cosine_is_half_way_down_half_way_through():
    factors = curve(101, ScheduleSettings("cosine", 0.0, 0.3, 0.2))
    assert math.isclose(factors[50], 0.6)
    assert factors[0] < 1.0 and factors[-1] < 0.201
    assert all(a > b for a, b in itertools.pairwise(factors))


@given(
    steps=st.integers(1, 400),
    name=st.sampled_from(["wsd", "cosine"]),
    warmup=st.floats(0, 0.5),
    decay=st.floats(0, 0.5),
    floor=st.floats(0, 1),
)
def test_every_step_has_a_rate_between_the_floor_and_the_peak_after_warm_up(
    steps, name, warmup, decay, floor
):
    factors = curve(steps, ScheduleSettings(name, warmup, decay, floor))
    assert all(0 < factor <= 1 for factor in factors)
    after = factors[round(warmup * steps) :]
    assert all(floor <= factor + 1e-12 for factor in after)
    assert all(a >= b for a, b in itertools.pairwise(after))
