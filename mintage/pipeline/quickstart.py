"""The quickstart: the recipe of that name, its proofs, and the chat page."""

from __future__ import annotations

import time

from rich.console import Console

from mintage import recipe as recipes
from mintage.pipeline import stages
from mintage.pipeline.console import done
from mintage.serve import run as server
from mintage.workspace import Workspace

RECIPE = "quickstart"


def run(workspace: Workspace, port: int | None) -> None:
    """Run the quickstart; `port` is where the chat page listens, None ends after the report."""
    console = Console(highlight=False, emoji=False)
    start = time.monotonic()
    if port is not None:
        server.listen("127.0.0.1", port).close()  # a port in use is better said now than in five minutes
    console.print(
        "[bold]Mintage quickstart[/bold]: the texts of a small invented economy become a tokenizer, "
        "a trained model, a tuned assistant, a report and a chat page. No network is used."
    )
    report = stages.run(recipes.load(RECIPE), workspace, prove=True)
    console.print(f"[bold]{(time.monotonic() - start) / 60:.1f} minutes[/bold] from text to model")
    console.print(f"report: {workspace.path('reports', report.name) / 'report.html'}", soft_wrap=True)
    if port is None:
        done(report, workspace, "serve", report.name)
    else:
        server.serve(workspace.path("models", report.name), port=port, announce=console.print)
