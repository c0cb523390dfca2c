import dataclasses
import errno
import importlib
import json
import shutil
import signal
import threading
import time

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.model.transformer import Transformer
from mintage.train import checkpoint, loop, room
from mintage.train.checkpoint import damage, newest, prune, steps
from mintage.train.monitor import METRICS, Monitor, read_metrics
from mintage.train.optimizers import build_optimizers, state_tensors
from mintage.train.settings import OptimizerSettings
from mintage.train.signals import Interrupted

from .tiny import CONFIG, SETTINGS, Plan, TinyLoader, run, tiny_model

STEPS = 10  # checkpoints after 5 and 10


@pytest.fixture(autouse=True)
def no_plots(monkeypatch):
    monkeypatch.setattr("mintage.train.plots.draw", lambda *arguments: None)


def weights(path):
    return (path / "model.safetensors").read_bytes()


def test_weights_and_state_come_back_bit_by_bit_without_pickles(tmp_path):
    torch.manual_seed(0)
    model = tiny_model()
    tensors = state_tensors(model, build_optimizers(model, OptimizerSettings("muon")))
    for tensor in tensors.values():
        tensor.normal_()
    moment = checkpoint.snapshot(7, model, tensors, {"tokens": 9})
    path = checkpoint.write(tmp_path, moment)
    written = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert 0.8 * written < moment.bytes < written  # what a full disk is asked for
    assert {file.suffix for file in path.rglob("*") if file.is_file()} == {".json", ".safetensors"}
    other = tiny_model(seed=1)
    other_tensors = state_tensors(other, build_optimizers(other, OptimizerSettings("muon")))
    addresses = {name: tensor.data_ptr() for name, tensor in other_tensors.items()}
    checkpoint.load(path, other, other_tensors)
    assert all(torch.equal(tensors[name], other_tensors[name]) for name in tensors)
    assert addresses == {name: tensor.data_ptr() for name, tensor in other_tensors.items()}
    assert all(map(torch.equal, model.state_dict().values(), other.state_dict().values()))
    state = json.loads((path / "state.json").read_text())
    assert state["step"] == 7 and state["tokens"] == 9 and "model.safetensors" in state["files"]


def test_a_checkpoint_is_a_model_directory(tmp_path):
    result = run(tmp_path, 3)
    opened = huggingface.load(result.checkpoint)
    tokens_BT = torch.arange(12).view(1, 12)
    with torch.no_grad():
        assert opened.logits(opened(tokens_BT)).isfinite().all()


