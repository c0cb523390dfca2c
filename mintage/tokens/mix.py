"""A mix of sources: weights in parts of 1/1,000, and the cycle that says which source each sequence comes
from."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np

PARTS = 1000  # a weight is a whole number of these


@dataclass(frozen=True)
class Cycle:
    """Which stream each slot takes: a cycle of P slots. In every prefix, the count of each of the S streams
    is within one of its share."""

    stream_P: np.ndarray
    before_PS: (
        np.ndarray
    )  # slots of each stream before a place in the cycle; one more row for the whole cycle

    @staticmethod
    def make(parts: list[int]) -> Cycle:
        """A cycle with shares proportional to whole numbers.

        The n-th slot of a stream of share w may come from floor(n / w) on, and must come before ceil((n + 1)
        / w). Taking the earliest deadline among those that may come meets every deadline (Baruah et al.,
        "Proportionate progress", 1996), and then no count is ever one away from its share.
        """
        divisor = gcd(*parts)
        share = [part // divisor for part in parts]
        period = sum(share)
        taken = [0] * len(share)
        order = []
        before = [taken.copy()]
        for slot in range(period):
            ready = [n for n, w in enumerate(share) if w and taken[n] * period // w <= slot]
            chosen = min(ready, key=lambda n: (-(-(taken[n] + 1) * period // share[n]), n))
            taken[chosen] += 1
            order.append(chosen)
            before.append(taken.copy())
        return Cycle(np.array(order), np.array(before))

    def find(self, slot_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The stream of each slot, and how many slots of that stream came before it."""
        cycle_B, place_B = np.divmod(slot_B, len(self.stream_P))
        stream_B = self.stream_P[place_B]
        return stream_B, cycle_B * self.before_PS[-1][stream_B] + self.before_PS[place_B, stream_B]

    def taken(self, slots: int) -> np.ndarray:
        """Slots of each stream among the first so many."""
        cycles, place = divmod(slots, len(self.stream_P))
        return cycles * self.before_PS[-1] + self.before_PS[place]


def weights(mix: dict[str, float]) -> dict[str, int]:
    """Weights in whole parts of 1/1,000, by largest remainder; no source is rounded to nothing."""
    total = sum(mix.values())
    exact = {name: PARTS * weight / total for name, weight in sorted(mix.items())}
    parts = {name: max(1, int(value)) for name, value in exact.items()}
    while (missing := PARTS - sum(parts.values())) != 0:
        sign = 1 if missing > 0 else -1
        movable = [name for name in parts if parts[name] + sign >= 1]
        parts[max(movable, key=lambda name: (sign * (exact[name] - parts[name]), name))] += sign
    return parts
