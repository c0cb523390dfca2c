"""Documents: identity by content, and nothing lost on the way to Arrow and back."""

import hashlib
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus.document import (
    ROLES,
    SCHEMA,
    USES,
    Document,
    allows,
    chat_messages,
    chat_text,
    record_batch,
)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@st.composite
def documents(draw):
    return Document.make(
        source=draw(words),
        native_id=draw(words),
        text=draw(words),
        licence=draw(words),
        use=draw(st.sampled_from(USES)),
        kind=draw(words),
        title=draw(words),
        available_at=draw(st.none() | moments),
        date_precision="second",
        published_at=draw(st.none() | moments),
        period_end=draw(st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1))),
        vintage=draw(st.integers(0, 5)),
        supersedes=draw(st.none() | words),
        entities=draw(st.lists(st.tuples(words, words), max_size=3)),
        url=draw(st.none() | words),
        raw_sha256=draw(st.none() | words),
        raw_file=draw(st.none() | words),
    )


@given(st.lists(documents(), max_size=4))
def test_documents_survive_arrow(given_documents):
    batch = record_batch(given_documents)
    assert batch.schema == SCHEMA
    assert [Document.from_row(row) for row in batch.to_pylist()] == given_documents


def test_the_identity_is_the_source_the_id_the_vintage_and_the_text_and_nothing_else():
    def make(**changes):
        return Document.make(
            **{"source": "s", "native_id": "1", "text": "a", "licence": "l", "use": "ship", **changes}
        )

    first = make()
    assert first.content_hash == hashlib.blake2b(b"a", digest_size=32).hexdigest()
    assert len(first.doc_id) == 32
    assert make(title="t", licence="m", available_at=datetime(2020, 1, 1, tzinfo=UTC)).doc_id == first.doc_id
    others = [
        make(source="s2"),
        make(native_id="2"),
        make(text="b"),
        make(vintage=1),
        make(source="s1", native_id=""),
    ]
    assert len({first.doc_id, *(other.doc_id for other in others)}) == len(others) + 1


def test_a_text_that_no_file_can_hold_is_refused():
    with pytest.raises(UnicodeEncodeError):
        Document.make(source="s", native_id="1", text="half \ud800", licence="l", use="ship")


def test_a_gate_lets_in_what_is_as_free_or_freer():
    passing = {gate: [use for use in USES if allows(use, gate)] for gate in USES}
    assert passing == {
        "ship": ["ship"],
        "local": ["ship", "local"],
        "evaluate": ["ship", "local", "evaluate"],
        "none": ["ship", "local", "evaluate", "none"],
    }


@given(st.lists(st.fixed_dictionaries({"role": st.sampled_from(ROLES), "content": words})))
def test_a_chat_survives_its_text(messages):
    text = chat_text(messages)
    assert chat_messages(text) == messages
    assert json.loads(text) == messages
