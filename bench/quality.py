"""Quality per minute: what a plain nanoGPT recipe and ours of the same size reach in the same minutes on the
same threads.

    python bench/quality.py                        # 3 minutes a run on both cores, one run at a time
    python bench/quality.py --threads 1 --jobs 2   # one core each, two runs side by side

Text: speeches of central bankers in ../shared/data. The peer is tried at four rates and ours at two; the rate
is chosen on the development split, and both choices are then measured on the test split: bits per byte of
whole documents. Both sides run until the clock says stop, and follow their schedules by the share of the time
that has passed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # for both sides

import numpy as np
import torch
from nanogpt import GPT, Shape, optimizer_of, rate_of, take_step
from torch import Tensor, nn

from mintage.corpus import build as corpus_build
from mintage.corpus import store
from mintage.corpus.settings import CorpusSettings
from mintage.corpus.sources.dates import DateField
from mintage.corpus.sources.files import Fields, FilesSource
from mintage.evaluate import bits_per_byte
from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.tokens import shards, tokenizer
from mintage.tokens.loader import Batch, Loader, documents
from mintage.tokens.plan import Phase, Plan, PlanSettings
from mintage.train.memory import keep_freed_memory
from mintage.train.optimizers import build_optimizers
from mintage.train.schedules import learning_rate_factor
from mintage.train.settings import OptimizerSettings, ScheduleSettings, TrainSettings
from mintage.train.step import take_step as our_step
from mintage.train.team import Team
from mintage.workspace import code_version

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results" / "quality.json"
SOURCE = "fed_speeches"
CONTEXT = 256
PEER_TOKENS, OUR_TOKENS = 1024, 2048  # in a step: AdamW learns more from many small ones, Muon from fewer
PEER_RATES = (1e-3, 2e-3, 4e-3, 8e-3)
OUR_RATES = (2.5e-2, 4e-2)  # of what Muon leaves to AdamW: embedding and norms
MUON_RATE, MUON_ITERATIONS = 0.02, 3
SHORT, SHORT_SHARE = 32, 0.6  # ours: context 32 for the first 60% of the time
FOREVER = 10**6  # steps; the clock ends a run
RESOLUTION = 10_000  # steps into which a run's time is cut for the schedules


def prepare(folder: Path) -> None:
    """Corpus, a BPE of 4,096 entries and shards of the speeches."""
    data = Path(os.environ.get("MINTAGE_SHARED_DATA", ROOT.parent / "shared" / "data"))
    source = FilesSource(
        name=SOURCE,
        path=str(data / "corpora" / "fed_speeches.jsonl.gz"),
        licence="see the corpus guide",
        fields=Fields(native_id="id"),
        available_at=(DateField("date", zone="America/New_York"),),
    )
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    corpus_build.build(CorpusSettings((source,)), corpus)
    texts = tokenizer.training_texts(store.view(corpus, None, "local"))
    trained = tokenizer.train(tokenizer.TokenizerSettings(vocab_size=4096), texts)
    shards.build(corpus, trained, folder / "shards", "local", tokenizer_cutoff=None, corpus_hash="")
    (folder / "tokenizer").mkdir()
    trained.save(folder / "tokenizer")


def batches(folder: Path, context: int, tokens: int) -> Iterator[tuple[np.ndarray, np.ndarray, Batch]]:
    """Windows of this context, so many tokens a batch, in the plan's order."""
    phase = Phase(FOREVER, context, tokens // context, {SOURCE: 1.0})
    loader = Loader(folder / "shards", Plan.build(folder / "shards", PlanSettings((phase,)), None))
    for step in range(FOREVER):
        batch = loader.batch(step)
        yield np.ascontiguousarray(batch.inputs_BT), np.ascontiguousarray(batch.targets_BT), batch


class Scored(nn.Module):
    """The peer as the evaluation takes it."""

    def __init__(self, model: GPT):
        super().__init__()
        self.inner = model

    def forward(self, tokens_BT: Tensor) -> Tensor:
        return self.inner.hidden(tokens_BT)

    def logits(self, hidden_BTD: Tensor) -> Tensor:
        return self.inner.logits(hidden_BTD)


def peer(folder: Path, vocabulary: int, rate: float) -> tuple[nn.Module, Callable[[float], None]]:
    """The plain recipe: learned positions, LayerNorm, GELU, full logits, AdamW, warm-up and cosine, context
    256."""
    model = GPT(Shape(3, 192, 3, vocabulary, CONTEXT))
    optimizer = optimizer_of(model, rate)
    stream = batches(folder, CONTEXT, PEER_TOKENS)

    def step(share: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = rate_of(int(share * RESOLUTION), RESOLUTION, rate)
        inputs_BT, targets_BT, _ = next(stream)
        take_step(model, optimizer, torch.from_numpy(inputs_BT), torch.from_numpy(targets_BT))

    return Scored(model), step


def ours(folder: Path, vocabulary: int, rate: float) -> tuple[nn.Module, Callable[[float], None]]:
    """Ours: the Qwen3 layout, the look-up initialisation, short context first, Muon, WSD."""
    config = ModelConfig(
        hidden_size=192, intermediate_size=512, num_hidden_layers=3, num_attention_heads=3,
        num_key_value_heads=3, head_dim=64, max_position_embeddings=CONTEXT, rope_theta=1e6,
        initialization="lookup",
    ).with_vocabulary(vocabulary)  # fmt: skip
    keep_freed_memory()
    model = Transformer(config)
    initialize(model, 1)
    settings = TrainSettings(
        OptimizerSettings(
            "muon", learning_rate=rate, muon_learning_rate=MUON_RATE, muon_iterations=MUON_ITERATIONS
        )
    )
    optimizers = build_optimizers(model, settings.optimizer)
    schedule = ScheduleSettings("wsd", warmup_fraction=0.03, decay_fraction=0.5)
    streams = {context: batches(folder, context, OUR_TOKENS) for context in (SHORT, CONTEXT)}
    team, window = Team(model, torch.get_num_threads()), torch.zeros(6)
    numbers = iter(range(FOREVER))

    def step(share: float) -> None:
        factor = learning_rate_factor(int(share * RESOLUTION), RESOLUTION, schedule)
        _, _, batch = next(streams[SHORT if share < SHORT_SHARE else CONTEXT])
        our_step(team, optimizers, batch, settings, next(numbers), factor, window)

    return model, step


def run(folder: Path, side: str, rate: float, seconds: float, split: str) -> dict[str, float]:
    """Train one side for so many seconds of wall time, and measure it on a split."""
    torch.manual_seed(1)
    trained = tokenizer.Tokenizer.load(folder / "tokenizer")
    vocabulary = (trained.vocab_size + 63) // 64 * 64
    model, step = {"peer": peer, "ours": ours}[side](folder, vocabulary, rate)
    model.train()
    start, cpu, steps = time.perf_counter(), time.process_time(), 0
    while (passed := time.perf_counter() - start) < seconds:
        step(passed / seconds)
        steps += 1
    cpu = time.process_time() - cpu
    scores = {}
    for name in dict.fromkeys(("development", split)):
        held_out = bits_per_byte.capped(documents(folder / "shards", split=name, as_of=None), 2.0)
        measured = bits_per_byte.measure(model, held_out, CONTEXT, trained.end_of_text_id)
        scores[name] = bits_per_byte.total(measured[SOURCE].values()).bits_per_byte
    return {
        "rate": rate,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "steps": steps,
        "tokens": steps * {"peer": PEER_TOKENS, "ours": OUR_TOKENS}[side],
        "seconds": round(passed, 1),
        "cpu_seconds": round(cpu, 1),
        **{name: round(value, 4) for name, value in scores.items()},
    }


def child(folder: Path, side: str, rate: float, seconds: float, threads: int) -> dict[str, float]:
    """The same in a process of its own with its own threads."""
    job = json.dumps(
        {"folder": str(folder), "side": side, "rate": rate, "seconds": seconds, "threads": threads}
    )
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    answer = subprocess.run(
        [sys.executable, __file__, "--job", job], env=environment, stdout=subprocess.PIPE, check=True
    )
    record: dict[str, float] = json.loads(answer.stdout)
    print(side, record, flush=True)
    return record


def main() -> None:
    """Run every trial, choose on the development split, report the test split."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=2, help="of each run")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        job = json.loads(arguments.job)
        torch.set_num_threads(job["threads"])
        print(json.dumps(run(Path(job["folder"]), job["side"], job["rate"], job["seconds"], "test")))
        return
    load = os.getloadavg()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder)
        trials = [("peer", rate) for rate in PEER_RATES] + [("ours", rate) for rate in OUR_RATES]
        trials = [
            trials[index] for index in (0, 4, 1, 5, 2, 3)
        ]  # both sides see the same hours of a shared machine
        seconds = arguments.minutes * 60
        with ThreadPoolExecutor(arguments.jobs) as pool:
            records = list(pool.map(lambda trial: child(folder, *trial, seconds, arguments.threads), trials))
    sides = {side: [r for (s, _), r in zip(trials, records) if s == side] for side in ("peer", "ours")}
    best = {side: min(found, key=lambda record: record["development"]) for side, found in sides.items()}
    result = {
        "minutes": arguments.minutes,
        "threads": arguments.threads,
        "jobs": arguments.jobs,
        "load_before": [round(value, 2) for value in load],
        "versions": {
            "mintage": code_version(),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "trials": sides,
        "best": best,
        "test_ratio": round(best["ours"]["test"] / best["peer"]["test"], 4),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    ours_test, peer_test = best["ours"]["test"], best["peer"]["test"]
    print(f"ours {ours_test:.3f}, peer {peer_test:.3f} bits per byte on the test split: {arguments.out}")


if __name__ == "__main__":
    main()
