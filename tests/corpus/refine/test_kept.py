"""What stays: views never look ahead, at any licence gate, and whatever is left out has a twin that is in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mintage.corpus import store
from mintage.corpus.document import USES, Document
from mintage.corpus.refine.decontaminate import decontaminate
from mintage.corpus.refine.duplicates import refine
from mintage.corpus.refine.filters import apply_filters
from mintage.corpus.refine.kept import decide
from mintage.corpus.refine.near_duplicates import near_duplicates
from mintage.corpus.refine.quality import tag
from mintage.corpus.refine.settings import DecontaminateSettings, Filter, NearDuplicateSettings

DAY_ZERO = datetime(2020, 1, 1, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
WORDS = [f"word{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(60)]
FILLER = " ".join(WORDS)
# The first is nearly the second, the second nearly the third, the first not nearly the third; the fourth says
# what the first says with another figure; the fifth is short, and a filter removes it.
TEXTS = [
    f"Sales were 100 million. {FILLER}",
    f"Sales were 100 million. {FILLER.replace(WORDS[58], 'changed')}",
    f"Sales were 100 million. {FILLER.replace(WORDS[58], 'changed').replace(WORDS[10], 'altered')}",
    f"Sales were 200 million. {FILLER}",
    "Sales were 100 million.",
]
NEAR = {frozenset({0, 1}), frozenset({1, 2})}
SETTINGS = NearDuplicateSettings(jaccard=0.84, bands=8, rows=1)
KEEP = (Filter("long", "words >= 10", ("s0",)),)


def make(
    native_id: int, text: str, at: int | None = 0, use: str = "ship", supersedes: str | None = None
) -> Document:
    return Document.make(
        source=f"s{native_id % 2}",
        native_id=str(native_id),
        text=text,
        licence="l",
        use=use,
        available_at=None if at is None else DAY_ZERO + timedelta(days=at),
        supersedes=supersedes,
    )


@st.composite
def random_stores(draw) -> list[Document]:
    documents: list[Document] = []
    for number in range(draw(st.integers(0, 7))):
        replaced = draw(st.none() | st.sampled_from(documents)) if documents else None
        documents.append(
            make(
                number,
                draw(st.sampled_from(TEXTS)),
                draw(st.none() | st.integers(0, 6)),
                draw(st.sampled_from(USES)),
                replaced.doc_id if replaced else None,
            )
        )
    return documents


def write(directory: Path, documents: list[Document]) -> Path:
    store.write_documents(directory, documents)
    refine(directory)
    tag(directory)
    if documents:
        sources = {document.source for document in documents}
        apply_filters(directory, [each for each in KEEP if set(each.sources) <= sources])
    near_duplicates(directory, SETTINGS)
    decide(directory)
    return directory


def kept_view(directory: Path, as_of: datetime | None, gate: str) -> list[Document]:
    """What is public and admitted at the gate, not replaced, and not left out there."""
    decisions: list[dict] = []
    for batch in store.read_attribute(directory, store.KEPT):
        decisions += batch.to_pylist()
    left_out = {row["doc_id"] for row in decisions if gate in (row["dropped_at"] or [])}
    seen = []
    for document, superseded_at, _ in store.admissible(directory, gate):
        if document.doc_id in left_out:
            continue
        if as_of is None:
            if superseded_at is None:
                seen.append(document)
        elif (
            document.available_at
            and document.available_at <= as_of
            and (superseded_at is None or superseded_at > as_of)
        ):
            seen.append(document)
    return seen


def naive_view(documents: list[Document], as_of: datetime | None, gate: str) -> list[Document]:
    """The meaning of a view, written as directly as it can be."""

    def when(document: Document) -> datetime:
        return document.available_at or LATEST

    def replaced_by(document: Document, moment: datetime) -> bool:
        return any(
            other.supersedes == document.doc_id and other.available_at and other.available_at <= moment
            for other in documents
        )

    def alike(first: Document, second: Document) -> bool:
        texts = frozenset({TEXTS.index(first.text), TEXTS.index(second.text)})
        return len(texts) == 1 or texts in NEAR

    let_in: list[Document] = []
    for document in sorted(documents, key=lambda each: (when(each), each.doc_id)):
        if USES.index(document.use) > USES.index(gate):
            continue
        if document.source == "s0" and TEXTS.index(document.text) == 4:
            continue
        if not any(alike(document, other) and not replaced_by(other, when(document)) for other in let_in):
            let_in.append(document)
    moment = as_of or LATEST
    return [
        document
        for document in documents
        if document in let_in
        and not replaced_by(document, moment)
        and (as_of is None or when(document) <= as_of)
    ]


# without shrinking: each example writes two corpora, and a failing one is small already
@settings(max_examples=8, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(random_stores(), st.integers(-1, 6), st.sampled_from(USES))
def test_a_view_is_that_of_the_store_cut_at_its_time(tmp_path_factory, documents, day, gate):
    cut = DAY_ZERO + timedelta(days=day)
    whole = write(tmp_path_factory.mktemp("whole"), documents)
    seen = kept_view(whole, cut, gate)
    assert seen == naive_view(documents, cut, gate)
    assert kept_view(whole, None, gate) == naive_view(documents, None, gate)
    past = [document for document in documents if document.available_at and document.available_at <= cut]
    assert kept_view(write(tmp_path_factory.mktemp("cut"), past), cut, gate) == seen


def decisions(directory: Path) -> dict[str, dict]:
    """What was decided, by native_id; documents that stay are absent."""
    ids = pa.Table.from_batches(store.read_documents(directory, ["native_id"]))["native_id"].to_pylist()
    rows = pa.Table.from_batches(store.read_attribute(directory, store.KEPT)).to_pylist()
    return {native_id: row for native_id, row in zip(ids, rows) if row["reason"]}


def test_what_is_left_out_says_why_and_for_whom(tmp_path):
    first, near, short = make(1, TEXTS[0]), make(2, TEXTS[1], 1), make(4, TEXTS[4], 2)
    again = make(3, TEXTS[0] + "  ", 3)
    local = make(5, TEXTS[0], 4, "local")
    made = decisions(write(tmp_path, [again, local, short, near, first]))
    assert {native_id: (row["reason"], row["duplicate_of"]) for native_id, row in made.items()} == {
        "2": ("nearly the same text", first.doc_id),
        "3": ("same text", first.doc_id),
        "4": ("filter long", None),
        "5": ("same text", first.doc_id),
    }
    assert {native_id: row["dropped_at"] for native_id, row in made.items()} == {
        **{native_id: list(USES) for native_id in "234"},
        "5": list(USES[1:]),
    }


def test_a_text_that_comes_as_its_twin_is_replaced_stays(tmp_path):
    first, other = make(1, TEXTS[0], 0), make(3, TEXTS[3], 2, supersedes=make(1, TEXTS[0]).doc_id)
    again = make(5, TEXTS[0], 2)
    assert decisions(write(tmp_path, [first, other, again])) == {}


def test_a_chain_of_small_changes_does_not_lose_its_end(tmp_path):
    chain = [make(number, TEXTS[number], number) for number in range(3)]
    assert list(decisions(write(tmp_path, chain))) == ["1"]


def test_a_filtered_document_takes_nobody_with_it(tmp_path):
    removed, twin = make(2, TEXTS[4], 0), make(3, TEXTS[4], 1)
    other = make(1, TEXTS[0], 0)
    assert list(decisions(write(tmp_path, [removed, twin, other]))) == ["2"]


def test_a_contaminated_document_takes_nobody_with_it_and_says_so(tmp_path, shared_data):
    sentence = (
        "Technopolis plans to develop in stages an area of no less than 100,000 square meters in order "
    )
    sentence += (
        "to host companies working in computer technologies and telecommunications, the statement said."
    )
    corpus = tmp_path / "corpus"
    store.write_documents(corpus, [make(1, f"{TEXTS[0]} {sentence}", 0), make(2, TEXTS[0], 1)])
    refine(corpus)
    near_duplicates(corpus, NearDuplicateSettings(jaccard=0.6, bands=8, rows=1))
    decontaminate(corpus, DecontaminateSettings(str(shared_data / "benchmarks"), sets=("phrasebank",)))
    assert decide(corpus) == {"s1": {"benchmark phrasebank": 1}}


@pytest.mark.parametrize("gate", USES)
def test_a_twin_of_a_stricter_licence_does_not_remove_a_freer_document_at_a_narrow_gate(tmp_path, gate):
    local, free = make(1, TEXTS[0], 0, "local"), make(2, TEXTS[1], 1, "ship")
    seen = kept_view(write(tmp_path, [local, free]), None, gate)
    assert seen == ([free] if gate == "ship" else [local])
