"""The first signal is noted, the second acts as usual, and afterwards all is as before."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mintage.train.signals import Interrupted, stop_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no signals from elsewhere")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def caught() -> Iterator[list[int]]:
    """The signals that come to the handlers of before."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda n, _: came.append(n)) for number in SIGNALS}
    yield came
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_is_noted_and_the_second_acts_as_usual(number: int, caught: list[int]) -> None:
    with stop_signals() as stop:
        assert stop.signal == stop.wait(0.0) == 0
        os.kill(os.getpid(), number)
        assert stop.signal == number and caught == []
        for other in SIGNALS:
            os.kill(os.getpid(), other)
        assert caught == list(SIGNALS)
    os.kill(os.getpid(), number)
    assert caught == [*SIGNALS, number]


def test_of_several_processes_none_dies_of_a_second_one(caught: list[int]) -> None:
    with stop_signals(patient=True) as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal == signal.SIGTERM and caught == []
    os.kill(os.getpid(), signal.SIGTERM)
    assert caught == [signal.SIGTERM]


def test_handlers_are_back_after_an_error(caught: list[int]) -> None:
    with pytest.raises(ValueError, match="inside"), stop_signals():
        raise ValueError("inside")
    os.kill(os.getpid(), signal.SIGINT)
    assert caught == [signal.SIGINT]


def test_a_wait_ends_with_the_signal() -> None:
    found: list[int] = []
    with stop_signals() as stop:
        waiter = threading.Thread(target=lambda: found.append(stop.wait(600)), daemon=True)
        waiter.start()
        stop.ask(signal.SIGTERM)
        waiter.join(60)
    assert found == [signal.SIGTERM]


def test_outside_the_main_thread_nothing_is_touched(caught: list[int]) -> None:
    found: list[int] = []

    def run() -> None:
        with stop_signals() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            found.append(stop.signal)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [0] and caught == [signal.SIGINT]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (Path("run/checkpoint-7"), "checkpoint: run/checkpoint-7. Run"),
        (Path("run/checkpoint-5"), "the disk is full; the last checkpoint: run/checkpoint-5. Run"),
        (None, "the disk is full; the last checkpoint: none. Run"),
    ],
)
def test_what_is_left_is_said(path: Path | None, said: str) -> None:
    error = Interrupted(signal.SIGTERM, 7, 1_200, path)
    assert str(error) == f"stopped after step 7 of 1,200; {said} the same command again to go on"
    assert error.exit_code == 143 and error.checkpoint == path
