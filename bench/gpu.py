"""Training speed on one GPU against a plain, compiled nanoGPT-style loop, interleaved in one process.

    PYTHONPATH=. python bench/gpu.py          # both sizes on the GPU, about 8 minutes
    PYTHONPATH=. python bench/gpu.py --tiny   # does it run: tiny shapes, on a CPU too

Every contender does the same work in every step: the same tokens of the same shapes, in micro-batches,
bfloat16 autocast over float32 weights, gradients clipped to 1, one optimizer update. Nothing is read back
inside a timed round. The order changes from round to round. One that runs out of memory halves its
micro-batch until it fits.

Shares of the peak count operations as PaLM does (appendix B: 6 a matrix weight, and all of attention), which
is how the public figures are counted, and beside it with the causal half of attention only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")

import numpy as np
import torch
from nanogpt import GPT, Shape, optimizer_of
from torch import Tensor, nn

from mintage.model.config import ModelConfig
from mintage.model.flops import flops_per_token
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.train.kernels import attention_choice, preferring
from mintage.train.meter import peak_of
from mintage.train.optimizers import build_optimizers
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.step import WINDOW, take_step
from mintage.train.team import Team

RESULTS = Path(__file__).parent / "results" / "gpu.json"
Step = Callable[[np.ndarray, np.ndarray], Tensor]


@dataclass(frozen=True)
class Batch:
    """What the training step reads."""

    inputs_BT: np.ndarray
    targets_BT: np.ndarray
    mask_BT: np.ndarray
    documents_BT: np.ndarray | None = None


@dataclass(frozen=True)
class Size:
    """A model of ours, and a batch of `rows` sequences of its whole context."""

    config: ModelConfig
    rows: int

    @property
    def tokens(self) -> int:
        return self.rows * self.config.max_position_embeddings

    @property
    def plain(self) -> Shape:
        """The plain loop's model of the same width and depth."""
        c = self.config
        return Shape(
            c.num_hidden_layers, c.hidden_size, c.num_attention_heads, c.vocab_size, c.max_position_embeddings
        )

    def plain_flops_per_token(self) -> int:
        """As `flops_per_token` counts, for the plain loop's model."""
        s = self.plain
        weights = s.layers * 12 * s.width**2 + s.vocabulary * s.width
        return 6 * weights + 12 * s.layers * s.width * s.context


def config(layers: int, width: int, heads: int, key_heads: int, vocabulary: int, context: int) -> ModelConfig:
    """A model in the Llama layout; SwiGLU at 8/3 of the width costs what GPT-2's feed-forward does."""
    return ModelConfig(
        layout="llama", vocab_size=vocabulary, hidden_size=width, intermediate_size=width * 8 // 3,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=key_heads,
        head_dim=width // heads, max_position_embeddings=context,
    )  # fmt: skip


SIZES = {
    "125m": Size(config(12, 768, 12, 12, 50304, 2048), 128),
    "elite-112m": Size(config(12, 768, 12, 3, 49152, 2048), 128),
}
TINY = {"tiny": Size(config(2, 48, 2, 1, 512, 32), 4)}


def ours(size: Size, micro_batch: int, device: torch.device, optimizer: str, float8: bool = False) -> Step:
    """Mintage's training step, as its loop takes it."""
    model = Transformer(size.config)
    initialize(model, 0)
    model.to(device)
    settings = TrainSettings(
        OptimizerSettings(optimizer), micro_batch=micro_batch, compile=device.type == "cuda", float8=float8
    )
    if float8:
        from mintage.train.float8 import check_float8, convert_to_float8

        check_float8(device)
        convert_to_float8(model)
    optimizers = build_optimizers(model, settings.optimizer)
    team = Team(model, 1)
    if settings.compile:
        team.compile()
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    choice = attention_choice(size.config, micro_batch, size.config.max_position_embeddings, device, dtype)
    print(f"  attention: {choice}", flush=True)
    window, steps = torch.zeros(WINDOW, device=device), iter(range(10**9))
    mask_BT = np.ones((size.rows, size.config.max_position_embeddings), bool)

    def step(inputs_BT: np.ndarray, targets_BT: np.ndarray) -> Tensor:
        window.zero_()
        batch = Batch(inputs_BT, targets_BT, mask_BT)
        with preferring(choice):
            take_step(team, optimizers, batch, settings, next(steps), 1.0, window)
        return window[0] / window[1]

    return step


