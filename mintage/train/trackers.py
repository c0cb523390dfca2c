"""TensorBoard and Weights & Biases beside metrics.jsonl, which stays the truth.

Each tracker has a thread that follows the run's rows. It knows how many its place holds, so that a place
which fails is filled up when it is back, and one that a run resumes into is never given a row twice. The run
itself waits for none of them, but for some seconds at its end.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from mintage.errors import MintageError
from mintage.workspace import write_atomic

Row = dict[str, Any]
RETRY_SECONDS = (10.0, 600.0)  # after a failure: at first, and at most, doubling in between
CLOSE_SECONDS = 40.0  # that the end of a run waits for a tracker
SERVER_SECONDS = 12.0  # that Weights & Biases may take to answer, and at the end to take what is left


class Place(Protocol):
    """Where rows go. `held` of them are there already; `note` is for the user to know."""

    held: int
    note: str

    def send(self, row: Row) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


# (run directory, facts of run.json, whether it is the last try) -> the place; raises what it likes
Opener = Callable[[Path, Row, bool], Place]


class Tracker:
    """Follows `rows`, to which the run appends, and sends each to a place once."""

    def __init__(
        self,
        name: str,
        run_directory: Path,
        facts: Row,
        rows: Sequence[Row],
        say: Callable[[str], None],
    ) -> None:
        self.name, self.rows, self.say = name, rows, say
        self.directory, self.facts = run_directory, facts
        self.place: Place | None = None
        self.sent = 0
        self.failing = self.closing = False
        self.pause = RETRY_SECONDS[0]
        self.signal = threading.Event()
        self.thread = threading.Thread(target=self._follow, name=f"mintage-{name}", daemon=True)
        self.thread.start()

    def wake(self) -> None:
        """Say that there are new rows."""
        self.signal.set()

    def close(self) -> None:
        """Send what is left, for CLOSE_SECONDS at most."""
        self.closing = True
        self.signal.set()
        self.thread.join(CLOSE_SECONDS)
        if self.thread.is_alive():
            self.say(f"{self.name}: does not answer and is left behind; {MENDS[self.name](self.directory)}")

    def _follow(self) -> None:
        retry = threading.Event()  # never set: a wait that new rows do not cut short
        while True:
            self.signal.wait()
            closing = self.closing
            self.signal.clear()
            try:
                self._send(closing)
            except Exception as error:  # whatever a tracker raises is its own matter, not the run's
                self._failed(error)
                if not closing:
                    waited = 0.0
                    while waited < self.pause and not self.closing:
                        retry.wait(min(0.5, self.pause))
                        waited += 0.5
                    self.pause = min(2 * self.pause, RETRY_SECONDS[1])
                    self.signal.set()
            if closing:
                return

    def _send(self, closing: bool) -> None:
        if self.place is None:
            self.place = OPENERS[self.name](self.directory, self.facts, closing)
            self.sent = self.place.held
            if self.place.note and not self.failing:
                self.say(f"{self.name}: {self.place.note}")
        while self.sent < len(self.rows):
            self.place.send(self.rows[self.sent])
            self.sent += 1
        self.place.flush()
        if self.failing:
            self.say(f"{self.name}: is back, and has all rows")
            self.failing, self.pause = False, RETRY_SECONDS[0]
        if closing:
            self.place.close()

    def _failed(self, error: Exception) -> None:
        self.place = None
        if not self.failing or self.closing:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            ahead = "" if self.closing else "; the run goes on and tries again later"
            self.say(f"{self.name}: {reason}{ahead}; {MENDS[self.name](self.directory)}")
        self.failing = True


def start(
    names: Sequence[str],
    run_directory: Path,
    facts: Row,
    rows: Sequence[Row],
    say: Callable[[str], None],
) -> list[Tracker]:
    """Begin to track a run.

    Raises:
        MintageError: a tracker's package is not installed.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise MintageError(
                f"train.trackers: {name} is not installed. pip install 'mintage[track]', or leave it out"
            )
    return [Tracker(name, run_directory, facts, rows, say) for name in names]


def scalars(row: Row) -> Iterator[tuple[str, float]]:
    """The figures of a row by their names in a tracker, e.g. `train/loss`, `held_out/bits_per_byte/all`."""
    for name, value in row.items():
        if name != "step" and isinstance(value, int | float):
            yield f"train/{name}", value
    for measure, values in row.get("evaluation", {}).items():
        for source, value in values.items():
            yield f"held_out/{measure}/{source}", value


