"""A stage in pieces: each task is a function from files to files, and fills a directory of its own.

A task's directory appears whole, with what its function returned in `done.json`, and a task whose directory
is there is not run again. So a stage can be killed at any moment and goes on where it stopped, and its tasks
can run one after the other, on a pool of processes, or on many machines that share a disk
(`mintage.pipeline.cluster`): no task sees another, and the merge takes them in their order, so the bytes are
the same.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mintage.errors import MintageError
from mintage.workspace import publish_directory

DONE = "done.json"
# Read by the libraries when they make their threads: a worker of a pool is one thread, or the workers would
# fight for the cores.
ONE_THREAD = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}

Progress = Callable[[int, int], object]
"""Called with the tasks done and the tasks in all."""


@dataclass(frozen=True)
class Task:
    """One piece of a stage: `function(temporary directory, *arguments)` writes files and returns a JSON
    value. The function is found by its name in a worker, so it stands at a module's top level."""

    directory: Path
    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    @property
    def done(self) -> bool:
        """Whether it has run."""
        return (self.directory / DONE).exists()

    def result(self) -> Any:
        """What the function returned when it ran."""
        return json.loads((self.directory / DONE).read_text(encoding="utf-8"))

    def run(self) -> Any:
        """Run it, unless it has run, and return its result."""
        if not self.done:
            with publish_directory(self.directory) as temporary:
                result = self.function(temporary, *self.arguments)
                (temporary / DONE).write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")
        return self.result()


def run_all(tasks: Sequence[Task], jobs: int = 1, progress: Progress | None = None) -> list[Any]:
    """Run the tasks that have not run, on `jobs` processes (1: in this one), and return every result in the
    order of the tasks.

    Raises:
        MintageError: a task's own, or a worker was killed. Tasks that were done stay done.
    """
    waiting = [task for task in tasks if not task.done]
    done = len(tasks) - len(waiting)
    if jobs == 1 or len(waiting) < 2:
        for number, task in enumerate(waiting, done + 1):
            task.run()
            if progress:
                progress(number, len(tasks))
    else:
        context = multiprocessing.get_context("spawn")
        workers = min(jobs, len(waiting))
        with ProcessPoolExecutor(workers, context, initializer=one_thread) as pool:
            try:
                futures = [pool.submit(Task.run, task) for task in waiting]
                for number, future in enumerate(as_completed(futures), done + 1):
                    future.result()
                    if progress:
                        progress(number, len(tasks))
            except BrokenProcessPool:
                raise MintageError(
                    f"-j {jobs}: a worker was killed, perhaps for want of memory; run the same command again "
                    "with fewer jobs, it goes on where it stopped"
                ) from None
            finally:
                pool.shutdown(cancel_futures=True)
    return [task.result() for task in tasks]


def one_thread() -> None:
    """Make this process, a worker, use one core."""
    os.environ.update(ONE_THREAD)


def link(source: Path, target: Path) -> None:
    """Give a file a second name; where the file system cannot, copy it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
