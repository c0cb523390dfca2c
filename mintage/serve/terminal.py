"""Chat in the terminal: a conversation, or one answer for `--prompt` or piped text."""

from __future__ import annotations

import contextlib
import sys

from rich.console import Console

from mintage.corpus.document import Message
from mintage.errors import MintageError
from mintage.generate.engine import Engine
from mintage.generate.sampling import Sampling

HELP = """\
/new    forget the conversation and begin anew
/quit   leave (or Ctrl-D)
Ctrl-C  stop an answer
A line that ends with a backslash goes on in the next one."""

Messages = list[Message]


def chat(engine: Engine, prompt: str | None = None, sampling: Sampling | None = None) -> None:
    """Answer `prompt`, or else what is piped in, and return; at a terminal without a prompt, hold a
    conversation.

    Raises:
        MintageError: the prompt is empty, or longer than the model's context.
    """
    sampling = sampling or Sampling()
    if prompt is None and sys.stdin.isatty():
        converse(engine, sampling)
        return
    text = sys.stdin.read() if prompt is None else prompt
    if not text.strip():
        place = "standard input" if prompt is None else "--prompt"
        raise MintageError(f"{place}: empty; write what the model shall answer")
    stream_answer(engine, [{"role": "user", "content": text.rstrip("\n")}], sampling, trim=False)


def converse(engine: Engine, sampling: Sampling) -> None:
    """Read, answer, and read again, until /quit or the end of the input."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives input() a history and line editing, where there is one
    notes = Console(highlight=False, emoji=False)
    notes.print(
        f"[bold]{engine.model_id}[/bold]  /new begins anew, /quit leaves, /help says more", style="dim"
    )
    messages: Messages = []
    while True:
        try:
            text = read_message()
            if text is None or text == "/quit":
                return
            messages = obey(engine, messages, text, sampling, notes)
        except KeyboardInterrupt:
            print()
            notes.print("/quit leaves", style="dim")


def read_message() -> str | None:
    """What the user types, over several lines where they end with a backslash; None at the end of the
    input."""
    lines: list[str] = []
    try:
        while (line := input("... " if lines else "> ")).endswith("\\"):
            lines.append(line.removesuffix("\\"))
    except EOFError:
        print()
        return None
    return "\n".join([*lines, line]).strip()


def obey(engine: Engine, messages: Messages, text: str, sampling: Sampling, notes: Console) -> Messages:
    """Do what a line says: a command, or a question to be answered. Returns the conversation after it."""
    if text == "/new":
        notes.print("A new conversation.", style="dim")
        return []
    if text == "/help":
        notes.print(HELP, style="dim", markup=False)
    elif text.startswith("/"):
        notes.print(f"{text}: no such command; /help lists them", style="dim", markup=False)
    elif text:
        return take_turn(engine, messages, text, sampling, notes)
    return messages


def take_turn(engine: Engine, messages: Messages, text: str, sampling: Sampling, notes: Console) -> Messages:
    """Ask and answer; the conversation with both turns, or as it was where there is no answer."""
    messages = [*messages, {"role": "user", "content": text}]
    try:
        answer, reason = stream_answer(engine, messages, sampling, trim=True)
    except MintageError as error:
        notes.print(str(error), style="red", markup=False)
        return messages[:-1]
    if reason != "stop":
        notes.print({"length": "(cut off at the longest answer)", None: "(stopped)"}[reason], style="dim")
    return [*messages, {"role": "assistant", "content": answer}] if answer else messages[:-1]


def stream_answer(
    engine: Engine, messages: Messages, sampling: Sampling, trim: bool
) -> tuple[str, str | None]:
    """Print an answer as it is made; its text and why it ended (None: Ctrl-C during a conversation)."""
    text, reason = "", None
    try:
        for delta in engine.stream(messages, sampling, trim=trim):
            print(delta.text, end="", flush=True)
            text += delta.text
            reason = delta.finish_reason
    except KeyboardInterrupt:
        if not trim:
            raise
    finally:
        print()
    return text, reason
