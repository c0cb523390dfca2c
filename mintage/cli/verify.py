"""`mintage verify`: prove what a model says of itself."""

from __future__ import annotations

from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, ModelArgument, WorkspaceOption


def verify(
    model: ModelArgument,
    replay: Annotated[
        bool,
        typer.Option("--replay", help="Also train the last steps again, killed half way, and compare bits."),
    ] = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Check a model's files, its ledger against its knowledge cutoff, and its logits against another library.

    Example: mintage verify quickstart --replay
    """
    from mintage.pipeline import proofs
    from mintage.workspace import Workspace

    proofs.verify(Workspace(workspace), model, replay)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(verify)
