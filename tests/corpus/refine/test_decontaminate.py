"""Decontamination: every planted item of the real sets is found, tables in whatever form, and text that is
like one but is not it stays."""

import random
from datetime import date
from pathlib import Path

import pytest

from mintage.corpus import store
from mintage.corpus.document import Document, chat_text
from mintage.corpus.refine import decontaminate as decontaminate_module
from mintage.corpus.refine.benchmarks import Item, Table, read_items
from mintage.corpus.refine.decontaminate import (
    DECONTAMINATION,
    LEAST_ALONE,
    build_index,
    decontaminate,
    find,
)
from mintage.corpus.refine.settings import DecontaminateSettings
from mintage.corpus.refine.words import words_of
from mintage.errors import MintageError

BEFORE = "The bank said on Monday that prices would rise by 2.5 percent in 2018.\n"
AFTER = "\nIts governor expects growth of 1.2 percent, after 3,400 new jobs in March 2017."


def as_markdown(table: Table) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in table)


def as_lines(table: Table) -> str:
    return "\n".join("   ".join(row) for row in table)


def by_columns(table: Table) -> str:
    return "\n".join(
        " ".join(row[column] for row in table if column < len(row)) for column in range(len(table[0]))
    )


def as_pairs(table: Table) -> str:
    return "\n".join(
        f"{row[0]}: " + ", ".join(f"{label} {cell}" for label, cell in zip(table[0][1:], row[1:]))
        for row in table[1:]
    )


FORMS = [as_markdown, as_lines, by_columns, as_pairs]


@pytest.fixture(scope="module")
def items(shared_data) -> list[Item]:
    """Some of the items of every set."""
    sets = DecontaminateSettings(".").sets
    every = read_items(Path(shared_data / "benchmarks"), sets)
    sentences = [item for item in every if item.sentences]
    others = [item for item in every if not item.sentences]
    return [*sentences[::23], *others[::6]]


@pytest.fixture(scope="module")
def index(items):
    return build_index(items, DecontaminateSettings("."))


def missed(index, plants: list[tuple[Item, str]]) -> list[str]:
    texts = [f"{BEFORE}{text}{AFTER}" for _, text in plants]
    found = find(index, texts)
    return [
        item.id
        for (item, _), matches in zip(plants, found)
        if (item.benchmark, item.id) not in {(match["benchmark"], match["item"]) for match in matches}
    ]


def test_items_planted_word_for_word_are_found(index, items):
    plants = []
    for item in items:
        if item.sentences:
            if len(words_of([item.sentences[0]]).hashes) >= LEAST_ALONE:
                plants.append((item, item.sentences[0]))
        else:
            plants.append((item, "\n".join([*item.passages, *item.questions])))
    assert {item.benchmark for item, _ in plants} == set(DecontaminateSettings(".").sets)
    assert missed(index, plants) == []


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_tables_planted_alone_are_found(index, items, form):
    plants = [(item, form(table)) for item in items for table in item.tables]
    assert len(plants) > 200
    assert missed(index, plants) == []


def test_sentences_of_a_word_or_two_count_only_as_a_whole_document(index, items):
    short = [
        item for item in items if item.sentences and len(words_of(item.sentences[:1]).hashes) < LEAST_ALONE
    ]
    for item in short:
        assert find(index, [item.sentences[0]])[0]
        assert not find(index, [f"{BEFORE}{item.sentences[0]}{AFTER}"])[0]


