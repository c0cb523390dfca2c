"""Documents out of files of one's own: a mapping says which field is the text, its date and its licence."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, cast

from mintage.corpus.document import CHAT, ROLES, USES, DatePrecision, Document, chat_text
from mintage.corpus.extract.mojibake import mended
from mintage.corpus.sources.dates import DateField, day, moment
from mintage.corpus.sources.report import RawFile, SourceReport
from mintage.corpus.sources.rows import TEXT_SUFFIXES, BadRow, Row, kind_of, read_rows
from mintage.errors import MintageError
from mintage.workspace import file_sha256


@dataclass(frozen=True)
class Fields:
    """The names of the fields that hold a document's parts. `a.b` is the field b inside the object a.

    A chat is given by `messages` (a list of {role, content}, or the same as a JSON string), or by `prompt`
    and `response`; `text` is not read then. `entities` maps a scheme to the field with the identifier:
    {ticker: symbol}.
    """

    text: str = "text"
    title: str | None = None
    native_id: str | None = None
    kind: str | None = None
    url: str | None = None
    licence: str | None = None
    use: str | None = None
    messages: str | None = None
    prompt: str | None = None
    response: str | None = None
    entities: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.prompt is None) != (self.response is None):
            raise ValueError("prompt and response go together: name both fields, or neither")
        if self.messages is not None and self.prompt is not None:
            raise ValueError("a chat is given by messages, or by prompt and response, not by both")

    @property
    def chat(self) -> bool:
        """Whether the rows are chats."""
        return self.messages is not None or self.prompt is not None

    def names(self) -> list[str]:
        """Every field that is read."""
        named = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "entities"}
        if self.chat:
            del named["text"]
        return [*(name for name in named.values() if name is not None), *self.entities.values()]


TEXT_FILE = Fields(title="title", native_id="file")


@dataclass(frozen=True)
class FilesSource:
    """A source of documents in files: txt, md, html, jsonl and csv (also .gz and .zst), and parquet.

    `path` is a file, a directory (read whole, hidden files left out) or a glob pattern. Text files become one
    document each, titled by the file's name, which `available_at` can read as the field `file`. `where` keeps
    the rows whose field has one of the listed values. `kind`, `licence` and `use` hold for every row without
    a field of its own. `available_at` lists rules for the date: the first that finds something in a row is
    used, and a row in which all those fields are empty is undated.
    """

    name: str
    path: str
    licence: str
    use: Literal["ship", "local", "evaluate", "none"] = "local"
    kind: str = "text"
    fields: Fields = field(default_factory=Fields)
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    available_at: tuple[DateField, ...] = ()
    period_end: DateField | None = None

    def field_names(self) -> list[str]:
        """Every field that a row is asked for."""
        rules = [*self.available_at, *([self.period_end] if self.period_end else [])]
        return list(dict.fromkeys([*self.fields.names(), *self.where, *(rule.field for rule in rules)]))


def find_files(settings: FilesSource) -> list[tuple[Path, str]]:
    """The files of a source in the order of their names, each with its name below the source's path.

    Raises:
        MintageError: there is nothing at the path, or a file of a kind that cannot be read.
    """
    path = Path(settings.path).expanduser()
    if path.is_file():
        root, paths = path.parent, [path]
    elif path.is_dir():
        root, paths = path, sorted(path.rglob("*"))
    else:
        root = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts))
        pattern = path.parts[len(root.parts) :]
        paths = sorted(root.glob("/".join(pattern))) if pattern else []
    names = [(file, file.relative_to(root).as_posix()) for file in paths if file.is_file()]
    found = [
        (file, name) for file, name in names if not any(part.startswith(".") for part in name.split("/"))
    ]
    if not found:
        what = "the directory has no files" if path.is_dir() else "there is no such file"
        raise MintageError(
            f"{settings.path}: {what}; correct `path` of the source {settings.name}, or get the files"
        )
    for file, _ in found:
        kind_of(file)
    return found


files = find_files  # as every kind of source calls it


def read(settings: FilesSource, report: SourceReport) -> Iterator[Document]:
    """Read a source's documents, one row in memory at a time; what is left out is counted in `report`.

    Texts are changed in three ways only: NUL characters are dropped, CRLF and CR become LF, and a byte order
    mark at the start of a file is dropped.

    Raises:
        MintageError: no file, a file that cannot be read at all, or a mapped field that no row has.
    """
    found = find_files(settings)
    never_seen = set(settings.field_names())
    rows = 0
    for path, name in found:
        if len(found) > 1 and path.stat().st_size == 0:
            report.bad(name, 1, "the file is empty")
            continue
        raw = RawFile(name, file_sha256(path), path.stat().st_size)
        report.files.append(raw)
        text_file = kind_of(path)[0] in TEXT_SUFFIXES
        mapping = TEXT_FILE if text_file else settings.fields
        for row in read_rows(path, name, settings.field_names()):
            if isinstance(row, BadRow):
                report.bad(name, row.line, row.reason)
                continue
            if text_file:
                never_seen.clear()
            elif never_seen:
                rows += 1
                never_seen = {wanted for wanted in never_seen if lookup(row.fields, wanted) is MISSING}
            if not matches(settings.where, row.fields):
                report.other_rows += 1
                continue
            try:
                yield document(settings, mapping, row, raw)
            except UnicodeEncodeError:
                report.bad(name, row.line, "not UTF-8, or half of a surrogate pair")
            except ValueError as error:
                report.bad(name, row.line, str(error))
    if never_seen and rows:
        raise MintageError(
            f"{settings.path}: no row has the field {', '.join(map(repr, sorted(never_seen)))}; "
            f"correct the mapping of the source {settings.name}"
        )


class Missing:
    """The type of `MISSING`."""


MISSING = Missing()


def lookup(row: dict[str, Any], name: str) -> Any:
    """The value of a field, `a.b` being b inside a; MISSING where the row has no such field."""
    if name in row:
        return row[name]
    outer, dot, inner = name.partition(".")
    if dot and isinstance(row.get(outer), dict):
        return lookup(row[outer], inner)
    return MISSING


def value_of(row: dict[str, Any], name: str | None) -> Any:
    """The value of a field; None where it is not mapped, missing or empty."""
    value = MISSING if name is None else lookup(row, name)
    return None if value is MISSING or value == "" else value


def string_of(row: dict[str, Any], name: str | None) -> str | None:
    """The value of a field that must be a string or a whole number."""
    value = value_of(row, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name}: a {type(value).__name__} where a string belongs")
    text = str(value)
    text.encode()  # a lone surrogate is refused here rather than when the store is written
    return text


def matches(where: dict[str, tuple[str, ...]], row: dict[str, Any]) -> bool:
    """Whether each field of `where` has one of its values."""
    return all(str(lookup(row, name)) in values for name, values in where.items())


def document(settings: FilesSource, mapping: Fields, row: Row, raw: RawFile) -> Document:
    """Map one row to a document.

    Raises:
        ValueError: the row is bad; the message says why.
    """
    values = row.fields
    use = string_of(values, mapping.use) or settings.use
    if use not in USES:
        raise ValueError(f"{mapping.use}: {use!r} is not one of {', '.join(USES)}")
    available_at, precision = availability(settings.available_at, values)
    ends = value_of(values, settings.period_end.field) if settings.period_end else None
    entities = ((scheme, string_of(values, name)) for scheme, name in mapping.entities.items())
    return Document.make(
        source=settings.name,
        native_id=string_of(values, mapping.native_id) or f"{raw.file}:{row.line}",
        kind=CHAT if mapping.chat else string_of(values, mapping.kind) or settings.kind,
        title=string_of(values, mapping.title) or "",
        text=chat_of(values, mapping) if mapping.chat else text_of(values, mapping.text),
        available_at=available_at,
        date_precision=precision,
        period_end=day(ends, settings.period_end) if settings.period_end and ends is not None else None,
        entities=[(scheme, identifier) for scheme, identifier in entities if identifier is not None],
        url=string_of(values, mapping.url),
        raw_sha256=raw.sha256,
        raw_file=raw.file,
        licence=string_of(values, mapping.licence) or settings.licence,
        use=use,
    )


def availability(rules: tuple[DateField, ...], row: dict[str, Any]) -> tuple[datetime | None, DatePrecision]:
    """The moment from which a row's text was public, by the first rule that finds something in it."""
    values = [(rule, value_of(row, rule.field)) for rule in rules]
    given = [(rule, value) for rule, value in values if value is not None]
    if not given:
        return None, "unknown"
    rule, value = next(((rule, value) for rule, value in given if rule.finds(value)), given[0])
    return moment(value, rule)


