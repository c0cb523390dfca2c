"""The same bytes come out of every way to build, and a build that differs is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from mintage import recipe as recipes
from mintage.errors import MintageError
from mintage.pipeline import pieces, stages
from mintage.pipeline.reproduce import reproduce
from mintage.recipe import Recipe
from mintage.workspace import Workspace, content_of
from tests.conftest import tiny_documents, write_tiny_recipe


def two_sources(folder: Path) -> Recipe:
    """The tiny recipe with its rows in two sources."""
    path = write_tiny_recipe(folder)
    recipe = yaml.safe_load(path.read_text())
    (first,) = recipe["corpus"]["sources"]
    rows = tiny_documents()
    for name, part in (("reports", rows[:40]), ("news", rows[40:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    recipe["corpus"]["sources"] = [
        {"files": {**first["files"], "name": name, "path": str(folder / f"{name}.jsonl")}}
        for name in ("reports", "news")
    ]
    path.write_text(yaml.safe_dump(recipe))
    return recipes.load(path)


def test_one_and_two_processes_and_shuffled_sources_give_the_same_root(tmp_path: Path) -> None:
    recipe, workspace = two_sources(tmp_path), Workspace(tmp_path / "workspace")
    stages.run(recipe, workspace, until="shards")
    lines = list(reproduce(recipe, workspace))
    roots = {line.split("root ")[1] for line in lines[:3]}
    assert len(roots) == 1 and "in the workspace" in lines[2] and "byte for byte" in lines[3]
    assert not list(workspace.root.glob(".reproduce-*")) and not list(workspace.root.glob("tasks/*"))


def test_a_build_that_depends_on_the_workers_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(recipe: Recipe, workspace: Workspace, until: str, jobs: int) -> object:
        return run(recipe, workspace, until=until) if jobs == 1 else run(changed, workspace, until=until)

    recipe, run = two_sources(tmp_path), stages.run
    changed = recipes.load(tmp_path / "tiny.yaml", ["tokenizer.vocab_size=280"])
    monkeypatch.setattr(stages, "run", wrong)
    with pytest.raises(MintageError, match=r"differ in .*tokenizers/tokenizer\.json"):
        list(reproduce(recipe, Workspace(tmp_path / "workspace")))


def test_killed_stage_goes_on_from_its_tasks(tmp_path: Path) -> None:
    recipe, workspace = two_sources(tmp_path), Workspace(tmp_path / "workspace")
    whole = Workspace(tmp_path / "whole")
    stages.run(recipe, whole, until="corpus")
    news, reports = pieces.tasks(recipe, workspace, "corpus")
    news.run()  # and then the command was killed
    made = (news.directory / "done.json").stat().st_mtime_ns
    assert not reports.done
    seen = []
    write = pieces.parts.write_source
    pieces.parts.write_source = lambda *arguments: seen.append(arguments[1].name) or write(*arguments)
    try:
        stages.run(recipe, workspace, until="corpus")
    finally:
        pieces.parts.write_source = write
    assert seen == ["reports"] and made
    assert content_of(workspace.path("corpora", "tiny")) == content_of(whole.path("corpora", "tiny"))
