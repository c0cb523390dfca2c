"""The stages that run in pieces, corpus and shards: their tasks, and where tasks that are done wait for the
merge."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mintage.corpus import build as corpus_build
from mintage.corpus import parts
from mintage.corpus.tasks import Task
from mintage.errors import MintageError
from mintage.pipeline.artifacts import fingerprint_of, plain
from mintage.recipe import Recipe
from mintage.tokens import shards as token_shards
from mintage.tokens.tokenizer import Tokenizer
from mintage.workspace import Card, Workspace

IN_PIECES = ("corpus", "shards")


def corpus_settings(recipe: Recipe, workspace: Workspace) -> dict[str, Any]:
    """What decides a corpus: its settings and the files that it would read."""
    settings = recipe.corpus.settings()
    return {**plain(settings), "inputs": corpus_build.inputs(settings, workspace.raw())}


def scratch_of(workspace: Workspace, kind: str, settings: dict[str, Any], parents: Sequence[Card]) -> Path:
    """Where the tasks of an artifact are kept until it is published; another artifact's are elsewhere."""
    return workspace.root / "tasks" / f"{kind}-{fingerprint_of(kind, settings, parents)[:16]}"


def tasks(recipe: Recipe, workspace: Workspace, stage: str) -> list[Task]:
    """The tasks of a stage; what comes before it has been made.

    Raises:
        MintageError: it has not.
    """
    if stage == "corpus":
        scratch = scratch_of(workspace, "corpora", corpus_settings(recipe, workspace), ())
        read = partial(corpus_build.source_documents, raw=workspace.raw())
        return parts.tasks(recipe.corpus.settings().sources, read, scratch)
    parents = [workspace.card(kind, recipe.name) for kind in ("corpora", "tokenizers")]
    corpus_card, tokenizer_card = parents
    if corpus_card is None or tokenizer_card is None:
        raise MintageError(f"{recipe.name}: no corpus or no tokenizer yet; `mintage tokenizer` makes both")
    return token_shards.tasks(
        workspace.path("corpora", recipe.name),
        Tokenizer.load(workspace.path("tokenizers", recipe.name)),
        recipe.corpus.use,
        scratch_of(workspace, "shards", {}, (corpus_card, tokenizer_card)),
    )


def forget(scratch: Path) -> None:
    """Remove the tasks of an artifact that is published."""
    shutil.rmtree(scratch, ignore_errors=True)