def clean(text: str) -> str:
    """The text without NUL characters, its line breaks as LF, and as it was meant where it was read in the
    wrong encoding."""
    return mended(text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n"))


def text_of(row: dict[str, Any], name: str) -> str:
    """The text of a row; it must be there, a string, and more than blanks."""
    value = lookup(row, name)
    if value is MISSING:
        raise ValueError(f"no field {name!r}; the row has {', '.join(map(repr, row))}"[:300])
    if value is None:
        raise ValueError(f"{name}: the text is null")
    if not isinstance(value, str):
        raise ValueError(f"{name}: a {type(value).__name__} where the text belongs")
    text = clean(value)
    if not text.strip():
        raise ValueError(f"{name}: the text is empty")
    return text


def chat_of(row: dict[str, Any], mapping: Fields) -> str:
    """The chat of a row as a document's text; it must have an answer, and each turn a role and a content."""
    if mapping.messages is None:
        prompt, response = text_of(row, cast(str, mapping.prompt)), text_of(row, cast(str, mapping.response))
        return chat_text([{"role": "user", "content": prompt}, {"role": "assistant", "content": response}])
    name = mapping.messages
    messages = value_of(row, name)
    if isinstance(messages, str):
        try:
            messages = json.loads(messages)
        except ValueError as error:
            raise ValueError(f"{name}: not a JSON list of messages: {error}") from None
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise ValueError(f"{name}: not a list of messages with role and content")
    for message in messages:
        if message.get("role") not in ROLES:
            raise ValueError(f"{name}: the role {message.get('role')!r} is not one of {', '.join(ROLES)}")
    turns = [{"role": message["role"], "content": text_of(message, "content")} for message in messages]
    if not any(turn["role"] == "assistant" for turn in turns):
        raise ValueError(f"{name}: no assistant message, so nothing to learn from")
    return chat_text(cast(Any, turns))
