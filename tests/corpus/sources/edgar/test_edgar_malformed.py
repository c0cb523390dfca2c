"""Answers of EDGAR with another shape than the documented one: the company that they are of is refused by
name, and the other comes whole."""

from __future__ import annotations

import json
import tempfile
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_edgar import A1, A2, ACME, B1, OLD, OLDER, Edgar, run, submission

from mintage.corpus.sources.edgar import listing
from mintage.corpus.sources.edgar.settings import EdgarSource
from tests.corpus.sources.stored import JSON, as_json, places, replaced

FACT = {
    "end": "2023-12-31",
    "val": 7,
    "accn": A1,
    "fy": 2023,
    "fp": "FY",
    "form": "10-K",
    "filed": "2024-02-01",
}
FACTS = {
    "cik": 1,
    "entityName": "Acme Corp",
    "facts": {"us-gaap": {"Assets": {"label": "Assets", "units": {"USD": [FACT]}}}},
}
BROKEN = {
    "tickers": listing.TICKERS,
    "submissions": listing.submissions_url(ACME),
    "continuation": f"{listing.DATA}/submissions/{OLDER['name']}",
    "companyfacts": listing.companyfacts_url(ACME),
}
BOTH = EdgarSource(companies=("acme", "2"), produce=("filings", "facts"))


def edgar_with_facts() -> Edgar:
    edgar = Edgar()
    edgar.pages[listing.companyfacts_url(ACME)] = as_json(FACTS)
    return edgar


def accessions(documents: list[Any]) -> set[str]:
    return {document.native_id.split("/")[0] for document in documents if document.kind != "facts"}


@pytest.mark.parametrize("answer", ["submissions", "continuation", "companyfacts"])
@pytest.mark.parametrize(
    "body", [b'{"message": "Internal server error"}', b'{"filings": 7, "facts": 7}', b"{}"]
)
def test_an_error_in_json_with_status_200_is_refused_and_never_stored(
    tmp_path: Path, answer: str, body: bytes
) -> None:
    edgar = edgar_with_facts()
    edgar.pages[BROKEN[answer]] = body
    account, documents, _ = run(BOTH, tmp_path, edgar)
    assert any(refusal.startswith(BROKEN[answer]) for refusal in account.refusals)
    assert accessions(documents) >= {B1}
    whole, documents, _ = run(BOTH, tmp_path, edgar_with_facts())
    assert not any(refusal.startswith(BROKEN[answer]) for refusal in whole.refusals)
    assert accessions(documents) == {OLD, A1, A2, B1}
    assert [document.kind for document in documents].count("facts") == 1


@settings(max_examples=20)
@given(st.data())
def test_anything_at_any_place_of_an_answer_stops_nothing_else(data: st.DataObject) -> None:
    edgar = edgar_with_facts()
    url = BROKEN[data.draw(st.sampled_from(sorted(BROKEN)))]
    content = json.loads(edgar.pages[url])
    edgar.pages[url] = as_json(
        replaced(content, data.draw(st.sampled_from(places(content))), data.draw(JSON))
    )
    with tempfile.TemporaryDirectory() as folder:
        _, documents, _ = run(BOTH, Path(folder), edgar)
    assert accessions(documents) >= {B1}


@settings(max_examples=20)
@given(st.data())
def test_any_bytes_changed_or_cut_in_a_filing_stop_nothing_else(data: st.DataObject) -> None:
    edgar = Edgar()
    body = bytearray(edgar.pages[listing.filing_url(ACME, A1)])
    begin = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(begin, min(len(body), begin + 40)))
    body[begin:end] = data.draw(
        st.binary(max_size=12) | st.sampled_from([b"\0", b"\xff\xfe", b"<![CDATA[", b"&#0;"])
    )
    edgar.pages[listing.filing_url(ACME, A1)] = bytes(body)
    with tempfile.TemporaryDirectory() as folder:
        _, documents, _ = run(BOTH, Path(folder), edgar)
    assert accessions(documents) >= {OLD, A2, B1}


