"""Find a model's directory from what a user types."""

from __future__ import annotations

from pathlib import Path

from mintage.errors import MintageError
from mintage.workspace import Workspace


def model_directory(workspace: Workspace, name: str) -> Path:
    """The directory of a model given by its path, or by its name in the workspace.

    Raises:
        MintageError: there is no such model; the message lists those that there are.
    """
    if (Path(name) / "config.json").is_file():
        return Path(name)
    path = workspace.path("models", name)
    if (path / "config.json").is_file():
        return path
    known = ", ".join(card.name for card in workspace.cards() if card.kind == "models")
    mend = f"models in {workspace.root}: {known}" if known else "`mintage quickstart` makes one"
    raise MintageError(f"{name}: no model directory and no model of this name; {mend}")
