"""`mintage corpus` as its user sees it: every verb says what is in a corpus that was written to be asked."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from mintage.cli.main import app
from mintage.workspace import Workspace, file_sha256
from tests.conftest import tiny_documents, write_tiny_recipe

ITEM = "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn in the corresponding period of 2016"
COMPONENTS = [
    {"name": "early", "weight": 60, "until": "2017-01-01"},
    {"name": "late", "weight": 40, "since": "2017-01-01"},
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace whose corpus holds 60 texts, a near copy, a benchmark item and an e-mail
    address."""
    folder = tmp_path_factory.mktemp("verbs")
    rows = tiny_documents()
    late = {"date": "2018-12-01"}
    rows += [
        {"id": "copy", "text": rows[0]["text"].replace("Report", "Account"), **late},
        {"id": "item", "text": f"The press says: {ITEM}. More follows.", **late},
        {"id": "mail", "text": "Write to jane.doe@example.com for the slides.", **late},
    ]
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = write_tiny_recipe(folder, data)
    recipe = yaml.safe_load(path.read_text())
    recipe["corpus"]["refine"] = {"mix": {"components": COMPONENTS}}
    path.write_text(yaml.safe_dump(recipe))
    (folder / "sets" / "phrasebank").mkdir(parents=True)
    (folder / "sets" / "phrasebank" / "Sentences_50.txt").write_text(f"{ITEM}@positive\n")
    assert "62 documents" in said(folder, "build", str(path))
    return folder


def said(folder: Path, *arguments: str) -> str:
    """What a verb prints."""
    place = ["-w", str(folder / "workspace")]
    answer = CliRunner(env={"COLUMNS": "200"}).invoke(
        app, ["corpus", *arguments, *place], catch_exceptions=False
    )
    assert answer.exit_code == 0, answer.output
    return " ".join(answer.output.split())


def test_what_was_public_and_what_became_known(corpus: Path) -> None:
    assert "│ reports │ 24 │" in said(corpus, "as-of", "2016-12-31")
    changes = said(corpus, "as-of", "2016-12-31", "--diff", "2017-01-31")
    assert "│ reports │ 24 │ 25 │ 1 │ 0 │" in changes
    assert "│ reports │ 2017-01-15 23:59:59 UTC │ d24 │" in changes
    assert "nothing became known in between" in said(corpus, "as-of", "2016-12-31", "--diff", "2017-01-01")


def test_what_a_corpus_holds_is_counted_and_drawn(corpus: Path) -> None:
    picture = corpus / "corpus.png"
    shown = said(corpus, "show", "--picture", str(picture))
    assert "CC0-1.0" in shown and "│ 2016 │ 12 │" in shown
    narrow = CliRunner(env={"COLUMNS": "80"}).invoke(
        app, ["corpus", "show", "--picture", str(picture), "-w", str(corpus / "workspace")]
    )
    assert "documents" in narrow.output and "…" not in narrow.output
    text = said(corpus, "sql", "select text from documents where native_id = 'mail'")
    assert text == "Write to jane.doe@example.com for the slides."  # as it stands, without a frame
    assert "urn:x:1" in said(corpus, "sql", "select 'urn:x:1' as a, 1 as b")  # and no emoji
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_a_refinement_would_find_is_shown_and_nothing_changed(corpus: Path) -> None:
    workspace = Workspace(corpus / "workspace")
    card = workspace.card("corpora", "tiny")
    assert card is not None
    assert "│ digit_share │" in said(corpus, "tag")
    assert "│ reports │ 1 │" in said(corpus, "tag", "--keep", "words > 10")
    assert "│ copy │ d0 │" in said(corpus, "dedup")
    found = said(corpus, "decontaminate", str(corpus / "sets"))
    assert "│ phrasebank │ 1 │ 1 │" in found and "sets: [phrasebank]" in found
    assert "│ reports │ email │ 1 │ 0 │" in said(corpus, "scrub")
    directory = workspace.path("corpora", "tiny")
    assert {name: file_sha256(directory / name) for name in card.files} == card.files


def test_a_mix_is_measured_as_of_the_recipes_day(corpus: Path) -> None:
    measured = said(corpus, "mix", str(corpus / "tiny.yaml"))
    # of 39 texts since 2017 those of 2019 are not public by then, and the near copy is out
    assert "│ early │ 24 │" in measured and "│ late │ 26 │" in measured


def test_the_command_that_comes_next_can_be_typed(tmp_path: Path) -> None:
    recipe = str(write_tiny_recipe(tmp_path))
    typed = [recipe, "--set", "as_of=2016-12-31", "-w", str(tmp_path / "a workspace")]
    result = CliRunner().invoke(app, ["tokenizer", *typed])
    assert result.exit_code == 0, result.output
    following = shlex.split(result.output.splitlines()[-1].removeprefix("next: "))
    assert following == ["mintage", "shards", *typed]
    result = CliRunner().invoke(app, following[1:])
    assert result.exit_code == 0, result.output
    assert "up to date" in result.output  # the same corpus and tokenizer
