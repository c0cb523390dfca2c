"""A recipe's stages: each made once, made anew when what it depends on changed, with lineage to the source
file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import mintage
from mintage import recipe as recipes
from mintage.errors import MintageError
from mintage.pipeline import evaluation, lineage, proofs, stages, training
from mintage.tokens import tokenizer as tokenizers
from mintage.train import record
from mintage.workspace import Card, Workspace, file_sha256
from tests.conftest import write_tiny_recipe


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny recipe, its data and its workspace after a whole run."""
    folder = tmp_path_factory.mktemp("whole")
    stages.run(recipes.load(write_tiny_recipe(folder)), Workspace(folder / "workspace"))
    return folder


@pytest.fixture
def built(whole_run: Path, tmp_path: Path) -> tuple[Path, Workspace]:
    """A copy of the whole run that a test may change: the recipe and the workspace."""
    shutil.copytree(whole_run, tmp_path, dirs_exist_ok=True)
    return write_tiny_recipe(tmp_path, data=whole_run / "data.jsonl"), Workspace(tmp_path / "workspace")


def made_at(workspace: Workspace) -> dict[str, int]:
    """When each artifact's card was written."""
    return {
        f"{card.kind}/{card.name}": (workspace.path(card.kind, card.name) / "card.json").stat().st_mtime_ns
        for card in workspace.cards()
    }


def test_second_run_makes_nothing_and_a_change_remakes_only_what_follows(
    built: tuple[Path, Workspace],
) -> None:
    path, workspace = built
    before = made_at(workspace)
    stages.run(recipes.load(path), workspace)
    assert made_at(workspace) == before
    stages.run(recipes.load(path, ["pretrain.train.seed=5"]), workspace)
    after = made_at(workspace)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"models/tiny", "reports/tiny"}


def test_how_a_run_is_watched_and_kept_may_change_under_way(built: tuple[Path, Workspace]) -> None:
    path, workspace = built
    model = workspace.find("models/tiny")
    run = workspace.path("runs", model.figures["run"])
    shutil.rmtree(run / "checkpoint-12")
    shutil.rmtree(workspace.path("models", "tiny"))
    names = ("log_every=5", "evaluate_every=4", "checkpoint_every=3", "keep_last=3", "keep_every=2")
    loaded = recipes.load(path, [f"pretrain.train.{name}" for name in names])
    again = stages.run(loaded, workspace, until="pretrain")
    assert (again.content_hash, again.figures["run"]) == (model.content_hash, run.name)
    assert sorted(folder.name for folder in run.glob("checkpoint-*")) == [
        "checkpoint-12",
        "checkpoint-6",
        "checkpoint-9",
    ]


def test_a_run_shows_what_the_model_writes_and_a_tracker_changes_no_artifact(
    built: tuple[Path, Workspace],
) -> None:
    path, workspace = built
    before = made_at(workspace)
    stages.run(recipes.load(path, ["pretrain.train.trackers=[tensorboard]"]), workspace)
    assert made_at(workspace) == before
    run = record.read(workspace.path("runs", workspace.find("models/tiny").figures["run"]))
    assert run.state == "done" and run.facts["recipe"] == "tiny"
    samples = [row for row in run.rows if "samples" in row]
    assert [row["step"] for row in samples] == [6, 12]
    engine = mintage.load(workspace.path("models", "tiny"))
    written = engine.generate("The bank", max_tokens=training.SAMPLE_TOKENS)
    assert samples[-1]["samples"] == [{"prompt": "The bank", "text": written}]


def test_changed_source_file_remakes_everything(built: tuple[Path, Workspace]) -> None:
    path, workspace = built
    before = {card.kind: card.content_hash for card in workspace.cards()}
    data = path.parent / "data.jsonl"
    data.write_text(data.read_text().replace("Report 3:", "Report three:"))
    stages.run(recipes.load(path, [f"corpus.sources.0.files.path={data}"]), workspace)
    after = {card.kind: card.content_hash for card in workspace.cards()}
    assert all(after[kind] != before[kind] for kind in before)


