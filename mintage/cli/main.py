"""The `mintage` command: one short file per verb; nothing heavy is imported until a verb runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from mintage.cli import (
    chat,
    collect,
    corpus,
    doctor,
    download,
    estimate,
    quickstart,
    refine,
    runs,
    scale,
    serve,
    show,
    stages,
    verify,
)
from mintage.errors import MintageError

INTERRUPTED = 130  # the exit code of a program that was stopped by Ctrl-C

app = typer.Typer(
    name="mintage",
    help="Make finance language models, from the filing to the chat window.",
    epilog="Start with: mintage quickstart",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
making = (quickstart, stages, collect, corpus, download, estimate, scale)
for verb in (*making, show, runs, verify, chat, serve, doctor):
    verb.register(app)
refine.register(corpus.app)


def main() -> None:
    """Run a verb. What the user can mend is printed as one message, without a traceback, and ends with code
    2; Ctrl-C with 130."""
    # torchrun ends with 1 whatever its processes end with, and starts them again as often as it was told to.
    # This file says to a scheduler's script, and here to the processes started again, that the same command
    # would fail again.
    place = os.environ.get("MINTAGE_ERROR_FILE")
    if place and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0" and Path(place).exists():
        raise SystemExit(2)
    try:
        app()
    except MintageError as error:
        print(f"error: {error}", file=sys.stderr)
        if place and error.exit_code == 2 and os.environ.get("RANK", "0") == "0":
            Path(place).write_text(f"{error}\n")
        raise SystemExit(error.exit_code) from None
    except (KeyboardInterrupt, SystemExit) as end:  # typer makes the one into the other without a word
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        print("stopped", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
