import dataclasses
import errno
import importlib
import json

import pytest
import torch
from safetensors import SafetensorError

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.train import checkpoint, loop
from mintage.train.checkpoint import damage, newest, prune, steps
from mintage.train.optimizers import build_optimizers, state_tensors
from mintage.train.settings import OptimizerSettings

from .tiny import SETTINGS, Plan, TinyLoader, run, tiny_model

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
    path = checkpoint.save(tmp_path, 7, model, tensors, {"tokens": 9}, None)
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


def test_retention_keeps_the_last_and_every_so_many_and_never_counts_damaged_ones(tmp_path):
    for step in range(10, 100, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
    prune(tmp_path, 70, 2, 30)
    assert sorted(steps(tmp_path)) == [30, 60, 70, 80, 90]
    prune(tmp_path, 90, 1, None)
    assert steps(tmp_path) == [90]


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
def test_a_full_disk_is_one_clear_error_and_the_last_checkpoint_stays(tmp_path, monkeypatch, place, error):
    run(tmp_path / "uncut", STEPS)
    calls = []

    def fill_the_disk(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 2:
            raise error
        return original(*arguments, **keywords)

    module, name = place.rsplit(".", 1)
    original = getattr(importlib.import_module(module), name)
    monkeypatch.setattr(place, fill_the_disk)
    with pytest.raises(MintageError, match="disk is full"):
        run(tmp_path / "run", STEPS)
    assert [path.name for path in (tmp_path / "run").glob("*checkpoint*")] == ["checkpoint-5"]
    result = run(tmp_path / "run", STEPS)
    assert result.resumed_from == 5
    assert weights(result.checkpoint) == weights(tmp_path / "uncut" / "checkpoint-10")


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
