"""From a token back to where it came from: the document, the bytes of its raw file or answer, and the URL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from mintage.corpus import store
from mintage.corpus.collect.raw import JOURNAL, RawStore
from mintage.corpus.document import CHAT, SCHEMA, Document
from mintage.corpus.sources import files
from mintage.corpus.sources.files import FilesSource
from mintage.corpus.sources.report import RawFile
from mintage.corpus.sources.rows import COMPRESSIONS, Row, kind_of, lines, read_rows
from mintage.errors import MintageError
from mintage.tokens.shards import Shards
from mintage.tokens.tokenizer import Tokenizer
from mintage.workspace import Workspace, file_sha256

CONTEXT = 12  # tokens on either side of the one asked for


@dataclass(frozen=True)
class RawPlace:
    """Bytes `start` to `end` of a file or of a stored answer (after decompression); `what` says what they
    are."""

    file: Path
    start: int
    end: int
    what: str
    sha256: str


@dataclass(frozen=True)
class Place:
    """Where a token came from.

    `text_range` are the token's bytes in the document's text (None in a chat, whose text is written by a
    template). `raw` is the narrowest place that is known and was verified against its hash, and `raw_missing`
    says why there is none.
    """

    token_id: int
    before: str
    token: str
    after: str
    number: int  # of the token in its document
    text_range: tuple[int, int] | None
    document: Document
    raw: RawPlace | None
    raw_missing: str


def locate(workspace: Workspace, name: str, place: str) -> Place:
    """Find the origin of the token at `place`, SHARD:POSITION, of the shards of this name.

    Raises:
        MintageError: there is no such place, or a raw file is not the one that was read.
    """
    shards = Shards.open(workspace.path("shards", name))
    tokenizer = Tokenizer.load(workspace.path("tokenizers", name))
    shards.require_tokenizer(tokenizer)
    shard, position = parse(place, shards)
    row = index_row(shards, shard, position)
    ids = shards.tokens(shard)[row["start"] : row["start"] + row["length"]].tolist()
    number = position - row["start"]
    corpus = workspace.path("corpora", name)
    document = find_document(corpus, row["doc_id"])
    sizes = [len(tokenizer.token_bytes[each]) for each in ids[: number + 1]]
    text_range = None
    if row["kind"] != CHAT:
        text_range = before_masking(document.text, masks(corpus, document), (sum(sizes[:-1]), sum(sizes)))
    raw, missing = find_raw(workspace, name, document, text_range)
    return Place(
        token_id=ids[number],
        before=tokenizer.decode(ids[max(0, number - CONTEXT) : number]),
        token=tokenizer.decode([ids[number]]) if sizes[-1] else "<|control|>",
        after=tokenizer.decode(ids[number + 1 : number + 1 + CONTEXT]),
        number=number,
        text_range=text_range,
        document=document,
        raw=raw,
        raw_missing=missing,
    )


def parse(place: str, shards: Shards) -> tuple[int, int]:
    """Shard and position of `SHARD:POSITION`."""
    shard, colon, position = place.partition(":")
    count = shards.manifest["shards"]
    if not (colon and shard.isdecimal() and position.isdecimal()):
        raise MintageError(f"{place}: write it as SHARD:POSITION, two numbers, for example 0:1024")
    if int(shard) >= count:
        raise MintageError(f"{place}: there are {count:,} shards, numbered from 0")
    tokens = len(shards.tokens(int(shard)))
    if int(position) >= tokens:
        raise MintageError(f"{place}: shard {int(shard)} holds {tokens:,} tokens, numbered from 0")
    return int(shard), int(position)


def index_row(shards: Shards, shard: int, position: int) -> dict[str, Any]:
    """The index's row of the document that a token belongs to."""
    with pq.ParquetFile(shards.directory / f"shard_{shard:05d}.docs.parquet") as file:
        for number in range(file.num_row_groups):
            group = file.read_row_group(number)
            start, length = (group[name].to_numpy() for name in ("start", "length"))
            if position < start[-1] + length[-1]:
                found = int(np.searchsorted(start, position, side="right")) - 1
                row: dict[str, Any] = group.slice(found, 1).to_pylist()[0]
                return row
    raise AssertionError("the index covers every token of its shard")


def find_document(corpus: Path, doc_id: str) -> Document:
    """The document of this id in a corpus."""
    where = f"doc_id = {store.quoted(doc_id)}"
    rows = store.sql(corpus, f"select {', '.join(SCHEMA.names)} from documents where {where}").to_pylist()
    if not rows:
        raise MintageError(f"{corpus}: no document {doc_id}; these shards were built on another corpus")
    return Document.from_row(rows[0])


