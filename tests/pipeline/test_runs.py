"""Runs are listed with the figures of their metrics, and compared by what differs in their settings."""

from __future__ import annotations

import json
import re
import socket
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from mintage.errors import MintageError
from mintage.pipeline import runs
from mintage.train.plots import SOURCE_COLORS
from mintage.workspace import Workspace


def write_run(workspace: Path, name: str, last: int, rate: float, evaluated: bool = True) -> None:
    """A run of 20 steps that came to step `last`."""
    folder = workspace / "runs" / name
    folder.mkdir(parents=True)
    facts = {
        "begun_at": f"2026-11-20T10:00:{last:02d}+00:00",
        "steps": 20,
        "parameters": 921_344,
        "settings": {"optimizer": {"name": "muon", "learning_rate": rate}, "seed": 1},
        "plan": {"phases": [{"context": 64}]},
        "process": {"host": socket.gethostname(), "id": 999_990_000 + last},  # which is no more
        "peak_flops_per_second": 1e9 * last,
    }
    (folder / "run.json").write_text(json.dumps(facts))
    rows: list[dict] = []
    for step in range(1, last + 1):
        rows.append({"step": step, "loss": 4 - rate * step, "tokens": 100 * step, "seconds": step / 2})
        if evaluated and step % 5 == 0:
            rows.append({"step": step, "evaluation": {"bits_per_byte": {"a": 2 / step, "all": 3 / step}}})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    write_run(tmp_path, "fast-1", 20, 0.1)
    write_run(tmp_path, "fast-2", 12, 0.2)
    return Workspace(tmp_path)


def test_figures_are_those_of_the_metrics(workspace: Workspace) -> None:
    done, stopped = runs.listing(workspace, [])["runs"]
    assert (done["state"], done["step"], done["steps"]) == ("done", 20, 20)
    assert done["loss"] == pytest.approx(2.0) and done["bits_per_byte"] == 0.15
    assert (done["tokens"], done["seconds"], done["tokens_per_second"]) == (2000, 10.0, 200.0)
    assert (done["optimizer"], done["parameters"]) == ("muon", 921_344)
    assert (stopped["state"], stopped["step"], stopped["bits_per_byte"]) == ("stopped", 12, 0.3)


def test_a_row_that_a_kill_cut_off_is_left_out(workspace: Workspace) -> None:
    with (workspace.root / "runs" / "fast-2" / "metrics.jsonl").open("a") as rows:
        rows.write('{"step": 13, "loss": 2.')
    assert runs.listing(workspace, ["fast-2"])["runs"][0]["step"] == 12


def test_a_whole_name_comes_before_the_beginnings_of_others(workspace: Workspace, tmp_path: Path) -> None:
    write_run(tmp_path, "fast-10", 20, 0.1)
    assert [run.name for run in runs.find(workspace, ["fast-1"])] == ["fast-1"]


@pytest.mark.parametrize(("seconds", "shown"), [(None, "-"), (59.9, "0:00:59"), (3 * 3600 + 65, "3:01:05")])
def test_durations(seconds: float | None, shown: str) -> None:
    assert runs.clock(seconds) == shown


def test_comparison_says_what_differs_and_draws(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {"settings.optimizer.learning_rate": [0.2, 0.1]}
    assert runs.listing(workspace, ["fast-2", "fast-1"])["differences"] == expected
    runs.show(workspace, ["fast-2", "fast-1"], tmp_path / "runs.png")
    assert (tmp_path / "runs.png").read_bytes().startswith(b"\x89PNG")
    out = capsys.readouterr().out
    assert "settings.optimizer.learning_rate" in out and "settings.seed" not in out
    write_run(tmp_path, "young", 3, 0.1, evaluated=False)
    runs.show(
        workspace, [str(tmp_path / "runs" / "young"), "fast-1"], tmp_path / "other.png"
    )  # by their loss
    assert (tmp_path / "other.png").exists()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_shows_fewer_figures_and_cuts_none(
    tmp_path: Path, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    names = [f"earnings-gpt-10m-pretrain-6d36ffa{number}" for number in range(5)]
    for number, name in enumerate(names):
        write_run(tmp_path, name, 20 - number, (number + 1) / 100)
    runs.show(Workspace(tmp_path), names, tmp_path / "runs.png")
    out = capsys.readouterr().out
    figures, rest = out.split("what differs")
    differing = rest[: rest.index("curves:")]
    shown = [line for line in (figures + differing).splitlines() if "too narrow" not in line]
    assert max(map(len, shown)) <= width and "…" not in out
    assert figures.count("earnings-gpt-10m-") == figures.count("pretrain-") == figures.count("6d36ffa") == 5
    assert "20/20" in figures and "3.800" in figures and "0.150" in figures
    assert ("begun" in figures, "too narrow" in figures) == ((True, False) if width == 120 else (True, True))
    assert ("2026-11-20 10:00" in figures) == (width == 120)
    abreast = {60: 1, 80: 2, 120: 4}[width]
    assert differing.count("settings.optimizer.learning_rate") == -(-len(names) // abreast)
    for rate in ("0.01", "0.02", "0.03", "0.04", "0.05"):
        assert rate in differing


@given(text=st.text("ab-", min_size=1), width=st.integers(1, 12))
def test_folding_breaks_at_hyphens_and_keeps_every_letter(text: str, width: int) -> None:
    lines = runs.folded(text, width, "-").split("\n")
    assert "".join(lines) == text and max(map(len, lines)) <= width
    if all(len(piece) < width for piece in text.split("-")):
        assert all(line.endswith("-") for line in lines[:-1])
        for line, following in pairwise(lines):  # as much on a line as it holds
            assert len(line) + len(re.match("[^-]*-?", following)[0]) > width


@pytest.mark.parametrize("count", [2, 4, 6])
def test_runs_with_the_same_curve_are_all_seen(tmp_path: Path, count: int) -> None:
    for number in range(count):
        write_run(tmp_path, f"run-{number}", 20, 0.1)
    runs.show(Workspace(tmp_path), [f"run-{number}" for number in range(count)], tmp_path / "runs.png")
    picture = imread(tmp_path / "runs.png")[..., :3]
    curves = picture[len(picture) // 4 :]  # without the legend
    for color in SOURCE_COLORS[:count]:
        near = np.abs(curves - np.array(to_rgb(color))).max(-1) < 0.1
        assert near.sum() > 60, color


def test_runs_are_found_by_name_beginning_and_directory(workspace: Workspace) -> None:
    assert [run.name for run in runs.find(workspace, [])] == ["fast-1", "fast-2"]
    assert runs.find(workspace, [str(workspace.root / "runs" / "fast-2")])[0].name == "fast-2"
    with pytest.raises(MintageError, match=r"fast: fits several runs.*fast-1, fast-2"):
        runs.find(workspace, ["fast"])
    with pytest.raises(MintageError, match=r"slow: no such run. There are: fast-1, fast-2"):
        runs.find(workspace, ["slow"])


def test_an_empty_workspace_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs.show(Workspace(tmp_path), [], tmp_path / "runs.png")
    assert "mintage quickstart" in capsys.readouterr().out


def test_counts_are_short_at_every_size() -> None:
    counts = (None, 0, 999, 9_000, 92_149, 999_499, 999_999, 66.7e6, 7e9, 2.1e12)
    assert " ".join(map(runs.short, counts)) == "- 0 999 9K 92.1K 999K 1M 66.7M 7B 2.1T"
