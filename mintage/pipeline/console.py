"""What the stages say on the terminal: a line for a stage that has ended, and the command to type next."""

from __future__ import annotations

import shlex

from rich.console import Console

from mintage.workspace import Card, Workspace

console = Console(highlight=False, emoji=False)


def command(workspace: Workspace, *words: str) -> str:
    """A command on a workspace as a shell takes it, blanks and all."""
    return shlex.join(["mintage", *words, "-w", str(workspace.root)])


def done(card: Card, workspace: Workspace, *words: str) -> Card:
    """Say what the user might type next."""
    console.print(f"next: {command(workspace, *words)}", soft_wrap=True, markup=False)
    return card


def say(stage: str, card: Card, made: bool, seconds: float, facts: str) -> Card:
    """One line for a stage that has ended."""
    state = f"{seconds:.1f} s" if made else "up to date"
    console.print(
        f"[bold]{stage:<10}[/bold] {card.kind}/{card.name}  {facts}  [dim]({state})[/dim]", soft_wrap=True
    )
    return card
