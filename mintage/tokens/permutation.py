"""A keyed permutation of 0 .. n-1, computed for any index by itself: no array of n is ever made.

A Feistel network over the next even number of bits, walked along its cycles until the value is below n (Black
and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002). The round function is the finalizer of SplitMix64
(Steele, Lea and Flood 2014). Good for shuffling, not for secrets.
"""

from __future__ import annotations

import numpy as np

ROUNDS = 6
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix64(value: np.ndarray) -> np.ndarray:
    """SplitMix64's finalizer: a bijection of uint64 whose every output bit depends on every input bit."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def permute(index: np.ndarray, size: int, key: np.ndarray) -> np.ndarray:
    """Where the permutations of 0 .. size-1 that the keys choose send the indices.

    Args:
        index: integers below `size`.
        key: uint64, one for each index; equal keys are the same permutation.

    Returns:
        int64, of the shape of `index`. For one key, distinct indices have distinct images.
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    image = index.astype(np.uint64)
    outside = np.arange(len(image))
    while len(outside):  # a value outside is sent on; the cycle that it lies on leads back inside
        image[outside] = _encrypt(image[outside], np.uint64(half), key[outside])
        outside = outside[image[outside] >= size]
    return image.astype(np.int64)


def _encrypt(value: np.ndarray, half: np.uint64, key: np.ndarray) -> np.ndarray:
    low = np.uint64((1 << int(half)) - 1)
    left, right = value >> half, value & low
    for number in range(ROUNDS):
        left, right = right, left ^ (mix64(right + key + GOLDEN * np.array([number], np.uint64)) & low)
    return (left << half) | right
