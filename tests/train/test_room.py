"""What found no room is written once there is some, and an error of another kind is not taken for that."""

from __future__ import annotations

import errno
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mintage.train import checkpoint
from mintage.train.room import LITTLE, LONGEST_WAIT, SLACK, Room
from mintage.train.signals import Stop

from .tiny import tiny_model

FULL, BROKEN = OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "Input/output error")


class Disk(Stop):
    """A disk with so much `free`, and in place of the clock what is called at each wait."""

    def __init__(self, free: int) -> None:
        super().__init__()
        self.free, self.waits = free, []  # type: int, list[float]
        self.at_a_wait: Callable[[int], None] = lambda number: None

    def wait(self, seconds: float) -> int:
        self.waits.append(seconds)
        assert len(self.waits) < 100
        self.at_a_wait(len(self.waits))
        return self.signal


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    made, usage = Disk(10**12), shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=made.free))
    return made


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def place(tmp_path: Path, disk: Disk, said: list[str]) -> Iterator[Room]:
    with checkpoint.Writer(tmp_path, 1, None) as writer:
        yield Room(tmp_path, writer, disk, said.append)


def failing(times: int, done: list[str], error: OSError = FULL) -> Callable[[], None]:
    """A write that fails so often and then is done."""
    left = iter([error] * times)

    def write() -> None:
        if (found := next(left, None)) is not None:
            raise found
        done.append("row")

    return write


def test_rows_wait_in_their_order_and_longer_each_time(place: Room, disk: Disk, said: list[str]) -> None:
    done: list[str] = []
    place.write(failing(0, done))
    assert done == ["row"] and not place.is_short() and place.wait() == 0 and said == disk.waits == []
    place.write(failing(1, done), again=lambda: done.append("flushed"))
    place.write(failing(2, done))
    assert done == ["row"] and place.is_short()
    disk.free = LITTLE - 1

    def at_a_wait(number: int) -> None:
        disk.free = LITTLE if number == 9 else disk.free

    disk.at_a_wait = at_a_wait
    assert place.wait() == 0 and not place.is_short()
    assert done == ["row", "flushed", "row"]  # what found no room for the second time came last
    assert disk.waits == [1, 2, 4, 8, 16, 32, *[LONGEST_WAIT] * 4]
    assert len(said) == 2 and "metrics.jsonl needs 1 MB, and 1 MB are free" in said[0]
    assert "there is room again" in said[1]


def test_a_checkpoint_waits_for_the_room_that_it_needs(
    place: Room, disk: Disk, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail, write = failing(1, []), checkpoint.write
    monkeypatch.setattr(checkpoint, "write", lambda *arguments: (fail(), write(*arguments))[1])
    moment = checkpoint.snapshot(1, tiny_model(), {}, {})
    assert not place.is_short()
    place.writer.begin(moment)
    place.writer._pool.submit(lambda: None).result()  # after the writing, in its thread
    assert place.is_short() and not place.checkpoint_is_whole()
    disk.free = moment.bytes + SLACK - 1

    def at_a_wait(number: int) -> None:
        assert not (tmp_path / "checkpoint-1").exists()
        disk.free += number == 3

    disk.at_a_wait = at_a_wait
    assert place.wait() == 0
    assert len(disk.waits) == 3 and (tmp_path / "checkpoint-1").is_dir() and place.writer.moment is None
    assert "checkpoint-1 needs" in said[0] and len(said) == 2


def test_a_run_that_waits_can_be_ended(place: Room, disk: Disk, said: list[str]) -> None:
    done: list[str] = []
    place.write(failing(1, done))
    disk.free = 0
    disk.at_a_wait = lambda number: disk.ask(signal.SIGINT) if number == 3 else None
    assert place.wait() == signal.SIGINT
    assert done == [] and place.is_short() and len(said) == 1


def test_an_error_of_another_kind_is_not_waited_for(place: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="Input/output"):
        place.write(failing(1, [], BROKEN))
    assert not place.is_short()
    monkeypatch.setattr(checkpoint, "write", lambda *arguments: failing(1, [], BROKEN)())
    place.writer.begin(checkpoint.snapshot(1, tiny_model(), {}, {}))
    with pytest.raises(OSError, match="Input/output"):
        place.checkpoint_is_whole()
