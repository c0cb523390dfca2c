"""Building a corpus: true figures, one clear error, and memory that does not grow with the text."""

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mintage.corpus import store
from mintage.corpus.build import CorpusSettings, build, inputs
from mintage.corpus.document import Document
from mintage.corpus.refine.duplicates import refine
from mintage.corpus.refine.settings import Filter, RefineSettings
from mintage.corpus.sources.dates import DateField
from mintage.corpus.sources.files import Fields, FilesSource
from mintage.corpus.sources.sandbox.settings import SandboxSource
from mintage.errors import MintageError
from mintage.workspace import file_sha256

ROWS = [
    {"text": "Revenue was 1,234 in é.", "id": "a", "day": "2020-03-01", "use": "ship"},
    {"text": "Revenue  was 1,234 in é.", "id": "b", "day": "2020-01-01", "use": "ship"},
    {"text": "Revenue was 1,235 in é.", "id": "c", "day": "2021-05-05", "use": "local"},
    {"text": "No day.", "id": "d", "day": None, "use": "ship"},
    {"text": "Barred.", "id": "e", "day": "2022-01-01", "use": "none"},
    {"text": "Revenue was 1,235 in é.", "id": "c", "day": "2021-05-05", "use": "local"},
    {"text": "", "id": "f", "day": "2022-01-01", "use": "ship"},
]


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def source(path: Path, name: str = "mine") -> FilesSource:
    fields = Fields(native_id="id", use="use")
    return FilesSource(name, str(path), "CC0-1.0", fields=fields, available_at=(DateField("day"),))


def test_the_figures_are_those_of_the_documents(tmp_path):
    path = write_rows(tmp_path / "data.jsonl", ROWS)
    calls = []
    (tmp_path / "corpus").mkdir()
    summary = build(CorpusSettings((source(path),)), tmp_path / "corpus", lambda *call: calls.append(call))
    admitted = [ROWS[1]["text"], ROWS[2]["text"], ROWS[3]["text"]]
    assert summary.documents == 3
    assert summary.characters == sum(map(len, admitted))
    assert summary.bytes == sum(len(text.encode()) for text in admitted)
    assert (summary.duplicates, summary.barred, summary.undated, summary.bad_rows) == (1, 1, 1, 1)
    assert summary.earliest == datetime(2020, 1, 1, 23, 59, 59, 999999, tzinfo=UTC)
    assert summary.latest == datetime(2021, 5, 5, 23, 59, 59, 999999, tzinfo=UTC)
    assert summary.use == "local"
    assert {(licence.use, licence.documents) for licence in summary.licences} == {("ship", 2), ("local", 1)}
    assert summary.sources[0].bad_row_examples == ("data.jsonl:7: text: the text is empty",)
    assert calls[-1][0] == "mine" and calls[-1][1] == 6

    facts = store.sources(tmp_path / "corpus")["mine"]
    assert (facts["documents"], facts["repeated_rows"], facts["bad_rows"]) == (5, 1, 1)
    assert facts["files"] == [
        {"file": "data.jsonl", "sha256": file_sha256(path), "bytes": path.stat().st_size}
    ]
    assert inputs(CorpusSettings((source(path),)), path.parent) == {"mine/data.jsonl": file_sha256(path)}


def test_nothing_but_the_corpus_is_left_behind(tmp_path):
    path = write_rows(tmp_path / "data.jsonl", ROWS)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    build(CorpusSettings((source(path),)), corpus)
    assert sorted(file.relative_to(corpus).as_posix() for file in corpus.rglob("*") if file.is_file()) == [
        "attributes/exact_duplicate/part-00000.parquet",
        "attributes/superseded/part-00000.parquet",
        "documents/part-00000.parquet",
        "sources.json",
    ]


def test_a_build_is_the_same_twice(tmp_path):
    path = write_rows(tmp_path / "data.jsonl", ROWS)
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        build(CorpusSettings((source(path),)), tmp_path / name)
        files = sorted(file for file in (tmp_path / name).rglob("*") if file.is_file())
        contents.append([(file.relative_to(tmp_path / name), file.read_bytes()) for file in files])
    assert contents[0] == contents[1]


def test_a_row_read_twice_is_kept_once_over_many_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROW_GROUP_DOCUMENTS", 2)
    monkeypatch.setattr(store, "PART_BYTES", 500)

    def make(number: int) -> Document:
        return Document.make(source="s", native_id=str(number), text=f"t{number}", licence="l", use="ship")

    numbers = [0, 1, 1, 1, 2, 3, 0, 3, 4, 4, 5, 0]
    store.write_documents(tmp_path, map(make, numbers))
    assert refine(tmp_path) == {"s": 6}
    assert [document.native_id for document in store.view(tmp_path, None, "ship")] == list("012345")


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ([{"text": "", "id": "1", "day": None, "use": "ship"}], "all 1 rows are bad"),
        ([{"text": "x", "id": "1", "day": None, "use": "none"}], "licence gate"),
        ([], "empty"),
    ],
)
def test_a_corpus_without_documents_is_refused_with_the_reason(tmp_path, rows, part):
    path = write_rows(tmp_path / "data.jsonl", rows)
    (tmp_path / "corpus").mkdir()
    with pytest.raises(MintageError, match=part):
        build(CorpusSettings((source(path),)), tmp_path / "corpus")


