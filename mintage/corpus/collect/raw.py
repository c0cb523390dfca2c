"""The raw store of a source: every answer as it came, stored before anything is made of it.

    objects/ab/abcdef….zst   a body under its SHA-256, compressed
    answers.jsonl            one line an answer: url, sha256, bytes, retrieved_at, headers, note

The body is on the disk before its line is written, and a line that was cut off is dropped when the store is
opened: whatever kills the collector, every line that is there can be read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from mintage.corpus.collect.transport import Response
from mintage.errors import MintageError
from mintage.workspace import explain_full_disk, sync, write_atomic

JOURNAL = "answers.jsonl"
FORMERLY_KEPT = ("content-type", "etag", "last-modified")


@dataclass(frozen=True)
class Answer:
    """A stored answer. `retrieved_at` is an ISO time in UTC; `headers` are those of the host, with names in
    small letters and without cookies; `note` is the request's."""

    url: str
    sha256: str
    bytes: int
    retrieved_at: str
    headers: Mapping[str, str]
    note: Mapping[str, Any]

    @property
    def content_type(self) -> str | None:
        """What the host says that the body is."""
        return self.headers.get("content-type")

    @property
    def etag(self) -> str | None:
        """The host's name for this content, for a conditional request."""
        return self.headers.get("etag")

    @property
    def last_modified(self) -> str | None:
        """When the content changed last, as the host writes it."""
        return self.headers.get("last-modified")

    @property
    def moment(self) -> datetime:
        """`retrieved_at` as a time."""
        return datetime.fromisoformat(self.retrieved_at)


def read_answer(line: bytes) -> Answer:
    """The answer of a line of the journal."""
    record = json.loads(line)
    if "headers" not in record:  # stores made before all headers were kept
        named = {name: record.pop(name.replace("-", "_")) for name in FORMERLY_KEPT}
        record["headers"] = {name: value for name, value in named.items() if value is not None}
    return Answer(**record)


class RawStore:
    """The answers of one source, in the order in which they came."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.answers: list[Answer] = []
        self.newest: dict[str, Answer] = {}
        journal = directory / JOURNAL
        if journal.exists():
            data = journal.read_bytes()
            whole = data[: data.rfind(b"\n") + 1]
            if whole != data:
                write_atomic(journal, whole)
            for line in whole.splitlines():
                self._note(read_answer(line))

    def _note(self, answer: Answer) -> None:
        self.answers.append(answer)
        self.newest[answer.url] = answer

    def __iter__(self) -> Iterator[Answer]:
        """Every answer; a URL that was asked again and had changed comes more than once."""
        return iter(self.answers)

    def add(self, response: Response, note: Mapping[str, Any]) -> Answer:
        """Keep an answer; one whose body is the newest of its URL already is not kept twice."""
        sha256 = hashlib.sha256(response.body).hexdigest()
        newest = self.newest.get(response.url)
        if newest is not None and newest.sha256 == sha256 and newest.note == note:
            return newest
        answer = Answer(
            url=response.url,
            sha256=sha256,
            bytes=len(response.body),
            retrieved_at=response.retrieved_at.isoformat(),
            headers={name: value for name, value in response.headers.items() if name != "set-cookie"},
            note=dict(note),
        )
        with explain_full_disk(self.directory):
            path = self.object(sha256)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, pa.compress(response.body, codec="zstd", asbytes=True))
            append(self.directory / JOURNAL, json.dumps(asdict(answer), ensure_ascii=False) + "\n")
        self._note(answer)
        return answer

    def object(self, sha256: str) -> Path:
        """Where a body is kept."""
        return self.directory / "objects" / sha256[:2] / f"{sha256}.zst"

    def body(self, answer: Answer) -> bytes:
        """The body of an answer.

        Raises:
            MintageError: the stored bytes are not those that came.
        """
        path = self.object(answer.sha256)
        try:
            body: bytes = pa.decompress(
                path.read_bytes(), decompressed_size=answer.bytes, codec="zstd", asbytes=True
            )
        except (OSError, pa.ArrowInvalid):
            body = b""
        if hashlib.sha256(body).hexdigest() != answer.sha256:
            raise MintageError(
                f"{path}: the stored answer of {answer.url} is damaged; remove the file "
                f"and its line in {self.directory / JOURNAL}, and collect again"
            )
        return body


def append(path: Path, line: str) -> None:
    """Add a line to a file and wait until it is on the disk; a line that does not fit is taken back."""
    fresh = not path.exists()
    with path.open("ab") as file:
        size = file.seek(0, os.SEEK_END)
        try:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, size)
            raise
    if fresh:
        sync(path.parent)
