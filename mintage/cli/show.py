"""`mintage show`: the tree of artifacts, or one card with its lineage."""

from __future__ import annotations

from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, WorkspaceOption


def show(
    artifact: Annotated[str | None, typer.Argument(help="A name, or kind/name.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Print the artifacts of the workspace, or one artifact's card and its lineage back to the source files.

    Example: mintage show models/quickstart
    """
    from mintage.pipeline import lineage
    from mintage.workspace import Workspace

    place = Workspace(workspace)
    if artifact is None:
        lineage.print_tree(place)
    else:
        lineage.print_card(place, place.find(artifact))


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(show)
