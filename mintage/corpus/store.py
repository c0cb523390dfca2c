"""The corpus directory: documents as zstd Parquet, decisions about them beside the text, and views of both.

    documents/part-00000.parquet            one row a document, row groups of about 8 MB of text
    attributes/<name>/part-00000.parquet    row for row the same documents: doc_id and the attribute's columns
    sources.json                            per source: files with hashes, counts, the first bad rows

Everything streams: memory does not grow with the corpus.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mintage.corpus.document import SCHEMA, Document, Use, allows, record_batch
from mintage.errors import MintageError

ROW_GROUP_BYTES = 8 * 2**20
ROW_GROUP_DOCUMENTS = 20_000
PART_BYTES = 512 * 2**20
REPETITIVE_COLUMNS = ["source", "kind", "date_precision", "raw_sha256", "raw_file", "licence", "use"]

EXACT_DUPLICATE = "exact_duplicate"
SUPERSEDED = "superseded"
KEPT = "kept"
PERSONAL_DATA = "personal_data"

DUCKDB_MEMORY = "384MB"
SQL_ANSWER_BYTES = 128 * 2**20


def parts(directory: Path, table: str) -> list[Path]:
    """The Parquet files of `documents` or of `attributes/<name>`, in order."""
    return sorted((directory / table).glob("part-*.parquet"))


def part_path(directory: Path, table: str, number: int) -> Path:
    """Where a part of a table is."""
    return directory / table / f"part-{number:05d}.parquet"


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A Parquet writer with the store's settings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    repetitive = [name for name in REPETITIVE_COLUMNS if name in schema.names]
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repetitive)


def write_documents(directory: Path, documents: Iterable[Document]) -> int:
    """Write documents to a corpus directory and return how many there were."""
    written = 0
    number = 0
    stream = row_groups(documents)
    group = next(stream, None)
    while group is not None or number == 0:
        part_bytes = 0
        with parquet_writer(part_path(directory, "documents", number), SCHEMA) as writer:
            while group is not None and part_bytes < PART_BYTES:
                batch = record_batch(group)
                writer.write_batch(batch)
                written += batch.num_rows
                part_bytes += batch.nbytes
                group = next(stream, None)
        number += 1
    return written


def row_groups(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Cut a stream of documents into lists of about `ROW_GROUP_BYTES` of text."""
    group: list[Document] = []
    size = 0
    for document in documents:
        group.append(document)
        size += len(document.text)
        if size >= ROW_GROUP_BYTES or len(group) >= ROW_GROUP_DOCUMENTS:
            yield group
            group, size = [], 0
    if group:
        yield group


