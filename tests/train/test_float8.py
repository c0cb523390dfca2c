"""Float8 is refused where it cannot run, and where it is emulated it learns what float32 learns."""

from __future__ import annotations

import dataclasses
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from mintage.errors import MintageError
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.train import float8, loop, machine, parallel
from mintage.train.float8 import check_float8, convert_to_float8
from mintage.train.monitor import METRICS, read_metrics
from mintage.train.objectives import next_token
from mintage.train.optimizers import build_optimizers, state_tensors
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.step import WINDOW, Batch, take_step
from mintage.train.team import Team, cut
from tests.model.models import LAYOUTS, random_model

from .processes import together
from .tiny import CONFIG, Plan, TinyLoader, run, tiny_model


def test_a_run_on_a_cpu_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(MintageError, match=r"capability 8.9.* on cpu; set train.float8: false"):
        run(tmp_path / "run", 3, TrainSettings(float8=True, threads=1))
    assert not (tmp_path / "run").exists()


def test_an_older_gpu_and_a_missing_library_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    capability = [(8, 0)]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability[0])
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA A100-SXM4-80GB")
    with pytest.raises(MintageError, match=r"A100-SXM4-80GB has compute capability 8\.0, .* needs 8\.9"):
        check_float8(torch.device("cuda"))
    capability[0] = (9, 0)
    monkeypatch.setattr(float8.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MintageError, match=r"pip install 'mintage\[float8\]'"):
        check_float8(torch.device("cuda"))


def test_a_layout_without_linear_maps_is_refused() -> None:
    pytest.importorskip("torchao")
    gpt2 = next(config for config in LAYOUTS.values() if config.layout == "gpt2")
    with pytest.raises(MintageError, match="gpt2 layout"):
        convert_to_float8(random_model(gpt2), emulate=True)


def losses(emulate: bool) -> list[float]:
    model = Transformer(dataclasses.replace(CONFIG, intermediate_size=72))
    initialize(model, 0)
    names = list(model.state_dict())
    if emulate:
        converted = convert_to_float8(model, emulate=True)
        # 72 is no multiple of 16: these maps stay; so do the embedding and the head, outside the blocks.
        assert len(converted) == 2 * 4 and not any("mlp" in name for name in converted)
    assert list(model.state_dict()) == names
    settings = TrainSettings(OptimizerSettings("muon", learning_rate=0.01))
    optimizers = build_optimizers(model, settings.optimizer)
    team, loader, window = Team(model, 1), TinyLoader(Plan(200)), torch.zeros(WINDOW)
    figures = []
    for step in range(30):
        count = take_step(team, optimizers, loader.batch(step), settings, step, 1.0, window.zero_())
        figures.append(window[0].item() / count)
    return figures


def test_emulated_float8_learns_what_float32_learns() -> None:
    pytest.importorskip("torchao")
    exact, rounded = losses(False), losses(True)
    assert rounded != exact  # it does round
    assert exact[-1] < 0.7 * exact[0]
    assert max(abs(a - b) / a for a, b in zip(exact, rounded)) < 0.05


def halves(model: Transformer, batch: Batch, settings: TrainSettings) -> tuple[Tensor, int]:
    """What two processes do with a batch: each half is a pass of its own, whose activations have scales of
    their own."""
    passes = [next_token.objective(model, half, settings) for half in cut(batch, 2)]
    return torch.stack([loss for loss, _ in passes]).sum(), sum(count for _, count in passes)


def learn_emulated(directory: Path, from_step: int | None = None) -> None:
    """Go on to the twelfth step, on a CPU; of several processes each gathers one block at a time."""
    machine.check_float8 = lambda device: None
    loop.convert_to_float8 = partial(convert_to_float8, emulate=True)
    parallel.memory_of = lambda device: 0
    processes = parallel.current()
    multiplied: list[tuple[str, bool, float]] = []

    def note(module: nn.Module, arguments: object) -> None:
        if type(module).__name__ == "Float8Linear":
            weight = module.weight.detach()
            shape = str(list(weight.shape))
            multiplied.append((shape, isinstance(weight, DTensor), weight.abs().max().item()))

    nn.modules.module.register_module_forward_pre_hook(note)
    settings = TrainSettings(
        OptimizerSettings("muon", learning_rate=0.01),
        log_every=1,
        micro_batch=4,
        checkpoint_every=5,
        threads=1,
        float8=True,
    )
    objective = halves if processes.world == 1 else None
    loader = TinyLoader(Plan(12))
    result = loop.train(tiny_model(), loader, settings, directory, objective=objective, progress=False)
    assert result.resumed_from == from_step
    (directory / f"multiplied-{processes.rank}.json").write_text(json.dumps(multiplied))


def logged(directory: Path) -> np.ndarray:
    return np.array([row["loss"] for row in read_metrics(directory / METRICS) if "loss" in row])


@pytest.mark.slow
def test_float8_on_two_processes_takes_the_steps_of_one_which_goes_on_with_them(tmp_path: Path) -> None:
    pytest.importorskip("torchao")
    assert together(1, learn_emulated, tmp_path / "alone") == [0]
    assert together(2, learn_emulated, tmp_path / "two") == [0, 0]
    expected, several = logged(tmp_path / "alone"), logged(tmp_path / "two")
    # As in float32, until a sum in another order comes to lie beyond the middle of two neighbours in float8,
    # which are 1/8 apart.
    np.testing.assert_allclose(several[:3], expected[:3], atol=1e-5, rtol=0)
    np.testing.assert_allclose(several, expected, atol=0, rtol=3e-3)
    model = tiny_model()
    matrices = [module.weight for module in model.blocks.modules() if isinstance(module, nn.Linear)]
    largest = sorted([str(list(weight.shape)), False, weight.abs().max().item()] for weight in matrices)
    for rank in range(2):  # each scale is that of the whole matrix
        multiplied = json.loads((tmp_path / "two" / f"multiplied-{rank}.json").read_text())
        assert sorted(multiplied[: len(largest)]) == largest

    checkpoint = tmp_path / "two" / "checkpoint-12"
    assert load_file(checkpoint / "model.safetensors").keys() == dict(model.named_parameters()).keys()
    optimizers = build_optimizers(model, OptimizerSettings("muon"))
    kept = {name for file in (checkpoint / "resume").glob("*.safetensors") for name in load_file(file)}
    assert kept - {"window", "history", "random_state"} == state_tensors(model, optimizers).keys()
    shutil.rmtree(checkpoint)
    assert together(1, learn_emulated, tmp_path / "two", 10) == [0]
    np.testing.assert_allclose(logged(tmp_path / "two"), expected, atol=0, rtol=3e-3)
