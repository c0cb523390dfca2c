"""Chat in the terminal: one answer, piped text, and a conversation at a real pseudo-terminal."""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mintage.errors import MintageError
from mintage.generate.engine import Engine, PromptTooLong
from mintage.generate.sampling import Sampling
from mintage.serve.terminal import chat

SAMPLING = Sampling(max_tokens=12)


def answer_of(engine: Engine, *contents: str) -> str:
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": content} for number, content in enumerate(contents)]
    return engine.complete(messages, SAMPLING).text


def test_a_prompt_gets_one_answer_and_nothing_else(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    chat(engine, "What was revenue?", SAMPLING)
    assert capsys.readouterr().out == answer_of(engine, "What was revenue?") + "\n"


def test_piped_text_is_one_prompt_of_many_lines(
    engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Revenue was 5.\nWhat was it?\n"))
    chat(engine, sampling=SAMPLING)
    assert capsys.readouterr().out == answer_of(engine, "Revenue was 5.\nWhat was it?") + "\n"


def test_no_text_and_too_much_text_are_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(" \n"))
    with pytest.raises(MintageError, match="standard input"):
        chat(engine)
    with pytest.raises(MintageError, match="--prompt"):
        chat(engine, "")
    with pytest.raises(PromptTooLong):
        chat(engine, "Revenue rose. " * 500)


SCRIPT = """
import sys, torch
torch.set_num_threads(1)
from mintage.generate.engine import load
from mintage.generate.sampling import Sampling
from mintage.serve.terminal import chat
chat(load(sys.argv[1]), sampling=Sampling(max_tokens=int(sys.argv[2])))
"""


class Terminal:
    """A conversation with `chat` at a pseudo-terminal."""

    def __init__(self, model_directory: Path, max_tokens: int):
        import pty

        self.controller, terminal = pty.openpty()
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(model_directory), str(max_tokens)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
            start_new_session=True,
            preexec_fn=make_controlling,
        )
        os.close(terminal)
        self.seen = ""

    def type(self, keys: str) -> None:
        os.write(self.controller, keys.encode())

    def until(self, wanted: str, typing: str = "") -> str:
        """What comes up to and with `wanted`. `typing` is typed once a second until it comes: a Ctrl-C that
        arrives while Python sets up its line editor is noticed at the next key only."""
        start = typed = time.monotonic()
        self.type(typing)
        while wanted not in self.seen:
            now = time.monotonic()
            assert now < start + 100, self.seen
            if now > typed + 1:
                self.type(typing)
                typed = now
            if select.select([self.controller], [], [], 1)[0]:
                self.seen += os.read(self.controller, 4096).decode(errors="replace")
        before, _, self.seen = self.seen.partition(wanted)
        return before + wanted

    def begins(self) -> None:
        """Wait for the first characters of an answer: a Ctrl-C before it begins would come too early."""
        while len(self.seen.strip()) < 8:
            assert select.select([self.controller], [], [], 60)[0], self.seen
            self.seen += os.read(self.controller, 4096).decode(errors="replace")


def make_controlling() -> None:
    """Make the child's standard input its controlling terminal, so that Ctrl-C reaches it."""
    # What runs in the background of a shell, CI's own processes for one, is born deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals of this kind")
def test_a_conversation_at_a_terminal(engine: Engine, model_directory: Path) -> None:
    """Ctrl-C stops the answer and not the program; /new forgets; a trailing backslash goes on; /quit ends."""
    terminal = Terminal(model_directory, 200)
    try:
        terminal.until("> ")
        terminal.type("Revenue?\n")
        terminal.until("Revenue?")
        terminal.begins()
        terminal.type("\x03")
        terminal.until("(stopped)")
        terminal.until("/quit leaves", typing="\x03")
        terminal.until("> ")
        terminal.type("/nonsense\n")
        terminal.until("no such command")
        terminal.until("> ")
        terminal.type("/new\n")
        terminal.until("A new conversation.")
        terminal.until("> ")
        terminal.type("Revenue was 5.\\\n")
        terminal.until("... ")
        terminal.type("What was it?\n")
        answer = terminal.until("(cut off")
        expected = engine.complete(
            [{"role": "user", "content": "Revenue was 5.\nWhat was it?"}], Sampling(200)
        ).text
        printable = [word for word in expected.split() if word.isalnum()]
        assert printable and all(word in answer for word in printable)
        terminal.until("> ")
        terminal.type("/quit\n")
        assert terminal.process.wait(timeout=60) == 0
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.controller)
