"""From sources to a corpus directory: documents, the decisions about them, and an account of both."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from mintage.corpus import parts as parts_of_corpus
from mintage.corpus.collect.raw import JOURNAL, RawStore
from mintage.corpus.document import USES, Document, Use, allows
from mintage.corpus.refine import duplicates
from mintage.corpus.refine.refine import refine
from mintage.corpus.settings import CorpusSettings, Source, is_collected, source_module
from mintage.corpus.sources.report import RawFile, SourceReport
from mintage.corpus.store import (
    EXACT_DUPLICATE,
    KEPT,
    create_views,
    database,
    parts,
    quoted,
)
from mintage.errors import MintageError
from mintage.workspace import file_sha256

__all__ = ["CorpusSettings", "CorpusSummary", "LicenceSummary", "SourceSummary", "build", "inputs"]

Progress = Callable[[str, int, int], None]
"""Called as documents are read: the source's name, then documents and characters so far, over all sources."""

PROGRESS_DOCUMENTS = 64


@dataclass(frozen=True)
class SourceSummary:
    """What the gate let in of one source, and what stayed out and why.

    `documents`, `characters`, `bytes` (UTF-8), `undated` and `superseded` count documents that may be trained
    on; `duplicates` those that repeat an earlier one, exactly or nearly; `removed` those that a filter left
    out, or that hold a benchmark; `barred` those whose licence does not pass the gate; `bad_rows` rows that
    never became documents.
    """

    name: str
    documents: int = 0
    characters: int = 0
    bytes: int = 0
    undated: int = 0
    superseded: int = 0
    duplicates: int = 0
    removed: int = 0
    barred: int = 0
    bad_rows: int = 0
    bad_row_examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class LicenceSummary:
    """How many of the documents let in stand under a licence text, and what it allows."""

    licence: str
    use: Use
    documents: int


@dataclass(frozen=True)
class CorpusSummary:
    """A corpus in figures; the counts are sums over its sources. `use` is the strictest among the documents
    let in, and `earliest` and `latest` are the ends of their `available_at` (None where all are undated)."""

    documents: int
    characters: int
    bytes: int
    undated: int
    superseded: int
    duplicates: int
    removed: int
    barred: int
    bad_rows: int
    earliest: datetime | None
    latest: datetime | None
    use: Use
    licences: tuple[LicenceSummary, ...]
    sources: tuple[SourceSummary, ...]


def inputs(settings: CorpusSettings, raw: Path) -> dict[str, str]:
    """SHA-256 of every file that a build would read, by `source/file`; of a collected source, its journal; of
    benchmark sets, their files."""
    found = {}
    for source in settings.sources:
        if is_collected(source):
            found[f"{source.name}/{JOURNAL}"] = file_sha256(raw_store(source, raw).directory / JOURNAL)
        else:
            for path, name in source_module(source).files(source):
                found[f"{source.name}/{name}"] = file_sha256(path)
    benchmarks = settings.refine.decontaminate if settings.refine else None
    if benchmarks is not None:
        for name in benchmarks.sets:
            for path in sorted((Path(benchmarks.path) / name).rglob("*")):
                if path.is_file():
                    found[f"benchmarks/{name}/{path.name}"] = file_sha256(path)
    return found


def raw_store(source: Source, raw: Path) -> RawStore:
    """What was collected of a source.

    Raises:
        MintageError: nothing was.
    """
    if not (raw / source.name / JOURNAL).exists():
        raise MintageError(
            f"{raw / source.name}: nothing was collected for the source {source.name}; "
            "run `mintage collect RECIPE` first"
        )
    return RawStore(raw / source.name)


