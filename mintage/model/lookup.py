"""Fresh weights that look things up: an induction circuit laid down by hand, and left to training from there.

Small models learn in minutes to write like their text, but not to copy a figure that stands in the prompt:
the circuit for it (attend one token back, then attend to where the same words stood before; Olsson et al.
2022, arXiv 2209.11895) takes far more tokens to form than such a run has. Here the first two layers begin
with it. Everything can still be unlearned; docs/log.md has the measurements.

The residual stream of D dimensions is laid out in three slots of d = (D - 1) // 3 and one constant:

    [0, d)     the token itself, as embedded
    [d, 2d)    the token one place before it, written by the even heads of layer 0
    [2d, 3d)   the words shortly before it (about three places), written by the odd heads of layer 0
    D - 1      a constant, from which layer 0 makes queries and keys that know positions and no contents

Layer 1 asks: where was the token before equal to mine, and the words shortly before alike? It writes the
token that stood there, and the tied head predicts it.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor

from mintage.model.attention import Attention
from mintage.model.config import ModelConfig
from mintage.model.feed_forward import GatedFeedForward
from mintage.model.transformer import Layer, Transformer

EMBEDDING = 0.15  # deviation of the token slot, and the size of the constant
EMBEDDING_NOISE = 0.01
ATTENTION_NOISE = 0.01
FEED_FORWARD_NOISE = 0.02
SHARPNESS = 3.0  # the weight of query norms
POSITION = 8.0  # queries and keys of layer 0
MATCH = 2.0  # queries and keys of layer 1
ANSWER = 0.15 * 4.0  # how strongly layer 1 writes what it found, over all heads
# For each slot that layer 0 writes: how many tokens back, and the band of RoPE frequencies that attends
# there. Fast ones point at one token; slower ones smear over its neighbours.
OFFSETS = ((1, 0.15, math.inf), (3, 0.1, 0.4))
SPAN = 60  # tokens over which the frequencies of layer 1 hardly turn, so that a match counts wherever it is


def initialize_lookup(model: Transformer, generator: torch.Generator) -> None:
    """Draw all weights and lay the circuit into the first two layers, in place; gradients are off in the
    caller."""
    config = model.config
    slot = (config.hidden_size - 1) // 3
    constant = config.hidden_size - 1

    def normal(weight: Tensor, deviation: float) -> None:
        weight.copy_(torch.normal(0.0, deviation, weight.shape, generator=generator))

    embedding = model.embedding.weight
    normal(embedding, EMBEDDING_NOISE)
    normal(embedding[:, :slot], EMBEDDING)
    embedding[:, constant] = EMBEDDING
    layers = cast(list[Layer], list(model.blocks))
    for layer in layers:
        attention, feed_forward = layer.self_attn, cast(GatedFeedForward, layer.mlp)
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
            normal(projection.weight, ATTENTION_NOISE)
        normal(feed_forward.gate_proj.weight, FEED_FORWARD_NOISE)
        normal(feed_forward.up_proj.weight, FEED_FORWARD_NOISE)
        feed_forward.down_proj.weight.zero_()
        attention.o_proj.weight.zero_()
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.fill_(SHARPNESS if name.endswith("q_norm.weight") else 1.0)
    look_back(layers[0].self_attn, config, slot, constant)
    look_up(layers[1].self_attn, config, slot, generator)


def frequencies(config: ModelConfig) -> Tensor:
    """RoPE's angle per token for each of a head's head_dim / 2 pairs of rows (i and i + head_dim / 2)."""
    pairs = torch.arange(0, config.head_dim, 2) / config.head_dim
    return config.rope_theta**-pairs


def look_back(attention: Attention, config: ModelConfig, slot: int, constant: int) -> None:
    """Layer 0: each head attends a fixed number of tokens back and writes a part of that token into a
    slot."""
    angle = frequencies(config)
    for head in range(config.num_attention_heads):
        number, part = head % len(OFFSETS), head // len(OFFSETS)
        offset, slowest, fastest = OFFSETS[number]
        band = ((angle >= slowest) & (angle <= fastest)).float()
        band = POSITION * band / band.norm()
        rows = slice(head * config.head_dim, (head + 1) * config.head_dim)
        attention.q_proj.weight[rows, constant] += torch.cat((band, torch.zeros_like(band)))
        turned = torch.cat((band * (offset * angle).cos(), band * (offset * angle).sin()))
        attention.k_proj.weight[rows, constant] += turned
        width = min(config.head_dim, slot)
        for row, coordinate in enumerate(range(slot)[part * width : (part + 1) * width]):
            attention.v_proj.weight[rows.start + row, coordinate] += 1
            attention.o_proj.weight[slot * (number + 1) + coordinate, rows.start + row] += EMBEDDING


def look_up(attention: Attention, config: ModelConfig, slot: int, generator: torch.Generator) -> None:
    """Layer 1: attend to the places whose token before is mine and whose words before are like mine; write
    what stands there."""
    angle = frequencies(config)
    steady = (angle * SPAN < 1).nonzero().flatten()
    rows = torch.cat((steady, steady + config.head_dim // 2))
    token, before, earlier = (slice(slot * number, slot * (number + 1)) for number in range(3))
    half = len(rows) - len(rows) // 2
    width = min(config.head_dim, slot)
    for head in range(config.num_attention_heads):
        start = head * config.head_dim
        for chosen, asks, answers in ((rows[:half], token, before), (rows[half:], earlier, earlier)):
            directions = MATCH * orthonormal_rows(len(chosen), slot, generator)
            attention.q_proj.weight[start + chosen, asks] += directions
            attention.k_proj.weight[start + chosen, answers] += directions
        for row in range(width):
            coordinate = (start + row) % slot if slot > config.head_dim else row
            attention.v_proj.weight[start + row, coordinate] += 1
            share = ANSWER * slot / (width * config.num_attention_heads)
            attention.o_proj.weight[coordinate, start + row] += share


def orthonormal_rows(count: int, width: int, generator: torch.Generator) -> Tensor:
    """`count` random orthonormal rows of a width of at least `count`; of a smaller width, orthonormal
    columns."""
    size = max(count, width)
    square = torch.normal(0.0, 1.0, (size, size), generator=generator)
    return torch.linalg.qr(square)[0][:count, :width]
