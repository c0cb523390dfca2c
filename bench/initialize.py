"""What a model cut out of a GPT-2 is worth: tokens until it is as good as fresh weights after N tokens.

    python bench/initialize.py --scratch FOLDER   # one thread; what is in FOLDER already is not trained again

A GPT-2-shaped stand-in is trained on one half of the central bankers' speeches in ../shared/data. A model
of two thirds of its layers, width, heads and neurons, in the Arcee layout, is then trained on the other
half: from fresh weights over N tokens and from weights cut out of the stand-in over N / 3.2 and fewer, each
by AdamW at the best of four rates, and by Muon at the best of three. Every run follows its own whole
schedule. Losses are nats a token on speeches that neither half holds: the curves on one part of these, by
which rates and ways were chosen, what is compared on another that was looked at once. The other ways to cut
stand beside it, over N / 12 tokens: each is the cut of mintage.model.cut with one function replaced.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from mintage.model import cut, huggingface
from mintage.model.config import ModelConfig
from mintage.model.continued import continue_from
from mintage.model.easing import ease
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.tokens import tokenizer
from mintage.tokens.loader import Batch
from mintage.train.memory import keep_freed_memory
from mintage.train.objectives.next_token import token_losses
from mintage.train.optimizers import build_optimizers
from mintage.train.schedules import eased_share, learning_rate_factor
from mintage.train.settings import OptimizerSettings, ScheduleSettings, TrainSettings
from mintage.train.step import WINDOW, take_step
from mintage.train.team import Team
from mintage.workspace import code_version

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results" / "initialize.json"
VOCABULARY, CONTEXT, ROWS = 4096, 128, 8
TOKENS = ROWS * CONTEXT  # of a step
LOOKS = 6  # evaluations over a run
HELD_OUT_ROWS = 128
CALIBRATION_ROWS = 256
BASE = ModelConfig(
    layout="gpt2", vocab_size=VOCABULARY, hidden_size=96, intermediate_size=384, num_hidden_layers=6,
    num_attention_heads=6, num_key_value_heads=6, head_dim=16, max_position_embeddings=CONTEXT,
    hidden_act="gelu_new",
)  # fmt: skip
TARGET = ModelConfig(
    layout="arcee", vocab_size=VOCABULARY, hidden_size=64, intermediate_size=256, num_hidden_layers=4,
    num_attention_heads=4, num_key_value_heads=4, head_dim=16, max_position_embeddings=CONTEXT,
    hidden_act="gelu_new", attention_bias=True, mlp_bias=True,
)  # fmt: skip
BASE_STEPS = 4500
ADAMW_RATES = {"fresh": (2e-3, 4e-3, 8e-3, 16e-3), "cut": (3e-3, 1.5e-3, 6e-3, 12e-3)}
MUON_RATES = {  # of the rest, of the matrices
    "fresh": ((1e-2, 0.02), (5e-3, 0.01), (2e-2, 0.04)),
    "cut": ((3e-3, 0.005), (1.5e-3, 0.0025), (5e-3, 0.01)),
}
FRACTIONS = (2, 3.2, 5)  # N over these; the second and the calibration are a third
SHORT = 12  # N over this, and the first of the optimizers, for the other ways to cut
FOLD = cut.fold


def muon(rate: float, matrices: float) -> OptimizerSettings:
    """Muon for the matrices and AdamW for the rest, at these rates."""
    return OptimizerSettings("muon", learning_rate=rate, muon_learning_rate=matrices, muon_iterations=3)


def optimizers_of(start: str) -> list[OptimizerSettings]:
    """What is tried from `fresh` weights, or from `cut` ones, which want lower rates."""
    adamw = [OptimizerSettings("adamw", learning_rate=rate) for rate in ADAMW_RATES[start]]
    return adamw + [muon(*rates) for rates in MUON_RATES[start]]


def tokens(folder: Path) -> dict[str, np.ndarray]:
    """The speeches as tokens: `base` and `continued`, half of the speeches each, and of what neither holds
    `held_out` and `test`, as much each."""
    path = folder / "tokens.npz"
    if not path.exists():
        data = Path(os.environ.get("MINTAGE_SHARED_DATA", ROOT.parent / "shared" / "data"))
        parts: dict[str, list[str]] = {"base": [], "continued": [], "held_out": []}
        with gzip.open(data / "corpora" / "fed_speeches.jsonl.gz", "rt") as file:
            for row in map(json.loads, file):
                place = hashlib.sha256(row["id"].encode()).digest()[0]
                part = "held_out" if place < 13 else "base" if place < 135 else "continued"
                parts[part].append(row["text"])
        settings = tokenizer.TokenizerSettings(vocab_size=VOCABULARY, sample_bytes=5_000_000)
        trained = tokenizer.train(settings, parts["base"])
        end = trained.end_of_text_id
        joined = {
            part: np.array([each for ids in trained.encode_batch(texts) for each in [*ids, end]], np.uint16)
            for part, texts in parts.items()
        }
        np.savez(path, **joined)
    data = dict(np.load(path))
    used = HELD_OUT_ROWS * CONTEXT + 1
    return {**data, "held_out": data["held_out"][:used], "test": data["held_out"][-used:]}


def rows(ids: np.ndarray, seed: int, steps: int) -> Iterator[Batch]:
    """Batches of windows in a random order, without repetition within a pass."""
    windows = (len(ids) - 1) // CONTEXT
    passes = -(-steps * ROWS // windows)
    order = np.concatenate([np.random.default_rng([seed, n]).permutation(windows) for n in range(passes)])
    for step in range(steps):
        starts = order[step * ROWS : (step + 1) * ROWS] * CONTEXT
        block = np.stack([ids[start : start + CONTEXT + 1] for start in starts]).astype(np.int64)
        yield Batch(block[:, :-1], block[:, 1:], np.ones((ROWS, CONTEXT), bool))


def held_out_loss(model: Transformer, ids: np.ndarray) -> float:
    """Nats a token over the windows of these tokens."""
    block = torch.from_numpy(ids.astype(np.int64))
    inputs, targets = block[:-1].view(-1, CONTEXT), block[1:].view(-1, CONTEXT)
    model.eval()
    with torch.no_grad():
        losses = [
            token_losses(model(x).flatten(0, 1), model.lm_head.weight, y.flatten()).mean().item()
            for x, y in zip(inputs.split(16), targets.split(16))
        ]
    model.train()
    return float(np.mean(losses))


def train(
    model: Transformer,
    data: dict[str, np.ndarray],
    part: str,
    seed: int,
    steps: int,
    optimizer: OptimizerSettings,
) -> dict[str, Any]:
    """One run over its whole schedule; its curve is [tokens, loss] of the held-out text, its loss that of the
    test."""
    settings = TrainSettings(
        optimizer,
        ScheduleSettings("wsd", warmup_fraction=0.05, decay_fraction=0.5),
        spike_sigma=None,
    )
    optimizers = build_optimizers(model, settings.optimizer)
    team = Team(model, 1)
    window = torch.zeros(WINDOW)
    looks = {round(steps * part / LOOKS) for part in range(1, LOOKS + 1)}
    curve = [[0, held_out_loss(model, data["held_out"])]]
    untrained = held_out_loss(model, data["test"])
    started = time.process_time()
    for step, batch in enumerate(rows(data[part], seed, steps)):
        team.ease(eased_share(step, steps))
        factor = learning_rate_factor(step, steps, settings.schedule)
        take_step(team, optimizers, batch, settings, step, factor, window)
        if step + 1 in looks:
            curve.append([(step + 1) * TOKENS, held_out_loss(model, data["held_out"])])
            print(f"    {step + 1:5d} steps  {curve[-1][1]:.4f}", flush=True)
    seconds = round(time.process_time() - started, 1)
    return {
        "steps": steps, "optimizer": optimizer.name, "rate": optimizer.learning_rate,
        "loss": held_out_loss(model, data["test"]), "loss_untrained": untrained, "curve": curve,
        "cpu_seconds": seconds,
    }  # fmt: skip


def fresh(config: ModelConfig) -> Transformer:
    """Weights drawn from a seed."""
    model = Transformer(config)
    initialize(model, 1)
    return model


def base_model(folder: Path, data: dict[str, np.ndarray]) -> Path:
    """The stand-in's directory, with its run as run.json."""
    directory = folder / "base"
    if not directory.exists():
        print(f"base, {BASE_STEPS} steps", flush=True)
        model = fresh(BASE)
        run = train(model, data, "base", 1, BASE_STEPS, muon(*MUON_RATES["fresh"][0]))
        huggingface.save(model, directory)
        (directory / "run.json").write_text(json.dumps(run))
    return directory


