"""The fast encoder gives the ids of Hugging Face's tokenizers, or none."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintage.errors import MintageError
from mintage.tokens import fast
from mintage.tokens.tokenizer import BYTE_CHARACTERS, CONTROL_TOKENS, Tokenizer, TokenizerSettings, train
from tests.tokens.small_corpus import characters

pytest.importorskip("gigatoken", reason="the fast encoder needs the extra [fast]")

TEXT = (
    "Net income was $1,234.5 million, up 12% from 2019; it's the bank's margin.\n\n| Revenue | 17,729 |\n" * 3
)
SEPARATE = set(range(0xD800, 0xE000))


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    return train(TokenizerSettings(vocab_size=600), [TEXT])


@pytest.fixture(scope="module")
def joined() -> Tokenizer:
    """A tokenizer that merges the bytes of a letter, a digit, a space and so on with any byte: every place
    where the two libraries would split differently changes its ids."""
    specification = json.loads(train(TokenizerSettings(vocab_size=262), ["a"])._json)
    vocabulary = {token: number for number, token in enumerate(CONTROL_TOKENS)}
    for character in BYTE_CHARACTERS.values():
        vocabulary[character] = len(vocabulary)
    merges = []
    for one in (BYTE_CHARACTERS[ord(each)] for each in "a1 .\n'"):
        for pair in (pair for other in BYTE_CHARACTERS.values() for pair in ((one, other), (other, one))):
            if "".join(pair) not in vocabulary:
                vocabulary["".join(pair)] = len(vocabulary)
                merges.append(list(pair))
    specification["model"] |= {"vocab": vocabulary, "merges": merges}
    controls = [
        {
            "id": n,
            "content": token,
            "special": True,
            "normalized": False,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
        }
        for n, token in enumerate(CONTROL_TOKENS)
    ]
    return Tokenizer(specification | {"added_tokens": controls}, characters().chat_template)


def same(tokenizer: Tokenizer, texts: Sequence[str]) -> None:
    ids_N, length_D = fast.Fast(tokenizer)(texts)
    expected = tokenizer.encode_batch(texts)
    assert length_D.tolist() == [len(each) for each in expected]
    assert ids_N.tolist() == [each for ids in expected for each in ids]
    assert ids_N.dtype == np.uint32


def test_it_is_used_for_our_tokenizers_and_not_for_characters(trained: Tokenizer) -> None:
    assert isinstance(fast.encoder(trained), fast.Fast)
    with pytest.raises(fast.Unfit, match="of characters"):
        fast.Fast(characters())
    ids_N, length_D = fast.encoder(characters())(["ab", "", "c"])
    assert ids_N.tolist() == characters().encode("abc") and length_D.tolist() == [2, 0, 1]


def test_a_pattern_that_gigatoken_does_not_know_is_left_to_hugging_face(trained: Tokenizer) -> None:
    text = trained._json.replace("{1,3}", "{1,2}")
    assert text != trained._json
    with pytest.raises(fast.Unfit, match="does not take this tokenizer"):
        fast.Fast(Tokenizer(json.loads(text), trained.chat_template))


def test_a_machine_without_gigatoken_encodes_as_well(
    trained: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gigatoken", None)
    assert fast.encoder(trained)([TEXT])[0].tolist() == trained.encode(TEXT)


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(
            st.sampled_from([*CONTROL_TOKENS, " ", "\r\n", "12", "'s", "Ünïte", "<|", "|>", "x"])
            | st.text(max_size=8)
        ).map("".join),
        max_size=6,
    )
)
def test_ids_are_those_of_hugging_face_and_never_control_ids(trained: Tokenizer, texts: list[str]) -> None:
    same(trained, texts)
    ids_N, _ = fast.Fast(trained)(texts)
    assert not (ids_N < len(CONTROL_TOKENS)).any()


def test_every_character_is_split_alike(joined: Tokenizer) -> None:
    points = [point for point in range(0x3000) if point not in SEPARATE]
    points += [
        *range(0x3000, 0xFFFF, 7),
        *range(0xA7C0, 0xA800),
        *range(0x10000, 0x1F000, 97),
        *range(0x323B0, 0x3347A, 101),
    ]
    around = "a{0}a 1{0}1 .{0}. '{0}' {0} a\n{0}\n {0}{0}a{0}{0}1{0}{0}.\n"
    texts = [
        "".join(around.format(chr(point)) for point in points[start : start + 64] if point not in SEPARATE)
        for start in range(0, len(points), 64)
    ]
    same(joined, texts)


def test_letters_that_gigatoken_does_not_know_are_seen(
    joined: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "a\u088fa 1\U00032400a"
    same(joined, [text])
    monkeypatch.setattr(fast, "UNEQUAL", ())
    with pytest.raises(MintageError, match="differ from those of Hugging Face"):
        fast.Fast(joined)([text])


def test_a_wrong_id_anywhere_is_found_by_the_check(
    trained: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast, "CHECKED_CHARACTERS", 40)
    encode = fast.Fast(trained)
    texts = [TEXT, TEXT[:50], "short", TEXT * 2]
    right = encode(texts)
    for place in (0, 5, len(right[0]) - 1):
        wrong = right[0].copy()
        wrong[place] ^= 1
        with pytest.raises(MintageError, match="differ from those of Hugging Face"):
            for _ in range(300):  # which piece is checked changes from batch to batch
                encode._check(texts, wrong, right[1])


def test_memory_is_given_back_by_starting_anew(trained: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "RECYCLE_BYTES", 100)
    encode = fast.Fast(trained)
    first = encode._made
    assert encode([TEXT])[0].tolist() == trained.encode(TEXT)
    assert encode._made is not first
