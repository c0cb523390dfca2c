"""The guards: that against spikes compared with numpy on the same numbers, and both in runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from mintage.errors import MintageError
from mintage.train import guard
from mintage.train.loop import train
from mintage.train.monitor import METRICS, read_metrics
from mintage.train.objectives import next_token
from mintage.train.optimizers import build_optimizers, state_tensors
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.step import WINDOW, take_step
from mintage.train.team import Team

from .tiny import Plan, TinyLoader, tiny_model


def flags(values, sigma=6.0):
    """What the guard says of each value in turn, with as many gradient norms that are all alike."""
    history = guard.new_history(torch.device("cpu"))
    found = []
    for step, value in enumerate(values):
        latest = torch.tensor([float(value), 1.0])
        found.append(bool(guard.is_spike(history, latest, sigma)))
        guard.remember(history, latest, step)
    return found


def expected_flags(values, sigma=6.0):
    found, known = [], []
    for value in values:
        last = np.array(known[-128:])
        enough = len(last) >= 64
        found.append(bool(enough and value > last.mean() + sigma * last.std(ddof=1)))
        known.append(value)
    return found


def test_it_is_the_rule_that_numpy_computes():
    values = np.random.default_rng(0).normal(3, 0.1, 400)
    values[[50, 100, 101, 300]] += 5  # at the first the history is still too short
    values[350:] += 2  # a new level, which must be accepted soon
    found = flags(values)
    assert found == expected_flags(values)
    assert found[100] and found[300] and not found[50] and not any(found[360:])


def test_the_history_reaches_back_128_steps():
    values = [0.0, 10.0] * 50 + [5.0, 5.1] * 35 + [8.0]  # far beyond the last 64, not beyond the last 128
    assert flags(values) == expected_flags(values) and not flags(values)[-1]


def test_what_is_not_finite_is_not_remembered():
    values = [1.0, 1.1] * 50
    assert flags([*values, 1.2, float("nan"), float("inf"), 9.0])[-1]


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_spike_leaves_weights_and_moments_as_they_were(name):
    model, batch = tiny_model(), TinyLoader(Plan(4)).batch(0)
    settings = TrainSettings(OptimizerSettings(name))
    team, optimizers = Team(model, 1), build_optimizers(model, settings.optimizer)
    history = guard.new_history(torch.device("cpu"))
    for step in range(100):
        guard.remember(
            history, torch.tensor([1 + step / 1000, 0.01]), step
        )  # far below what a fresh model has

    def state():
        everything = [*model.parameters(), *state_tensors(model, optimizers).values()]
        return torch.cat([tensor.detach().flatten().clone() for tensor in everything])

    before = state()
    take_step(team, optimizers, batch, settings, 100, 1.0, torch.zeros(WINDOW), history_2S=history)
    assert torch.equal(state(), before)
    unguarded = dataclasses.replace(settings, spike_sigma=None)
    take_step(team, optimizers, batch, unguarded, 100, 1.0, torch.zeros(WINDOW), history_2S=history)
    assert not torch.equal(state(), before)


def spiked(model, batch, settings):
    """The next token's loss, a hundred times as large in the batch whose first token is marked."""
    loss, count = next_token.objective(model, batch, settings)
    return loss * (100 if batch.inputs_BT[0, 0] == spiked.mark else 1), count


@pytest.mark.parametrize("sigma", [6.0, None])
def test_a_spike_changes_nothing_and_is_counted(tmp_path, monkeypatch, capsys, sigma):
    monkeypatch.setattr("mintage.train.plots.draw", lambda *arguments: None)
    loader = MarkedLoader(Plan(80), rows=4)
    spiked.mark = 63
    settings = TrainSettings(log_every=80, threads=1, gradient_clip=0, spike_sigma=sigma)
    train(tiny_model(), loader, settings, tmp_path, objective=spiked)
    row = read_metrics(tmp_path / METRICS)[0]
    if sigma is None:
        assert "spikes" not in row
    else:
        assert row["spikes"] == row["skipped"] == 1
        assert "spikes: 1" in capsys.readouterr().out
        assert row["loss"] < 5


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_run_that_takes_no_finite_step_any_more_ends(tmp_path, monkeypatch, name):
    monkeypatch.setattr("mintage.train.plots.draw", lambda *arguments: None)
    settings = TrainSettings(OptimizerSettings(name), log_every=4, checkpoint_every=4, threads=1)
    poisoned = tiny_model()
    with torch.no_grad():
        poisoned.lm_head.weight[0] = torch.nan
    before = [parameter.detach().clone() for parameter in poisoned.parameters()]
    with pytest.raises(MintageError, match="step 20: none of the last 20 steps had a finite loss"):
        train(poisoned, TinyLoader(Plan(40)), settings, tmp_path / "short")
    torch.testing.assert_close(list(poisoned.parameters()), before, rtol=0, atol=0, equal_nan=True)
    with pytest.raises(MintageError, match="step 128: none of the last 128"):
        train(poisoned, TinyLoader(Plan(400)), settings, tmp_path / "long")


def test_a_stretch_that_is_not_finite_ends_no_run():
    rows = [{"step": 10, "loss": None, "skipped": 10}, {"step": 20, "loss": 2.0, "skipped": 9}]
    empty = {"step": 30, "loss": None}  # without a target
    spikes = {"step": 40, "loss": None, "skipped": 10, "spikes": 10}
    lost = 0
    for row in (*rows, empty, spikes) * 40:
        lost = guard.lost_steps(lost, row, 1600)
        assert lost == (10 if row is rows[0] else 0)


@dataclasses.dataclass(frozen=True)
class MarkedLoader(TinyLoader):
    """The tiny loader with step 75 marked by its first token, 63, which begins no other batch."""

    def batch(self, step):
        batch = super().batch(step)
        batch.inputs_BT[0, 0] = 63 if step == 75 else batch.inputs_BT[0, 0] % 63
        return batch