@pytest.mark.parametrize("column", ["filingDate", "acceptanceDateTime"])
def test_a_filing_with_an_impossible_date_is_named_and_the_others_of_its_index_come(
    tmp_path: Path, column: str
) -> None:
    edgar = Edgar()
    content = json.loads(edgar.pages[listing.submissions_url(ACME)])
    content["filings"]["recent"][column][0] = "2024-13-45"
    edgar.pages[listing.submissions_url(ACME)] = as_json(content)
    account, documents, _ = run(EdgarSource(companies=("1",)), tmp_path, edgar)
    (refusal,) = account.refusals
    assert A1 in refusal and "2024-13-45" in refusal
    assert accessions(documents) == {OLD, A2}


def test_an_impossible_date_in_an_index_of_a_period_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    edgar = Edgar()
    lines = ["CIK|Company Name|Form Type|Date Filed|File Name", "---"]
    lines += [f"1|ACME|10-K|2024-02-31|edgar/data/1/{A1}.txt", f"2|BETA|8-K|2024-01-05|edgar/data/2/{B1}.txt"]
    edgar.pages[f"{listing.ARCHIVES}/full-index/2024/QTR1/master.idx"] = ("\n".join(lines) + "\n").encode()
    every = EdgarSource(companies="every", since=date(2024, 1, 1), until=date(2024, 3, 31))
    account, documents, _ = run(every, tmp_path, edgar)
    (refusal,) = account.refusals
    assert A1 in refusal
    assert accessions(documents) == {B1}


def test_what_is_damaged_in_a_nightly_archive_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    edgar = edgar_with_facts()
    names = {"submissions.zip": BROKEN["submissions"], "companyfacts.zip": BROKEN["companyfacts"]}
    for name, url in names.items():
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(url.rsplit("/", 1)[-1], edgar.pages[url])
    damaged = (
        (tmp_path / "companyfacts.zip").read_bytes().replace(b"Assets", b"AsseTs", 1)
    )  # its CRC is another
    (tmp_path / "companyfacts.zip").write_bytes(damaged)
    bulk = EdgarSource(companies=("1", "2"), produce=("filings", "facts"), bulk=str(tmp_path))
    account, documents, _ = run(bulk, tmp_path / "raw", edgar)
    assert [refusal.split(":")[1] for refusal in account.refusals] == [
        names["companyfacts.zip"].split(":")[1],
        listing.companyfacts_url("0000000002").split(":")[1],  # which the host does not have
    ]
    assert accessions(documents) == {OLD, A1, A2, B1}


def test_filings_in_other_encodings_keep_their_characters(tmp_path: Path) -> None:
    edgar = Edgar()
    text = "<p>Soci\xe9t\xe9 G\xe9n\xe9rale \x93quoted\x94 \x80 5</p>".encode("latin-1")
    body = submission(A1, "10-K", "2024-02-01", "TEXT").replace(b"TEXT\n</TEXT>", text + b"\n</TEXT>")
    edgar.pages[listing.filing_url(ACME, A1)] = body
    _, documents, _ = run(EdgarSource(companies=("1",)), tmp_path, edgar)
    (document,) = (one for one in documents if one.native_id.startswith(A1))
    assert document.text == "Soci\u00e9t\u00e9 G\u00e9n\u00e9rale \u201cquoted\u201d \u20ac 5"


def test_filings_and_figures_from_the_future_are_counted_and_left_out(tmp_path: Path) -> None:
    edgar = edgar_with_facts()
    facts = json.loads(edgar.pages[BROKEN["companyfacts"]])
    later = {**FACT, "accn": A2, "filed": "9999-12-31", "end": "9998-12-31"}
    facts["facts"]["us-gaap"]["Assets"]["units"]["USD"].append(later)
    edgar.pages[BROKEN["companyfacts"]] = as_json(facts)
    edgar.pages[listing.filing_url(ACME, A2)] = submission(A2, "10-K/A", "2199-03-01", "<p>Part III.</p>")
    _, documents, report = run(replace(BOTH, companies=("1",)), tmp_path, edgar)
    assert accessions(documents) == {OLD, A1}
    assert [one.native_id for one in documents if one.kind == "facts" and A2 in one.native_id] == []
    assert report.bad_rows == 2
    assert all("9999" in bad.reason or "2199" in bad.reason for bad in report.bad_row_examples)
