"""Rows out of files: txt, md, html, jsonl, csv and parquet, plain or compressed, in a fixed memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mintage.errors import MintageError

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
HTML_SUFFIXES = (".html", ".htm")
TEXT_SUFFIXES = (".txt", ".md", *HTML_SUFFIXES)
KNOWN_SUFFIXES = "txt, md, html, jsonl, csv (each also .gz or .zst) and parquet"

MAXIMUM_BYTES = 64 * 2**20  # of a row or a text; what bounds the memory of everything downstream
CHUNK_BYTES = 2**20
HEAD_BYTES = 8192
PARQUET_BATCH_ROWS = 64


class Row(NamedTuple):
    """One record of a file: its line (its row number in Parquet) and its fields."""

    line: int
    fields: dict[str, Any]


class BadRow(NamedTuple):
    """A record that could not be read, and why."""

    line: int
    reason: str


def kind_of(path: Path) -> tuple[str, str | None]:
    """A file's suffix without its compression, and the compression ("gzip", "zstd" or None).

    Raises:
        MintageError: the suffix is not one that can be read.
    """
    compression = COMPRESSIONS.get(path.suffix.lower())
    suffix = (path.with_suffix("") if compression else path).suffix.lower()
    if suffix in (*TEXT_SUFFIXES, ".jsonl", ".csv") or (suffix == ".parquet" and compression is None):
        return suffix, compression
    raise MintageError(
        f"{path}: cannot read this kind of file; {KNOWN_SUFFIXES} can be read. "
        "Convert it, or name the files to read with a pattern such as texts/*.txt"
    )


def read_rows(path: Path, name: str, columns: Iterable[str]) -> Iterator[Row | BadRow]:
    """The rows of a file. A text file is one row with the fields `text` (of a page of HTML: its Markdown),
    `title` (its name's stem) and `file`.

    Args:
        path: where the file is.
        name: what to call it in the row of a text file.
        columns: the fields that will be asked for; a csv or parquet file must have them all.

    Raises:
        MintageError: the file is empty, damaged, or not text, or lacks a column.
    """
    suffix, compression = kind_of(path)
    if path.stat().st_size == 0:
        raise MintageError(f"{path}: the file is empty; remove it, or put text into it")
    if suffix == ".parquet":
        yield from parquet_rows(path, columns)
        return
    refuse_binary(path, compression)
    if suffix == ".jsonl":
        yield from jsonl_rows(lines(path, compression))
    elif suffix == ".csv":
        yield from csv_rows(path, lines(path, compression), columns)
    else:
        yield text_row(path, compression, name)


def refuse_binary(path: Path, compression: str | None) -> None:
    """Raise MintageError where the beginning of a file has a NUL byte, which no UTF-8 text file has."""
    head = next(chunks(path, compression, HEAD_BYTES), b"")
    if b"\0" in head:
        raise MintageError(
            f"{path}: not a text file (binary, or UTF-16); give UTF-8 text, or leave the file out"
        )


def chunks(path: Path, compression: str | None, size: int) -> Iterator[bytes]:
    """A file's bytes, decompressed, in pieces of at most `size`."""
    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            while chunk := stream.read(size):
                yield chunk
    except OSError as error:
        raise MintageError(
            f"{path}: cannot be read: {error}; the file is damaged or cut off, get it again"
        ) from error


def lines(path: Path, compression: str | None) -> Iterator[tuple[int, bytes | None]]:
    """The lines of a file with their numbers, from 1; None in place of a line over `MAXIMUM_BYTES`."""
    number, pending, too_long = 1, bytearray(), False
    for chunk in chunks(path, compression, CHUNK_BYTES):
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            pending += piece
            yield number, None if too_long else bytes(pending)
            number, too_long = number + 1, False
            pending.clear()
        pending += rest
        if len(pending) > MAXIMUM_BYTES:
            too_long = True
            pending.clear()
    if pending or too_long:
        yield number, None if too_long else bytes(pending)


def jsonl_rows(numbered: Iterator[tuple[int, bytes | None]]) -> Iterator[Row | BadRow]:
    """One JSON object a line; blank lines are passed over."""
    for number, line in numbered:
        if line is None:
            yield BadRow(number, f"longer than {MAXIMUM_BYTES:,} bytes")
            continue
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            if not text:
                continue
            fields = json.loads(text)
        except UnicodeDecodeError as error:
            yield BadRow(number, f"not UTF-8 (byte 0x{line[error.start]:02x} at {error.start})")
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"not JSON: {error}")
        else:
            if isinstance(fields, dict):
                yield Row(number, fields)
            else:
                yield BadRow(number, f"a JSON {type(fields).__name__}, not an object")


