"""Models and tokenizers by their names: in a folder, in the workspace, or downloaded from the Hugging Face
Hub."""

from __future__ import annotations

import re
from pathlib import Path

from mintage.errors import MintageError
from mintage.pipeline.console import command
from mintage.workspace import Card, Workspace

NAME = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w.-]+(?:/[\w.-]+)*))?")  # owner/name@revision


def resolve(name_or_folder: str, workspace: Workspace) -> Path:
    """The directory of a model or tokenizer given by its folder, by its name in the workspace, or by its name
    on the hub (`owner/name` or `owner/name@revision`) once it was downloaded.

    Raises:
        MintageError: it is not there; the message says how to get it.
    """
    folder = Path(name_or_folder)
    if (folder / "config.json").is_file() or (folder / "tokenizer.json").is_file():
        return folder
    cards = workspace.cards()
    for kind in ("models", "tokenizers"):  # a model's directory holds its tokenizer too
        if any((card.kind, card.name) == (kind, name_or_folder) for card in cards):
            return workspace.path(kind, name_or_folder)
    downloads = [card for card in cards if card.kind == "downloads"]
    for card in downloads:
        if card.name == directory_name(name_or_folder):
            return workspace.path("downloads", card.name)
    if folder.is_dir():
        raise MintageError(f"{folder}: holds neither a model (config.json) nor a tokenizer (tokenizer.json)")
    match = NAME.fullmatch(name_or_folder)
    if match:
        others = [full_name(card) for card in downloads if card.settings["repository"] == match[1]]
        there = f" (there is {', '.join(others)})" if others else ""
        raise MintageError(
            f"{name_or_folder}: no such folder, and not downloaded{there}; "
            f"get it with: {command(workspace, 'download', name_or_folder)}"
        )
    known = [f"{card.kind}/{card.name}" for card in cards if card.kind in ("models", "tokenizers")]
    there = ", ".join([*known, *map(full_name, downloads)]) or "nothing yet"
    raise MintageError(
        f"{name_or_folder}: no such folder, model or tokenizer; {workspace.root} holds {there}. "
        "`mintage quickstart` makes a model, `mintage download owner/name` gets one"
    )


def directory_name(name: str) -> str:
    """The name of a download's directory."""
    return name.replace("/", "--")


def full_name(card: Card) -> str:
    """A download's name as the user typed it."""
    revision = card.settings["revision"]
    return f"{card.settings['repository']}{f'@{revision}' if revision else ''}"
