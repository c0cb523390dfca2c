"""Models by their names: what is fetched, checked, kept and refused, against a server of the hub's API."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import mintage
from mintage.corpus.collect import transport
from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.model.config import ModelConfig
from mintage.model.transformer import Transformer
from mintage.pipeline.artifacts import Made, make
from mintage.pipeline.download import Listed, download, is_right, licence_of
from mintage.pipeline.hub import resolve
from mintage.pipeline.models import model_directory
from mintage.tokens.tokenizer import TokenizerSettings, train
from mintage.workspace import Workspace
from tests.pipeline.hub_server import COMMIT, Hub, running

SECRET = "hf_secretsecretsecret"


@pytest.fixture(scope="module")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A whole small model as a hub would hold it, beside files that nobody should fetch."""
    folder = tmp_path_factory.mktemp("made")
    tokenizer = train(TokenizerSettings(vocab_size=300), ["Revenue rose in the third quarter. " * 20])
    tokenizer.save(folder)
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    huggingface.save(Transformer(config), folder, folder)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return files | {
        "README.md": b"---\nlicense: apache-2.0\n---\n",
        "pytorch_model.bin": b"pickle" * 1000,
        "modeling_own.py": b"raise SystemExit",
        "onnx/model.safetensors": b"other" * 1000,
        ".gitattributes": b"*.safetensors filter=lfs",
    }


@pytest.fixture
def hub(model_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub(dict(model_files))
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.0)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with running(hub) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield hub


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def everything_in(workspace: Workspace) -> list[str]:
    return [
        path.relative_to(workspace.root).as_posix() for path in workspace.root.rglob("*") if path.is_file()
    ]


def test_a_model_comes_with_its_hashes_and_opens_by_its_name(hub: Hub, workspace: Workspace) -> None:
    card = download("owner/name", workspace)
    unwanted = {"pytorch_model.bin", "modeling_own.py", "onnx/model.safetensors", ".gitattributes"}
    assert card.files == {
        name: hashlib.sha256(body).hexdigest() for name, body in hub.files.items() if name not in unwanted
    }
    assert card.settings["commit"] == COMMIT
    assert card.knowledge_cutoff is None
    assert card.licence == {"use": "ship", "licences": ["apache-2.0"]}
    assert {name for _, name, _, _ in hub.asked} & unwanted == set()
    directory = model_directory(workspace, "owner/name")
    assert directory == resolve("owner/name", workspace)
    assert mintage.load(directory).generate("Revenue", max_tokens=4)
    assert sorted(everything_in(workspace)) == sorted(
        f"downloads/owner--name/{name}" for name in [*card.files, "card.json"]
    )


def test_what_is_there_is_not_fetched_again_and_what_was_altered_is(hub: Hub, workspace: Workspace) -> None:
    first = download("owner/name", workspace)
    hub.asked.clear()
    assert download("owner/name", workspace) == first
    assert hub.asked == []
    weights = resolve("owner/name", workspace) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert download("owner/name", workspace).files == first.files
    assert {name for _, name, _, _ in hub.asked} == {"model.safetensors"}
    assert weights.read_bytes() == hub.files["model.safetensors"]


def test_the_token_goes_to_the_hub_alone_and_stands_nowhere(
    hub: Hub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.token = SECRET
    monkeypatch.setenv("HF_TOKEN", SECRET)
    download("owner/name", workspace)
    assert {(host, bearer) for host, _, _, bearer in hub.asked} == {
        ("hub", f"Bearer {SECRET}"),
        ("store", None),
    }
    assert all(
        SECRET.encode() not in (workspace.root / path).read_bytes() for path in everything_in(workspace)
    )
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("token", "said"), [(None, "set the environment's HF_TOKEN"), ("hf_other", "has not been let in")]
)
def test_a_gated_model_says_what_to_do(
    hub: Hub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, token: str | None, said: str
) -> None:
    hub.token = SECRET
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(MintageError, match=f"accept its terms at http.*/owner/name; .*{said}"):
        download("owner/name", workspace)
    assert everything_in(workspace) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("owner/other", "no such model"),
        ("owner/name@v9", "no revision v9"),
        ("name", "owner/name@revision"),
        ("owner/../name", "owner/name@revision"),
    ],
)
def test_a_name_that_is_not_there_is_said_to_be_so(
    hub: Hub, workspace: Workspace, name: str, said: str
) -> None:
    with pytest.raises(MintageError, match=said):
        download(name, workspace)
    assert not workspace.root.exists() or everything_in(workspace) == []


