"""Hub: small files in the layouts of the known data sets, and answers of the dataset viewer."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus.collect.collect import Account, collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Refused, Request, Response
from mintage.corpus.document import Document, chat_messages
from mintage.corpus.sources.dates import DateField
from mintage.corpus.sources.files import Fields
from mintage.corpus.sources.hub.folder import files, read
from mintage.corpus.sources.hub.presets import PRESETS, SECTIONS, crawl_end
from mintage.corpus.sources.hub.settings import HubSource, Known
from mintage.corpus.sources.hub.source import discover, parse
from mintage.corpus.sources.report import SourceReport
from mintage.errors import MintageError

FINEWEB = "HuggingFaceFW/fineweb-edu"
AT = datetime(2024, 6, 20, 8, tzinfo=UTC)


def fineweb_row(number: int, **changes: Any) -> dict[str, Any]:
    """A row with the columns of FineWeb-Edu."""
    return {
        "text": f"Lesson {number}: a bond pays 5% a year.",
        "id": f"<urn:uuid:0000-{number}>",
        "dump": "CC-MAIN-2013-20",
        "url": f"http://example.org/{number}",
        "date": "2013-05-18T05:23:59Z",
        "file_path": "s3://commoncrawl/crawl-data/CC-MAIN-2013-20/example.warc.gz",
        "language": "en",
        "language_score": 0.97,
        "token_count": 12,
        "score": 3.5,
        "int_score": 4,
    } | changes


def write_parquet(path: Path, rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def write_lines(path: Path, rows: list[Any]) -> None:
    """Write JSON lines, compressed as the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if path.suffix == ".zst":
        content = pa.compress(content, codec="zstd", asbytes=True)
    elif path.suffix == ".gz":
        content = gzip.compress(content)
    path.write_bytes(content)


def folder(dataset: str, path: Path, **changes: Any) -> tuple[list[Document], SourceReport]:
    """The documents of a folder."""
    report = SourceReport()
    return list(read(HubSource(dataset=dataset, path=str(path), **changes), report)), report


