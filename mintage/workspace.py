"""Where artifacts live: atomic publishing, and cards that carry lineage, hashes, figures and the knowledge
cutoff."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import mintage
from mintage.errors import MintageError

KINDS = ("downloads", "corpora", "tokenizers", "shards", "runs", "models", "reports")
CARD = "card.json"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_sha256(value: Any) -> str:
    """SHA-256 of a JSON value's canonical text (sorted keys, no spaces), in hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def sync(path: Path) -> None:
    """Flush a file, or a directory's entries, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open directories; it orders renames itself
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class DiskFull(MintageError):
    """There was no room on the disk; nothing was published."""


def is_full(error: BaseException) -> bool:
    """Whether an error says that the disk, or this user's share of it, is full."""
    numbers = (errno.ENOSPC, getattr(errno, "EDQUOT", None))
    return isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in numbers)


@contextlib.contextmanager
def explain_full_disk(target: Path) -> Iterator[None]:
    """Turn "no space left" into an error that names the place and the mend."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise DiskFull(
            f"{target}: the disk is full; nothing was published. "
            "Free some space and run the same command again"
        ) from error


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a whole file, so that a reader sees the old one or the new one and never a part."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with explain_full_disk(path):
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def publish_directory(target: Path) -> Iterator[Path]:
    """Yield a temporary directory that becomes `target` when the block ends well, and vanishes when it does
    not.

    Every file is on the disk before the rename, so a reader, or a machine that lost its power, sees a whole
    directory or none. An older directory of the same name is replaced.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with explain_full_disk(target):
            temporary.mkdir()
            yield temporary
            for path in sorted(temporary.rglob("*")):
                sync(path)
            sync(temporary)
            retired = target.with_name(f".{target.name}.retired.tmp")
            if target.exists():
                target.rename(retired)
            temporary.rename(target)
            sync(target.parent)
            shutil.rmtree(retired, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(target: Path) -> None:
    """Mend what a killed publisher left: bring back a retired directory that was not yet replaced, drop the
    rest."""
    retired = target.with_name(f".{target.name}.retired.tmp")
    if retired.exists() and not target.exists():
        retired.rename(target)
    shutil.rmtree(retired, ignore_errors=True)
    for path in target.parent.glob(f".{target.name}.*.tmp"):
        owner = path.name.removesuffix(".tmp").rsplit(".", 1)[-1]
        if path.is_dir() and owner.isdecimal() and not process_is_alive(int(owner)):
            shutil.rmtree(path, ignore_errors=True)


def process_is_alive(process_id: int) -> bool:
    """Whether a process of this machine still runs; true where that cannot be asked."""
    if os.name == "nt":
        return True
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@cache
def code_version() -> str:
    """The package's version and, in a git checkout, the commit and whether files differ from it."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists() or shutil.which("git") is None:
        return mintage.__version__
    describe = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    answer = subprocess.run(describe, capture_output=True, text=True, check=False)
    return f"{mintage.__version__}+{answer.stdout.strip()}" if answer.returncode == 0 else mintage.__version__


@dataclasses.dataclass(frozen=True)
class Parent:
    """An artifact that another was made from."""

    kind: str
    name: str
    content_hash: str


@dataclasses.dataclass(frozen=True)
class Card:
    """What an artifact is, what it was made from, and until which moment its makers knew the world.

    `fingerprint` is the hash of the settings and the parents' content hashes: an artifact whose fingerprint
    is unchanged need not be made again. `content_hash` covers every file's path and SHA-256.
    `knowledge_cutoff` is an ISO time in UTC, or None where undated text went in.
    """

    kind: str
    name: str
    fingerprint: str
    content_hash: str
    files: dict[str, str]
    parents: tuple[Parent, ...]
    settings: dict[str, Any]
    code_version: str
    created_at: str
    licence: dict[str, Any]
    knowledge_cutoff: str | None
    figures: dict[str, Any]
    sources: tuple[dict[str, Any], ...] = ()

    @staticmethod
    def read(directory: Path) -> Card:
        """Read the card of an artifact's directory."""
        try:
            record = json.loads((directory / CARD).read_text())
        except FileNotFoundError:
            raise MintageError(
                f"{directory}: no {CARD}; this is not an artifact of a Mintage workspace"
            ) from None
        record["parents"] = tuple(Parent(**parent) for parent in record["parents"])
        record["sources"] = tuple(record["sources"])
        return Card(**record)


def content_of(directory: Path) -> tuple[dict[str, str], str]:
    """Every file below a directory with its SHA-256, and the hash over them all. The card itself is left
    out."""
    files = {
        path.relative_to(directory).as_posix(): file_sha256(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != CARD
    }
    return files, json_sha256(files)


def now() -> str:
    """This moment as an ISO time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Workspace:
    """A directory of artifacts, `<root>/<kind>/<name>/`, each with its card."""

    def __init__(self, root: str | Path):
        self.root = Path(root)

    def path(self, kind: str, name: str) -> Path:
        """Where the artifact of this kind and name is, or will be."""
        assert kind in KINDS, kind
        return self.root / kind / name

    def raw(self, source: str = "") -> Path:
        """Where the answers that were collected for a source are, or for all sources."""
        return self.root / "raw" / source

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the workspace against a second writing command; a lock whose owner has died is taken over.

        Raises:
            MintageError: another living process holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / ".lock"
        owner = path.read_text() if path.exists() else ""
        if owner.isdecimal() and int(owner) != os.getpid() and process_is_alive(int(owner)):
            raise MintageError(
                f"{self.root}: another mintage command (process {owner}) is writing here; "
                f"wait for it to end, or choose another --workspace. If no such command runs, remove {path}"
            )
        write_atomic(path, str(os.getpid()))
        try:
            yield
        finally:
            path.unlink(missing_ok=True)

    def card(self, kind: str, name: str) -> Card | None:
        """The card of an artifact, or None where it has not been made."""
        directory = self.path(kind, name)
        remove_leftovers(directory)
        return Card.read(directory) if (directory / CARD).exists() else None

    def cards(self) -> list[Card]:
        """The cards of every artifact, in the order of the stages and then of their names."""
        return [
            Card.read(path.parent)
            for kind in KINDS
            for path in sorted((self.root / kind).glob(f"[!.]*/{CARD}"))
        ]

    def find(self, name: str) -> Card:
        """The artifact called `name` or `kind/name`.

        Raises:
            MintageError: there is none, or there are several kinds of that name.
        """
        cards = self.cards()
        found = [card for card in cards if name in (card.name, f"{card.kind}/{card.name}")]
        if len(found) == 1:
            return found[0]
        if found:
            kinds = ", ".join(f"{card.kind}/{card.name}" for card in found)
            raise MintageError(f"{name}: several artifacts bear this name; say which: {kinds}")
        known = (
            ", ".join(f"{card.kind}/{card.name}" for card in cards)
            or "none yet; `mintage run RECIPE` makes them"
        )
        raise MintageError(f"{name}: no such artifact in {self.root}. There are: {known}")