def test_the_newest_whole_checkpoint_is_gone_on_from(tmp_path):
    run(tmp_path, STEPS)
    (tmp_path / "checkpoint-11-mine").mkdir()  # a user's own
    said = []
    path, state = newest(tmp_path, said.append)
    assert (path.name, state["step"], said) == ("checkpoint-10", 10, [])


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"hash": "', '"hash"', "\0" * 600])
def test_a_state_that_is_not_one_is_damaged(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    assert damage(tmp_path) == "state.json is missing or damaged"


@pytest.mark.parametrize("harm", ["flipped byte", "cut file", "missing file", "no state", "edited state"])
def test_a_damaged_checkpoint_is_skipped_with_a_message_and_made_anew(tmp_path, capsys, harm):
    good = run(tmp_path / "uncut", STEPS).checkpoint
    path = run(tmp_path / "run", STEPS).checkpoint
    victim = next((path / "resume").glob("*.safetensors"))
    content = bytearray(victim.read_bytes())
    if harm == "flipped byte":
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    elif harm == "cut file":
        victim.write_bytes(content[:-4])
    elif harm == "missing file":
        victim.unlink()
    elif harm == "no state":
        (path / "state.json").unlink()
    else:
        text = (path / "state.json").read_text()
        (path / "state.json").write_text(text.replace('"step": 10', '"step": 11'))
    assert damage(path) is not None
    result = run(tmp_path / "run", STEPS)
    assert result.resumed_from == 5
    assert "skipped" in capsys.readouterr().out
    assert damage(path) is None and weights(path) == weights(good)


def test_without_a_whole_checkpoint_the_run_begins_anew(tmp_path):
    path = run(tmp_path, 4).checkpoint
    before = weights(path)
    (path / "config.json").write_text("{}")
    assert run(tmp_path, 4).resumed_from is None
    assert weights(path) == before


def test_a_finished_run_is_not_run_again(tmp_path, monkeypatch):
    first = run(tmp_path, 4)
    monkeypatch.setattr(loop, "take_step", None)
    second = run(tmp_path, 4)
    assert second == dataclasses.replace(first, resumed_from=4, seconds=second.seconds)
    assert 0 < first.seconds <= second.seconds  # kept with the checkpoint, a moment after the last row


def test_retention_keeps_the_last_and_every_so_many_and_never_counts_damaged_ones(tmp_path):
    for step in range(10, 100, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
    (tmp_path / "checkpoint-40-mine").mkdir()
    prune(tmp_path, 70, 2, 30)
    assert (tmp_path / "checkpoint-40-mine").is_dir()
    assert sorted(steps(tmp_path)) == [30, 60, 70, 80, 90]
    prune(tmp_path, 90, 1, None)
    assert steps(tmp_path) == [90]


def test_a_kill_while_an_old_one_is_removed_leaves_no_half_of_it(tmp_path, monkeypatch):
    for step in (1, 2):
        (tmp_path / f"checkpoint-{step}").mkdir()

    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        prune(tmp_path, 2, 1, None)
    assert steps(tmp_path) == [2]


def test_no_whole_checkpoint_is_said_to_mean_a_new_beginning(tmp_path):
    for step in (10, 20):
        (tmp_path / f"checkpoint-{step}").mkdir()
    said: list[str] = []
    assert newest(tmp_path, said.append) is None
    assert [line.rsplit("; ", 1)[1] for line in said] == [
        "going back to the checkpoint before it",
        "no other is left: beginning anew",
    ]


def test_leftovers_of_a_dead_writer_are_removed(tmp_path):
    (tmp_path / ".checkpoint-5.999999999.tmp").mkdir()
    assert newest(tmp_path, print) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "place, error",
    [
        (
            "mintage.model.huggingface.save",
            SafetensorError("I/O error: No space left on device (os error 28)"),
        ),
        ("torch.distributed.checkpoint.save", OSError(errno.ENOSPC, "No space left on device")),
    ],
)
def test_a_full_disk_pauses_the_run_and_it_goes_on_when_there_is_room(
    tmp_path, monkeypatch, capsys, place, error
):
    run(tmp_path / "uncut", STEPS)
    calls = fill_the_disk(monkeypatch, place, error, times=(2, 3))
    monkeypatch.setattr(room, "FIRST_WAIT", 0.01)
    free = iter([0, 0])  # what the machine says of the disk at first: less than is needed
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=next(free, usage.free)))
    result = run(tmp_path / "run", STEPS)
    assert len(calls) == 4 and result.checkpoint.name == "checkpoint-10"
    out = capsys.readouterr().out
    assert "checkpoint-10 needs" in out and "MB, and 0 MB are free" in out and "there is room again" in out
    assert weights(result.checkpoint) == weights(tmp_path / "uncut" / "checkpoint-10")
    assert sorted(path.name for path in (tmp_path / "run").glob("*checkpoint*")) == [
        "checkpoint-10",
        "checkpoint-5",
    ]


def fill_the_disk(monkeypatch, place, error, times):
    """Let the calls with these numbers fail with an error; the list of all calls."""
    calls = []

    def replacement(*arguments, **keywords):
        calls.append(1)
        if len(calls) in times:
            raise error
        return original(*arguments, **keywords)

    module, name = place.rsplit(".", 1)
    original = getattr(importlib.import_module(module), name)
    monkeypatch.setattr(place, replacement)
    return calls


FULL = OSError(errno.ENOSPC, "No space left on device")


def test_a_writer_knows_that_it_found_no_room_before_it_is_waited_for(tmp_path, monkeypatch):
    fill_the_disk(monkeypatch, "torch.distributed.checkpoint.save", FULL, times=[1])
    moment = checkpoint.snapshot(1, tiny_model(), {}, {})
    with checkpoint.Writer(tmp_path, 1, None) as writer:
        assert not writer.failed()
        writer.begin(moment)
        until(writer.failed)
        with pytest.raises(MintageError, match="the disk is full"):
            writer.finish()
        assert writer.moment is moment and writer.newest is None
        writer.begin(moment)
        until(lambda: damage(tmp_path / "checkpoint-1") is None)
        assert not writer.failed()
        writer.finish()
        assert writer.moment is None and writer.newest == tmp_path / "checkpoint-1"


