"""Quality signals say what they are called, and filters are conditions on one document that report what they
removed."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus import store
from mintage.corpus.document import Document, chat_text
from mintage.corpus.refine.duplicates import refine
from mintage.corpus.refine.filters import FILTERED, apply_filters
from mintage.corpus.refine.quality import (
    BOILERPLATE,
    QUALITY,
    QUALITY_SCHEMA,
    boilerplate_share,
    quality,
    tag,
)
from mintage.corpus.refine.settings import Filter
from mintage.errors import MintageError

PROSE = (
    "The committee decided to keep the rate where it was, and said that it would look at it again in March."
)


def test_lengths_and_shares_of_a_known_text():
    signals = quality("Net sales 1,234\nabc abc abc", "text")
    assert (signals["characters"], signals["words"], signals["lines"]) == (27, 6, 2)
    assert signals["digit_share"] == pytest.approx(4 / 21)  # the comma of the figure is left out
    assert signals["letter_word_share"] == pytest.approx(5 / 6)
    assert signals["mean_word_length"] == pytest.approx((3 + 5 + 4 + 9) / 6)


def test_repetition_is_measured_in_lines_paragraphs_and_grams():
    repeated = quality("\n\n".join([PROSE] * 4))
    assert repeated["duplicate_line_share"] == repeated["duplicate_paragraph_share"] == 0.75
    assert repeated["duplicate_line_character_share"] == 0.75
    assert repeated["duplicate_10_gram_share"] == pytest.approx(0.75)
    once = quality(PROSE)
    assert once["duplicate_line_share"] == once["duplicate_5_gram_share"] == 0
    assert quality(f"{PROSE}\n{PROSE}")["duplicate_10_gram_share"] == pytest.approx(0.5)
    assert quality("aa\nbb\n\naa\ncc")["duplicate_paragraph_character_share"] == 0
    assert quality("a a a")["top_2_gram_share"] == 1
    top = quality("to be or not to be")
    assert top["top_2_gram_share"] == pytest.approx(8 / 13)
    assert top["top_3_gram_share"] == 0


def test_tables_bullets_and_boilerplate_are_told_from_prose():
    table = "| Year | Sales |\n| 2019 | 1,234 |\nNet income 12 13\n(45)\n"
    assert quality(table)["table_share"] == 1
    assert quality(PROSE)["table_share"] == 0
    assert quality(f"{table}{PROSE}")["table_share"] < 0.5
    legal = "Forward-looking statements are subject to risks."
    assert quality(f"{PROSE} {legal} {PROSE}")["boilerplate_share"] == pytest.approx(
        len(legal) / (2 * len(PROSE) + len(legal)), abs=0.02
    )
    disclaimer = "Forward-looking statements: actual results may differ."
    assert quality(disclaimer)["boilerplate_share"] == pytest.approx(1, abs=0.02)
    assert quality("• one\n• two\nthree…")["bullet_line_share"] == pytest.approx(2 / 3)
    assert quality("one…\ntwo...\nthree")["ellipsis_line_share"] == pytest.approx(2 / 3)
    assert quality("# one two… three")["symbol_word_share"] == pytest.approx(2 / 3)
    assert quality("the Bank of England")["stop_word_share"] == 0.5


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("Sales\tnet\tgross", True),
        ("Sales 12 13", True),
        ("12", True),
        ("Sales were 12", False),
        ("Rates rose in the course of the year from 2 to 5", False),
        ("Sales 12 13 rose", False),
    ],
)
def test_a_row_of_a_table_has_cells_or_figures_behind_a_short_label(line, row):
    assert quality(line)["table_share"] == row


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (PROSE, "en"),
        (
            "Der Rat hat beschlossen, die Zinsen nicht zu ändern, und wird im März wieder darüber beraten.",
            "de",
        ),
        (
            "Le conseil a décidé de ne pas changer les taux et il en parlera dans une semaine avec elle.",
            "fr",
        ),
        (
            "El consejo ha decidido no cambiar los tipos y hablará de ello en la reunión del mes que viene.",
            "es",
        ),
        ("日本銀行は金融政策を維持することを決定しました。", "ja"),
        ("Совет решил не менять ставку.", "ru"),
        ("1,234 5,678 9,012 AAPL MSFT", "und"),
        ("", "und"),
    ],
)
def test_languages_are_recognised(text, language):
    assert quality(text)["language"] == language


def test_a_chat_is_measured_by_what_is_said():
    said = chat_text([{"role": "user", "content": PROSE}, {"role": "assistant", "content": PROSE}])
    assert quality(said, "chat")["words"] == 2 * quality(PROSE)["words"]


def corpus(directory, texts: dict[str, str]):
    documents = [
        Document.make(
            source=name[0],
            native_id=name,
            title=f"title {name}",
            text=text,
            licence="l",
            use="ship",
            available_at=datetime(2020, 1, 1, tzinfo=UTC),
        )
        for name, text in texts.items()
    ]
    store.write_documents(directory, documents)
    refine(directory)
    assert tag(directory) == len(documents)
    return directory


def filtered(directory) -> dict[str, str | None]:
    ids = pa.Table.from_batches(store.read_documents(directory, ["native_id"]))["native_id"].to_pylist()
    rows = pa.Table.from_batches(store.read_attribute(directory, FILTERED))["filter"].to_pylist()
    return dict(zip(ids, rows))


def test_the_first_filter_that_a_document_fails_removes_it(tmp_path):
    texts = {"a1": "short", "a2": PROSE, "b1": "brief", "a3": f"{PROSE}\n{PROSE}"}
    filters = [
        Filter("length", "words > 5 -- a comment", ("a",)),
        Filter("lines", "duplicate_line_share < 0.5 and source <> 'c'"),
    ]
    directory = corpus(tmp_path, texts)
    removed = apply_filters(directory, filters)
    assert filtered(directory) == {"a1": "length", "a2": None, "b1": None, "a3": "lines"}
    assert [(each.filter, each.source, each.documents, each.characters) for each in removed] == [
        ("length", "a", 1, 5),
        ("lines", "a", 1, len(texts["a3"])),
    ]
    assert removed[0].examples[0].native_id == "a1"
    assert removed[0].examples[0].excerpt == "short"
    assert apply_filters(directory, []) == ()
    assert set(filtered(directory).values()) == {None}


def test_the_three_examples_are_those_of_the_smallest_ids(tmp_path):
    directory = corpus(tmp_path, {f"a{number}": f"text {number}" for number in range(5)})
    (removed,) = apply_filters(directory, [Filter("long", "words > 5")])
    ids = [
        row["doc_id"] for batch in store.read_documents(directory, ["doc_id"]) for row in batch.to_pylist()
    ]
    assert removed.documents == 5
    assert [example.doc_id for example in removed.examples] == sorted(ids)[:3]


def test_a_document_of_which_a_condition_is_unknown_is_removed(tmp_path):
    directory = corpus(tmp_path, {"a": PROSE})
    apply_filters(directory, [Filter("period", "period_end > '2000-01-01'")])
    assert filtered(directory) == {"a": "period"}


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("words", "neither true nor false"),
        ("words >", "syntax error"),
        ("worms > 5", "columns are characters, words"),
        ("count(*) > 1", "aggregates"),
        ("words > (select max(words) from signals)", "beyond the document"),
        ("row_number() over () > 1", "beyond the document"),
        ("random() > 0.5", "depend on the document alone"),
        ("available_at < now()", "depend on the document alone"),
        ("words > 1) as a, (1 = 1", "not one expression"),
        ("1 = 1) from documents; drop view signals; select (1", "SELECT"),
    ],
)
def test_an_expression_that_is_no_condition_on_the_document_is_refused(tmp_path, expression, reason):
    directory = corpus(tmp_path, {"a": PROSE})
    with pytest.raises(MintageError, match=r"corpus\.refine\.filters: bad") as error:
        apply_filters(directory, [Filter("bad", expression)])
    assert reason in str(error.value)


def test_a_filter_on_a_source_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(MintageError, match="names the source c"):
        apply_filters(corpus(tmp_path, {"a": PROSE}), [Filter("f", "true", ("c",))])


def test_the_attribute_has_the_columns_that_it_names(tmp_path):
    directory = corpus(tmp_path, {"a": PROSE, "b": ""})
    table = pa.Table.from_batches(store.read_attribute(directory, QUALITY))
    assert table.schema.names == QUALITY_SCHEMA.names
    assert not any(column.null_count for column in table.columns)


PIECES = st.sampled_from(
    [*BOILERPLATE[:3], "copyright", "washington, d.c. 20549", ". ", "! ", "? ", "\n", "ab", " "]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_boilerplate_is_the_sentences_in_which_a_phrase_begins(text: str) -> None:
    ends = [n for n in range(len(text)) if any(text.startswith(mark, n) for mark in ("\n", ". ", "! ", "? "))]
    starts = [0, *(n + 1 for n in ends)]
    sentences = list(zip(starts, [*(n + 1 for n in ends), len(text)]))
    begun = [n for n in range(len(text)) if any(text.startswith(phrase, n) for phrase in BOILERPLATE)]
    held = sum(end - start for start, end in sentences if any(start <= n < end for n in begun))
    assert boilerplate_share(text) == pytest.approx(held / len(text) if text else 0)
