"""Training speed on a CPU against a plain nanoGPT-style loop, transformers' Trainer and LitGPT, interleaved.

    python bench/train.py                   # both sizes, all threads of a quiet machine, about 40 minutes
    python bench/train.py --tiny --rounds 3 # does it run

Every contender lives in a process of its own, of which one works at a time, and does the same work in every
round: forward, backward, clip to 1.0, fused AdamW, loss read back, on the same tokens of the same shapes; the
order changes from round to round. Each implementation is judged in the better of its two modes (eager,
compiled), by median. Ratios are taken within each round; of them the median, with a bootstrap 95% interval.

Mintage tells the C library to keep freed memory (`mintage.train.memory`); the peers run as they come. What
that setting alone is worth is shown by one more contender, `nanogpt_kept`: the plain loop with it. LitGPT
takes part where it is installed (pip install --no-deps litgpt lightning pytorch-lightning lightning-utilities
torchmetrics); fused AdamW, which it takes on CUDA only, and a tied head are set for it.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # for every contender: they share this process
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(tempfile.gettempdir()) / "mintage-bench-inductor"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from nanogpt import GPT, Shape, optimizer_of
from nanogpt import take_step as nanogpt_step

from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.tokens.loader import Batch
from mintage.train.memory import keep_freed_memory
from mintage.train.optimizers import build_optimizers
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.step import take_step
from mintage.train.team import Team
from mintage.workspace import code_version

RESULTS = Path(__file__).parent / "results" / "train.json"
RATE = 1e-3
Step = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Size:
    """A model and a batch. SwiGLU's intermediate size makes its three matrices cost what GPT-2's two do (8/3
    of the width against 4), rounded up to a multiple of 32: ours is never the cheaper one."""

    shape: Shape
    intermediate: int
    rows: int

    @property
    def tokens(self) -> int:
        return self.rows * self.shape.context

    def flops(self, intermediate: float | None) -> float:
        """Of a step: 6 per matrix weight and token, and causal attention. None means GPT-2's feed-forward."""
        s = self.shape
        feed_forward = 8 * s.width**2 if intermediate is None else 3 * s.width * intermediate
        matrices = s.layers * (4 * s.width**2 + feed_forward) + s.vocabulary * s.width
        return self.tokens * (6 * matrices + 6 * s.layers * s.context * s.width)


SIZES = {
    "10m": Size(Shape(6, 384, 6, 4096, 256), 1024, 8),
    "51m": Size(Shape(8, 512, 8, 50304, 256), 1376, 4),
}
TINY = {"tiny": Size(Shape(2, 64, 2, 512, 32), 192, 4)}


def ours(size: Size, compiled: bool) -> tuple[Step, int]:
    """Mintage's own training step, in the Llama layout."""
    s = size.shape
    config = ModelConfig(
        layout="llama", vocab_size=s.vocabulary, hidden_size=s.width, intermediate_size=size.intermediate,
        num_hidden_layers=s.layers, num_attention_heads=s.heads, num_key_value_heads=s.heads,
        head_dim=s.width // s.heads, max_position_embeddings=s.context,
    )  # fmt: skip
    keep_freed_memory()
    model = Transformer(config)
    initialize(model, 0)
    settings = TrainSettings(OptimizerSettings("adamw", learning_rate=RATE))
    optimizers = build_optimizers(model, settings.optimizer)
    team = Team(model, torch.get_num_threads())
    if compiled:
        team.compile()
    window = torch.zeros(6)
    mask_BT = np.ones((size.rows, s.context), bool)
    steps = iter(range(10**9))

    def step(inputs_BT: np.ndarray, targets_BT: np.ndarray) -> float:
        window.zero_()
        batch = Batch(inputs_BT, targets_BT, mask_BT)
        count = take_step(team, optimizers, batch, settings, next(steps), 1.0, window)
        return window[0].item() / count

    return step, sum(parameter.numel() for parameter in model.parameters())


