"""Find a model's directory from what a user types."""

from __future__ import annotations

from pathlib import Path

from mintage.errors import MintageError
from mintage.pipeline.hub import resolve
from mintage.workspace import Workspace


def model_directory(workspace: Workspace, name: str) -> Path:
    """The directory of a model given by its folder, its name in the workspace, or its name on the hub once it
    was downloaded.

    Raises:
        MintageError: there is no such model; the message says which there are and how to get one.
    """
    directory = resolve(name, workspace)
    if not (directory / "config.json").is_file():
        raise MintageError(f"{directory}: a tokenizer without a model; download or name a model")
    return directory