def test_speeches_hold_no_item(index, shared_data):
    import gzip
    import json

    with gzip.open(shared_data / "corpora" / "fed_speeches.jsonl.gz", "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line, _ in zip(file, range(40))]
    assert find(index, texts) == [[] for _ in texts]


TABLE: Table = (("", "2019", "2018"), ("Sales", "1,452.4", "1,146.2"), ("Costs", "(1,036.9)", "912.25"))


def small_index(share: float = 0.5):
    item = Item("finqa", "X/2019/page_1", tables=(TABLE,), company="X", year=2019)
    return build_index([item], DecontaminateSettings(".", share=share))


def test_a_table_with_other_figures_is_another_table():
    other = tuple(tuple(cell.replace("4", "7") for cell in row) for row in TABLE)
    assert find(small_index(), [as_markdown(TABLE)])[0]
    assert not find(small_index(), [as_markdown(other)])[0]


def test_figures_are_recognised_however_they_are_written():
    plain = "Sales USD 1452.40 then 1146.2; -1036.90 and 912.25"
    assert [match["kind"] for match in find(small_index(), [plain])[0]] == ["table"]


def test_a_figure_that_is_repeated_at_once_counts_once():
    said = "Sales 1,452.4 (1,452.4) then 1,146.2 (1,146.2); 1,036.9 (1,036.9), 912.25 (912.25)"
    (match,) = find(small_index(), [said])[0]
    assert (match["kind"], match["share"]) == ("table", 1)


@pytest.mark.parametrize(
    "row", [("149", "108", "115"), ("2019", "2018", "2017", "2016"), ("12", "15", "8", "77")]
)
def test_small_figures_and_years_in_a_row_are_nobodys_item(row):
    item = Item("tatqa", "1", tables=(tuple((cell, cell) for cell in ("", *row)), (("", *row), ("x", *row))))
    index = build_index([item], DecontaminateSettings("."))
    assert find(index, [f"There were {' and '.join(row)} of them."]) == [[]]


def test_a_short_sentence_counts_only_where_it_stands_alone():
    index = build_index(
        [Item("headlines", "1", sentences=("gold prices fall in Asia",))], DecontaminateSettings(".")
    )
    assert find(index, ["Markets. Gold prices fall in Asia; more soon"])[0]
    assert find(index, ["He said gold prices fall in Asia.", "Gold prices fall in Asia and Europe"]) == [
        [],
        [],
    ]


def test_a_passage_is_counted_in_different_grams_of_one_text():
    words = [f"w{number}" for number in range(14)]
    index = build_index(
        [Item("tatqa", "1", passages=(" ".join(words) + " 12,345",))], DecontaminateSettings(".")
    )
    first = " ".join(words[:13])
    assert find(index, [first, " ".join([first] * 5)]) == [[], []]  # one of three, and half means two
    assert find(index, [" ".join(words)])[0]
    assert find(index, [" ".join(words[:7]), " ".join(words[7:])]) == [[], []]


def test_chats_and_documents_of_many_batches_are_matched_each_for_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(decontaminate_module, "BATCH_CHARACTERS", 40)
    sentence = "the profit of the quarter rose\nto 12 million euros in all"
    said = chat_text([{"role": "user", "content": "Go on."}, {"role": "assistant", "content": sentence}])
    texts = [
        "Nothing here.",
        said,
        "Nothing there.",
        sentence,
        "Nothing at all that would be of any use to anyone.",
    ]
    documents = [
        Document.make(
            source="s",
            native_id=str(number),
            text=text,
            kind="chat" if text == said else "text",
            licence="l",
            use="ship",
        )
        for number, text in enumerate(texts)
    ]
    store.write_documents(tmp_path / "corpus", documents)
    (tmp_path / "phrasebank").mkdir()
    (tmp_path / "phrasebank" / "Sentences_50.txt").write_text(" ".join(sentence.split()) + "@positive\n")
    decontaminate(tmp_path / "corpus", DecontaminateSettings(str(tmp_path), sets=("phrasebank",)))
    rows = [
        row
        for batch in store.read_attribute(tmp_path / "corpus", DECONTAMINATION)
        for row in batch.to_pylist()
    ]
    names = {document.doc_id: document.native_id for document in documents}
    assert [names[row["doc_id"]] for row in rows if row["matches"]] == ["1", "3"]


def test_headings_and_legal_phrases_of_every_report_are_nobodys_item():
    phrase = "Item 10. Directors, Executive Officers and Corporate Governance of the registrant"
    index = build_index([Item("tatqa", "1", passages=(phrase,), tables=(TABLE,))], DecontaminateSettings("."))
    assert find(index, [phrase]) == [[]]


def test_order_and_share_decide():
    generator = random.Random(1)
    words = [f"w{number}" for number in range(400)]
    item = Item("tatqa", "1", passages=(" ".join(words) + " 12,345",))
    index = build_index([item], DecontaminateSettings(".", share=0.5))
    assert find(index, [" ".join(words[:260])])[0]
    assert not find(index, [" ".join(words[:150])])[0]
    generator.shuffle(words)
    assert not find(index, [" ".join(words)])[0]


def test_the_report_of_a_company_and_year_that_a_set_asks_about_is_out(tmp_path, shared_data):
    def report(ticker: str, end: date) -> Document:
        return Document.make(
            source="s",
            native_id=f"{ticker} {end}",
            text="Report.",
            licence="l",
            use="ship",
            period_end=end,
            entities=[("ticker", ticker)],
        )

    documents = [
        report("AAP", date(2011, 12, 31)),
        report("AAP", date(2012, 1, 28)),
        report("AAP", date(2001, 12, 31)),
        report("ZZZ", date(2011, 12, 31)),
    ]
    store.write_documents(tmp_path, documents)
    path = str(shared_data / "benchmarks")
    settings = DecontaminateSettings(path, sets=("convfinqa",))
    assert decontaminate(tmp_path, settings)["convfinqa"]["documents"] == 2
    matches = [row for batch in store.read_attribute(tmp_path, DECONTAMINATION) for row in batch.to_pylist()]
    assert [{match["kind"] for match in row["matches"]} for row in matches] == [
        {"company-year"},
        {"company-year"},
        set(),
        set(),
    ]
    settings = DecontaminateSettings(path, sets=("convfinqa",), company_years=False)
    assert decontaminate(tmp_path, settings)["convfinqa"]["documents"] == 0


def test_a_set_that_is_not_there_or_not_itself_is_refused(tmp_path):
    with pytest.raises(MintageError, match="put the fiqa set there"):
        read_items(tmp_path, ["fiqa"])
    (tmp_path / "fiqa").mkdir()
    (tmp_path / "fiqa" / "train.json").write_text('{"1": {"text": "no sentence"}}')
    with pytest.raises(MintageError, match="not laid out as fiqa"):
        read_items(tmp_path, ["fiqa"])
