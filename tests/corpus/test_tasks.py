"""Tasks run once each, on any number of processes, and survive what kills their neighbours."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from mintage.corpus.tasks import Task, link, run_all
from mintage.errors import MintageError


def square(directory: Path, number: int) -> int:
    """Write a number's square, and count the runs beside the tasks."""
    (directory / "answer").write_text(str(number * number))
    with (directory.parent / "runs").open("a") as runs:
        runs.write(f"{number}\n")
    return number * number


def fail(directory: Path, number: int) -> int:
    """Write half and give up."""
    (directory / "answer").write_text("half")
    raise MintageError(f"{number}: no square")


def die(directory: Path, number: int) -> int:
    """Be killed, as by a machine that has no memory left."""
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def squares(folder: Path, count: int = 5) -> list[Task]:
    return [Task(folder / str(number), square, (number,)) for number in range(count)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_and_nothing_runs_twice(tmp_path: Path, jobs: int) -> None:
    seen: list[tuple[int, int]] = []
    tasks = squares(tmp_path)
    tasks[3].run()
    assert run_all(tasks, jobs, lambda *call: seen.append(call)) == [0, 1, 4, 9, 16]
    assert sorted(seen) == [(2, 5), (3, 5), (4, 5), (5, 5)]
    assert run_all(squares(tmp_path), jobs) == [0, 1, 4, 9, 16]
    assert sorted((tmp_path / "runs").read_text().split()) == list("01234")


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_failed_task_wrote_is_gone_and_the_others_stay_done(tmp_path: Path, jobs: int) -> None:
    tasks = [*squares(tmp_path, 2), Task(tmp_path / "2", fail, (2,))]
    with pytest.raises(MintageError, match="2: no square"):
        run_all(tasks, jobs)
    assert not (tmp_path / "2").exists()
    assert [task.done for task in tasks] == [True, True, False]


def test_killed_worker_is_one_clear_error_and_the_next_run_goes_on(tmp_path: Path) -> None:
    with pytest.raises(MintageError, match=r"a worker was killed.*fewer jobs"):
        run_all([Task(tmp_path / "0", die, (0,)), Task(tmp_path / "1", die, (1,))], 2)
    assert run_all(squares(tmp_path, 2), 2) == [0, 1]


def test_link_leaves_both_names(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    link(tmp_path / "a", tmp_path / "folder" / "b")
    (tmp_path / "a").unlink()
    assert (tmp_path / "folder" / "b").read_text() == "text"
