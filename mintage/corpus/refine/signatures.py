"""MinHash signatures of texts by one-permutation hashing, and the sets that they stand for.

One hash of every word 5-gram gives a whole signature: the hash's high bits choose one of H bins, and a bin
keeps its smallest hash (Li, Owen and Zhang, "One Permutation Hashing", 2012). A bin that stays empty takes
the value of a bin that is not, found by probing in an order of its own that is the same for every text
(Shrivastava, "Optimal Densification for Fast and Accurate Minwise Hashing", 2017). Two texts agree in a bin
with the probability of their Jaccard similarity.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mintage.corpus.refine.words import Words, grams, stir, whole_grams, words_of

GRAM_WORDS = 5
LOW = np.uint64(0xFFFFFFFF)


def signatures(texts: Sequence[str], hashes: int) -> tuple[np.ndarray, np.ndarray]:
    """The signature of each text.

    Returns:
        signatures (texts, hashes) uint32, and which texts have one: those of at least five words.
    """
    words = words_of(texts)
    grammed = grams(words.hashes, GRAM_WORDS)
    whole = whole_grams(words.bounds, GRAM_WORDS)
    text = words.text_of_word()[: len(grammed)].astype(np.uint64)
    bins = ((grammed >> np.uint64(32)) * np.uint64(hashes)) >> np.uint64(32)
    keys = (((text * np.uint64(hashes) + bins) << np.uint64(32)) | (grammed & LOW))[whole]
    keys.sort()
    places = keys >> np.uint64(32)
    first = np.ones(len(keys), bool)
    first[1:] = places[1:] != places[:-1]
    values = np.zeros((len(texts), hashes), np.uint32)
    filled = np.zeros((len(texts), hashes), bool)
    values.flat[places[first]] = keys[first] & LOW
    filled.flat[places[first]] = True
    present = np.asarray(filled.any(axis=1))
    densify(values, filled, present)
    return values, present


def densify(values: np.ndarray, filled: np.ndarray, present: np.ndarray) -> None:
    """Fill the empty bins of the signatures that have any, in place."""
    hashes = values.shape[1]
    rows, bins = np.nonzero(~filled & present[:, None])
    attempt = 0
    while len(rows):
        attempt += 1
        number = np.arange(hashes, dtype=np.uint64) + np.uint64(hashes * attempt)
        # stirred twice: neighbouring numbers must lead to unrelated bins
        probe = (stir(stir(number * np.uint64(0x9E3779B97F4A7C15))) % np.uint64(hashes)).astype(np.int64)
        found = filled[rows, probe[bins]]
        values[rows[found], bins[found]] = values[rows[found], probe[bins[found]]]
        rows, bins = rows[~found], bins[~found]


def band_keys(values: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """A key (uint64) for each band of each signature; shape (texts, bands). Equal bands have equal keys."""
    banded = values.reshape(len(values), bands, rows)
    keys = np.zeros((len(values), bands), np.uint64)
    for row in range(rows):
        keys *= np.uint64(0x9E3779B97F4A7C15)
        keys += banded[:, :, row]
        stir(keys)
    return keys


def gram_set(words: Words, text: int) -> np.ndarray:
    """The 5-grams of one of the texts, each once, ascending."""
    return np.unique(grams(words.hashes[words.bounds[text] : words.bounds[text + 1]], GRAM_WORDS))


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """The Jaccard similarity of two ascending arrays without repeats."""
    both = np.concatenate([first, second])
    both.sort(kind="stable")
    common = int(np.count_nonzero(both[1:] == both[:-1]))
    return common / max(len(both) - common, 1)