def nanogpt(size: Size, compiled: bool) -> tuple[Step, int]:
    """The plain loop; compiled whole, as its description does."""
    model = GPT(size.shape)
    optimizer = optimizer_of(model, RATE)
    forward = torch.compile(model, dynamic=False) if compiled else model

    def step(inputs_BT: np.ndarray, targets_BT: np.ndarray) -> float:
        return nanogpt_step(forward, optimizer, torch.from_numpy(inputs_BT), torch.from_numpy(targets_BT))

    return step, sum(parameter.numel() for parameter in model.parameters())


def trainer(size: Size, compiled: bool) -> tuple[Step, int]:
    """transformers' Trainer on its own Llama of our sizes: its training_step, its optimizer, its clipping."""
    from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

    s = size.shape
    config = LlamaConfig(
        vocab_size=s.vocabulary, hidden_size=s.width, intermediate_size=size.intermediate,
        num_hidden_layers=s.layers, num_attention_heads=s.heads, max_position_embeddings=s.context,
        tie_word_embeddings=True, attn_implementation="sdpa", use_cache=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(), use_cpu=True, optim="adamw_torch_fused", learning_rate=RATE,
        weight_decay=0.1, adam_beta2=0.95, max_grad_norm=1.0, per_device_train_batch_size=size.rows,
        lr_scheduler_type="constant", report_to="none", torch_compile=compiled, dataloader_pin_memory=False,
    )  # fmt: skip
    peer = Trainer(model=model, args=arguments)
    peer.create_optimizer_and_scheduler(num_training_steps=10**6)
    wrapped, peer.optimizer = peer.accelerator.prepare(model, peer.optimizer)
    peer.current_gradient_accumulation_steps = 1

    def step(inputs_BT: np.ndarray, targets_BT: np.ndarray) -> float:
        # The model shifts labels itself: position t is asked for inputs[t + 1].
        inputs = {"input_ids": torch.from_numpy(inputs_BT), "labels": torch.from_numpy(inputs_BT)}
        loss = peer.training_step(wrapped, inputs)
        peer.accelerator.clip_grad_norm_(wrapped.parameters(), 1.0)
        peer.optimizer.step()
        peer.lr_scheduler.step()
        wrapped.zero_grad()
        return loss.item()

    return step, sum(parameter.numel() for parameter in model.parameters())


def litgpt(size: Size, compiled: bool) -> tuple[Step, int]:
    """LitGPT's model, chunked loss and Fabric, put together as its `pretrain` does."""
    import lightning
    from litgpt import GPT as LitGPT
    from litgpt import Config
    from litgpt.pretrain import initialize_weights
    from litgpt.utils import chunked_cross_entropy

    s = size.shape
    config = Config(
        block_size=s.context, vocab_size=s.vocabulary, padded_vocab_size=s.vocabulary, n_layer=s.layers,
        n_head=s.heads, n_embd=s.width, rotary_percentage=1.0, parallel_residual=False, bias=False,
        norm_class_name="RMSNorm", mlp_class_name="LLaMAMLP", intermediate_size=size.intermediate,
    )  # fmt: skip
    fabric = lightning.Fabric(accelerator="cpu", devices=1, precision="32-true")
    model = LitGPT(config)
    initialize_weights(fabric, model, n_layer=s.layers, n_embd=s.width)
    model.lm_head.weight = model.transformer.wte.weight
    parameters = sum(parameter.numel() for parameter in model.parameters())
    model = fabric.setup(torch.compile(model) if compiled else model)
    optimizer = fabric.setup_optimizers(
        torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.1, betas=(0.9, 0.95), fused=True)
    )

    def step(inputs_BT: np.ndarray, targets_BT: np.ndarray) -> float:
        loss = chunked_cross_entropy(model(torch.from_numpy(inputs_BT)), torch.from_numpy(targets_BT))
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step, parameters


