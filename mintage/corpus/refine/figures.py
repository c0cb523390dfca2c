"""The figures of a text, so that texts which differ in figures are never taken for one another.

A figure is a word with a digit in it, or a number in words ("three", "second"; "one" and "first" are pronoun
and adverb more often than they count anything, and stay words). To a figure in digits belongs what its value
hangs on: a minus sign, an opening parenthesis, a point or a currency before it, a per cent sign after it; to
either kind the words beside it that scale or date it ("5 billion", "March 31"). "may" in small letters is the
verb: were it taken for a month, every "2009 may" would be a figure.
"""

from __future__ import annotations

import numpy as np

from mintage.corpus.refine.words import Words, stir, word_hash


def _hashes(words: str) -> np.ndarray:
    return np.array(sorted(word_hash(word) for word in words.split()), np.uint64)


NUMBERS = _hashes(
    "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety half dozen "
    "second third fourth fifth sixth seventh eighth ninth tenth"
)
UNITS = _hashes(
    "hundred hundreds thousand thousands million millions mn billion billions bn trillion trillions tn "
    "percent pct "
    "january february march april may june july august september october november december "
    "jan feb mar apr jun jul aug sep sept oct nov dec"
)
MAY = np.uint64(word_hash("may"))
MINUS, PARENTHESIS, PERCENT, POINT = 1 << 8, 1 << 16, 1 << 24, 1
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


def figures_of(words: Words) -> np.ndarray:
    """The figures of one text, the only one in `words`, in its order (uint64). Texts say the same figures
    when these are equal."""
    count = len(words.hashes)
    digits = words.figures()
    between = words.kinds == 0
    marks = np.zeros(len(words.data) + 1, np.uint64)
    np.cumsum(MARKS[words.data] * between, out=marks[1:])
    percents = np.zeros(len(words.data) + 1, np.uint64)
    np.cumsum((words.data == ord("%")) & between, out=percents[1:])
    previous_ends = np.concatenate([[0], words.ends[:-1]])
    next_starts = np.concatenate([words.starts[1:], [len(words.data)]])[:count]
    surroundings = marks[words.starts] - marks[previous_ends[:count]]
    surroundings += (percents[next_starts] - percents[words.ends]) * np.uint64(PERCENT)
    surroundings += (words.data[words.starts - 1] == ord(".")) * np.uint64(POINT)
    figure = digits | np.isin(words.hashes, NUMBERS)
    beside = np.zeros(count + 2, bool)
    beside[:-2] |= figure
    beside[2:] |= figure
    units = np.isin(words.hashes, UNITS)
    units &= (words.hashes != MAY) | (words.data[words.starts] == ord("M"))
    chosen = figure | (beside[1:-1] & units)
    return stir(words.hashes + surroundings * digits * MIX)[chosen]
