"""Documents that share a row do not see one another: the row is the same computation as each by itself."""

from __future__ import annotations

import pytest
import torch
from torch._dynamo.utils import counters

from mintage.model.config import ModelConfig
from mintage.model.isolation import positions_of
from mintage.model.transformer import Transformer
from tests.model.models import LAYOUTS, random_model, random_tokens

LENGTHS = [[7, 1, 20, 12], [40], [1, 1, 38], [13, 27]]


def documents(lengths: list[list[int]] = LENGTHS) -> torch.Tensor:
    """Ids (B, T) of documents of these lengths; they need not begin at 0 nor be dense."""
    ids = torch.arange(3, 23, 2, dtype=torch.int32)
    return torch.stack([ids[: len(row)].repeat_interleave(torch.tensor(row)) for row in lengths])


def alone(model: Transformer, tokens_BT: torch.Tensor) -> torch.Tensor:
    """Hidden states of each document in a call of its own, put together again."""
    rows = [tokens_T.split(lengths) for tokens_T, lengths in zip(tokens_BT, LENGTHS)]
    return torch.stack([torch.cat([model(piece[None])[0] for piece in row]) for row in rows])


def gradients(model: Transformer, hidden_BTD: torch.Tensor) -> list[torch.Tensor]:
    weights_BTD = torch.randn(hidden_BTD.shape, generator=torch.Generator().manual_seed(5))
    parameters = [
        p for p in model.parameters() if p is not model.lm_head.weight or p is model.embedding.weight
    ]
    return list(torch.autograd.grad((hidden_BTD * weights_BTD).sum(), parameters))


def test_positions_restart_in_every_document() -> None:
    expected = [[*range(7), 0, *range(20), *range(12)], [*range(40)], [0, 0, *range(38)]]
    assert positions_of(documents())[:3].tolist() == expected


def test_a_packed_row_is_its_documents_one_by_one(config: ModelConfig) -> None:
    model = random_model(config)
    tokens_BT = random_tokens(4, 40)
    packed_BTD, alone_BTD = model(tokens_BT, documents_BT=documents()), alone(model, tokens_BT)
    torch.testing.assert_close(packed_BTD, alone_BTD, atol=1e-5, rtol=0)
    for got, expected in zip(gradients(model, packed_BTD), gradients(model, alone_BTD)):
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    assert (model(tokens_BT) - alone_BTD).abs().max() > 0.1  # without it, documents see one another


def test_a_mask_by_blocks_sees_the_same(config: ModelConfig) -> None:
    model = random_model(config)
    tokens_BT = random_tokens(4, 40)
    with torch.no_grad():
        expected = model(tokens_BT, documents_BT=documents())
        model.isolation = "flex"
        torch.testing.assert_close(model(tokens_BT, documents_BT=documents()), expected, atol=1e-5, rtol=0)


def test_agrees_with_transformers_called_with_restarting_positions(config: ModelConfig, tmp_path) -> None:
    transformers = pytest.importorskip("transformers")
    from mintage.model import huggingface

    model = random_model(config)
    huggingface.save(model, tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="sdpa").eval()
    tokens_BT = random_tokens(4, 40)
    with torch.no_grad():
        for tokens_T, documents_T in zip(tokens_BT, documents()):
            expected = theirs(
                tokens_T[None], position_ids=positions_of(documents_T[None]), use_cache=False
            ).logits
            got = model.logits(model(tokens_T[None], documents_BT=documents_T[None]))
            torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("isolation", ["mask", "flex"])
def test_other_boundaries_compile_nothing_anew(isolation: str) -> None:
    model = random_model(LAYOUTS["qwen3 tied"])
    model.isolation = isolation
    expected = []
    batches = [documents(), documents([[40], [2, 38], [39, 1], [20, 20]]), documents([[10] * 4] * 4)]
    with torch.no_grad():
        for documents_BT in batches:
            expected.append(model(random_tokens(4, 40), documents_BT=documents_BT))
        torch._dynamo.reset()
        counters.clear()
        for block in model.blocks:
            block.compile(dynamic=False, backend="eager")
        for documents_BT, expected_BTD in zip(batches, expected):
            got = model(random_tokens(4, 40), documents_BT=documents_BT)
            torch.testing.assert_close(got, expected_BTD, atol=1e-5, rtol=0)
            compiled = counters["stats"]["unique_graphs"]
            assert compiled == 1, dict(counters["stats"])  # one for all blocks and all boundaries