def masks(corpus: Path, document: Document) -> list[dict[str, Any]]:
    """The spans of a document's text (start, end, kind) that were masked as personal data."""
    if not store.parts(corpus, f"attributes/{store.PERSONAL_DATA}"):
        return []
    where = f"doc_id = {store.quoted(document.doc_id)}"
    rows = store.sql(corpus, f'select spans from "{store.PERSONAL_DATA}" where {where}').to_pylist()
    return rows[0]["spans"] or []


def before_masking(text: str, spans: list[dict[str, Any]], place: tuple[int, int]) -> tuple[int, int]:
    """Bytes of a masked text as bytes of the text itself; where they touch a mask, all that it hides."""
    start, end = place
    masked = original = 0  # bytes of both that lie before the next stretch
    touched: list[tuple[int, int]] = []
    position = 0
    for span in [*spans, None]:
        stretch = len(text[position : span["start"] if span else len(text)].encode())
        if start < masked + stretch and end > masked:
            first, last = max(start - masked, 0), min(end - masked, stretch)
            touched.append((original + first, original + last))
        masked, original = masked + stretch, original + stretch
        if span:
            mask = len(f"[{span['kind']}]".encode())
            hidden = len(text[span["start"] : span["end"]].encode())
            if start < masked + mask and end > masked:
                touched.append((original, original + hidden))
            masked, original, position = masked + mask, original + hidden, span["end"]
    return (touched[0][0], touched[-1][1]) if touched else (original, original)


def find_raw(
    workspace: Workspace, name: str, document: Document, text_range: tuple[int, int] | None
) -> tuple[RawPlace | None, str]:
    """The narrowest raw place of a document that is known, or why there is none."""
    if document.raw_sha256 is None:
        return None, "the source has no raw file: its documents are made by a generator"
    raw_directory = workspace.raw() / document.source
    if (raw_directory / JOURNAL).exists():
        return in_answer(RawStore(raw_directory), document, text_range)
    card = workspace.card("corpora", name)
    assert card is not None
    records = card.settings["sources"]
    own = [record for record in records if record["name"] == document.source]
    if own and "path" in own[0] and "fields" in own[0]:
        return in_file(TypeAdapter(FilesSource).validate_python(own[0]), document, text_range)
    for record in own or records:  # a source may make documents under another name, as its questions
        path = same_file(record, document)
        if path is not None:
            size = path.stat().st_size
            return RawPlace(path, 0, size, "the whole file", document.raw_sha256), ""
    return None, f"no file with the SHA-256 {document.raw_sha256} is where the settings of the corpus point"


def same_file(record: dict[str, Any], document: Document) -> Path | None:
    """The file that a document was read from, below one of the paths that a source's settings name."""
    named = [Path(value).expanduser() for value in record.values() if isinstance(value, str) and value]
    for path in named:
        for candidate in (path, path / (document.raw_file or ""), path.parent / (document.raw_file or "")):
            if candidate.is_file() and file_sha256(candidate) == document.raw_sha256:
                return candidate
    return None


def in_answer(
    raw: RawStore, document: Document, text_range: tuple[int, int] | None
) -> tuple[RawPlace | None, str]:
    """A document's place in a stored answer: the token's bytes where the text stands in it as it is, else the
    whole body."""
    answer = next((each for each in raw if each.sha256 == document.raw_sha256), None)
    if answer is None:
        return None, f"{raw.directory}: the answer {document.raw_sha256} is not there any more"
    body = raw.body(answer)  # verified against its hash
    path = raw.object(answer.sha256)
    start, end, what = narrow(body, document, text_range) or (0, len(body), "the whole answer")
    return RawPlace(path, start, end, what, answer.sha256), ""


def in_file(
    settings: FilesSource, document: Document, text_range: tuple[int, int] | None
) -> tuple[RawPlace | None, str]:
    """A document's place in a file of a `files` source: the token's bytes in a text file that was taken as it
    is, else the row."""
    path = next((path for path, name in files.find_files(settings) if name == document.raw_file), None)
    if path is None:
        return None, f"{settings.path}: the file {document.raw_file} is not there any more"
    if file_sha256(path) != document.raw_sha256:
        raise MintageError(
            f"{path}: it has changed since the corpus was built (it was {document.raw_sha256}); "
            "bring the old file back, or build the corpus again"
        )
    assert document.raw_sha256 is not None and document.raw_file is not None
    suffix, compression = kind_of(path)
    if suffix not in (".jsonl", ".csv", ".parquet"):
        content = b"".join(line or b"" for line in joined(path, compression))
        start, end, what = narrow(content, document, text_range) or (0, len(content), "the whole file")
        return RawPlace(path, start, end, what, document.raw_sha256), ""
    rows = row_lines(settings, path, document)
    if rows is None:
        return None, f"{path}: no row of it gives this document with the settings of the corpus"
    first, following = rows
    if suffix == ".parquet":
        return RawPlace(path, 0, path.stat().st_size, f"row {first}", document.raw_sha256), ""
    start, end = line_range(path, compression, first, following)
    what = f"line {first}" + (f" to {following - 1}" if following and following > first + 1 else "")
    if suffix == ".jsonl":
        line = next(line for number, line in lines(path, compression) if number == first) or b""
        for ascii_only in (True, False):
            found = narrow(line, document, text_range, partial(json_string, ascii_only=ascii_only))
            if found:
                start, end, what = start + found[0], start + found[1], f"{found[2]}, in line {first}"
                break
    return RawPlace(path, start, end, what, document.raw_sha256), ""


