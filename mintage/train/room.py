"""Room on the disk: where there is none, the run waits until there is, and loses nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from mintage.errors import MintageError
from mintage.train.checkpoint import Writer
from mintage.train.parallel import current
from mintage.train.signals import Stop
from mintage.workspace import is_full

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds
LITTLE = 1 << 20  # bytes of room that a few rows or a plot need
SLACK = 1 << 20  # bytes of a checkpoint besides its tensors


class Room:
    """What found no room in a run's directory, kept to be written when there is some."""

    def __init__(self, run_directory: Path, writer: Writer, stop: Stop, say: Callable[[str], None]):
        self.run_directory, self.writer, self.stop, self.say = run_directory, writer, stop, say
        self.waiting: list[Callable[[], None]] = []

    def write(self, write: Callable[[], None], again: Callable[[], None] | None = None) -> None:
        """Write now, or when there is room: then by calling `again`, or the same once more."""
        try:
            write()
        except (OSError, MintageError) as error:
            if not is_full(error):
                raise
            self.waiting.append(again or write)

    def is_short(self) -> bool:
        """Whether something is known to wait for room."""
        return bool(self.waiting) or self.writer.failed()

    def checkpoint_is_whole(self) -> bool:
        """Wait for the checkpoint that is being written; whether it found room."""
        try:
            self.writer.finish()
        except Exception as error:
            if not is_full(error):
                raise
        return self.writer.moment is None

    def wait(self) -> int:
        """Pause until all that waits is written: 0; or until the run is asked to end: the signal. All
        processes call this together."""
        processes, delay, said = current(), FIRST_WAIT, False
        while True:
            whole = self.checkpoint_is_whole()
            if not any(processes.highest(not whole, len(self.waiting))):
                if said and processes.first:
                    self.say(f"{self.run_directory}: there is room again; going on")
                return 0
            need = LITTLE if whole or self.writer.moment is None else self.writer.moment.bytes + SLACK
            if not said and processes.first:
                self.say(self._message(need, whole))
            said = True
            (signal,) = processes.highest(self.stop.wait(delay))
            if signal:
                return signal
            delay = min(2 * delay, LONGEST_WAIT)
            (short,) = processes.highest(shutil.disk_usage(self.run_directory).free < need)
            if short:
                continue
            waiting, self.waiting = self.waiting, []
            for write in waiting:
                self.write(write)
            if not whole and self.writer.moment is not None:
                self.writer.begin(self.writer.moment)

    def _message(self, need: int, whole: bool) -> str:
        free = shutil.disk_usage(self.run_directory).free
        what = (
            "metrics.jsonl"
            if whole or self.writer.moment is None
            else f"checkpoint-{self.writer.moment.step}"
        )
        return (
            f"{self.run_directory}: the disk is full: {what} needs {need / 1e6:,.0f} MB, and "
            f"{free / 1e6:,.0f} MB are free. Nothing is lost: the run waits, and goes on by itself once "
            "there is room. Ctrl-C ends it"
        )
