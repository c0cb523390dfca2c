"""`mintage serve`: an OpenAI-compatible API and the chat page."""

from __future__ import annotations

from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, ModelArgument, WorkspaceOption


def serve(
    model: ModelArgument,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 127.0.0.1 is this machine only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Serve a model: an OpenAI-compatible API under /v1, and the chat page at /.

    API keys are asked for when the environment variable MINTAGE_API_KEYS holds some (separated by commas).

    Example: mintage serve quickstart --port 8080
    """
    from mintage.pipeline.models import model_directory
    from mintage.serve import run
    from mintage.workspace import Workspace

    run.serve(model_directory(Workspace(workspace), model), host=host, port=port)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(serve)
