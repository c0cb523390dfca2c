"""A sweep of real runs, made once, and what it concludes."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from matplotlib.axes import Axes

from mintage import recipe as recipes
from mintage.errors import MintageError
from mintage.model.flops import flops_per_token
from mintage.model.sizes import shape_of
from mintage.pipeline import runs, scaling_plot, sweep, training
from mintage.train import record
from mintage.train.scaling import Law, Point
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


def test_a_sweep_makes_only_the_runs_that_are_missing(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []
    train = training.run_training
    monkeypatch.setattr(training, "run_training", lambda *a: (made.append(a[5]), train(*a))[1])
    recipe = recipes.load(swept / "tiny.yaml", OVERRIDES)
    workspace = Workspace(swept / "workspace")
    sweep.scale(recipe, workspace, SIZES, BUDGETS, None)
    assert made == []
    following = capsys.readouterr().out.splitlines()[-1].split()
    assert following[:3] == ["next:", "mintage", "runs"] and following[-2] == "-w"
    named = [run.name for run in runs.find(workspace, following[3:-2])]
    assert len(named) == len(BUDGETS) and named == following[3:-2]
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


@pytest.mark.parametrize("size", [30_000, 123_456, 1_000_000, 40_000_000])
def test_no_other_shape_of_the_sweep_is_nearer(size: int) -> None:
    all_counts = {sweep.shape_of(round(n), 1024).parameter_count() for n in np.geomspace(1e4, 1e9, 500)}
    distance = {count: abs(np.log(count / size)) for count in all_counts}
    assert distance[sweep.shape_of(size, 1024).parameter_count()] == min(distance.values())


@pytest.mark.parametrize(
    "text, number", [("300k", 300_000), ("2.5M", 2_500_000), (" 1b ", 10**9), ("4096", 4096)]
)
def test_numbers_are_written_as_people_write_them(text: str, number: int) -> None:
    assert sweep.count(text) == number


@pytest.mark.parametrize("text", ["0", "-3k", "1t", "k", "1_000"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(MintageError, match="not a number"):
        sweep.count(text)


def test_a_trial_is_the_recipes_last_phase_at_another_size(swept: Path) -> None:
    first, last = ("steps: 3, context: 16, batch: 2", "steps: 9, context: 640, batch: 4")
    phases = "[" + ", ".join(f"{{{phase}, mix: {{reports: 1}}}}" for phase in (first, last)) + "]"
    changes = [
        f"pretrain.plan.phases={phases}",
        "model.max_position_embeddings=640",
        "pretrain.plan.seed=5",
        "pretrain.train.seed=6",
        "pretrain.train.keep_last=9",
    ]
    recipe = recipes.load(swept / "tiny.yaml", [*OVERRIDES, *changes])
    workspace = Workspace(swept / "workspace")
    parents = tuple(workspace.card(kind, "tiny") for kind in ("tokenizers", "shards"))
    trials = sweep.plan_trials(recipe, ("10M", "40k"), ("1m", "300k"), parents)
    assert [trial.run_name.split("-")[2:4] for trial in trials] == [
        ["40k", "300k"], ["40k", "1m"], ["10M", "300k"], ["10M", "1m"]
    ]  # fmt: skip
    for trial in trials:
        (phase,), settings = trial.stage.plan.phases, trial.stage.train
        assert (phase.context, phase.batch, phase.mix) == (640, 4, {"reports": 1})
        assert trial.tokens == pytest.approx(sweep.count(trial.run_name.split("-")[3]), rel=0.01)
        assert trial.config.max_position_embeddings >= 640
        assert (trial.stage.plan.seed, settings.seed, settings.keep_last) == (5, 6, 1)
        assert settings.checkpoint_every == phase.steps // 5  # a kill loses a fifth at most
    dial = shape_of("10m")
    assert (trials[-1].config.hidden_size, trials[-1].config.num_hidden_layers) == (
        dial.hidden_size,
        dial.num_hidden_layers,
    )


def test_conclusions_are_those_of_a_law_that_is_known() -> None:
    law = Law(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)  # arXiv:2203.15556, equation 10
    random = np.random.default_rng(1)
    points = [
        Point(n, c / 6 / n, c, float(law.loss(n, c / 6 / n) * np.exp(0.001 * random.standard_normal())))
        for c in (1e15, 1e16, 1e17)
        for n in np.geomspace(4e5, 2.5e8, 7)
    ]
    figures, _ = sweep.conclusions(points, 1e19, lambda n: 6 * n)
    g = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))  # equation 4
    exponent = law.beta / (law.alpha + law.beta)
    best = figures["optimum"]
    for value, truth, (low, high) in (
        (best["parameters"], g * (1e19 / 6) ** exponent, best["parameters_interval"]),
        (best["tokens"], (1e19 / 6) ** (1 - exponent) / g, best["tokens_interval"]),
        (figures["parameters_exponent"], exponent, figures["parameters_exponent_interval"]),
    ):
        assert low <= value <= high and low < high and value == pytest.approx(truth, rel=0.3)
    assert best["times_the_largest_run"] == pytest.approx(100)
    assert [at["flops"] for at in figures["iso_flop"]] == [1e15, 1e16, 1e17]
    said = "\n".join(sweep.sentences(figures))
    assert "bound" not in said and f"FLOPs^{figures['parameters_exponent']:.2f}" in said
    figures["law"]["beta"] = 2.5
    assert "beta is at its bound: these runs do not say how loss falls with tokens" in "\n".join(
        sweep.sentences(figures)
    )


@pytest.mark.parametrize("floor", [0.0, 1.69])
def test_an_irreducible_loss_that_was_not_found_is_said_and_drawn(floor: float, tmp_path: Path) -> None:
    law = Law(E=floor, A=406.4, B=410.7, alpha=0.34, beta=0.28)
    points = [
        Point(n, d, 6 * n * d, float(law.loss(n, d)))
        for n in np.geomspace(1e6, 1e8, 3)
        for d in np.geomspace(1e7, 1e9, 3)
    ]
    figures, fit = sweep.conclusions(points, 1e18, lambda n: 6 * n)
    said = "E is 0.000" in "\n".join(sweep.sentences(figures))
    assert (figures["finds_irreducible_loss"], said) == (floor > 0, floor == 0)
    with patch.object(Axes, "text", autospec=True) as drawn:
        scaling_plot.draw(points, fit, lambda n: 6 * n, 1e18, tmp_path / "scale.png")
    notes = [call.args[3] for call in drawn.call_args_list]
    assert any("irreducible" in note for note in notes) == said


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