def test_two_sources_of_one_name_are_refused(tmp_path):
    path = write_rows(tmp_path / "data.jsonl", ROWS)
    with pytest.raises(MintageError, match="mine"):
        build(CorpusSettings((source(path), source(path))), tmp_path)


def test_a_filter_that_nothing_passes_is_named(tmp_path):
    path = write_rows(tmp_path / "data.jsonl", ROWS)
    settings = FilesSource("mine", str(path), "CC0-1.0", where={"id": ("z",)})
    (tmp_path / "corpus").mkdir()
    with pytest.raises(MintageError, match="where"):
        build(CorpusSettings((settings,)), tmp_path / "corpus")


def test_the_sandbox_is_a_source_like_any_other(tmp_path):
    sandbox = SandboxSource(companies=2, years=2, megabytes=0.3)
    summary = build(CorpusSettings((sandbox,), "ship"), tmp_path)
    assert summary.bad_rows == 0 and summary.undated == 0
    assert {item.name for item in summary.sources} == set(store.sources(tmp_path))
    assert all(item.name.startswith("sandbox_") for item in summary.sources)


def test_real_speeches_are_dated_and_the_repeated_one_found(tmp_path, shared_data):
    path = shared_data / "corpora" / "fed_speeches.jsonl.gz"
    settings = FilesSource(
        name="fed_speeches",
        path=str(path),
        licence="Reserve Banks' own terms",
        kind="speech",
        fields=Fields(title="title", native_id="id", url="url"),
        available_at=(DateField("date", zone="America/New_York"),),
    )
    summary = build(CorpusSettings((settings,)), tmp_path)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    copies = sum(number - 1 for number in Counter(" ".join(row["text"].split()) for row in rows).values())
    assert (summary.documents + summary.duplicates, summary.duplicates, summary.bad_rows) == (
        len(rows),
        copies,
        0,
    )
    as_of = datetime(2008, 9, 15, 23, 59, 59, tzinfo=UTC)
    seen = [document.native_id for document in store.view(tmp_path, as_of, "local")]
    assert set(seen) <= {row["id"] for row in rows if row["date"] <= "2008-09-15"}
    assert len(seen) >= sum(row["date"] < "2008-09-15" for row in rows) - copies


MEASURE = """
import resource, sys
from pathlib import Path
from mintage.corpus import store
from mintage.corpus.build import CorpusSettings, build
from mintage.corpus.sources.files import FilesSource

directory = Path(sys.argv[1])
summary = build(CorpusSettings((FilesSource("copies", sys.argv[2], "test", "local"),)), directory)
seen = sum(1 for _ in store.view(directory, None, "local"))
assert seen == summary.documents, (seen, summary.documents)
print(summary.documents + summary.duplicates, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
def test_memory_does_not_grow_with_the_corpus(tmp_path, shared_data):
    """Calls and speeches (75 MB of text) once and ten times, the texts of each copy made different."""
    names = ("fed_speeches", "earnings_calls_2015_2018")
    peaks = {}
    for copies in (1, 10):
        folder, corpus = tmp_path / f"text{copies}", tmp_path / f"corpus{copies}"
        folder.mkdir()
        corpus.mkdir()
        for name in names:
            with gzip.open(shared_data / "corpora" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
                rows = [json.loads(line) for line in lines]
            for copy in range(copies):
                with gzip.open(
                    folder / f"{name}-{copy}.jsonl.gz", "wt", compresslevel=1, encoding="utf-8"
                ) as out:
                    for row in rows:
                        out.write(json.dumps({"text": f"Copy {copy}\n{row['text']}"}) + "\n")
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-c", MEASURE, str(corpus), str(folder)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        documents, kilobytes = map(int, answer.stdout.split())
        assert documents == 5379 * copies
        peaks[copies] = kilobytes / 1024
    print(f"peak memory: {peaks[1]:.0f} MiB for 75 MB of text, {peaks[10]:.0f} MiB for 754 MB")
    assert peaks[10] < 1024
    assert peaks[10] < 1.5 * peaks[1]


def test_a_refined_corpus_leaves_out_what_the_settings_say_and_masks_personal_data(tmp_path):
    words = "the committee judged that inflation would return to its objective over the medium term because "
    long = " ".join(f"{words} of reason number {number}" for number in range(12))
    rows = [
        {"id": "first", "text": long, "day": "2020-01-01"},
        {"id": "nearly", "text": long.replace("judged", "thought", 1), "day": "2020-01-02"},
        {"id": "figure", "text": long.replace("number 7", "number 70"), "day": "2020-01-03"},
        {"id": "short", "text": "No comment.", "day": "2020-01-04"},
        {"id": "mail", "text": f"Write to jane.doe@example.org. {long[::-1]}", "day": "2020-01-05"},
    ]
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = replace(source(path), use="ship", fields=Fields(native_id="id"))
    settings = RefineSettings(filters=(Filter("too short", "words >= 5"),))
    (tmp_path / "corpus").mkdir()
    summary = build(CorpusSettings((files,), "ship", settings), tmp_path / "corpus")
    kept = {document.native_id: document.text for document in store.view(tmp_path / "corpus", None, "ship")}
    assert set(kept) == {"first", "figure", "mail"}
    assert kept["mail"].startswith("Write to [email].") and "jane.doe" not in kept["mail"]
    assert (summary.documents, summary.duplicates, summary.removed) == (3, 1, 1)
    report = json.loads((tmp_path / "corpus" / "refined.json").read_text())
    assert report["filters"][0]["examples"][0]["excerpt"] == "No comment."
