"""The Document: a dated text, where it came from, when the world could read it, what may be done with it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, TypedDict, get_args

import pyarrow as pa

Use = Literal["ship", "local", "evaluate", "none"]
USES: tuple[Use, ...] = get_args(Use)  # from the freest to the strictest

DatePrecision = Literal["second", "minute", "day", "month", "year", "bound", "unknown"]

CHAT = "chat"
ROLES = ("system", "user", "assistant")

ENTITY = pa.struct([("scheme", pa.string()), ("id", pa.string())])
SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("native_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("available_at", pa.timestamp("us", tz="UTC")),
        pa.field("date_precision", pa.string(), nullable=False),
        pa.field("published_at", pa.timestamp("us", tz="UTC")),
        pa.field("period_end", pa.date32()),
        pa.field("vintage", pa.int32(), nullable=False),
        pa.field("supersedes", pa.string()),
        pa.field("entities", pa.list_(ENTITY), nullable=False),
        pa.field("url", pa.string()),
        pa.field("raw_sha256", pa.string()),
        pa.field("raw_file", pa.string()),
        pa.field("licence", pa.string(), nullable=False),
        pa.field("use", pa.string(), nullable=False),
    ]
)


class Entity(NamedTuple):
    """Whom or what a document is about, in a named scheme: ("ticker", "AAPL"), ("cik", "0000320193")."""

    scheme: str
    id: str


class Message(TypedDict):
    """One turn of a chat; the role is one of `ROLES`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Document:
    """One text as the store keeps it; a row of `SCHEMA`. Use `Document.make`, which computes the two hashes.

    `available_at` is the first moment (UTC) at which the public could read the text, or None where that is
    not known; `date_precision` says how well it is known ("bound": it is an upper bound). `supersedes` is the
    doc_id of the document that this one replaces, and `vintage` counts the replacements from 0. `use` is what
    the licence allows: "ship" weights trained on it, train "local" weights only, "evaluate" only, or "none".
    """

    doc_id: str
    content_hash: str
    source: str
    native_id: str
    kind: str
    title: str
    text: str
    available_at: datetime | None
    date_precision: DatePrecision
    published_at: datetime | None
    period_end: date | None
    vintage: int
    supersedes: str | None
    entities: tuple[Entity, ...]
    url: str | None
    raw_sha256: str | None
    raw_file: str | None
    licence: str
    use: Use

    @staticmethod
    def make(
        *,
        source: str,
        native_id: str,
        text: str,
        licence: str,
        use: Use,
        kind: str = "text",
        title: str = "",
        available_at: datetime | None = None,
        date_precision: DatePrecision = "unknown",
        published_at: datetime | None = None,
        period_end: date | None = None,
        vintage: int = 0,
        supersedes: str | None = None,
        entities: Sequence[tuple[str, str]] = (),
        url: str | None = None,
        raw_sha256: str | None = None,
        raw_file: str | None = None,
    ) -> Document:
        """A document with its hashes. Times must be aware; they are compared as moments, whatever their zone.

        Raises:
            UnicodeEncodeError: the text has a lone surrogate, which no UTF-8 file can hold.
        """
        content_hash = hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
        identity = json.dumps([source, native_id, vintage, content_hash])
        return Document(
            doc_id=hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
            content_hash=content_hash,
            source=source,
            native_id=native_id,
            kind=kind,
            title=title,
            text=text,
            available_at=available_at,
            date_precision=date_precision,
            published_at=published_at,
            period_end=period_end,
            vintage=vintage,
            supersedes=supersedes,
            entities=tuple(Entity(*entity) for entity in entities),
            url=url,
            raw_sha256=raw_sha256,
            raw_file=raw_file,
            licence=licence,
            use=use,
        )

    def row(self) -> dict[str, Any]:
        """The document as a row of `SCHEMA`."""
        row = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        row["entities"] = [entity._asdict() for entity in self.entities]
        return row

    @staticmethod
    def from_row(row: dict[str, Any]) -> Document:
        """The document of a row of `SCHEMA`; columns that are not the document's are left aside."""
        values = {name: row[name] for name in SCHEMA.names}
        values["entities"] = tuple(Entity(**entity) for entity in row["entities"])
        return Document(**values)


def record_batch(documents: Iterable[Document]) -> pa.RecordBatch:
    """Documents as one Arrow record batch of `SCHEMA`."""
    return pa.RecordBatch.from_pylist([document.row() for document in documents], schema=SCHEMA)


def allows(use: str, gate: str) -> bool:
    """Whether a document of this `use` passes the gate: "local" lets "ship" and "local" in."""
    order: tuple[str, ...] = USES
    return order.index(use) <= order.index(gate)


def chat_text(messages: Iterable[Message]) -> str:
    """The text of a chat document: the JSON array of its messages, role and content only."""
    turns = [{"role": message["role"], "content": message["content"]} for message in messages]
    return json.dumps(turns, ensure_ascii=False)


def chat_messages(text: str) -> list[Message]:
    """The messages of a chat document's text."""
    messages: list[Message] = json.loads(text)
    return messages
