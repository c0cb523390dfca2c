"""Random numbers that are the same on every machine: Python's Mersenne Twister, and only + - * / on what it
gives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Stream:
    """A stream of random numbers named by its key; streams of different keys are independent.

    No call goes through the C library's exp, log or sin, whose last bit differs between machines.
    """

    __slots__ = ("uniform",)

    def __init__(self, *key: object) -> None:
        self.uniform = random.Random("/".join(map(str, key))).random

    def between(self, low: float, high: float) -> float:
        """A real number from [low, high)."""
        return low + (high - low) * self.uniform()

    def integer(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return low + int(self.uniform() * (high - low + 1))

    def normal(self) -> float:
        """Mean 0, variance 1: the sum of twelve uniforms (Irwin-Hall), bounded by 6."""
        uniform = self.uniform
        return sum(uniform() for _ in range(12)) - 6.0

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, each equally likely."""
        return choices[int(self.uniform() * len(choices))]

    def sample(self, choices: Sequence[T], count: int) -> list[T]:
        """`count` different choices (all of them where there are fewer), in random order."""
        rest = list(choices)
        return [rest.pop(int(self.uniform() * len(rest))) for _ in range(min(count, len(rest)))]
