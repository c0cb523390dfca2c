from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import nn

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.model.cache import KeyValueCache
from mintage.model.config import ModelConfig, RopeScaling
from mintage.model.norm import RMSNorm
from mintage.model.transformer import Transformer
from tests.model.models import GPT2, LAYOUTS, SMALL, random_model, random_tokens


def test_parameter_count_is_the_number_of_trained_parameters(config):
    assert config.parameter_count() == sum(
        parameter.numel() for parameter in Transformer(config).parameters()
    )


def test_a_token_does_not_see_the_tokens_after_it(config):
    model, tokens = random_model(config), random_tokens(2, 30)
    changed = tokens.clone()
    changed[:, 17:] = (changed[:, 17:] + 1) % 128
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :17], after[:, :17])
    assert (before[:, 17:] - after[:, 17:]).abs().amax(-1).min() > 1e-3


def test_rows_do_not_see_each_other_nor_right_padding(config):
    model, tokens = random_model(config), random_tokens(1, 20)
    padded = torch.cat(
        (torch.cat((tokens, random_tokens(1, 20, seed=1))), random_tokens(2, 9, seed=2)), dim=1
    )
    torch.testing.assert_close(model(padded)[:1, :20], model(tokens), atol=1e-5, rtol=0)


def test_with_rope_only_distances_between_positions_matter(config):
    model, tokens = random_model(config), random_tokens(2, 20)
    positions = torch.arange(20).expand(2, 20)
    torch.testing.assert_close(model(tokens, positions), model(tokens), atol=1e-6, rtol=0)
    moved = (model(tokens, positions + 31) - model(tokens)).abs().max()
    assert moved > 1e-2 if config.layout == "gpt2" else moved < 1e-4
    assert (model(tokens, positions * 2) - model(tokens)).abs().max() > 1e-2


@pytest.mark.parametrize("chunks", [[1] * 40, [40], [10, 1, 1, 12, 16], [39, 1]], ids=str)
def test_cached_logits_are_the_uncached_ones(config, chunks):
    model, tokens = random_model(config), random_tokens(3, 40)
    cache = KeyValueCache(config, batch=3, capacity=64)
    with torch.no_grad():
        parts = [model.logits(model(part, cache=cache)) for part in tokens.split(chunks, dim=1)]
        torch.testing.assert_close(torch.cat(parts, 1), model.logits(model(tokens)), atol=1e-5, rtol=0)
    assert cache.lengths == [40, 40, 40]


def test_cached_rows_may_differ_in_length(config):
    model = random_model(config)
    lengths = [5, 20, 12]
    rows = [random_tokens(length + 3, seed=length) for length in lengths]
    padded = torch.stack([torch.cat((row[:-3], torch.full((20 - len(row[:-3]),), 7))) for row in rows])
    cache = KeyValueCache(config, batch=3, capacity=40)
    with torch.no_grad():
        model(padded, cache=cache)
        cache.truncate(lengths)
        first = model(torch.stack([row[-3:-1] for row in rows]), cache=cache)
        cache.keep([2, 0])
        last = model(torch.stack([rows[row][-1:] for row in (2, 0)]), cache=cache)
        for row, tokens in enumerate(rows):
            torch.testing.assert_close(first[row], model(tokens[None])[0, -3:-1], atol=1e-5, rtol=0)
        for index, row in enumerate((2, 0)):
            torch.testing.assert_close(last[index, 0], model(rows[row][None])[0, -1], atol=1e-5, rtol=0)


def test_norm_and_its_gradients_are_those_of_torch():
    x, weight = torch.randn(4, 5, 32, dtype=torch.float64), torch.randn(32, dtype=torch.float64)
    ours, theirs = RMSNorm(32, 1e-5).double(), nn.RMSNorm(32, 1e-5).double()
    gradient, results = torch.randn_like(x), []
    for norm in (ours, theirs):
        norm.weight.data.copy_(weight)
        leaf = x.clone().requires_grad_()
        output = norm(leaf)
        output.backward(gradient)
        results.append((output, leaf.grad, norm.weight.grad))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("layout", ["qwen3 grouped untied wide heads", "arcee gelu with biases", "gpt2 tanh"])
