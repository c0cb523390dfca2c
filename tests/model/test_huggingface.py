from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.model.config import ARCHITECTURES, ModelConfig
from mintage.model.transformer import Transformer
from tests.model.models import LAYOUTS, SMALL, random_model, random_tokens

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
transformers.utils.logging.disable_progress_bar()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    huggingface.save(random_model(LAYOUTS["qwen3 tied"]), tmp_path / "model")
    return tmp_path / "model"


def edit_config(directory: Path, **changes: object) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def their_logits(model, tokens):
    with torch.no_grad():
        return model.eval()(tokens, use_cache=False).logits


def our_logits(model, tokens):
    with torch.no_grad():
        return model.logits(model(tokens))


def test_transformers_computes_the_same_logits_from_our_directory(config, tmp_path):
    model, tokens = random_model(config), random_tokens(2, 50)
    huggingface.save(model, tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(theirs).__name__ == ARCHITECTURES[config.layout]
    torch.testing.assert_close(their_logits(theirs, tokens), our_logits(model, tokens), atol=1e-5, rtol=0)
    assert huggingface.compare_with_transformers(tmp_path) < 1e-5


@pytest.mark.parametrize("theta_elsewhere", [False, True], ids=["rope_parameters", "rope_theta"])
def test_we_compute_the_same_logits_from_their_directory(config, tmp_path, theta_elsewhere):
    fields = {name: value for name, value in config.to_huggingface().items() if name != "rope_theta"}
    del fields["architectures"]
    theirs_config = transformers.AutoConfig.for_model(fields.pop("model_type"), **fields)
    torch.manual_seed(0)
    theirs = transformers.AutoModelForCausalLM.from_config(theirs_config)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.mul_(4 if parameter.dim() > 1 else 1.1).add_(0.02 * torch.randn(parameter.shape))
    theirs.save_pretrained(tmp_path)
    if theta_elsewhere:  # as transformers 4 wrote it
        scaling = config.to_huggingface().get("rope_scaling")
        edit_config(tmp_path, rope_parameters=None, rope_theta=config.rope_theta, rope_scaling=scaling)
    ours, tokens = huggingface.load(tmp_path), random_tokens(2, 50)
    assert ours.config == config
    torch.testing.assert_close(our_logits(ours, tokens), their_logits(theirs, tokens), atol=1e-5, rtol=0)


def test_saving_and_loading_keeps_every_bit(config, tmp_path):
    model = random_model(config)
    huggingface.save(model, tmp_path)
    again = huggingface.load(tmp_path)
    assert again.config == config
    assert model.state_dict().keys() == again.state_dict().keys()
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())
    stored = load_file(tmp_path / "model.safetensors")
    assert ("lm_head.weight" in stored) is not config.tie_word_embeddings
    assert sum(tensor.numel() for tensor in stored.values()) == config.parameter_count()


def test_a_directory_needs_no_remote_code(saved):
    assert {path.name for path in saved.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors"
    }  # fmt: skip
    assert "auto_map" not in (saved / "config.json").read_text()


def test_weights_are_float32_whatever_they_were_stored_in(saved):
    exact = huggingface.load(saved).state_dict()
    tensors = load_file(saved / "model.safetensors")
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, saved / "model.safetensors")
    edit_config(saved, dtype="bfloat16")
    for name, tensor in huggingface.load(saved).state_dict().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, exact[name], atol=0, rtol=2**-8)


