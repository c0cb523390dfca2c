"""Trackers hold what metrics.jsonl holds: real event files and real offline runs, read back; a place that
fails is filled up when it is back, and never holds a run up."""

from __future__ import annotations

import importlib.util
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mintage.errors import MintageError
from mintage.train import trackers
from mintage.train.monitor import Monitor
from mintage.train.record import METRICS, read, read_metrics
from mintage.train.trackers import scalars

FACTS = {"device": "cpu", "settings": {"seed": 1}}


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} is not installed: pip install 'mintage[track]'")


def rows(first: int, last: int) -> Iterator[dict[str, Any]]:
    for step in range(first, last + 1):
        yield {"step": step, "loss": 8 / step, "tokens": 100 * step, "seconds": float(step)}
        if step % 4 == 0:
            yield {"step": step, "evaluation": {"bits_per_byte": {"all": 3 / step}}}
            yield {"step": step, "samples": [{"prompt": "The", "text": f" bank [{step}]"}]}


def record(directory: Path, first: int, last: int, follow: list[str]) -> None:
    """A run that goes on from the checkpoint before step `first` and reaches `last`."""
    with Monitor(directory, first - 1, 12, False, FACTS, follow) as monitor:
        for row in rows(first, last):
            monitor.record(row)


def until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


@needs("tensorboard")
def test_tensorboard_holds_the_metrics_once_after_a_resume(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record(tmp_path, 1, 10, ["tensorboard"])
    record(tmp_path, 7, 12, ["tensorboard"])  # steps 7 to 10 are taken a second time
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1  # a reader without purging sees none twice
    read_back = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    expected: dict[str, list[tuple[int, float]]] = {}
    for row in read_metrics(tmp_path / METRICS):
        for name, value in scalars(row):
            expected.setdefault(name, []).append((row["step"], value))
    assert set(expected) == {"train/loss", "train/tokens", "train/seconds", "held_out/bits_per_byte/all"}
    assert set(read_back.Tags()["scalars"]) == set(expected)
    for name, points in expected.items():
        found = [(event.step, event.value) for event in read_back.Scalars(name)]
        assert found == [(step, pytest.approx(value)) for step, value in points]
    texts = read_back.Tensors("sample/0/text_summary")
    assert [event.tensor_proto.string_val[0].decode() for event in texts][-1] == "The bank [12]"
    walls = [event.wall_time for event in read_back.Scalars("train/loss")]
    assert [round(wall - walls[0], 3) for wall in walls] == [float(step) for step in range(12)]


@needs("wandb")
@pytest.mark.timeout(600)
def test_weights_and_biases_offline_holds_the_metrics_once_after_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    record(tmp_path, 1, 10, ["wandb"])
    name = (tmp_path / "wandb.id").read_text()
    record(tmp_path, 7, 12, ["wandb"])
    (copy,) = (tmp_path / "wandb").glob("offline-run-*")
    assert copy.name.endswith(name) and (tmp_path / "wandb" / "latest-run").resolve() == copy.resolve()
    expected = [{"step": row["step"], **dict(scalars(row))} for row in read_metrics(tmp_path / METRICS)]
    until(lambda: logged(copy / f"run-{name}.wandb") == expected)  # their process writes a little later
    assert capfd.readouterr().err == ""


def logged(path: Path) -> list[dict[str, float]]:
    """The figures of an offline run's history, as wandb's own reader gives them, as far as they are
    written."""
    from wandb.proto import wandb_internal_pb2
    from wandb.sdk.internal.datastore import DataStore

    store = DataStore()
    store.open_for_scan(str(path))
    history: list[dict[str, float]] = []
    while (data := whole_record(store)) is not None:
        entry = wandb_internal_pb2.Record()
        entry.ParseFromString(data)
        if entry.WhichOneof("record_type") == "history":
            values = {"/".join(item.nested_key): json.loads(item.value_json) for item in entry.history.item}
            history.append({key: values[key] for key in values if key[0] != "_" and "samples" not in key})
    return history


def whole_record(store: Any) -> bytes | None:
    """The next record of wandb's store; None at its end, and where it is written to just now."""
    try:
        data: bytes | None = store.scan_data()
    except AssertionError:
        return None
    return data


@needs("wandb")
@pytest.mark.timeout(600)
def test_a_server_that_is_away_costs_nothing_but_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setattr(trackers, "SERVER_SECONDS", 1.0)
    said: list[str] = []
    kept = list(rows(1, 12))
    tracker = trackers.Tracker(
        "wandb", tmp_path, {"begun_at": "2026-01-01T00:00:00+00:00"}, kept, said.append
    )
    tracker.wake()
    until(lambda: said)
    tracker.close()
    print(said)
    (copy,) = (tmp_path / "wandb").glob("offline-run-*")
    until(lambda: len(logged(next(copy.glob("*.wandb")))) == len(kept))
    assert "tries again" in said[0] and "wandb sync" in said[0] and len(said[0]) < 400
    assert capfd.readouterr().err == ""


class Flaky:
    """A place that fails while `down`, and may be slow."""

    note = ""
    down = True
    received: list[int]
    opened = closed = 0

    def __init__(self, directory: Path, facts: dict[str, Any], last_try: bool) -> None:
        Flaky.opened += 1
        if Flaky.down:
            raise ConnectionError("no route")
        self.held = len(Flaky.received)

    def send(self, row: dict[str, Any]) -> None:
        if Flaky.down:
            raise ConnectionError("no route")
        Flaky.received.append(row["step"])

    def flush(self) -> None:
        pass

    def close(self) -> None:
        Flaky.closed += 1


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch) -> type[Flaky]:
    monkeypatch.setitem(trackers.OPENERS, "tensorboard", Flaky)
    monkeypatch.setattr(trackers, "RETRY_SECONDS", (0.01, 0.01))
    Flaky.down, Flaky.received, Flaky.opened, Flaky.closed = True, [], 0, 0
    return Flaky


