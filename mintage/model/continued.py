"""The weights of another model, to go on from: as they are, or cut to a smaller shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.model.config import ModelConfig
from mintage.model.cut import cut
from mintage.model.easing import Easing, ease
from mintage.model.transformer import Transformer

# Tables with a row for each token, and with a row for each position.
VOCABULARY = ("model.embed_tokens.weight", "transformer.wte.weight", "lm_head.weight")
POSITIONS = "transformer.wpe.weight"
# What may differ between a base and the model that goes on from it as it is.
FREE = ("vocab_size", "max_position_embeddings", "dropout", "initialization")

SMALLER = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
GELU = ("gelu", "gelu_new")  # by the error function and by tanh: nowhere 0.001 apart


def continue_from(directory: Path, config: ModelConfig, calibration: Iterable[Tensor]) -> Transformer:
    """The model of a directory, made to fit `config`: as it is where only the vocabulary or the context
    differ, and a GPT-2 cut to a smaller Arcee, which has the base's positions until training has eased them
    into RoPE.

    Entries that the vocabulary has beyond the base's begin as the mean of its embeddings; entries beyond the
    recipe's (padding) are dropped, and so are learned positions beyond its context.

    Args:
        calibration: batches of token ids (B, T), taken only where something is to be cut.

    Raises:
        MintageError: the base has another shape that this cannot be cut out of, or is being eased itself.
    """
    base = huggingface.load(directory)
    if base.easing is not None:
        raise MintageError(
            f"{directory}: its learned positions are still being eased into RoPE "
            f"({base.easing.share:.0%} of the way); take a later checkpoint"
        )
    differing = differences(base.config, config)
    tensors, positions_PC = base.state_dict(), None
    if differing and (base.config.layout, config.layout) == ("gpt2", "arcee"):
        refuse_larger(directory, base.config, config)
        with torch.no_grad():
            tensors, positions_PC = cut(tensors, base.config, config, joined(calibration, base.config))
    elif differing:
        named = ", ".join(
            f"{name} is {getattr(base.config, name)} in the base and {getattr(config, name)} in the recipe"
            for name in differing
        )
        raise MintageError(f"{directory}: {named}; write the base's shape into the recipe's `model`")
    for name in tensors.keys() & set(VOCABULARY):
        tensors[name] = with_rows(tensors[name], config.vocab_size)
    if POSITIONS in tensors:
        tensors[POSITIONS] = tensors[POSITIONS][: config.max_position_embeddings]
    model = Transformer(config)
    model.load_state_dict(tensors)
    if positions_PC is not None:
        model.easing = Easing(with_rows(positions_PC, config.max_position_embeddings))
        ease(model, 0.0)
    return model


def joined(calibration: Iterable[Tensor], base: ModelConfig) -> Tensor:
    """Batches of running text as rows (R, T) that the base's positions allow."""
    batches = list(calibration)
    length = min(base.max_position_embeddings, *(batch.shape[1] for batch in batches))
    return torch.cat([batch[:, : batch.shape[1] // length * length].reshape(-1, length) for batch in batches])


def refuse_larger(directory: Path, base: ModelConfig, config: ModelConfig) -> None:
    """Refuse a cut that leaves nothing to take, or changes what a cut keeps.

    Raises:
        MintageError: the message names the setting.
    """
    for name in SMALLER:
        if getattr(config, name) > getattr(base, name):
            raise MintageError(
                f"{directory}: model.{name}: {getattr(config, name)} cannot be cut out of the base's "
                f"{getattr(base, name)}"
            )
    both = {base.hidden_act, config.hidden_act}
    for name, kept in (
        ("head_dim", base.head_dim == config.head_dim),
        ("hidden_act", len(both) == 1 or both <= set(GELU)),
    ):
        if not kept:
            raise MintageError(
                f"{directory}: model.{name}: the base has {getattr(base, name)}, which a cut keeps, and the "
                f"recipe {getattr(config, name)}"
            )
    if config.num_key_value_heads != config.num_attention_heads:
        raise MintageError(
            f"{directory}: model.num_key_value_heads: a GPT-2 has as many as heads, and a cut keeps that"
        )


def differences(base: ModelConfig, config: ModelConfig) -> list[str]:
    """The fields in which two shapes differ, besides those that weights do not depend on."""
    too_long = base.layout == "gpt2" and config.max_position_embeddings > base.max_position_embeddings
    return [
        field.name
        for field in dataclasses.fields(ModelConfig)
        if getattr(base, field.name) != getattr(config, field.name)
        and (field.name not in FREE or (too_long and field.name == "max_position_embeddings"))
    ]


def with_rows(table_VD: Tensor, rows: int) -> Tensor:
    """A table of so many rows: the first ones of this table, and its mean for each that is new."""
    new = table_VD.mean(0).expand(max(0, rows - len(table_VD)), -1)
    return torch.cat((table_VD[:rows], new))
