import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mintage.train.schedules import EASING, eased_share, learning_rate_factor
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


@given(st.integers(1, 10_000))
def test_positions_begin_whole_and_are_gone_at_the_end_of_any_run(steps):
    shares = [eased_share(step, steps) for step in range(steps + 1)]
    assert shares[0] == 0.0 and shares[-1] == 1.0 and shares == sorted(shares)
    assert math.isclose(sum(share < 1 for share in shares), EASING * steps, abs_tol=1.0)


def test_cosine_is_half_way_down_half_way_through():
    factors = curve(101, ScheduleSettings("cosine", 0.0, 0.3, 0.2))
    assert math.isclose(factors[50], 0.6)
    assert factors[0] < 1.0 and factors[-1] < 0.201
    assert all(a > b for a, b in itertools.pairwise(factors))


def test_linear_falls_by_equal_parts_after_a_warm_up_counted_in_steps():
    factors = curve(50, ScheduleSettings("linear", warmup_steps=5, final_fraction=0.1))
    assert factors[:5] == [0.2, 0.4, 0.6, 0.8, 1.0]
    falls = [a - b for a, b in itertools.pairwise(factors[4:])]
    assert all(math.isclose(fall, 0.9 / 46) for fall in falls)


def test_steps_and_fractions_of_a_warm_up_mean_the_same():
    for name in ("wsd", "cosine", "linear", "onecycle"):
        in_steps = ScheduleSettings(name, warmup_steps=20)
        assert curve(100, in_steps) == curve(100, ScheduleSettings(name, warmup_fraction=0.2))
    assert (
        curve(10, ScheduleSettings("cosine", warmup_steps=2000))[-1] == 1.0
    )  # a trial shorter than its warm-up


@pytest.mark.parametrize(("steps", "warmup"), [(200, 20), (37, 5)])
def test_onecycle_is_torchs(steps, warmup):
    # Ours leaves out the step at the floor, so torch is asked for one step more.
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=steps + 1,
        pct_start=warmup / (steps + 1),
        div_factor=20,
        final_div_factor=1e4,
    )
    expected = []
    for _ in range(steps):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    settings = ScheduleSettings(
        "onecycle", warmup_steps=warmup, initial_fraction=1 / 20, final_fraction=1 / 20 / 1e4
    )
    assert curve(steps, settings) == pytest.approx(expected, rel=1e-9)


@given(
    steps=st.integers(1, 400),
    name=st.sampled_from(["wsd", "cosine", "linear"]),
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
