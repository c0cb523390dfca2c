"""`mintage quickstart`: dated text to a chat window, on this machine, in minutes."""

from __future__ import annotations

from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, WorkspaceOption


def quickstart(
    serve: Annotated[bool, typer.Option(help="Leave the chat page serving at the end.")] = True,
    port: Annotated[int, typer.Option(help="Where the chat page listens.")] = 8080,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Make a small economy's texts, a tokenizer, a trained model, a tuned assistant, a report, and a chat
    page.

    Example: mintage quickstart --no-serve
    """
    from mintage.pipeline import quickstart as pipeline
    from mintage.workspace import Workspace

    pipeline.run(Workspace(workspace), port=port if serve else None)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(quickstart)
