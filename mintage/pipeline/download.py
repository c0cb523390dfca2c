"""Download models and tokenizers from the Hugging Face Hub: safetensors only, every file checked."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from mintage import __version__
from mintage.corpus.collect.transport import Live, Refused, Request
from mintage.errors import MintageError
from mintage.pipeline.artifacts import Made, make
from mintage.pipeline.console import console
from mintage.pipeline.hub import NAME, directory_name
from mintage.workspace import CARD, Card, Workspace, content_of, file_sha256

HUB = "https://huggingface.co"  # unless the environment names another in HF_ENDPOINT
REQUESTS_PER_SECOND = 10.0
ABOUT = {"README.md", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE"}
CONFIG = {"config.json", "generation_config.json"}
VOCABULARY = {"tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model"}
TOKENIZER = VOCABULARY | {
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
}
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf", ".safetensors")
# Licences, by the Hub's identifiers, that let anyone pass on weights made from these.
FREE = {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "unlicense", "cc0-1.0", "cc-by-4.0"}

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    DownloadColumn(),
    TransferSpeedColumn(),
    TimeRemainingColumn(),
)


@dataclass(frozen=True)
class Listed:
    """A file of a repository as the hub lists it: large ones with their SHA-256, the others with the SHA-1 of
    their git blob."""

    name: str
    size: int
    sha256: str | None
    git_sha1: str | None


@dataclass(frozen=True)
class Repository:
    """A model or tokenizer of a hub at one commit."""

    endpoint: str
    name: str
    commit: str
    licence: str
    files: tuple[Listed, ...]


def download(name: str, workspace: Workspace, tokenizer_only: bool = False) -> Card:
    """Fetch a model (or only its tokenizer) into `downloads/` of the workspace, unless it is there and whole.

    Weights come as safetensors only. The revision is resolved to a commit first; what came before an
    interruption is kept and continued; every file is compared with the hash that the hub lists.

    Args:
        name: `owner/name`, or `owner/name@revision` with a branch, tag or commit.

    Raises:
        MintageError: no such repository or revision, no access, no safetensors, too little room, or a file
            that did not come or is not what the hub lists.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise MintageError(f"{name}: no name of the hub; write it as owner/name or owner/name@revision")
    endpoint = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
    host = urlsplit(endpoint).hostname
    if host is None:
        raise MintageError(f"HF_ENDPOINT: {endpoint!r} is no address; write it as {HUB}")
    live = Live(f"mintage/{__version__}", {host: REQUESTS_PER_SECOND})
    repository = look_up(live, endpoint, match[1], match[2])
    weights = [] if tokenizer_only else weights_of(repository)
    wanted = ABOUT | TOKENIZER | (CONFIG if weights else set())
    chosen = weights + [file for file in repository.files if file.name in wanted]
    if not weights and not any(file.name in VOCABULARY for file in chosen):
        raise MintageError(f"{name}: no weights and no tokenizer among its files; is it a model?")
    settings = {
        "repository": repository.name,
        "revision": match[2],
        "commit": repository.commit,
        "endpoint": endpoint,
        "files": {file.name: file.sha256 or file.git_sha1 for file in chosen},
    }
    with workspace.lock():
        card, made = bring(live, workspace, directory_name(name), repository, chosen, settings)
    done = "downloaded" if made else "is there already, and whole"
    figures = f"{len(chosen)} files, {sum(file.size for file in chosen) / 1e6:,.1f} MB"
    console.print(f"{name} {done}: {figures}, commit {repository.commit}", soft_wrap=True, markup=False)
    where = workspace.path("downloads", card.name)
    console.print(
        f"{where}: licence {repository.licence}, knowledge cutoff unknown", soft_wrap=True, markup=False
    )
    return card


