"""The arithmetic of memory against a step that is measured, operation by operation, and its properties."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mintage.model.config import Layout, ModelConfig
from mintage.model.transformer import Transformer
from mintage.train.footprint import footprint, matrices, optimizer_state, update_temporaries
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


def test_the_arithmetic_is_within_ten_percent_of_all_that_was_measured(bench: ModuleType) -> None:
    rows = json.loads((BENCH / "results" / "memory.json").read_text())["configurations"]
    assert [row["name"] for row in rows] == [case.name for case in bench.CASES] and len(rows) >= 10
    for row, case in zip(rows, bench.CASES):
        estimated = case.estimate().total
        assert 0.9 <= estimated / row["measured_bytes"] <= 1.1, row["name"]
        assert estimated == row["estimated_bytes"], "run bench/memory.py again, as the arithmetic has changed"


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


def layer_of(config: ModelConfig) -> int:
    """Bytes of one layer's weights; the arithmetic adds its part of the last norm."""
    deeper = dataclasses.replace(config, num_hidden_layers=config.num_hidden_layers + 1)
    return 4 * (deeper.parameter_count() - config.parameter_count())


def test_several_processes_by_hand() -> None:
    """Each keeps its fourth. Of a small model all weights and, between micro-batches, all gradients are whole
    besides; of a large one the outside and two layers. Gradients of two layers are on their way, twice."""
    config, cuda = small("llama", vocab_size=64), {"processes": 4, "cuda": True}
    whole, layer = 4 * config.parameter_count(), layer_of(config)
    tables = 2 * 4 * 128 * 16
    narrow = 2 * 3 * (4 * 64 * 64 + 3 * 64 * 192)
    accumulated = TrainSettings(micro_batch=4)
    found = footprint(config, accumulated, 8, 1, **cuda)
    assert (found.weights, found.optimizer) == (whole // 4 + tables, 2 * whole // 4)
    near = partial(pytest.approx, rel=1e-3)
    assert (found.copies, found.gradients) == (whole + narrow, near(whole + 4 * layer))
    found = footprint(config, accumulated, 8, 1, **cuda, memory=whole)
    assert found.copies == near(whole - 3 * layer + 2 * layer + narrow)
    assert found.gradients == near(whole // 4 + 4 * layer)
    found = footprint(config, TrainSettings(precision="float32"), 4, 1, **cuda)
    assert (found.copies, found.gradients) == (whole, near(whole // 4 + 4 * layer))
    assert found.moment == "the backward pass of the first layer"
    config = small("llama", vocab_size=102_400)  # fullest at the embedding
    assert footprint(config, accumulated, 8, 1, **cuda).gradients == 4 * config.parameter_count()


@pytest.mark.parametrize("layout", ["qwen3", "llama", "arcee", "gpt2"])
def test_the_matrices_are_those_of_the_models_layers(layout: Layout) -> None:
    config = small(layout, num_key_value_heads=4 if layout == "gpt2" else 2)
    with torch.device("meta"):
        model = Transformer(config)
    found = [tuple(weight.shape) for weight in model.blocks.parameters() if weight.ndim == 2]
    assert matrices(config) == Counter(found)


def test_each_process_has_its_share_of_the_rows() -> None:
    alone = footprint(small("qwen3"), TrainSettings(), 32, 128, cuda=True)
    shared = footprint(small("qwen3"), TrainSettings(), 64, 128, cuda=True, processes=2)
    assert shared.activations == alone.activations > 10 * alone.weights


@pytest.mark.parametrize("processes", [1, 4])
def test_muons_update_by_hand(processes: int) -> None:
    """Nine matrices of 64 x 192, gate, up and down of three layers; four processes have three each. On a GPU
    the iterates are in bfloat16."""
    matrix, square = 64 * 192, 64 * 64
    on_cpu = 2 * 4 * 9 * matrix + 9 * (4 * matrix + 2 * 4 * (matrix + square))
    own = 3 * (3 * 4 * matrix + 2 * 2 * (matrix + square))
    expected = on_cpu if processes == 1 else 2 * 4 * 9 * matrix // 4 + own
    assert update_temporaries(small("llama"), MUON, processes > 1, processes) == expected


@pytest.mark.parametrize(("compiled", "bytes_a_logit"), [(True, 4), (False, 23)])
def test_the_logits_of_a_gpu_by_hand(compiled: bool, bytes_a_logit: int) -> None:
    """256 tokens fit in one chunk; besides, the head in bfloat16, its gradient, and of hidden states."""
    config = small("llama", vocab_size=102_400)
    found = footprint(config, TrainSettings(compile=compiled), 2, 128, cuda=True)
    assert found.moment == "the loss"
    head = 102_400 * 64
    assert found.logits == bytes_a_logit * 102_400 * 256 + 2 * head + 4 * head + 2 * 4 * 64 * 256
    many = footprint(config, TrainSettings(compile=compiled), 256, 128, cuda=True)
    assert many.logits < bytes_a_logit * 102_400 * 4096 + 6 * head + 2 * 4 * 64 * 256 * 128


@pytest.mark.parametrize(
    ("tied", "cuda", "threads", "heads"),
    [(False, False, 1, 2), (True, False, 1, 1), (True, True, 1, 3), (False, False, 4, 8)],
)
def test_the_embedding_of_a_large_vocabulary_by_hand(
    tied: bool, cuda: bool, threads: int, heads: int
) -> None:
    """The head's gradient waits for the embedding's, in each thread: where they are one table, by the rows
    of the tokens that came on a CPU, and on a GPU whole and with the sum of both."""
    config = small("llama", vocab_size=102_400, tie_word_embeddings=tied)
    found = footprint(config, TrainSettings(), 4, 2, threads=threads, cuda=cuda)
    assert found.moment == "the backward pass of the embedding"
    head, layers = 4 * 102_400 * 64, 3 * layer_of(config) + 4 * 64
    assert found.temporary == heads * head + 2 * 4 * 64 * 8
    assert found.gradients == threads * layers
    assert found.logits == (0 if cuda else 4 * 102_400 * 8)


def test_no_more_threads_work_than_there_are_rows() -> None:
    few, many = (footprint(small("qwen3"), TrainSettings(), 2, 64, threads=n) for n in (2, 64))
    assert few == many
    assert few.total > footprint(small("qwen3"), TrainSettings(), 2, 64).total


def test_each_thread_has_the_gradients_of_the_layers_that_are_done() -> None:
    config = small("llama", vocab_size=64)
    found = footprint(config, TrainSettings(), 4, 16, threads=2)
    assert found.moment == "the backward pass of the first layer"
    assert found.gradients == pytest.approx(2 * 2 * layer_of(config), rel=1e-3)


def test_dropout_on_a_gpu_keeps_a_byte_for_each_number_of_both_halves() -> None:
    with_it, without = (
        footprint(small("gpt2", dropout=share), TrainSettings(), 64, 128, cuda=True) for share in (0.1, 0.0)
    )
    assert with_it.activations - without.activations == 3 * 2 * 64 * 64 * 128


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


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
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


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(config=shapes, processes=st.sampled_from([2, 4, 8, 64]))
def test_sharing_divides_the_state(config: ModelConfig, processes: int) -> None:
    alone = footprint(config, MUON, 64, 128, cuda=True)
    shared = footprint(config, MUON, 64, 128, cuda=True, processes=processes)
    assert shared.optimizer == alone.optimizer // processes
    assert shared.weights < alone.weights
