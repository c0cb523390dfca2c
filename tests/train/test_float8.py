"""Float8 is refused where it cannot run, and where it is emulated it learns what float32 learns."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from mintage.errors import MintageError
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.train import float8
from mintage.train.float8 import check_float8, convert_to_float8
from mintage.train.optimizers import build_optimizers
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.step import WINDOW, take_step
from mintage.train.team import Team
from tests.model.models import LAYOUTS, random_model

from .tiny import CONFIG, Plan, TinyLoader, run


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
