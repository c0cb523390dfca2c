"""A sweep of real runs, made once, and what it concludes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mintage import recipe as recipes
from mintage.errors import MintageError
from mintage.model.flops import flops_per_token
from mintage.pipeline import sweep, training
from mintage.train import record
from mintage.workspace import Workspace
from tests.conftest import tiny_documents, write_tiny_recipe

OVERRIDES = ["as_of=2040-12-31", "pretrain.train.log_every=10"]
SIZES, BUDGETS = ("8k", "40k"), ("3k", "6k", "12k")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny recipe and its workspace after a sweep of six runs."""
    folder = tmp_path_factory.mktemp("sweep")
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in tiny_documents(240)))
    recipe = recipes.load(write_tiny_recipe(folder, data), OVERRIDES)
    sweep.scale(recipe, Workspace(folder / "workspace"), SIZES, BUDGETS, None)
    return folder


def test_every_run_is_made_and_counted(swept: Path) -> None:
    result = json.loads((swept / "workspace" / "reports" / "tiny-scale" / "scale.json").read_text())
    rows = result["runs"]
    assert len(rows) == 6 and [row["flops"] for row in rows] == sorted(row["flops"] for row in rows)
    for row in rows:
        run = record.read(swept / "workspace" / "runs" / row["run"])
        assert run.state == "done" and run.facts["parameters"] == row["parameters"]
        tokens, _, bits = run.curve("bits_per_byte")[-1]
        assert (tokens, bits) == (row["tokens"], row["bits_per_byte"])
        config = sweep.shape_of(sweep.count(row["size"]), 300)
        assert row["flops"] == tokens * flops_per_token(config, 32)
        width = run.facts["settings"]["optimizer"]["learning_rate"] / 3e-3
        assert width == pytest.approx((32 / row["width"]) ** 0.5, rel=2e-3)
    assert result["optimum"]["flops"] == 10 * max(row["flops"] for row in rows)
    assert (swept / "workspace" / "reports" / "tiny-scale" / "scale.png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_makes_only_the_runs_that_are_missing(swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    train = training.run_training
    monkeypatch.setattr(training, "run_training", lambda *a: (made.append(a[5]), train(*a))[1])
    recipe = recipes.load(swept / "tiny.yaml", OVERRIDES)
    workspace = Workspace(swept / "workspace")
    sweep.scale(recipe, workspace, SIZES, BUDGETS, None)
    assert made == []
    last = workspace.root / "runs" / next(iter(workspace.root.glob("runs/scale-tiny-8k-3k-*"))).name
    rows = (last / record.METRICS).read_text().splitlines(keepends=True)
    (last / record.METRICS).write_text("".join(rows[:-4]))  # as if it had been cut off at a checkpoint
    sweep.scale(recipe, workspace, SIZES, (*BUDGETS, "9k"), 1e12)
    assert sorted(made) == sorted([last.name, *(p.name for p in workspace.root.glob("runs/*-9k-*"))])
    card = workspace.find("tiny-scale")
    assert card.figures["optimum"]["flops"] == 1e12 and len(card.settings["runs"]) == 8


@pytest.mark.parametrize("size", ["60k", "100k", "1m", "10m", "124m", "1b"])
def test_shapes_have_about_the_parameters_asked_for(size: str) -> None:
    config = sweep.shape_of(sweep.count(size), 1024)
    assert config.parameter_count() == pytest.approx(sweep.count(size), rel=0.25)
    near = [sweep.shape_of(round(sweep.count(size) * factor), 1024) for factor in (0.3, 3)]
    assert near[0].parameter_count() < config.parameter_count() < near[1].parameter_count()


def test_work_per_token_is_that_of_the_shapes_and_goes_on_beyond_them() -> None:
    work = sweep.work_per_token(1024, 256)
    config = sweep.shape_of(1_000_000, 1024)
    exact = flops_per_token(config, 256)
    assert work(np.array([config.parameter_count()]))[0] == pytest.approx(exact, rel=0.02)
    assert work(np.array([1e13]))[0] == pytest.approx(6e13, rel=0.02)


@pytest.mark.parametrize(
    "sizes, budgets, message",
    [
        (("1k",), ("3k",), "the nearest model has 11,920"),
        (("8k", "big"), ("3k",), "big: not a number"),
        (("8k",), ("1k",), "steps of 128 tokens; give at least 2,560"),
        (("8k", "8.1k"), ("3k",), "same run"),
        (("8k",), ("3k",), "at least 6 runs"),
        (("8k", "40k"), ("500k",), "would be read"),
    ],
)
def test_what_cannot_be_swept_is_said(swept: Path, sizes: tuple, budgets: tuple, message: str) -> None:
    recipe = recipes.load(swept / "tiny.yaml", OVERRIDES)
    with pytest.raises(MintageError, match=message):
        sweep.scale(recipe, Workspace(swept / "workspace"), sizes, budgets, None)
