"""Models as Hugging Face directories: config.json, model.safetensors, generation_config.json, the tokenizer's
files.

Safetensors only: a pickle may run code when it is opened.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mintage.errors import MintageError
from mintage.model.config import ModelConfig
from mintage.model.easing import Easing, ease
from mintage.model.transformer import Transformer

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
SHARD_BYTES = 5_000_000_000  # transformers' own limit for long; most tools and file systems are fine with it
EASING = "easing.safetensors"  # what a model that is being eased still has of its base's positions
GENERATION_CONFIG = "generation_config.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
TIED = "lm_head.weight"
FIXED = re.compile(r"(^|\.)(attn\.(bias|masked_bias)|rotary_emb\.inv_freq)$")


def save(
    model: Transformer,
    directory: str | Path,
    tokenizer_directory: str | Path | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write a model as a directory that stock libraries open without remote code; it is made if it does not
    exist.

    A tied output matrix is written once, as the embedding. Weights of more than `shard_bytes` are written in
    several files of at most that size (a single tensor may exceed it) and an index. With
    `tokenizer_directory` the tokenizer's files are copied in, and generation ends where that directory says:
    by its generation_config.json, or at the tokenizer's end-of-text and end-of-turn tokens.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
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
    tensors = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del tensors[TIED]
    _write_weights(directory, tensors, shard_bytes)
    (directory / EASING).unlink(missing_ok=True)
    if model.easing is not None:
        kept = {name: tensor.contiguous() for name, tensor in model.easing.named_buffers()}
        save_file(kept, directory / EASING)


def load(directory: str | Path) -> Transformer:
    """Open a model directory on the CPU, in float32 whatever it was stored in, in evaluation mode.

    Raises:
        MintageError: no such directory, weights in another format, an architecture or option that is not
            supported, a damaged file, or a tensor that is missing, superfluous or of another shape.
    """
    config = read_config(directory)
    with torch.device("meta"):
        model = Transformer(config)
    model.materialize("cpu")
    load_weights(directory, model)
    _load_easing(Path(directory), model)
    return model.eval()


def load_weights(directory: str | Path, model: Transformer) -> None:
    """Read a model directory's weights into a model of the same shape, in place, tensor by tensor, each in
    the model's own precision and on its device.

    Raises:
        MintageError: as `load`, or the directory holds another model.
    """
    directory = Path(directory)
    check_model(directory, model.config)
    expected = model.state_dict()
    if model.config.tie_word_embeddings:
        del expected[TIED]
    found: set[str] = set()
    for file in _weight_files(directory):
        for stored_name, tensor in _tensors(file):
            name = _own_name(stored_name, model.config)
            if name is None:
                continue
            if name not in expected:
                raise MintageError(
                    f"{directory}: the tensor {stored_name} has no place in the model of {CONFIG}"
                )
            if tensor.shape != expected[name].shape:
                raise MintageError(
                    f"{directory}: the tensor {stored_name} has shape {tuple(tensor.shape)}, and {CONFIG} "
                    f"asks for {tuple(expected[name].shape)}"
                )
            with torch.no_grad():
                expected[name].copy_(tensor)
            found.add(name)
    if missing := sorted(expected.keys() - found):
        raise MintageError(
            f"{directory}: the tensor {missing[0]} is missing; the weights are not of this {CONFIG}"
        )


def _load_easing(directory: Path, model: Transformer) -> None:
    """Give a model back what it still has of its base's positions, if that lies beside its weights."""
    if not (directory / EASING).exists():
        return
    tensors = dict(_tensors(directory / EASING))
    shape = (model.config.max_position_embeddings, model.config.hidden_size)
    if tensors.keys() != {"positions_PD", "share"} or tensors["positions_PD"].shape != shape:
        raise MintageError(f"{directory / EASING}: not of the model of {CONFIG}; copy the directory again")
    model.easing = Easing(tensors["positions_PD"])
    ease(model, tensors["share"].item())


