"""Between log lines a step asks the device for no value: each would wait for all that is queued there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mintage.train import guard
from mintage.train.optimizers import build_optimizers
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.step import WINDOW, take_step
from mintage.train.team import Team

from .tiny import Plan, TinyLoader, tiny_model

READERS = ("item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__")


class Reads(TorchDispatchMode):
    """Counts the operator behind every value that leaves a tensor."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def counting(reader: str, calls: Counter[str]) -> Callable[..., Any]:
    """A tensor's method that counts its calls."""
    method = getattr(torch.Tensor, reader)

    def counted(self: torch.Tensor, *arguments: Any) -> Any:
        calls[reader] += 1
        return method(self, *arguments)

    return counted


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_steps_ask_the_device_for_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, loader = tiny_model(), TinyLoader(Plan(9))
    settings = TrainSettings(OptimizerSettings(name), micro_batch=4, z_loss=1e-4)
    optimizers, team = build_optimizers(model, settings.optimizer), Team(model, 1)
    window, history_2S = torch.zeros(WINDOW), guard.new_history(torch.device("cpu"))
    calls: Counter[str] = Counter()
    for reader in READERS:
        monkeypatch.setattr(torch.Tensor, reader, counting(reader, calls))
    with Reads() as reads:
        for step in range(3):
            take_step(team, optimizers, loader.batch(step), settings, step, 1.0, window, None, history_2S)
    # On a CPU, where it costs nothing, the head looks once a micro-batch whether its gradient needs scaling.
    micro_batches = 3 * 2
    assert calls == {"item": micro_batches} and reads.count == micro_batches
    window.tolist()
    assert calls["tolist"] == 1  # what a log line does is seen
