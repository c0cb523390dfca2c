"""Texts to token ids in bulk: by gigatoken where it is installed and knows the tokenizer's pattern, else by
Hugging Face's `tokenizers`. The ids are the same.

Three things keep them the same. Control tokens are taken out of what gigatoken is given, for it would find
them in texts. The few letters that only one of the two libraries knows (those of Unicode 17) send a text to
Hugging Face. And of every batch one piece is encoded by both; a difference ends the build.

gigatoken 0.10.0 never forgets a word that it has seen, so it is made anew every `RECYCLE_BYTES`.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, chain
from typing import Any

import numpy as np

from mintage.errors import MintageError
from mintage.tokens.tokenizer import CONTROL_TOKENS, Tokenizer, pieces_of

RECYCLE_BYTES = 128 * 2**20
CHECKED_CHARACTERS = 2048  # of a piece that both libraries encode
# Where the classes \p{L}, \p{N} and \s of gigatoken 0.10.0 and tokenizers 0.23.3 differ (209,419 code points
# were compared): U+088F, U+0C5C, U+0CDC and some of U+A7CE to U+A7F1 and of those above U+FFFF, as the first
# bytes of their UTF-8. Blocks are named whole.
UNEQUAL = (b"\xe0\xa2\x8f", b"\xe0\xb1\x9c", b"\xe0\xb3\x9c", b"\xea\x9f", b"\xf0")
UNEQUAL_LEADS = sorted({start[0] for start in UNEQUAL})
PROBE = (
    "It's 1,234.5\r\n\r\n  (17,729)\t$3.07%  'S don't 20191231 <|endoftext|> a<|end|>\n\u00e9e\u0301 naïve "
    "\u4e2d\u6587\u3002 \u0661\u0662 \ufeff\u00a0\u2003x\n" + "".join(CONTROL_TOKENS)
)

Encoded = tuple[np.ndarray, np.ndarray]
"""The ids of N tokens, all texts end to end (uint32), and the count of each of D texts (int64)."""


Encode = Callable[[Sequence[str]], Encoded]


def encoder(tokenizer: Tokenizer) -> Encode:
    """The fastest way to encode texts with this tokenizer on this machine."""
    try:
        return Fast(tokenizer)
    except Unfit:
        return partial(plain, tokenizer)


class Unfit(Exception):
    """gigatoken cannot encode for a tokenizer; the message says why."""


def make(tokenizer: Tokenizer) -> Any:
    """A gigatoken tokenizer without control tokens, whose ids no merge can reach.

    Raises:
        Unfit: it is not installed, or cannot do what the tokenizer does.
    """
    try:
        import gigatoken
    except ImportError:
        raise Unfit("gigatoken is not installed (pip install mintage[fast])") from None
    specification = json.loads(tokenizer._json)
    if specification["model"].get("byte_fallback"):
        raise Unfit("a tokenizer of characters")
    if not all(token["special"] for token in specification["added_tokens"]):
        raise Unfit("a tokenizer with words added to its vocabulary")
    try:
        made = gigatoken.Tokenizer.from_json(json.dumps(specification | {"added_tokens": []}))
    except (RuntimeError, ValueError) as error:
        raise Unfit(f"gigatoken does not take this tokenizer: {error}") from None
    if made.encode(PROBE).tolist() != tokenizer.encode(PROBE):
        raise Unfit("gigatoken splits text otherwise than this tokenizer")
    return made


def plain(tokenizer: Tokenizer, texts: Sequence[str]) -> Encoded:
    """Encode by Hugging Face's `tokenizers`, on all cores."""
    encoded = tokenizer.encode_batch(texts)
    length_D = np.fromiter(map(len, encoded), np.int64, len(encoded))
    return np.fromiter(chain.from_iterable(encoded), np.uint32, int(length_D.sum())), length_D


def is_unequal(content: bytes) -> bool:
    """Whether a text in UTF-8 holds what the two libraries may see differently."""
    # Bytes are looked for one by one first: that is far quicker, and they are rare.
    return any(byte in content for byte in UNEQUAL_LEADS) and any(start in content for start in UNEQUAL)


class Fast:
    """Encodes by gigatoken, on all cores (on one in a worker of a pool).

    Raises:
        Unfit: it cannot encode for this tokenizer.
    """

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self._made = make(tokenizer)
        self._seen = 0
        self._batches = 0

    def __call__(self, texts: Sequence[str]) -> Encoded:
        """The ids of the texts.

        Raises:
            MintageError: Hugging Face gives other ids for the piece that is checked.
        """
        contents = [text.encode() for text in texts]
        self._seen += sum(map(len, contents))
        if self._seen > RECYCLE_BYTES:
            self._made, self._seen = make(self.tokenizer), 0
        layout = self._made.encode_batch(contents).layout
        end_D = np.asarray(layout.offsets.data)[1:]
        ids_N = np.asarray(layout.content.data)[: end_D[-1] if len(end_D) else 0]
        length_D = np.diff(end_D, prepend=0)
        unequal = [
            number
            for number, (text, content) in enumerate(zip(texts, contents))
            if not text.isascii() and is_unequal(content)
        ]
        if unequal:
            ids_N, length_D = self._replace(texts, unequal, ids_N, length_D)
        self._check(texts, ids_N, length_D)
        return ids_N, length_D

    def _replace(
        self, texts: Sequence[str], unequal: list[int], ids_N: np.ndarray, length_D: np.ndarray
    ) -> Encoded:
        """The ids with those of some texts taken from Hugging Face."""
        pieces = np.split(ids_N, np.cumsum(length_D)[:-1])
        for number, ids in zip(unequal, self.tokenizer.encode_batch([texts[number] for number in unequal])):
            pieces[number] = np.array(ids, np.uint32)
        return np.concatenate(pieces), np.fromiter(map(len, pieces), np.int64, len(pieces))

    def _check(self, texts: Sequence[str], ids_N: np.ndarray, length_D: np.ndarray) -> None:
        """Compare one piece of the batch with Hugging Face, at a place drawn evenly from its characters."""
        ends = list(accumulate(map(len, texts)))
        if not ends or not ends[-1]:
            return
        self._batches += 1
        place = random.Random(self._batches).randrange(ends[-1])
        number = bisect_right(ends, place)
        before = 0
        for piece in pieces_of(texts[number], CHECKED_CHARACTERS, self.tokenizer.cut):
            if before + len(piece) > place - (ends[number] - len(texts[number])):
                break
            before += len(piece)
        expected = self.tokenizer.encode(piece)
        start = int(length_D[:number].sum()) + (
            len(self._encode_one(texts[number][:before])) if before else 0
        )
        if ids_N[start : start + len(expected)].tolist() != expected:
            raise MintageError(
                "gigatoken: the token ids of a piece of text differ from those of Hugging Face's tokenizers "
                f"(text {number} of batch {self._batches}, from character {before:,}). "
                "Uninstall gigatoken, which then is not used, and build the shards again"
            )

    def _encode_one(self, text: str) -> Sequence[int]:
        if is_unequal(text.encode()):
            return self.tokenizer.encode(text)
        ids: Sequence[int] = self._made.encode(text)
        return ids
