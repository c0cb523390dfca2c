"""Learned positions that fade while RoPE comes: how a model cut out of a GPT-2 learns to do without them.

While it lasts, a model is between two architectures: its directory says so by a file of its own beside the
weights (huggingface.py), and only Mintage computes what the model then is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mintage.model.attention import rotary_tables

if TYPE_CHECKING:
    from mintage.model.transformer import Transformer


class Easing(nn.Module):
    """What a model still has of its base's positions.

    Buffers: `positions_PD`, a vector for each position, which are not trained; `share`, float32 (), how much
    of the way is gone, from 0 (positions whole, RoPE turns nothing) to 1.
    """

    def __init__(self, positions_PD: Tensor) -> None:
        super().__init__()
        self.positions_PD = nn.Buffer(positions_PD, persistent=False)
        self.share = nn.Buffer(torch.zeros(()), persistent=False)

    def forward(self, x_BTD: Tensor, chosen: Tensor | slice) -> Tensor:
        return x_BTD + (1 - self.share) * self.positions_PD[chosen]


def ease(model: Transformer, share: float) -> None:
    """Bring a model to this share of its way, in place. At 1 it is a stock model, bit by bit; a model that
    has no way to go stays as it is."""
    if model.easing is None:
        return
    with model.cos_S1H.device:
        cos_SH, sin_SH = rotary_tables(model.config, share)
    model.cos_S1H.copy_(cos_SH[:, None])
    model.sin_S1H.copy_(sin_SH[:, None])
    model.easing.share.fill_(share)
    if share >= 1:
        model.easing = None
