"""What is done to blocks from outside changes neither their numbers nor their names."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from mintage.model.transformer import Transformer
from mintage.train.blocks import cache_directory, compile_blocks, recompute_blocks
from mintage.train.optimizers import build_optimizers
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.step import WINDOW, take_step
from mintage.train.team import Team
from tests.model.models import LAYOUTS, random_model, random_tokens

from .tiny import Plan, TinyLoader, tiny_model


def learned(model: Transformer, tokens_BT: Tensor) -> list[Tensor]:
    """The loss of a made-up objective and every gradient."""
    torch.manual_seed(3)
    loss = model(tokens_BT).square().sum()
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return [loss.detach(), *gradients]


def kept_bytes(model: Transformer, tokens_BT: Tensor) -> int:
    """What autograd keeps between the passes, weights left out."""
    weights = {p.data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(tokens_BT)
    return sum(kept.values())


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("layout", ["qwen3 grouped untied wide heads", "gpt2"])
def test_recomputed_blocks_give_the_same_bits(layout: str, dropout: float) -> None:
    name = next(name for name in LAYOUTS if name.startswith(layout))
    model = random_model(dataclasses.replace(LAYOUTS[name], dropout=dropout)).train()
    other = copy.deepcopy(model)
    recompute_blocks(other)
    assert list(other.state_dict()) == list(model.state_dict())
    tokens_BT = random_tokens(3, 33)
    for value, expected in zip(learned(copy.deepcopy(other), tokens_BT), learned(model, tokens_BT)):
        assert torch.equal(value, expected)
    assert kept_bytes(other, tokens_BT) < kept_bytes(model, tokens_BT) / 2


def test_a_team_whose_blocks_recompute_takes_the_same_steps() -> None:
    ends = []
    for recompute in (False, True):
        model, loader = tiny_model(), TinyLoader(Plan(4))
        settings = TrainSettings(OptimizerSettings("muon"), micro_batch=4)
        optimizers = build_optimizers(model, settings.optimizer)
        team = Team(model, 2)
        if recompute:
            team.recompute()
        for step in range(4):
            take_step(team, optimizers, loader.batch(step), settings, step, 1.0, torch.zeros(WINDOW))
        ends.append(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
    assert torch.equal(*ends)


def test_all_blocks_share_one_compiled_graph_and_recomputation_is_part_of_it() -> None:
    model = random_model(LAYOUTS["qwen3 tied"]).train()
    tokens_BT = random_tokens(2, 24)
    expected = learned(model, tokens_BT)
    recompute_blocks(model)
    torch._dynamo.reset()
    counters.clear()
    for block in model.blocks:
        block.compile(dynamic=False, backend="aot_eager")
    for value, right in zip(learned(model, tokens_BT), expected):
        torch.testing.assert_close(value, right, rtol=1e-4, atol=1e-3)
    assert counters["stats"]["unique_graphs"] == 1 and not counters["graph_break"]


@pytest.mark.slow
def test_compiled_blocks_agree_and_their_kernels_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = random_model(LAYOUTS["qwen3 tied"]).train()
    tokens_BT = random_tokens(2, 24)
    expected = learned(model, tokens_BT)
    torch._dynamo.reset()
    compile_blocks(model)
    for value, right in zip(learned(model, tokens_BT), expected):
        torch.testing.assert_close(value, right, rtol=1e-4, atol=1e-3)
    assert cache_directory().is_relative_to(tmp_path) and any(cache_directory().rglob("*.so"))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