def strongest(model: cut.Folded, streams: list[torch.Tensor], width: int) -> torch.Tensor:
    """The dimensions of the stream with the largest variance, in place of its principal directions."""
    square = sum(cut.second_moment(cut.normalise(x, model.epsilon)) for x in streams)
    assert isinstance(square, torch.Tensor)
    return torch.eye(len(square))[:, cut.largest(square.diagonal(), width)]


def turning(model: cut.Folded, tokens_RT: torch.Tensor, count: int) -> list[int]:
    """The layers that turn the stream most (ShortGPT, arXiv:2403.03853), in place of those whose loss would
    harm most."""
    x_RTD = cut.embed(model, tokens_RT)
    turned = []
    for block in model.blocks:
        after_RTD = cut.trace(model, block, x_RTD).after
        turned.append(1 - torch.cosine_similarity(x_RTD, after_RTD, dim=-1).mean())
        x_RTD = after_RTD
    return cut.largest(torch.stack(turned), count).tolist()


def head_side(tensors: Any, config: ModelConfig) -> cut.Folded:
    """A tied embedding that is right in the head, in place of one that is right where it is read."""
    model = FOLD(tensors, config)
    head_VD = model.head.weight.T
    return dataclasses.replace(model, tokens_VD=head_VD * (model.tokens_VD.norm() / head_VD.norm()))


