"""Each layout against transformers' own class: padded batches, cached decoding, and real models' directories
with the fields and file formats that they are published with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mintage.model import huggingface
from mintage.model.cache import KeyValueCache
from mintage.model.config import ModelConfig, RopeScaling
from tests.model.models import random_model, random_tokens

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
transformers.utils.logging.disable_progress_bar()

CLOSE = {"atol": 1e-5, "rtol": 0}
LENGTHS = [5, 20, 12]


@pytest.fixture
def pair(config, tmp_path):
    """Our model, and transformers' own class on the same weights."""
    model = random_model(config)
    huggingface.save(model, tmp_path)
    return model, transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()


@torch.no_grad()
def test_padding_on_either_side_changes_no_row(pair):
    """Ours pads on the right without a mask and has rows go on behind their own last token; theirs pads on
    the left or right with a mask."""
    ours, theirs = pair
    rows = [random_tokens(length, seed=length) for length in LENGTHS]
    longest = max(LENGTHS)
    padding = [torch.full((longest - length,), 7) for length in LENGTHS]
    right_BT = torch.stack([torch.cat((row, pad)) for row, pad in zip(rows, padding)])
    left_BT = torch.stack([torch.cat((pad, row)) for row, pad in zip(rows, padding)])
    right_mask_BT = torch.stack([torch.arange(longest) < length for length in LENGTHS]).long()
    left_mask_BT = right_mask_BT.flip(1)
    left_positions_BT = (left_mask_BT.cumsum(1) - 1).clamp(min=0)
    cache = KeyValueCache(ours.config, batch=3, capacity=40)
    mine = ours.logits(ours(right_BT, cache=cache))
    on_right = theirs(right_BT, attention_mask=right_mask_BT).logits
    on_left = theirs(left_BT, attention_mask=left_mask_BT, position_ids=left_positions_BT, use_cache=True)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(mine[row, :length], on_right[row, :length], **CLOSE)
        torch.testing.assert_close(mine[row, :length], on_left.logits[row, -length:], **CLOSE)

    cache.truncate(LENGTHS)
    more_B2 = random_tokens(3, 2, seed=9)
    for step in range(2):
        more_mask = torch.cat((left_mask_BT, torch.ones(3, step + 1, dtype=torch.long)), 1)
        on_left = theirs(
            more_B2[:, step : step + 1],
            attention_mask=more_mask,
            position_ids=torch.tensor(LENGTHS)[:, None] + step,
            past_key_values=on_left.past_key_values,
            use_cache=True,
        )
        mine = ours.logits(ours(more_B2[:, step : step + 1], cache=cache))
        torch.testing.assert_close(mine, on_left.logits, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("chunks", [[1] * 64, [30, 1, 13, 20]], ids=["token by token", "chunks"])
def test_cached_decoding_to_the_last_position(pair, chunks):
    ours, theirs = pair
    tokens_BT = random_tokens(2, 64)
    cache, past = KeyValueCache(ours.config, batch=2, capacity=64), None
    for part_BT in tokens_BT.split(chunks, dim=1):
        output = theirs(part_BT, past_key_values=past, use_cache=True)
        past = output.past_key_values
        torch.testing.assert_close(ours.logits(ours(part_BT, cache=cache)), output.logits, **CLOSE)


# The published config.json of real models (transformers 4 wrote them), and what is made smaller here.
LLAMA_3_2 = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 120,
    "eos_token_id": [121, 122, 123],
    "head_dim": 16,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 160,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {
        "factor": 32.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.45.0.dev0",
    "use_cache": True,
    "vocab_size": 128,
}
SMOLLM2 = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "hidden_act": "silu",
    "hidden_size": 72,
    "initializer_range": 0.041666666666666664,
    "intermediate_size": 192,
    "is_llama_config": True,
    "max_position_embeddings": 8192,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 9,
    "num_hidden_layers": 2,
    "num_key_value_heads": 3,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_interleaved": False,
    "rope_scaling": None,
    "rope_theta": 100000,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.40.1",
    "use_cache": True,
    "vocab_size": 128,
}
QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 120,
    "eos_token_id": 121,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 192,
    "max_position_embeddings": 40960,
    "max_window_layers": 28,
    "model_type": "qwen3",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.0",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 128,
}
GPT2 = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "attn_pdrop": 0.1,
    "bos_token_id": 1256,
    "embd_pdrop": 0.1,
    "eos_token_id": 1256,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_ctx": 1024,
    "n_embd": 32,
    "n_head": 4,
    "n_layer": 2,
    "n_positions": 1024,
    "resid_pdrop": 0.1,
    "summary_activation": None,
    "summary_first_dropout": 0.1,
    "summary_proj_to_labels": True,
    "summary_type": "cls_index",
    "summary_use_proj": True,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
    "vocab_size": 1257,
}
# AFM-4.5B, as transformers 5 writes it (made smaller).
ARCEE = {
    "architectures": ["ArceeForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 120,
    "dtype": "bfloat16",
    "eos_token_id": 121,
    "head_dim": 16,
    "hidden_act": "relu2",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 160,
    "max_position_embeddings": 4096,
    "mlp_bias": False,
    "model_type": "arcee",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pad_token_id": None,
    "rms_norm_eps": 1e-05,
    "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
    "tie_word_embeddings": False,
    "transformers_version": "5.0.0",
    "use_cache": True,
    "vocab_size": 128,
}


def published(folder: Path, values: dict[str, Any], dtype: torch.dtype, shard_size: str = "50GB") -> Any:
    """A directory as its makers published it, of random weights: their model, in float32."""
    torch.manual_seed(0)
    arguments = {
        name: value for name, value in values.items() if name not in ("architectures", "torch_dtype")
    }
    theirs = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.for_model(arguments.pop("model_type"), **json.loads(json.dumps(arguments)))
    )
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.mul_(3 if parameter.dim() > 1 else 1).add_(0.05 * torch.randn(parameter.shape))
    theirs.to(dtype).save_pretrained(folder, max_shard_size=shard_size)
    (folder / "config.json").write_text(json.dumps(values))
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@torch.no_grad()
def check(folder: Path, theirs: Any, length: int = 200) -> ModelConfig:
    ours = huggingface.load(folder)
    tokens_BT = random_tokens(2, length, vocab_size=ours.config.vocab_size)
    torch.testing.assert_close(ours.logits(ours(tokens_BT)), theirs(tokens_BT).logits, **CLOSE)
    assert huggingface.compare_with_transformers(folder) < 1e-5
    huggingface.save(ours, folder / "again")
    assert huggingface.read_config(folder / "again") == ours.config
    assert huggingface.compare_with_transformers(folder / "again") < 1e-5
    return ours.config