def authorization() -> dict[str, str]:
    """The header with the token of the environment, where there is one. It is sent to the hub's own host and
    dropped by httpx where that redirects to another."""
    token = os.environ.get("HF_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def look_up(live: Live, endpoint: str, name: str, revision: str | None) -> Repository:
    """What the hub says of a repository at a revision, by default its newest commit.

    Raises:
        MintageError: it is not there, or may not be seen.
    """
    url = f"{endpoint}/api/models/{name}" + (f"/revision/{quote(revision, safe='')}" if revision else "")
    request = Request(url, headers=authorization(), parameters={"blobs": "true"})
    try:
        status, headers, body = live.ask(request, dict, lambda answer: answer.read())
    except Refused as refusal:
        raise MintageError(f"{refusal}; check the connection, and run the same command again") from None
    if headers.get("x-error-code") == "RevisionNotFound":
        raise MintageError(f"{name}: no revision {revision}; {endpoint}/{name} shows those that there are")
    if status in (401, 403, 404):
        mend = "check the name; a private one needs a token that opens it, in the environment's HF_TOKEN"
        raise MintageError(f"{name}: the hub shows no such model (HTTP {status}); {mend}")
    try:
        record = json.loads(body)
        files = tuple(listed(entry) for entry in record["siblings"])
        return Repository(endpoint, name, record["sha"], licence_of(record), files)
    except (ValueError, KeyError, TypeError) as error:
        reason = f"HTTP {status}" if status != 200 else f"no description of a model ({error!r})"
        raise MintageError(f"{url}: {reason}; is {endpoint} a Hugging Face hub?") from None


def listed(entry: dict[str, Any]) -> Listed:
    """A file from the hub's JSON."""
    large = entry.get("lfs") or {}
    return Listed(entry["rfilename"], entry["size"], large.get("sha256"), entry.get("blobId"))


def licence_of(record: dict[str, Any]) -> str:
    """The licence that a repository's card names."""
    about = record.get("cardData") or {}
    licence = about.get("license") or "not said"
    if licence == "other" and about.get("license_name"):
        licence = about["license_name"]
    return ", ".join(licence) if isinstance(licence, list) else str(licence)


def weights_of(repository: Repository) -> list[Listed]:
    """The safetensors of a repository, with their index where they are several; none of one that has no
    weights at all.

    Raises:
        MintageError: there are weights of other formats only.
    """
    files = {file.name: file for file in repository.files}
    if WEIGHTS in files:
        return [files[WEIGHTS]]
    if INDEX in files:
        return [files[INDEX], *(file for name, file in files.items() if SHARD.fullmatch(name))]
    other = [name for name in files if "/" not in name and name.endswith(OTHER_WEIGHTS)]
    if other:
        raise MintageError(
            f"{repository.name}: no {WEIGHTS}, only {', '.join(sorted(other)[:3])}. Pickles may run code "
            "when they are opened, and are not downloaded. Name a revision that has safetensors (the hub's "
            f"own conversion is often @refs/pr/1; see {repository.endpoint}/{repository.name}/discussions), "
            "or convert the model elsewhere (transformers: save_pretrained) and give the folder"
        )
    return []


def bring(
    live: Live,
    workspace: Workspace,
    name: str,
    repository: Repository,
    chosen: list[Listed],
    settings: dict[str, Any],
) -> tuple[Card, bool]:
    """Bring the download up to date: files that are here already are checked and kept, the others fetched."""
    published = workspace.path("downloads", name)
    card = workspace.card("downloads", name)
    if card is not None and content_of(published)[1] != card.content_hash:
        (published / CARD).unlink()  # it was altered since: made again of what is still right
    staged = workspace.path("downloads", ".partial") / name / repository.commit

    def write(directory: Path) -> Made:
        staged.mkdir(parents=True, exist_ok=True)
        here = {file.name: place for file in chosen if (place := found(file, (staged, published)))}
        missing = [file for file in chosen if file.name not in here]
        need, room = sum(file.size for file in missing), shutil.disk_usage(staged).free
        if need > room:
            raise MintageError(
                f"{staged}: {need / 1e9:,.1f} GB are to come and {room / 1e9:,.1f} GB are free; make room"
            )
        with Progress(*COLUMNS, console=console, transient=True) as bar:
            task = bar.add_task("", total=sum(file.size for file in chosen))
            done = sum(file.size for file in chosen if file.name in here)
            for file in missing:
                bar.update(task, description=file.name, completed=done)

                def show(size: int, before: int = done) -> None:
                    bar.update(task, completed=before + size)

                here[file.name] = fetch(live, repository, file, staged, show)
                done += file.size
        for file_name, place in here.items():
            link_or_copy(place, directory / file_name)
        figures = {"files": len(chosen), "bytes": sum(file.size for file in chosen)}
        use = "ship" if repository.licence in FREE else "local"
        return Made(None, {"use": use, "licences": [repository.licence]}, figures)

    card, made = make(workspace, "downloads", name, settings=settings, parents=(), write=write)
    shutil.rmtree(staged.parent, ignore_errors=True)
    return card, made


def found(file: Listed, places: tuple[Path, ...]) -> Path | None:
    """Where a file is already, as the hub lists it."""
    paths = (place / file.name for place in places)
    return next((path for path in paths if path.is_file() and is_right(path, file)), None)


def is_right(path: Path, file: Listed) -> bool:
    """Whether a file has the size and the hash that the hub lists."""
    if path.stat().st_size != file.size:
        return False
    if file.sha256:
        return file_sha256(path) == file.sha256
    if file.git_sha1:
        return hashlib.sha1(b"blob %d\0" % file.size + path.read_bytes()).hexdigest() == file.git_sha1
    return True


def fetch(
    live: Live, repository: Repository, file: Listed, folder: Path, show: Callable[[int], None]
) -> Path:
    """Fetch a file into a folder, going on where an earlier attempt stopped, and check it.

    Raises:
        MintageError: it may not be had, did not come whole, or is not what the hub lists.
    """
    path = folder / file.name
    if file.size == 0:
        path.touch()
        return path
    url = f"{repository.endpoint}/{repository.name}/resolve/{repository.commit}/{file.name}"
    try:
        live.save(Request(url, immutable=True, headers=authorization()), path, show)
    except Refused as refusal:
        if refusal.reason.startswith(("HTTP 401", "HTTP 403")):
            mend = (
                "the token in the environment's HF_TOKEN is of an account that has not been let in"
                if authorization()
                else "set the environment's HF_TOKEN to your token"
            )
            raise MintageError(
                f"{repository.name}: gated ({refusal.reason[:8]}); accept its terms at "
                f"{repository.endpoint}/{repository.name}; {mend}"
            ) from None
        raise MintageError(f"{refusal}; run the same command again, it goes on where it stopped") from None
    if not is_right(path, file):
        path.unlink()
        raise MintageError(
            f"{url}: what came is not what the hub lists (size or hash differ), and was thrown away; run the "
            "same command again. If it stays so, something between this machine and the hub alters it"
        )
    return path


def link_or_copy(source: Path, target: Path) -> None:
    """The same file under a second name, or a copy where the disk has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
