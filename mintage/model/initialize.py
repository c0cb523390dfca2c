"""Fresh weights, drawn from a seed."""

from __future__ import annotations

import torch
from torch import nn

from mintage.model.attention import Attention
from mintage.model.config import ModelConfig
from mintage.model.transformer import Transformer

STANDARD_DEVIATION = 0.02


def initialize(model: Transformer, seed: int) -> None:
    """Draw all weights anew, in place; the same seed gives the same weights, whatever else draws random
    numbers.

    "standard": normal with deviation 0.02 (GPT-2), norms 1, and zeros in the two projections that write into
    the residual stream, so that every layer begins as the identity. "copying": as standard, but attention
    begins as a look-up of equal tokens: queries and keys near the identity, and values times outputs near
    half of it.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                nn.init.ones_(parameter)
            elif name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.zeros_(parameter)
            else:
                parameter.copy_(torch.normal(0.0, STANDARD_DEVIATION, parameter.shape, generator=generator))
        if model.config.initialization == "copying":
            selection = _head_selection(model.config)
            for module in model.modules():
                if isinstance(module, Attention):
                    _add_copying(module, selection)


def _head_selection(config: ModelConfig) -> torch.Tensor:
    """The (N·H, D) matrix of zeros and ones through which each query head reads the slice of the residual
    stream that its key-value head reads."""
    group = config.num_attention_heads // config.num_key_value_heads
    heads_N = torch.arange(config.num_attention_heads) // group
    dimensions = (heads_N[:, None] * config.head_dim + torch.arange(config.head_dim)) % config.hidden_size
    return nn.functional.one_hot(dimensions.flatten(), config.hidden_size).float()


def _add_copying(attention: Attention, selection: torch.Tensor) -> None:
    group = attention.q_proj.out_features // attention.k_proj.out_features
    heads = selection.unflatten(0, (-1, attention.head_dim))
    key_selection = heads[::group].flatten(0, 1)
    readers_D = selection.sum(0).clamp(min=1)
    attention.q_proj.weight.add_(selection)
    attention.k_proj.weight.add_(key_selection)
    attention.v_proj.weight.add_(key_selection * 0.5**0.5)
    attention.o_proj.weight.add_((selection / readers_D).T * 0.5**0.5)
