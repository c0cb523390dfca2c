"""Make an artifact unless it is up to date: fingerprint, atomic publishing, card."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mintage.workspace import (
    CARD,
    Card,
    Parent,
    Workspace,
    code_version,
    content_of,
    json_sha256,
    now,
    publish_directory,
    write_atomic,
)

FORMAT = 4  # raise it when a stage's output changes for the same settings: every artifact is then made anew
USES = ("ship", "local", "evaluate", "none")


@dataclass(frozen=True)
class Made:
    """What a stage reports of the artifact that it has just written."""

    knowledge_cutoff: str | None
    licence: dict[str, Any]
    figures: dict[str, Any]
    sources: tuple[dict[str, Any], ...] = ()


def parent_of(card: Card) -> Parent:
    """The reference that a child's card keeps."""
    return Parent(card.kind, card.name, card.content_hash)


def fingerprint_of(stage: str, settings: dict[str, Any], parents: Sequence[Card]) -> str:
    """The hash over all that decides a stage's output."""
    hashes = [(card.kind, card.content_hash) for card in parents]
    return json_sha256({"format": FORMAT, "stage": stage, "settings": settings, "parents": hashes})


def plain(settings: Any) -> Any:
    """Settings as plain JSON values."""
    return json.loads(json.dumps(dataclasses.asdict(settings), default=str))


def make(
    workspace: Workspace,
    kind: str,
    name: str,
    *,
    settings: dict[str, Any],
    parents: Sequence[Card],
    write: Callable[[Path], Made],
) -> tuple[Card, bool]:
    """Bring `kind/name` up to date.

    Args:
        settings: everything besides the parents that decides the content.
        write: fills the directory that it is given, and reports what the card must say.

    Returns:
        The card, and whether the artifact had to be made.
    """
    fingerprint = fingerprint_of(kind, settings, parents)
    card = workspace.card(kind, name)
    if card is not None and card.fingerprint == fingerprint:
        return card, False
    target = workspace.path(kind, name)
    with publish_directory(target) as directory:
        made = write(directory)
        card = write_card(directory, kind, name, fingerprint, settings, parents, made)
    return card, True


def write_card(
    directory: Path,
    kind: str,
    name: str,
    fingerprint: str,
    settings: dict[str, Any],
    parents: Sequence[Card],
    made: Made,
) -> Card:
    """Hash a directory's files and put its card beside them."""
    files, content_hash = content_of(directory)
    card = Card(
        kind=kind,
        name=name,
        fingerprint=fingerprint,
        content_hash=content_hash,
        files=files,
        parents=tuple(parent_of(parent) for parent in parents),
        settings=settings,
        code_version=code_version(),
        created_at=now(),
        licence=made.licence,
        knowledge_cutoff=made.knowledge_cutoff,
        figures=made.figures,
        sources=made.sources,
    )
    write_atomic(
        directory / CARD, json.dumps(dataclasses.asdict(card), indent=1, ensure_ascii=False, default=str)
    )
    return card


def strictest(uses: Sequence[str]) -> str:
    """The strictest of several permissions."""
    return max(uses, key=USES.index, default="ship")


def latest(cutoffs: Sequence[str | None]) -> str | None:
    """The latest of several knowledge cutoffs; None (undated text) outweighs every date. No stage can lower
    it."""
    return None if None in cutoffs else max(cutoff for cutoff in cutoffs if cutoff)


def text_time(moment: datetime | None) -> str | None:
    """A moment as cards write it."""
    return moment.isoformat() if moment else None
