"""`mintage download`: a model or tokenizer of the Hugging Face Hub by its name."""

from __future__ import annotations

from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, WorkspaceOption


def download(
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME[@REVISION]", help="Its name on the hub.")],
    tokenizer: Annotated[bool, typer.Option("--tokenizer", help="Leave the weights where they are.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Fetch a model or tokenizer from the Hugging Face Hub: safetensors only, every file's hash checked.

    What gated models ask for is taken from the environment variable HF_TOKEN, and goes to the hub alone. An
    interrupted download goes on where it stopped. Recipes and verbs then take the name like a folder.

    Example: mintage download HuggingFaceTB/SmolLM2-135M
    """
    from mintage.pipeline import download as downloading
    from mintage.workspace import Workspace

    downloading.download(name, Workspace(workspace), tokenizer)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(download)
