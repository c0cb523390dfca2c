"""Near duplicates: found whatever the size of the edit, never merged over a figure, and the same whatever
came later or stood beside."""

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintage.corpus import store
from mintage.corpus.document import Document
from mintage.corpus.refine import near_duplicates as module
from mintage.corpus.refine.duplicates import refine
from mintage.corpus.refine.figures import figures_of
from mintage.corpus.refine.near_duplicates import NEAR_DUPLICATE, near_duplicates
from mintage.corpus.refine.settings import NearDuplicateSettings
from mintage.corpus.refine.signatures import band_keys, gram_set, jaccard, signatures
from mintage.corpus.refine.words import LONGEST_WORD, PIECE_BYTES, grams, whole_grams, words_of


def vocabulary(count: int = 3_000) -> list[str]:
    letters = random.Random(1)
    return ["".join(letters.choices("abcdefghijklmnop", k=letters.randint(3, 9))) for _ in range(count)]


WORDS = vocabulary()


def document(native_id: str, text: str) -> Document:
    return Document.make(source="s", native_id=native_id, text=text, licence="l", use="ship")


def twins(directory, texts: dict[str, str], **kwargs) -> set[frozenset[str]]:
    documents = [document(native_id, text) for native_id, text in texts.items()]
    store.write_documents(directory, documents)
    refine(directory)
    near_duplicates(directory, NearDuplicateSettings(**kwargs))
    names = {each.doc_id: each.native_id for each in documents}
    rows = [row for batch in store.read_attribute(directory, NEAR_DUPLICATE) for row in batch.to_pylist()]
    return {frozenset((names[row["doc_id"]], names[twin["doc_id"]])) for row in rows for twin in row["twins"]}


def exact_jaccard(first: str, second: str) -> float:
    """Jaccard similarity of word 5-grams, by Python's sets of tuples of lower-case words."""

    def shingles(text: str) -> set[tuple[str, ...]]:
        words = text.lower().replace(",", " ").replace(".", " ").split()
        return set(zip(*(words[offset:] for offset in range(5))))

    mine, yours = shingles(first), shingles(second)
    return len(mine & yours) / len(mine | yours)


def test_planted_pairs_are_found_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 20_000)  # many batches
    generator = random.Random(7)
    texts, due = {}, set()
    for number in range(120):
        words = generator.choices(WORDS, k=generator.randint(120, 400))
        edited = list(words)
        for place in generator.sample(
            range(len(words)), int(len(words) * generator.uniform(0.002, 0.04)) + 1
        ):
            edited[place] = generator.choice(WORDS)
        texts[f"{number}"], texts[f"{number}'"] = " ".join(words), " ".join(edited)
        if exact_jaccard(" ".join(words), " ".join(edited)) >= 0.8:
            due.add(frozenset((f"{number}", f"{number}'")))
    found = twins(tmp_path, texts)
    assert len(due) > 30
    assert len(found & due) >= 0.95 * len(due)
    assert len(found & due) >= 0.95 * len(found)


FIGURE_PAIRS = [
    ("revenue was 1,234 million", "revenue was 1,235 million"),
    ("revenue was 1,234.5 million", "revenue was 1,234.6 million"),
    ("revenue was 5 million", "revenue was 5 billion"),
    ("a change of -5 points", "a change of 5 points"),
    ("a change of −5 points", "a change of 5 points"),
    ("a change of (5) points", "a change of 5 points"),
    ("a change of 5% in rates", "a change of 5 in rates"),
    ("it paid $5 a share", "it paid €5 a share"),
    ("it paid £5 a share", "it paid ¥5 a share"),
    ("sales were 5 and costs were 3", "sales were 3 and costs were 5"),
    ("due on March 31", "due on April 31"),
    ("up 5 in the year", "up in the year"),
    ("due on May 5", "due on June 5"),
    ("signed in March 2009", "signed in policy 2009"),
    ("five rose by 7 thousand", "five rose by 7 hundred"),
    ("due on Dec. 31, it", "due on Nov. 31, it"),
    ("sales of 5 bn", "sales of 5 mn"),
    ("a cut of .5 points", "a cut of 5 points"),
    ("it rose 5½ points", "it rose 5 points"),
    ("it rose by ¼ point", "it rose by ¾ point"),
    ("it rose by ⅛ point", "it rose by ⅝ point"),
    ("by three percent", "by four percent"),
    ("five million jobs", "five billion jobs"),
    ("in the second quarter", "in the third quarter"),
    ("by a vote of nine to one", "by a vote of eight to two"),
]
# What stands beside a figure and is no part of it.
WORD_PAIRS = [
    ("in 2009 may rise", "in 2009 can rise"),
    ("on March 31, it", "on March, 31 it"),
    ("sold for 5 million dollars", "sold for 5 million euros"),
    ("the March of 9 men and a million more", "the walk of 9 men and a trillion more"),
    ("one of the reasons", "some of the reasons"),
    ("first of all", "above all"),
    ("(three) of them", "three of them"),
]


