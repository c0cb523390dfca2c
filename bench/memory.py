"""Estimated against measured memory of a training step, into bench/results/memory.json:
`python bench/memory.py`.

Measured is the largest sum of the bytes of all live tensors during the second of two steps of the real loop
(`take_step`), seen operation by operation as torch dispatches them. Most are measured with fake tensors,
which have shapes and no contents: the same operations, the same lifetimes, no memory. Some are measured with
real ones, and checked against the memory that the process itself gained, in a process of its own.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from mintage.model.config import ModelConfig
from mintage.model.transformer import Transformer
from mintage.tokens.loader import Batch
from mintage.train.footprint import Footprint, footprint
from mintage.train.meter import peak_memory
from mintage.train.optimizers import build_optimizers
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.step import WINDOW, take_step
from mintage.train.team import Team
from mintage.workspace import code_version

RESULT = Path(__file__).parent / "results" / "memory.json"


class Tracker(TorchDispatchMode):
    """Bytes of the storages that are alive: each is counted where an operation first returns it, and
    discounted when its last tensor is gone. Any number of threads may enter."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.lock = threading.RLock()  # a storage may die while another is being counted
        self.storages: dict[int, tuple[int, weakref.ref[Any]]] = {}

    def count(self, tensor: Tensor) -> None:
        """Count a tensor's storage, unless it is known."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        with self.lock:
            if size and key not in self.storages:
                self.storages[key] = size, weakref.ref(storage, lambda _: self.forget(key))
                self.live += size
                self.peak = max(self.peak, self.live)

    def forget(self, key: int) -> None:
        with self.lock:
            self.live -= self.storages.pop(key)[0]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            return 1.0  # what the loss asks for on a CPU: the gradient of its own sum
        result = func(*args, **(kwargs or {}))
        for value in tree_iter(result):
            if isinstance(value, Tensor) and not value.is_sparse:  # its parts came from other operations
                self.count(value)
        return result


@dataclass(frozen=True)
class Case:
    """One configuration: a model, a step's rows and context, and how it is taken."""

    name: str
    model: ModelConfig
    rows: int
    context: int
    settings: TrainSettings = field(default_factory=TrainSettings)
    threads: int = 1
    fake: bool = True
    against_process: bool = False

    def estimate(self) -> Footprint:
        """What is expected."""
        return footprint(self.model, self.settings, self.rows, self.context, threads=self.threads)


def shape(layout: str, hidden: int, layers: int, vocabulary: int, **others: Any) -> ModelConfig:
    """A model with heads of 64 and the usual feed-forward of its layout."""
    gated = layout in ("qwen3", "llama")
    values = {
        "layout": layout,
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": -(-hidden * 8 // 3 // 64) * 64 if gated else 4 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64,
        "num_key_value_heads": hidden // 64,
        "head_dim": 64,
        "max_position_embeddings": 4096,
        **({} if gated else {"hidden_act": "gelu"}),
        **others,
    }
    return ModelConfig(**values)


def of_7b(layout: str = "llama", **others: Any) -> ModelConfig:
    """The shape of Llama 2 7B."""
    values = {"intermediate_size": 11008, "num_attention_heads": 32, "num_key_value_heads": 32}
    values |= {"head_dim": 128, "tie_word_embeddings": False}
    return shape(layout, 4096, 32, 32000, **values | others)


MUON = OptimizerSettings("muon")
TWICE = TrainSettings(activation_checkpointing=True)
NARROW = TrainSettings(precision="bfloat16")
CASES = (
    Case("qwen3 0.9M, quickstart", shape("qwen3", 128, 3, 2048, intermediate_size=344), 24, 64, fake=False),
    Case("qwen3 10M", shape("qwen3", 384, 6, 4096), 8, 256, fake=False, against_process=True),
    Case("llama 10M", shape("llama", 384, 6, 4096), 8, 256),
    Case("gpt2 10M", shape("gpt2", 384, 6, 4096), 8, 256),
    Case(
        "gpt2 10M, relu, dropout 0.2",
        shape("gpt2", 384, 6, 4096, hidden_act="relu", dropout=0.2),
        8,
        256,
    ),
    Case("arcee 10M", shape("arcee", 384, 6, 4096), 8, 256),
    Case("qwen3 10M, Muon", shape("qwen3", 384, 6, 4096), 2, 256, TrainSettings(MUON)),
    Case("llama 10M, micro-batches of 2", shape("llama", 384, 6, 4096), 8, 256, TrainSettings(micro_batch=2)),
    Case("qwen3 10M, grouped queries", shape("qwen3", 384, 6, 4096, num_key_value_heads=2), 4, 512),
    Case("llama 10M, untied", shape("llama", 384, 6, 4096, tie_word_embeddings=False), 4, 256),
    Case("llama, wide and shallow", shape("llama", 768, 2, 1024), 4, 256),
    Case("llama, narrow and deep", shape("llama", 192, 24, 1024), 4, 256),
    Case("llama 51M, vocabulary 50,304", shape("llama", 512, 8, 50304), 4, 256),
    Case("qwen3 51M, few tokens, Muon", shape("qwen3", 512, 8, 50304), 1, 128, TrainSettings(MUON)),
    Case("llama 10M, context 2,048", shape("llama", 384, 6, 4096), 1, 2048),
    Case("llama 10M, two threads", shape("llama", 384, 6, 4096), 8, 256, threads=2),
    Case(
        "qwen3 10M, Muon, two threads, micro-batches of 4",
        shape("qwen3", 384, 6, 4096),
        8,
        256,
        TrainSettings(MUON, micro_batch=4),
        threads=2,
    ),
    Case("llama 10M, activations twice", shape("llama", 384, 6, 4096), 8, 256, TWICE),
    Case("gpt2, narrow and deep, activations twice", shape("gpt2", 192, 24, 1024), 4, 256, TWICE),
    Case(
        "qwen3 125M, bfloat16, activations twice",
        shape("qwen3", 768, 14, 32768),
        32,
        2048,
        TrainSettings(activation_checkpointing=True, precision="bfloat16"),
    ),
    Case(
        "llama 7B, bfloat16, micro-batches of 1, activations twice",
        of_7b(),
        2,
        4096,
        TrainSettings(micro_batch=1, precision="bfloat16", activation_checkpointing=True),
    ),
    Case("qwen3 10M, bfloat16", shape("qwen3", 384, 6, 4096), 8, 256, NARROW),
    Case("gpt2 124M, bfloat16", shape("gpt2", 768, 12, 50304), 8, 1024, NARROW),
    Case("qwen3 125M, bfloat16", shape("qwen3", 768, 14, 32768), 32, 2048, NARROW),
    Case("llama 7B, float32", of_7b(), 1, 2048),
    Case(
        "llama 7B, bfloat16, micro-batches of 1",
        of_7b(),
        2,
        4096,
        TrainSettings(micro_batch=1, precision="bfloat16"),
    ),
    Case(
        "qwen3 7B, Muon, bfloat16",
        of_7b("qwen3", num_key_value_heads=8),
        1,
        4096,
        TrainSettings(MUON, precision="bfloat16"),
    ),
)


