"""`--nproc` and `torchrun`: the verbs train on several processes, stop, go on, and say what cannot be."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mintage import recipe as recipes
from mintage.errors import MintageError
from mintage.model.config import ModelConfig
from mintage.pipeline.artifacts import Made, make
from mintage.pipeline.checks import check_model, check_processes, check_recipe, check_shards, place_of
from mintage.pipeline.stages import run
from mintage.tokens.plan import Phase
from mintage.tokens.tokenizer import Tokenizer
from mintage.train.monitor import METRICS, read_metrics
from mintage.train.parallel import Processes
from mintage.train.settings import TrainSettings
from mintage.workspace import Workspace

pytestmark = pytest.mark.timeout(1200)  # each test starts whole commands
PHASES = (Phase(steps=3, context=32, batch=6, mix={"a": 1.0}), Phase(3, 64, 4, {"a": 1.0}))


def mintage(*arguments, launcher=(), **keywords):
    command = [sys.executable, *launcher, "-m", "mintage", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **keywords
    )


def finished(process):
    with process:  # which waits; pytest's own limit of time ends it where that never comes
        out, error = process.communicate()
    return process.returncode, out, error


def losses(workspace):
    (path,) = (workspace / "runs").glob(f"*/{METRICS}")
    return [row["loss"] for row in read_metrics(path) if "loss" in row]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    from tests.conftest import write_tiny_recipe

    folder = tmp_path_factory.mktemp("alone")
    recipe = write_tiny_recipe(folder)
    code, out, error = finished(mintage("pretrain", recipe, "-w", folder / "work"))
    assert code == 0, out + error
    return recipe, folder / "work"


@pytest.mark.slow
def test_processes_of_the_verb_make_the_model_that_one_makes(alone, tmp_path):
    recipe, workspace = alone
    code, out, error = finished(mintage("run", recipe, "-w", tmp_path, "--nproc", 2))
    assert code == 0, out + error
    assert out.count("pretrain ") == out.count("evaluate ") == 1 and "process" not in error
    np.testing.assert_allclose(losses(tmp_path), losses(workspace), atol=1e-5)
    assert (tmp_path / "models" / "tiny" / "model.safetensors").exists()
    code, out, _ = finished(mintage("pretrain", recipe, "-w", tmp_path, "--nproc", 2))
    assert code == 0 and out.count("up to date") == 4


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
@pytest.mark.parametrize("started", ["by torchrun", "by the verb"])
def test_several_processes_stop_and_one_goes_on(alone, tmp_path, started):
    recipe, _ = alone
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    slow = ["--set", "pretrain.plan.phases.0.steps=400", "--set", "pretrain.train.checkpoint_every=50"]
    verb = ("pretrain", recipe, "-w", tmp_path, *slow)
    if started == "by torchrun":
        process = mintage(*verb, launcher=torchrun)
    else:
        process = mintage(*verb, "--nproc", 2)
    while process.poll() is None and not list(tmp_path.glob("runs/*/checkpoint-50")):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    code, _, error = finished(process)
    assert code == (1 if started == "by torchrun" else 143), error
    (stopped,) = [line for line in error.splitlines() if "stopped after step" in line]
    step = int(stopped.split("stopped after step ")[1].split()[0])
    (state,) = tmp_path.glob(f"runs/*/checkpoint-{step}/state.json")
    assert json.loads(state.read_text())["processes"] == 2
    code, out, error = finished(mintage(*verb))
    assert code == 0, error
    assert f"going on after step {step}" in out and "2 processes" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, message",
    [
        (
            "pretrain.plan.phases.0.batch=1",
            "error: pretrain.plan.phases.0.batch: 1 rows for 2 processes; start at most 1",
        ),
        ("pretrain.plan.phases.0.batch=5", "5 rows do not divide among 2 processes; make it a multiple"),
        ("pretrain.plan.phases.0.context=128", "128 tokens is longer than the model's 64 positions"),
    ],
)
def test_what_cannot_be_is_one_error_and_exit_code_2(alone, change, message):
    recipe, workspace = alone
    code, _, error = finished(mintage("pretrain", recipe, "-w", workspace, "--set", change, "--nproc", 2))
    assert code == 2 and message in error
    assert len([line for line in error.splitlines() if "error" in line]) == 1 and "Traceback" not in error


def test_a_mistake_in_the_recipe_is_said_once_and_before_processes_start(tmp_path):
    code, out, error = finished(mintage("pretrain", "nosuch", "-w", tmp_path / "workspace", "--nproc", 2))
    assert (code, out, error.count("no such recipe file")) == (2, "", 1)
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize("micro_batch, processes", [(2, 1), (2, 2), (7, 2)])  # 7: more than a batch has
def test_rows_that_divide_pass(micro_batch, processes):
    check_processes(TrainSettings(micro_batch=micro_batch), PHASES, processes)


@pytest.mark.parametrize(
    "micro_batch, processes, message",
    [
        (
            None,
            3,
            "plan.phases.1.batch: 4 rows do not divide among 3 processes; make it a multiple, e.g. 3 or 6",
        ),
        (None, 5, "plan.phases.0.batch: 6 rows do not divide among 5"),
        (None, 8, "plan.phases.0.batch: 6 rows for 8 processes; start at most 6, or raise it"),
        (1, 2, "train.micro_batch: 1 rows for 2 processes"),
        (3, 2, "train.micro_batch: 3 rows do not divide among 2 processes; make it a multiple, e.g. 2 or 4"),
    ],
)
def test_rows_that_do_not_divide_are_refused(micro_batch, processes, message):
    with pytest.raises(MintageError, match=message):
        check_processes(TrainSettings(micro_batch=micro_batch), PHASES, processes)


def test_what_the_machine_cannot_do_is_said_before_any_data_is_made(tiny_recipe, tmp_path):
    workspace = Workspace(tmp_path / "work")
    for until in ("pretrain", "evaluate"):
        with pytest.raises(
            MintageError, match=r"^pretrain\.train\.float8: .* set pretrain\.train\.float8: false"
        ):
            run(recipes.load(tiny_recipe, ["pretrain.train.float8=true"]), workspace, until)
    assert workspace.cards() == []
    several = Processes(0, 3, torch.device("cpu"))
    loaded = recipes.load(tiny_recipe)
    with pytest.raises(
        MintageError, match=r"^pretrain\.plan\.phases\.0\.batch: 4 rows do not divide among 3"
    ):
        check_recipe(loaded, workspace, "pretrain", several)
    check_recipe(loaded, workspace, "shards", several)
    check_recipe(loaded, workspace, "pretrain", Processes(0, 2, torch.device("cpu")))


def test_every_stage_that_is_to_be_trained_is_looked_at_and_one_that_is_made_is_not(tiny_recipe, tmp_path):
    workspace, cpu = Workspace(tmp_path / "work"), Processes(0, 1, torch.device("cpu"))
    narrow = "{plan: {phases: [{steps: 3, context: 32, batch: 4, mix: {reports: 1}}]}, train: {float8: true}}"
    tuned = recipes.load(tiny_recipe, [f"tune={narrow}"])
    based = recipes.load(tiny_recipe, [f"tune={narrow}", "pretrain.train.float8=true", "tune.train={}"])
    refused = {"pretrain": [based], "tune": [based, tuned], "evaluate": [based, tuned]}
    for until, recipe in itertools.product(refused, (based, tuned)):
        place = rf"^{'pretrain' if recipe is based else 'tune'}\.train\.float8: "
        expected = pytest.raises(MintageError, match=place) if recipe in refused[until] else nullcontext()
        with expected:
            check_recipe(recipe, workspace, until, cpu)
    nothing = Made(None, {"use": "local", "licences": []}, {})
    make(workspace, "models", "tiny-base", settings={}, parents=(), write=lambda directory: nothing)
    check_recipe(based, workspace, "tune", cpu)  # a machine with float8 made it


@pytest.mark.parametrize(
    ("said", "with_the_stage"),
    [
        ("plan.phases.0.batch: 1 rows", "tune.plan.phases.0.batch: 1 rows"),
        ("plan: the text holds 3 tokens", "tune.plan: the text holds 3 tokens"),
        (
            "step 3: out of memory. Try train.micro_batch: 2",
            "step 3: out of memory. Try tune.train.micro_batch: 2",
        ),
        ("runs/a/plan.json: not a plan", "runs/a/plan.json: not a plan"),
    ],
)
def test_places_are_what_one_types_in_the_recipe(said, with_the_stage):
    class Told(MintageError):
        exit_code = 130

    with pytest.raises(Told, match=f"^{re.escape(with_the_stage)}$") as told, place_of("tune"):
        raise Told(said)
    assert told.value.exit_code == 130


def test_shards_and_tokenizer_are_checked_before_the_first_step(alone):
    _, workspace = alone
    shards, tokenizer = workspace / "shards" / "tiny", Tokenizer.load(workspace / "tokenizers" / "tiny")
    check_shards(shards, tokenizer)
    (record,) = shards.parent.glob(".tiny.verified.json")
    before = record.stat().st_mtime_ns
    check_shards(shards, tokenizer)
    assert record.stat().st_mtime_ns == before  # the hashes are not computed again
    with pytest.raises(MintageError, match=r"encoded by tokenizer .* use the tokenizer of these shards"):
        check_shards(shards, SimpleNamespace(hash="0" * 64))
    with pytest.raises(MintageError, match="the tokenizer has 300 tokens and the model places for 64"):
        check_model(ModelConfig(vocab_size=64), tokenizer, PHASES)
    fitting = ModelConfig(vocab_size=300, max_position_embeddings=64)
    check_model(fitting, tokenizer, PHASES)
    with pytest.raises(MintageError, match=r"phases\.1\.context: 64 is longer than the model's 63 positions"):
        check_model(dataclasses.replace(fitting, max_position_embeddings=63), tokenizer, PHASES)
    file = shards / "shard_00000.bin"
    content = file.read_bytes()
    try:
        file.write_bytes(content[:-2])
        with pytest.raises(MintageError, match=r"and the manifest says .* build the shards again"):
            check_shards(shards, tokenizer)
        file.write_bytes(content[:-2] + bytes(255 - byte for byte in content[-2:]))
        for _ in range(2):  # it is not taken for verified the second time
            with pytest.raises(MintageError, match="not those of the manifest"):
                check_shards(shards, tokenizer)
    finally:
        file.write_bytes(content)
