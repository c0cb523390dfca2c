"""What became known between two moments, against the views of the store at both."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintage.corpus import store
from mintage.corpus.compare import compare, moment_of
from mintage.corpus.document import Document
from mintage.corpus.refine.duplicates import refine
from mintage.errors import MintageError


def document(number: int, day: int | None, text: str, supersedes: str | None = None) -> Document:
    return Document.make(
        source="ab"[number % 2],
        native_id=str(number),
        title=f"t{number}",
        text=text,
        licence="",
        use="ship",
        available_at=datetime(2020, 1, day, 12, tzinfo=UTC) if day else None,
        supersedes=supersedes,
    )


def written(folder: Path, documents: list[Document]) -> Path:
    store.write_documents(folder, documents)
    refine(folder)
    return folder


def test_a_restated_figure_comes_and_replaces_the_old_one(tmp_path: Path) -> None:
    old = document(0, 3, "3,719 million")
    some = [
        old,
        document(2, 9, "4,224 million", old.doc_id),
        document(1, 5, "other"),
        document(3, None, "undated"),
    ]
    changes = compare(written(tmp_path, some), moment_of("2020-01-04"), moment_of("2020-01-09"), "ship")
    assert (changes["a"].before, changes["a"].after, changes["a"].came, changes["a"].replaced) == (1, 1, 1, 1)
    assert changes["a"].characters == len("4,224 million") and changes["a"].first == [some[1]]
    assert (changes["b"].before, changes["b"].after) == (0, 1) and changes["b"].first == [some[2]]


def test_the_first_documents_are_the_earliest_in_their_order(tmp_path: Path) -> None:
    some = [document(0, day, f"text {day}") for day in (20, 4, 12, 7, 9, 3, 15, 28)]
    change = compare(written(tmp_path, some), moment_of("2020-01-03"), moment_of("2020-01-31"), "ship")["a"]
    assert [each.available_at.day for each in change.first if each.available_at] == [4, 7, 9, 12, 15]


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(st.none() | st.integers(1, 28), st.integers(0, 5), st.booleans()), min_size=1, max_size=12
    ),
    st.integers(1, 28),
    st.integers(1, 28),
)
def test_counts_are_those_of_the_views(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int | None, int, bool]], one: int, two: int
) -> None:
    some: list[Document] = []
    for number, (day, text, replaces) in enumerate(rows):
        some.append(document(number, day, f"text {text}", some[-1].doc_id if replaces and some else None))
    folder = written(tmp_path_factory.mktemp("corpus"), some)
    earlier, later = (moment_of(f"2020-01-{day:02d}") for day in sorted((one, two)))
    views = [
        {each.doc_id: each for each in store.view(folder, moment, "ship")} for moment in (earlier, later)
    ]
    changes = compare(folder, earlier, later, "ship")
    assert sum(change.before for change in changes.values()) == len(views[0])
    assert sum(change.after for change in changes.values()) == len(views[1])
    assert sum(change.came for change in changes.values()) == len(views[1].keys() - views[0].keys())
    assert sum(change.replaced for change in changes.values()) == len(views[0].keys() - views[1].keys())


def test_moments_are_read_as_people_write_them() -> None:
    assert moment_of("2020-01-31") == datetime(2020, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert moment_of("2020-01-31T16:05:00-05:00") == datetime(2020, 1, 31, 21, 5, tzinfo=UTC)
    for wrong in ("yesterday", "2020-02-30", "2020-13-01"):
        with pytest.raises(MintageError, match="not a day"):
            moment_of(wrong)


def test_moments_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MintageError, match="exchange"):
        compare(tmp_path, moment_of("2020-01-02"), moment_of("2020-01-01"), "ship")
