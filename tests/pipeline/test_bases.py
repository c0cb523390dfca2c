"""Going on from another model's weights: what is loaded, what its card says, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from mintage import recipe as recipes
from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.pipeline import bases, lineage, proofs, stages
from mintage.pipeline.artifacts import Made, make
from mintage.recipe import Recipe
from mintage.workspace import Workspace, file_sha256
from tests.conftest import write_tiny_recipe
from tests.train.tiny import Plan, TinyLoader

SHAPE = {
    "layout": "llama",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}


@pytest.fixture(scope="module")
def tokenized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny recipe, a workspace as far as the tokenizer, and a Llama of transformers."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("based")
    stages.run(recipes.load(write_tiny_recipe(folder)), Workspace(folder / "workspace"), until="tokenizer")
    torch.manual_seed(0)
    shape = {key: value for key, value in SHAPE.items() if key != "layout"}
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=300, **shape))
    theirs.save_pretrained(folder / "small-llama")
    give_tokenizer(folder)
    return folder


def give_tokenizer(place: Path, name: str = "small-llama") -> None:
    """Lay the workspace's tokenizer beside a base's weights."""
    tokenizer = place / "workspace" / "tokenizers" / "tiny"
    shutil.copytree(tokenizer, place / name, dirs_exist_ok=True, ignore=lambda *_: ["card.json"])


@pytest.fixture
def place(tokenized: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(tokenized, tmp_path, dirs_exist_ok=True)
    return tmp_path


def based(place: Path, as_of: str | None = None, **initialize: str) -> Recipe:
    """The tiny recipe, going on from the small Llama, which has its tokenizer, for 5 steps."""
    path = place / "tiny.yaml"
    record = yaml.safe_load(path.read_text())
    record |= {
        "as_of": as_of,
        "model": SHAPE,
        "initialize": {"base": str(place / "small-llama"), **initialize},
    }
    record["pretrain"]["plan"]["phases"][0]["steps"] = 5
    path.write_text(yaml.safe_dump(record))
    recipe = recipes.load(path)
    stages.run(recipe, Workspace(place / "workspace"), until="tokenizer")
    give_tokenizer(place)
    return recipe


def test_llama_weights_go_on_in_training_and_the_card_names_their_files(place: Path, capsys) -> None:
    workspace = Workspace(place / "workspace")
    card = stages.run(based(place), workspace, until="pretrain")
    stored = huggingface.load(place / "small-llama").state_dict()
    start = huggingface.load(next(workspace.root.glob("runs/*/start"))).state_dict()
    for name, tensor in stored.items():
        assert torch.equal(start[name][: len(tensor)], tensor), name
    assert start["lm_head.weight"].shape == (320, 32)
    mean = stored["lm_head.weight"].mean(0)
    assert torch.allclose(start["lm_head.weight"][300:], mean.expand(20, -1))
    (weights,) = (source for source in card.sources if bases.is_weights(source))
    hashes = {file["file"]: file["sha256"] for file in weights["files"]}
    assert hashes["model.safetensors"] == file_sha256(place / "small-llama" / "model.safetensors")
    assert {"config.json", "tokenizer.json"} < hashes.keys()
    assert card.knowledge_cutoff is None and card.licence["use"] == "local"
    lineage.print_card(workspace, card)
    printed = capsys.readouterr().out
    assert "cutoff unknown" in printed and "model.safetensors" in printed
    shown = list(proofs.quick(workspace, card))
    assert all(proof.holds is not False for proof in shown), shown
    assert any("behind the weights of" in proof.claim for proof in shown)


def test_resumed_run_does_not_begin_with_the_base_again(place: Path, monkeypatch) -> None:
    workspace = Workspace(place / "workspace")
    recipe = based(place)
    first = stages.run(recipe, workspace, until="pretrain")
    shutil.rmtree(workspace.path("models", "tiny"))
    monkeypatch.setattr(bases, "continue_from", None)
    assert stages.run(recipe, workspace, until="pretrain").content_hash == first.content_hash


def test_gpt2_is_cut_to_the_shape_of_the_recipe(place: Path) -> None:
    transformers = pytest.importorskip("transformers")
    shape = transformers.GPT2Config(
        vocab_size=300, n_positions=64, n_embd=48, n_layer=3, n_head=3, bos_token_id=0, eos_token_id=0
    )
    transformers.GPT2LMHeadModel(shape).save_pretrained(place / "small-gpt2")
    recipe = based(place, base=str(place / "small-gpt2"), licence="MIT")
    give_tokenizer(place, "small-gpt2")
    arcee = {**SHAPE, "layout": "arcee", "hidden_act": "gelu_new", "num_key_value_heads": 2}
    path = place / "tiny.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "model": arcee}))
    workspace = Workspace(place / "workspace")
    card = stages.run(recipes.load(path), workspace, until="pretrain")
    assert recipe.initialize and card.settings["initialize"]["calibration_tokens"] == 32_768
    assert huggingface.read_config(workspace.path("models", "tiny")).layout == "arcee"
    assert all(proof.holds is not False for proof in proofs.quick(workspace, card))


def test_downloaded_model_brings_its_licence_and_no_cutoff(place: Path) -> None:
    workspace = Workspace(place / "workspace")
    directory = workspace.path("downloads", "someone--llama")

    def write(target: Path) -> Made:
        shutil.copytree(place / "small-llama", target, dirs_exist_ok=True)
        return Made(None, {"use": "ship", "licences": ["apache-2.0"]}, {})

    settings = {"repository": "someone/llama", "revision": None}
    give_tokenizer(place)
    make(workspace, "downloads", directory.name, settings=settings, parents=(), write=write)
    with pytest.raises(MintageError, match=r"give initialize\.knowledge_cutoff"):
        bases.find(based(place, "2018-12-31", base="someone/llama"), workspace)
    dated = based(place, "2018-12-31", base="someone/llama", knowledge_cutoff="2017-12-01")
    base = bases.find(dated, workspace)
    assert base and base.source and base.source["licence"] == "apache-2.0" and base.card is None
    assert base.knowledge_cutoff == "2017-12-01T23:59:59.999999+00:00"
    assert base.source["use"] == "ship"  # its card's; the recipe would say local
    assert "card.json" not in [file["file"] for file in base.source["files"]]


def test_other_weights_under_the_same_name_make_another_model(place: Path) -> None:
    workspace, recipe = Workspace(place / "workspace"), based(place)
    before = bases.find(recipe, workspace)
    assert before and bases.find(recipe, workspace) == before
    weights = place / "small-llama" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    after = bases.find(recipe, workspace)
    assert after and after.decisive != before.decisive


def test_a_cut_looks_at_the_last_batches_of_the_run() -> None:
    loader = TinyLoader(Plan(10))  # 128 tokens a batch
    base = bases.Base(Path(), "", None, None, None, calibration_tokens=300)
    seen = [batch.tolist() for batch in bases.calibration(base, loader)]
    assert seen == [loader.batch(step).inputs_BT.tolist() for step in (9, 8, 7)]


def test_unknown_cutoff_is_refused_under_as_of_unless_the_recipe_states_it(place: Path) -> None:
    workspace = Workspace(place / "workspace")
    with pytest.raises(MintageError, match=r"give initialize\.knowledge_cutoff"):
        stages.run(based(place, "2018-12-31"), workspace, until="pretrain")
    with pytest.raises(MintageError, match="later than as_of"):
        stages.run(based(place, "2018-12-31", knowledge_cutoff="2019-01-01"), workspace, until="pretrain")
    assert not list(workspace.root.glob("runs/*"))
    stated = based(place, "2018-12-31", knowledge_cutoff="2018-06-30", licence="MIT", use="ship")
    card = stages.run(stated, workspace, until="pretrain")
    assert card.knowledge_cutoff == "2018-12-31T23:59:59.999999+00:00"
    assert card.licence == {"use": "ship", "licences": ["CC0-1.0", "MIT"]}
    assert card.settings["initialize"]["knowledge_cutoff"] == "2018-06-30T23:59:59.999999+00:00"


def test_model_of_the_workspace_is_a_parent_with_its_ledger_and_cutoff(place: Path) -> None:
    workspace = Workspace(place / "workspace")
    first = stages.run(recipes.load(place / "tiny.yaml"), workspace, until="pretrain")
    record = yaml.safe_load((place / "tiny.yaml").read_text())
    record |= {"name": "second", "initialize": {"base": "tiny"}}
    path = place / "second.yaml"
    path.write_text(yaml.safe_dump(record))
    card = stages.run(recipes.load(path), workspace, until="pretrain")
    assert ("models", "tiny", first.content_hash) in [
        (parent.kind, parent.name, parent.content_hash) for parent in card.parents
    ]
    assert card.knowledge_cutoff == first.knowledge_cutoff
    path.write_text(yaml.safe_dump(record | {"as_of": "2017-12-31"}))
    with pytest.raises(MintageError, match="later than as_of"):
        stages.run(recipes.load(path), workspace, until="pretrain")
    path.write_text(yaml.safe_dump(record | {"name": "tiny"}))
    with pytest.raises(MintageError, match="from itself"):
        stages.run(recipes.load(path), workspace, until="pretrain")


def test_other_shape_is_refused_with_its_numbers(place: Path) -> None:
    with pytest.raises(MintageError, match="intermediate_size is 48 in the base and 64 in the recipe"):
        recipe = based(place)
        path = place / "tiny.yaml"
        path.write_text(path.read_text().replace("intermediate_size: 48", "intermediate_size: 64"))
        assert recipe.initialize
        stages.run(recipes.load(path), Workspace(place / "workspace"), until="pretrain")


def test_another_tokenizer_is_refused_and_a_longer_one_is_not(place: Path) -> None:
    base, ours = place / "small-llama", place / "workspace" / "tokenizers" / "tiny"
    bases.require_same_tokens(base, ours)
    specification = json.loads((base / "tokenizer.json").read_text())
    shorter = json.loads(json.dumps(specification))
    last = shorter["model"]["merges"].pop()
    shorter["model"]["vocab"].pop("".join(last))
    shorter["model"]["merges"] = [" ".join(pair) for pair in shorter["model"]["merges"]]  # as older files
    (base / "tokenizer.json").write_text(json.dumps(shorter))
    bases.require_same_tokens(base, ours)
    text = json.dumps(specification).replace("<|end|>", "<|eot_id|>")  # a control token by another name
    (base / "tokenizer.json").write_text(text)
    bases.require_same_tokens(base, ours)
    said = json.loads(json.dumps(specification).replace("<|end|>", "the end"))
    for token in said["added_tokens"]:
        token["special"] = token["content"] != "the end"  # any text may encode to this one
    (base / "tokenizer.json").write_text(json.dumps(said))
    with pytest.raises(MintageError, match="'the end' there and '<|end|>'".replace("|", r"\|")):
        bases.require_same_tokens(base, ours)
    shutil.copytree(base, place / "said")
    (base / "tokenizer.json").write_text(json.dumps(specification))
    with pytest.raises(MintageError, match="'<|end|>' there and 'the end'".replace("|", r"\|")):
        bases.require_same_tokens(base, place / "said")
    swapped = json.loads(json.dumps(specification))
    vocabulary = swapped["model"]["vocab"]
    one, other = "".join(swapped["model"]["merges"][0]), "".join(swapped["model"]["merges"][1])
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    (base / "tokenizer.json").write_text(json.dumps(swapped))
    with pytest.raises(MintageError, match="another tokenizer: id"):
        bases.require_same_tokens(base, ours)
    specification["pre_tokenizer"] = None
    (base / "tokenizer.json").write_text(json.dumps(specification))
    with pytest.raises(MintageError, match="in another way"):
        bases.require_same_tokens(base, ours)
    (base / "tokenizer.json").write_text("{}")
    with pytest.raises(MintageError, match="not a tokenizer"):
        bases.require_same_tokens(base, ours)
    (base / "tokenizer.json").unlink()
    with pytest.raises(MintageError, match="must be beside its weights"):
        bases.require_same_tokens(base, ours)
