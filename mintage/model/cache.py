"""Keys and values of the tokens seen so far, so that each new token costs one forward over itself alone."""

from __future__ import annotations

import torch
from torch import Tensor

from mintage.model.config import ModelConfig


class KeyValueCache:
    """Static storage for a batch of sequences: `keys` and `values` per layer, each (B, K, S, H) = (batch,
    key-value heads, capacity in tokens, head dimension). Row b holds `lengths[b]` tokens; rows may differ in
    length.
    """

    def __init__(
        self,
        config: ModelConfig,
        batch: int,
        capacity: int,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        shape = (batch, config.num_key_value_heads, capacity, config.head_dim)
        layers = range(config.num_hidden_layers)
        # Zeros, for a mask gives the unwritten places weight 0, and 0 times a stray NaN would be NaN.
        self.keys = [torch.zeros(shape, device=device, dtype=dtype) for _ in layers]
        self.values = [torch.zeros(shape, device=device, dtype=dtype) for _ in layers]
        self.lengths = [0] * batch

    @property
    def capacity(self) -> int:
        """Most tokens that a row can hold."""
        return self.keys[0].shape[2]

    def positions(self, count: int) -> Tensor:
        """Positions (B, count) of the next `count` tokens of every row."""
        starts_B = torch.tensor(self.lengths, device=self.keys[0].device)
        return starts_B[:, None] + torch.arange(count, device=starts_B.device)

    def mask(self, count: int) -> Tensor | None:
        """Which stored tokens the next `count` tokens may see: bool (B, 1, count, S), S the longest row after
        them.

        None where no mask is needed: first tokens of an empty cache (plain causal), or one more token for
        rows of equal length (it sees all).
        """
        equal = len(set(self.lengths)) == 1
        if equal and (count == 1 or self.lengths[0] == 0):
            return None
        positions_BT = self.positions(count)
        stored_S = torch.arange(max(self.lengths) + count, device=positions_BT.device)
        return (stored_S <= positions_BT[:, :, None])[:, None]

    def write(self, layer: int, k_BTKH: Tensor, v_BTKH: Tensor) -> tuple[Tensor, Tensor]:
        """Store new keys and values behind each row's tokens; returns all of the layer's, (B, K, S, H) each.
        `advance` counts them once every layer has written."""
        keys_BKSH, values_BKSH = self.keys[layer], self.values[layer]
        count = k_BTKH.shape[1]
        stop = max(self.lengths) + count
        if len(set(self.lengths)) == 1:
            keys_BKSH[:, :, stop - count : stop] = k_BTKH.transpose(1, 2)
            values_BKSH[:, :, stop - count : stop] = v_BTKH.transpose(1, 2)
        else:
            rows_B1 = torch.arange(len(self.lengths), device=k_BTKH.device)[:, None]
            positions_BT = self.positions(count)
            keys_BKSH[rows_B1, :, positions_BT] = k_BTKH
            values_BKSH[rows_B1, :, positions_BT] = v_BTKH
        return keys_BKSH[:, :, :stop], values_BKSH[:, :, :stop]

    def advance(self, count: int) -> None:
        """Count `count` more tokens in every row."""
        self.lengths = [length + count for length in self.lengths]

    def truncate(self, lengths: list[int]) -> None:
        """Forget what lies behind `lengths[b]` tokens of row b, such as the padding of a right-padded
        prompt."""
        self.lengths = list(lengths)

    def keep(self, rows: list[int]) -> None:
        """Keep only these rows, in this order."""
        index = torch.tensor(rows, device=self.keys[0].device)
        self.keys = [keys_BKSH[index] for keys_BKSH in self.keys]
        self.values = [values_BKSH[index] for values_BKSH in self.values]
        self.lengths = [self.lengths[row] for row in rows]