@pytest.mark.parametrize("pair", FIGURE_PAIRS, ids=lambda pair: pair[0])
def test_texts_that_differ_in_figures_only_are_not_merged(tmp_path, pair):
    around = " ".join(WORDS[:300])
    texts = {side: f"{around} {text} {around[::-1]}" for side, text in zip("ab", pair)}
    assert exact_jaccard(texts["a"], texts["b"]) > 0.9
    assert twins(tmp_path, texts) == set()


@pytest.mark.parametrize("pair", WORD_PAIRS, ids=lambda pair: pair[0])
def test_words_that_neither_scale_nor_date_a_figure_are_words(tmp_path, pair):
    around = " ".join(WORDS[:300])
    texts = {side: f"{around} {text} {around[::-1]}" for side, text in zip("ab", pair)}
    assert twins(tmp_path, texts) == {frozenset("ab")}


def test_texts_that_write_a_figure_differently_are_the_same(tmp_path):
    around = " ".join(WORDS[:300])
    texts = {"a": f"{around} – sales were 1,234 and “fine”", "b": f'{around} - sales were 1234 and "fine"'}
    assert twins(tmp_path, texts) == {frozenset("ab")}


def test_paragraphs_in_another_order_are_the_same_text_unless_their_figures_change_places(tmp_path):
    plain = [" ".join(WORDS[100 * n : 100 * n + 99]) for n in range(5)]
    told = [f"{paragraph} {number}" for number, paragraph in enumerate(plain)]
    texts = {"a": "\n".join(plain), "b": "\n".join(reversed(plain))}
    texts |= {"c": "\n".join(told), "d": "\n".join(reversed(told))}
    assert twins(tmp_path, texts) == {frozenset("ab")}


def test_a_similarity_of_exactly_the_threshold_is_enough(tmp_path):
    around = " ".join(WORDS[:300])
    assert twins(tmp_path, {"a": around, "b": f"“{around}”"}, jaccard=1.0) == {frozenset("ab")}


def test_the_later_text_names_the_earlier_one(tmp_path):
    days = {"early": 3, "undated": None, "middle": 7, "late": 9, "early again": 10, "early, early": 11}
    documents = [
        Document.make(
            source="s",
            native_id=name,
            text=f"{name[:5]} {' '.join(WORDS[:300])}",
            licence="l",
            use="ship",
            available_at=day and datetime(2020, 1, day, tzinfo=UTC),
        )
        for name, day in days.items()
    ]
    store.write_documents(tmp_path, documents)
    refine(tmp_path)
    near_duplicates(tmp_path, NearDuplicateSettings(jaccard=0.5))
    names = {each.doc_id: each.native_id for each in documents}
    rows = [row for batch in store.read_attribute(tmp_path, NEAR_DUPLICATE) for row in batch.to_pylist()]
    assert {names[row["doc_id"]]: {names[twin["doc_id"]] for twin in row["twins"]} for row in rows} == {
        "early": set(),
        "middle": {"early"},
        "late": {"early", "middle"},
        "early again": set(),
        "early, early": set(),
        "undated": {"early", "middle", "late"},
    }


def test_a_text_of_a_large_bucket_is_compared_with_the_first_and_with_those_just_before_it(tmp_path):
    around = " ".join(WORDS[:300])
    figures = [0, *range(100, 140), 0, 139]  # the last two repeat the first, and the one just before them
    documents = [
        Document.make(
            source="s",
            native_id=str(number),
            text=f"{WORDS[300 + number]} {around} {figure}",
            licence="l",
            use="ship",
            available_at=datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=number),
        )
        for number, figure in enumerate(figures)
    ]
    store.write_documents(tmp_path, documents)
    refine(tmp_path)
    assert near_duplicates(tmp_path, NearDuplicateSettings(bands=2, rows=1)).pairs == 2


def test_a_large_bucket_costs_a_bounded_number_of_comparisons(tmp_path):
    around = " ".join(WORDS[:200])
    documents = [document(str(number), f"{around} {number}") for number in range(150)]
    store.write_documents(tmp_path, documents)
    refine(tmp_path)
    settings = NearDuplicateSettings(bands=2, rows=2)
    report = near_duplicates(tmp_path, settings)
    assert report.pairs == 0
    assert 149 <= report.candidates <= 150 * 2 * module.NEIGHBOURS * settings.bands


