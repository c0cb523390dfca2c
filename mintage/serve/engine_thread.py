"""One thread that does all of the model's work, token by token in turn, behind a bounded queue.

A job is a generator: each `next` is one step, such as one token. Up to `active_limit` jobs take turns, so a
long answer does not hold up a short one; each keeps its own key-value cache, so no answer depends on its
neighbours. The others wait in order of arrival, and work that finds the queue full is refused at once.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Generator, Sequence
from typing import Any, Generic, TypeVar

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Work = Generator[Item, None, None]


class QueueFull(Exception):
    """No room for this work now; `retry_after` is the predicted number of seconds until there is some."""

    def __init__(self, retry_after: int):
        super().__init__(f"the queue is full; try again in {retry_after} s")
        self.retry_after = retry_after


@dataclasses.dataclass(frozen=True)
class End:
    """Marks the end of one job; `error` says why it failed, if it did."""

    error: Exception | None = None


class Ticket(Generic[Item]):
    """The results of jobs that were submitted together, in the order in which they are made."""

    def __init__(self, thread: EngineThread, jobs: int):
        self._thread = thread
        self._loop = asyncio.get_running_loop()
        self._results: asyncio.Queue[tuple[int, Item | End]] = asyncio.Queue()
        self._open = jobs
        self.cancelled = False

    def deliver(self, index: int, result: Item | End) -> None:
        """Called by the engine thread with the next result of job number `index`."""
        try:
            self._loop.call_soon_threadsafe(self._results.put_nowait, (index, result))
        except RuntimeError:  # the event loop has closed: nobody listens any more
            self.cancelled = True

    async def results(self) -> AsyncIterator[tuple[int, Item]]:
        """Yield (number of the job, item) until every job has ended; raise the error of a job that failed."""
        while self._open:
            index, result = await self._results.get()
            if not isinstance(result, End):
                yield index, result
            elif result.error is not None:
                raise result.error
            else:
                self._open -= 1

    def cancel(self) -> None:
        """Give the work up: its turn ends before the engine's next step. Harmless when it has already
        ended."""
        self.cancelled = True
        self._thread.forget(self)


@dataclasses.dataclass(eq=False)
class Job:
    """One job, waiting or active."""

    ticket: Ticket[Any]
    index: int
    work: Work[Any]
    started: float = 0.0


class EngineThread:
    """The thread, its active jobs and its queue. `submit` belongs to the event loop, the rest to any
    thread."""

    def __init__(self, active_limit: int, waiting_limit: int):
        self.active_limit = active_limit
        self.waiting_limit = waiting_limit
        self._active: list[Job] = []
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._seconds_per_job = 1.0
        self._thread = threading.Thread(target=self._run, name="mintage-engine", daemon=True)

    @property
    def capacity(self) -> int:
        """Most jobs that can be active or waiting at once; more can never be admitted together."""
        return self.active_limit + self.waiting_limit

    def load(self) -> tuple[int, int]:
        """Numbers of active and of waiting jobs."""
        with self._changed:
            return len(self._active), len(self._waiting)

    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """Drop all work and end the thread, after the step that it is in."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def submit(self, works: Sequence[Work[Item]]) -> Ticket[Item]:
        """Admit all of these jobs, or none.

        Raises:
            QueueFull: there is no room for them now.
        """
        ticket: Ticket[Item] = Ticket(self, len(works))
        with self._changed:
            if len(self._active) + len(self._waiting) + len(works) > self.capacity:
                raise QueueFull(max(1, math.ceil(self._seconds_per_job * len(works) / self.active_limit)))
            self._waiting.extend(Job(ticket, index, work) for index, work in enumerate(works))
            self._changed.notify()
        return ticket

    def forget(self, ticket: Ticket[Any]) -> None:
        """Take a cancelled ticket's jobs out of the queue; active ones end at their next turn."""
        with self._changed:
            self._waiting = deque(job for job in self._waiting if job.ticket is not ticket)

    def _run(self) -> None:
        while self._admit():
            for job in list(self._active):
                if not self._step(job):
                    with self._changed:
                        self._active.remove(job)
        for job in self._active:
            job.work.close()
            job.ticket.deliver(job.index, End(RuntimeError("the server is stopping")))

    def _admit(self) -> bool:
        """Fill the free places from the queue, waiting for work if there is none; false when the thread shall
        end."""
        with self._changed:
            while not (self._active or self._waiting or self._closing):
                self._changed.wait()
            while self._waiting and len(self._active) < self.active_limit:
                job = self._waiting.popleft()
                job.started = time.monotonic()
                self._active.append(job)
            return not self._closing

    def _step(self, job: Job) -> bool:
        """One turn of a job; false when it has ended."""
        if job.ticket.cancelled:
            job.work.close()
            return False
        try:
            item = next(job.work)
        except StopIteration:
            self._seconds_per_job += 0.2 * (time.monotonic() - job.started - self._seconds_per_job)
            job.ticket.deliver(job.index, End())
            return False
        except Exception as error:
            logger.exception("a request failed in the engine")
            job.ticket.deliver(job.index, End(error))
            return False
        job.ticket.deliver(job.index, item)
        return True
