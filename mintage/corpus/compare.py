"""What became known between two moments: the documents that the view at one lets in and the other does
not."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path

from mintage.corpus import store
from mintage.corpus.document import Document, Use
from mintage.errors import MintageError

FIRST = 5  # documents that are named for each source


@dataclass
class SourceChange:
    """One source between two moments. `before` and `after` count the documents of the two views; `came` those
    that only the later one has, `replaced` those that only the earlier one has, as something newer stands in
    their place; `characters` is the length of what came, and `first` its earliest documents."""

    before: int = 0
    after: int = 0
    came: int = 0
    replaced: int = 0
    characters: int = 0
    first: list[Document] = field(default_factory=list)


def moment_of(text: str) -> datetime:
    """A moment as people write it: an ISO time, or a day, which means its end in UTC.

    Raises:
        MintageError: neither.
    """
    try:
        if len(text) == len("2020-01-31"):
            return datetime.combine(date.fromisoformat(text), time.max, tzinfo=UTC)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise MintageError(f"{text}: not a day (2020-01-31) or a time (2020-01-31T16:05:00-05:00)") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


def stands(document: Document, superseded_at: datetime | None, moment: datetime) -> bool:
    """Whether the view at a moment holds a document that is no duplicate: the rule of `store.view`."""
    public = document.available_at is not None and document.available_at <= moment
    return public and (superseded_at is None or superseded_at > moment)


def compare(directory: Path, earlier: datetime, later: datetime, use: Use) -> dict[str, SourceChange]:
    """The change of every source between two moments, in one pass over the corpus.

    Raises:
        MintageError: the moments are in the wrong order.
    """
    if earlier > later:
        raise MintageError(f"as-of: {earlier.isoformat()} lies after {later.isoformat()}; exchange the two")
    changes: dict[str, SourceChange] = {}
    earliest: dict[str, list[tuple[float, str, Document]]] = {}  # heaps whose first entry is the latest
    for document, superseded_at in distinct(directory, use):
        before = stands(document, superseded_at, earlier)
        after = stands(document, superseded_at, later)
        change = changes.setdefault(document.source, SourceChange())
        change.before += before
        change.after += after
        change.replaced += before and not after
        if after and not before:
            change.came += 1
            change.characters += len(document.text)
            assert document.available_at is not None
            heap = earliest.setdefault(document.source, [])
            heapq.heappush(heap, (-document.available_at.timestamp(), document.doc_id, document))
            if len(heap) > FIRST:
                heapq.heappop(heap)
    for name, heap in earliest.items():
        changes[name].first = [document for _, _, document in sorted(heap, key=lambda each: -each[0])]
    return dict(sorted(changes.items()))


def distinct(directory: Path, use: Use) -> Iterator[tuple[Document, datetime | None]]:
    """The documents that pass the gate and are no duplicates, with the moment of their replacement."""
    for document, superseded_at, duplicate in store.admissible(directory, use):
        if not duplicate:
            yield document, superseded_at