@settings(max_examples=30)
@given(st.lists(st.text(alphabet="ab 1,.é—$\n", max_size=60), min_size=1, max_size=5))
def test_words_of_a_text_do_not_depend_on_the_texts_beside_it(texts):
    together = words_of(texts)
    for number, text in enumerate(texts):
        alone = words_of([text])
        mine = slice(together.bounds[number], together.bounds[number + 1])
        assert np.array_equal(together.hashes[mine], alone.hashes)
    values, present = signatures(texts, 16)
    for number, text in enumerate(texts):
        alone_values, alone_present = signatures([text], 16)
        assert present[number] == alone_present[0]
        assert np.array_equal(values[number], alone_values[0])


def test_words_are_cut_where_they_should_be():
    words = words_of(["Sales rose 5.5% to £1,234,567.89—it’s up; see 1,2,3 and Q3 é."])
    cut = [bytes(words.data[s:e]).decode() for s, e in zip(words.starts, words.ends)]
    assert cut == [
        "Sales",
        "rose",
        "5.5",
        "to",
        "1234567.89",
        "it",
        "s",
        "up",
        "see",
        "1,2,3",
        "and",
        "Q3",
        "é",
    ]
    assert [cut[place] for place in np.flatnonzero(words.figures())] == ["5.5", "1234567.89", "1,2,3", "Q3"]


@pytest.mark.parametrize("text", ["1,2345", "1,23", "1,2,3"])
def test_commas_that_do_not_group_three_digits_stay(text):
    assert bytes(words_of([text]).data) == f" {text} ".encode()


def test_case_is_folded_and_long_words_are_cut():
    assert words_of(["Sales ROSE"]).hashes.tolist() == words_of(["sALES rose"]).hashes.tolist()
    long = "a" * LONGEST_WORD
    alike, other = f"{long}{'b' * PIECE_BYTES}", f"{long[1:]}b"
    hashes = words_of([f"{alike} {long} {other}"]).hashes.tolist()
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_word_has_one_hash_wherever_it_stands():
    words = words_of([" ".join(["Sales"] * (PIECE_BYTES // 2))])
    assert len(set(words.hashes.tolist())) == 1


def test_bands_have_equal_keys_where_all_their_values_are_equal():
    generator = np.random.default_rng(1)
    values = generator.integers(0, 2, (60, 12), np.uint32)
    keys = band_keys(values, 3, 4)
    banded = values.reshape(60, 3, 4)
    alike = (banded[:, None] == banded[None]).all(axis=3)
    assert np.array_equal(keys[:, None] == keys[None], alike)


def test_grams_do_not_cross_texts():
    words = words_of(["a b c", "d e f", "g"])
    alone = [words_of([text]).hashes for text in ("a b c", "d e f", "g")]
    expected = np.concatenate([grams(hashes, 2) for hashes in alone])
    assert np.array_equal(grams(words.hashes, 2)[whole_grams(words.bounds, 2)], expected)


@pytest.mark.parametrize("length", [30, 100, 1_000])
def test_signatures_estimate_the_jaccard_similarity(length):
    generator = random.Random(length)
    errors = []
    for _ in range(30):
        words = generator.choices(WORDS, k=length)
        edited = list(words)
        for place in generator.sample(range(length), max(1, length // 30)):
            edited[place] = generator.choice(WORDS)
        pair = [" ".join(words), " ".join(edited)]
        values, _ = signatures(pair, 120)
        both = words_of(pair)
        exact = jaccard(gram_set(both, 0), gram_set(both, 1))
        assert exact == pytest.approx(exact_jaccard(*pair))
        errors.append(float((values[0] == values[1]).mean()) - exact)
    assert abs(np.mean(errors)) < 0.03
    assert np.std(errors) < 0.08


def test_a_gram_that_is_repeated_counts_once():
    pair = ["a b c d e " * 4, "a b c d e " * 9 + "f"]
    words = words_of(pair)
    assert jaccard(gram_set(words, 0), gram_set(words, 1)) == pytest.approx(exact_jaccard(*pair)) == 5 / 6


def test_figures_are_compared_with_their_signs_and_units():
    def figures(text: str) -> list[int]:
        return figures_of(words_of([text])).tolist()

    assert figures("rose 5 percent") == figures("went up 5 percent") != figures("rose 5 points, -5")
    assert len(figures("Sales of $5.5 million in 2019, and two of 10% in May 2020")) == 7
    assert figures("") == figures("no figures here") == []
