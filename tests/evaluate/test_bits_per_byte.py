"""Bits per byte is what its definition says, whatever the batching."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from mintage.evaluate import bits_per_byte
from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.tokens.loader import DocumentTokens

CONTEXT = 8
END = 0


@pytest.fixture(scope="module")
def model() -> Transformer:
    """A small model with random weights."""
    config = ModelConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=32,
    )
    made = Transformer(config)
    initialize(made, seed=3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5))
    return made


def document(number: int, length: int, source: str, moment: datetime | None) -> DocumentTokens:
    """A document of random tokens that ends with the end of text."""
    generator = np.random.default_rng(number)
    ids = np.append(generator.integers(1, 64, length - 1), END).astype(np.int64)
    return DocumentTokens(
        doc_id=f"{number:032x}",
        source=source,
        kind="text",
        title="",
        available_at=moment,
        ids=ids,
        mask=None,
        bytes=3 * length,
    )


DOCUMENTS = [
    document(1, 5, "a", datetime(2019, 1, 3, tzinfo=UTC)),
    document(2, 8, "a", datetime(2019, 1, 30, tzinfo=UTC)),
    document(3, 17, "a", datetime(2019, 2, 1, tzinfo=UTC)),
    document(4, 30, "b", None),
]


def reference_bits(model: Transformer, tokens: list[int]) -> float:
    """The sum of -log2 p over a document, window by window, in float64 and one token at a time."""
    double = Transformer(model.config).double()
    double.load_state_dict({name: value.double() for name, value in model.state_dict().items()})
    stream = [END, *tokens]
    bits = 0.0
    for position in range(1, len(stream)):
        start = (position - 1) // CONTEXT * CONTEXT
        with torch.no_grad():
            hidden = double(torch.tensor([stream[start:position]]))[0, -1]
            bits -= double.logits(hidden).log_softmax(-1)[stream[position]].item() / math.log(2)
    return bits


def test_equals_the_definition_in_float64(model: Transformer) -> None:
    scores = bits_per_byte.measure(model, DOCUMENTS, CONTEXT, END)
    assert {source: list(months) for source, months in scores.items()} == {
        "a": ["2019-01", "2019-02"],
        "b": ["undated"],
    }
    for source, month, numbers in (("a", "2019-01", (0, 1)), ("a", "2019-02", (2,)), ("b", "undated", (3,))):
        chosen = [DOCUMENTS[number] for number in numbers]
        expected = sum(reference_bits(model, item.ids.tolist()) for item in chosen)
        score = scores[source][month]
        assert score.bits == pytest.approx(expected, rel=1e-5)
        assert score.bits_per_byte == pytest.approx(expected / sum(item.bytes for item in chosen), rel=1e-5)
        tokens = sum(len(item.ids) for item in chosen)
        assert score.perplexity == pytest.approx(2 ** (expected / tokens), rel=1e-5)


def test_batching_changes_nothing(model: Transformer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bits_per_byte.measure(model, DOCUMENTS, CONTEXT, END)
    monkeypatch.setattr(bits_per_byte, "TOKENS_PER_BATCH", 1)
    single = bits_per_byte.measure(model, DOCUMENTS, CONTEXT, END)
    for source, months in whole.items():
        for month, score in months.items():
            assert single[source][month].bits == pytest.approx(score.bits, rel=1e-6)


def test_leaves_the_model_in_its_mode(model: Transformer) -> None:
    model.train()
    bits_per_byte.measure(model, DOCUMENTS[:1], CONTEXT, END)
    assert model.training


def test_total_weighs_by_bytes_and_figures_name_all_sources(model: Transformer) -> None:
    scores = bits_per_byte.measure(model, DOCUMENTS, CONTEXT, END)
    figures = bits_per_byte.curve_figures(scores)
    bits = sum(score.bits for months in scores.values() for score in months.values())
    size = sum(item.bytes for item in DOCUMENTS)
    assert figures["bits_per_byte"]["all"] == pytest.approx(bits / size, abs=1e-5)
    assert set(figures["perplexity"]) == {"a", "b", "all"}


def test_a_smaller_cap_takes_a_subset_and_at_least_one_document() -> None:
    large = bits_per_byte.capped(DOCUMENTS, 60e-6)
    small = bits_per_byte.capped(DOCUMENTS, 1e-6)
    assert {item.source for item in small} == {"a", "b"}
    assert {item.doc_id for item in small} < {item.doc_id for item in large}


def test_a_mask_counts_only_the_tokens_that_it_marks(model: Transformer) -> None:
    whole = DOCUMENTS[2]
    mask = np.zeros(len(whole.ids), np.uint8)
    mask[5:9] = 1
    masked = bits_per_byte.measure(model, [dataclasses.replace(whole, mask=mask)], CONTEXT, END)["a"][
        "2019-02"
    ]
    rest = bits_per_byte.measure(model, [dataclasses.replace(whole, mask=1 - mask)], CONTEXT, END)["a"][
        "2019-02"
    ]
    both = bits_per_byte.measure(model, [whole], CONTEXT, END)["a"]["2019-02"]
    assert (masked.tokens, rest.tokens) == (4, len(whole.ids) - 4)
    assert masked.bits + rest.bits == pytest.approx(both.bits, rel=1e-6)
