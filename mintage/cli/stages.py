"""`mintage run`, and a verb for each stage: all stages up to it are brought up to date."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from mintage.cli.options import (
    WORKSPACE,
    JobsOption,
    ProcessesOption,
    RecipeArgument,
    SetOption,
    WorkspaceOption,
)


def bring_up_to_date(
    recipe: str, workspace: object, overrides: list[str], until: str, jobs: int = 1, processes: int = 1
) -> None:
    """Load the recipe and run its stages up to and including `until`; with several processes, start them and
    let each of them do that. A mistake in the recipe is said before they start, and once."""
    from mintage import recipe as recipes

    loaded = recipes.load(recipe, overrides)
    if processes > 1 and "WORLD_SIZE" not in os.environ:
        from mintage.train.launch import launch

        launch(processes, sys.argv[1:])
    from mintage.pipeline.stages import run as run_stages
    from mintage.workspace import Workspace

    typed = [recipe, *(part for override in overrides for part in ("--set", override))]
    run_stages(loaded, Workspace(str(workspace)), until=until, jobs=jobs, typed=typed)


def run(
    recipe: RecipeArgument,
    overrides: SetOption,
    workspace: WorkspaceOption = WORKSPACE,
    jobs: JobsOption = 1,
    nproc: ProcessesOption = 1,
    size: Annotated[
        str | None, typer.Option(help="10m, 50m, 125m, 350m or 1b, for the recipe `mintage`.")
    ] = None,
) -> None:
    """Do all stages of a recipe in order: skip what is up to date, resume what was cut off.

    Example: mintage run recipes/fed-10m.yaml --set pretrain.train.seed=2

    Example: mintage run mintage --size 50m
    """
    sized = [*overrides, f"size={size}"] if size else overrides
    bring_up_to_date(recipe, workspace, sized, "evaluate", jobs, nproc)


def tokenizer(recipe: RecipeArgument, overrides: SetOption, workspace: WorkspaceOption = WORKSPACE) -> None:
    """Train the recipe's tokenizer on its corpus as of the cutoff.

    Example: mintage tokenizer recipes/fed-10m.yaml
    """
    bring_up_to_date(recipe, workspace, overrides, "tokenizer")


def shards(
    recipe: RecipeArgument, overrides: SetOption, workspace: WorkspaceOption = WORKSPACE, jobs: JobsOption = 1
) -> None:
    """Turn the recipe's corpus into tokens.

    Example: mintage shards recipes/fed-10m.yaml
    """
    bring_up_to_date(recipe, workspace, overrides, "shards", jobs)


def pretrain(
    recipe: RecipeArgument,
    overrides: SetOption,
    workspace: WorkspaceOption = WORKSPACE,
    nproc: ProcessesOption = 1,
) -> None:
    """Train the recipe's model on text. Ctrl-C keeps a checkpoint; the same command goes on from it.

    Example: mintage pretrain recipes/fed-10m.yaml
    """
    bring_up_to_date(recipe, workspace, overrides, "pretrain", processes=nproc)


def tune(
    recipe: RecipeArgument,
    overrides: SetOption,
    workspace: WorkspaceOption = WORKSPACE,
    nproc: ProcessesOption = 1,
) -> None:
    """Tune the recipe's model on chats, with the loss on the answers.

    Example: mintage tune quickstart
    """
    bring_up_to_date(recipe, workspace, overrides, "tune", processes=nproc)


def evaluate(recipe: RecipeArgument, overrides: SetOption, workspace: WorkspaceOption = WORKSPACE) -> None:
    """Measure the recipe's model on held-out text and questions, and write report.html and results.json.

    Example: mintage evaluate recipes/fed-10m.yaml
    """
    bring_up_to_date(recipe, workspace, overrides, "evaluate")


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    for verb in (run, tokenizer, shards, pretrain, tune, evaluate):
        app.command()(verb)
