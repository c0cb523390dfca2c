"""Collected once, built without the network, and nothing asked for twice: as a user runs it."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path

import pytest

from mintage import recipe as recipes
from mintage.corpus import build, store
from mintage.corpus.collect.collect import Account
from mintage.errors import MintageError
from mintage.pipeline import collecting, stages
from mintage.pipeline.hub import resolve
from mintage.workspace import Workspace
from tests.conftest import write_tiny_recipe

WORDS = "A bond pays its coupon on fixed days, and its price falls when yields rise. "
PAGE = f"<html><head><title>Bonds</title></head><body><article><p>{WORDS * 8}</p></article></body></html>"
URL = "https://guides.example/bonds.html"
SETTINGS = [
    "name=guides",
    "pages=[{url: 'https://guides.example/bonds.html', title: Bonds, licence: CC0-1.0, use: ship, "
    "available_at: '2020-05-04'}]",
]


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "bonds.html").write_text(PAGE)
    entry = {"url": URL, "file": "bonds.html", "sha256": hashlib.sha256(PAGE.encode()).hexdigest()}
    (folder / "MANIFEST.json").write_text(json.dumps([entry]))
    return folder


def test_a_source_is_collected_once_and_built_from_what_was_stored(
    tmp_path: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path / "workspace")
    sources, _ = recipes.sources("education", SETTINGS)
    collecting.run(sources, workspace, [recordings])
    assert "1 fetched" in capsys.readouterr().out
    collecting.run(sources, workspace, [recordings])
    assert "0 fetched (0.0 MB), 1 unchanged, 0 refused" in capsys.readouterr().out

    (recordings / "bonds.html").unlink()  # nothing but the raw store is read from here on
    settings = build.CorpusSettings(sources, "ship")
    (tmp_path / "corpus").mkdir()
    summary = build.build(settings, tmp_path / "corpus", raw=workspace.raw())
    (document,) = store.view(tmp_path / "corpus", None, "ship")
    assert summary.documents == 1 and "coupon on fixed days" in document.text
    assert document.raw_sha256 == hashlib.sha256(PAGE.encode()).hexdigest() and document.url == URL
    assert set(build.inputs(settings, workspace.raw())) == {"guides/answers.jsonl"}


def test_what_was_never_collected_is_named_with_the_command_that_mends_it(tmp_path: Path) -> None:
    sources, _ = recipes.sources("education", SETTINGS)
    with pytest.raises(MintageError, match="guides; run `mintage collect RECIPE` first"):
        build.build(build.CorpusSettings(sources), tmp_path, raw=tmp_path)


def test_a_source_that_gives_nothing_is_an_error_with_its_reason(tmp_path: Path, recordings: Path) -> None:
    pages = SETTINGS[1].replace("bonds.html", "stocks.html")
    sources, _ = recipes.sources("education", ["name=guides", pages])
    others, _ = recipes.sources("education", SETTINGS[1:])
    workspace = Workspace(tmp_path / "workspace")
    with pytest.raises(MintageError, match=r"guides: nothing was collected: .*not among the recorded"):
        collecting.run([*sources, *others], workspace, [recordings])
    assert (workspace.raw("education") / "answers.jsonl").exists()  # the next one was collected


def test_without_a_contact_no_source_of_the_recipe_is_asked(tmp_path: Path) -> None:
    education, _ = recipes.sources("education", SETTINGS)
    edgar, _ = recipes.sources("edgar", ["companies=[AAPL]"])
    with pytest.raises(MintageError, match="give an e-mail address"):
        collecting.run([*education, *edgar], Workspace(tmp_path / "workspace"), [])
    assert not (tmp_path / "workspace" / "raw").exists()


def test_every_refusal_is_on_record_and_the_record_is_of_the_last_collection(
    tmp_path: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = [URL, *(f"https://guides.example/{number}.html" for number in range(7))]
    listed = [f"{{url: '{url}', title: Bonds, licence: CC0-1.0, use: ship}}" for url in urls]
    sources, _ = recipes.sources("education", ["name=guides", f"pages=[{', '.join(listed)}]"])
    workspace = Workspace(tmp_path / "workspace")
    collecting.run(sources, workspace, [recordings])
    record = workspace.raw("guides") / "refusals.txt"
    assert f"and 2 more; all of them are in {record}" in capsys.readouterr().out
    assert [line.split(": ")[0] for line in record.read_text().splitlines()] == urls[1:]
    collecting.run(recipes.sources("education", SETTINGS)[0], workspace, [recordings])
    assert not record.exists()


def test_a_wrong_key_of_a_source_names_the_nearest() -> None:
    with pytest.raises(MintageError, match=r"education\.pagez: unknown key, did you mean pages\?"):
        recipes.sources("education", ["pagez=[]"])
    with pytest.raises(MintageError, match=r"neither a kind of source .*education.* nor a recipe"):
        recipes.sources("educating", [])


def test_a_recipe_without_a_collected_source_says_so(tmp_path: Path) -> None:
    sources, _ = recipes.sources("sandbox", [])
    with pytest.raises(MintageError, match="no source of the recipe is fetched"):
        collecting.run(sources, Workspace(tmp_path), [])


def test_progress_fits_a_line_of_80_characters() -> None:
    account = Account(1234, 56, 438_200_000, ["refused"] * 7)
    line = collecting.so_far(account, 3_600.0)
    assert line == "1,234 documents, 438.2 MB, 0.3/s, 56 unchanged, 7 refused"
    assert len(f"x edgar  {line} 1:00:00") <= 80


def test_an_error_of_a_source_names_it_once() -> None:
    for pairs, said in (
        ([], "edgar: name companies"),
        (["companies=[AAPL]", "contact=nobody"], "edgar: contact 'nobody' has no e-mail address"),
    ):
        with pytest.raises(MintageError, match=f"^the command line: {said}"):
            recipes.sources("edgar", pairs)
    with pytest.raises(MintageError, match=r"^the command line: edgar: mine: name companies"):
        recipes.sources("edgar", ["name=mine"])


def test_what_to_type_next_is_what_a_shell_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, place = write_tiny_recipe(tmp_path), tmp_path / "my work"
    stages.run(recipes.load(recipe), Workspace(place), "corpus")
    said = shlex.split(capsys.readouterr().out.splitlines()[-1])
    query = "select source, count(*) from documents group by source"
    assert said == ["next:", "mintage", "corpus", "sql", query, "-w", str(place)]
    _, following = recipes.sources(str(recipe), ["about=a b"])
    assert shlex.split(following)[-2:] == ["--set", "about=a b"]
    with pytest.raises(MintageError) as told:
        resolve("owner/name", Workspace(place))
    assert shlex.split(str(told.value))[-5:] == ["mintage", "download", "owner/name", "-w", str(place)]
