"""`mintage collect`."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, ReplayOption, WorkspaceOption


def collect(
    what: Annotated[
        str, typer.Argument(metavar="SOURCE|RECIPE", help="A kind of source, or a recipe with sources.")
    ],
    settings: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE", default_factory=list, show_default=False, help="The source's settings."
        ),
    ],
    replay: ReplayOption,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Fetch the documents of a source, or of all sources of a recipe; what is there already is not asked for
    again.

    Example: mintage collect edgar companies=[AAPL,NVDA] forms=[10-K] contact=you@example.org
    """
    from mintage import recipe as recipes
    from mintage.pipeline import collecting
    from mintage.workspace import Workspace

    sources, following = recipes.sources(what, settings)
    collecting.run(sources, Workspace(workspace), replay)
    print(f"next: {following} -w {shlex.quote(str(workspace))}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(collect)
