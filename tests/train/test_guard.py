"""The guard against spikes: compared with numpy on the same numbers, and in a run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from mintage.train import guard
from mintage.train.loop import train
from mintage.train.monitor import METRICS, read_metrics
from mintage.train.objectives import next_token
from mintage.train.settings import TrainSettings

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
    values[[20, 100, 101, 300]] += 5
    values[350:] += 2  # a new level, which must be accepted soon
    found = flags(values)
    assert found == expected_flags(values)
    assert found[100] and found[300] and not found[20] and not any(found[360:])


def test_what_is_not_finite_is_not_remembered():
    values = [1.0, 1.1] * 50
    assert flags([*values, 1.2, float("nan"), float("inf"), 9.0])[-1]


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
        assert "1 spikes" in capsys.readouterr().out
        assert row["loss"] < 5


@dataclasses.dataclass(frozen=True)
class MarkedLoader(TinyLoader):
    """The tiny loader with step 75 marked by its first token, 63, which begins no other batch."""

    def batch(self, step):
        batch = super().batch(step)
        batch.inputs_BT[0, 0] = 63 if step == 75 else batch.inputs_BT[0, 0] % 63
        return batch
