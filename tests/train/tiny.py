"""A model and a loader small enough to train in a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.train.loop import TrainResult, train
from mintage.train.settings import OptimizerSettings, TrainSettings

VOCABULARY = 64
CONFIG = ModelConfig(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    max_position_embeddings=32,
)


@dataclass(frozen=True)
class Batch:
    inputs_BT: np.ndarray
    targets_BT: np.ndarray
    mask_BT: np.ndarray
    documents_BT: np.ndarray | None = None


@dataclass(frozen=True)
class Plan:
    steps: int
    hash: str = "plan"
    ledger_root: str = "root"
    knowledge_cutoff: str | None = "2020-01-01"


@dataclass(frozen=True)
class TinyLoader:
    """Sequences in which each token follows from the one before it, half of the targets masked; half way,
    contexts double and batches halve."""

    plan: Plan
    rows: int = 8
    context: int = 16

    def batch(self, step: int) -> Batch:
        generator = np.random.default_rng([7, step])
        late = step >= self.plan.steps // 2
        rows, context = (self.rows // 2, self.context * 2) if late else (self.rows, self.context)
        first_B1 = generator.integers(0, VOCABULARY, (rows, 1))
        tokens = (first_B1 + 5 * np.arange(context + 1)) % VOCABULARY
        return Batch(tokens[:, :-1], tokens[:, 1:], generator.random((rows, context)) < 0.5)

    def prefetch(self, start: int, stop: int) -> Iterator[Batch]:
        yield from (self.batch(step) for step in range(start, stop))


def tiny_model(seed: int = 0) -> Transformer:
    model = Transformer(CONFIG)
    initialize(model, seed)
    return model


def evaluate(model: Transformer) -> dict[str, dict[str, float]]:
    """Any figure that depends on every weight."""
    value = sum(parameter.double().square().mean().item() for parameter in model.parameters())
    return {"bits_per_byte": {"a": value, "b": value / 2}}


SETTINGS = TrainSettings(
    optimizer=OptimizerSettings("muon", learning_rate=0.01),
    log_every=3,
    evaluate_every=4,
    checkpoint_every=5,
    micro_batch=3,
    z_loss=1e-4,
    threads=1,
)


def run(directory: Path, steps: int, settings: TrainSettings = SETTINGS) -> TrainResult:
    """Train the tiny model, or go on with it."""
    return train(tiny_model(), TinyLoader(Plan(steps)), settings, directory, evaluate=evaluate)
