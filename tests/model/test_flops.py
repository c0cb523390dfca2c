"""The count of operations against torch's own counter, and against published sizes."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mintage.model.config import Layout, ModelConfig
from mintage.model.flops import flops_per_token, matrix_parameters
from mintage.model.transformer import Transformer
from tests.model.models import LLAMA_7B


@pytest.mark.parametrize("layout", ["qwen3", "llama"])
@pytest.mark.parametrize("key_value_heads", [4, 2])
def test_flops_are_those_that_torch_counts(layout: Layout, key_value_heads: int) -> None:
    config = ModelConfig(
        vocab_size=320,
        layout=layout,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=key_value_heads,
        head_dim=16,
        max_position_embeddings=32,
    )
    model = Transformer(config)
    tokens_BT = torch.zeros(2, 32, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        model.logits(model(tokens_BT)).sum().backward()
    # torch's counter does not know the CPU's attention kernel, and counts the norms' small products.
    expected = 6 * matrix_parameters(config) * tokens_BT.numel()
    assert counter.get_total_flops() == pytest.approx(expected, rel=5e-3)


def test_llama_2_7b() -> None:
    config = LLAMA_7B
    assert config.parameter_count() == 6_738_415_616
    assert matrix_parameters(config) == 6_738_415_616 - 32_000 * 4096 - 65 * 4096  # no table, no norms
    attention = 12 * 32 * 4096 * 4096
    assert flops_per_token(config, 4096) == 6 * matrix_parameters(config) + attention
