"""What a run shows and leaves behind: metrics.jsonl, a progress bar or plain lines, and plots."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from mintage.train import plots, record, trackers
from mintage.train.record import METRICS, read_metrics
from mintage.workspace import write_atomic

# Exempt from what a resumed run must reproduce.
TIMING = ("seconds", "tokens_per_second", "share_of_peak", "peak_memory_bytes")
GAP = 2  # columns between figures
SECONDS_BETWEEN_LINES = 2.0
SECONDS_BETWEEN_DRAWINGS = 20.0


class Monitor:
    """Keeps the metrics of a run that stands after `step` of `steps`; rows after `step` are cut away.

    `facts` go into run.json, and the rows to the trackers named.
    """

    def __init__(
        self,
        run_directory: Path,
        step: int,
        steps: int,
        show: bool,
        facts: dict[str, Any] | None = None,
        follow: Sequence[str] = (),
    ):
        self.path = run_directory / METRICS
        self.rows = [row for row in read_metrics(self.path) if row["step"] <= step]
        run_directory.mkdir(parents=True, exist_ok=True)
        write_atomic(self.path, "".join(json.dumps(row) + "\n" for row in self.rows))
        self.steps = steps
        self.console = Console(quiet=not show, highlight=False, emoji=False)
        facts = record.begin(run_directory, {"steps": steps} | (facts or {}))
        self.trackers = trackers.start(follow, run_directory, facts, self.rows, self.say)
        self._file = self.path.open("a")
        self._started = (time.monotonic(), step)
        self._last_line = self._last_drawing = float("-inf")
        self._progress: Progress | None = None
        if self.console.is_terminal:
            self._left = TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True))
            self._progress = Progress(
                TextColumn("{task.completed:,}/{task.total:,}"),
                BarColumn(bar_width=None, table_column=Column(max_width=40)),  # what the others leave of it
                TextColumn("{task.fields[figures]}"),
                self._left,
                console=self.console,
                refresh_per_second=2,
                speed_estimate_period=120,
            )
            self._task = self._progress.add_task("train", total=steps, completed=step, figures="")
            self._progress.start()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for tracker in self.trackers:
            tracker.close()
        if self._progress is not None:
            self._progress.stop()
        self._file.close()

    def say(self, text: str) -> None:
        """Print a line, above the progress bar where there is one."""
        self.console.print(text, markup=False, soft_wrap=True)

    def step_done(self, step: int) -> None:
        """Move the progress bar."""
        if self._progress is not None:
            self._progress.update(self._task, completed=step)

    def record(self, row: dict[str, Any]) -> None:
        """Append a row to metrics.jsonl and show its figures."""
        self.rows.append(row)
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        for tracker in self.trackers:
            tracker.wake()
        if row.get("samples"):
            self.say(f"step {row['step']:,} writes: {one_line(trackers.as_text(row['samples'][0]))}")
        if row.get("skipped"):
            spikes = row.get("spikes", 0)
            self.say(
                f"step {row['step']:,}: skipped steps: {row['skipped']} (spikes: {spikes}, "
                f"loss or gradient not finite: {row['skipped'] - spikes})"
            )
        figures = self._figures()
        if self._progress is not None:
            others = f"{self.steps:,}/{self.steps:,} - {self._left.render(self._progress.tasks[0])} "
            while len(others + joined(figures)) > self.console.width and len(figures) > 1:
                figures = figures[:-1]  # the first ones matter most
            self._progress.update(self._task, figures=escape(joined(figures)))
        elif "samples" in row:
            return
        elif "evaluation" in row or row["step"] == self.steps or self._line_is_due():
            self.say(
                f"step {row['step']:,}/{self.steps:,}  {joined(figures)}  {self._time_left(row['step'])}"
            )
            self._last_line = time.monotonic()

    def flush(self) -> None:
        """Write what `record` could not, as the disk was full."""
        self._file.flush()

    def sync(self) -> None:
        """Bring metrics.jsonl to the disk, as a checkpoint of the same step is about to rely on it."""
        os.fsync(self._file.fileno())

    def has_evaluation(self, step: int) -> bool:
        """Whether the evaluation after this step, or its samples, have been recorded."""
        return any(row["step"] == step and ("evaluation" in row or "samples" in row) for row in self.rows)

    def last(self, field: str) -> Any:
        """The newest recorded value of a field, or None."""
        return next((row[field] for row in reversed(self.rows) if field in row), None)

    def draw(self, at_once: bool) -> None:
        """Draw the curves anew, unless they were drawn just now and need not be there `at_once`."""
        if not at_once and time.monotonic() - self._last_drawing < SECONDS_BETWEEN_DRAWINGS:
            return
        self._last_drawing = time.monotonic()
        plots.draw(self.rows, self.path.parent / "plots" / "training.png", self.path.parent.name)

    def _figures(self) -> list[str]:
        parts = []
        if (loss := self.last("loss")) is not None:
            parts.append(f"loss {loss:.3f}")
        if (bits := record.held_out({"evaluation": self.last("evaluation") or {}})) is not None:
            parts.append(f"{bits:.3f} bits/byte")
        if rate := self.last("tokens_per_second"):
            parts.append(f"{rate:,.0f} tokens/s")
        if share := self.last("share_of_peak"):
            parts.append(f"{share:.0%} of peak")
        return parts

    def _line_is_due(self) -> bool:
        return time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES

    def _time_left(self, step: int) -> str:
        started, first = self._started
        seconds = (time.monotonic() - started) / max(1, step - first) * (self.steps - step)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


def joined(figures: list[str]) -> str:
    """Figures on one line."""
    return (GAP * " ").join(figures)


def one_line(text: str, width: int = 100) -> str:
    """The beginning of a text, without its line breaks."""
    joined = " ".join(text.split())
    return joined if len(joined) <= width else joined[: width - 1] + "…"


class Silent:
    """The monitor of a process that shows and records nothing, as another one does."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def step_done(self, step: int) -> None:
        pass

    def record(self, row: dict[str, Any]) -> None:
        pass

    def flush(self) -> None:
        pass

    def sync(self) -> None:
        pass

    def has_evaluation(self, step: int) -> bool:
        return False

    def last(self, field: str) -> Any:
        return None

    def draw(self, at_once: bool) -> None:
        pass
