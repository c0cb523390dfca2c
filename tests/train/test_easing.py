"""A run whose model eases learned positions into RoPE: the same steps however it is cut up."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch

from mintage.model import huggingface
from mintage.model.easing import Easing, ease
from mintage.train import loop
from mintage.train.loop import train
from mintage.train.monitor import METRICS, TIMING, read_metrics
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.signals import Interrupted
from mintage.workspace import file_sha256

from .processes import together
from .tiny import CONFIG, Plan, TinyLoader, tiny_model

STEPS = 20  # of which the first 6 ease


def start():
    model = tiny_model()
    positions_PD = torch.randn(32, CONFIG.hidden_size, generator=torch.Generator().manual_seed(3))
    model.easing = Easing(positions_PD)
    ease(model, 0.0)
    return model


def norm_of(model):
    with torch.no_grad():
        hidden = model(torch.arange(12).view(1, 12))
    return {"bits_per_byte": {"a": float(hidden.double().square().mean())}}


def learn(directory, threads=1, model=None):
    settings = TrainSettings(
        OptimizerSettings("muon", learning_rate=0.01), log_every=1, evaluate_every=5, checkpoint_every=5,
        keep_every=5, threads=threads,
    )  # fmt: skip
    loader = TinyLoader(Plan(STEPS))
    train(model or start(), loader, settings, directory, evaluate=norm_of, progress=False)


def outcome(directory):
    rows = [{k: v for k, v in row.items() if k not in TIMING} for row in read_metrics(directory / METRICS)]
    return file_sha256(directory / f"checkpoint-{STEPS}" / "model.safetensors"), rows


def losses(directory):
    return np.array([row["loss"] for row in read_metrics(directory / METRICS) if "loss" in row])


@pytest.fixture(scope="module")
def uncut(tmp_path_factory):
    directory = tmp_path_factory.mktemp("uncut")
    assert together(1, learn, directory) == [0]
    return directory


def test_run_ends_with_a_stock_model(uncut):
    last = uncut / f"checkpoint-{STEPS}"
    assert huggingface.load(last).easing is None and not (last / huggingface.EASING).exists()
    pytest.importorskip("transformers")
    assert huggingface.compare_with_transformers(last) < 1e-4


def test_checkpoint_on_the_way_is_the_model_that_was_evaluated(uncut):
    model = huggingface.load(uncut / "checkpoint-5")
    assert model.easing.share.item() == pytest.approx(5 / 6)
    (seen,) = (row for row in read_metrics(uncut / METRICS) if row["step"] == 5 and "evaluation" in row)
    assert norm_of(model)["bits_per_byte"]["a"] == pytest.approx(seen["evaluation"]["bits_per_byte"]["a"])


@pytest.mark.parametrize("call", [3, 9])
def test_stopped_on_the_way_or_after_it_a_run_ends_with_the_same_bits(tmp_path, uncut, monkeypatch, call):
    calls = []

    def count(*arguments, **keywords):
        calls.append(1)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGTERM)
        return take_step(*arguments, **keywords)

    take_step = loop.take_step
    monkeypatch.setattr(loop, "take_step", count)
    with pytest.raises(Interrupted):
        learn(tmp_path)
    assert (tmp_path / f"checkpoint-{call}" / huggingface.EASING).exists() == (call == 3)
    # As a replay begins: with the checkpoint alone.
    learn(tmp_path, model=huggingface.load(tmp_path / f"checkpoint-{call}") if call == 3 else None)
    assert outcome(tmp_path) == outcome(uncut)


def test_processes_and_threads_ease_alike(tmp_path, uncut):
    assert together(2, learn, tmp_path / "processes") == [0, 0]
    assert together(1, learn, tmp_path / "threads", 2) == [0]
    for name in ("processes", "threads"):
        np.testing.assert_allclose(losses(tmp_path / name), losses(uncut), atol=1e-5, rtol=0)
