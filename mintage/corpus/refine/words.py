"""Words of texts as 64-bit hashes, in numpy: letters folded to lower case, figures kept whole.

A word is a run of letters, digits and bytes above ASCII; spaces, punctuation, currency signs and the
typographic blocks of Unicode part words. A figure is one word: 1,234.5 is not cut at its point, and commas
between groups of three digits are left out, so that 1,234 and 1234 are the same figure and 1,235 is another.

This is how near duplicates, decontamination and quality see a text. It has nothing to do with the model's
tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LETTER, DIGIT = 1, 2
PIECE_BYTES = 1 << 16  # what is hashed at a time fits the processor's cache
LONGEST_WORD = 1 << 10  # bytes beyond do not count

BASE = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2^64
MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)


def _kinds() -> np.ndarray:
    kinds = np.zeros(256, np.uint8)
    for character in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        kinds[character] = LETTER
    kinds[0x80:] = LETTER
    kinds[list(b"0123456789")] = DIGIT
    return kinds


def _values() -> np.ndarray:
    values = np.random.default_rng(20091027).integers(1, 1 << 64, 256, np.uint64)
    values[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")] = values[list(b"abcdefghijklmnopqrstuvwxyz")]
    return values


def _powers(base: int) -> np.ndarray:
    powers = np.full(PIECE_BYTES + LONGEST_WORD + 1, base, np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)


KINDS = _kinds()
VALUES = _values()
POWERS = _powers(BASE)
INVERSE_POWERS = _powers(pow(BASE, -1, 1 << 64))
SEPARATORS = np.zeros(256, bool)
SEPARATORS[list(b".,")] = True


@dataclass(frozen=True)
class Words:
    """The words of some texts, end to end.

    `hashes` (uint64), `starts` and `ends` (byte positions in `data`) have an entry a word; the words of text
    i are those from `bounds[i]` to `bounds[i + 1]`. `data` is the texts' UTF-8 with commas inside figures
    left out, and `kinds` says of each byte whether it is a letter, a digit, or between words (0).
    """

    hashes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    bounds: np.ndarray
    data: np.ndarray
    kinds: np.ndarray

    def text_of_word(self) -> np.ndarray:
        """For each word the number of its text."""
        return np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))

    def figures(self) -> np.ndarray:
        """For each word whether a digit is in it."""
        digits = np.zeros(len(self.data) + 1, np.int32)
        np.cumsum(self.kinds == DIGIT, out=digits[1:])
        return digits[self.ends] > digits[self.starts]


def words_of(texts: Sequence[str]) -> Words:
    """The words of each text."""
    encoded = [text.encode() for text in texts]
    data = np.frombuffer(b" " + b" ".join(encoded) + b" ", np.uint8)
    text_starts = np.cumsum([1] + [len(each) + 1 for each in encoded])
    kinds = KINDS[data]
    part_at_typography(data, kinds)
    points = np.flatnonzero(SEPARATORS[data])
    inside = points[(kinds[points - 1] == DIGIT) & (kinds[points + 1] == DIGIT)]
    kinds[inside] = DIGIT
    grouping = grouping_commas(data, kinds, inside)
    if len(grouping):
        data, kinds = np.delete(data, grouping), np.delete(kinds, grouping)
        text_starts = text_starts - np.searchsorted(grouping, text_starts)
    word = kinds != 0
    edges = np.flatnonzero(word[1:] != word[:-1]) + 1
    starts, ends = edges[0::2], edges[1::2]
    return Words(
        hashes=hash_words(data, starts, ends),
        starts=starts,
        ends=ends,
        bounds=np.searchsorted(starts, text_starts),
        data=data,
        kinds=kinds,
    )


def part_at_typography(data: np.ndarray, kinds: np.ndarray) -> None:
    """Mark as between words what UTF-8 begins with E2 (U+2000 to U+2FFF: quotes, dashes, the minus sign,
    currencies, boxes) or C2 (no-break space, pound and section signs), but for fractions (¼, ⅛), which are
    digits."""
    high = np.flatnonzero(data >= 0xC2)
    long, short = high[data[high] == 0xE2], high[data[high] == 0xC2]
    eighths = (data[long + 1] == 0x85) & (data[long + 2] >= 0x90) & (data[long + 2] <= 0x9E)
    quarters = (data[short + 1] >= 0xBC) & (data[short + 1] <= 0xBE)
    for offset in range(3):
        kinds[long + offset] = eighths * DIGIT
    for offset in range(2):
        kinds[short + offset] = quarters * DIGIT


def grouping_commas(data: np.ndarray, kinds: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The commas before exactly three digits: those that group a figure's digits."""
    commas = inside[(data[inside] == ord(",")) & (inside + 4 < len(data))]
    digits = (data >= ord("0")) & (data <= ord("9")) if len(commas) else kinds
    for offset, expected in ((1, True), (2, True), (3, True), (4, False)):
        commas = commas[digits[commas + offset] == expected]
    return commas


def hash_words(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """A polynomial hash of each word, from differences of running sums, stirred."""
    hashes = np.empty(len(starts), np.uint64)
    ends = np.minimum(ends, starts + LONGEST_WORD)
    first = 0
    while first < len(starts):
        begin = starts[first]
        last = int(np.searchsorted(starts, begin + PIECE_BYTES))
        piece = VALUES[data[begin : ends[last - 1]]]
        piece *= POWERS[: len(piece)]
        sums = np.zeros(len(piece) + 1, np.uint64)
        np.cumsum(piece, out=sums[1:])
        here = starts[first:last] - begin
        hashes[first:last] = (sums[ends[first:last] - begin] - sums[here]) * INVERSE_POWERS[here]
        first = last
    return stir(hashes)


def stir(hashes: np.ndarray) -> np.ndarray:
    """The hashes with every bit depending on every other, in place."""
    hashes ^= hashes >> np.uint64(32)
    hashes *= MULTIPLIER
    hashes ^= hashes >> np.uint64(29)
    return hashes


def word_hash(word: str) -> int:
    """The hash of one word."""
    return int(words_of([word]).hashes[0])


def grams(hashes: np.ndarray, length: int) -> np.ndarray:
    """A hash of each run of `length` neighbours; shorter than `hashes` by length - 1."""
    count = len(hashes) - length + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    multiplier = np.uint64(BASE)
    result = hashes[:count].copy()
    for offset in range(1, length):
        result *= multiplier
        result += hashes[offset : offset + count]
    return stir(result)


def whole_grams(bounds: np.ndarray, length: int) -> np.ndarray:
    """Of `grams` over the words of several texts, which do not cross from one text into the next."""
    count = max(int(bounds[-1]) - length + 1, 0)
    whole = np.ones(count, bool)
    for end in bounds[1:-1]:
        whole[max(int(end) - length + 1, 0) : end] = False
    return whole
