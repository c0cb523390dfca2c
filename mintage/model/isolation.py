"""Documents that share a row of a batch and do not see one another.

Packed rows hold what follows in the stream, so a row usually holds ends, middles and beginnings of several
documents. Here each token sees its own document only, and positions restart with each document, which makes
a packed row the same computation as its documents one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

    Mask = Tensor | BlockMask

# "mask": a bool for each pair of tokens, for torch's ordinary attention. "flex": a mask by blocks of 128 by
# 128 tokens for flex_attention, which skips blocks that nobody sees and has no backward pass on a CPU.
Isolation = Literal["mask", "flex"]


def positions_of(documents_BT: Tensor) -> Tensor:
    """Positions (B, T) that count from 0 in every document of a row.

    `documents_BT`: an id of each token's document. A document's tokens stand together.
    """
    places_T = torch.arange(documents_BT.shape[1], device=documents_BT.device)
    begins_BT = torch.ones_like(documents_BT, dtype=torch.bool)
    begins_BT[:, 1:] = documents_BT[:, 1:] != documents_BT[:, :-1]
    return places_T - (places_T * begins_BT).cummax(1).values


def isolation_mask(documents_BT: Tensor, isolation: Isolation) -> Mask:
    """Who sees whom, for `mintage.model.attention.attend`: the tokens before oneself in one's own document.

    Shapes depend on those of the batch alone and nothing is read back from the device, so that neither a
    compiled model nor the device's queue notices where documents begin.
    """
    if isolation == "flex":
        return _block_mask(documents_BT)
    length = documents_BT.shape[1]
    causal_TT = torch.ones(length, length, dtype=torch.bool, device=documents_BT.device).tril()
    return ((documents_BT[:, :, None] == documents_BT[:, None, :]) & causal_TT)[:, None]


def _block_mask(documents_BT: Tensor) -> BlockMask:
    from torch.nn.attention.flex_attention import create_block_mask

    def sees(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (documents_BT[row, query] == documents_BT[row, key])

    rows, length = documents_BT.shape
    return create_block_mask(sees, rows, None, length, length, device=documents_BT.device)
