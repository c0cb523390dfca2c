"""The probe of attention kernels: what fails or lies is passed over with its reason."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend

from mintage.errors import MintageError
from mintage.train import kernels
from mintage.train.kernels import Choice, attention_choice, fastest, fastest_attention, isolation_choice
from mintage.train.parallel import Processes
from mintage.train.settings import TrainSettings
from mintage.train.step import uses_bfloat16
from tests.model.models import LAYOUTS, random_model

from .tiny import Batch

RIGHT = (torch.tensor([[1.0, 2.0]]), torch.tensor([[-3.0]]))
CPU = torch.device("cpu")


def slow() -> tuple[torch.Tensor, ...]:
    time.sleep(0.02)
    return RIGHT


def broken() -> tuple[torch.Tensor, ...]:
    raise RuntimeError("No available kernel.\nAborting execution.")


def test_the_fastest_that_works_is_chosen_and_the_others_have_a_reason() -> None:
    candidates = {
        "broken": broken,
        "wrong": lambda: (RIGHT[0], RIGHT[1] * 1.1),
        "nan": lambda: (RIGHT[0] * float("nan"), RIGHT[1]),
        "slow": slow,
        "more rows": lambda: tuple(torch.cat([x, x + 9]) for x in RIGHT),
    }
    choice = fastest(candidates, RIGHT)
    assert choice.name == "more rows" and set(choice.seconds) == {"slow", "more rows"}
    assert choice.failures["broken"] == "No available kernel."
    assert choice.failures["wrong"] == "its values are off by 10%"
    assert "inf" in choice.failures["nan"]
    line = str(choice)
    assert line.startswith("more rows ") and "broken not: No available kernel." in line


def test_no_kernel_at_all_is_an_error_with_the_reasons() -> None:
    with pytest.raises(MintageError, match=r"no kernel works on this device. broken: No available"):
        fastest({"broken": broken}, RIGHT)


def test_torchs_own_kernels_are_run_and_those_without_an_implementation_are_passed_over() -> None:
    choice = attention_choice(LAYOUTS["qwen3 grouped untied wide heads"], 2, 32, CPU, torch.float32)
    assert choice.name == "flash" and set(choice.seconds) == {"flash"}  # on a CPU torch has this one
    assert set(choice.failures) == {"cudnn", "efficient"}


def test_where_no_fast_kernel_works_the_plain_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "BACKENDS", {"efficient": SDPBackend.EFFICIENT_ATTENTION})
    choice = attention_choice(LAYOUTS["qwen3 tied"], 2, 32, CPU, torch.float32)
    assert choice.name == "plain" and "efficient" in choice.failures["others"]


def test_a_way_to_isolate_that_has_no_backward_pass_here_is_passed_over() -> None:
    choice = isolation_choice(LAYOUTS["qwen3 tied"], 2, 32, CPU, torch.float32)
    assert choice.name == "mask" and "flex" in choice.failures


def test_on_a_cpu_nothing_is_read_said_or_changed() -> None:
    model = random_model(LAYOUTS["qwen3 tied"])
    with fastest_attention(model, pytest.fail, TrainSettings(), pytest.fail):
        assert model.isolation == "mask"


def test_the_rows_tried_are_those_of_one_process_in_one_micro_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def choose(config: Any, rows: int, context: int, *_: Any) -> Choice:
        tried.append((rows, context))
        return Choice("flash", {"flash": 1.0}, {})

    monkeypatch.setattr(kernels, "attention_choice", choose)
    monkeypatch.setattr(kernels, "current", lambda: Processes(1, 2, CPU))
    weight = SimpleNamespace(device=torch.device("cuda"))
    model: Any = SimpleNamespace(lm_head=SimpleNamespace(weight=weight), config=None)
    tokens = np.zeros((12, 32), np.int64)
    batch = Batch(tokens, tokens, tokens == 0)
    for micro_batch in (None, 4, 40):
        with fastest_attention(model, lambda: batch, TrainSettings(micro_batch=micro_batch), str):
            pass
    assert tried == [(6, 32), (2, 32), (6, 32)]


@pytest.mark.parametrize("has", [True, False])
def test_bfloat16_is_chosen_for_gpus_that_multiply_it(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "torch.cuda.is_bf16_supported", lambda including_emulation: has or including_emulation
    )
    assert uses_bfloat16(TrainSettings(), torch.device("cuda")) == has
    assert not uses_bfloat16(TrainSettings(), CPU)
    assert uses_bfloat16(TrainSettings(precision="bfloat16"), CPU)


@pytest.mark.gpu
@pytest.mark.parametrize("isolated", [False, True])
def test_on_a_gpu_the_fastest_comes_first_and_gives_the_same_hidden_states(isolated: bool) -> None:
    model = random_model(LAYOUTS["qwen3 tied"]).cuda()
    tokens_BT = torch.randint(128, (4, 64), device="cuda")
    documents_BT = torch.arange(64, device="cuda").div(20, rounding_mode="floor").int().repeat(4, 1)
    documents = {"documents_BT": documents_BT} if isolated else {}
    expected = model(tokens_BT, **documents)
    tokens = tokens_BT.cpu().numpy()
    batch = Batch(tokens, tokens, tokens > 0, documents_BT.cpu().numpy() if isolated else None)
    said: list[str] = []
    with (
        fastest_attention(model, lambda: batch, TrainSettings(), said.append),
        torch.autocast("cuda", torch.bfloat16),
    ):
        got = model(tokens_BT, **documents)
    assert len(said) == 1 + isolated and said[0].startswith("attention: ")
    assert (got.float() - expected).norm() / expected.norm() < 0.05
