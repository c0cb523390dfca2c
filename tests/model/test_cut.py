"""A cut model: its shape and names, what it keeps of a trained base, and what is refused."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from mintage.errors import MintageError
from mintage.model import cut, huggingface
from mintage.model.config import ModelConfig
from mintage.model.continued import continue_from
from mintage.model.cut import fit, gains, layers
from mintage.model.easing import ease
from mintage.model.fold import Map, fold
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from tests.model.models import GPT2, random_model

BASE = ModelConfig(
    **(
        GPT2
        | {
            "vocab_size": 64,
            "intermediate_size": 96,
            "max_position_embeddings": 32,
            "layer_norm_epsilon": 1e-5,
        }
    ),
    hidden_act="gelu_new",
)
CUT = dataclasses.replace(
    BASE,
    layout="arcee",
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=2,
    attention_bias=True,
    mlp_bias=True,
)


def text(rows: int, seed: int) -> torch.Tensor:
    """A language in which the next token depends on the last two, and is known nine times in ten."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(64, (rows, 33), generator=generator)
    for place in range(2, 33):
        known = (tokens[:, place - 1] * 5 + tokens[:, place - 2] % 4 + 3) % 64
        is_known = torch.rand(rows, generator=generator) < 0.9
        tokens[:, place] = torch.where(is_known, known, tokens[:, place])
    return tokens