def test_a_broken_connection_is_taken_up_where_it_broke(hub: Hub, workspace: Workspace) -> None:
    hub.cut_after["model.safetensors"] = [5_000, 7_000]
    download("owner/name", workspace)
    ranges = [asked for host, name, asked, _ in hub.asked if (host, name) == ("store", "model.safetensors")]
    assert ranges == [None, "bytes=5000-", "bytes=12000-"]


def test_a_later_command_goes_on_where_an_earlier_one_gave_up(hub: Hub, workspace: Workspace) -> None:
    hub.cut_after["model.safetensors"] = [5_000] + [0] * (transport.ATTEMPTS - 1)
    with pytest.raises(MintageError, match="run the same command again, it goes on where it stopped"):
        download("owner/name", workspace)
    assert workspace.cards() == []
    with pytest.raises(MintageError, match="mintage download owner/name"):
        resolve("owner/name", workspace)
    before = {name for host, name, _, _ in hub.asked if name != "model.safetensors"}
    hub.asked.clear()
    download("owner/name", workspace)
    assert hub.asked[0][2] == "bytes=5000-"
    assert before & {name for _, name, _, _ in hub.asked} == set()
    assert (resolve("owner/name", workspace) / "model.safetensors").read_bytes() == hub.files[
        "model.safetensors"
    ]


def test_a_later_command_takes_nothing_of_another_commit(hub: Hub, workspace: Workspace) -> None:
    hub.cut_after["model.safetensors"] = [5_000] + [0] * (transport.ATTEMPTS - 1)
    with pytest.raises(MintageError, match="run the same command again"):
        download("owner/name", workspace)
    hub.commit = COMMIT[::-1]
    hub.files["model.safetensors"] = hub.files["model.safetensors"][::-1]
    hub.asked.clear()
    card = download("owner/name", workspace)
    assert card.settings["commit"] == hub.commit
    asked = {name: asked for host, name, asked, _ in hub.asked if host == "store"}
    assert asked["model.safetensors"] is None  # from its beginning
    assert {path.split("/")[1] for path in everything_in(workspace)} == {"owner--name"}


@pytest.mark.parametrize(
    ("listed", "right"),
    [
        (Listed("x", 3, None, None), True),
        (Listed("x", 4, None, None), False),
        (Listed("x", 3, hashlib.sha256(b"abc").hexdigest(), None), True),
        (Listed("x", 3, hashlib.sha256(b"abd").hexdigest(), hashlib.sha1(b"blob 3\0abc").hexdigest()), False),
        (Listed("x", 3, None, hashlib.sha1(b"blob 3\0abc").hexdigest()), True),
        (Listed("x", 3, None, hashlib.sha1(b"abc").hexdigest()), False),
    ],
)
def test_a_file_is_right_by_its_size_and_by_the_best_hash_that_is_listed(
    tmp_path: Path, listed: Listed, right: bool
) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert is_right(tmp_path / "x", listed) == right


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_bytes_that_the_hub_does_not_list_are_thrown_away(hub: Hub, workspace: Workspace, name: str) -> None:
    hub.altered[name] = hub.files[name][:-1] + b"!"
    with pytest.raises(MintageError, match="not what the hub lists"):
        download("owner/name", workspace)
    assert workspace.cards() == []
    hub.altered.clear()
    download("owner/name", workspace)
    assert (resolve("owner/name", workspace) / name).read_bytes() == hub.files[name]


def test_pickles_are_refused_with_a_mend(hub: Hub, workspace: Workspace) -> None:
    del hub.files["model.safetensors"]
    with pytest.raises(MintageError, match=r"no model\.safetensors, only pytorch_model\.bin.*refs/pr/1"):
        download("owner/name", workspace)
    assert hub.asked == []


def test_several_files_of_weights_come_with_their_index(hub: Hub, workspace: Workspace) -> None:
    weights = hub.files.pop("model.safetensors")
    hub.files |= {f"model-0000{part}-of-00002.safetensors": weights for part in (1, 2)}
    hub.files["model.safetensors.index.json"] = b"{}"
    hub.files["consolidated.safetensors"] = weights
    hub.files["merges.txt"] = b""  # as some tokenizers have it
    files = download("owner/name", workspace).files
    assert files["merges.txt"] == hashlib.sha256(b"").hexdigest()
    kept = {name for name in files if "safetensors" in name}
    assert kept == {
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    }