def test_lineage_goes_back_to_the_source_file(built: tuple[Path, Workspace]) -> None:
    path, workspace = built
    model = workspace.find("models/tiny")
    tree = evaluation.lineage_of(workspace, model)

    def files(node: dict) -> list[dict]:
        own = [file for source in node["sources"] for file in source["files"]]
        return own + [file for parent in node["parents"] for file in files(parent)]

    assert {file["sha256"] for file in files(tree)} == {file_sha256(path.parent / "data.jsonl")}
    assert model.licence["use"] == "ship"


def test_model_knows_nothing_after_its_cutoff(built: tuple[Path, Workspace]) -> None:
    _, workspace = built
    model = workspace.find("models/tiny")
    assert model.knowledge_cutoff is not None and model.knowledge_cutoff.startswith("2018-12-31")
    shown = list(proofs.quick(workspace, model))
    assert all(proof.holds is not False for proof in shown), shown
    assert any("cutoff" in proof.claim and proof.holds for proof in shown)
    months = json.loads((workspace.path("reports", "tiny") / "results.json").read_text())[
        "bits_per_byte_by_month"
    ]
    assert all(isinstance(value, float) for value in months["reports"].values())


def test_tampered_ledger_and_files_fail_their_proof(built: tuple[Path, Workspace]) -> None:
    _, workspace = built
    model = workspace.find("models/tiny")
    path = workspace.path("models", "tiny") / "ledger.parquet"
    from mintage.evaluate import ledger

    ledger.write(ledger.read(path)[1:], path)
    failed = [proof.claim for proof in proofs.quick(workspace, model) if proof.holds is False]
    assert len(failed) == 2, failed
    with pytest.raises(MintageError, match="does not hold"):
        proofs.verify(workspace, "tiny", replay=False)


def test_killed_and_resumed_replay_ends_in_the_published_bits(built: tuple[Path, Workspace]) -> None:
    _, workspace = built
    proof = proofs.killed_and_resumed(workspace, workspace.find("models/tiny"))
    assert proof.holds, proof


def test_served_answer_comes_over_http(built: tuple[Path, Workspace]) -> None:
    _, workspace = built
    proof = proofs.served_answer(workspace, workspace.find("models/tiny"), "Revenue: 1,234")
    assert "served «" in proof.evidence


def test_report_is_self_contained(built: tuple[Path, Workspace]) -> None:
    _, workspace = built
    page = (workspace.path("reports", "tiny") / "report.html").read_text()
    assert "2018-12-31" in page and "data:image/png;base64," in page
    assert 'src="http' not in page and "href=" not in page


def test_show_prints_every_artifact_and_the_source(
    built: tuple[Path, Workspace], capsys: pytest.CaptureFixture
) -> None:
    _, workspace = built
    lineage.print_tree(workspace)
    lineage.print_card(workspace, workspace.find("reports/tiny"))
    printed = capsys.readouterr().out
    for kind in ("corpora", "tokenizers", "shards", "models", "reports"):
        assert f"{kind}/tiny" in printed
    assert "sha256" in printed


def test_cutoff_of_a_card_is_the_latest_behind_it() -> None:
    from mintage.pipeline.artifacts import latest

    assert latest(["2018-01-01", "2019-01-01"]) == "2019-01-01"
    assert latest(["2018-01-01", None]) is None


def test_card_round_trip(built: tuple[Path, Workspace]) -> None:
    _, workspace = built
    for card in workspace.cards():
        assert Card.read(workspace.path(card.kind, card.name)) == card


def test_figures_of_a_text_keep_separators_and_leave_punctuation() -> None:
    text = "In 2018, Acme's revenue was 1,234.5 million (12%), up from 987."
    assert proofs.figures_of(text) == ["2018", "1,234.5", "12", "987"]


def test_tokenizer_that_does_not_match_the_shards_is_refused(built: tuple[Path, Workspace]) -> None:
    path, workspace = built
    settings = tokenizers.TokenizerSettings(vocab_size=280)
    other = tokenizers.train(settings, ["other words, another tokenizer"] * 9)
    other.save(workspace.path("tokenizers", "tiny"))
    with pytest.raises(MintageError, match="tokenizer"):
        stages.run(recipes.load(path, ["pretrain.train.seed=9"]), workspace, until="pretrain")
