"""The figures of a text, so that texts which differ in figures are never taken for one another.

A figure is a word with a digit in it, together with what its value hangs on: a minus sign, an opening
parenthesis or a currency before it, a per cent sign after it, and the words beside it that scale or date it
("5 billion", "March 31"). "may" in small letters is the verb: were it taken for a month, every "2009 may"
would be a figure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mintage.corpus.refine.words import Words, stir, word_hash

UNITS = (
    "hundred thousand million millions billion billions trillion trillions percent "
    "january february march april may june july august september october november december"
)
UNIT_HASHES = np.array(sorted(word_hash(word) for word in UNITS.split()), np.uint64)
MAY = np.uint64(word_hash("may"))
MINUS, PARENTHESIS, PERCENT = 1 << 8, 1 << 16, 1 << 24
MIX = np.uint64(0x9E3779B97F4A7C15)


def _marks() -> np.ndarray:
    marks = np.zeros(256, np.uint64)
    # the hyphen, and the last bytes of the minus sign, the figure dash, the en dash and the em dash
    marks[[ord("-"), 0x92, 0x93, 0x94]] = MINUS
    marks[ord("(")] = PARENTHESIS
    for number, last_byte in enumerate((ord("$"), 0xAC, 0xA3, 0xA5)):  # $, and the last bytes of €, £, ¥
        marks[last_byte] = 1 << (32 + 8 * number)
    return marks


MARKS = _marks()


@dataclass(frozen=True)
class Figures:
    """The figures of a text (uint64): in the order of the text, and each hashed with the word before it, in
    ascending order."""

    sequence: np.ndarray
    in_context: np.ndarray


def figures_of(words: Words) -> Figures:
    """The figures of one text, the only one in `words`."""
    count = len(words.hashes)
    figure = words.figures()
    between = words.kinds == 0
    marks = np.zeros(len(words.data) + 1, np.uint64)
    np.cumsum(MARKS[words.data] * between, out=marks[1:])
    percents = np.zeros(len(words.data) + 1, np.uint64)
    np.cumsum((words.data == ord("%")) & between, out=percents[1:])
    previous_ends = np.concatenate([[0], words.ends[:-1]])
    next_starts = np.concatenate([words.starts[1:], [len(words.data)]])[:count]
    surroundings = marks[words.starts] - marks[previous_ends[:count]]
    surroundings += (percents[next_starts] - percents[words.ends]) * np.uint64(PERCENT)
    beside = np.zeros(count + 2, bool)
    beside[:-2] |= figure
    beside[2:] |= figure
    units = np.isin(words.hashes, UNIT_HASHES)
    units &= (words.hashes != MAY) | (words.data[words.starts] == ord("M"))
    chosen = figure | (beside[1:-1] & units)
    values = stir(words.hashes + surroundings * figure * MIX)
    before = np.concatenate([np.zeros(1, np.uint64), words.hashes[:-1]])[:count]
    in_context = stir(before * MIX + values)[chosen]
    in_context.sort()
    return Figures(values[chosen], in_context)


def same_figures(first: Figures, second: Figures) -> bool:
    """Whether two texts say the same figures: in the same order, or each behind the same word."""
    return np.array_equal(first.sequence, second.sequence) or np.array_equal(
        first.in_context, second.in_context
    )
