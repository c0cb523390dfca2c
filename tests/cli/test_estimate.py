"""`mintage estimate`: every recipe that comes with Mintage, without its data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mintage.cli.main import app
from mintage.tokens.tokenizer import TokenizerSettings, train

RECIPES = sorted(path.stem for path in (Path(__file__).parents[2] / "recipes").glob("*.yaml"))


def run(tmp_path: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["estimate", *arguments, "--workspace", str(tmp_path)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_estimated_and_begins_with_the_answer(tmp_path: Path, recipe: str) -> None:
    lines = run(tmp_path, recipe, "--gpus", "1xRTX-4090").splitlines()
    assert lines[0].split(": ")[0].endswith("on 1xRTX-4090") and "fit" in lines[0]
    fits = "does not fit" not in lines[0]
    assert lines[1].startswith("takes " if fits else "would take ") and "tokens/s" in lines[1]
    assert (
        lines[2].startswith("costs " if fits else "would cost ")
        and "to rent" in lines[2]
        and "to buy" in lines[2]
    )


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("tallyformer-51m", "50,304 entries, padded to a multiple of 64 (tokenizer.vocab_size of the recipe"),
        ("elite-112m", "49,152 entries, padded to a multiple of 64 (tokenizer.vocab_size of the recipe"),
        ("earnings-gpt-10m", "384 entries, padded to a multiple of 64 (assumed: control tokens, bytes"),
        ("quickstart", "2,048 entries, padded to a multiple of 64 (tokenizer.vocab_size;"),
    ],
)
def test_the_vocabulary_is_the_recipes_own_or_called_assumed(tmp_path: Path, recipe: str, said: str) -> None:
    assert said in run(tmp_path, recipe, "--gpus", "RTX-4090")


def test_a_base_that_is_here_is_asked_and_one_that_is_not_is_assumed(tmp_path: Path) -> None:
    letters = [chr(number) for number in range(256)]
    base = tmp_path / "base"
    tokenizer = train(TokenizerSettings(vocab_size=300), ["".join(letters) + " the stock market " * 9])
    tokenizer.save(base)
    options = (
        "elite-112m",
        "--gpus",
        "L4",
        "--set",
        "tokenizer.rename={}",
        "--set",
        f"tokenizer.base={base}",
    )
    assert f"({base} with its control tokens)" in run(tmp_path, *options)
    said = run(tmp_path, "elite-112m", "--gpus", "L4", "--set", "tokenizer.vocab_size=32768")
    assert "assumed: HuggingFaceTB/SmolLM2-135M is not here yet" in said


@pytest.mark.parametrize(
    ("gpus", "said"),
    [
        ("16xRTX-4090", "pretrain.train.micro_batch: 8 rows for 16 processes"),
        ("3xRTX-4090", "pretrain.plan.phases.0.batch: 128 rows do not divide among 3 processes"),
        ("8xRTX-4090", None),
    ],
)
def test_rows_that_training_would_refuse_are_told(tmp_path: Path, gpus: str, said: str | None) -> None:
    line = run(tmp_path, "elite-112m", "--gpus", gpus).splitlines()[3]
    assert line.startswith(f"would not begin as it is: {said}; ") if said else not line


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