def build(
    settings: CorpusSettings,
    directory: Path,
    progress: Progress | None = None,
    raw: Path = Path("raw"),
    scratch: Path | None = None,
    jobs: int = 1,
) -> CorpusSummary:
    """Read every source and write a corpus into an existing, empty directory (publishing it whole is the
    caller's).

    Args:
        progress: told of documents as they are read; on several processes it is not called.
        raw: the raw stores of collected sources, each under its source's name.
        scratch: where sources that were read outlive a killed build, on the same disk; the caller removes it.
        jobs: how many processes read sources; the corpus is the same whatever their number.

    Raises:
        MintageError: a source cannot be read or gives no document, or the gate lets none in.
    """
    names = [source.name for source in settings.sources]
    for name in names:
        if names.count(name) > 1:
            raise MintageError(f"corpus.sources: two sources are called {name}; each needs a name of its own")
    count_documents = Counted(progress) if progress and jobs == 1 else None
    read = partial(source_documents, raw=raw, counted=count_documents)
    reports: dict[str, SourceReport] = {}
    with contextlib.ExitStack() as stack:
        if scratch is None:
            temporary = tempfile.TemporaryDirectory(prefix=".parts-", dir=directory.parent)
            scratch = Path(stack.enter_context(temporary))
        found = parts_of_corpus.write_all(directory, settings.sources, read, scratch, jobs)
    for source, part in zip(sorted(settings.sources, key=lambda source: source.name), found, strict=True):
        if not part.documents:
            raise MintageError(no_documents(source, part.reports[source.name]))
        reports |= part.reports
    repeated = duplicates.refine(directory)
    if settings.refine is not None:
        refine(directory, settings.refine, settings.use)
    groups = count(directory, settings.use)
    written = {group["source"] for group in groups}
    reports = {name: each for name, each in reports.items() if name in written or each != SourceReport()}
    write_sources(directory, groups, reports, repeated)
    return summarise(settings.use, groups, reports)


class Counted:
    """Passes a count of documents and characters on, now and then."""

    def __init__(self, progress: Progress):
        self.progress, self.documents, self.characters = progress, 0, 0

    def watch(self, name: str, documents: Iterator[Document]) -> Iterator[Document]:
        """The same documents, counted."""
        for document in documents:
            self.documents += 1
            self.characters += len(document.text)
            if self.documents % PROGRESS_DOCUMENTS == 0:
                self.progress(name, self.documents, self.characters)
            yield document
        self.progress(name, self.documents, self.characters)


def source_documents(
    source: Source, reports: dict[str, SourceReport], raw: Path, counted: Counted | None = None
) -> Iterator[Document]:
    """The documents of one source; its report is put into `reports`."""
    module = source_module(source)
    report = reports[source.name] = SourceReport()
    documents: Iterator[Document]
    if is_collected(source):
        store = raw_store(source, raw)
        journal = store.directory / JOURNAL
        report.files.append(RawFile(JOURNAL, file_sha256(journal), journal.stat().st_size))
        documents = module.parse(source, store, report)
    else:
        documents = module.read(source, report)
    return counted.watch(source.name, documents) if counted else documents


def no_documents(source: Source, report: SourceReport) -> str:
    """Why a source gave no document, and what to mend."""
    if is_collected(source):
        why = f" The first bad one: {report.bad_row_examples[0]}." if report.bad_rows else ""
        return (
            f"{source.name}: nothing that was collected became a document.{why} "
            "Correct the source's settings and run `mintage collect` again"
        )
    path = getattr(source, "path", source.name)
    if report.bad_rows:
        return (
            f"{path}: no document in the source {source.name}: all {report.bad_rows:,} rows are bad. "
            f"The first: {report.bad_row_examples[0]}. Correct the mapping or the file"
        )
    if report.other_rows:
        rows = f"none of {report.other_rows:,} rows has the values of `where`"
        return f"{path}: {rows}; correct it in the source {source.name}"
    return f"{path}: no row in the source {source.name}; give it a file with text"


