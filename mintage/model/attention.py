"""Grouped-query attention with rotary positions, and normalised queries and keys in the Qwen3 layout."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache as remember
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from mintage.model.cache import KeyValueCache
from mintage.model.config import ModelConfig
from mintage.model.norm import RMSNorm

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

    from mintage.model.isolation import Mask

Rotary = tuple[Tensor, Tensor]  # cosines and sines of the tokens' angles, each (T, 1, H) or (B, T, 1, H)


def rotary_frequencies(config: ModelConfig) -> Tensor:
    """The angle per token, float32 (H / 2,), of each pair of a head's dimensions (RoFormer, arXiv:2104.09864,
    section 3.2.2), stretched as `rope_scaling` asks."""
    exponents_F = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    frequencies_F = 1.0 / config.rope_theta**exponents_F
    scaling = config.rope_scaling
    if scaling is None:
        return frequencies_F
    turns_F = scaling.original_max_position_embeddings * frequencies_F / (2 * math.pi)
    kept_F = (turns_F - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    kept_F = kept_F.clamp(0, 1)
    return frequencies_F * (kept_F + (1 - kept_F) / scaling.factor)


def rotary_tables(config: ModelConfig, share: float = 1.0) -> Rotary:
    """Cosines and sines, float32 (S, H) each, of this share of every position's angles (RoFormer, eq. 15),
    laid out for `rotate`: once for the first half of a head's dimensions, where the sine is negative, once
    for the second."""
    positions_S = torch.arange(config.max_position_embeddings, dtype=torch.float32)
    angles_SF = positions_S[:, None] * rotary_frequencies(config) * share
    cos_SF, sin_SF = angles_SF.cos(), angles_SF.sin()
    return torch.cat((cos_SF, cos_SF), dim=-1), torch.cat((-sin_SF, sin_SF), dim=-1)


def rotate(x_BTNH: Tensor, cos_T1H: Tensor, sin_T1H: Tensor) -> Tensor:
    """Turn each pair (i, i + H/2) of a head's dimensions by its position's angle ("half-split", as Hugging
    Face stores Llama weights; the paper's pairs (2i, 2i + 1) are the same up to a permutation of the
    weights)."""
    swapped_BTNH = x_BTNH.roll(x_BTNH.shape[-1] // 2, dims=-1)
    return torch.addcmul(x_BTNH * cos_T1H, swapped_BTNH, sin_T1H)


def attend(
    q_BTNH: Tensor,
    k_BKSH: Tensor,
    v_BKSH: Tensor,
    mask_B1TS: Mask | None = None,
    dropout: float = 0.0,
) -> Tensor:
    """What each query reads: (B, T, N * H). Without a mask token t sees the first t + 1 keys, and one token
    alone sees all of them. N may be a multiple of K (arXiv:2305.13245). `dropout`: the share of attention
    weights that are dropped, which a mask by blocks does not allow."""
    if mask_B1TS is not None and not isinstance(mask_B1TS, Tensor):
        return _attend_by_blocks(q_BTNH, k_BKSH, v_BKSH, mask_B1TS)
    attended_BNTH = functional.scaled_dot_product_attention(
        q_BTNH.transpose(1, 2),
        k_BKSH,
        v_BKSH,
        attn_mask=mask_B1TS,
        dropout_p=dropout,
        is_causal=mask_B1TS is None and q_BTNH.shape[1] > 1,
        enable_gqa=q_BTNH.shape[2] != k_BKSH.shape[1],
    )
    return attended_BNTH.transpose(1, 2).flatten(2)


def _attend_by_blocks(q_BTNH: Tensor, k_BKSH: Tensor, v_BKSH: Tensor, mask: BlockMask) -> Tensor:
    from torch.nn.attention.flex_attention import flex_attention

    attend: Callable[..., Tensor] = flex_attention
    if q_BTNH.is_cuda and not torch.compiler.is_compiling():
        attend = _compiled(attend)  # only compiled it skips blocks
    attended_BNTH = attend(
        q_BTNH.transpose(1, 2).to(v_BKSH.dtype),  # autocast leaves what rotation made in float32
        k_BKSH.to(v_BKSH.dtype),
        v_BKSH,
        block_mask=mask,
        enable_gqa=q_BTNH.shape[2] != k_BKSH.shape[1],
    )
    return attended_BNTH.transpose(1, 2).flatten(2)


@remember
def _compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return torch.compile(function, dynamic=False)


class Attention(nn.Module):
    """Causal self-attention: x_BTD -> (B, T, D)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_dim, self.dropout = config.head_dim, config.dropout
        query_size = config.num_attention_heads * config.head_dim
        key_size = config.num_key_value_heads * config.head_dim
        bias = config.attention_bias
        self.q_proj = nn.Linear(config.hidden_size, query_size, bias=bias)
        self.k_proj = nn.Linear(config.hidden_size, key_size, bias=bias)
        self.v_proj = nn.Linear(config.hidden_size, key_size, bias=bias)
        self.o_proj = nn.Linear(query_size, config.hidden_size, bias=bias)
        normalised = config.layout == "qwen3"
        self.q_norm = RMSNorm(config.head_dim, config.rms_norm_eps) if normalised else nn.Identity()
        self.k_norm = RMSNorm(config.head_dim, config.rms_norm_eps) if normalised else nn.Identity()

    def forward(
        self,
        x_BTD: Tensor,
        rotary: Rotary,
        mask_B1TS: Mask | None,
        cache: KeyValueCache | None,
        layer: int,
    ) -> Tensor:
        cos_T1H, sin_T1H = rotary
        heads = (*x_BTD.shape[:2], -1, self.head_dim)
        q_BTNH = rotate(self.q_norm(self.q_proj(x_BTD).view(heads)), cos_T1H, sin_T1H)
        k_BTKH = rotate(self.k_norm(self.k_proj(x_BTD).view(heads)), cos_T1H, sin_T1H)
        v_BTKH = self.v_proj(x_BTD).view(heads)
        if cache is None:
            k_BKSH, v_BKSH = k_BTKH.transpose(1, 2), v_BTKH.transpose(1, 2)
        else:
            k_BKSH, v_BKSH = cache.write(layer, k_BTKH, v_BTKH)
        dropout = self.dropout if self.training else 0.0
        return self.o_proj(attend(q_BTNH, k_BKSH, v_BKSH, mask_B1TS, dropout))