def nanogpt_kept(size: Size, compiled: bool) -> tuple[Step, int]:
    """The plain loop with Mintage's setting of the C library."""
    keep_freed_memory()
    return nanogpt(size, compiled)


CONTENDERS = {"mintage": ours, "nanogpt": nanogpt, "trainer": trainer, "nanogpt_kept": nanogpt_kept}
if importlib.util.find_spec("litgpt"):
    CONTENDERS["litgpt"] = litgpt


def work(variant: str, size_name: str) -> None:
    """A contender's process: builds it, then takes `steps` steps for every line `seed steps` on stdin and
    answers on stdout."""
    name, mode = variant.split()
    size = (SIZES | TINY)[size_name]
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to stderr
    torch.manual_seed(0)
    step, parameters = CONTENDERS[name](size, mode == "compiled")
    start = time.perf_counter()
    losses = [step(*batch) for batch in batches_of(size, 2**32, 3)]
    warmup = round(time.perf_counter() - start, 2)
    print(json.dumps({"parameters": parameters, "warmup": warmup, "losses": losses}), file=channel)
    for line in sys.stdin:
        batches = batches_of(size, *map(int, line.split()))
        start, cpu = time.perf_counter(), time.process_time()
        losses = [step(*batch) for batch in batches]
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = {"seconds": seconds / len(batches), "cores": cpu / seconds, "peak_kibibytes": peak}
        print(json.dumps(answer), file=channel)