def count(directory: Path, gate: Use) -> list[dict[str, Any]]:
    """Counts by source, licence, use, and what is left out at the gate: "duplicate", "removed" (by a filter
    or for a benchmark), or null for what stays."""
    passing = ", ".join(quoted(use) for use in USES if allows(use, gate))
    decided, left_out = EXACT_DUPLICATE, f"case when duplicate_use in ({passing}) then 'duplicate' end"
    if parts(directory, f"attributes/{KEPT}"):
        decided = KEPT
        left_out = f"""case when list_contains(dropped_at, {quoted(gate)})
            then if(duplicate_of is null, 'removed', 'duplicate') end"""
    with (
        tempfile.TemporaryDirectory(prefix=".count-", dir=directory) as scratch,
        database(Path(scratch)) as connection,
    ):
        create_views(connection, directory)
        groups = connection.sql(
            f"""
            select source, licence, "use", {left_out} as left_out, count(*) as documents,
                sum(length(text))::bigint as characters, sum(strlen(text))::bigint as bytes,
                count(*) filter (available_at is null) as undated,
                count(superseded_at) as superseded,
                min(available_at) as earliest, max(available_at) as latest
            from documents join {decided} using (doc_id) join superseded using (doc_id)
            group by all order by all
            """
        )
        rows: list[dict[str, Any]] = groups.to_arrow_table().to_pylist()
        return rows


def write_sources(
    directory: Path, groups: list[dict[str, Any]], reports: dict[str, SourceReport], repeated: dict[str, int]
) -> None:
    """Write sources.json: each source's files, what became of their rows, and the size of the whole."""
    record: dict[str, Any] = {}
    for name in dict.fromkeys([*reports, *(group["source"] for group in groups)]):
        report = dataclasses.asdict(reports.get(name, SourceReport()))
        mine = [group for group in groups if group["source"] == name]
        sizes = {
            what: sum(group[what] for group in mine)
            for what in ("documents", "characters", "bytes", "undated")
        }
        record[name] = {**sizes, "repeated_rows": repeated.get(name, 0), **report}
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (directory / "sources.json").write_text(text + "\n", encoding="utf-8")


def summarise(gate: Use, groups: list[dict[str, Any]], reports: dict[str, SourceReport]) -> CorpusSummary:
    """The figures of a corpus under a licence gate."""
    counts: dict[str, dict[str, int]] = {name: defaultdict(int) for name in reports}
    licences: dict[tuple[str, Use], int] = defaultdict(int)
    admitted = []
    for group in groups:
        mine = counts.setdefault(group["source"], defaultdict(int))
        if not allows(group["use"], gate):
            mine["barred"] += group["documents"]
        elif group["left_out"] is not None:
            mine["duplicates" if group["left_out"] == "duplicate" else "removed"] += group["documents"]
        else:
            admitted.append(group)
            licences[group["licence"], group["use"]] += group["documents"]
            for what in ("documents", "characters", "bytes", "undated", "superseded"):
                mine[what] += group[what]
    if not admitted:
        allowed = sorted({group["use"] for group in groups})
        raise MintageError(
            f"corpus.use: no document passes the licence gate {gate!r}; "
            f"the sources allow {', '.join(allowed)}. Widen `use`, or add sources"
        )
    summaries = []
    for name, mine in counts.items():
        report = reports.get(name, SourceReport())
        examples = tuple(str(example) for example in report.bad_row_examples)
        summaries.append(SourceSummary(name, **mine, bad_rows=report.bad_rows, bad_row_examples=examples))
    dates = [group[end] for group in admitted for end in ("earliest", "latest") if group[end] is not None]
    total = {
        what: sum(getattr(summary, what) for summary in summaries)
        for what in (
            "documents",
            "characters",
            "bytes",
            "undated",
            "superseded",
            "duplicates",
            "removed",
            "barred",
            "bad_rows",
        )
    }
    return CorpusSummary(
        **total,
        earliest=min(dates, default=None),
        latest=max(dates, default=None),
        use=max((group["use"] for group in admitted), key=USES.index),
        licences=tuple(LicenceSummary(licence, use, number) for (licence, use), number in licences.items()),
        sources=tuple(summaries),
    )
