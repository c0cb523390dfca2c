"""The peer: a plain GPT-2-shaped model and its training step, written from nanoGPT's published description.

Pre-norm blocks with LayerNorm and GELU, learned positions, fused query-key-value projection, a tied head
whose logits are built whole, weights normal(0.02) with residual projections scaled by 1/sqrt(2 * layers), no
biases. AdamW is fused here too, which the original turns on for CUDA only: this peer is faster than the
original on a CPU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """Size of the model; `context` is the number of learned positions."""

    layers: int
    width: int
    heads: int
    vocabulary: int
    context: int
    dropout: float = 0.0


class Block(nn.Module):
    """Attention and feed-forward, each behind a LayerNorm and added to the stream."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.heads, self.dropout = shape.heads, shape.dropout
        self.ln_1 = nn.LayerNorm(shape.width, bias=False)
        self.c_attn = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.attention_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.ln_2 = nn.LayerNorm(shape.width, bias=False)
        self.c_fc = nn.Linear(shape.width, 4 * shape.width, bias=False)
        self.mlp_proj = nn.Linear(4 * shape.width, shape.width, bias=False)
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, x_BTD: Tensor) -> Tensor:
        batch, length, width = x_BTD.shape
        q, k, v = self.c_attn(self.ln_1(x_BTD)).split(width, dim=2)
        q, k, v = (x.view(batch, length, self.heads, -1).transpose(1, 2) for x in (q, k, v))
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        attended = attended.transpose(1, 2).contiguous().view(batch, length, width)
        x_BTD = x_BTD + self.drop(self.attention_proj(attended))
        return x_BTD + self.drop(self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x_BTD)))))


class GPT(nn.Module):
    """Tokens to logits, or to the mean cross-entropy where targets are given."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.wte = nn.Embedding(shape.vocabulary, shape.width)
        self.wpe = nn.Embedding(shape.context, shape.width)
        self.drop = nn.Dropout(shape.dropout)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.ln_f = nn.LayerNorm(shape.width, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                residual = name.endswith("_proj.weight")
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * shape.layers) if residual else 0.02)

    def hidden(self, tokens_BT: Tensor) -> Tensor:
        """Hidden states after the final norm."""
        positions_T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device)
        x_BTD = self.drop(self.wte(tokens_BT) + self.wpe(positions_T))
        for block in self.blocks:
            x_BTD = block(x_BTD)
        return self.ln_f(x_BTD)

    def logits(self, hidden_BTD: Tensor) -> Tensor:
        """Through the tied head."""
        return F.linear(hidden_BTD, self.wte.weight)

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
        logits_BTV = self.logits(self.hidden(tokens_BT))
        return F.cross_entropy(logits_BTV.view(-1, logits_BTV.shape[-1]), targets_BT.view(-1))


def optimizer_of(model: nn.Module, rate: float) -> torch.optim.AdamW:
    """AdamW with weight decay 0.1 on matrices and betas 0.9 and 0.95."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)


def rate_of(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over 5% of the steps, then cosine to a tenth of the peak."""
    warmup = max(1, steps // 20)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))


def take_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, tokens_BT: Tensor, targets_BT: Tensor
) -> float:
    """Forward, backward, clip to 1, update; returns the loss."""
    loss = model(tokens_BT, targets_BT)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()
