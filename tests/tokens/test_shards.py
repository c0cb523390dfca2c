"""Shards hold every admissible document, whole, where the index says, and refuse what is not theirs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from mintage.corpus import store
from mintage.corpus.document import chat_text
from mintage.errors import MintageError
from mintage.tokens import shards as module
from mintage.tokens.loader import documents
from mintage.tokens.report import report
from mintage.tokens.shards import Shards, split_of, verify
from mintage.tokens.tokenizer import TokenizerSettings, train
from mintage.workspace import content_of
from tests.tokens.small_corpus import build, characters, day, document

CHAT = [
    {"role": "user", "content": "Revenue was 1,234.\nWhat was it? <|assistant|>"},
    {"role": "assistant", "content": "It was 1,234 — really."},
]


def mixed(count: int = 60) -> list:
    """Texts, chats, undated and empty documents, in no order of time."""
    some = []
    for number in range(count):
        if number % 4 == 3:
            turns = [*CHAT, {"role": "user", "content": f"Thank you {number}"}]
            some.append(
                document(f"c{number}", chat_text(turns), number * 7 % 50, "chats", kind="chat", title="t")
            )
        else:
            available = None if number % 10 == 1 else number * 11 % 50
            some.append(document(f"d{number}", f"Text {number} " * (number % 9), available, "ab"[number % 2]))
    return some


@pytest.fixture(params=[1 << 27, 200], ids=["one-shard", "many-shards"])
def built(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SHARD_TOKENS", request.param)
    monkeypatch.setattr(module, "INDEX_ROWS", 7)
    monkeypatch.setattr(module, "BATCH_DOCUMENTS", 5)
    originals = mixed()
    return originals, build(tmp_path, originals), request.param


def test_every_document_is_in_the_shards_whole(built) -> None:
    originals, directory, _ = built
    tokenizer = characters()
    by_id = {original.doc_id: original for original in originals}
    shards = Shards.open(directory)
    rows = shards.index().to_pylist()
    assert sorted(row["doc_id"] for row in rows) == sorted(by_id)
    for row in rows:
        original = by_id[row["doc_id"]]
        ids = shards.tokens(row["shard"])[row["start"] : row["start"] + row["length"]]
        for name in ("content_hash", "source", "kind", "title", "available_at"):
            assert row[name] == getattr(original, name)
        assert row["split"] == split_of(original.content_hash, original.kind)
        assert ids[-1] == tokenizer.end_of_text_id
        mask = shards.mask(row["shard"])
        if original.kind == "chat":
            messages = json.loads(original.text)
            expected, loss = tokenizer.encode_chat(messages)
            assert ids[:-1].tolist() == expected
            assert mask is not None
            assert mask[row["start"] : row["start"] + row["length"]].tolist() == [*loss, 0]
            assert row["bytes"] == sum(len(message["content"].encode()) for message in messages)
        else:
            assert tokenizer.decode(ids) == original.text
            assert row["bytes"] == len(original.text.encode())
            assert mask is None or mask[row["start"] : row["start"] + row["length"]].all()


def test_documents_lie_end_to_end_and_the_manifest_counts_them(built) -> None:
    originals, directory, size = built
    shards = Shards.open(directory)
    table = shards.index()
    assert shards.manifest["documents"] == len(originals) == len(table)
    assert shards.manifest["tokens"] == sum(table["length"].to_pylist())
    assert shards.manifest["bytes"] == sum(table["bytes"].to_pylist())
    assert (shards.manifest["shards"] > 3) == (size == 200)
    place: dict[int, int] = {}
    for row in table.to_pylist():
        assert row["start"] == place.get(row["shard"], 0)
        place[row["shard"]] = row["start"] + row["length"]
    assert [len(shards.tokens(number)) for number in place] == list(place.values())


def test_verification_finds_one_changed_byte_and_a_missing_file(built) -> None:
    _, directory, _ = built
    verify(directory)
    path = directory / "shard_00000.bin"
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content)
    with pytest.raises(MintageError, match=r"shard_00000\.bin.*not those of the manifest"):
        verify(directory)
    path.unlink()
    with pytest.raises(MintageError, match="is not there"):
        verify(directory)


def test_documents_for_evaluation_are_those_of_the_split_and_the_time(built) -> None:
    originals, directory, _ = built
    tokenizer = characters()
    seen = list(documents(directory, "train", as_of=day(30), after=day(9)))
    expected = [
        original
        for original in originals
        if split_of(original.content_hash, original.kind) == "train"
        and original.available_at is not None
        and day(9) < original.available_at <= day(30)
    ]
    texts = {original.text for original in expected}  # an exact duplicate is left out
    assert len(seen) == len(texts) > 10
    order = [(each.source, each.available_at, each.doc_id) for each in seen]
    assert order == sorted(order)
    for each in seen:
        if each.kind == "chat":
            assert each.mask is not None and 0 < each.mask.sum() < len(each.mask) == len(each.ids)
        else:
            assert each.mask is None and tokenizer.decode(each.ids) in texts
    only = {each.source for each in documents(directory, "train", as_of=None, source="a")}
    assert only == {"a"}


def test_splits_hold_their_shares() -> None:
    hashes = [document(str(number), str(number)).content_hash for number in range(4000)]
    for kind, train_share, test_share in (("text", 0.96, 0.02), ("chat", 0.90, 0.05)):
        splits = [split_of(each, kind) for each in hashes]
        assert abs(splits.count("train") / 4000 - train_share) < 0.015
        assert abs(splits.count("test") / 4000 - test_share) < 0.015
        assert set(splits) == {"train", "development", "test"}


def test_licence_gate_keeps_documents_out(tmp_path: Path) -> None:
    some = [document("1", "free text"), document("2", "for local use", use="local")]
    assert Shards.open(build(tmp_path / "ship", some)).manifest["documents"] == 1
    assert Shards.open(build(tmp_path / "local", some, use="local")).manifest["documents"] == 2
    with pytest.raises(MintageError, match="no document may be used"):
        build(tmp_path / "none", some[1:])


def test_ids_above_65535_are_kept(tmp_path: Path) -> None:
    text = "".join(chr(0x20000 + number) for number in range(40_000)) + "".join(
        chr(0x30000 - 1 - number) for number in range(25_400)
    )
    tokenizer = train(TokenizerSettings(kind="character", vocab_size=1 << 20), [text])
    assert tokenizer.vocab_size > 65_536
    tail = "".join(sorted(text)[-50:]) + text[:50]
    shards = Shards.open(build(tmp_path, [document("1", tail)], tokenizer))
    ids = shards.tokens(0)
    assert ids.dtype == np.uint32 and ids.max() > 65_535
    assert tokenizer.decode(ids) == tail


def test_mismatched_tokenizer_is_one_error_with_both_hashes(tmp_path: Path) -> None:
    directory = build(tmp_path, [document("1", "some text")])
    assert report(characters(), directory)["bytes_per_token"] == {"a": 0.9}
    assert report(characters(), directory)["numbers"]["2019"] == ["2", "0", "1", "9"]
    other = train(TokenizerSettings(), ["another text"])
    with pytest.raises(MintageError, match=f"{characters().hash[:16]}.*{other.hash[:16]}"):
        report(other, directory)


def test_directory_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MintageError, match=r"no manifest\.json"):
        Shards.open(tmp_path)


def shards_of(folder: Path, name: str, **options) -> Path:
    """Shards of the corpus in a folder, in a directory of their own."""
    trained = train(TokenizerSettings(vocab_size=400), [original.text for original in mixed()])
    facts = {"tokenizer_cutoff": None, "corpus_hash": "of the test"}
    module.build(folder / "corpus", trained, folder / name, "ship", **facts, **options)
    return folder / name


@pytest.fixture
def three_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a corpus of three parts or more."""
    monkeypatch.setattr(store, "ROW_GROUP_BYTES", 200)
    monkeypatch.setattr(store, "PART_BYTES", 2_500)
    build(tmp_path, mixed())
    assert len(store.parts(tmp_path / "corpus", "documents")) >= 3
    return tmp_path


def test_shards_are_the_same_bytes_on_any_number_of_processes_and_by_either_encoder(
    three_parts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = content_of(shards_of(three_parts, "alone"))
    assert content_of(shards_of(three_parts, "pool", jobs=2)) == alone
    monkeypatch.setitem(sys.modules, "gigatoken", None)
    assert content_of(shards_of(three_parts, "plain")) == alone
    assert set(alone[0]) >= {"shard_00000.bin", "shard_00002.docs.parquet", "manifest.json"}


def test_killed_build_goes_on_from_the_parts_that_were_done(
    three_parts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = content_of(shards_of(three_parts, "whole"))
    encode_part, calls = module.encode_part, []

    def killed(directory: Path, corpus: Path, number: int, *more) -> dict:
        calls.append(number)
        if number == 1 and calls.count(1) == 1:
            raise KeyboardInterrupt
        return encode_part(directory, corpus, number, *more)

    monkeypatch.setattr(module, "encode_part", killed)
    with pytest.raises(KeyboardInterrupt):
        shards_of(three_parts, "killed", scratch=three_parts / "scratch")
    assert content_of(shards_of(three_parts, "killed", scratch=three_parts / "scratch")) == whole
    assert calls.count(0) == 1 and calls.count(1) == 2
