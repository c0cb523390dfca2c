"""The files source: every format gives the same documents, and nothing bad gets in or goes unsaid."""

import csv
import gzip
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mintage.corpus.document import Document, chat_messages
from mintage.corpus.extract.mojibake import mended
from mintage.corpus.sources import rows
from mintage.corpus.sources.dates import DateField
from mintage.corpus.sources.files import Fields, FilesSource, read
from mintage.corpus.sources.report import SourceReport
from mintage.errors import MintageError

ROWS = [
    {"id": "1", "body": "Revenue rose.\nIt was 1,234.", "day": "2020-01-02", "symbol": "AAA", "sort": "call"},
    {"id": "2", "body": 'He said "up", twice; é', "day": "2020-01-03", "symbol": "BBB", "sort": "note"},
    {"id": "3", "body": "No date here", "day": "", "symbol": "", "sort": "call"},
]
MAPPING = Fields(text="body", native_id="id", kind="sort", entities={"ticker": "symbol"})


def source(path: Path | str, **changes) -> FilesSource:
    base = FilesSource(name="mine", path=str(path), licence="CC0-1.0", use="ship", fields=MAPPING)
    return replace(base, available_at=(DateField("day"),), **changes)


def collect(settings: FilesSource) -> tuple[list[Document], SourceReport]:
    report = SourceReport()
    return list(read(settings, report)), report


def as_jsonl(records) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def as_csv(records) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def as_parquet(records) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), sink)
    return sink.getvalue()


def as_zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


WRITERS = {
    "jsonl": as_jsonl,
    "csv": as_csv,
    "parquet": as_parquet,
    "jsonl.gz": lambda records: gzip.compress(as_jsonl(records)),
    "jsonl.zst": lambda records: as_zstd(as_jsonl(records)),
    "csv.gz": lambda records: gzip.compress(as_csv(records)),
    "csv.zst": lambda records: as_zstd(as_csv(records)),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_documents(tmp_path, suffix):
    path = tmp_path / f"data.{suffix}"
    path.write_bytes(WRITERS[suffix](ROWS))
    documents, report = collect(source(path))
    assert [document.text for document in documents] == [row["body"] for row in ROWS]
    assert [document.native_id for document in documents] == ["1", "2", "3"]
    assert [document.kind for document in documents] == ["call", "note", "call"]
    assert documents[0].entities == (("ticker", "AAA"),)
    assert documents[0].available_at == datetime(2020, 1, 2, 23, 59, 59, 999999, tzinfo=UTC)
    assert (documents[2].available_at, documents[2].date_precision, documents[2].entities) == (
        None,
        "unknown",
        (),
    )
    assert {(d.licence, d.use, d.raw_file) for d in documents} == {("CC0-1.0", "ship", path.name)}
    assert (report.bad_rows, [file.file for file in report.files]) == (0, [path.name])
    assert documents[0].raw_sha256 == report.files[0].sha256


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=60)
@given(
    st.lists(cells.filter(lambda text: text.strip()), min_size=1, max_size=5),
    st.sampled_from(["jsonl", "csv", "parquet"]),
)
def test_any_text_comes_through_but_for_line_breaks_nuls_and_mojibake(tmp_path_factory, texts, suffix):
    assume(suffix != "csv" or "\0" not in "".join(texts))  # a file with a raw NUL is refused as binary
    path = tmp_path_factory.mktemp("any") / f"data.{suffix}"
    path.write_bytes(WRITERS[suffix]([{"body": text, "id": str(index)} for index, text in enumerate(texts)]))
    documents, _ = collect(
        FilesSource("mine", str(path), "CC0-1.0", fields=Fields(text="body", native_id="id"))
    )
    expected = [mended(text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")) for text in texts]
    assert [document.text for document in documents] == [text for text in expected if text.strip()]


def test_text_that_was_read_in_the_wrong_encoding_is_mended(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"text": "the bankâ€™s rate"}) + "\n", encoding="utf-8")
    documents, _ = collect(FilesSource("mine", str(path), "CC0-1.0"))
    assert documents[0].text == "the bank’s rate"


def test_members_of_a_gzip_file_are_read_one_after_the_other(tmp_path):
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(gzip.compress(as_jsonl(ROWS[:1])) + gzip.compress(as_jsonl(ROWS[1:])))
    assert len(collect(source(path))[0]) == 3


