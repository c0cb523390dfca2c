"""Positions on their way into RoPE: what the model is at each share of it, against transformers."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.model.config import ModelConfig
from mintage.model.continued import continue_from
from mintage.model.easing import Easing, ease
from mintage.model.huggingface import EASING
from mintage.model.transformer import Transformer
from tests.model.models import random_model

CONFIG = ModelConfig(
    vocab_size=96, layout="arcee", hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=2, num_key_value_heads=2, head_dim=16, max_position_embeddings=24, hidden_act="gelu",
)  # fmt: skip
TOKENS_BT = torch.arange(48).reshape(2, 24) % 96


def eased(share: float) -> Transformer:
    model = random_model(CONFIG)
    positions_PD = torch.randn(24, 32, generator=torch.Generator().manual_seed(1))
    model.easing = Easing(positions_PD)
    ease(model, share)
    return model


def theirs(model: Transformer, directory, share: float) -> Tensor:
    """Hidden states of transformers' own class, given the embeddings with what is left of the positions,
    and angles divided by the share."""
    transformers = pytest.importorskip("transformers")
    huggingface.save(model, directory)
    config = transformers.AutoConfig.from_pretrained(directory)
    config.rope_parameters = {"rope_type": "linear", "factor": 1 / share, "rope_theta": CONFIG.rope_theta}
    stock = transformers.AutoModelForCausalLM.from_pretrained(directory, config=config).eval()
    x_BTD = stock.model.embed_tokens(TOKENS_BT)
    if model.easing is not None:
        x_BTD = x_BTD + (1 - share) * model.easing.positions_PD
    return stock.model(inputs_embeds=x_BTD).last_hidden_state


@pytest.mark.parametrize("share", [1e-6, 0.25, 0.5, 1.0])
def test_at_each_share_angles_have_grown_and_positions_faded(tmp_path, share):
    model = eased(share)
    with torch.no_grad():
        assert torch.allclose(model(TOKENS_BT), theirs(model, tmp_path, share), atol=1e-5)


def test_at_the_start_nothing_turns_and_positions_tell_places_apart():
    model = eased(0.0)
    same_BT = torch.full((1, 24), 5)
    assert torch.equal(model.cos_S1H, torch.ones_like(model.cos_S1H)) and not model.sin_S1H.any()
    with torch.no_grad():
        hidden_TD = model(same_BT)[0]
        assert (hidden_TD[1:] - hidden_TD[:-1]).abs().amax(1).min() > 1e-3
        model.easing.positions_PD.zero_()
        hidden_TD = model(same_BT)[0]
        assert torch.allclose(hidden_TD[1:], hidden_TD[:-1], atol=1e-6)


def test_at_the_end_the_model_is_the_stock_one_bit_by_bit():
    stock, model = random_model(CONFIG), eased(0.7)
    ease(model, 1.0)
    with torch.no_grad():
        assert torch.equal(model(TOKENS_BT), stock(TOKENS_BT))
    assert model.easing is None
    ease(model, 0.2)  # there is no way back
    assert torch.equal(model.cos_S1H, stock.cos_S1H)


def test_directory_gives_the_model_back_with_its_share(tmp_path):
    model = eased(0.4)
    huggingface.save(model, tmp_path)
    again = huggingface.load(tmp_path)
    with torch.no_grad():
        assert torch.equal(again(TOKENS_BT), model(TOKENS_BT))
    ease(again, 1.0)
    huggingface.save(again, tmp_path)
    assert not (tmp_path / EASING).exists() and huggingface.load(tmp_path).easing is None


def test_damaged_positions_are_refused(tmp_path):
    huggingface.save(eased(0.4), tmp_path)
    content = (tmp_path / EASING).read_bytes()
    (tmp_path / EASING).write_bytes(content[:-9])
    with pytest.raises(MintageError, match="damaged or cut off"):
        huggingface.load(tmp_path)
    share, narrow, right = torch.zeros(()), torch.zeros(24, 16), torch.zeros(24, 32)
    for tensors in ({"share": share, "positions_PD": narrow}, {"positions_PD": right}):
        save_file(tensors, tmp_path / EASING)
        with pytest.raises(MintageError, match=r"not of the model of config\.json"):
            huggingface.load(tmp_path)


def test_isolated_documents_begin_with_the_first_position():
    model = eased(0.4)
    documents_BT = (torch.arange(24) >= 10).int().expand(2, -1)
    with torch.no_grad():
        packed_BTD = model(TOKENS_BT, documents_BT=documents_BT)
        assert torch.allclose(packed_BTD[:, 10:], model(TOKENS_BT[:, 10:]), atol=1e-5)


def test_longer_context_than_the_bases_has_the_mean_of_its_positions(tmp_path):
    base = ModelConfig(
        vocab_size=96, layout="gpt2", hidden_size=48, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=3, num_key_value_heads=3, head_dim=16, max_position_embeddings=12,
        hidden_act="gelu",
    )  # fmt: skip
    huggingface.save(random_model(base), tmp_path)
    model = continue_from(tmp_path, dataclasses.replace(CONFIG, num_hidden_layers=1), [TOKENS_BT])
    positions_PD = model.easing.positions_PD
    assert len(positions_PD) == 24
    assert torch.allclose(positions_PD[12:], positions_PD[:12].mean(0).expand(12, -1), atol=1e-6)
