"""`mintage chat`: talk to a model in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from mintage.cli.options import WORKSPACE, ModelArgument, WorkspaceOption


def chat(
    model: ModelArgument,
    prompt: Annotated[str | None, typer.Option("--prompt", "-p", help="Answer this and end.")] = None,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token each time.")] = 0.0,
    max_tokens: Annotated[int, typer.Option(help="The longest answer, in tokens.")] = 200,
    seed: Annotated[int | None, typer.Option(help="Same seed, same answer.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Talk to a model in the terminal, or get one answer.

    Example: mintage chat quickstart --prompt "Revenue: 1,234 million. What was revenue?"
    """
    from mintage.generate.engine import load
    from mintage.generate.sampling import Sampling
    from mintage.pipeline.models import model_directory
    from mintage.serve.terminal import chat as converse
    from mintage.workspace import Workspace

    engine = load(model_directory(Workspace(workspace), model))
    converse(engine, prompt, Sampling(max_tokens=max_tokens, temperature=temperature, seed=seed))


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(chat)
