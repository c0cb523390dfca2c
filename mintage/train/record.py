"""What a run directory says of its run: run.json beside metrics.jsonl."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mintage.workspace import now, process_is_alive, write_atomic

RECORD = "run.json"
METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Run:
    """A run as its directory tells it.

    Attributes:
        facts: run.json: steps, parameters, settings, model, machine; empty for a directory that has none.
        rows: metrics.jsonl.
    """

    directory: Path
    facts: dict[str, Any]
    rows: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.directory.name

    @property
    def step(self) -> int:
        """The last step that left a row."""
        return max((row["step"] for row in self.rows), default=0)

    @property
    def state(self) -> str:
        """`done`, `running` (its process lives on this machine) or `stopped`."""
        if self.step and self.step == self.facts.get("steps"):
            return "done"
        process = self.facts.get("process", {})
        here = process.get("host") == socket.gethostname()
        return "running" if here and process_is_alive(process["id"]) else "stopped"

    def last(self, field: str) -> Any:
        """The newest recorded value of a field, or None."""
        return next((row[field] for row in reversed(self.rows) if row.get(field) is not None), None)

    def curve(self, field: str) -> list[tuple[int, float, float]]:
        """(tokens, seconds, value) along the run: of `loss`, or of `bits_per_byte` over all held-out text."""
        points, tokens, seconds = [], 0, 0.0
        for row in self.rows:
            tokens, seconds = row.get("tokens", tokens), row.get("seconds", seconds)
            value = row.get("loss") if field == "loss" else held_out(row)
            if value is not None:
                points.append((tokens, seconds, value))
        return points


def held_out(row: dict[str, Any]) -> float | None:
    """Bits per byte over all sources, of an evaluation's row: `all` where it is given, else the mean."""
    values = row.get("evaluation", {}).get("bits_per_byte", {})
    if not values:
        return None
    return float(values.get("all", sum(values.values()) / len(values)))


def begin(run_directory: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Write run.json for a run that begins or goes on, and return it; the day it was begun stays."""
    begun = _facts(run_directory).get("begun_at", now())
    process = {"host": socket.gethostname(), "id": os.getpid()}
    facts = {"begun_at": begun, **facts, "process": process}
    write_atomic(run_directory / RECORD, json.dumps(facts, indent=1, default=str) + "\n")
    return facts


def read(run_directory: Path) -> Run:
    """The run of a directory."""
    return Run(run_directory, _facts(run_directory), read_metrics(run_directory / METRICS))


def find(folder: Path) -> Iterator[Run]:
    """Every run below a folder of run directories, in the order of their names."""
    for path in sorted(folder.glob(f"[!.]*/{METRICS}")):
        yield read(path.parent)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics.jsonl; a last line that a kill cut off is left out."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1]]


def _facts(run_directory: Path) -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError):
        facts: dict[str, Any] = json.loads((run_directory / RECORD).read_text())
        return facts
    return {}