def test_a_tokenizer_comes_without_the_weights_and_is_no_model(hub: Hub, workspace: Workspace) -> None:
    card = download("owner/name", workspace, tokenizer_only=True)
    assert set(card.files) == {"tokenizer.json", "tokenizer_config.json", "README.md"}
    assert (resolve("owner/name", workspace) / "tokenizer.json").read_bytes() == hub.files["tokenizer.json"]
    with pytest.raises(MintageError, match="a tokenizer without a model"):
        model_directory(workspace, "owner/name")
    hub.asked.clear()
    download("owner/name", workspace)  # the model too, in the same place
    assert model_directory(workspace, "owner/name") == resolve("owner/name", workspace)
    assert {name for host, name, _, _ in hub.asked} & set(card.files) == set()


def test_what_is_no_model_is_said_to_be_none(hub: Hub, workspace: Workspace) -> None:
    hub.files = {"README.md": b"A data set.", "config.json": b"{}"}
    with pytest.raises(MintageError, match="no weights and no tokenizer among its files"):
        download("owner/name", workspace)
    assert hub.asked == [] and workspace.cards() == []


@pytest.mark.parametrize(
    ("about", "licence"),
    [
        ({"license": "other", "license_name": "llama3.2"}, "llama3.2"),
        ({"license": ["mit", "apache-2.0"]}, "mit, apache-2.0"),
        ({"license": "mit"}, "mit"),
        ({}, "not said"),
        (None, "not said"),
    ],
)
def test_the_licence_is_the_one_that_a_card_names(about: object, licence: str) -> None:
    assert licence_of({"cardData": about}) == licence


def test_a_pull_request_is_a_revision(
    hub: Hub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal of pickles names one; its slashes are part of the revision, not of the address."""
    hub.revisions["refs%2Fpr%2F1"] = COMMIT
    endpoint = os.environ["HF_ENDPOINT"]
    monkeypatch.setenv("HF_ENDPOINT", f"{endpoint}/")
    card = download("owner/name@refs/pr/1", workspace)
    assert card.settings["endpoint"] == endpoint  # however it is written
    assert card.settings["revision"] == "refs/pr/1"
    assert resolve("owner/name@refs/pr/1", workspace).name == card.name


def test_a_disk_without_second_names_for_files_takes_copies(
    hub: Hub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*places: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    files = download("owner/name", workspace).files
    assert files["config.json"] == hashlib.sha256(hub.files["config.json"]).hexdigest()


def test_a_revision_has_a_directory_of_its_own(hub: Hub, workspace: Workspace) -> None:
    hub.licence = None
    card = download("owner/name@v1.0", workspace)
    assert card.licence == {"use": "local", "licences": ["not said"]}
    assert resolve("owner/name@v1.0", workspace).name == "owner--name@v1.0"
    with pytest.raises(MintageError, match=r"there is owner/name@v1\.0"):
        resolve("owner/name", workspace)


def test_a_full_disk_is_said_before_anything_comes(
    hub: Hub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(Path.cwd())
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=1_000))
    with pytest.raises(MintageError, match="make room"):
        download("owner/name", workspace)
    assert hub.asked == []


def test_a_host_that_is_no_hub_is_said_to_be_none(
    hub: Hub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.store)
    with pytest.raises(MintageError, match="no such model"):
        download("owner/name", workspace)
    monkeypatch.setenv("HF_ENDPOINT", "huggingface.co")
    with pytest.raises(MintageError, match="no address"):
        download("owner/name", workspace)


def test_a_folder_or_a_made_model_comes_before_a_download(
    hub: Hub, workspace: Workspace, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    with pytest.raises(MintageError, match="holds neither"):
        resolve(str(folder), workspace)
    for name in ("tokenizer.json", "config.json"):
        (folder / name).write_text("{}")
        assert resolve(str(folder), workspace) == folder
        (folder / name).unlink()
    nothing = Made(None, {"use": "local", "licences": []}, {})
    for kind in ("tokenizers", "models"):
        make(workspace, kind, "tiny", settings={}, parents=(), write=lambda directory: nothing)
        assert resolve("tiny", workspace) == workspace.path(kind, "tiny")
    with pytest.raises(MintageError, match="mintage quickstart"):
        resolve("nothing", workspace)
