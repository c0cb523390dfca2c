"""The GPT-2 layout (Radford et al. 2019): LayerNorm before each half of a layer, learned positions, and
matrices stored (in, out). Parameter names are those of transformers' GPT2LMHeadModel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mintage.model.attention import Rotary, attend
from mintage.model.cache import KeyValueCache
from mintage.model.config import ModelConfig
from mintage.model.feed_forward import ACTIVATIONS

if TYPE_CHECKING:
    from mintage.model.isolation import Mask


class Conv1D(nn.Module):
    """A linear map whose weight is stored (in, out), as the original GPT-2 does: (..., in) -> (..., out)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        flat = torch.addmm(self.bias, x.flatten(0, -2), self.weight)
        return flat.unflatten(0, x.shape[:-1])


class GPT2Attention(nn.Module):
    """Causal self-attention with queries, keys and values from one matrix: x_BTD -> (B, T, D)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_dim, self.dropout = config.head_dim, config.dropout
        self.c_attn = Conv1D(config.hidden_size, 3 * config.hidden_size)
        self.c_proj = Conv1D(config.hidden_size, config.hidden_size)

    def forward(
        self, x_BTD: Tensor, mask_B1TS: Mask | None, cache: KeyValueCache | None, layer: int
    ) -> Tensor:
        heads = (*x_BTD.shape[:2], -1, self.head_dim)
        q_BTNH, k_BTKH, v_BTKH = (part.reshape(heads) for part in self.c_attn(x_BTD).chunk(3, dim=-1))
        if cache is None:
            k_BKSH, v_BKSH = k_BTKH.transpose(1, 2), v_BTKH.transpose(1, 2)
        else:
            k_BKSH, v_BKSH = cache.write(layer, k_BTKH, v_BTKH)
        dropout = self.dropout if self.training else 0.0
        return self.c_proj(attend(q_BTNH, k_BKSH, v_BKSH, mask_B1TS, dropout))


class GPT2FeedForward(nn.Module):
    """Two matrices with an activation between them: x_BTD -> (B, T, D)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.c_fc = Conv1D(config.hidden_size, config.intermediate_size)
        self.c_proj = Conv1D(config.intermediate_size, config.hidden_size)
        self.activation = ACTIVATIONS[config.hidden_act]

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.c_proj(self.activation(self.c_fc(x_BTD)))


class GPT2Layer(nn.Module):
    """Attention and feed-forward, each behind its norm and added to the residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.attn = GPT2Attention(config)
        self.ln_2 = nn.LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.mlp = GPT2FeedForward(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(
        self,
        x_BTD: Tensor,
        rotary: Rotary | None,
        mask_B1TS: Mask | None,
        cache: KeyValueCache | None,
        layer: int,
    ) -> Tensor:
        """`rotary` is None: positions are in the embeddings."""
        x_BTD = x_BTD + self.drop(self.attn(self.ln_1(x_BTD), mask_B1TS, cache, layer))
        return x_BTD + self.drop(self.mlp(self.ln_2(x_BTD)))


class GPT2Decoder(nn.Module):
    """Embeddings of tokens and positions, layers and final norm: transformers' `transformer` inside a
    GPT2LMHeadModel."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.hidden_size)
        self.wpe = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.h = nn.ModuleList(GPT2Layer(config) for _ in range(config.num_hidden_layers))
        self.ln_f = nn.LayerNorm(config.hidden_size, config.layer_norm_epsilon)
