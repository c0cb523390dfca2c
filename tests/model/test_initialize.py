from __future__ import annotations

import dataclasses

import pytest
import torch

from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer


def weights(config: ModelConfig, seed: int) -> dict[str, torch.Tensor]:
    model = Transformer(config)
    initialize(model, seed)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


LOOKUP = ModelConfig(
    vocab_size=1024,
    hidden_size=128,
    intermediate_size=128,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=2,
    head_dim=64,
    max_position_embeddings=128,
    rope_theta=1e6,
    initialization="lookup",
)


def test_the_seed_alone_decides_the_weights(config):
    check_seed(config)
    check_seed(LOOKUP)


def check_seed(config: ModelConfig) -> None:
    one = weights(config, 5)
    torch.randn(100)
    again, other = weights(config, 5), weights(config, 6)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["lm_head.weight"], other["lm_head.weight"])


def test_standard_weights_are_the_layouts_own(config):
    model = Transformer(config)
    initialize(model, 0)
    model.eval()
    x = torch.randn(1, 7, config.hidden_size)
    rotary = None if config.layout == "gpt2" else (model.cos_S1H[:7], model.sin_S1H[:7])
    begins_as_identity = torch.equal(model.blocks[1](x, rotary, None, None, 1), x)
    assert begins_as_identity is (config.layout != "gpt2")
    for name, tensor in model.state_dict().items():
        if tensor.dim() == 1:
            assert (tensor == (0.0 if name.endswith(".bias") else 1.0)).all()
        elif name.endswith("attn.c_proj.weight"):
            assert tensor.std() == pytest.approx(0.02 / (2 * config.num_hidden_layers) ** 0.5, rel=0.05)
        elif not name.endswith(("o_proj.weight", "down_proj.weight", "c_proj.weight")):
            assert 0.018 < tensor.std() < 0.022


@pytest.mark.parametrize(
    "shape",
    [{}, {"hidden_size": 384, "num_attention_heads": 6, "num_key_value_heads": 6}],
    ids=["128", "384"],
)
def test_lookup_weights_copy_what_follows_the_same_words_before_any_training(shape):
    config = dataclasses.replace(LOOKUP, **shape)
    model = Transformer(config)
    initialize(model, 0)
    generator = torch.Generator().manual_seed(1)
    once_BT = torch.stack([torch.randperm(1024, generator=generator)[:40] for _ in range(16)])
    tokens_BT = torch.cat((once_BT, once_BT), 1)
    with torch.no_grad():
        guesses_BT = model.logits(model(tokens_BT[:, :-1])).argmax(-1)
    repeated = slice(44, 79)
    assert (guesses_BT[:, repeated] == tokens_BT[:, 45:80]).float().mean() > 0.9
    standard = Transformer(dataclasses.replace(config, initialization="standard"))
    initialize(standard, 0)
    with torch.no_grad():
        guesses_BT = standard.logits(standard(tokens_BT[:, :-1])).argmax(-1)
    assert (guesses_BT[:, repeated] == tokens_BT[:, 45:80]).float().mean() < 0.1


def test_lookup_is_refused_where_it_cannot_be_laid_down():
    with pytest.raises(ValueError, match="lookup"):
        dataclasses.replace(LOOKUP, num_key_value_heads=1)
    with pytest.raises(ValueError, match="lookup"):
        dataclasses.replace(LOOKUP, layout="llama")