class TensorBoard:
    """Event files in `tensorboard/`, written anew whenever the run begins or goes on."""

    held, note = 0, ""

    def __init__(self, run_directory: Path, facts: Row, last_try: bool) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder = run_directory / "tensorboard"
        shutil.rmtree(folder, ignore_errors=True)
        # A TensorBoard that is looking at the folder forgets what it read from the files that were there.
        self.writer = SummaryWriter(str(folder), purge_step=0)
        self.begun, self.seconds = datetime.fromisoformat(facts["begun_at"]).timestamp(), 0.0
        self.writer.add_text("run", f"```\n{json.dumps(facts, indent=1)}\n```", 0, walltime=self.begun)

    def send(self, row: Row) -> None:
        """Add a row's figures, at the time of training that they were taken."""
        self.seconds = row.get("seconds", self.seconds)
        moment = self.begun + self.seconds
        for name, value in scalars(row):
            self.writer.add_scalar(name, value, row["step"], walltime=moment)
        for number, sample in enumerate(row.get("samples", ())):
            self.writer.add_text(f"sample/{number}", as_text(sample), row["step"], walltime=moment)

    def flush(self) -> None:
        """Bring the events to their file."""
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        self.writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases, whose id is kept in `wandb.id`; each row is one of its steps.

    Online where WANDB_API_KEY is set and WANDB_MODE does not say otherwise; offline, or with the server away
    to the end, a copy of the whole run lies in `wandb/` for `wandb sync`.
    """

    def __init__(self, run_directory: Path, facts: Row, last_try: bool) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        os.environ.setdefault("WANDB_SILENT", "true")
        import wandb

        online = mode() == "online"
        settings: Row = {
            "console": "off",
            "disable_git": True,
            "disable_code": True,
            "x_disable_stats": True,
            "init_timeout": SERVER_SECONDS,
            "finish_timeout": SERVER_SECONDS,
            "finish_timeout_raises": True,
        }
        offline_copies(run_directory, remove=not online)
        config = {key: value for key, value in facts.items() if key != "process"}
        common: Row = {
            "project": os.environ.get("WANDB_PROJECT", "mintage"),
            "name": run_directory.name,
            "id": kept_id(run_directory / "wandb.id"),
            "dir": str(run_directory),
            "config": config,
            "reinit": "create_new",
        }

        def offline() -> Any:
            return wandb.init(mode="offline", settings=wandb.Settings(**settings), **common)

        try:
            if online:
                self.run = wandb.init(resume="allow", settings=wandb.Settings(**settings), **common)
            else:
                self.run = offline()
        except wandb.errors.CommError:
            wandb.teardown()  # or their process takes the run for one that is under way
            if not last_try:
                raise
            self.run = offline()
        self.note = "" if online else f"offline; {MENDS['wandb'](run_directory)}"
        self.table = wandb.Table
        self.held = self.run.step
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")

    def send(self, row: Row) -> None:
        """Log a row as one step of theirs, so that their count of steps is a count of rows."""
        texts: Row = {}
        if "samples" in row:
            data = [[row["step"], as_text(sample)] for sample in row["samples"]]
            texts["samples"] = self.table(columns=["step", "text"], data=data)
        self.run.log({"step": row["step"], **dict(scalars(row)), **texts})

    def flush(self) -> None:
        """Theirs is a process of its own that sends as it can."""

    def close(self) -> None:
        """End the run; TimeoutError where the server does not take all of it in time."""
        self.run.finish()


def as_text(sample: Any) -> str:
    """A sample as people read it."""
    return f"{sample['prompt']}{sample['text']}" if isinstance(sample, dict) else str(sample)


def mode() -> str:
    """How Weights & Biases is to be used: "online" only with a key in the environment."""
    return os.environ.get("WANDB_MODE", "online" if os.environ.get("WANDB_API_KEY") else "offline")


def kept_id(path: Path) -> str:
    """The id in a file, drawn the first time."""
    if not path.exists():
        write_atomic(path, uuid.uuid4().hex[:12])
    return path.read_text().strip()


def offline_copies(run_directory: Path, remove: bool) -> list[Path]:
    """The copies of the run that wait for `wandb sync`; a new one is whole, so older ones can go."""
    copies = sorted((run_directory / "wandb").glob("offline-run-*"))
    if remove:
        for copy in copies:
            shutil.rmtree(copy, ignore_errors=True)
    return copies


OPENERS: dict[str, Opener] = {"tensorboard": TensorBoard, "wandb": WeightsAndBiases}
MENDS: dict[str, Callable[[Path], str]] = {
    "tensorboard": lambda directory: f"all rows are in {directory / 'metrics.jsonl'}",
    "wandb": lambda directory: f"to send it afterwards: wandb sync {directory / 'wandb' / 'latest-run'}",
}
