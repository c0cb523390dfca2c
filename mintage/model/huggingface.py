"""Models as Hugging Face directories: config.json, model.safetensors, generation_config.json, the tokenizer's
files.

Safetensors only: a pickle may run code when it is opened.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mintage.errors import MintageError
from mintage.model.config import ModelConfig
from mintage.model.transformer import Transformer

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
GENERATION_CONFIG = "generation_config.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
TIED = "lm_head.weight"


def save(model: Transformer, directory: str | Path, tokenizer_directory: str | Path | None = None) -> None:
    """Write a model as a directory that stock libraries open without remote code; it is made if it does not
    exist.

    A tied output matrix is written once, as the embedding. With `tokenizer_directory` the tokenizer's files
    are copied in, and generation ends at its end-of-text and end-of-turn tokens.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del tensors[TIED]
    dtype = str(model.lm_head.weight.dtype).removeprefix("torch.")
    _write_json(directory / CONFIG, {**model.config.to_huggingface(), "dtype": dtype})
    generation: dict[str, Any] = {"do_sample": False}
    if tokenizer_directory is not None:
        generation |= _end_tokens(Path(tokenizer_directory))
        for name in TOKENIZER_FILES:
            source = Path(tokenizer_directory) / name
            if source.exists() and source.resolve() != (directory / name).resolve():
                shutil.copyfile(source, directory / name)
    _write_json(directory / GENERATION_CONFIG, generation)
    save_file(tensors, directory / WEIGHTS, metadata={"format": "pt"})


def load(directory: str | Path) -> Transformer:
    """Open a model directory on the CPU, in float32 whatever it was stored in, in evaluation mode.

    Raises:
        MintageError: no such directory, weights in another format, an architecture or option that is not
            supported, a damaged file, or a tensor that is missing, superfluous or of another shape.
    """
    directory = Path(directory)
    config = read_config(directory)
    stored = _read_weights(directory)
    model = Transformer(config)
    expected = model.state_dict()
    if config.tie_word_embeddings:
        # Some writers store a tied output matrix a second time.
        stored.pop(TIED, None)
        del expected[TIED]
    for name in sorted(expected.keys() | stored.keys()):
        if name not in stored:
            raise MintageError(
                f"{directory}: the tensor {name} is missing; the file is not of this config.json"
            )
        if name not in expected:
            raise MintageError(f"{directory}: the tensor {name} has no place in the model of config.json")
        if stored[name].shape != expected[name].shape:
            raise MintageError(
                f"{directory}: the tensor {name} has shape {tuple(stored[name].shape)}, and config.json "
                f"asks for {tuple(expected[name].shape)}"
            )
    with torch.no_grad():
        for name, tensor in expected.items():
            tensor.copy_(stored[name])
    return model.eval()


def read_config(directory: str | Path) -> ModelConfig:
    """The configuration of a model directory.

    Raises:
        MintageError: there is none, it is not JSON, or it describes a model that Mintage does not compute.
    """
    path = Path(directory) / CONFIG
    if not path.exists():
        raise MintageError(f"{directory}: no {CONFIG}; name a directory that holds a model")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise MintageError(f"{path}: not JSON ({error})") from None
    if not isinstance(values, dict):
        raise MintageError(f"{path}: a JSON object is expected")
    try:
        return ModelConfig.from_huggingface(values)
    except MintageError as error:
        raise MintageError(f"{path.parent}{os.sep}{error}") from error


def compare_with_transformers(directory: str | Path, seed: int = 0) -> float:
    """The proof of a saved model: the largest absolute difference between the logits of our transformer and
    those of transformers' own class, both read from `directory`, in float32, on random tokens that fill the
    context (at most 512).

    Raises:
        MintageError: transformers is not installed.
    """
    try:
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging
    except ImportError as error:
        raise MintageError("transformers is not installed; pip install 'mintage[interop]'") from error
    ours = load(directory).eval()
    shows_progress = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    theirs = AutoModelForCausalLM.from_pretrained(
        str(directory), local_files_only=True, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    if shows_progress:
        logging.enable_progress_bar()
    shape = (2, min(ours.config.max_position_embeddings, 512))
    generator = torch.Generator().manual_seed(seed)
    tokens_BT = torch.randint(ours.config.vocab_size, shape, generator=generator)
    with torch.no_grad():
        difference = ours.logits(ours(tokens_BT)) - theirs(tokens_BT, use_cache=False).logits
    return float(difference.abs().max())


def _read_weights(directory: Path) -> dict[str, torch.Tensor]:
    index = directory / f"{WEIGHTS}.index.json"
    if (directory / WEIGHTS).exists():
        parts = [directory / WEIGHTS]
    elif index.exists():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError) as error:
            raise MintageError(f"{index}: not an index of weights ({error!r})") from None
        if any(Path(name).name != name for name in names):
            raise MintageError(f"{index}: names files outside its directory")
        parts = [directory / name for name in names]
    else:
        pickles = sorted(
            path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in directory.glob(pattern)
        )
        if pickles:
            raise MintageError(
                f"{directory}: the weights are a pickle ({pickles[0]}), which may run code when it is "
                f"opened; convert them to {WEIGHTS} (transformers: model.save_pretrained)"
            )
        raise MintageError(f"{directory}: no {WEIGHTS}")
    tensors: dict[str, torch.Tensor] = {}
    for part in parts:
        try:
            tensors |= load_file(part)
        except FileNotFoundError:
            raise MintageError(f"{part}: no such file, though {index.name} names it") from None
        except SafetensorError as error:
            raise MintageError(f"{part}: damaged or cut off ({error}); copy it again") from None
    return tensors


def _end_tokens(tokenizer_directory: Path) -> dict[str, Any]:
    """Ids at which generation ends (end of text, end of turn), and the padding id, for
    generation_config.json."""
    tokenizer = json.loads((tokenizer_directory / "tokenizer.json").read_text(encoding="utf-8"))
    config = json.loads((tokenizer_directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    ends = [ids[token] for token in (config["eos_token"], "<|end|>") if token in ids]
    return {"eos_token_id": ends, "pad_token_id": ids[config["pad_token"]]}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
