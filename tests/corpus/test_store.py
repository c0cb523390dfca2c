"""The store: documents come back as they were, views never look ahead, SQL reads and cannot write."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mintage.corpus import store
from mintage.corpus.document import USES, Document
from mintage.corpus.refine.duplicates import refine
from mintage.errors import MintageError

DAY_ZERO = datetime(2020, 1, 1, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
TEXTS = ["Revenue was 1,234.", "Revenue  was\n1,234. ", "Revenue was 1,235.", "revenue was 1,234.", "Up."]


def make(
    native_id: int, text: str = "Up.", at: int | None = 0, use: str = "ship", supersedes: str | None = None
):
    available_at = None if at is None else DAY_ZERO + timedelta(days=at)
    return Document.make(
        source=f"s{native_id % 2}",
        native_id=str(native_id),
        text=text,
        licence="l",
        use=use,
        available_at=available_at,
        supersedes=supersedes,
    )


@st.composite
def random_stores(draw) -> list[Document]:
    """Documents with copies, vintages, undated ones, all licences, and the same row read twice."""
    documents: list[Document] = []
    for number in range(draw(st.integers(0, 12))):
        times = st.none() | st.integers(0, 6)
        again = draw(st.integers(0, 9)) == 0
        if again and documents:
            at = draw(times)
            copied = draw(st.sampled_from(documents))
            moment = None if at is None else DAY_ZERO + timedelta(days=at)
            documents.append(dataclasses.replace(copied, available_at=moment))
            continue
        replaced = draw(st.none() | st.sampled_from(documents)) if documents else None
        documents.append(
            make(
                number,
                draw(st.sampled_from(TEXTS)),
                draw(times),
                draw(st.sampled_from(USES)),
                replaced.doc_id if replaced else None,
            )
        )
    return documents


def when(document: Document) -> datetime:
    return document.available_at or LATEST


def unrepeated(documents: list[Document]) -> list[Document]:
    """One row for each doc_id, the earliest; the first one where they are equally early."""
    kept = []
    for index, document in enumerate(documents):
        rivals = [
            (when(other), number) for number, other in enumerate(documents) if other.doc_id == document.doc_id
        ]
        if min(rivals) == (when(document), index):
            kept.append(document)
    return kept


def naive_view(documents: list[Document], as_of: datetime | None, gate: str) -> list[Document]:
    """The meaning of a view, written as directly as it can be: quadratic, and without any store."""
    documents = unrepeated(documents)
    passing = [document for document in documents if USES.index(document.use) <= USES.index(gate)]

    def replaced_by(document: Document, moment: datetime) -> bool:
        return any(
            other.supersedes == document.doc_id
            and other.available_at is not None
            and other.available_at <= moment
            for other in documents
        )

    def repeats(document: Document) -> bool:
        return any(
            " ".join(other.text.split()) == " ".join(document.text.split())
            and (when(other), other.doc_id) < (when(document), document.doc_id)
            and not replaced_by(other, when(document))
            for other in passing
        )

    def admitted(document: Document) -> bool:
        if as_of is not None and when(document) > as_of:
            return False
        return not repeats(document) and not replaced_by(document, as_of or LATEST)

    return [document for document in passing if admitted(document)]


def write(directory: Path, documents: list[Document]) -> Path:
    store.write_documents(directory, documents)
    refine(directory)
    return directory


@pytest.fixture
def tiny_row_groups(monkeypatch):
    monkeypatch.setattr(store, "ROW_GROUP_DOCUMENTS", 2)
    monkeypatch.setattr(store, "PART_BYTES", 600)


# the fixture only makes row groups small; that it lasts over the examples does no harm
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random_stores(), st.integers(-1, 6), st.sampled_from(USES))
def test_a_view_is_that_of_the_store_cut_at_its_time(tmp_path_factory, tiny_row_groups, documents, day, gate):
    cut = DAY_ZERO + timedelta(days=day)
    whole = write(tmp_path_factory.mktemp("whole"), documents)
    seen = list(store.view(whole, cut, gate))
    assert seen == naive_view(documents, cut, gate)
    assert list(store.view(whole, None, gate)) == naive_view(documents, None, gate)
    past = [document for document in documents if document.available_at and document.available_at <= cut]
    assert list(store.view(write(tmp_path_factory.mktemp("cut"), past), cut, gate)) == seen


def test_a_restatement_that_returns_to_the_first_text_is_not_lost(tmp_path):
    first = make(1, "a", 0)
    second = make(2, "b", 1, supersedes=first.doc_id)
    third = make(3, "a", 2, supersedes=second.doc_id)
    directory = write(tmp_path, [first, second, third])
    seen = [
        [d.native_id for d in store.view(directory, DAY_ZERO + timedelta(days=day), "ship")]
        for day in range(3)
    ]
    assert seen == [["1"], ["2"], ["3"]]


def test_a_restatement_with_the_same_text_takes_the_place_of_the_first(tmp_path):
    first = make(1, "a", 0)
    directory = write(tmp_path, [first, make(2, "a", 1, supersedes=first.doc_id)])
    seen = [
        [d.native_id for d in store.view(directory, DAY_ZERO + timedelta(days=day), "ship")]
        for day in range(2)
    ]
    assert seen == [["1"], ["2"]]


def test_a_stricter_gate_does_not_count_copies_that_it_bars(tmp_path):
    directory = write(tmp_path, [make(1, "a", 0, "local"), make(2, "a", 1, "ship"), make(3, "a", 2, "ship")])
    assert [document.native_id for document in store.view(directory, None, "ship")] == ["2"]
    assert [document.native_id for document in store.view(directory, None, "local")] == ["1"]


def test_documents_come_back_in_order_from_many_parts(tmp_path, tiny_row_groups):
    documents = [make(number, f"text {number}", number) for number in range(11)]
    assert store.write_documents(tmp_path, documents) == 11
    assert len(store.parts(tmp_path, "documents")) > 1
    rows = [row for batch in store.read_documents(tmp_path) for row in batch.to_pylist()]
    assert [Document.from_row(row) for row in rows] == documents
    columns = [batch.schema.names for batch in store.read_documents(tmp_path, ["doc_id", "use"])]
    assert all(names == ["doc_id", "use"] for names in columns)


def test_attributes_lie_beside_the_documents_row_for_row(tmp_path, tiny_row_groups):
    write(tmp_path, [make(number, TEXTS[number % 5], number) for number in range(11)])
    for name in (store.EXACT_DUPLICATE, store.SUPERSEDED):
        pairs = zip(store.read_documents(tmp_path), store.read_attribute(tmp_path, name), strict=True)
        assert all(documents["doc_id"].equals(attribute["doc_id"]) for documents, attribute in pairs)


def test_row_groups_hold_about_eight_megabytes(tmp_path):
    store.write_documents(tmp_path, (make(number, "x" * 2**20) for number in range(20)))
    metadata = pq.read_metadata(store.parts(tmp_path, "documents")[0])
    assert [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)] == [8, 8, 4]


def test_admissible_tells_the_end_and_the_copies_whatever_the_date(tmp_path):
    first, copy, undated = make(1, "a", 0), make(2, "a", 1, "local"), make(3, "b", None)
    later = make(4, "c", 5, supersedes=copy.doc_id)
    directory = write(tmp_path, [first, copy, undated, later, make(5, "d", 0, "none")])
    assert list(store.admissible(directory, "local")) == [
        (first, None, False),
        (copy, later.available_at, True),
        (undated, None, False),
        (later, None, False),
    ]


@pytest.fixture
def corpus(tmp_path):
    documents = [make(1, "é one", 0), make(2, "é one", 1), make(3, "two", None, "local")]
    write(tmp_path, documents)
    (tmp_path / "sources.json").write_text('{"s0": {"documents": 1}, "s1": {"documents": 2}}')
    return tmp_path


def test_sql_sees_documents_attributes_and_sources(corpus):
    table = store.sql(corpus, "select use, count(*) as n from documents group by use order by use")
    assert table.to_pylist() == [{"use": "local", "n": 1}, {"use": "ship", "n": 2}]
    copies = store.sql(
        corpus,
        "select d.native_id from documents d join exact_duplicate using (doc_id) "
        "where duplicate_of is not null",
    )
    assert copies.to_pylist() == [{"native_id": "2"}]
    assert store.sql(corpus, "select sum(documents) as n from sources").to_pylist() == [{"n": 3}]
    years = store.sql(
        corpus, "select year(available_at) as y from documents where available_at is not null limit 1"
    )
    assert years.to_pylist() == [{"y": 2020}]
    assert "text" in store.sql(corpus, "describe documents")["column_name"].to_pylist()


@pytest.mark.parametrize(
    "query",
    [
        "copy documents to '{}/documents/part-00000.parquet'",
        "copy (select 1) to '{}/new.csv'",
        "create table t as select 1",
        "delete from documents",
        "drop view documents",
        "attach '{}/new.db'",
        "export database '{}/export'",
        "explain analyze copy (select 1) to '{}/new.csv'",
        "set enable_external_access = true",
        "select 1; copy (select 1) to '{}/new.csv'",
        "select * from read_text('/etc/passwd')",
        "select * from read_csv('{}/../secret.csv')",
        "selec 1",
        "select nothing from documents",
        "select cast(text as integer) from documents",
        "",
    ],
)
def test_sql_refuses_whatever_is_not_one_select_over_the_corpus(corpus, query):
    (corpus.parent / "secret.csv").write_text("a\n1\n")
    before = {path: path.read_bytes() for path in sorted(corpus.rglob("*")) if path.is_file()}
    with pytest.raises(MintageError, match=r"^sql: "):
        store.sql(corpus, query.format(corpus))
    assert {path: path.read_bytes() for path in sorted(corpus.rglob("*")) if path.is_file()} == before


def test_sql_refuses_an_answer_larger_than_memory_allows(corpus, monkeypatch):
    monkeypatch.setattr(store, "SQL_ANSWER_BYTES", 1000)
    with pytest.raises(MintageError, match="LIMIT"):
        store.sql(corpus, "select * from range(100000)")


def test_a_directory_that_is_no_corpus_is_named(tmp_path):
    with pytest.raises(MintageError, match=r"sources\.json"):
        store.sql(tmp_path, "select 1")