ABLATIONS: dict[str, dict[str, Any]] = {
    "dimensions by variance, no rotation": {"directions": strongest},
    "no fits": {"fit": lambda features, target, prior, biased: prior},
    "layers by how far they turn the stream": {"layers": turning},
    "tied embedding taken from the head": {"fold": head_side},
}


def cut_with(functions: dict[str, Any], base: Path, calibration: list[torch.Tensor]) -> Transformer:
    """The cut model, with functions of mintage.model.cut replaced."""
    with ExitStack() as stack:
        for name, function in functions.items():
            stack.enter_context(patch.object(cut, name, function))
        return continue_from(base, TARGET, calibration)


def comparison(
    name: str, alone: list[dict[str, Any]], runs: dict[float, list[dict[str, Any]]]
) -> dict[str, Any]:
    """Fresh and cut weights under one optimizer, each at the rate that the held-out text chose: tokens,
    those of the calibration among them, until the test's loss of fresh weights is reached."""

    def best(trials: list[dict[str, Any]]) -> dict[str, Any]:
        return min((one for one in trials if one["optimizer"] == name), key=lambda one: one["curve"][-1][1])

    goal, cuts = best(alone), {f"1/{part}": best(trials) for part, trials in runs.items()}
    calibration = CALIBRATION_ROWS * CONTEXT
    needed = [one["steps"] * TOKENS + calibration for one in cuts.values() if one["loss"] <= goal["loss"]]
    if any(one["loss_untrained"] <= goal["loss"] for one in cuts.values()):
        needed = [calibration]
    return {
        "fresh": {"rate": goal["rate"], "loss": goal["loss"]},
        "cut_untrained": next(iter(cuts.values()))["loss_untrained"],
        "cut": {part: {"rate": one["rate"], "loss": one["loss"]} for part, one in cuts.items()},
        "tokens_needed": min(needed, default=None),
        "ratio": round(min(needed) / (goal["steps"] * TOKENS), 4) if needed else None,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--scratch", type=Path, required=True, help="where runs are kept")
    arguments.add_argument("--steps", type=int, default=1800, help="of the fresh model: N = 1,024 times this")
    arguments.add_argument("--out", type=Path, default=RESULTS)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    options.scratch.mkdir(parents=True, exist_ok=True)
    data = tokens(options.scratch)
    base = base_model(options.scratch, data)
    last = data["continued"][-CALIBRATION_ROWS * CONTEXT :].astype(np.int64)
    calibration = [torch.from_numpy(last).view(CALIBRATION_ROWS, CONTEXT)]
    trials: dict[str, dict[str, Any]] = {}

    def trial(
        name: str, start: Callable[[], Transformer], steps: int, by: OptimizerSettings
    ) -> dict[str, Any]:
        name = f"{name}, {by.name} {by.learning_rate:g}"
        kept = options.scratch / f"{re.sub(r'[^a-z0-9.]+', '-', name.lower())}-{steps}.json"
        if not kept.exists():
            print(f"{name}, {steps} steps", flush=True)
            kept.write_text(json.dumps(train(start(), data, "continued", 1, steps, by)))
        trials[name] = json.loads(kept.read_text())
        return trials[name]

    def replaced(functions: dict[str, Any]) -> Transformer:
        return cut_with(functions, base, calibration)

    def dropped() -> Transformer:
        model = replaced({})
        ease(model, 1.0)
        return model

    whole, shortest = options.steps, options.steps // SHORT
    runs = {
        part: [
            trial(f"cut, N/{part}", lambda: replaced({}), int(whole / part), by)
            for by in optimizers_of("cut")
        ]
        for part in FRACTIONS
    }
    short = optimizers_of("cut")[0]
    trial(f"cut, N/{SHORT}", lambda: replaced({}), shortest, short)
    for name, functions in ABLATIONS.items():
        trial(name, lambda functions=functions: replaced(functions), shortest, short)
    trial("positions dropped, RoPE at once", dropped, shortest, short)
    alone = [trial("fresh, N", lambda: fresh(TARGET), whole, by) for by in optimizers_of("fresh")]
    record = {
        "command": f"python bench/initialize.py --scratch FOLDER --steps {options.steps}",
        "versions": {
            "mintage": code_version(), "torch": torch.__version__, "python": platform.python_version(),
        },
        "base": {
            "shape": dataclasses.asdict(BASE), "tokens": BASE_STEPS * TOKENS,
            "run": json.loads((base / "run.json").read_text()),
        },
        "target": dataclasses.asdict(TARGET),
        "fresh_tokens": whole * TOKENS,
        "calibration_tokens": CALIBRATION_ROWS * CONTEXT,
        "aim": "1/3",
        "by": {name: comparison(name, alone, runs) for name in ("adamw", "muon")},
        "trials": trials,
    }  # fmt: skip
    options.out.write_text(json.dumps(record, indent=1) + "\n")
    for name, run in trials.items():
        print(f"{run['curve'][0][1]:8.4f} {run['loss']:8.4f}  {name}")
    print(f"{json.dumps(record['by'], indent=1)}\n(aim 1/3) -> {options.out}")


if __name__ == "__main__":
    main()
