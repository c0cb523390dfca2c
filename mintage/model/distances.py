"""Heads that learned without RoPE, made to work with it.

RoPE turns pairs of a head's dimensions, some by a radian a token, some hardly at all. What a head compares of
the tokens' contents must not turn, and is laid into the pairs that hardly do. What it asks of the distance
between two tokens, which learned positions told it, is written as a sum of waves over the pairs that do turn,
by biases of the queries and keys alone.

Letters of the shapes: R rows, T tokens of a row, H head dimension, W pairs of dimensions, with an angle each.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

RIDGE = 1e-3  # of a fit, in shares of the mean square of its features


def contents_first(query_RTH: Tensor, key_RTH: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices (H, H) that keep all products of queries and keys, and order the dimensions by what these
    contribute to them, the slowest pair of RoPE's first.

    Products are measured in the queries' and keys' own second moments, as in balanced truncation.
    """
    size = query_RTH.shape[-1]
    query_root, query_inverse = roots(query_RTH)
    key_root, key_inverse = roots(key_RTH)
    left, scale, right = torch.linalg.svd(query_root @ key_root)
    half = size // 2
    places = torch.tensor([place for pair in reversed(range(half)) for place in (pair, pair + half)])
    query_HH, key_HH = query_inverse @ left * scale.sqrt(), key_inverse @ right.T * scale.sqrt()
    return query_HH[:, places.argsort()].float(), key_HH[:, places.argsort()].float()


def roots(x_RTH: Tensor) -> tuple[Tensor, Tensor]:
    """The square root of the second moment of vectors, and its inverse."""
    flat = x_RTH.flatten(0, 1).double()
    square = flat.T @ flat / len(flat)
    square += 1e-6 * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
    values, vectors = torch.linalg.eigh(square)
    return vectors * values.sqrt() @ vectors.T, vectors / values.sqrt() @ vectors.T


def distance_biases(query_RTH: Tensor, key_RTH: Tensor, angles_W: Tensor) -> tuple[Tensor, Tensor]:
    """Biases (2 W,) of queries and keys that, turned by RoPE by `angles_W` a token, give each distance the
    score that it has between the mean query and the mean key of two positions.

    The score is a sum of cosines and sines of the distance times an angle; their sizes are fitted by least
    squares, each pair of positions weighted by the attention that it gets. What all keys of a query share is
    left out, as the softmax leaves it, and so is the first token, where attention rests at any distance
    (arXiv:2309.17453).
    """
    query_TH, key_TH = query_RTH[:, 1:].mean(0), key_RTH[:, 1:].mean(0)
    length, size = query_TH.shape
    score_TT = query_TH @ key_TH.T
    places_T = torch.arange(length)
    distance_TT = places_T[:, None] - places_T
    hidden_TT = distance_TT < 0
    attention_TT = torch.softmax((score_TT / math.sqrt(size)).masked_fill(hidden_TT, -math.inf), 1)
    even_TT = torch.softmax(torch.zeros_like(score_TT).masked_fill(hidden_TT, -math.inf), 1)
    weight_TT1 = ((attention_TT + even_TT) / 2)[:, :, None]

    def beside_the_others(x: Tensor) -> Tensor:
        relative = x - (weight_TT1 * x).sum(1, keepdim=True)
        return (relative * weight_TT1.sqrt()).flatten(0, 1).double()

    turned_TTW = distance_TT[:, :, None] * angles_W
    features = beside_the_others(torch.cat((turned_TTW.cos(), turned_TTW.sin()), -1))
    square = features.T @ features
    ridge = RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
    target = beside_the_others(score_TT[:, :, None])
    sizes = torch.linalg.solve(square + ridge, features.T @ target).squeeze(1).float()
    cosine_W, sine_W = sizes.chunk(2)
    amplitude_W = torch.hypot(cosine_W, sine_W).sqrt()
    query = torch.cat((amplitude_W, torch.zeros_like(amplitude_W)))
    return query, torch.cat((cosine_W, sine_W)) / amplitude_W.clamp_min(1e-12).repeat(2)