def test_a_text_file_is_one_document_titled_and_dated_by_its_name(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "letter of 2019-05-04.md").write_bytes(b"\xef\xbb\xbf# Dear\r\nall\r")
    (tmp_path / "note 2018-01.txt.gz").write_bytes(gzip.compress(b"second"))
    (tmp_path / ".hidden").write_bytes(b"\0")
    rule = DateField("file", pattern=r"\d{4}-[\d-]+")
    documents, report = collect(FilesSource("mine", str(tmp_path), "CC0-1.0", available_at=(rule,)))
    assert [(d.native_id, d.title, d.text, d.date_precision) for d in documents] == [
        ("deep/letter of 2019-05-04.md", "letter of 2019-05-04", "# Dear\nall\n", "day"),
        ("note 2018-01.txt.gz", "note 2018-01", "second", "month"),
    ]
    assert len(report.files) == 2


def test_a_pattern_of_names_chooses_files(tmp_path):
    for name in ("a/1.txt", "a/2.txt", "b/1.txt", "a/1.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    documents, _ = collect(FilesSource("mine", str(tmp_path / "*" / "1.*"), "CC0-1.0"))
    assert [document.native_id for document in documents] == ["a/1.md", "a/1.txt", "b/1.txt"]


def test_where_keeps_the_rows_that_are_asked_for_and_counts_the_others(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(
        as_jsonl([*ROWS, {"body": "x", "id": "4", "day": "2020-01-05", "sort": None, "symbol": "C"}])
    )
    documents, report = collect(source(path, where={"sort": ("note", "minutes")}))
    assert ([document.native_id for document in documents], report.other_rows) == (["2"], 3)


def test_the_first_rule_that_finds_something_dates_the_row(tmp_path):
    path = tmp_path / "data.jsonl"
    days = [("1999-05-18", "a"), ("2006-01-31", "b"), (None, "c"), (None, "")]
    path.write_bytes(as_jsonl([{"text": "t", "day": day, "filed": filed} for day, filed in days]))
    rules = (
        DateField("day", pattern="^199.*", delay_days=60),
        DateField("day", delay_days=21),
        DateField("filed", pattern="c", format="c%Y"),
    )
    settings = FilesSource("mine", str(path), "CC0-1.0", available_at=rules[:2])
    found = [document.available_at for document in collect(settings)[0]]
    assert [moment and moment.date() for moment in found] == [
        date(1999, 7, 17),
        date(2006, 2, 21),
        None,
        None,
    ]
    _, report = collect(replace(settings, available_at=rules))
    assert [example.line for example in report.bad_row_examples] == [3]


def test_fields_of_a_row_override_the_constants_of_the_source(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(
        as_jsonl(
            [
                {
                    "text": "a",
                    "use": "evaluate",
                    "rights": "own",
                    "about": {"url": "http://x", "cik": 320193},
                },
                {"text": "b", "use": None, "rights": "", "about": {"url": None, "cik": None}},
                {"text": "c", "use": "sell", "rights": "own", "about": {}},
            ]
        )
    )
    mapping = Fields(use="use", licence="rights", url="about.url", entities={"cik": "about.cik"})
    documents, report = collect(FilesSource("mine", str(path), "CC0-1.0", "local", fields=mapping))
    assert [(d.use, d.licence, d.url, d.entities) for d in documents] == [
        ("evaluate", "own", "http://x", (("cik", "320193"),)),
        ("local", "CC0-1.0", None, ()),
    ]
    assert "'sell'" in report.bad_row_examples[0].reason


def test_the_period_of_a_document_is_its_last_day(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(as_jsonl([{"text": "a", "year": 2015}, {"text": "b", "year": None}]))
    settings = FilesSource("mine", str(path), "CC0-1.0", period_end=DateField("year", format="%Y"))
    assert [document.period_end for document in collect(settings)[0]] == [date(2015, 12, 31), None]


def test_typed_dates_of_parquet_are_understood(tmp_path):
    path = tmp_path / "data.parquet"
    columns = {
        "text": ["a", "b"],
        "at": pa.array([datetime(2020, 1, 1, 9, 30), None], pa.timestamp("ns", tz="America/New_York")),
        "on": pa.array([date(2020, 1, 1), date(2020, 1, 2)]),
    }
    pq.write_table(pa.table(columns), path)
    settings = FilesSource("mine", str(path), "CC0-1.0", available_at=(DateField("at"), DateField("on")))
    first, second = (document.available_at for document in collect(settings)[0])
    assert first == datetime(2020, 1, 1, 9, 30, tzinfo=UTC)
    assert second == datetime(2020, 1, 2, 23, 59, 59, 999999, tzinfo=UTC)


CHAT = [{"role": "user", "content": "Up?"}, {"role": "assistant", "content": "Up 3%."}]


@pytest.mark.parametrize(
    ("row", "mapping"),
    [
        ({"turns": [{**turn, "id": 7} for turn in CHAT]}, Fields(messages="turns")),
        ({"turns": json.dumps(CHAT)}, Fields(messages="turns")),
        ({"q": "Up?", "a": "Up 3%."}, Fields(prompt="q", response="a")),
    ],
)
def test_chats_in_every_form_become_the_same_messages(tmp_path, row, mapping):
    path = tmp_path / "data.jsonl"
    path.write_bytes(as_jsonl([row]))
    (document,), report = collect(FilesSource("mine", str(path), "CC0-1.0", fields=mapping))
    assert (document.kind, chat_messages(document.text), report.bad_rows) == ("chat", CHAT, 0)


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ("[", "JSON"),
        ("hello", "JSON"),
        ({"role": "user"}, "list"),
        ([{"role": "robot", "content": "x"}], "'robot'"),
        ([{"role": "user", "content": "x"}], "no assistant"),
        ([{"role": "user", "content": "x"}, {"role": "assistant", "content": " "}], "empty"),
        ([{"role": "user"}, {"role": "assistant", "content": "x"}], "content"),
    ],
)
def test_a_chat_that_teaches_nothing_is_a_bad_row(tmp_path, turns, reason):
    path = tmp_path / "data.jsonl"
    path.write_bytes(as_jsonl([{"turns": turns}]))
    documents, report = collect(FilesSource("mine", str(path), "CC0-1.0", fields=Fields(messages="turns")))
    assert documents == [] and reason in report.bad_row_examples[0].reason


def test_bad_rows_are_counted_named_by_line_and_kept_out(tmp_path):
    path = tmp_path / "data.jsonl"
    lines = [
        b'{"body": "good", "id": 1, "day": null, "symbol": "A", "sort": "x"}',
        b'{"body": "cut off',
        b"",
        b"[1, 2]",
        b'{"id": 5, "day": "2020-01-01", "symbol": "A"}',
        b'{"body": 12, "id": 6}',
        b'{"body": "  ", "id": 7}',
        b'{"body": "caf\xe9", "id": 8}',
        b'{"body": "t", "id": 9, "day": "soon"}',
        b'{"body": "half \\ud800", "id": 10}',
        b'{"body": "t", "id": ["x"]}',
        b'{"body": "t", "id": "half \\udc00"}',
        b'{"body": null, "id": 13}',
        b'{"body": "no newline at the end", "id": 14}',
    ]
    path.write_bytes(b"\n".join(lines))
    documents, report = collect(source(path))
    assert [document.native_id for document in documents] == ["1", "14"]
    assert report.bad_rows == 11
    examples = [(example.file, example.line) for example in report.bad_row_examples]
    assert examples == [("data.jsonl", line) for line in (2, 4, 5, 6, 7)]
    reasons = [example.reason for example in report.bad_row_examples]
    for part, reason in zip(["not JSON", "list", "no field 'body'", "a int", "empty"], reasons, strict=True):
        assert part in reason


def test_bad_rows_of_a_csv_do_not_take_their_neighbours_with_them(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(
        b'\xef\xbb\xbfbody,id\n"two\nlines",1\ntoo,many,values\ncaf\xe9,2\n"odd"quote,3\n\ngood,4\n'
    )
    documents, report = collect(
        FilesSource("mine", str(path), "CC0-1.0", fields=Fields("body", native_id="id"))
    )
    assert [(document.native_id, document.text) for document in documents] == [
        ("1", "two\nlines"),
        ("4", "good"),
    ]
    assert [example.line for example in report.bad_row_examples] == [4, 5, 6]


def test_a_row_larger_than_memory_allows_is_a_bad_row(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MAXIMUM_BYTES", 1000)
    monkeypatch.setattr(rows, "CHUNK_BYTES", 64)
    records = [{"text": "a"}, {"text": "b" * 5000}, {"text": "c"}, {"text": "d" * 1100}]
    for suffix in ("jsonl", "csv"):
        path = tmp_path / f"data.{suffix}"
        path.write_bytes(WRITERS[suffix](records))
        documents, report = collect(FilesSource("mine", str(path), "CC0-1.0"))
        assert ([document.text for document in documents], report.bad_rows) == (["a", "c"], 2)
    text = tmp_path / "data.txt"
    text.write_text("x" * 2000)
    assert collect(FilesSource("mine", str(text), "CC0-1.0"))[1].bad_rows == 1


def refusal(settings: FilesSource) -> str:
    with pytest.raises(MintageError) as refused:
        collect(settings)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("data.jsonl", b"", "empty"),
        ("data.txt", "UTF-16".encode("utf-16"), "not a text file"),
        ("data.jsonl", b"\x00\x01\x02", "not a text file"),
        ("data.csv", b"PK\x03\x04\x00\x00", "not a text file"),
        ("data.docx", b"x", "kind of file"),
        ("data.parquet.gz", b"x", "kind of file"),
        ("data.jsonl.gz", b"not gzip at all", "damaged"),
        ("data.jsonl.gz", gzip.compress(as_jsonl(ROWS) * 50)[:-20], "damaged"),
        ("data.jsonl.zst", as_zstd(as_jsonl(ROWS))[:-4], "damaged"),
        ("data.parquet", as_parquet(ROWS)[:-9], "not a whole Parquet file"),
        ("data.csv", b"body,id\nx,1\n", "'sort', 'symbol', 'day'"),
        ("data.parquet", as_parquet([{"body": "x", "id": "1", "day": "", "symbol": ""}]), "'sort'"),
        ("data.jsonl", as_jsonl([{"body": "x", "id": "1", "day": "", "symbol": ""}]), "'sort'"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_mend(tmp_path, name, content, part):
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(source(path))
    assert message.startswith(str(path)) and part in message


def test_a_missing_file_a_bare_directory_and_a_pattern_without_matches_are_named(tmp_path):
    for missing in (tmp_path / "no.txt", tmp_path / "*.txt", tmp_path):
        assert refusal(source(missing)).startswith(f"{missing}: ")


def test_one_empty_file_among_others_is_counted(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "b.txt").write_text("")
    documents, report = collect(FilesSource("mine", str(tmp_path), "CC0-1.0"))
    assert (len(documents), report.bad_rows, report.bad_row_examples[0].file) == (1, 1, "b.txt")


def test_of_a_web_page_the_main_part_is_read_and_its_encoding_mended(tmp_path):
    menu = "<ul><li><a href='/a'>About</a></li></ul><p>Skip to main content</p>"
    main = "<div role='main'><h3>Statement</h3><p>agency mortgage‑backed debt</p></div>"
    page = f"<html><body>{menu}{main}</body></html>"
    (tmp_path / "a.html").write_bytes(page.encode().decode("cp1252", "replace").encode())
    (document,) = read(FilesSource("mine", str(tmp_path), "CC0-1.0"), SourceReport())
    assert document.text == "### Statement\n\nagency mortgage‑backed debt\n"


def test_a_page_of_html_becomes_markdown_and_is_dated_by_its_name(tmp_path):
    table = "<table><tr><td>Rate</td><td>$</td><td>5.25</td></tr></table>"
    page = f"<html><body><h1>Rates</h1>{table}</body></html>"
    (tmp_path / "statement-2020-05-04.html.gz").write_bytes(gzip.compress(page.encode("cp1252")))
    rule = DateField("file", pattern=r"\d{4}-\d\d-\d\d", zone="America/New_York")
    settings = FilesSource("mine", str(tmp_path), "CC0-1.0", available_at=(rule,))
    (document,) = read(settings, SourceReport())
    assert "Rates" in document.text and "5.25" in document.text and "<" not in document.text
    assert document.title == "statement-2020-05-04"
    assert document.available_at == datetime(2020, 5, 5, 3, 59, 59, 999999, tzinfo=UTC)
