"""Train the last steps of a published model again, from a checkpoint: the proof that nothing else went into
it.

Run as `python -m mintage.pipeline.replay WORKSPACE MODEL RUN_DIRECTORY`; `proofs` starts it, kills it half
way, and starts it again.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.recipe import Stage
from mintage.tokens.loader import Loader
from mintage.tokens.plan import Plan
from mintage.train.loop import train
from mintage.workspace import Card, Workspace


def stage_of(card: Card) -> tuple[Stage, datetime | None]:
    """The gradient stage that made a model, and its knowledge cutoff, from the settings on its card."""
    settings = {key: card.settings[key] for key in ("plan", "train")}
    as_of = card.settings["as_of"]
    return TypeAdapter(Stage).validate_python(settings), datetime.fromisoformat(as_of) if as_of else None


def plan_of(workspace: Workspace, card: Card) -> tuple[Path, Plan]:
    """The shards that a model was trained on, and its plan, built anew.

    Raises:
        MintageError: the shards are gone or were made anew since.
    """
    parent = next(parent for parent in card.parents if parent.kind == "shards")
    found = workspace.card(parent.kind, parent.name)
    if found is None or found.content_hash != parent.content_hash:
        raise MintageError(
            f"shards/{parent.name}: gone or made anew since models/{card.name}; the proof needs them"
        )
    directory = workspace.path("shards", parent.name)
    stage, cutoff = stage_of(card)
    return directory, Plan.build(directory, stage.plan, cutoff)


def replay(workspace: Workspace, card: Card, run_directory: Path) -> None:
    """Go on from the newest checkpoint in `run_directory` to the end of the model's plan."""
    shards_directory, plan = plan_of(workspace, card)
    stage, _ = stage_of(card)
    tokenizer = next(parent for parent in card.parents if parent.kind == "tokenizers")
    checkpoint = max(run_directory.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    train(
        huggingface.load(checkpoint),
        Loader(shards_directory, plan),
        stage.train,
        run_directory,
        tokenizer_directory=workspace.path("tokenizers", tokenizer.name),
        progress=False,
    )


if __name__ == "__main__":
    place = Workspace(sys.argv[1])
    replay(place, place.find(f"models/{sys.argv[2]}"), Path(sys.argv[3]))