def test_llama_3_2_in_shards(tmp_path):
    theirs = published(tmp_path, LLAMA_3_2, torch.bfloat16, "50KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    config = check(tmp_path, theirs)
    assert config.rope_scaling == RopeScaling(32.0, 1.0, 4.0, 8192)
    assert config.rope_theta == 500000.0 and config.tie_word_embeddings
    far = torch.arange(8000, 8040)[None]
    ours, tokens_BT = huggingface.load(tmp_path), random_tokens(1, 40)
    with torch.no_grad():
        mine, other = ours.logits(ours(tokens_BT, far)), theirs(tokens_BT, position_ids=far).logits
    # Angles of thousands of radians have float32's rounding in both.
    torch.testing.assert_close(mine, other, atol=1e-4, rtol=0)


def test_smollm2(tmp_path):
    config = check(tmp_path, published(tmp_path, SMOLLM2, torch.bfloat16))
    assert (config.head_dim, config.num_key_value_heads, config.rope_theta) == (8, 3, 100000)


def test_qwen3_with_heads_wider_than_its_hidden_size(tmp_path):
    config = check(tmp_path, published(tmp_path, QWEN3, torch.bfloat16))
    assert config.head_dim == 128 and config.num_attention_heads * config.head_dim != config.hidden_size


def test_arcee(tmp_path):
    assert check(tmp_path, published(tmp_path, ARCEE, torch.bfloat16)).hidden_act == "relu2"


@pytest.mark.parametrize("old", [False, True], ids=["today", "the original files"])
def test_gpt2(tmp_path, old):
    theirs = published(tmp_path, GPT2, torch.float32 if old else torch.float16)
    if old:  # without the prefix, and with the masks that transformers once stored
        tensors = load_file(tmp_path / "model.safetensors")
        tensors = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
        for layer in range(2):
            tensors[f"h.{layer}.attn.bias"] = torch.ones(1024, 1024).tril()[None, None]
            tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
        save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = check(tmp_path, theirs)
    assert (config.vocab_size, config.max_position_embeddings, config.dropout) == (1257, 1024, 0.1)
    assert config.intermediate_size == 4 * 32 and config.tie_word_embeddings