def measure(case: Case) -> int:
    """Peak bytes of live tensors during the second of two steps."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    tracker = Tracker()
    torch.set_num_threads(1)
    with FakeTensorMode(allow_non_fake_inputs=True) if case.fake else nullcontext():
        model, optimizers, team = prepared(case)
        if case.threads > 1:
            team.pool = ThreadPoolExecutor(case.threads - 1, initializer=tracker.__enter__)
        for tensor in (*model.parameters(), *model.buffers()):
            tracker.count(tensor)
        for optimizer in optimizers:
            for state in optimizer.state.values():
                for value in state.values():
                    tracker.count(value)
        with tracker:
            take_steps(case, team, optimizers, before_each=lambda: setattr(tracker, "peak", tracker.live))
    return tracker.peak


def apart(case: Case) -> int:
    """Measure in a thread of its own, without what a thread keeps from step to step."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(measure, case).result()


def prepared(case: Case) -> tuple[Transformer, list[Optimizer], Team]:
    """The model in training mode, its optimizers, its threads."""
    model = Transformer(case.model)
    model.train()
    team = Team(model, case.threads)
    if case.settings.activation_checkpointing:
        team.recompute()
    return model, build_optimizers(model, case.settings.optimizer), team


def take_steps(case: Case, team: Team, optimizers: list[Optimizer], before_each: Callable[[], None]) -> None:
    """Two steps of the loop over random tokens."""
    shape = (case.rows, case.context + 1)
    tokens_BT = np.random.default_rng(0).integers(0, case.model.vocab_size, shape)
    batch = Batch(tokens_BT[:, :-1], tokens_BT[:, 1:], np.ones((case.rows, case.context), bool))
    window = torch.zeros(WINDOW)
    for step in range(2):
        before_each()
        take_step(team, optimizers, batch, case.settings, step, 1.0, window)


def gained(case: Case) -> int:
    """Bytes by which this process's memory had grown at its highest, over what it was before the model."""
    torch.set_num_threads(1)
    warm = dataclasses.replace(case, model=shape("llama", 64, 1, 64), rows=2, context=16)
    _, optimizers, team = prepared(warm)  # loads the libraries that a step needs
    take_steps(warm, team, optimizers, lambda: None)
    cpu = torch.device("cpu")
    before = peak_memory(cpu) or 0
    _, optimizers, team = prepared(case)
    take_steps(case, team, optimizers, lambda: None)
    return (peak_memory(cpu) or 0) - before


def row(case: Case) -> dict[str, Any]:
    """Estimate, measurement and their ratio."""
    held = case.estimate()
    measured = apart(case)
    result = {
        "name": case.name,
        "parameters": case.model.parameter_count(),
        "estimated_bytes": held.total,
        "measured_bytes": measured,
        "ratio": round(held.total / measured, 4),
        "fullest_in": held.moment,
        "tensors": "without contents" if case.fake else "real",
    }
    if case.against_process:
        command = [sys.executable, __file__, case.name]
        grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        result |= {"process_bytes": grown, "ratio_to_process": round(held.total / grown, 4)}
    return result


def main() -> None:
    """Measure every configuration, or with a name print what that one's process gains."""
    if sys.argv[1:]:
        print(gained(next(case for case in CASES if case.name == sys.argv[1])))
        return
    rows = []
    code = code_version()  # before the first row is written into the working tree
    for case in CASES:
        rows.append(row(case))
        print(json.dumps(rows[-1]), flush=True)
    write(rows, code)


def write(rows: list[dict[str, Any]], code: str) -> None:
    """Keep what was measured, and by which code."""
    ratios = [each["ratio"] for each in rows]
    record = {
        "command": "python bench/memory.py",
        "code": code,
        "torch": torch.__version__,
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
        "configurations": rows,
    }
    RESULT.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
