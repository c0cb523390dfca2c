from __future__ import annotations

import dataclasses

import pytest
import torch

from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from tests.model.models import LAYOUTS


def weights(config: ModelConfig, seed: int) -> dict[str, torch.Tensor]:
    model = Transformer(config)
    initialize(model, seed)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("initialization", ["standard", "copying"])
def test_the_seed_alone_decides_the_weights(config, initialization):
    config = dataclasses.replace(config, initialization=initialization)
    one = weights(config, 5)
    torch.randn(100)
    again, other = weights(config, 5), weights(config, 6)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


def test_standard_layers_begin_as_the_identity(config):
    model = Transformer(config)
    initialize(model, 0)
    x = torch.randn(1, 7, config.hidden_size)
    cos, sin = model.cos_S1H[:7], model.sin_S1H[:7]
    assert torch.equal(model.model.layers[1](x, cos, sin, None, None, 1), x)
    tensors = model.state_dict()
    for name in ("model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight"):
        assert 0.018 < tensors[name].std() < 0.022


@pytest.mark.parametrize("layout", LAYOUTS)
def test_copying_attention_looks_equal_tokens_up_and_writes_half_of_them(layout):
    config = dataclasses.replace(LAYOUTS[layout], initialization="copying")
    tensors = weights(config, 0)
    attention = "model.layers.0.self_attn."
    q, k, v = (
        tensors[f"{attention}{name}_proj.weight"].unflatten(0, (-1, config.head_dim)) for name in "qkv"
    )
    o = tensors[f"{attention}o_proj.weight"].unflatten(1, (-1, config.head_dim))
    group = config.num_attention_heads // config.num_key_value_heads
    written = torch.zeros(config.hidden_size, config.hidden_size)
    read = torch.zeros(config.hidden_size)
    for head in range(config.num_attention_heads):
        query_key = q[head].T @ k[head // group]
        selected = query_key.diag() > 0.5
        assert selected.sum() == min(config.head_dim, config.hidden_size)
        read += selected
        assert (query_key - torch.diag(selected.float())).abs().max() < 0.2
        written += o[:, head] @ v[head // group]
    expected = torch.diag(0.5 * (read > 0))
    assert (written - expected).abs().max() < 0.2
    diagonal = written.diag()[read > 0]
    assert diagonal.mean() == pytest.approx(0.5, abs=0.02)
