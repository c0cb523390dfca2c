"""A GPT-2 with its norms folded into its matrices, and what it computes layer by layer.

A LayerNorm is a centring and an RMSNorm with a gain and a shift. The centring goes into all that writes to
the residual stream, whose mean is 0 from then on; the gain and the shift go into the matrices that read from
it (SliceGPT, arXiv:2401.15024, section 3). The logits stay the same.

Letters of the shapes: V vocabulary, P positions, D width, N heads, H head dimension, F neurons, R rows of
text, T tokens of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mintage.model.config import Activation, ModelConfig
from mintage.model.feed_forward import ACTIVATIONS


@dataclass(frozen=True)
class Map:
    """y = x @ weight + bias, weight (in, out)."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


@dataclass(frozen=True)
class Block:
    """A layer of a GPT-2 with its norms folded into its maps."""

    query: Map  # D to N * H, as key and value
    key: Map
    value: Map
    output: Map  # N * H to D
    up: Map  # D to F
    down: Map  # F to D


@dataclass(frozen=True)
class Folded:
    """A GPT-2 whose stream has mean 0 and whose norms are plain RMSNorms; the same logits."""

    tokens_VD: Tensor
    positions_PD: Tensor
    blocks: list[Block]
    head: Map  # D to V
    epsilon: float
    head_dim: int
    activation: Activation


def fold(tensors: Mapping[str, Tensor], config: ModelConfig) -> Folded:
    """A GPT-2's tensors, by transformers' names, with its norms folded in."""
    width = config.hidden_size

    def reader(norm: str, weight: Tensor, bias: Tensor) -> Map:
        gain_D, shift_D = tensors[f"{norm}.weight"], tensors[f"{norm}.bias"]
        return Map(gain_D[:, None] * weight, bias + shift_D @ weight)

    def writer(name: str) -> Map:
        return Map(centred(tensors[f"{name}.weight"]), centred(tensors[f"{name}.bias"]))

    blocks = []
    for number in range(config.num_hidden_layers):
        at = f"transformer.h.{number}"
        weights = tensors[f"{at}.attn.c_attn.weight"].split(width, 1)
        biases = tensors[f"{at}.attn.c_attn.bias"].split(width)
        query, key, value = (reader(f"{at}.ln_1", *pair) for pair in zip(weights, biases))
        up = reader(f"{at}.ln_2", tensors[f"{at}.mlp.c_fc.weight"], tensors[f"{at}.mlp.c_fc.bias"])
        output, down = writer(f"{at}.attn.c_proj"), writer(f"{at}.mlp.c_proj")
        blocks.append(Block(query, key, value, output, up, down))
    tokens_VD = tensors["transformer.wte.weight"]
    head_VD = tensors.get("lm_head.weight", tokens_VD)
    return Folded(
        centred(tokens_VD),
        centred(tensors["transformer.wpe.weight"]),
        blocks,
        reader("transformer.ln_f", head_VD.T, torch.zeros(len(head_VD))),
        config.layer_norm_epsilon,
        config.head_dim,
        config.hidden_act,
    )


def normalise(x: Tensor, epsilon: float) -> Tensor:
    """RMSNorm without gains: the stream as the next map reads it."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)


def centred(x: Tensor) -> Tensor:
    """Without the mean of its last dimension."""
    return x - x.mean(-1, keepdim=True)


def attention(q_RTNH: Tensor, k_RTNH: Tensor, v_RTNH: Tensor) -> Tensor:
    """What each head reads, (R, T, N * H); a token sees itself and those before it."""
    q, k, v = (x.transpose(1, 2) for x in (q_RTNH, k_RTNH, v_RTNH))
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)


@dataclass(frozen=True)
class Trace:
    """What the whole model computes in one layer."""

    before: Tensor  # the stream, (R, T, D), as the next two
    middle: Tensor
    after: Tensor
    query: Tensor  # (R, T, N, H), as the next two
    key: Tensor
    value: Tensor
    read: Tensor  # by the heads, (R, T, N * H)
    inner: Tensor  # before the activation, (R, T, F)


def trace(model: Folded, block: Block, x_RTD: Tensor) -> Trace:
    """Run one layer."""
    n_RTD = normalise(x_RTD, model.epsilon)
    q, k, v = (m(n_RTD).unflatten(-1, (-1, model.head_dim)) for m in (block.query, block.key, block.value))
    read = attention(q, k, v)
    middle = x_RTD + block.output(read)
    inner = block.up(normalise(middle, model.epsilon))
    return Trace(x_RTD, middle, middle + block.down(activate(model, inner)), q, k, v, read, inner)


def activate(model: Folded, x: Tensor) -> Tensor:
    """The feed-forward's activation."""
    return ACTIVATIONS[model.activation](x)


def embed(model: Folded, tokens_RT: Tensor) -> Tensor:
    """The stream before the first layer."""
    return model.tokens_VD[tokens_RT] + model.positions_PD[: tokens_RT.shape[1]]
