"""What a run asks of the machine, and what it says when there is too little memory."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from mintage.errors import MintageError
from mintage.train.estimate import PROCESS
from mintage.train.footprint import footprint
from mintage.train.loop import train
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.workspace import file_sha256

from .tiny import SETTINGS, Plan, TinyLoader, run, tiny_model


@pytest.fixture(autouse=True)
def no_plots(monkeypatch):
    monkeypatch.setattr("mintage.train.plots.draw", lambda *arguments: None)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(
    "micro_batch, message",
    [
        (None, "step 1: out of memory with micro_batch 8 x context 16. Try train.micro_batch: 4"),
        (1, "out of memory with micro_batch 1 x context 16. Try a context of 8"),
    ],
)
def test_a_lack_of_memory_says_what_to_lower(tmp_path, error, micro_batch, message):
    def objective(model, batch, settings):
        raise error

    settings = TrainSettings(micro_batch=micro_batch, threads=1)
    with pytest.raises(MintageError, match=message):
        train(tiny_model(), TinyLoader(Plan(4)), settings, tmp_path, objective=objective)


def test_a_lack_of_memory_names_the_change_with_which_the_estimate_fits(tmp_path, monkeypatch):
    def objective(model, batch, settings):
        raise MemoryError

    model = tiny_model()
    settings = TrainSettings(threads=1)
    full = footprint(model.config, settings, 8, 16).total + PROCESS["cpu"]
    least = (
        footprint(model.config, dataclasses.replace(settings, micro_batch=4), 8, 16).total + PROCESS["cpu"]
    )
    assert least < full
    monkeypatch.setattr("mintage.train.machine.memory_of", lambda device: (full + least) / 2)
    with pytest.raises(MintageError, match=r"does not fit in .* needs .*; with micro_batch 4: "):
        train(model, TinyLoader(Plan(4)), settings, tmp_path, objective=objective)


def test_other_errors_stay_what_they_are(tmp_path):
    def objective(model, batch, settings):
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        train(tiny_model(), TinyLoader(Plan(4)), TrainSettings(threads=1), tmp_path, objective=objective)


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_deterministic_runs_have_the_same_bits(tmp_path, name, precision):
    settings = dataclasses.replace(
        SETTINGS, optimizer=OptimizerSettings(name), precision=precision, deterministic=True
    )
    first, second = (run(tmp_path / str(number), 6, settings).checkpoint for number in range(2))
    assert torch.are_deterministic_algorithms_enabled()
    assert file_sha256(first / "model.safetensors") == file_sha256(second / "model.safetensors")