def test_fineweb_edu_is_dated_by_its_crawl_as_a_bound(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data/CC-MAIN-2013-20/train-00000-of-00014.parquet", [fineweb_row(1)])
    (tmp_path / "README.md").write_text("the card of the data set")
    (tmp_path / ".cache").mkdir()
    write_parquet(tmp_path / ".cache/other.parquet", [fineweb_row(9)])
    [document], report = folder(FINEWEB, tmp_path)
    assert document.available_at == datetime(2013, 5, 18, 5, 23, 59, tzinfo=UTC)
    assert (document.date_precision, document.kind, document.use) == ("bound", "web", "local")
    assert document.native_id == "<urn:uuid:0000-1>" and document.url == "http://example.org/1"
    assert "ODC-By 1.0" in document.licence
    assert [file.file for file in report.files] == ["data/CC-MAIN-2013-20/train-00000-of-00014.parquet"]


def test_fineweb_edu_without_a_date_is_dated_by_the_end_of_its_dump(tmp_path: Path) -> None:
    row = fineweb_row(1, dump="CC-MAIN-2024-10")
    del row["date"]
    write_parquet(tmp_path / "sample/10BT/000_00000.parquet", [row])
    [document], _ = folder(FINEWEB, tmp_path)
    # Week 10 of 2024 ends on 10 March; four weeks later is 7 April.
    assert document.available_at == datetime(2024, 4, 7, 23, 59, 59, 999999, tzinfo=UTC)
    assert document.date_precision == "bound"


@pytest.mark.parametrize(
    ("dump", "crawled_until"),
    [  # the last days of crawls, from https://commoncrawl.org/blog
        ("CC-MAIN-2023-50", "2023-12-12"),
        ("CC-MAIN-2023-23", "2023-06-11"),
        ("CC-MAIN-2022-05", "2022-01-29"),
        ("CC-MAIN-2021-31", "2021-08-06"),
    ],
)
def test_a_dump_ends_after_its_crawl(dump: str, crawled_until: str) -> None:
    end = crawl_end(dump)
    assert end is not None and end > crawled_until


@given(st.text(max_size=20) | st.from_regex(r"CC-MAIN-\d{4}-\d\d", fullmatch=True))
def test_a_dump_of_any_name_gives_a_day_or_none(dump: str) -> None:
    end = crawl_end(dump)
    assert end is None or date.fromisoformat(end)


def test_refinedweb_is_read_from_its_content_and_timestamp(tmp_path: Path) -> None:
    row = {
        "content": "Stocks rose by 1,250 points.",
        "url": "http://example.org/stocks",
        "timestamp": datetime(2021, 3, 4, 5, 6, 7),
        "dump": "CC-MAIN-2021-10",
        "segment": "1614178389472.95",
        "image_urls": [["http://example.org/a.png", "a"]],
    }
    write_parquet(tmp_path / "data/train-00000-of-05534-b8fc5348cbe605a5.parquet", [row])
    [document], _ = folder("tiiuae/falcon-refinedweb", tmp_path)
    assert document.text == "Stocks rose by 1,250 points."
    assert document.available_at == datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert document.date_precision == "bound"


def test_pes2o_is_dated_by_the_end_of_its_publication_day_or_year(tmp_path: Path) -> None:
    base = {"added": "2023-01-11", "source": "s2orc/train", "text": "A paper.", "version": "v2"}
    created = ["2019-01-01T00:00:00.000Z", "2019-03-02T00:00:00.000Z", None]
    rows = [base | {"created": day, "id": f"p{number}"} for number, day in enumerate(created)]
    write_lines(tmp_path / "data/v2/train-00000-of-00020.json.gz", rows)
    documents, _ = folder("allenai/peS2o", tmp_path)
    assert [document.available_at for document in documents] == [
        datetime(2019, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2019, 3, 2, 23, 59, 59, 999999, tzinfo=UTC),
        None,
    ]
    assert [document.date_precision for document in documents] == ["bound", "bound", "unknown"]


def test_slimpajama_is_undated_and_its_books_may_not_be_trained_on(tmp_path: Path) -> None:
    parts = ["RedPajamaCommonCrawl", "RedPajamaBook", "RedPajamaWikipedia", "RedPajamaElse"]
    rows = [{"text": f"Text of {part}.", "meta": {"redpajama_set_name": part}} for part in parts]
    write_lines(tmp_path / "train/chunk1/example_train_0.jsonl.zst", rows)
    documents, _ = folder("cerebras/SlimPajama-627B", tmp_path)
    assert [document.use for document in documents] == ["local", "none", "local", "none"]
    assert documents[2].licence == "CC BY-SA 3.0"
    assert {document.available_at for document in documents} == {None}


def test_edgar_corpus_is_one_filing_of_its_items_known_by_the_end_of_its_year(tmp_path: Path) -> None:
    row = {"filename": "718413_1993.txt", "cik": "718413", "year": "1993"} | dict.fromkeys(SECTIONS, "")
    row |= {"section_1": "Item 1. Business", "section_7": "Item 7. Net income was $1,250 million."}
    write_parquet(tmp_path / "year_1993/edgar-corpus-train.parquet", [row])
    [document], _ = folder("eloukas/edgar-corpus", tmp_path)
    assert document.text == "Item 1. Business\n\nItem 7. Net income was $1,250 million."
    assert document.available_at == datetime(1994, 1, 1, 4, 59, 59, 999999, tzinfo=UTC)
    assert document.entities[0] == ("cik", "0000718413")
    assert (document.kind, document.native_id) == ("filing.10-K", "718413_1993.txt")


@pytest.mark.parametrize("lines", [True, False])
def test_finance_alpaca_is_chats(tmp_path: Path, lines: bool) -> None:
    rows = [
        {"instruction": "What is a bond?", "input": "", "output": "A loan.", "text": ""},
        {"instruction": "Sum these.", "input": "1,000 and 250", "output": "1,250", "text": ""},
        {"instruction": "Say nothing.", "input": "", "output": "", "text": ""},
    ]
    if lines:
        write_lines(tmp_path / "train.jsonl", rows)
    else:
        (tmp_path / "Cleaned_date.json").write_text(json.dumps(rows))
    documents, report = folder("gbharti/finance-alpaca", tmp_path)
    assert [chat_messages(document.text)[0]["content"] for document in documents] == [
        "What is a bond?",
        "Sum these.\n\n1,000 and 250",
    ]
    assert chat_messages(documents[1].text)[1] == {"role": "assistant", "content": "1,250"}
    assert report.bad_rows == 1 and "output: the text is empty" in report.bad_row_examples[0].reason


def test_any_other_data_set_is_read_by_the_mapping_that_is_given(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "news.jsonl", [{"body": "Rates rose.", "day": "2020-05-04", "who": "A"}, {"body": "x"}]
    )
    documents, report = folder(
        "owner/news",
        tmp_path,
        fields=Fields(text="body"),
        available_at=(DateField("day", zone="America/New_York"),),
        licence="CC BY 4.0",
        use="ship",
    )
    assert documents[0].available_at == datetime(2020, 5, 5, 3, 59, 59, 999999, tzinfo=UTC)
    assert (len(documents), documents[0].use) == (1, "ship")
    assert report.bad_row_examples[0].reason == "no field 'day'"


def test_the_limit_ends_the_reading(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [fineweb_row(number) for number in range(30)])
    documents, _ = folder(FINEWEB, tmp_path, limit=7)
    assert [document.url for document in documents] == [f"http://example.org/{number}" for number in range(7)]


def test_bad_rows_are_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_lines(
        path, [fineweb_row(1), fineweb_row(2, text=""), fineweb_row(3, date="soon"), {"text": "x"}, 5]
    )
    path.write_bytes(path.read_bytes() + b'{"text": "cut of')
    documents, report = folder(FINEWEB, tmp_path)
    assert [document.url for document in documents] == ["http://example.org/1"]
    assert report.bad_rows == 5


def test_a_folder_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(MintageError, match="hf download"):
        folder(FINEWEB, tmp_path)
    write_parquet(tmp_path / "a.parquet", [{"text": "x"}])
    with pytest.raises(MintageError, match="no column 'dump', 'id', 'url'"):
        folder(FINEWEB, tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(MintageError, match="not a whole Parquet file"):
        folder(FINEWEB, tmp_path)
    (tmp_path / "a.parquet").unlink()
    (tmp_path / "b.json").write_text('[{"text": "x"}, {"te')
    with pytest.raises(MintageError, match="not JSON"):
        folder(FINEWEB, tmp_path)


class Hub:
    """A transport that answers as the Hub and its viewer do for FineWeb-Edu with some rows."""

    def __init__(self, rows: int = 250, sha: str = "abc", text: str = "Lesson"):
        self.rows, self.sha, self.text = rows, sha, text
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        self.asked.append((request.url, request.headers))
        return Response(request.url, 200, {}, json.dumps(self.body(request)).encode(), AT)

    def body(self, request: Request) -> dict[str, Any]:
        parts = urlsplit(request.url)
        if parts.path == f"/api/datasets/{FINEWEB}":
            return {"id": FINEWEB, "sha": self.sha, "gated": False}
        if parts.hostname != "datasets-server.huggingface.co":
            raise Refused(request.url, "HTTP 401")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        start, length = int(query["offset"]), int(query["length"])
        numbers = range(start, min(start + length, self.rows))
        rows = [
            {
                "row_idx": number,
                "row": fineweb_row(number, text=f"{self.text} {number}"),
                "truncated_cells": ["text"] if number == 3 else [],
            }
            for number in numbers
        ]
        return {"features": [], "rows": rows, "num_rows_total": self.rows, "partial": False}


def by_name(folder: Path, host: Hub, **changes: Any) -> tuple[list[Document], SourceReport, Account]:
    settings = HubSource(dataset=FINEWEB, **changes)
    account = collect(discover, settings, RawStore(folder), host)
    report = SourceReport()
    return list(parse(settings, RawStore(folder), report)), report, account


def test_rows_by_name_are_fetched_page_by_page_up_to_the_limit(tmp_path: Path) -> None:
    host = Hub()
    documents, report, account = by_name(tmp_path, host, limit=120)
    assert len(host.asked) == 3 and account.fetched == 3 and account.unchanged == 0
    assert len(documents) == 120
    assert documents[0].native_id == "<urn:uuid:0000-0>"
    assert documents[0].raw_file == f"{FINEWEB}/default/train"
    assert report.bad_rows == 1 and "the viewer cut text short" in report.bad_row_examples[0].reason
    again = Hub()
    by_name(tmp_path, again, limit=120)
    assert len(again.asked) == 1, "rows that are there are not asked for again"


def test_a_small_data_set_ends_before_the_limit(tmp_path: Path) -> None:
    host = Hub(rows=50)
    documents, _, _ = by_name(tmp_path, host, limit=1000)
    assert len(documents) == 49 and len(host.asked) == 2


def test_pages_of_two_revisions_never_mix(tmp_path: Path) -> None:
    by_name(tmp_path, Hub(), limit=250)
    documents, _, _ = by_name(tmp_path, Hub(sha="def", text="New lesson"), limit=250)
    assert len(documents) == 249
    assert all(document.text.startswith("New lesson") for document in documents)


def test_the_token_comes_from_the_environment_and_is_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    host = Hub()
    by_name(tmp_path, host, limit=10)
    assert all(headers["Authorization"] == "Bearer hf_secret" for _, headers in host.asked)
    assert all(b"hf_secret" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_data_set_that_asks_for_a_token_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    settings = HubSource(dataset="allenai/peS2o", limit=10)
    account = collect(discover, settings, RawStore(tmp_path), Hub())
    assert account.refused == 1 and "set HF_TOKEN" in account.refusals[0]


def test_a_data_set_that_the_viewer_does_not_have_says_what_to_do(tmp_path: Path) -> None:
    class Without(Hub):
        def body(self, request: Request) -> dict[str, Any]:
            if "rows" in request.url:
                return {"error": "The split does not exist."}
            return super().body(request)

    _, _, account = by_name(tmp_path, Without(), limit=10)
    assert "The split does not exist.; correct `config` and `split`, or download" in account.refusals[0]


def test_the_files_of_a_folder_are_its_data_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/1.parquet", "a/2.jsonl.zst", "a/10.json.gz", "card.md", ".git/x.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = files(HubSource(dataset=FINEWEB, path=str(tmp_path)))
    assert [name for _, name in found] == ["a/10.json.gz", "a/2.jsonl.zst", "b/1.parquet"]


def test_settings_say_what_is_wrong() -> None:
    assert set(PRESETS) == set(get_args(Known))
    with pytest.raises(ValueError, match="needs a `limit`"):
        HubSource(dataset=FINEWEB)
    with pytest.raises(ValueError, match="give its `licence`"):
        HubSource(dataset="owner/other", limit=5)
    with pytest.raises(ValueError, match="write it as owner/name"):
        HubSource(dataset="fineweb", limit=5)