def narrow(
    content: bytes,
    document: Document,
    text_range: tuple[int, int] | None,
    written: Callable[[str], bytes] = str.encode,
) -> tuple[int, int, str] | None:
    """The token's own bytes, widened to whole characters, where the document's text stands in the raw bytes
    as it is `written` there, and once."""
    text = written(document.text)
    start = content.find(text)
    if text_range is None or start < 0 or content.find(text, start + 1) >= 0:
        return None
    plain = document.text.encode()
    first = plain[: text_range[0]].decode(errors="ignore")
    last = len(first) + len(plain[len(first.encode()) : text_range[1]].decode(errors="replace"))
    upto = written(document.text[:last])
    return start + len(written(first)), start + len(upto), "the token itself"


def json_string(text: str, ascii_only: bool) -> bytes:
    """A text as it stands between the quotes of JSON."""
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode()


def row_lines(settings: FilesSource, path: Path, document: Document) -> tuple[int, int | None] | None:
    """The line (row number in Parquet) of the row that a document was made of, and that of the row after it
    (None: there is none)."""
    assert document.raw_file is not None and document.raw_sha256 is not None
    raw = RawFile(document.raw_file, document.raw_sha256, path.stat().st_size)
    found: int | None = None
    for row in read_rows(path, document.raw_file, settings.field_names()):
        if found is not None:
            return found, row.line if kind_of(path)[0] == ".csv" else found + 1
        if isinstance(row, Row) and files.matches(settings.where, row.fields):
            try:
                made = files.document(settings, settings.fields, row, raw)
            except ValueError:
                continue
            if made.doc_id == document.doc_id:
                found = row.line
    return None if found is None else (found, None)


def joined(path: Path, compression: str | None) -> Iterator[bytes | None]:
    """A file's lines with the newlines between them."""
    for number, line in lines(path, compression):
        if number > 1:
            yield b"\n"
        yield line


def line_range(path: Path, compression: str | None, first: int, following: int | None) -> tuple[int, int]:
    """The bytes of the lines `first` to `following` - 1 of a file, decompressed."""
    start = end = place = 0
    for number, line in lines(path, compression):
        if number == first:
            start = place
        if following is not None and number == following:
            break
        place += len(line or b"") + 1
        if number >= first:
            end = place - 1
    return start, end


def describe(place: Place) -> list[tuple[str, str]]:
    """The lines that the command prints: label and value."""
    document = place.document
    context = json.dumps(place.before, ensure_ascii=False)[1:-1]
    following = json.dumps(place.after, ensure_ascii=False)[1:-1]
    rows = [
        ("token", f"{place.token_id}  {json.dumps(place.token, ensure_ascii=False)}"),
        ("in context", f"{context}»{json.dumps(place.token, ensure_ascii=False)[1:-1]}«{following}"),
        ("document", f"{document.doc_id}  {document.source}  {document.native_id}"),
        ("title", document.title or "(none)"),
        ("known since", time_text(document.available_at, document.date_precision)),
        ("licence", f"{document.licence} (use: {document.use})"),
        ("url", document.url or "(none)"),
        ("token number", f"{place.number:,} of the document"),
    ]
    if place.text_range:
        rows.append(("text bytes", f"{place.text_range[0]:,} to {place.text_range[1]:,}"))
    if place.raw:
        rows.append(("raw", f"{place.raw.file}"))
        packed = ", decompressed" if place.raw.file.suffix in COMPRESSIONS else ""
        rows.append(("raw bytes", f"{place.raw.start:,} to {place.raw.end:,}{packed} ({place.raw.what})"))
        rows.append(("raw sha256", f"{place.raw.sha256} (verified)"))
    else:
        rows.append(("raw", place.raw_missing))
    return rows


def time_text(moment: datetime | None, precision: str) -> str:
    """A moment with how well it is known."""
    return f"{moment.isoformat()} ({precision})" if moment else "not known"
