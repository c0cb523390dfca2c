"""`mintage estimate`: every recipe that comes with Mintage, without its data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mintage.cli.main import app

RECIPES = sorted(path.stem for path in (Path(__file__).parents[2] / "recipes").glob("*.yaml"))


def run(tmp_path: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["estimate", *arguments, "--workspace", str(tmp_path)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_estimated_and_begins_with_the_answer(tmp_path: Path, recipe: str) -> None:
    lines = run(tmp_path, recipe, "--gpus", "1xRTX-4090").splitlines()
    assert lines[0].split(": ")[0].endswith("on 1xRTX-4090") and "fit" in lines[0]
    assert lines[1].startswith("takes ") and "tokens/s" in lines[1]
    assert lines[2].startswith("costs ") and "to rent" in lines[2] and "to buy" in lines[2]


def test_this_machine(tmp_path: Path) -> None:
    output = run(tmp_path, "quickstart")
    assert "quickstart on this machine: fits" in output or "quickstart on 1x" in output
    assert "Assumptions" in output


def test_json_holds_what_the_tables_show(tmp_path: Path) -> None:
    output = run(
        tmp_path, "quickstart", "--gpus", "L4", "--tokens", "1e9", "--dollars-per-hour", "3", "--json"
    )
    record = json.loads(output)
    pretrain = record["stages"]["pretrain"]
    assert record["fits"] and pretrain["tokens"] == 10**9
    parts = {key: value for key, value in pretrain["memory"].items() if key != "tensors"}
    assert sum(parts.values()) == pretrain["memory"]["tensors"]
    assert pretrain["rent"] == pytest.approx(3 * pretrain["seconds"] / 3600)
    assert any("$3.00 a device and hour, as given" in line for line in record["assumptions"])
