"""A run cut off anywhere ends with the bits of one that is not. Runs are real processes, really killed."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import signal
import sys
import time

import pytest
from safetensors.torch import load_file

from mintage.train import loop, plots
from mintage.train.checkpoint import steps as checkpoint_steps
from mintage.train.monitor import METRICS, TIMING, read_metrics
from mintage.train.settings import OptimizerSettings
from mintage.workspace import file_sha256

from .tiny import SETTINGS, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
STEPS = 12


def die_at(name: str, call: int, killer: int) -> None:
    """Send this process a signal when `module:function` is called for the n-th time, before the call."""
    module_name, attribute = name.split(":")
    module = importlib.import_module(module_name)
    original = getattr(module, attribute)
    calls = 0

    def replacement(*arguments, **keywords):
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), killer)
        return original(*arguments, **keywords)

    setattr(module, attribute, replacement)


def child(directory, death=None, settings=SETTINGS, steps=STEPS):
    from mintage.train.loop import Interrupted

    plots.draw = lambda *arguments: None  # takes longer than all the rest, and has its own test
    if death is not None:
        die_at(*death)
    try:
        run(directory, steps, settings)
    except Interrupted as error:
        assert error.checkpoint.is_dir()
        os._exit(error.exit_code)


def start(target, *arguments):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "mintage.train.loop"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def exit_code(*arguments):
    process = start(child, *arguments)
    process.join(280)
    return process.exitcode


def outcome(directory, steps=STEPS):
    """What must not depend on how often a run was cut off: the file of the weights, every tensor of the
    state to resume from, and the metrics without their timing."""
    last = directory / f"checkpoint-{steps}"
    tensors = load_file(next((last / "resume").glob("*.safetensors")))
    digests = {name: hashlib.sha256(tensor.numpy().tobytes()).hexdigest() for name, tensor in tensors.items()}
    rows = [{k: v for k, v in row.items() if k not in TIMING} for row in read_metrics(directory / METRICS)]
    return file_sha256(last / "model.safetensors"), digests, rows


@pytest.fixture(scope="module")
def uncut(tmp_path_factory):
    directory = tmp_path_factory.mktemp("uncut")
    assert exit_code(directory) == 0
    weights, digests, rows = outcome(directory)
    assert {"window", "history", "random_state", "optimizer.model.norm.weight.exp_avg"} <= digests.keys()
    assert [row["step"] for row in rows if "loss" in row] == [3, 6, 9, 12]
    assert [row["step"] for row in rows if "evaluation" in row] == [4, 8, 12]
    return weights, digests, rows


STEP = "mintage.train.loop:take_step"


def test_killed_twice_at_random_steps(tmp_path, uncut):
    first, second = random.randint(1, STEPS), random.randint(1, 6)
    print("killed at call", first, "and then at call", second)
    assert exit_code(tmp_path, (STEP, first, signal.SIGKILL)) == -signal.SIGKILL
    exit_code(tmp_path, (STEP, second, signal.SIGKILL))
    assert exit_code(tmp_path) == 0
    assert outcome(tmp_path) == uncut


def test_killed_at_random_moments(tmp_path, uncut):
    delay, kills = 0.4, 0
    for _ in range(20):
        process = start(child, tmp_path)
        process.join(delay * random.uniform(0.5, 1.5))
        if process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
        elif process.exitcode == 0:
            break
        delay *= 1.2
    if process.exitcode != 0:  # a machine so busy that each was killed
        assert exit_code(tmp_path) == 0
    print("kills", kills)
    assert outcome(tmp_path) == uncut


@pytest.mark.parametrize(
    "death",
    [
        ("mintage.model.huggingface:save", 2),
        ("torch.distributed.checkpoint:save", 2),
        ("mintage.workspace:sync", 12),
        ("mintage.workspace:sync", 26),
        ("mintage.train.checkpoint:prune", 3),
        ("shutil:rmtree", 13),
    ],
    ids=str,
)
def test_killed_while_a_checkpoint_is_written_or_an_old_one_removed(tmp_path, uncut, death):
    assert exit_code(tmp_path, (*death, signal.SIGKILL)) == -signal.SIGKILL
    print(sorted(path.name for path in tmp_path.iterdir()))
    assert exit_code(tmp_path) == 0
    assert outcome(tmp_path) == uncut
    assert sorted(checkpoint_steps(tmp_path)) == [10, 12]
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


@pytest.mark.parametrize("number, code, call", [(signal.SIGINT, 130, 7), (signal.SIGTERM, 143, 8)])
def test_a_stop_signal_finishes_the_step_and_the_run_can_go_on(tmp_path, uncut, number, code, call):
    assert exit_code(tmp_path, (STEP, call, number)) == code
    assert max(checkpoint_steps(tmp_path)) == call
    assert exit_code(tmp_path) == 0
    assert outcome(tmp_path) == uncut


def test_a_stop_signal_during_an_evaluation_ends_the_run_after_it(tmp_path, uncut):
    assert exit_code(tmp_path, ("mintage.train.plots:draw", 1, signal.SIGTERM)) == 143
    assert max(checkpoint_steps(tmp_path)) == 4
    assert exit_code(tmp_path) == 0
    assert outcome(tmp_path) == uncut


def test_a_torn_last_line_of_metrics_does_no_harm(tmp_path, uncut):
    assert exit_code(tmp_path, (STEP, 9, signal.SIGKILL)) == -signal.SIGKILL
    with (tmp_path / METRICS).open("a") as file:
        file.write(json.dumps({"step": 8, "loss": 1.0})[:9])
    assert exit_code(tmp_path) == 0
    assert outcome(tmp_path) == uncut


@pytest.mark.parametrize(
    "name, precision", [("adamw", "float32"), ("adamw", "bfloat16"), ("muon", "bfloat16")]
)
def test_every_optimizer_and_precision_resumes_exactly(tmp_path, name, precision):
    settings = dataclasses.replace(SETTINGS, optimizer=OptimizerSettings(name), precision=precision)
    assert exit_code(tmp_path / "uncut", None, settings) == 0
    death = (STEP, random.randint(6, STEPS), signal.SIGKILL)
    assert exit_code(tmp_path / "cut", death, settings) == -signal.SIGKILL
    assert exit_code(tmp_path / "cut", None, settings) == 0
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "uncut")


def slowly(directory, settings, steps):
    """A run whose steps take so long that twenty kills fit into it, however fast the machine."""

    def wait(*arguments, **keywords):
        time.sleep(0.02)
        return original(*arguments, **keywords)

    original, loop.take_step = loop.take_step, wait
    child(directory, None, settings, steps)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_killed_at_twenty_random_moments_of_one_run(tmp_path):
    """Checkpoints are written all the time, so that many of the kills come in the midst of one."""
    settings = dataclasses.replace(SETTINGS, checkpoint_every=2, log_every=1, precision="bfloat16")
    steps, cut, midst = 180, tmp_path / "cut", 0
    for _ in range(20):
        process = start(slowly, cut, settings, steps)
        reached = max(checkpoint_steps(cut), default=0)
        while process.exitcode is None and max(checkpoint_steps(cut), default=0) <= reached:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.1))
        assert process.exitcode is None
        process.kill()
        process.join()
        midst += any(cut.glob(".checkpoint*"))
    print("20 kills, while a checkpoint was written:", midst, "; last whole one:", max(checkpoint_steps(cut)))
    assert max(checkpoint_steps(cut)) < steps
    for directory in (cut, tmp_path / "uncut"):
        process = start(child, directory, None, settings, steps)
        process.join()
        assert process.exitcode == 0
    assert outcome(cut, steps) == outcome(tmp_path / "uncut", steps)
