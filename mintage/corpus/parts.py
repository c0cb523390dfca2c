"""The parts of a corpus as tasks: one for each source, merged into the store in the order of their names.

The order in which a recipe lists its sources, the order in which the tasks happen to end and the number of
workers change nothing in the corpus.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mintage.corpus.document import Document
from mintage.corpus.sources.report import BadRowExample, RawFile, SourceReport
from mintage.corpus.store import part_path, parts, write_documents
from mintage.corpus.tasks import Progress, Task, link, run_all

Read = Callable[..., Iterator[Document]]
"""Called with a source's settings and `reports=` a dictionary: yields the source's documents, and puts its
report there under its name. A function at a module's top level, or a `functools.partial` of one."""


@dataclass(frozen=True)
class SourcePart:
    """What became of one source: how many documents it gave, and its reports by source name."""

    name: str
    documents: int
    reports: dict[str, SourceReport]


def tasks(sources: Sequence[Any], read: Read, scratch: Path) -> list[Task]:
    """A task for each source (settings with a `name`), by name."""
    ordered = sorted(sources, key=lambda source: source.name)
    return [Task(scratch / source.name, write_source, (source, read)) for source in ordered]


def write_source(directory: Path, source: Any, read: Read) -> dict[str, Any]:
    """Write the documents of one source as a store of its own; the task's function."""
    reports: dict[str, SourceReport] = {}
    documents = write_documents(directory, read(source, reports=reports))
    return {
        "documents": documents,
        "reports": {name: dataclasses.asdict(report) for name, report in reports.items()},
    }


def write_all(
    directory: Path,
    sources: Sequence[Any],
    read: Read,
    scratch: Path,
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[SourcePart]:
    """Read every source, `jobs` at a time, and put their documents into the corpus directory."""
    pieces = tasks(sources, read, scratch)
    results = run_all(pieces, jobs, progress)
    filled = [
        path
        for piece in pieces
        for path in parts(piece.directory, "documents")
        if pq.read_metadata(path).num_rows
    ]
    for number, path in enumerate(filled):
        link(path, part_path(directory, "documents", number))
    return [
        SourcePart(
            piece.directory.name,
            result["documents"],
            {name: report_of(record) for name, record in result["reports"].items()},
        )
        for piece, result in zip(pieces, results)
    ]


def report_of(record: dict[str, Any]) -> SourceReport:
    """A report out of its JSON form."""
    return SourceReport(
        **{
            **record,
            "files": [RawFile(**file) for file in record["files"]],
            "bad_row_examples": [BadRowExample(**example) for example in record["bad_row_examples"]],
        }
    )


def corpus_of_part(corpus: Path, number: int, directory: Path) -> Path:
    """A corpus that holds one part of another, its attributes with it: second names for the same files."""
    tables = [
        "documents",
        *(f"attributes/{folder.name}" for folder in sorted((corpus / "attributes").glob("*"))),
    ]
    for table in tables:
        link(part_path(corpus, table, number), part_path(directory, table, 0))
    return directory