def test_a_place_that_comes_back_is_filled_up_and_goes_on(tmp_path: Path, flaky: type[Flaky]) -> None:
    said: list[str] = []
    kept: list[dict[str, Any]] = []
    tracker = trackers.Tracker("tensorboard", tmp_path, {}, kept, said.append)

    def step(number: int) -> None:
        kept.append({"step": number})
        tracker.wake()

    step(1)
    step(2)
    until(lambda: len(said) == 1)
    flaky.down = False
    until(lambda: flaky.received == [1, 2])
    step(3)
    until(lambda: flaky.received == [1, 2, 3])
    flaky.down = True
    step(4)
    until(lambda: len(said) == 3)
    flaky.down = False
    tracker.close()
    assert flaky.received == [1, 2, 3, 4] and flaky.closed == 1
    assert "no route" in said[0] and "metrics.jsonl" in said[0]  # once, with the mend
    assert "is back" in said[1] and "no route" in said[2]


def test_a_place_that_is_long_away_is_still_asked_often(
    tmp_path: Path, flaky: type[Flaky], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "RETRY_SECONDS", (0.01, 0.02))
    said: list[str] = []
    tracker = trackers.Tracker("tensorboard", tmp_path, {}, [{"step": 1}], said.append)
    tracker.wake()
    until(lambda: flaky.opened > 12)  # 0.2 seconds; twice as long each time they were 40
    assert len(said) == 1
    tracker.close()
    assert len(said) == 2 and flaky.received == []


def test_what_a_place_has_to_say_is_said_once(tmp_path: Path, flaky: type[Flaky]) -> None:
    said: list[str] = []
    flaky.down = False
    flaky.note, before = "offline; send it later", flaky.note
    kept: list[dict[str, Any]] = [{"step": 1}]
    tracker = trackers.Tracker("tensorboard", tmp_path, {}, kept, said.append)
    tracker.wake()
    until(lambda: flaky.received == [1])
    kept.append({"step": 2})
    tracker.close()
    flaky.note = before
    assert said == ["tensorboard: offline; send it later"] and flaky.received == [1, 2]


def test_a_place_that_hangs_holds_the_run_up_for_a_moment_only(
    tmp_path: Path, flaky: type[Flaky], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(Flaky, "send", lambda self, row: release.wait(60))
    monkeypatch.setattr(trackers, "CLOSE_SECONDS", 0.05)
    flaky.down = False
    said: list[str] = []
    tracker = trackers.Tracker("tensorboard", tmp_path, {}, [{"step": 1}], said.append)
    tracker.wake()
    patience: list[float] = []
    join = tracker.thread.join
    monkeypatch.setattr(tracker.thread, "join", lambda seconds: (patience.append(seconds), join(seconds)))
    tracker.close()
    assert patience == [0.05] and len(said) == 1 and "left behind" in said[0]
    release.set()


def test_a_missing_package_is_said_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MintageError, match=r"tensorboard is not installed.*mintage\[track\]"):
        trackers.start(["tensorboard"], tmp_path, {}, [], print)


def test_run_json_keeps_the_day_a_run_was_begun(tmp_path: Path) -> None:
    record(tmp_path, 1, 4, [])
    path = tmp_path / "run.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"begun_at": "2020-01-01T00:00:00+00:00"}))
    record(tmp_path, 5, 8, [])
    run = read(tmp_path)
    assert run.facts["begun_at"].startswith("2020") and run.facts["settings"] == {"seed": 1}
    assert (run.step, run.state, run.last("loss")) == (8, "running", 1.0)  # this very process
    record(tmp_path, 9, 12, [])
    assert read(tmp_path).state == "done"
    assert read(tmp_path).curve("bits_per_byte") == [(400, 4.0, 0.75), (800, 8.0, 0.375), (1200, 12.0, 0.25)]
