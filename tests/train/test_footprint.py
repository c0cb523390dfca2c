"""The arithmetic of memory against a step that is measured, operation by operation, and its properties."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mintage.model.config import Layout, ModelConfig
from mintage.train.footprint import footprint, optimizer_state
from mintage.train.settings import OptimizerSettings, TrainSettings

BENCH = Path(__file__).parents[2] / "bench"
MUON = TrainSettings(optimizer=OptimizerSettings("muon"))


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_memory", BENCH / "memory.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def small(layout: Layout, **others: object) -> ModelConfig:
    values = {
        "vocab_size": 1024,
        "layout": layout,
        "hidden_size": 64,
        "intermediate_size": 192,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 16,
        "max_position_embeddings": 128,
        "hidden_act": "silu" if layout in ("qwen3", "llama") else "gelu",
    }
    return ModelConfig(**(values | others))


@pytest.mark.parametrize(
    ("config", "training"),
    [
        (small("qwen3", num_key_value_heads=2), MUON),
        (small("gpt2", dropout=0.1), TrainSettings(micro_batch=4)),
        (small("arcee", tie_word_embeddings=False), TrainSettings()),
        (small("llama"), TrainSettings(precision="bfloat16")),
        (small("qwen3", num_hidden_layers=8), TrainSettings(activation_checkpointing=True)),
        (
            small("llama", num_hidden_layers=8, hidden_size=256, vocab_size=256),  # mostly weights
            TrainSettings(activation_checkpointing=True, precision="bfloat16"),
        ),
    ],
    ids=[
        "qwen3 muon",
        "gpt2 dropout",
        "arcee untied",
        "llama bfloat16",
        "qwen3 twice",
        "llama bfloat16 twice",
    ],
)
def test_the_estimate_is_near_what_a_step_takes(
    bench: ModuleType, config: ModelConfig, training: TrainSettings
) -> None:
    case = bench.Case("", config, 8, 96, training, fake=training.precision == "bfloat16")
    assert case.estimate().total == pytest.approx(bench.apart(case), rel=0.1)


def test_every_recorded_ratio_is_within_ten_percent() -> None:
    record = json.loads((BENCH / "results" / "memory.json").read_text())
    assert len(record["configurations"]) >= 10
    for row in record["configurations"]:
        assert 0.9 <= row["estimated_bytes"] / row["measured_bytes"] <= 1.1, row["name"]


def test_the_parts_of_a_step_that_is_easily_counted() -> None:
    """One matrix dominates: 4 bytes a weight, 4 a gradient, 8 of AdamW or 4 of Muon."""
    config = small("llama", intermediate_size=100_000, num_hidden_layers=1)
    held = footprint(config, TrainSettings(micro_batch=1), 2, 1)
    parameters = config.parameter_count()
    assert held.weights == pytest.approx(4 * parameters, rel=0.01)
    assert held.optimizer == 8 * parameters
    assert footprint(config, TrainSettings(), 2, 1).gradients <= 4 * parameters
    matrices = 4 * 64 * 64 + 3 * 64 * 100_000
    assert optimizer_state(config, MUON) == 8 * parameters - 4 * matrices


shapes = st.builds(
    lambda layers, heads, inner, vocabulary: small(
        "qwen3",
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        hidden_size=16 * heads,
        intermediate_size=inner,
        vocab_size=vocabulary,
    ),
    st.integers(1, 40),
    st.integers(1, 64),
    st.integers(16, 4096),
    st.integers(64, 100_000),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    config=shapes,
    rows=st.integers(2, 63),  # of 64: the whole batch at once needs no sum of gradients
    context=st.sampled_from([16, 128, 1024]),
    cuda=st.booleans(),
    name=st.sampled_from(["adamw", "muon"]),
)
def test_more_never_takes_less(config: ModelConfig, rows: int, context: int, cuda: bool, name: str) -> None:
    """Larger micro-batches, longer contexts and more layers never take less memory."""
    training = TrainSettings(optimizer=OptimizerSettings(name))
    totals = [
        footprint(config, dataclasses.replace(training, micro_batch=size), 64, context, cuda=cuda).total
        for size in range(1, rows + 1)
    ]
    assert totals == sorted(totals)
    base = footprint(config, training, rows, context, cuda=cuda).total
    assert footprint(config, training, rows, 2 * context, cuda=cuda).total >= base
    deeper = dataclasses.replace(config, num_hidden_layers=config.num_hidden_layers + 1)
    assert footprint(deeper, training, rows, context, cuda=cuda).total >= base


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(config=shapes, processes=st.sampled_from([2, 4, 8, 64]))
def test_sharing_divides_the_state(config: ModelConfig, processes: int) -> None:
    alone = footprint(config, MUON, 64, 128, cuda=True)
    shared = footprint(config, MUON, 64, 128, cuda=True, processes=processes)
    assert shared.optimizer == alone.optimizer // processes
    assert shared.weights < alone.weights