def read_documents(directory: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The documents in the order of the store, a row group at a time; `columns` of `SCHEMA`, or all."""
    return read_table(directory, "documents", columns)


def read_attribute(directory: Path, name: str) -> Iterator[pa.RecordBatch]:
    """An attribute's rows, batch for batch those of `read_documents`."""
    return read_table(directory, f"attributes/{name}", None)


def read_table(directory: Path, table: str, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """The row groups of a table, one after the other."""
    for path in parts(directory, table):
        yield from row_group_batches(path, columns)


def row_group_batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The row groups of a Parquet file, a batch each."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for number in range(file.num_row_groups):
            group = file.read_row_group(number, columns=columns, use_threads=False)
            yield from group.combine_chunks().to_batches()


def write_attribute(directory: Path, name: str, rows: pa.RecordBatchReader) -> None:
    """Write an attribute: rows with a doc_id and its columns, as many as documents and in their order.

    The files and row groups are cut as those of the documents, so that the two can be read side by side.
    """
    table = f"attributes/{name}"
    pending = pa.Table.from_batches([], schema=rows.schema)
    for documents in parts(directory, "documents"):
        metadata = pq.read_metadata(documents)
        path = directory / table / documents.name
        path.unlink(missing_ok=True)  # it may be a second name of a published file
        with parquet_writer(path, rows.schema) as writer:
            for number in range(metadata.num_row_groups):
                wanted = metadata.row_group(number).num_rows
                while pending.num_rows < wanted:
                    pending = pa.concat_tables([pending, pa.Table.from_batches([rows.read_next_batch()])])
                writer.write_table(pending.slice(0, wanted), row_group_size=wanted)
                pending = pending.slice(wanted)


def admissible(directory: Path, use: Use) -> Iterator[tuple[Document, datetime | None, bool]]:
    """Every document whose licence passes the gate, whatever its date, in the order of the store; personal
    data that was found in its text is masked.

    Yields:
        the document; the moment at which a later vintage replaced it, or None; whether it is left out at this
        gate: a duplicate of an earlier document, or removed by a filter or for a benchmark. The view at T is
        what has `available_at` <= T, is not left out, and was not replaced by T.
    """
    refined = bool(parts(directory, f"attributes/{KEPT}"))
    tables = [read_documents(directory), read_attribute(directory, SUPERSEDED)]
    tables.append(read_attribute(directory, KEPT if refined else EXACT_DUPLICATE))
    if parts(directory, f"attributes/{PERSONAL_DATA}"):
        tables.append(read_attribute(directory, PERSONAL_DATA))
    for documents, replaced, decided, *found in zip(*tables, strict=True):
        if any(not documents["doc_id"].equals(each["doc_id"]) for each in (replaced, decided, *found)):
            raise MintageError(
                f"{directory}: the attributes are not those of the documents; build the corpus again"
            )
        passing = pa.array([allows(each, use) for each in documents["use"].to_pylist()])
        ends = replaced.filter(passing)["superseded_at"].to_pylist()
        if refined:
            gates = decided.filter(passing)["dropped_at"].to_pylist()
            left_out = [gate is not None and use in gate for gate in gates]
        else:
            twins = decided.filter(passing)["duplicate_use"].to_pylist()
            left_out = [twin is not None and allows(twin, use) for twin in twins]
        rows = documents.filter(passing).to_pylist()
        for each in found:
            for row, spans in zip(rows, each.filter(passing)["spans"].to_pylist(), strict=True):
                row["text"] = masked(row["text"], spans)
        for row, end, out in zip(rows, ends, left_out, strict=True):
            yield Document.from_row(row), end, out


def masked(text: str, spans: list[dict[str, Any]]) -> str:
    """A text with each span (start, end, kind; in order) replaced by its kind in brackets: "[email]"."""
    pieces = []
    end = 0
    for span in spans:
        pieces += [text[end : span["start"]], f"[{span['kind']}]"]
        end = span["end"]
    return "".join([*pieces, text[end:]])


def view(directory: Path, as_of: datetime | None, use: Use) -> Iterator[Document]:
    """The corpus as it stood at a moment: what was public and not yet replaced, each text once.

    Args:
        as_of: an aware time; None means now, and lets undated documents in as well.
        use: the licence gate; "local" lets "ship" and "local" in.
    """
    for document, superseded_at, left_out in admissible(directory, use):
        if left_out:
            continue
        if as_of is None:
            if superseded_at is None:
                yield document
        elif (document.available_at is not None and document.available_at <= as_of) and (
            superseded_at is None or superseded_at > as_of
        ):
            yield document


def sources(directory: Path) -> dict[str, dict]:
    """What sources.json says of each source."""
    path = directory / "sources.json"
    if not path.exists():
        raise MintageError(
            f"{directory}: not a corpus (no sources.json); build one with `mintage corpus build`"
        )
    record: dict[str, dict] = json.loads(path.read_text(encoding="utf-8"))
    return record


@contextlib.contextmanager
def database(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory, on one thread, that spills beyond `DUCKDB_MEMORY` into a scratch directory."""
    settings = {
        "memory_limit": DUCKDB_MEMORY,
        "threads": 1,
        "temp_directory": str(scratch),
        "python_enable_replacements": False,
        "autoinstall_known_extensions": False,  # it would reach for the network
    }
    connection = duckdb.connect(":memory:", config=settings)
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")  # it would be printed into the command's output
        yield connection
    except duckdb.IOException as error:
        if "No space left" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(scratch)) from error
        raise
    finally:
        connection.close()


def create_views(connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
    """Name the tables of a corpus in a database: `documents`, and each attribute under its name."""
    for folder in [directory / "documents", *sorted((directory / "attributes").glob("*"))]:
        files = quoted(f"{folder.resolve().as_posix()}/part-*.parquet")
        name = folder.name.replace("-", "_")
        connection.execute(f'create view "{name}" as select * from read_parquet({files})')


def quoted(text: str) -> str:
    """A string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def sql(directory: Path, query: str) -> pa.Table:
    """Answer one SELECT over `documents`, the attributes and `sources`. Nothing outside the corpus can be
    read, and nothing at all be written.

    Raises:
        MintageError: the SQL is wrong, is not one SELECT, or its answer is larger than `SQL_ANSWER_BYTES`.
    """
    facts = [{"name": name, **record} for name, record in sources(directory).items()]
    table = pa.Table.from_pylist(facts)
    with tempfile.TemporaryDirectory(prefix="mintage-") as scratch, database(Path(scratch)) as connection:
        try:
            statements = connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise MintageError("sql: give one SELECT; a corpus is never changed by SQL")
            create_views(connection, directory)
            connection.register("sources", table)
            connection.execute(f"set allowed_directories = [{quoted(directory.resolve().as_posix())}]")
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
            relation = connection.sql(statements[0].query)
            batches, size = [], 0
            reader = relation.to_arrow_reader(10_000)
            for batch in reader:
                batches.append(batch)
                size += batch.nbytes
                if size > SQL_ANSWER_BYTES:
                    raise MintageError("sql: the answer is too large; select fewer columns, or add a LIMIT")
            return pa.Table.from_batches(batches, schema=reader.schema)
        except duckdb.Error as error:
            raise MintageError(f"sql: {error}") from None
