"""Ctrl-C and SIGTERM end a run between two steps, with a checkpoint."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from mintage.errors import MintageError


class Interrupted(MintageError):
    """Ctrl-C or SIGTERM came, and the step was finished. `exit_code` is 130 or 143; `checkpoint` is the
    newest whole one, that of this step unless the disk was full."""

    def __init__(self, signal_number: int, step: int, steps: int, path: Path | None):
        whole = path is not None and path.name == f"checkpoint-{step}"
        kept = f"checkpoint: {path}" if whole else f"the disk is full; the last checkpoint: {path or 'none'}"
        super().__init__(
            f"stopped after step {step:,} of {steps:,}; {kept}. Run the same command again to go on"
        )
        self.exit_code = 128 + signal_number
        self.checkpoint = path


class Stop:
    """Whether the run was asked to end: `signal` is the number of the signal that asked, or 0."""

    def __init__(self) -> None:
        self.signal = 0
        self._asked = threading.Event()

    def ask(self, number: int) -> None:
        """Ask the run to end."""
        self.signal = number
        self._asked.set()

    def wait(self, seconds: float) -> int:
        """Sleep, but not beyond the moment when the run is asked to end; the signal that asked, or 0."""
        self._asked.wait(seconds)
        return self.signal


@contextlib.contextmanager
def stop_signals(patient: bool = False) -> Iterator[Stop]:
    """Note the first Ctrl-C or SIGTERM instead of dying of it; a second one acts as usual.

    `patient`: further ones change nothing. Of several processes each may be told twice, by a scheduler and by
    who started them, which ends them anyway after its time of grace.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # Python delivers signals to the main thread only
        return
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        stop.ask(number)
        if patient:
            return
        for each, handler in usual.items():
            signal.signal(each, handler)

    for number in usual:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
