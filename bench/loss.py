"""Loss against tokens and against wall time: AdamW at the best of four rates, and Muon, on the same text.

    python bench/loss.py                             # both scales, one thread, one run at a time: an hour
    python bench/loss.py --scales 2m --jobs 2

One architecture (the Qwen3 layout) at each scale, the same windows of central bankers' speeches in the same
order, the same schedule (WSD) stretched over each run. AdamW has the whole budget; Muon shorter ones, each a
finished run of its own with its own decay, so that "tokens to AdamW's final loss" is what a user would spend
and no point of an unfinished curve. Rates are chosen on the development split; the test split judges.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from quality import ROOT, SOURCE, prepare

from mintage.evaluate import bits_per_byte
from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.tokens import tokenizer
from mintage.tokens.loader import Loader, documents
from mintage.tokens.plan import Phase, Plan, PlanSettings
from mintage.train.loop import train
from mintage.train.settings import OptimizerSettings, ScheduleSettings, TrainSettings
from mintage.workspace import code_version

RESULTS = ROOT / "bench" / "results" / "loss.json"
CONTEXT, ROWS = 256, 16
SHAPES = {"2m": (192, 512, 3), "10m": (384, 1024, 6)}  # width, intermediate size, layers; heads of 64
STEPS = 100  # of 4,096 tokens
ADAMW_RATES = (5e-4, 1e-3, 2e-3, 4e-3)
MUON_RATES = (0.02, 0.04)  # of the matrices; what is left to AdamW learns at MUON_REST
MUON_REST = 4e-3
MUON_SHARES = (0.5, 0.6)


@dataclass(frozen=True)
class Trial:
    """One run: an optimizer, the rate that is tried, and its share of the budget."""

    scale: str
    optimizer: str
    rate: float
    share: float

    @property
    def settings(self) -> OptimizerSettings:
        if self.optimizer == "adamw":
            return OptimizerSettings("adamw", learning_rate=self.rate)
        return OptimizerSettings("muon", learning_rate=MUON_REST, muon_learning_rate=self.rate)


def run(folder: Path, trial: Trial) -> dict:
    """Train, and measure on both splits."""
    width, intermediate, layers = SHAPES[trial.scale]
    trained = tokenizer.Tokenizer.load(folder / "tokenizer")
    config = ModelConfig(
        hidden_size=width, intermediate_size=intermediate, num_hidden_layers=layers,
        num_attention_heads=width // 64, num_key_value_heads=width // 64, head_dim=64,
        max_position_embeddings=CONTEXT,
    ).with_vocabulary(trained.vocab_size)  # fmt: skip
    steps = round(STEPS * trial.share)
    plan = PlanSettings((Phase(steps, CONTEXT, ROWS, {SOURCE: 1.0}),))
    settings = TrainSettings(
        trial.settings,
        ScheduleSettings("wsd", warmup_fraction=0.03, decay_fraction=0.4),
        log_every=max(1, steps // 50),
        threads=torch.get_num_threads(),
    )
    model = Transformer(config)
    initialize(model, 1)
    with tempfile.TemporaryDirectory() as directory:
        loader = Loader(folder / "shards", Plan.build(folder / "shards", plan, None))
        train(model, loader, settings, Path(directory), progress=False)
        rows = [json.loads(line) for line in (Path(directory) / "metrics.jsonl").read_text().splitlines()]
    model.eval()
    scores = {}
    with torch.no_grad():
        for split in ("development", "test"):
            held_out = bits_per_byte.capped(documents(folder / "shards", split=split, as_of=None), 1.0)
            measured = bits_per_byte.measure(model, held_out, CONTEXT, trained.end_of_text_id)
            total = bits_per_byte.total(measured[SOURCE].values())
            scores[split] = {
                "bits_per_byte": total.bits_per_byte,
                "nats_per_token": float(np.log(total.perplexity)),
            }
    last = rows[-1]
    return {
        **asdict(trial),
        "parameters": config.parameter_count(),
        "steps": steps,
        "tokens": last["tokens"],
        "seconds": last["seconds"],
        **{
            split: {name: round(value, 4) for name, value in score.items()} for split, score in scores.items()
        },
        "curve": [[row["tokens"], row["seconds"], row["loss"]] for row in rows if row.get("loss")],
    }


def child(folder: Path, trial: Trial, threads: int) -> dict:
    """The same in a process of its own."""
    job = json.dumps({"folder": str(folder), "trial": asdict(trial), "threads": threads})
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, __file__, "--job", job]
    answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    record: dict = json.loads(answer.stdout.splitlines()[-1])
    print({key: value for key, value in record.items() if key != "curve"}, flush=True)
    return record


def by_development(record: dict) -> float:
    """What a rate is chosen by."""
    return record["development"]["bits_per_byte"]


def verdict(records: list[dict]) -> dict:
    """Tokens and time that Muon needs to AdamW's final loss, as shares of AdamW's, at one scale."""
    adamw = min((r for r in records if r["optimizer"] == "adamw"), key=by_development)
    best = [
        min((r for r in records if r["optimizer"] == "muon" and r["share"] == share), key=by_development)
        for share in sorted({r["share"] for r in records if r["optimizer"] == "muon"})
    ]
    goal = adamw["test"]["bits_per_byte"]
    reached = next((r for r in best if r["test"]["bits_per_byte"] <= goal), None)
    return {
        "adamw": {"rate": adamw["rate"], "bits_per_byte": goal, "seconds": adamw["seconds"]},
        "muon": [
            {"share": r["share"], "rate": r["rate"], "bits_per_byte": r["test"]["bits_per_byte"],
             "seconds": r["seconds"]} for r in best
        ],
        "share_of_tokens_to_adamw_loss": reached and reached["share"],
        "share_of_time_to_adamw_loss": reached and round(reached["seconds"] / adamw["seconds"], 3),
    }  # fmt: skip


def main() -> None:
    """Run every trial and write what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scales", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        job = json.loads(arguments.job)
        torch.set_num_threads(job["threads"])
        print(json.dumps(run(Path(job["folder"]), Trial(**job["trial"]))))
        return
    trials = [
        Trial(scale, *rest)
        for scale in arguments.scales
        for rest in [("adamw", rate, 1.0) for rate in ADAMW_RATES]
        + [("muon", rate, share) for share in MUON_SHARES for rate in MUON_RATES]
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder)
        with ThreadPoolExecutor(arguments.jobs) as pool:
            records = list(pool.map(lambda trial: child(folder, trial, arguments.threads), trials))
    result = {
        "command": "python bench/loss.py",
        "threads": arguments.threads,
        "jobs": arguments.jobs,
        "versions": {"mintage": code_version(), "torch": torch.__version__},
        "scales": {
            scale: verdict([record for record in records if record["scale"] == scale])
            for scale in arguments.scales
        },
        "trials": records,
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["scales"], indent=1))


if __name__ == "__main__":
    main()
