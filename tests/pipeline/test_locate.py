"""A token leads to the bytes that it came from, in files of every kind and in stored answers."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mintage import recipe as recipes
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Response
from mintage.corpus.document import Document
from mintage.corpus.store import masked as masked_text
from mintage.errors import MintageError
from mintage.pipeline import locate as module
from mintage.pipeline import stages
from mintage.pipeline.locate import describe, locate
from mintage.tokens.shards import Shards
from mintage.workspace import Workspace, file_sha256
from tests.conftest import write_tiny_recipe

TEXTS = [
    f"Report {number}: revenue rose to {number},234.5 million; naïve — 'quoted', yes." for number in range(9)
]


def write_source(folder: Path, kind: str) -> str:
    """Write the texts in files of a kind, and return the path for the recipe."""
    rows = [
        {"id": f"n{number}", "date": f"2015-0{number + 1}-01", "body": text}
        for number, text in enumerate(TEXTS)
    ]
    if kind == "jsonl.gz":
        lines = "".join(json.dumps(row) + "\n" * (1 + (number == 3)) for number, row in enumerate(rows))
        (folder / "data.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    elif kind == "csv":
        file = io.StringIO()
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "body": row["body"].replace("; ", "; \n")} for row in rows)
        (folder / "data.csv").write_text(file.getvalue())
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / "data.parquet")
    else:
        (folder / "texts").mkdir()
        for row in rows:
            (folder / "texts" / f"{row['id']}.txt").write_text(
                row["body"] + ("\r\n" if row["id"] == "n2" else "")
            )
        return str(folder / "texts")
    return str(folder / f"data.{kind}")


def built(folder: Path, kind: str) -> Workspace:
    path = write_tiny_recipe(folder, data=folder / "unused")
    recipe = yaml.safe_load(path.read_text())
    source = recipe["corpus"]["sources"][0]["files"]
    source["path"] = write_source(folder, kind)
    if kind == "txt":
        del source["fields"], source["available_at"]
        del recipe["as_of"]
    else:
        source["fields"] = {"text": "body", "native_id": "id"}
    path.write_text(yaml.safe_dump(recipe))
    workspace = Workspace(folder / "workspace")
    stages.run(recipes.load(path), workspace, until="shards")
    return workspace


def raw_bytes(place: module.RawPlace) -> bytes:
    data = place.file.read_bytes()
    return (gzip.decompress(data) if place.file.suffix == ".gz" else data)[place.start : place.end]


@pytest.mark.parametrize("kind", ["jsonl.gz", "csv", "parquet", "txt"])
def test_every_token_leads_to_its_row_or_its_own_bytes(tmp_path: Path, kind: str) -> None:
    workspace = built(tmp_path, kind)
    shards = Shards.open(workspace.path("shards", "tiny"))
    rows = shards.index().to_pylist()
    assert len(rows) == len(TEXTS)
    for row in rows:
        position = row["start"] + row["length"] // 2
        found = locate(workspace, "tiny", f"0:{position}")
        assert (
            found.document.doc_id == row["doc_id"] and found.raw is not None and found.text_range is not None
        )
        start, end = found.text_range
        token = found.document.text.encode()[start:end]
        assert found.raw.sha256 == file_sha256(found.raw.file) == found.document.raw_sha256
        origin = raw_bytes(found.raw)
        if kind == "txt" and found.document.title != "n2":
            assert origin == token
        elif kind == "txt":
            assert origin.startswith(
                TEXTS[2].encode()
            )  # its line end was changed, so the file is named whole
        elif kind == "jsonl.gz":
            assert json.loads(b'"' + origin + b'"').encode() == token
        elif kind == "csv":
            assert next(csv.reader(io.StringIO(origin.decode())))[2] == found.document.text
        else:
            number = int(found.raw.what.removeprefix("row ")) - 1
            assert pq.read_table(found.raw.file).to_pylist()[number]["body"] == found.document.text
    printed = dict(describe(found))
    assert printed["raw sha256"].endswith("(verified)") and "»" in printed["in context"]


def test_of_two_sources_in_one_file_each_leads_to_its_own_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(write_source(tmp_path, "jsonl.gz"))
    document = Document.make(
        source="second",
        native_id="n7",
        text=TEXTS[7],
        licence="CC0-1.0",
        use="ship",
        raw_sha256=file_sha256(data),
        raw_file=data.name,
        available_at=datetime(2015, 8, 1, 23, 59, 59, 999999, tzinfo=UTC),
        date_precision="day",
        url=None,
    )
    fields = {"text": "body", "native_id": "id"}
    record = {"path": str(data), "licence": "CC0-1.0", "use": "ship", "fields": fields}
    record["available_at"] = [{"field": "date"}]
    workspace = Workspace(tmp_path / "workspace")
    card = SimpleNamespace(settings={"sources": [{"name": name, **record} for name in ("first", "second")]})
    monkeypatch.setattr(Workspace, "card", lambda *_: card)
    found, missing = module.find_raw(workspace, "two", document, (7, 8))
    assert found is not None, missing
    assert raw_bytes(found) == b"7" and found.what == "the token itself, in line 9"  # a line is blank


@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_bytes_of_a_token_are_found_between_the_escapes_of_json(ascii_only: bool) -> None:
    text = '“Écrire”\n\t"5 €" \U0001d7d9'
    document = Document.make(source="s", native_id="1", text=text, licence="", use="ship")
    line = json.dumps({"text": text}, ensure_ascii=ascii_only).encode()
    plain = text.encode()
    written = partial(module.json_string, ascii_only=ascii_only)
    for start in range(len(plain)):
        for end in range(start + 1, len(plain) + 1):
            found = module.narrow(line, document, (start, end), written)
            assert found is not None
            origin = json.loads(b'"' + line[found[0] : found[1]] + b'"').encode()
            assert plain[start:end] in origin and len(origin) <= end - start + 6


def test_wrong_places_and_changed_files_are_refused(tmp_path: Path) -> None:
    workspace = built(tmp_path, "jsonl.gz")
    for place, reason in (("1:0", "there are 1 shards"), ("0:99999", "holds"), ("x", "SHARD:POSITION")):
        with pytest.raises(MintageError, match=reason):
            locate(workspace, "tiny", place)
    (tmp_path / "data.jsonl.gz").write_bytes(gzip.compress(b'{"id": "other"}\n'))
    with pytest.raises(MintageError, match="has changed since the corpus was built"):
        locate(workspace, "tiny", "0:5")
    (tmp_path / "data.jsonl.gz").rename(tmp_path / "elsewhere.gz")
    with pytest.raises(MintageError, match="no such file"):
        locate(workspace, "tiny", "0:5")


def test_a_stored_answer_is_found_and_verified(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    raw = RawStore(workspace.raw("feed"))
    bodies = [b"<p>other</p>", "<p>Rates rose.</p> <p>naïve</p>".encode()]
    for number, body in enumerate(bodies):
        raw.add(
            Response(f"https://example.org/{number}", 200, {}, body, datetime(2020, 1, 1, tzinfo=UTC)), {}
        )

    def document(text: str) -> Document:
        return Document.make(
            source="feed",
            native_id="1",
            text=text,
            licence="",
            use="ship",
            raw_sha256=hashlib.sha256(bodies[1]).hexdigest(),
        )

    place, _ = module.find_raw(workspace, "unused", document("Rates rose."), (6, 10))
    assert (
        place is not None
        and bodies[1][place.start : place.end] == b"rose"
        and place.what == "the token itself"
    )
    place, _ = module.find_raw(workspace, "unused", document("Rates rose.\n\nnaïve"), (6, 10))
    assert place is not None and (place.start, place.end, place.what) == (
        0,
        len(bodies[1]),
        "the whole answer",
    )
    raw.object(raw.answers[1].sha256).write_bytes(b"damaged")
    with pytest.raises(MintageError, match="is damaged"):
        module.find_raw(workspace, "unused", document("Rates rose."), (6, 10))


def test_bytes_of_a_masked_text_are_found_in_the_text_itself() -> None:
    text = "Écrire à ana@example.org, téléphone 555-0100, merci."
    spans = []
    for kind, hidden in (("email", "ana@example.org"), ("phone", "555-0100")):
        spans.append({"start": text.index(hidden), "end": text.index(hidden) + len(hidden), "kind": kind})
    masked = masked_text(text, spans)
    for word in ("Écrire", "téléphone", "merci."):
        start = masked.encode().index(word.encode())
        first, last = module.before_masking(text, spans, (start, start + len(word.encode())))
        assert text.encode()[first:last].decode() == word
    start = masked.encode().index(b"mail")
    first, last = module.before_masking(text, spans, (start, start + 4))
    assert text.encode()[first:last] == b"ana@example.org"
    assert module.before_masking(text, [], (3, 7)) == (3, 7)
    end = len(masked.encode())
    assert module.before_masking(text, spans, (end, end)) == (len(text.encode()),) * 2  # the end of text