def csv_rows(
    path: Path, numbered: Iterator[tuple[int, bytes | None]], columns: Iterable[str]
) -> Iterator[Row | BadRow]:
    """Comma-separated rows (RFC 4180) below a line of column names; line breaks may stand inside quotes."""
    csv.field_size_limit(MAXIMUM_BYTES)  # the module's own limit, 128 KiB, is smaller than a filing
    too_long: list[BadRow] = []

    def decoded() -> Iterator[str]:
        for number, line in numbered:
            if line is None:
                too_long.append(BadRow(number, f"longer than {MAXIMUM_BYTES:,} bytes"))
                line = b""
            # a byte that is not UTF-8 becomes a lone surrogate, which is refused later, in its own row only
            yield line.decode("utf-8-sig" if number == 1 else "utf-8", errors="surrogateescape") + "\n"

    reader = csv.reader(decoded(), strict=True)
    header: list[str] | None = None
    while True:
        line_number = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            yield BadRow(line_number, f"not CSV: {error}")
            continue
        yield from too_long
        too_long.clear()
        if not values:
            continue
        if header is None:
            header = values
            require_columns(path, header, columns)
        elif len(values) != len(header):
            yield BadRow(line_number, f"{len(values)} values where the header names {len(header)}")
        else:
            yield Row(line_number, dict(zip(header, values)))


def parquet_rows(path: Path, columns: Iterable[str]) -> Iterator[Row | BadRow]:
    """The rows of a Parquet file, only the columns asked for; `a.b` is field b of the struct a."""
    try:
        with pq.ParquetFile(path, buffer_size=CHUNK_BYTES, pre_buffer=False) as file:
            present = file.schema_arrow.names
            wanted = sorted({name if name in present else name.split(".")[0] for name in columns})
            require_columns(path, present, wanted)
            before = 0
            for batch in file.iter_batches(PARQUET_BATCH_ROWS, columns=wanted, use_threads=False):
                yield from python_rows(batch, before)
                before += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise MintageError(f"{path}: not a whole Parquet file: {error}") from error


def python_rows(batch: pa.RecordBatch, before: int) -> Iterator[Row | BadRow]:
    """A batch's rows as Python values, `before` rows into the file; those not in UTF-8 are bad rows."""
    columns = [
        column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
        if pa.types.is_timestamp(column.type)
        else column
        for column in batch.columns
    ]
    batch = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
    for index in range(batch.num_rows):
        try:
            yield Row(before + index + 1, batch.slice(index, 1).to_pylist()[0])
        except UnicodeDecodeError:
            yield BadRow(before + index + 1, "not UTF-8")


def require_columns(path: Path, present: list[str], asked: Iterable[str]) -> None:
    """Raise MintageError where a table lacks a column that the mapping names."""
    missing = [column for column in asked if column not in present]
    if missing:
        raise MintageError(
            f"{path}: no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, present))}. "
            "Correct the source's `fields`"
        )


def text_row(path: Path, compression: str | None, name: str) -> Row | BadRow:
    """A text file as one row."""
    content = bytearray()
    for chunk in chunks(path, compression, CHUNK_BYTES):
        content += chunk
        if len(content) > MAXIMUM_BYTES:
            return BadRow(1, f"longer than {MAXIMUM_BYTES:,} bytes; cut it into documents")
    stem = (path.with_suffix("") if compression else path).stem
    if kind_of(path)[0] in HTML_SUFFIXES:
        from mintage.corpus.extract.html import page  # lxml, which few corpora need

        return Row(1, {"text": page(bytes(content)), "title": stem, "file": name})
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return BadRow(line, f"not UTF-8 (byte 0x{content[error.start]:02x}); convert the file to UTF-8")
    return Row(1, {"text": text, "title": stem, "file": name})