def until(condition):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_metrics_that_found_no_room_are_written_later(tmp_path, monkeypatch, capsys):
    class Full:
        """A file whose disk is full at the third row."""

        def __init__(self, file):
            self.file, self.flushes = file, 0

        def flush(self):
            self.flushes += 1
            if self.flushes == 3:
                raise FULL
            self.file.flush()

        def __getattr__(self, name):
            return getattr(self.file, name)

    def opened(self, *arguments):
        original(self, *arguments)
        self._file = Full(self._file)

    original = Monitor.__init__
    monkeypatch.setattr(Monitor, "__init__", opened)
    monkeypatch.setattr(room, "FIRST_WAIT", 0.01)
    settings = dataclasses.replace(SETTINGS, log_every=1, evaluate_every=None)
    loop.train(tiny_model(), TinyLoader(Plan(6)), settings, tmp_path)
    rows = read_metrics(tmp_path / METRICS)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert "metrics.jsonl needs" in capsys.readouterr().out


def test_a_stop_signal_ends_a_run_that_waits_for_room(tmp_path, monkeypatch):
    fill_the_disk(monkeypatch, "torch.distributed.checkpoint.save", FULL, times=range(2, 100))

    def wait_in_vain(self):
        assert not self.checkpoint_is_whole()
        self.stop.ask(signal.SIGTERM)
        return original(self)

    original = room.Room.wait
    calls = iter([original, original, wait_in_vain])  # before each of the checkpoints, and after the last
    monkeypatch.setattr(room.Room, "wait", lambda self: next(calls)(self))
    with pytest.raises(Interrupted, match=r"the disk is full; the last checkpoint: .*checkpoint-5") as caught:
        run(tmp_path, STEPS)
    assert caught.value.exit_code == 143
    assert [path.name for path in tmp_path.glob("*checkpoint*")] == ["checkpoint-5"]


def test_the_run_goes_on_while_a_checkpoint_is_written(tmp_path, monkeypatch):
    run(tmp_path / "uncut", STEPS)
    taken, later = [], threading.Event()

    def count(*arguments, **keywords):
        taken.append(1)
        if len(taken) == 8:
            later.set()
        return step(*arguments, **keywords)

    def slow(run_directory, moment):
        assert moment.step == STEPS or later.wait(30)
        return original(run_directory, moment)

    step, original = loop.take_step, checkpoint.write
    monkeypatch.setattr(loop, "take_step", count)
    monkeypatch.setattr(checkpoint, "write", slow)
    run(tmp_path / "run", STEPS)
    for name in ("checkpoint-5", "checkpoint-10"):
        cut, uncut = tmp_path / "run" / name, tmp_path / "uncut" / name
        assert weights(cut) == weights(uncut) and state_bytes(cut) == state_bytes(uncut)


def state_bytes(path):
    """The state to go on from; bytes, as what was never filled is NaN."""
    tensors = load_file(next((path / "resume").glob("*.safetensors")))
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    run(tmp_path, 4)
    other = Transformer(dataclasses.replace(CONFIG, num_hidden_layers=1))
    with pytest.raises(MintageError, match="holds another model"):
        loop.train(other, TinyLoader(Plan(4)), SETTINGS, tmp_path)


def test_another_plan_or_other_settings_are_refused(tmp_path):
    run(tmp_path, 4)
    with pytest.raises(MintageError, match="another plan"):
        loop.train(tiny_model(), TinyLoader(Plan(4, hash="other")), SETTINGS, tmp_path)
    changed = dataclasses.replace(SETTINGS, z_loss=0.5)
    with pytest.raises(MintageError, match="other settings"):
        run(tmp_path, 4, changed)


def test_what_changes_no_weight_may_change_and_another_thread_count_warns(tmp_path, capsys):
    run(tmp_path, 4)
    threads = torch.get_num_threads()
    try:
        run(tmp_path, 4, dataclasses.replace(SETTINGS, log_every=1, keep_last=5, threads=2))
    finally:
        torch.set_num_threads(threads)
    assert "used 1 processes of 1 CPU threads and goes on with 1 of 2" in capsys.readouterr().out