def plain(size: Size, micro_batch: int, device: torch.device) -> Step:
    """The plain loop: the model compiled whole, accumulation, autocast, clipping, fused AdamW."""
    model = GPT(size.plain).to(device)
    optimizer = optimizer_of(model, 6e-4)
    forward = torch.compile(model, dynamic=False) if device.type == "cuda" else model

    def on(array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor

    def step(inputs_BT: np.ndarray, targets_BT: np.ndarray) -> Tensor:
        starts = range(0, size.rows, micro_batch)
        total = torch.zeros((), device=device)
        for start in starts:
            rows = slice(start, start + micro_batch)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = forward(on(inputs_BT[rows]), on(targets_BT[rows])) / len(starts)
            loss.backward()
            total += loss.detach()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total

    return step


CONTENDERS = {
    "mintage": lambda *arguments: ours(*arguments, "adamw"),
    "mintage muon": lambda *arguments: ours(*arguments, "muon"),
    "mintage float8": lambda *arguments: ours(*arguments, "adamw", float8=True),
    "nanogpt": plain,
}


def batches_of(size: Size, seed: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random tokens and the tokens after them."""
    shape = (count, size.rows, size.config.max_position_embeddings + 1)
    tokens = np.random.default_rng(seed).integers(0, size.config.vocab_size, shape)
    return [(batch[:, :-1], batch[:, 1:]) for batch in tokens]


def ready(name: str, size: Size, micro_batch: int, device: torch.device) -> tuple[Step, dict]:
    """A contender after three steps, with a micro-batch that fits."""
    while True:
        start = time.perf_counter()
        try:
            step = CONTENDERS[name](size, micro_batch, device)
            losses = [float(step(*batch)) for batch in batches_of(size, 2**32, 3)]
            break
        except torch.OutOfMemoryError:
            if micro_batch == 1:
                raise
        step = None  # what it holds is let go of before the next attempt
        torch._dynamo.reset()
        torch.cuda.empty_cache()
        micro_batch //= 2
    assert all(np.isfinite(losses)), (name, losses)
    facts = {
        "micro_batch": micro_batch,
        "warmup_seconds": round(time.perf_counter() - start, 1),
        "losses": losses,
    }
    print(f"  {name}: {facts}", flush=True)
    return step, facts


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matmul_speed(device: torch.device) -> float:
    """Operations a second in a large bfloat16 product: the ceiling that a program can reach here."""
    side = 8192 if device.type == "cuda" else 256
    left, right = (torch.randn(side, side, device=device).bfloat16() for _ in range(2))
    left @ right
    wait(device)
    start = time.perf_counter()
    for _ in range(10):
        left @ right
    wait(device)
    return 20 * side**3 / (time.perf_counter() - start)


def measure(
    size: Size, names: list[str], micro_batch: int, rounds: int, steps: int, device: torch.device
) -> dict:
    """Seconds a step of every contender in every round."""
    contenders, facts = {}, {}
    for name in names:
        try:
            contenders[name], facts[name] = ready(name, size, min(micro_batch, size.rows), device)
        except Exception as error:  # one that does not run here is reported, and the others go on
            if device.type == "cuda" and name.startswith(("mintage muon", "mintage float8")):
                facts[name] = {"not measured": f"{type(error).__name__}: {error}"}
                print(f"  {name} not measured: {error}", flush=True)
                continue
            raise
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    peak_memory: dict[str, int] = {}
    ceilings, order = [], list(contenders)
    for number in range(rounds):
        random.Random(number).shuffle(order)
        ceilings.append(matmul_speed(device))
        for name in order:
            batches = batches_of(size, number, steps)
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            wait(device)
            start = time.perf_counter()
            for batch in batches:
                contenders[name](*batch)
            wait(device)
            seconds[name].append((time.perf_counter() - start) / steps)
            if device.type == "cuda":
                peak_memory[name] = torch.cuda.max_memory_allocated(device)
        shown = ", ".join(f"{name} {seconds[name][-1] * 1e3:.0f} ms" for name in contenders)
        print(f"  round {number + 1}/{rounds}: {shown}", flush=True)
    return {"seconds_per_step": seconds, "facts": facts, "peak_memory": peak_memory, "matmul": ceilings}


def ratio(peer: list[float], own: list[float]) -> dict[str, float]:
    """median(peer) / median(own) with a bootstrap 95% interval over rounds, which stay paired."""
    pairs = np.array([peer, own])
    chosen = np.random.default_rng(0).integers(0, len(own), (4000, len(own)))
    medians = np.median(pairs[:, chosen], axis=2)
    low, high = np.quantile(medians[0] / medians[1], [0.025, 0.975])
    value = np.median(peer) / np.median(own)
    return {"ratio": round(float(value), 3), "low": round(float(low), 3), "high": round(float(high), 3)}


def summarize(size: Size, raw: dict, peak: float | None) -> dict:
    """Tokens a second, shares of the peak and of a measured product, memory, and ratios to the plain loop."""
    table = {}
    c = size.config
    context = c.max_position_embeddings
    half_of_attention = 6 * c.num_hidden_layers * c.num_attention_heads * c.head_dim * context
    for name, seconds in raw["seconds_per_step"].items():
        rate = size.tokens / statistics.median(seconds)
        flops = size.plain_flops_per_token() if name == "nanogpt" else flops_per_token(c, context)
        shares = {"share_of_peak": flops, "share_of_peak_causal": flops - half_of_attention}
        table[name] = raw["facts"][name] | {
            "tokens_per_second": round(rate),
            "milliseconds": round(statistics.median(seconds) * 1e3, 2),
            **{s: round(rate * f / peak, 4) if peak else "not measured" for s, f in shares.items()},
            "share_of_product": round(rate * flops / statistics.median(raw["matmul"]), 4),
            "peak_memory_gib": round(raw["peak_memory"].get(name, 0) / 2**30, 2) or "not measured",
        }
    plain_seconds = raw["seconds_per_step"]["nanogpt"]
    ratios = {
        name: ratio(plain_seconds, seconds)
        for name, seconds in raw["seconds_per_step"].items()
        if name != "nanogpt"
    }
    return {"contenders": table, "times_faster_than_nanogpt": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--micro", type=int, default=32, help="sequences per forward pass")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--steps", type=int, default=5, help="steps of each contender in a round")
    parser.add_argument("--tiny", action="store_true", help="one tiny size, to see that everything runs")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    report = {
        "command": " ".join(["python", *sys.argv]),
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "device": torch.cuda.get_device_name() if cuda else "no CUDA device",
        "cuda": torch.version.cuda,
        "peak": peak_of(device).flops_per_second if cuda else None,
        "rounds": arguments.rounds,
        "steps": arguments.steps,
        "sizes": {},
    }
    if not cuda and not arguments.tiny:
        report["sizes"] = dict.fromkeys(arguments.sizes, "not measured: no CUDA device")
        print("not measured: no CUDA device")
    else:
        names = [name for name in arguments.contenders if cuda or name != "mintage float8"]
        for label, size in (TINY if arguments.tiny else {n: SIZES[n] for n in arguments.sizes}).items():
            print(f"{label}: {size}", flush=True)
            raw = measure(size, names, arguments.micro, arguments.rounds, arguments.steps, device)
            report["sizes"][label] = summarize(size, raw, report["peak"]) | {"raw": raw}
            shown = {key: value for key, value in report["sizes"][label].items() if key != "raw"}
            print(json.dumps(shown, indent=1), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1))
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    main()