def test_weights_in_several_files_are_read(saved):
    tensors = load_file(saved / "model.safetensors")
    (saved / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    for part, held in parts.items():
        save_file({name: tensors[name] for name in held}, saved / part)
    weight_map = {name: part for part, held in parts.items() for name in held}
    (saved / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    loaded = huggingface.load(saved).state_dict()
    assert all(torch.equal(tensors[name], loaded[name]) for name in tensors)
    (saved / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(MintageError, match="model-00002-of-00002"):
        huggingface.load(saved)


def test_weights_beyond_a_limit_are_written_in_shards(config, tmp_path):
    model, tokens = random_model(config), random_tokens(2, 50)
    huggingface.save(model, tmp_path, shard_bytes=40_000)
    parts = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(parts) > 2 and parts[0] == f"model-00001-of-{len(parts):05d}.safetensors"
    assert all((tmp_path / part).stat().st_size < 45_000 for part in parts)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 4 * config.parameter_count()
    again = huggingface.load(tmp_path).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    torch.testing.assert_close(their_logits(theirs, tokens), our_logits(model, tokens), atol=1e-5, rtol=0)
    huggingface.save(model, tmp_path)
    assert [path.name for path in tmp_path.glob("model*")] == ["model.safetensors"]


def test_a_checkpoint_of_another_model_is_refused_and_both_are_named(saved):
    qwen3 = LAYOUTS["qwen3 tied"]
    huggingface.load_weights(saved, Transformer(qwen3))
    with pytest.raises(MintageError, match=r"model: holds another model .*: layout qwen3 against gpt2\."):
        huggingface.load_weights(saved, Transformer(LAYOUTS["gpt2 tanh"]))
    with pytest.raises(MintageError, match=r"hidden_size 48 against 64, num_hidden_layers 3 against 4"):
        huggingface.check_model(saved, dataclasses.replace(qwen3, hidden_size=64, num_hidden_layers=4))
    huggingface.check_model(saved, dataclasses.replace(qwen3, dropout=0.3))


def test_end_tokens_of_another_models_tokenizer_travel(tmp_path):
    """Llama 3.2 ends at any of several tokens; GPT-2 names its end in the tokenizer's files alone."""
    llama, gpt2 = tmp_path / "llama", tmp_path / "gpt2"
    llama.mkdir()
    (llama / "tokenizer.json").write_text("{}")
    (llama / "generation_config.json").write_text(
        json.dumps({"bos_token_id": 120, "eos_token_id": [121, 122, 123], "temperature": 0.6})
    )
    gpt2.mkdir()
    (gpt2 / "tokenizer.json").write_text(
        json.dumps({"added_tokens": [{"id": 127, "content": "<|endoftext|>"}]})
    )
    (gpt2 / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    for folder, ends in ((llama, [121, 122, 123]), (gpt2, [127])):
        huggingface.save(random_model(LAYOUTS["llama grouped tied"]), tmp_path / "model", folder)
        generation = transformers.GenerationConfig.from_pretrained(tmp_path / "model")
        assert generation.eos_token_id == ends and generation.temperature is None


def test_tokenizer_files_and_end_tokens_travel_with_the_model(tmp_path):
    from mintage.tokens.tokenizer import Tokenizer, TokenizerSettings, train

    tokenizer = train(TokenizerSettings(vocab_size=300), ["Revenue rose to 1,234 million in 2019. " * 20])
    tokenizer.save(tmp_path / "tokenizer")
    config = ModelConfig(**{**SMALL, "vocab_size": 320})
    huggingface.save(random_model(config), tmp_path / "model", tmp_path / "tokenizer")
    assert Tokenizer.load(tmp_path / "model").hash == tokenizer.hash
    generation = transformers.GenerationConfig.from_pretrained(tmp_path / "model")
    assert generation.eos_token_id == [tokenizer.end_of_text_id, tokenizer.end_of_turn_id]
    assert generation.pad_token_id == tokenizer.pad_id
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    assert theirs.encode("Revenue rose 5%") == tokenizer.encode("Revenue rose 5%")
    huggingface.save(random_model(config), tmp_path / "model", tmp_path / "model")  # a checkpoint onto itself


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "mamba"}, "'mamba' is not supported; Mintage opens qwen3, llama, gpt2, arcee"),
        ({"architectures": ["Qwen3ForSequenceClassification"]}, "Qwen3ForSequenceClassification"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 5e5, "factor": 8.0}}, "yarn"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0}}, "low_freq_factor"),
        ({"rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 2.0}}, "linear"),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "partial rotary"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"use_sliding_window": True, "sliding_window": 16}, "sliding-window"),
        ({"layer_types": ["sliding_attention"]}, "sliding-window"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantized"),
        ({"num_key_value_heads": 2}, "num_key_value_heads"),
    ],
    ids=str,
)
def test_a_model_that_we_would_compute_otherwise_is_refused(saved, changes, message):
    edit_config(saved, **changes)
    with pytest.raises(MintageError, match=rf"^{re.escape(str(saved))}.config\.json: .*{message}"):
        huggingface.load(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation_function": "gelu_fast"}, "gelu_fast"),
        ({"attn_pdrop": 0.3}, "attn_pdrop"),
        ({"scale_attn_weights": False}, "without scaling"),
        ({"scale_attn_by_inverse_layer_idx": True}, "layer's index"),
        ({"add_cross_attention": True}, "cross-attention"),
        ({"n_head": 5}, "hidden_size"),
    ],
    ids=str,
)
def test_a_gpt2_that_we_would_compute_otherwise_is_refused(tmp_path, changes, message):
    huggingface.save(random_model(LAYOUTS["gpt2 tanh"]), tmp_path)
    edit_config(tmp_path, **changes)
    with pytest.raises(MintageError, match=rf"config\.json: .*{message}"):
        huggingface.load(tmp_path)


def test_tensors_that_do_not_fit_are_refused_by_name(saved):
    tensors = load_file(saved / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"

    def refused(changed: dict[str, torch.Tensor], message: str) -> None:
        save_file(changed, saved / "model.safetensors")
        with pytest.raises(MintageError, match=message):
            huggingface.load(saved)

    refused({key: tensor for key, tensor in tensors.items() if key != name}, f"{name} is missing")
    refused({**tensors, "model.layers.3.extra": torch.zeros(2)}, "model.layers.3.extra has no place")
    refused({**tensors, name: tensors[name][:-1]}, rf"{name} has shape \(79, 48\)")


def test_a_tied_output_matrix_that_was_stored_twice_is_read(saved):
    tensors = load_file(saved / "model.safetensors")
    again = {**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"].clone()}
    save_file(again, saved / "model.safetensors")
    model = huggingface.load(saved)
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_pickles_and_damaged_files_are_refused(saved, tmp_path):
    whole = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MintageError, match="cut off"):
        huggingface.load(saved)
    (saved / "model.safetensors").unlink()
    with pytest.raises(MintageError, match=r"no model\.safetensors"):
        huggingface.load(saved)
    torch.save({}, saved / "pytorch_model.bin")
    with pytest.raises(MintageError, match="may run code"):
        huggingface.load(saved)
    (saved / "config.json").write_text("{")
    with pytest.raises(MintageError, match="not JSON"):
        huggingface.load(saved)
    shutil.rmtree(saved)
    with pytest.raises(MintageError, match=r"no config\.json"):
        huggingface.load(saved)


@pytest.mark.parametrize("missing", ["hidden_size", "max_position_embeddings", "vocab_size"])
def test_a_missing_field_is_named(saved, missing):
    path = saved / "config.json"
    values = json.loads(path.read_text())
    del values[missing]
    path.write_text(json.dumps(values))
    with pytest.raises(MintageError, match=missing):
        huggingface.load(saved)