def check_model(directory: str | Path, config: ModelConfig) -> None:
    """Whether a directory holds a model of this shape.

    Raises:
        MintageError: it holds another one; the message names what differs in both.
    """
    if differences := read_config(directory).differences(config):
        raise MintageError(
            f"{directory}: holds another model than the one asked for: {differences}. Name a checkpoint of "
            "this model, or give the recipe the checkpoint's shape"
        )


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
    # transformers imports torchao where it is installed, which warns of kernels for other machines.
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise MintageError("transformers is not installed; pip install 'mintage[interop]'") from error
    ours = load(directory)
    shows_progress = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    theirs = AutoModelForCausalLM.from_pretrained(
        str(directory), local_files_only=True, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    if shows_progress:
        transformers_logging.enable_progress_bar()
    shape = (2, min(ours.config.max_position_embeddings, 512))
    generator = torch.Generator().manual_seed(seed)
    tokens_BT = torch.randint(ours.config.vocab_size, shape, generator=generator)
    with torch.no_grad():
        differences = [
            ours.logits(ours(row_1T)) - theirs(row_1T, use_cache=False).logits
            for row_1T in tokens_BT.split(1)
        ]
    return max(float(difference.abs().max()) for difference in differences)


def _weight_files(directory: Path) -> list[Path]:
    """The safetensors files that hold a directory's weights."""
    index = directory / INDEX
    if (directory / WEIGHTS).exists():
        return [directory / WEIGHTS]
    if index.exists():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MintageError(f"{index}: not an index of weights ({error!r})") from None
        if any(Path(name).name != name for name in names):
            raise MintageError(f"{index}: names files outside its directory")
        return [directory / name for name in names]
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in directory.glob(pattern))
    if pickles:
        raise MintageError(
            f"{directory}: the weights are a pickle ({pickles[0]}), which may run code when it is "
            f"opened; convert them to {WEIGHTS} (transformers: model.save_pretrained)"
        )
    raise MintageError(f"{directory}: no {WEIGHTS}")


def _tensors(file: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a safetensors file, one after another."""
    try:
        with safe_open(file, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118  # it is no dict
                yield name, stored.get_tensor(name)
    except FileNotFoundError:
        raise MintageError(f"{file}: no such file, though {INDEX} names it") from None
    except SafetensorError as error:
        raise MintageError(f"{file}: damaged or cut off ({error}); copy it again") from None


def _own_name(stored: str, config: ModelConfig) -> str | None:
    """What a stored tensor is called here; None for one that follows from others or from the configuration:
    the mask and the angles that old versions of transformers wrote, and a tied output matrix."""
    if FIXED.search(stored) or (config.tie_word_embeddings and stored == TIED):
        return None
    # The original GPT-2 files hold the model without its head, and so without this prefix.
    if config.layout == "gpt2" and not stored.startswith(("transformer.", "lm_head.")):
        return f"transformer.{stored}"
    return stored


def _write_weights(directory: Path, tensors: dict[str, Tensor], shard_bytes: int) -> None:
    shards: list[dict[str, Tensor]] = [{}]
    room = shard_bytes
    for name, tensor in tensors.items():
        if tensor.nbytes > room and shards[-1]:
            shards.append({})
            room = shard_bytes
        shards[-1][name] = tensor
        room -= tensor.nbytes
    names = [WEIGHTS]
    if len(shards) > 1:
        count = len(shards)
        names = [f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)]
    for stale in (*directory.glob("model*.safetensors"), directory / INDEX):
        if stale.name not in names:
            stale.unlink(missing_ok=True)
    for name, shard in zip(names, shards):
        save_file(shard, directory / name, metadata={"format": "pt"})
    if len(shards) > 1:
        size = sum(tensor.nbytes for tensor in tensors.values())
        weight_map = {tensor: name for name, shard in zip(names, shards) for tensor in shard}
        _write_json(directory / INDEX, {"metadata": {"total_size": size}, "weight_map": weight_map})


def _end_tokens(tokenizer_directory: Path) -> dict[str, Any]:
    """Ids at which generation ends and the padding id, for generation_config.json: those of the directory's
    own, or end of text and end of turn."""
    own = tokenizer_directory / GENERATION_CONFIG
    values = json.loads(own.read_text(encoding="utf-8")) if own.exists() else {}
    if "eos_token_id" in values:
        return {name: values[name] for name in ("eos_token_id", "pad_token_id") if name in values}
    tokenizer = json.loads((tokenizer_directory / "tokenizer.json").read_text(encoding="utf-8"))
    config = json.loads((tokenizer_directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    ends = [ids[token] for token in (config.get("eos_token"), "<|end|>") if token in ids]
    found = {"eos_token_id": ends, "pad_token_id": ids.get(config.get("pad_token"))}
    return {name: value for name, value in found.items() if value not in (None, [])}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
