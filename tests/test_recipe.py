"""A recipe says exactly what is wrong with it, and means the same however it is written."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from mintage import recipe
from mintage.errors import MintageError
from mintage.model.sizes import shape_of
from tests.conftest import ROOT


def test_unknown_key_names_its_place_and_the_nearest_key(tiny_recipe: Path) -> None:
    with pytest.raises(MintageError) as error:
        recipe.load(tiny_recipe, ["pretrain.train.optimizer.lerning_rate=0.1"])
    assert str(error.value) == (
        "tiny.yaml: pretrain.train.optimizer.lerning_rate: unknown key, did you mean learning_rate?"
    )


def test_unknown_key_inside_a_source_is_found(tiny_recipe: Path) -> None:
    with pytest.raises(
        MintageError, match=r"corpus\.sources\.0\.files\.licens: unknown key, did you mean licence\?"
    ):
        recipe.load(tiny_recipe, ["corpus.sources.0.files.licens=x"])


@pytest.mark.parametrize(
    ("override", "place"),
    [
        ("pretrain.train.optimizer.learning_rate=fast", "pretrain.train.optimizer.learning_rate"),
        ("pretrain.plan.phases.0.steps=many", "pretrain.plan.phases.0.steps"),
        ("tokenizer.kind=wordpiece", "tokenizer.kind"),
        ("model.num_key_value_heads=3", "model"),
        ("as_of=yesterday", "as_of"),
        ("name=Not A Name", "name"),
    ],
)
def test_wrong_value_names_its_place(tiny_recipe: Path, override: str, place: str) -> None:
    with pytest.raises(MintageError, match=place.replace(".", r"\.")):
        recipe.load(tiny_recipe, [override])


def test_a_context_beyond_the_models_positions_is_refused_before_any_work(tiny_recipe: Path) -> None:
    with pytest.raises(
        MintageError, match=r"pretrain\.plan\.phases\.0\.context: .* longer than the model's"
    ) as error:
        recipe.load(tiny_recipe, ["model.max_position_embeddings=8"])
    assert "corpus" not in str(error.value)  # the whole recipe is not repeated
    learned = ["model.layout=gpt2", "model.hidden_act=relu", "model.max_position_embeddings=8"]
    with pytest.raises(MintageError, match="learned positions cannot be extended"):
        recipe.load(tiny_recipe, learned)


def test_a_context_of_tuning_is_looked_at_too(tiny_recipe: Path) -> None:
    stage = "{plan: {phases: [{steps: 3, context: 65, batch: 4, mix: {reports: 1}}]}}"
    with pytest.raises(MintageError, match=r"tune\.plan\.phases\.0\.context: .* longer than the model's"):
        recipe.load(tiny_recipe, [f"tune={stage}"])


def test_a_source_is_of_exactly_one_kind(tiny_recipe: Path) -> None:
    for override in ("corpus.sources.0.files=null", "corpus.sources.0.sandbox={}"):
        with pytest.raises(MintageError, match="give exactly one of: files, sandbox, "):
            recipe.load(tiny_recipe, [override])


def test_the_permission_and_the_refinement_of_a_recipe_reach_its_corpus(tiny_recipe: Path) -> None:
    corpus = recipe.load(tiny_recipe, ["corpus.use=evaluate", "corpus.refine={}"]).corpus
    assert (corpus.settings().use, corpus.settings().refine) == ("evaluate", corpus.refine)
    assert corpus.refine is not None and corpus.settings().sources == (corpus.sources[0].files,)


def test_every_mistake_is_reported_at_once(tiny_recipe: Path) -> None:
    with pytest.raises(MintageError) as error:
        recipe.load(tiny_recipe, ["tokenizer.vocab=1", "model.layers=2"])
    assert len(str(error.value).splitlines()) == 2


def test_missing_required_key(tiny_recipe: Path) -> None:
    record = yaml.safe_load(tiny_recipe.read_text())
    del record["pretrain"]
    tiny_recipe.write_text(yaml.safe_dump(record))
    with pytest.raises(MintageError, match="pretrain: missing"):
        recipe.load(tiny_recipe)


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "broken.yaml").write_text("a: [1")
    for name, message in (("binary", "not a text file"), ("empty", "mapping"), ("broken", "not YAML")):
        with pytest.raises(MintageError, match=message):
            recipe.load(tmp_path / f"{name}.yaml")
    with pytest.raises(MintageError, match="no such recipe"):
        recipe.load(tmp_path / "absent.yaml")


def test_overrides_reach_lists_and_are_yaml(tiny_recipe: Path) -> None:
    loaded = recipe.load(tiny_recipe, ["pretrain.plan.phases.0.mix={reports: 2.5}", "pretrain.train.seed=7"])
    assert loaded.pretrain.plan.phases[0].mix == {"reports": 2.5}
    assert loaded.pretrain.train.seed == 7
    with pytest.raises(MintageError, match="no such place"):
        recipe.load(tiny_recipe, ["pretrain.plan.phases.9.steps=1"])
    with pytest.raises(MintageError, match="key=value"):
        recipe.load(tiny_recipe, ["seed"])


def test_settings_are_frozen(tiny_recipe: Path) -> None:
    loaded = recipe.load(tiny_recipe)
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded.pretrain.train.seed = 3


def test_a_day_as_cutoff_means_its_end(tiny_recipe: Path) -> None:
    assert recipe.load(tiny_recipe).cutoff == datetime(2018, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert recipe.load(tiny_recipe, ["as_of='2018-12-31'"]).cutoff == recipe.load(tiny_recipe).cutoff
    naive = recipe.load(tiny_recipe, ["as_of='2018-06-01T12:00:00'"]).cutoff
    assert naive == datetime(2018, 6, 1, 12, tzinfo=UTC)
    moment = recipe.load(tiny_recipe, ["as_of='2018-06-01T12:00:00-04:00'"]).cutoff
    assert moment == datetime(2018, 6, 1, 16, tzinfo=UTC)


def test_environment_is_expanded_with_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEWHERE", "/here")
    monkeypatch.delenv("NOWHERE", raising=False)
    given = {"a": ["${SOMEWHERE}/x", "${NOWHERE:-there}/y", "${SOMEWHERE:-there}", 3]}
    assert recipe.expand_environment(given) == {"a": ["/here/x", "there/y", "/here", 3]}
    with pytest.raises(MintageError, match="NOWHERE"):
        recipe.expand_environment("${NOWHERE}")


def test_a_recipe_takes_the_corpus_of_another_by_name(tiny_recipe: Path) -> None:
    tiny = recipe.load(tiny_recipe)
    other = tiny_recipe.with_name("other.yaml")
    other.write_text(tiny_recipe.read_text().replace("name: tiny", "name: other"))
    record = yaml.safe_load(other.read_text()) | {"corpus": str(tiny_recipe)}
    other.write_text(yaml.safe_dump(record))
    assert recipe.load(other).corpus == tiny.corpus
    assert recipe.load("quickstart", [f"corpus={other}"]).corpus == tiny.corpus
    assert recipe.load(other, ["corpus.use=evaluate"]).corpus.use == "evaluate"
    for wrong, message in (
        (str(other), "each takes the corpus of the next"),
        ("absent", "no such recipe file"),
    ):
        other.write_text(yaml.safe_dump(record | {"corpus": wrong}))
        with pytest.raises(MintageError, match=message):
            recipe.load(other)


def test_a_recipe_says_what_differs_from_the_one_that_it_extends(
    tiny_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_recipe.parent)
    other = tiny_recipe.with_name("other.yaml")
    phase = {"steps": 5, "context": 16, "batch": 2, "mix": {"reports": 1.0}}
    changes = {"name": "other", "model": {"num_hidden_layers": 3}, "pretrain": {"plan": {"phases": [phase]}}}
    other.write_text(yaml.safe_dump({"extends": "tiny.yaml", **changes}))
    theirs, ours = recipe.load(tiny_recipe), recipe.load(other)
    assert ours.model == dataclasses.replace(theirs.model, num_hidden_layers=3)
    assert [(p.steps, p.context) for p in ours.pretrain.plan.phases] == [(5, 16)]  # lists are taken whole
    assert (ours.pretrain.train, ours.corpus, ours.as_of) == (
        theirs.pretrain.train,
        theirs.corpus,
        theirs.as_of,
    )
    tiny_recipe.write_text(yaml.safe_dump({"extends": "other.yaml"}))
    with pytest.raises(MintageError, match="extends itself"):
        recipe.load(other)


def test_a_recipe_whose_own_name_ends_in_a_size_is_found_as_it_is(
    tiny_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_recipe.parent)
    folder = tiny_recipe.parent / "recipes"
    folder.mkdir()
    tiny_recipe.rename(folder / "tiny.yaml")
    (folder / "tiny-10m.yaml").write_text((folder / "tiny.yaml").read_text().replace("tiny", "mine"))
    assert recipe.load("tiny-10m").name == "mine"


def test_one_dial_sets_what_the_recipe_does_not_say(tmp_path: Path) -> None:
    named = recipe.load("mintage-50m")
    assert named == recipe.load("mintage", ["size=50m"])
    assert (named.name, named.model) == ("mintage-50m", dataclasses.replace(shape_of("50m"), vocab_size=0))
    assert named.tokenizer.vocab_size == shape_of("50m").vocab_size
    # What is said holds, in the file and on the command line, phases included.
    ours = recipe.load(
        "mintage-125m", ["tokens=1_000_000", "model.num_hidden_layers=2", "pretrain.plan.phases.0.steps=3"]
    )
    assert (ours.model.hidden_size, ours.model.num_hidden_layers) == (768, 2)
    assert [phase.steps for phase in ours.pretrain.plan.phases] == [3]
    assert ours.pretrain.train.seed == 1
    short = recipe.load("mintage-10m", ["tokens=4_000_000"]).pretrain.plan.phases
    assert sum(p.steps * p.batch * p.context for p in short) == pytest.approx(4e6, rel=0.05)
    for override, message in (("size=2m", "none of 10m, 50m"), ("tokens=many", "not a number of tokens")):
        with pytest.raises(MintageError, match=message):
            recipe.load("mintage", [override])
    with pytest.raises(MintageError, match="tokens goes with size"):
        recipe.load("quickstart", ["tokens=1e6"])
    with pytest.raises(MintageError, match="no such recipe file"):
        recipe.load("absent-50m")


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_valid_and_named_after_their_file(path: Path) -> None:
    loaded = recipe.load(path)
    assert loaded.name.removesuffix(f"-{loaded.size}") == path.stem
    assert loaded.about
    assert recipe.find(path.stem).name == path.name
