"""What the stages say on the terminal: a line for a stage that has ended, and the command to type next."""

from __future__ import annotations

from rich.console import Console

from mintage.workspace import Card

console = Console(highlight=False, emoji=False)


def done(card: Card, following: str) -> Card:
    """Say what the user might type next."""
    console.print(f"next: {following}", soft_wrap=True)
    return card


def say(stage: str, card: Card, made: bool, seconds: float, facts: str) -> Card:
    """One line for a stage that has ended."""
    state = f"{seconds:.1f} s" if made else "up to date"
    console.print(
        f"[bold]{stage:<10}[/bold] {card.kind}/{card.name}  {facts}  [dim]({state})[/dim]", soft_wrap=True
    )
    return card