def loss(model: Transformer, tokens: torch.Tensor) -> torch.Tensor:
    logits = model.logits(model(tokens[:, :-1]))
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory with a small GPT-2 that has learned the language."""
    torch.set_num_threads(1)
    model = Transformer(BASE)
    initialize(model, 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(300):
        value = loss(model, text(32, step))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert value < 1.6
    directory = tmp_path_factory.mktemp("base")
    huggingface.save(model, directory)
    return directory


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("biased", [True, False])
def test_cut_model_keeps_most_of_what_its_base_has_learned(trained, tied, biased):
    config = dataclasses.replace(CUT, tie_word_embeddings=tied, attention_bias=biased, mlp_bias=biased)
    fresh = Transformer(config)
    initialize(fresh, 0)
    model = continue_from(trained, config, [text(64, 1000 + n)[:, :-1] for n in range(4)])
    held_out = text(128, 9999)
    with torch.no_grad():
        whole, before = loss(huggingface.load(trained), held_out), loss(fresh, held_out)
        after = loss(model, held_out)
    assert after < whole + 0.2 * (before - whole), (whole, after, before)


@pytest.mark.parametrize(
    ("function", "without"),
    [
        ("directions", lambda model, streams, width: torch.eye(48)[:, :width]),
        ("fit", lambda features, target, prior, biased: prior),
    ],
)
def test_each_part_of_a_cut_keeps_some_of_what_was_learned(trained, monkeypatch, function, without):
    calibration, held_out = [text(64, 1000 + n)[:, :-1] for n in range(4)], text(128, 9999)
    with torch.no_grad():
        after = loss(continue_from(trained, CUT, calibration), held_out)
        monkeypatch.setattr(cut, function, without)
        worse = loss(continue_from(trained, CUT, calibration), held_out)
    assert after < worse - 0.1


def test_cut_that_leaves_nothing_out_computes_what_its_base_computes(trained, tmp_path):
    base = huggingface.load(trained)
    base.state_dict()["transformer.ln_f.bias"].zero_()  # an Arcee's head has none
    huggingface.save(base, tmp_path)
    whole = ("hidden_size", "intermediate_size", "num_hidden_layers")
    heads = {"num_attention_heads": BASE.num_attention_heads, "num_key_value_heads": BASE.num_key_value_heads}
    config = dataclasses.replace(CUT, **heads, **{name: getattr(BASE, name) for name in whole})
    untied = dataclasses.replace(config, tie_word_embeddings=False, rms_norm_eps=BASE.layer_norm_epsilon)
    model = continue_from(tmp_path, untied, [text(64, 1000)[:, :-1]])
    tokens = text(16, 9999)[:, :-1]
    with torch.no_grad():
        logits, expected = model.logits(model(tokens)), base.logits(base(tokens))
    assert torch.allclose(logits, expected, atol=1e-3)


def test_cut_model_opens_in_transformers_when_its_positions_are_gone(trained, tmp_path):
    pytest.importorskip("transformers")
    model = continue_from(trained, CUT, [text(64, 1000)[:, :-1]])
    huggingface.save(model, tmp_path)
    with pytest.raises(MintageError, match=r"0% of the way\); take a later checkpoint"):
        continue_from(tmp_path, CUT, [])
    ease(model, 1.0)
    huggingface.save(model, tmp_path)
    assert huggingface.compare_with_transformers(tmp_path) < 1e-4


def test_the_two_gelus_stand_for_each_other(trained):
    calibration, held_out = [text(64, 1000)[:, :-1]], text(64, 9999)
    models = [
        continue_from(trained, dataclasses.replace(CUT, hidden_act=name), calibration)
        for name in ("gelu", "gelu_new")
    ]
    with torch.no_grad():
        assert abs(loss(models[0], held_out) - loss(models[1], held_out)) < 0.01


def test_longer_vocabulary_gets_the_mean_and_the_rest_stays(trained):
    calibration = [text(64, 1000)[:, :-1]]
    longer = continue_from(trained, dataclasses.replace(CUT, vocab_size=128), calibration).state_dict()
    same = continue_from(trained, CUT, calibration).state_dict()
    table = same["model.embed_tokens.weight"]
    assert torch.equal(longer["model.embed_tokens.weight"][:64], table)
    assert torch.allclose(longer["model.embed_tokens.weight"][64:], table.mean(0).expand(64, -1))


def test_layer_that_adds_nothing_goes_first(trained):
    model = huggingface.load(trained)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("transformer.h.1.") and "c_proj" in name:
                parameter.mul_(1e-3)
    assert layers(fold(model.state_dict(), BASE), text(16, 0)[:, :-1], 2) == [0, 2]


def test_fit_finds_a_linear_map_and_leaves_what_it_cannot_see():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 8, generator=generator)
    x[:, 7] = 0
    truth, prior = torch.randn(2, 8, 3, generator=generator)
    got = fit(x, x @ truth + 2.0, Map(prior, torch.zeros(3)), biased=True)
    assert torch.allclose(got.weight[:7], truth[:7], atol=0.02)
    assert torch.allclose(got.weight[7], prior[7], atol=1e-4)
    assert torch.allclose(got.bias, torch.full((3,), 2.0), atol=0.01)


def test_gains_do_not_see_what_all_tokens_share():
    generator = torch.Generator().manual_seed(0)
    table_VC, n_RTC = torch.randn(40, 6, generator=generator), torch.randn(9, 5, 6, generator=generator)
    truth_C = torch.rand(6, generator=generator) + 0.5
    # The whole model's logits are the cut one's with these gains, but for a number that all tokens get.
    shared_C = 3 * torch.randn(6, generator=generator)
    head_CV = truth_C[:, None] * table_VC.T + shared_C[:, None]
    assert torch.allclose(gains(table_VC, head_CV, n_RTC, n_RTC), truth_C, atol=0.01)
    assert torch.allclose(gains(table_VC + shared_C, head_CV, n_RTC, n_RTC), truth_C, atol=0.01)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_hidden_layers": 4}, "num_hidden_layers: 4 cannot be cut out of the base's 3"),
        ({"hidden_size": 64}, "hidden_size: 64 cannot be cut"),
        ({"head_dim": 8}, "head_dim: the base has 16"),
        ({"hidden_act": "relu"}, "hidden_act: the base has gelu_new"),
        ({"num_key_value_heads": 1}, "num_key_value_heads"),
        ({"layout": "llama", "hidden_act": "silu"}, "layout is gpt2 in the base and llama in the recipe"),
    ],
)
def test_shape_that_cannot_be_cut_is_refused(tmp_path, changed, message):
    huggingface.save(random_model(BASE), tmp_path)
    with pytest.raises(MintageError, match=message):
        continue_from(tmp_path, dataclasses.replace(CUT, **changed), [text(4, 0)[:, :-1]])