def test_gradients_of_the_model_agree_with_finite_differences(layout):
    model = random_model(LAYOUTS[layout]).double()
    tokens, direction = random_tokens(2, 12), copy.deepcopy(model)
    loss = model.logits(model(tokens)).log_softmax(-1)[:, :, 3].mean()
    loss.backward()
    slope, step = 0.0, 1e-6
    losses = []
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in direction.named_parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
            slope += float((model.get_parameter(name).grad * parameter).sum())
        for sign in (1, -1):
            moved = copy.deepcopy(model)
            for name, parameter in moved.named_parameters():
                parameter += sign * step * direction.get_parameter(name)
            losses.append(float(moved.logits(moved(tokens)).log_softmax(-1)[:, :, 3].mean()))
    assert slope == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_attention_heads": 6, "num_key_value_heads": 4}, "num_key_value_heads"),
        ({"head_dim": 15}, "head_dim"),
        ({"layout": "llama", "num_attention_heads": 5, "num_key_value_heads": 5}, "hidden_size"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"dropout": 1.0}, "dropout"),
        ({"mlp_bias": True}, "mlp_bias: the qwen3 layout has none"),
        ({"layout": "arcee"}, "hidden_act 'silu' is not computed in the arcee layout; set gelu or"),
        ({**GPT2, "hidden_act": "silu"}, "hidden_act 'silu' is not computed in the gpt2 layout"),
        ({**GPT2, "hidden_act": "relu", "head_dim": 12}, "num_attention_heads"),
        ({**GPT2, "hidden_act": "relu", "num_key_value_heads": 1}, "num_key_value_heads"),
        ({**GPT2, "hidden_act": "relu", "attention_bias": True}, "always has biases"),
        ({**GPT2, "hidden_act": "relu", "rope_scaling": RopeScaling(8.0, 1.0, 4.0, 32)}, "rope_scaling"),
    ],
    ids=str,
)
def test_impossible_shapes_are_refused_by_name(fields, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig(**{**SMALL, **fields})


@pytest.mark.parametrize(
    ("entries", "padded"), [(1, 64), (64, 64), (65, 128), (32768, 32768), (50257, 50304)]
)
def test_the_vocabulary_is_padded_to_a_multiple_of_64(entries, padded):
    assert ModelConfig().with_vocabulary(entries).vocab_size == padded


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("llama grouped tied", "65 tokens is longer than the model's 64 positions"),
        ("gpt2 tanh", "learned positions cannot be extended: set the context to at most 64, or train fresh"),
    ],
)
def test_a_context_longer_than_positions_is_refused(layout, message):
    model = random_model(LAYOUTS[layout])
    model(random_tokens(1, 64))
    with pytest.raises(MintageError, match=message):
        model(random_tokens(1, 65))
    cache = KeyValueCache(model.config, batch=2, capacity=80)
    model(random_tokens(2, 60), cache=cache)
    cache.truncate([3, 60])
    with pytest.raises(MintageError, match=message):
        model(random_tokens(2, 5), cache=cache)


def test_dropout_acts_in_training_alone(config):
    tokens, dropping = random_tokens(2, 20), dataclasses.replace(config, dropout=0.4)
    model, plain = random_model(dropping), random_model(dataclasses.replace(config, dropout=0.0))
    assert torch.equal(model(tokens), plain(tokens))
    assert torch.equal(plain.train()(tokens), plain.eval()(tokens))
    model.train()
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(model(tokens))
    assert torch.equal(draws[0], draws[1])
    assert (draws[0] - draws[2]).abs().max() > 0.1
    packed = []
    for isolation in ("mask", "flex"):
        torch.manual_seed(1)
        model.isolation = isolation
        packed.append(model(tokens, documents_BT=torch.arange(20).expand(2, 20) // 7))
    assert torch.equal(*packed)


def test_dropout_of_gpt2_is_where_transformers_has_it(tmp_path):
    """From one seed both draw the same masks in the same order: embeddings, then in each layer the attention
    weights, what attention adds and what the feed-forward adds."""
    transformers = pytest.importorskip("transformers")
    model = random_model(LAYOUTS["gpt2 tanh"]).train()
    huggingface.save(model, tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="sdpa").train()
    tokens = random_tokens(2, 20)
    torch.manual_seed(3)
    mine = model.logits(model(tokens))
    torch.manual_seed(3)
    torch.testing.assert_close(mine, theirs(tokens, use_cache=False).logits, atol=1e-5, rtol=0)


def test_a_model_without_a_vocabulary_is_refused():
    with pytest.raises(ValueError, match="vocab_size"):
        Transformer(ModelConfig())
