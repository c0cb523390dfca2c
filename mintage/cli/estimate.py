"""`mintage estimate`: memory, time and money of a recipe before it is run."""

from __future__ import annotations

from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, RecipeArgument, SetOption, WorkspaceOption


def estimate(
    recipe: RecipeArgument,
    overrides: SetOption,
    gpus: Annotated[
        str | None, typer.Option(metavar="NxNAME", help="Such as 8xA100-80GB; without it, this machine.")
    ] = None,
    tokens: Annotated[
        float | None, typer.Option(min=1, help="Of pretraining, in place of the plan's, e.g. 100e9.")
    ] = None,
    dollars_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Your own price of one GPU and hour.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Say whether a recipe fits a machine, how long it takes and what it costs. Its data need not be there.

    Example: mintage estimate fed-10m --gpus 1xRTX-4090
    """
    import json

    from mintage import recipe as recipes
    from mintage.pipeline import estimating
    from mintage.workspace import Workspace

    loaded = recipes.load(recipe, overrides)
    found = estimating.forecast(loaded, Workspace(workspace), gpus, tokens, dollars_per_hour)
    if as_json:
        print(json.dumps(estimating.as_json(found), indent=1))
    else:
        estimating.show(found)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(estimate)
