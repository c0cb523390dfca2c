"""The overview's figures are those of the documents and of the tokens, and its picture is drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mintage import recipe as recipes
from mintage.pipeline import overview as module
from mintage.pipeline import stages
from mintage.tokens.shards import Shards
from mintage.workspace import Workspace
from tests.conftest import write_tiny_recipe


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("overview")
    path = write_tiny_recipe(folder)
    rows = [json.loads(line) for line in (folder / "data.jsonl").read_text().splitlines()]
    rows += [
        {"id": "copy", "date": "2019-12-20", "text": rows[0]["text"]},
        {"id": "undated", "text": "When?"},
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    workspace = Workspace(folder / "workspace")
    stages.run(recipes.load(path), workspace, until="shards")
    return workspace


def test_tables_add_up(workspace: Workspace) -> None:
    figures = module.overview(workspace, "tiny")
    (source,) = figures.sources
    index = Shards.open(workspace.path("shards", "tiny")).index().to_pylist()
    assert source["documents"] == len(index) == 62
    assert source["tokens"] == sum(row["length"] for row in index)
    assert (source["undated"], source["duplicates"]) == (1, 1)
    assert (source["first"], source["last"]) == ("2015-01-15", "2019-12-20")
    assert len(figures.months) == 60 and sum(row["documents"] for row in figures.months) == 61
    december = [row for row in index if row["available_at"] and f"{row['available_at']:%Y-%m}" == "2019-12"]
    assert figures.months[-1]["tokens"] == sum(row["length"] for row in december)
    assert figures.licences == [{"source": "reports", "licence": "CC0-1.0", "use": "ship", "documents": 62}]
    years = module.by_year(figures)
    assert [row["year"] for row in years] == ["2015", "2016", "2017", "2018", "2019"]
    undated = sum(row["length"] for row in index if row["available_at"] is None)
    assert sum(row["reports"] for row in years) == source["tokens"] - undated


def test_picture_is_a_png(workspace: Workspace, tmp_path: Path) -> None:
    module.draw(module.overview(workspace, "tiny"), tmp_path / "corpus.png")
    assert (tmp_path / "corpus.png").read_bytes().startswith(b"\x89PNG")
