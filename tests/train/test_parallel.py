"""Any number of processes makes the same steps, and goes on with what another number began."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import signal
from datetime import timedelta
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.profiler import profile

from mintage.model import huggingface
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.train import checkpoint, loop, parallel, room
from mintage.train.checkpoint import steps as checkpoint_steps
from mintage.train.loop import train
from mintage.train.monitor import METRICS, TIMING, read_metrics
from mintage.train.optimizers import orthogonalize_together
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.sharding import held, over_whole_matrices
from mintage.train.signals import Interrupted
from mintage.workspace import file_sha256

from .processes import together
from .tiny import CONFIG, Plan, TinyLoader, tiny_model

STEPS = 20
# Few rows divide among 4 processes: a table of 66 gives 17, 17, 17, 15, queries of 18 give 5, 5, 5, 3, the
# MLP's 19 rows, which 2 do not divide either, 5, 5, 5, 4, and of 6 keys the last process has none.
UNEVEN = dataclasses.replace(CONFIG, vocab_size=66, intermediate_size=19, num_attention_heads=3, head_dim=6)
SETTINGS = TrainSettings(
    OptimizerSettings("muon", learning_rate=0.01),
    log_every=1,
    micro_batch=4,
    z_loss=1e-4,
    checkpoint_every=10,
    evaluate_every=10,
    threads=1,
)


@dataclasses.dataclass(frozen=True)
class Sparse(TinyLoader):
    """The tiny loader (micro-batches of 4 rows, then of 4 longer ones) with rows, a whole share of a process,
    a whole micro-batch and a whole batch without a target."""

    def batch(self, step):
        batch = super().batch(step)
        if step == 3:
            batch.mask_BT[:2] = False
        elif step == 4:
            batch.mask_BT[4:] = False
        elif step == 5:
            batch.mask_BT[:] = False
        return batch


def norm_of(model):
    """A figure of the whole model that needs a forward pass of every process."""
    with torch.no_grad():
        hidden = model(torch.arange(12).view(1, 12))
        return {"bits_per_byte": {"a": float(model.logits(hidden).double().square().mean())}}


def learn(directory, settings, steps=STEPS):
    model = Transformer(UNEVEN)
    initialize(model, 0)
    train(model, Sparse(Plan(steps)), settings, directory, evaluate=norm_of, progress=False)


def losses(directory):
    return np.array([row["loss"] or 0 for row in read_metrics(directory / METRICS) if "loss" in row])


def figures(directory):
    return [row["evaluation"] for row in read_metrics(directory / METRICS) if "evaluation" in row]


@pytest.fixture(scope="module", params=["adamw", "muon"])
def alone(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("alone")
    optimizer = OptimizerSettings(request.param, learning_rate=0.01)
    settings = dataclasses.replace(SETTINGS, optimizer=optimizer)
    assert together(1, learn, directory, settings) == [0]
    return settings, losses(directory), figures(directory)


@pytest.mark.parametrize("world", [2, 4])
def test_processes_make_the_same_steps(tmp_path, alone, world):
    settings, expected, evaluated = alone
    assert together(world, learn, tmp_path, settings) == [0] * world
    assert len(expected) == STEPS
    np.testing.assert_allclose(losses(tmp_path), expected, atol=1e-5, rtol=0)
    for one, other in zip(figures(tmp_path), evaluated):
        assert one["bits_per_byte"]["a"] == pytest.approx(other["bits_per_byte"]["a"], abs=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"activation_checkpointing": True},
        pytest.param({"compile": True}, marks=pytest.mark.slow),
        pytest.param({"activation_checkpointing": True, "compile": True}, marks=pytest.mark.slow),
    ],
    ids=lambda change: " ".join(change),
)
@pytest.mark.parametrize("memory", [None, 0], ids=["whole", "by blocks"])
def test_blocks_that_are_recomputed_or_compiled_make_the_same_steps_on_two(tmp_path, alone, change, memory):
    settings, expected, evaluated = alone
    changed = dataclasses.replace(settings, **change)
    assert together(2, learn_within, tmp_path, changed, memory) == [0, 0]
    exchanged = json.loads((tmp_path / "exchanged.json").read_text())
    assert exchanged == ({"gathered": 10, "reduced": 6} if memory == 0 else {"gathered": 3, "reduced": 3})
    np.testing.assert_allclose(losses(tmp_path), expected, atol=1e-5, rtol=0)
    for one, other in zip(figures(tmp_path), evaluated):
        assert one["bits_per_byte"]["a"] == pytest.approx(other["bits_per_byte"]["a"], abs=1e-4)


def learn_within(directory, settings, memory):
    """Train on devices of so many bytes: of few, weights and gradients are gathered with each micro-batch.
    Note how often that was in the second step, of two micro-batches through two blocks and what is around
    them: for each of the three once a step, or for each micro-batch once a pass; what is around the blocks
    stays gathered from the one pass to the other. Between steps, after evaluations too, nothing is."""

    def count(team, *arguments, **keywords):
        seen.append(1)
        assert all(isinstance(parameter, DTensor) for parameter in team.model.parameters())
        if len(seen) != 2:
            return take_step(team, *arguments, **keywords)
        with profile() as profiled:
            learned = take_step(team, *arguments, **keywords)
        names = [event.name for event in profiled.events()]
        exchanged = {"gathered": names.count("c10d::_allgather_base_")}
        exchanged["reduced"] = names.count("c10d::_reduce_scatter_base_")
        (directory / "exchanged.json").write_text(json.dumps(exchanged))
        return learned

    seen = []
    take_step, loop.take_step = loop.take_step, count
    if memory is not None:
        parallel.memory_of = lambda device: memory
    learn(directory, settings)


def interrupted(directory, settings, call):
    """Train until a stop signal that comes to one process alone, before its n-th step."""
    calls = []

    def count(*arguments, **keywords):
        calls.append(1)
        if len(calls) == call and parallel.current().rank == parallel.current().world - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return take_step(*arguments, **keywords)

    take_step, loop.take_step = loop.take_step, count
    with contextlib.suppress(Interrupted):
        learn(directory, settings)


@pytest.mark.parametrize("then", [1, 4])
def test_a_run_stopped_on_two_goes_on_on_another_number(tmp_path, alone, then):
    settings, expected, evaluated = alone
    assert together(2, interrupted, tmp_path, settings, 7) == [0, 0]
    assert checkpoint_steps(tmp_path) == [7]
    files = sorted(path.name for path in (tmp_path / "checkpoint-7" / "resume").iterdir())
    assert len([name for name in files if name.endswith(".safetensors")]) == 2
    assert together(then, learn, tmp_path, settings) == [0] * then
    assert len(losses(tmp_path)) == STEPS
    np.testing.assert_allclose(losses(tmp_path), expected, atol=1e-5, rtol=0)
    assert figures(tmp_path)[-1]["bits_per_byte"]["a"] == pytest.approx(
        evaluated[-1]["bits_per_byte"]["a"], abs=1e-4
    )


def fill(place, name, call, error):
    """Let the n-th call of a function of a module or class fail."""

    def full(*arguments, **keywords):
        made.append(1)
        if len(made) == call:
            raise error
        return original(*arguments, **keywords)

    made, original = [], getattr(place, name)
    setattr(place, name, full)


def without_room(directory, settings):
    """Train where there is no room for the second checkpoint: at first not for a directory, then not for the
    rows of the last process, then not for the weights."""
    processes = parallel.current()
    for group in (processes.control, processes.writing):  # a disk may be full over a weekend
        assert group._get_backend(torch.device("cpu")).options._timeout > timedelta(days=3)
    no_room = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    fill(checkpoint, "publish_directory", 2, no_room)
    if not processes.first:
        checkpoint.prune = None  # who does not publish removes nothing either
    if processes.rank == processes.world - 1:
        message = "I/O error: No space left on device (os error 28)"
        fill(checkpoint.HuggingFaceStorageWriter, "write_data", 2, SafetensorError(message))
    fill(huggingface, "save", 2, no_room)
    room.FIRST_WAIT = 0.01
    learn(directory, settings)


def test_all_processes_wait_where_one_finds_no_room(tmp_path, alone):
    settings, expected, _ = alone
    assert together(2, without_room, tmp_path, settings) == [0, 0]
    assert sorted(checkpoint_steps(tmp_path)) == [10, 20]
    assert [checkpoint.damage(tmp_path / f"checkpoint-{step}") for step in (10, 20)] == [None, None]
    np.testing.assert_allclose(losses(tmp_path), expected, atol=1e-5, rtol=0)


def broken(directory):
    """Train where the disk of the last process breaks; note what each process ends with."""
    processes = parallel.current()
    if not processes.first:
        error = OSError(errno.EIO, os.strerror(errno.EIO))
        fill(checkpoint.HuggingFaceStorageWriter, "write_data", 1, error)
    try:
        learn(directory, SETTINGS)
    except BaseException as error:
        (directory / f"said-{processes.rank}").write_text(repr(error))


def test_all_processes_end_where_one_cannot_write_and_say_why(tmp_path):
    assert together(2, broken, tmp_path) == [0, 0]
    for rank in range(2):
        assert os.strerror(errno.EIO) in (tmp_path / f"said-{rank}").read_text()
    assert checkpoint_steps(tmp_path) == []


def killed(directory, settings, call):
    """Train until one process dies while it writes its rows of a checkpoint."""
    calls = []

    def count(*arguments, **keywords):
        calls.append(1)
        if len(calls) == call and parallel.current().rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return save(*arguments, **keywords)

    save, checkpoint._write_tensors = checkpoint._write_tensors, count
    with contextlib.suppress(RuntimeError):  # the other process loses its peer
        learn(directory, settings)
    os._exit(0)


def test_processes_are_killed_and_a_damaged_file_of_one_sends_the_run_back(tmp_path):
    settings = dataclasses.replace(SETTINGS, checkpoint_every=4, evaluate_every=None, log_every=1)
    assert together(2, learn, tmp_path / "uncut", settings) == [0, 0]
    directory = tmp_path / "run"
    assert together(2, killed, directory, settings, 3)[1] == -signal.SIGKILL
    assert sorted(checkpoint_steps(directory)) == [4, 8]
    victim = sorted((directory / "checkpoint-8" / "resume").glob("*.safetensors"))[1]
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    assert together(2, learn, directory, settings) == [0, 0]
    assert sorted(checkpoint_steps(directory)) == [16, 20]
    assert outcome(directory) == outcome(tmp_path / "uncut")


def outcome(directory):
    """What must be the same to the last bit: weights, and metrics without their timing."""
    rows = [{k: v for k, v in row.items() if k not in TIMING} for row in read_metrics(directory / METRICS)]
    return file_sha256(directory / f"checkpoint-{STEPS}" / "model.safetensors"), rows


def orthogonalised():
    """Orthogonalise a single matrix, of which each process holds some rows, and all but one have no whole."""
    matrix_RC = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    shared = torch.nn.Parameter(distribute_tensor(matrix_RC, parallel.current().mesh, [Shard(0)]))
    function = partial(orthogonalize_together, iterations=5)
    (rows,) = over_whole_matrices(function, [shared.to_local()], [held(shared)])
    (expected_RC,) = function([matrix_RC])
    assert torch.equal(rows, expected_RC.chunk(2)[parallel.current().rank])


def test_there_may_be_more_processes_than_matrices_of_a_shape():
    assert together(2, orthogonalised) == [0, 0]


def snapshot_counted(directory):
    """Take a snapshot, and note how many gathered parameters and copies of them a process held at a time."""
    kept = []

    def counted(function):
        def note(*arguments, **keywords):
            whole = function(*arguments, **keywords)
            kept.append(StorageWeakRef(whole.untyped_storage()))
            most.append(sum(not one.expired() for one in kept))
            return whole

        return note

    most: list[int] = []
    model = parallel.parallelize(tiny_model(), parallel.current())
    with (
        patch.object(DTensor, "full_tensor", counted(DTensor.full_tensor)),
        patch.object(torch.Tensor, "to", counted(torch.Tensor.to)),
    ):
        checkpoint.snapshot(1, model, {}, {})
    (directory / str(parallel.current().rank)).write_text(f"{max(most)} {len(list(model.parameters()))}")


def test_a_snapshot_keeps_no_gathered_weights_where_nothing_is_written(tmp_path):
    assert together(2, snapshot_counted, tmp_path) == [0, 0]
    most, parameters = map(int, (tmp_path / "1").read_text().split())
    assert most < parameters / 2  # one or two, and what the transport has not let go of yet
