"""`mintage scale`: how loss falls with model size and tokens on a recipe's corpus."""

from __future__ import annotations

from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, RecipeArgument, SetOption, WorkspaceOption


def scale(
    recipe: RecipeArgument,
    overrides: SetOption,
    sizes: Annotated[str, typer.Option(help="Parameters, with commas between.")] = "100k,300k,1m",
    tokens: Annotated[str, typer.Option(help="Training tokens, with commas between.")] = "500k,1m,2m",
    flops: Annotated[
        float | None,
        typer.Option(help="Budget to find the best model for; 10 times the largest run if not said."),
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Train every size on every number of tokens, fit a scaling law, and find the best model for a budget.

    Runs that are done are not made again; one that was cut off goes on.

    Example: mintage scale quickstart --sizes 100k,300k,1m --tokens 250k,500k,1m
    """
    from mintage import recipe as recipes
    from mintage.pipeline import sweep
    from mintage.workspace import Workspace

    loaded = recipes.load(recipe, overrides)
    sweep.scale(loaded, Workspace(workspace), sizes.split(","), tokens.split(","), flops)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(scale)