def batches_of(size: Size, seed: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random tokens and the tokens after them."""
    shape = size.shape
    tokens = np.random.default_rng(seed).integers(0, shape.vocabulary, (count, size.rows, shape.context + 1))
    return [(np.ascontiguousarray(t[:, :-1]), np.ascontiguousarray(t[:, 1:])) for t in tokens]


def sgemm_gflops(side: int = 2048) -> float:
    """Speed of one float32 product of square matrices, in 10^9 operations a second."""
    a, b = torch.randn(side, side), torch.randn(side, side)
    start = time.perf_counter()
    torch.mm(a, b)
    return 2 * side**3 / (time.perf_counter() - start) / 1e9


def measure(size_name: str, rounds: int, steps: int, modes: list[str], threads: int) -> dict:
    """Seconds per step of every contender in every round, interleaved."""
    variants = [f"{name} {mode}" for name in CONTENDERS for mode in modes]
    workers, warmup, parameters = {}, {}, {}
    try:
        for variant in variants:
            command = [sys.executable, __file__, "--work", variant, size_name, "--threads", str(threads)]
            pipe = subprocess.PIPE
            workers[variant] = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1)
            ready = json.loads(workers[variant].stdout.readline())
            assert all(np.isfinite(ready["losses"])), (variant, ready)
            warmup[variant], parameters[variant.split()[0]] = ready["warmup"], ready["parameters"]
            print(f"  {variant}: ready, {ready['parameters']:,} parameters", flush=True)
        seconds: dict[str, list[float]] = {variant: [] for variant in variants}
        cores: dict[str, list[float]] = {variant: [] for variant in variants}
        ceiling: list[float] = []
        peak_memory: dict[str, int] = {}
        order = list(variants)
        for number in range(rounds):
            random.Random(number).shuffle(order)
            ceiling += [sgemm_gflops() for _ in range(3)]
            for variant in order:
                print(number, steps, file=workers[variant].stdin)
                answer = json.loads(workers[variant].stdout.readline())
                seconds[variant].append(answer["seconds"])
                cores[variant].append(answer["cores"])
                peak_memory[variant] = answer["peak_kibibytes"] * 1024
            shown = ", ".join(f"{variant} {seconds[variant][-1] * 1e3:.0f} ms" for variant in variants)
            print(f"  round {number + 1}/{rounds}: {shown}", flush=True)
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
    return {
        "seconds_per_step": seconds,
        "cores_received": cores,
        "warmup_seconds": warmup,
        "parameters": parameters,
        "peak_memory_bytes": peak_memory,
        "sgemm_gflops": ceiling,
    }


def bootstrap_ratio(peer: list[float], own: list[float], draws: int = 4000) -> tuple[float, float, float]:
    """The median over rounds of peer / own within a round, and its 95% interval over resampled rounds: the
    speed of a shared machine drifts from round to round, and within one hardly."""
    ratios = np.array(peer) / np.array(own)
    chosen = np.random.default_rng(0).integers(0, len(ratios), (draws, len(ratios)))
    low, high = np.quantile(np.median(ratios[chosen], axis=1), [0.025, 0.975])
    return float(np.median(ratios)), float(low), float(high)


def summarize(size: Size, raw: dict) -> dict:
    """Medians, spread, share of the ceiling, and how many times faster ours is than each peer."""
    ceiling = float(np.quantile(raw["sgemm_gflops"], 0.9))
    table = {}
    for variant, seconds in raw["seconds_per_step"].items():
        flops = size.flops(None if variant.startswith("nanogpt") else size.intermediate)
        median = statistics.median(seconds)
        table[variant] = {
            "milliseconds": round(median * 1e3, 2),
            "quartiles": [round(float(q) * 1e3, 2) for q in np.quantile(seconds, [0.25, 0.75])],
            "best": round(min(seconds) * 1e3, 2),
            "tokens_per_second": round(size.tokens / median, 1),
            "gflops": round(flops / median / 1e9, 1),
            "share_of_sgemm": round(flops / median / 1e9 / ceiling, 3),
            "peak_memory_megabytes": round(raw["peak_memory_bytes"][variant] / 1e6),
        }
    better = {
        name: min((v for v in table if v.split()[0] == name), key=lambda v: table[v]["milliseconds"])
        for name in CONTENDERS
    }
    own = raw["seconds_per_step"][better["mintage"]]
    ratios = {}
    for name in CONTENDERS:
        if name != "mintage":
            ratio, low, high = bootstrap_ratio(raw["seconds_per_step"][better[name]], own)
            ratios[name] = {"ratio": round(ratio, 3), "low": round(low, 3), "high": round(high, 3)}
    own_flops, gpt_flops = size.flops(size.intermediate), size.flops(None)
    return {
        "variants": table,
        "better_mode": better,
        "times_faster_than": ratios,
        "sgemm_gflops": {
            "median": round(statistics.median(raw["sgemm_gflops"]), 1),
            "p90": round(ceiling, 1),
        },
        "cores_received": round(statistics.median(itertools.chain(*raw["cores_received"].values())), 2),
        "flops_of_ours_over_nanogpt": round(own_flops / gpt_flops, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=2, help="steps of each contender in a round")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--modes", nargs="+", choices=["eager", "compiled"], default=["eager", "compiled"])
    parser.add_argument("--tiny", action="store_true", help="one tiny size, to see that everything runs")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--work", nargs=2, metavar=("VARIANT", "SIZE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.work:
        return work(*arguments.work)
    import transformers

    report = {
        "command": re.sub(r" --out \S+", "", " ".join(["python", *sys.argv])),
        "code": code_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "machine": {"processor": processor(), "cores": os.cpu_count(), "threads": arguments.threads},
        "load_before": os.getloadavg(),
        "sizes": {},
    }
    for name, size in (TINY if arguments.tiny else {n: SIZES[n] for n in arguments.sizes}).items():
        print(f"{name}: {size}", flush=True)
        raw = measure(name, arguments.rounds, arguments.steps, arguments.modes, arguments.threads)
        report["sizes"][name] = {"size": repr(size), **summarize(size, raw), "raw": raw}
        shown = {key: value for key, value in report["sizes"][name].items() if key != "raw"}
        print(json.dumps(shown, indent=1), flush=True)
    report["load_after"] = os.getloadavg()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=1))
    print(f"written: {arguments.out}")


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


if __name__ == "__main__":
    main()
