"""What is looked at before the first step: that tokens, model, plan and processes belong together."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from mintage.errors import MintageError
from mintage.model.config import ModelConfig
from mintage.recipe import Recipe
from mintage.tokens import shards as token_shards
from mintage.tokens.plan import Phase
from mintage.tokens.shards import Shards
from mintage.tokens.tokenizer import Tokenizer
from mintage.train.float8 import check_float8
from mintage.train.parallel import Processes
from mintage.train.settings import TrainSettings
from mintage.workspace import Workspace, write_atomic

WITHIN = re.compile(r"^(?:plan|train):|(?<![\w./-])(?:plan|train)\.[a-z_]+")  # a stage's settings


def check_recipe(recipe: Recipe, workspace: Workspace, until: str, processes: Processes) -> None:
    """What a recipe's gradient stages ask can be had of this machine and of these processes. Looked at before
    the data is made, which may take hours.

    Raises:
        MintageError: it cannot.
    """
    stages = {}
    if until in ("pretrain", "tune", "evaluate"):
        model = recipe.name if recipe.tune is None else f"{recipe.name}-base"
        stages["pretrain"] = model, recipe.pretrain
    if recipe.tune is not None and until in ("tune", "evaluate"):
        stages["tune"] = recipe.name, recipe.tune
    for name, (model, stage) in stages.items():
        made = workspace.card("models", model) is not None  # elsewhere, by a machine that could
        with place_of(name):
            check_processes(stage.train, stage.plan.phases, processes.world)
            if stage.train.float8 and not made:
                check_float8(processes.device)


@contextlib.contextmanager
def place_of(stage: str) -> Iterator[None]:
    """Errors that name places within a stage, such as `plan.phases.0.batch`, name the stage too, as one
    types it."""
    try:
        yield
    except MintageError as error:
        error.args = (WITHIN.sub(rf"{stage}.\g<0>", str(error)),)
        raise


def check_shards(directory: Path, tokenizer: Tokenizer) -> None:
    """The shards were encoded by this tokenizer, and their files are those that were written: the sizes each
    time, the hashes once, and again when a file has changed.

    Raises:
        MintageError: one of these does not hold.
    """
    shards = Shards.open(directory)
    shards.require_tokenizer(tokenizer)
    shards.require_sizes()
    seen = {
        "shards": shards.hash,
        "files": {
            name: [(directory / name).stat().st_size, (directory / name).stat().st_mtime_ns]
            for name in shards.manifest["files"]
        },
    }
    record = directory.parent / f".{directory.name}.verified.json"
    if not record.exists() or json.loads(record.read_text()) != seen:
        token_shards.verify(directory)
        write_atomic(record, json.dumps(seen))


def check_model(config: ModelConfig, tokenizer: Tokenizer, phases: tuple[Phase, ...]) -> None:
    """The model has a place for every token and for every position of the plan.

    Raises:
        MintageError: it has not.
    """
    if config.vocab_size < tokenizer.vocab_size:
        raise MintageError(
            f"the tokenizer has {tokenizer.vocab_size:,} tokens and the model places for "
            f"{config.vocab_size:,}; use the model's own tokenizer, or a fresh model"
        )
    for number, phase in enumerate(phases):
        if phase.context > config.max_position_embeddings:
            raise MintageError(
                f"plan.phases.{number}.context: {phase.context:,} is longer than the model's "
                f"{config.max_position_embeddings:,} positions; lower it, or raise "
                "model.max_position_embeddings before pretraining"
            )


def check_processes(settings: TrainSettings, phases: tuple[Phase, ...], processes: int) -> None:
    """Every process gets as many rows of each batch and micro-batch as the others.

    Raises:
        MintageError: there are more processes than rows, or the rows do not divide.
    """
    for number, phase in enumerate(phases):
        rows = {f"plan.phases.{number}.batch": phase.batch}
        if settings.micro_batch is not None and settings.micro_batch < phase.batch:
            rows["train.micro_batch"] = settings.micro_batch
        for name, count in rows.items():
            if count < processes:
                raise MintageError(
                    f"{name}: {count} rows for {processes} processes; start at most {count}, or raise it"
                )
            if count % processes:
                raise MintageError(
                    f"{name}: {count} rows do not divide among {processes} processes; make it a multiple, "
                    f"e.g. {count // processes * processes} or {-(-count // processes) * processes}"
                )
