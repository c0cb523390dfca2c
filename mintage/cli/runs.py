"""`mintage runs`: the training runs of a workspace, listed or compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, WorkspaceOption


def runs(
    run: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Names, their beginnings, or directories.")
    ] = None,
    workspace: WorkspaceOption = WORKSPACE,
    plot: Annotated[
        Path | None, typer.Option(help="Where the curves go; WORKSPACE/runs.png if not said.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and draw nothing.")] = False,
) -> None:
    """List the training runs, or compare those named: figures, what differs in their settings, and curves.

    Example: mintage runs fed-10m-pretrain earnings-10m-pretrain
    """
    import json

    from mintage.pipeline import runs as logic
    from mintage.workspace import Workspace

    place = Workspace(workspace)
    if as_json:
        print(json.dumps(logic.listing(place, run or []), indent=1))
    else:
        logic.show(place, run or [], plot or workspace / "runs.png")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(runs)
