"""A corpus written source by source is the same whatever the order and the number of workers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mintage.corpus import parts, store
from mintage.corpus.document import Document
from mintage.corpus.refine.duplicates import refine
from mintage.corpus.sources.report import RawFile, SourceReport
from mintage.workspace import content_of


@dataclass(frozen=True)
class Letters:
    """A source of so many texts that say its name."""

    name: str
    count: int


def read(source: Letters, factor: int, reports: dict[str, SourceReport]) -> Iterator[Document]:
    """The documents of a source, with a report."""
    report = reports[source.name] = SourceReport(files=[RawFile("f", "0" * 64, 1)])
    for number in range(source.count):
        report.bad("f", number, "every second row")
        yield Document.make(
            source=source.name,
            native_id=str(number),
            text=f"{source.name} {number * factor}",
            licence="",
            use="ship",
        )


def reading(source: Letters, reports: dict[str, SourceReport]) -> Iterator[Document]:
    return read(source, 3, reports)


def test_order_and_workers_change_nothing(tmp_path: Path) -> None:
    sources = [Letters("b", 3), Letters("a", 5), Letters("empty", 0), Letters("c", 1)]
    hashes = []
    for number, jobs in enumerate((1, 2, 2)):
        random.Random(number).shuffle(sources)
        place = tmp_path / str(number)
        written = parts.write_all(place / "corpus", sources, reading, place / "scratch", jobs)
        refine(place / "corpus")
        hashes.append(content_of(place / "corpus"))
        assert [(part.name, part.documents) for part in written] == [
            ("a", 5),
            ("b", 3),
            ("c", 1),
            ("empty", 0),
        ]
        assert written[0].reports["a"].bad_rows == 5
        assert str(written[0].reports["a"].bad_row_examples[1]) == "f:1: every second row"
        assert written[0].reports["a"].files == [RawFile("f", "0" * 64, 1)]
    assert hashes[0] == hashes[1] == hashes[2]
    names = [
        row
        for batch in store.read_documents(tmp_path / "0" / "corpus")
        for row in batch["source"].to_pylist()
    ]
    assert names == ["a"] * 5 + ["b"] * 3 + ["c"]


def test_part_of_a_corpus_is_a_corpus(tmp_path: Path) -> None:
    parts.write_all(tmp_path / "corpus", [Letters("a", 2), Letters("b", 2)], reading, tmp_path / "scratch")
    refine(tmp_path / "corpus")
    whole = [document for document, _, _ in store.admissible(tmp_path / "corpus", "ship")]
    pieces = [
        [
            document
            for document, _, _ in store.admissible(
                parts.corpus_of_part(tmp_path / "corpus", number, tmp_path / str(number)), "ship"
            )
        ]
        for number in range(2)
    ]
    assert pieces[0] + pieces[1] == whole and len(pieces[0]) == 2
