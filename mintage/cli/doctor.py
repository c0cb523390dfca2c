"""`mintage doctor`: what this machine can do, and what to install."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Say what this machine can do: device, precision, compiler, extras, disk; and what to install for more.

    Example: mintage doctor
    """
    from mintage.pipeline import doctor as checks

    checks.run()


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(doctor)
