"""Rows out of a data set's own files: those that `files` reads, and JSON as the Hub's data sets have it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mintage.corpus.sources.rows import (
    COMPRESSIONS,
    HEAD_BYTES,
    MAXIMUM_BYTES,
    BadRow,
    Row,
    chunks,
    jsonl_rows,
    lines,
    read_rows,
)
from mintage.errors import MintageError

DATA_SUFFIXES = (".parquet", ".jsonl", ".json", ".csv")


def suffix_of(path: Path) -> str:
    """A file's suffix without its compression."""
    compressed = path.suffix.lower() in COMPRESSIONS
    return (path.with_suffix("") if compressed else path).suffix.lower()


def data_files(path: Path) -> list[tuple[Path, str]]:
    """The data files of a data set's folder in the order of their names, each with its name below the folder;
    cards, scripts and hidden files are passed over."""
    if path.is_file():
        return [(path, path.name)]
    named = [(file, file.relative_to(path).as_posix()) for file in sorted(path.rglob("*")) if file.is_file()]
    return [
        (file, name)
        for file, name in named
        if suffix_of(file) in DATA_SUFFIXES and not any(part.startswith(".") for part in name.split("/"))
    ]


def data_rows(
    path: Path, name: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> Iterator[Row | BadRow]:
    """The rows of a data file, with the columns that are required and those optional ones that are there.

    Raises:
        MintageError: the file is empty, damaged, or lacks a required column.
    """
    if suffix_of(path) == ".json":
        yield from json_rows(path)
        return
    columns = required
    if suffix_of(path) == ".parquet":
        try:
            present = pq.read_schema(path).names
        except (pa.ArrowException, OSError) as error:
            raise MintageError(f"{path}: not a whole Parquet file: {error}; get it again") from error
        columns = (*required, *(column for column in optional if column in present))
    yield from read_rows(path, name, columns)


def json_rows(path: Path) -> Iterator[Row | BadRow]:
    """The rows of a JSON file: an array of objects, which must fit the memory, or one object a line."""
    compression = COMPRESSIONS.get(path.suffix.lower())
    head = next(chunks(path, compression, HEAD_BYTES), b"")
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        yield from jsonl_rows(lines(path, compression))
        return
    content = bytearray()
    for chunk in chunks(path, compression, HEAD_BYTES):
        content += chunk
        if len(content) > MAXIMUM_BYTES:
            raise MintageError(f"{path}: a JSON array over {MAXIMUM_BYTES:,} bytes; convert it to jsonl")
    try:
        records = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise MintageError(f"{path}: not JSON in UTF-8, or cut off: {error}; get it again") from None
    for number, record in enumerate(records, 1):
        if isinstance(record, dict):
            yield Row(number, record)
        else:
            yield BadRow(number, f"a JSON {type(record).__name__}, not an object")
