"""EDGAR from the settings to the documents: recorded answers, small ones written here, and failures."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from small_edgar import A1, A2, ACME, B1, BETA, OLD, OLDER, REPORT, Edgar, run, submission

from mintage.corpus.collect.collect import collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Replay
from mintage.corpus.sources.edgar import listing, source
from mintage.corpus.sources.edgar.bulk import ARCHIVES
from mintage.corpus.sources.edgar.settings import EdgarSource
from mintage.corpus.sources.report import SourceReport
from mintage.errors import MintageError

FORMS = ("10-K", "10-Q", "8-K", "S-1", "F-3", "S-3", "424B5")


def test_the_filings_of_a_ticker_come_with_continuation_files_and_amendments(tmp_path: Path) -> None:
    edgar = Edgar()
    account, documents, report = run(EdgarSource(companies=("acme",)), tmp_path, edgar)
    assert account.refusals == [] and report.bad_rows == 0
    assert [(document.native_id, document.kind) for document in documents] == [
        (f"{OLD}/cover", "filing.10-K405.cover"),
        (f"{OLD}/item1", "filing.10-K405.item1"),
        (f"{OLD}/item1A", "filing.10-K405.item1A"),
        (f"{OLD}/item7", "filing.10-K405.item7"),
        (f"{A1}/cover", "filing.10-K.cover"),
        (f"{A1}/item1", "filing.10-K.item1"),
        (f"{A1}/item1A", "filing.10-K.item1A"),
        (f"{A1}/item7", "filing.10-K.item7"),
        (f"{A2}/whole", "filing.10-K/A"),
    ]
    one = documents[5]
    assert one.title == "Acme 10-K for 2023-12-31: Item 1. Business"
    assert "We sell anvils." in one.text and "heavy" not in one.text
    assert one.available_at == one.published_at == datetime(2024, 2, 1, 15, 15, tzinfo=UTC)
    assert one.date_precision == "second"
    assert one.period_end == date(2023, 12, 31)
    assert one.entities == (("cik", ACME), ("ticker", "ACME"), ("ticker", "ACME-P"))
    assert one.url == listing.filing_url(ACME, A1)
    assert one.raw_file == f"{A1}.txt"
    assert one.raw_sha256 == RawStore(tmp_path).newest[one.url].sha256
    assert (one.licence, one.use) == ("public filings of the US SEC", "local")


def test_forms_days_and_amendments_are_as_asked_and_nothing_else_is_requested(tmp_path: Path) -> None:
    settings = EdgarSource(
        companies=("CIK0000000001",), forms=("10-K",), amendments=False, since=date(2020, 1, 1)
    )
    edgar = Edgar()
    account, _, _ = run(settings, tmp_path, edgar)
    assert edgar.asked == [listing.submissions_url(ACME), listing.filing_url(ACME, A1)]
    assert account.fetched == 2


def test_a_second_run_asks_for_no_filing_again(tmp_path: Path) -> None:
    settings = EdgarSource(companies=("ACME", "BRK.B"))
    edgar = Edgar()
    _, first, _ = run(settings, tmp_path, edgar)
    edgar.asked.clear()
    account, second, _ = run(settings, tmp_path, edgar)
    assert not any("/Archives/edgar/data/" in url for url in edgar.asked)
    assert account.fetched == 0
    assert second == first


def test_documents_are_only_of_what_the_settings_still_name(tmp_path: Path) -> None:
    settings = EdgarSource(companies=("ACME", "BRK.B"))
    run(settings, tmp_path, Edgar())
    report, raw = SourceReport(), RawStore(tmp_path)

    def names(settings: EdgarSource) -> set[str]:
        return {document.native_id.split("/")[0] for document in source.parse(settings, raw, report)}

    assert names(settings) == {A1, A2, OLD, B1}
    assert names(replace(settings, companies=("ACME",))) == {A1, A2, OLD}
    assert names(replace(settings, forms=("8-K",))) == {B1}
    assert names(replace(settings, until=date(2024, 1, 31))) == {OLD, B1}
    assert names(replace(settings, since=date(2024, 1, 5), until=date(2024, 1, 5))) == {B1}
    assert names(EdgarSource(filings=(f"2/{B1}",))) == {B1}


def test_a_single_filing_is_had_without_its_company(tmp_path: Path) -> None:
    edgar = Edgar()
    account, documents, _ = run(EdgarSource(filings=(f"2/{B1}", f"2/{B1}")), tmp_path, edgar)
    assert (account.fetched, account.unchanged) == (1, 0)  # named twice, counted once
    assert edgar.asked == [listing.filing_url(BETA, B1)]
    assert [document.text for document in documents] == ["News."]
    account, _, _ = run(EdgarSource(companies=("2",), filings=(f"2/{B1}",)), tmp_path / "both", Edgar())
    assert (account.fetched, account.unchanged) == (2, 0)  # the index and the filing, which both name


def test_two_press_releases_of_one_filing_are_two_documents(tmp_path: Path) -> None:
    edgar = Edgar()
    exhibits = b"".join(
        b"<DOCUMENT>\n<TYPE>EX-99.%d\n<SEQUENCE>%d\n<TEXT>\nRelease %d\n</TEXT>\n</DOCUMENT>\n"
        % (n, n + 1, n)
        for n in (1, 2)
    )
    url = listing.filing_url(BETA, B1)
    edgar.pages[url] = edgar.pages[url].replace(b"</SEC-DOCUMENT>", exhibits + b"</SEC-DOCUMENT>")
    _, documents, _ = run(EdgarSource(filings=(f"2/{B1}",)), tmp_path, edgar)
    assert [(one.native_id, one.text, one.title[-12:]) for one in documents[1:]] == [
        (f"{B1}/exhibit99.2", "Release 1", "Exhibit 99.1"),
        (f"{B1}/exhibit99.3", "Release 2", "Exhibit 99.2"),
    ]


def test_a_filing_of_an_evening_is_published_then_and_public_in_the_morning(tmp_path: Path) -> None:
    edgar = Edgar()
    friday = submission(A1, "20-F", "2024-02-05", REPORT).replace(b"20240205101500", b"20240202183000")
    edgar.pages[listing.filing_url(ACME, A1)] = friday
    later = submission(A2, "6-K", "2024-02-02", "<p>Late.</p>").replace(
        b"FILED AS OF DATE:\t\t20240202", b"FILED AS OF DATE:\t\t20240322"
    )
    edgar.pages[listing.filing_url(ACME, A2)] = later
    _, documents, _ = run(EdgarSource(filings=(f"1/{A1}", f"1/{A2}")), tmp_path, edgar)
    times = {
        (one.kind.split(".")[1], one.published_at, one.available_at, one.period_end) for one in documents
    }
    assert times == {
        (
            "20-F",
            datetime(2024, 2, 2, 23, 30, tzinfo=UTC),  # Friday, 18:30 in New York
            datetime(2024, 2, 5, 11, 0, tzinfo=UTC),  # Monday, 6:00
            date(2023, 12, 31),
        ),
        (
            "6-K",
            datetime(2024, 2, 2, 15, 15, tzinfo=UTC),
            datetime(2024, 3, 23, 3, 59, 59, 999999, tzinfo=UTC),  # the end of the day that it was filed on
            None,
        ),
    }


def master(rows: list[str]) -> bytes:
    head = "Description: Master Index\n \nCIK|Company Name|Form Type|Date Filed|File Name\n" + "-" * 80 + "\n"
    return (head + "".join(row + "\n" for row in rows)).encode("latin-1")


def test_every_company_of_a_period_is_found_in_the_quarterly_index(tmp_path: Path) -> None:
    edgar = Edgar()
    edgar.pages["https://www.sec.gov/Archives/edgar/full-index/2024/QTR1/master.idx"] = master(
        [
            f"1|Acme|10-K|2024-02-01|edgar/data/1/{A1}.txt",
            f"2|Beta Café|10-K|2024-02-01|edgar/data/2/{A1}.txt",  # a second filer of the same filing
            f"2|Beta Café|8-K|2024-01-05|edgar/data/2/{B1}.txt",
            f"1|Acme|10-K/A|2024-03-01|edgar/data/1/{A2}.txt",
        ]
    )
    settings = EdgarSource(
        companies="every", forms=("10-K", "8-K"), since=date(2024, 1, 1), until=date(2024, 2, 28)
    )
    account, documents, _ = run(settings, tmp_path, edgar)
    assert account.refusals == []
    assert {document.native_id.split("/")[0] for document in documents} == {A1, B1}
    assert len(edgar.asked) == 3


def test_a_short_period_is_read_from_the_daily_indexes(tmp_path: Path) -> None:
    edgar = Edgar()
    folder = "https://www.sec.gov/Archives/edgar/daily-index/2024/QTR1/"
    names = ["form.20240105.idx", "master.20240104.idx", "master.20240105.idx", "master.20240201.idx"]
    edgar.pages[folder + "index.json"] = json.dumps(
        {"directory": {"item": [{"name": name} for name in names]}}
    ).encode()
    edgar.pages[folder + "master.20240105.idx"] = master([f"2|Beta|8-K|20240105|edgar/data/2/{B1}.txt"])
    settings = EdgarSource(companies="every", since=date(2024, 1, 5), until=date(2024, 1, 8))
    _, documents, _ = run(settings, tmp_path, edgar)
    assert [document.native_id for document in documents] == [f"{B1}/whole"]
    assert edgar.asked == [
        folder + "index.json",
        folder + "master.20240105.idx",
        listing.filing_url(BETA, B1),
    ]


def test_quarters_are_those_of_the_period() -> None:
    urls = [url.split("full-index/")[1] for _, url in listing.index_urls(date(2023, 11, 5), date(2024, 4, 1))]
    assert urls == [f"{quarter}/master.idx" for quarter in ("2023/QTR4", "2024/QTR1", "2024/QTR2")]
    assert listing.last_day(date(2023, 10, 1)) == date(2023, 12, 31)
    assert listing.business_days(date(2024, 1, 5), date(2024, 1, 8)) == 2
    firsts = [first for first, _ in listing.index_urls(date(2024, 3, 31), date(2024, 4, 1))]
    assert firsts == [date(2024, 1, 1), date(2024, 4, 1)]


def test_both_ends_of_a_period_belong_to_it() -> None:
    names = [f"master.202401{day:02}.idx" for day in range(3, 10)]
    folder = json.dumps({"directory": {"item": [{"name": name} for name in names]}}).encode()
    assert listing.daily_names(folder, date(2024, 1, 4), date(2024, 1, 5)) == names[1:3]
    (one,) = listing.read_master_index(master([f"1|Acme|10-K|20240104|edgar/data/1/{A1}.txt"]))
    assert one == listing.Listed(ACME, A1, "10-K", date(2024, 1, 4))


def test_nightly_archives_stand_for_the_answers_of_the_host(tmp_path: Path) -> None:
    edgar = Edgar()
    facts = json.dumps({"cik": 1, "entityName": "Acme", "facts": {}}).encode()
    with zipfile.ZipFile(tmp_path / "submissions.zip", "w") as archive:
        for name in (f"CIK{ACME}.json", str(OLDER["name"])):
            archive.writestr(name, edgar.pages[f"{listing.DATA}/submissions/{name}"])
    with zipfile.ZipFile(tmp_path / "companyfacts.zip", "w") as archive:
        archive.writestr(f"CIK{ACME}.json", facts)
    settings = EdgarSource(companies=("1", "2"), bulk=str(tmp_path), produce=("filings", "facts"))
    account, documents, _ = run(settings, tmp_path / "raw", edgar)
    assert listing.submissions_url(ACME) not in edgar.asked  # out of the archive
    assert listing.submissions_url(BETA) in edgar.asked  # not in it
    assert {document.native_id.split("/")[0] for document in documents} == {A1, A2, OLD, B1}
    raw = RawStore(tmp_path / "raw")
    assert raw.body(raw.newest[listing.companyfacts_url(ACME)]) == facts
    assert account.refusals == [f"{listing.companyfacts_url(BETA)}: HTTP 404"]
    assert run(settings, tmp_path / "raw", edgar)[0].fetched == 0
    os.utime(tmp_path / "companyfacts.zip", (1, 1_700_000_000))
    run(settings, tmp_path / "old", edgar)
    stored = RawStore(tmp_path / "old").newest[listing.companyfacts_url(ACME)]
    assert stored.moment == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)  # when the archive was made


def test_archives_are_fetched_where_they_are_missing_or_old(tmp_path: Path) -> None:
    edgar = Edgar()
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"CIK{BETA}.json", edgar.pages[listing.submissions_url(BETA)])
    edgar.pages[ARCHIVES["submissions.zip"]] = path.read_bytes()
    settings = EdgarSource(companies=("2",), bulk=str(tmp_path / "bulk"), fetch_bulk=True)
    for fetched in (True, False):
        edgar.asked.clear()
        run(settings, tmp_path / "raw", edgar)
        assert (ARCHIVES["submissions.zip"] in edgar.asked) is fetched
    os.utime(tmp_path / "bulk" / "submissions.zip", (1, 1))
    run(settings, tmp_path / "raw", edgar)
    assert ARCHIVES["submissions.zip"] in edgar.asked


def test_a_missing_or_damaged_archive_is_one_clear_message(tmp_path: Path) -> None:
    settings = EdgarSource(companies=("2",), bulk=str(tmp_path))
    with pytest.raises(MintageError, match="no such archive"):
        run(settings, tmp_path / "raw", Edgar())
    (tmp_path / "submissions.zip").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(MintageError, match="not a whole zip file"):
        run(settings, tmp_path / "raw", Edgar())


def test_without_a_contact_no_request_is_made() -> None:
    with pytest.raises(MintageError, match=r"edgar\.contact.*e-mail"):
        source.user_agent(EdgarSource(companies=("AAPL",)))
    assert "me@example.org" in source.user_agent(EdgarSource(companies=("AAPL",), contact="me@example.org"))


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({}, "name companies"),
        ({"companies": ("AAPL", "no ticker!")}, "neither a ticker nor a CIK"),
        ({"filings": ("0000912057-00-023442",)}, "CIK/accession"),
        ({"companies": "every"}, "give since and until"),
        ({"companies": ("1",), "since": date(2024, 2, 1), "until": date(2024, 1, 1)}, "lies after"),
        ({"companies": ("1",), "requests_per_second": 10.5}, "at most 10"),
        ({"companies": ("1",), "requests_per_second": 0}, "more than 0"),
        ({"companies": ("1",), "contact": "somebody"}, "no e-mail address"),
        ({"companies": ("1",), "fetch_bulk": True}, "needs a folder"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(named: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        EdgarSource(**named)


def test_the_rate_is_five_a_second_over_all_hosts() -> None:
    assert source.rates(EdgarSource(companies=("1",))) == {"sec.gov": 5.0}


def test_an_unknown_ticker_is_named_with_the_nearest_ones_and_the_others_go_on(tmp_path: Path) -> None:
    account, documents, _ = run(EdgarSource(companies=("ACMEE", "BRK.B")), tmp_path, Edgar())
    assert account.refused == 1
    assert "no company has the ticker 'ACMEE'; the nearest are ACME (Acme Corp)" in account.refusals[0]
    assert len(documents) == 1


def test_where_the_list_of_tickers_is_refused_numbers_go_on(tmp_path: Path) -> None:
    edgar = Edgar()
    del edgar.pages[listing.TICKERS]
    account, documents, _ = run(EdgarSource(companies=("ACME", "TSLA", "2")), tmp_path, edgar)
    assert account.refusals == [f"{listing.TICKERS}: HTTP 404"]
    assert len(documents) == 1


def test_a_403_everywhere_is_told_and_nothing_is_stored(tmp_path: Path) -> None:
    account, documents, _ = run(
        EdgarSource(companies=("1", "2")), tmp_path, lambda request: httpx.Response(403)
    )
    assert account.refused == 2
    assert "check the contact" in account.refusals[0]
    assert documents == []


@pytest.mark.parametrize(
    "page",
    [
        b"<html><head><title>SEC.gov | Request Rate Threshold Exceeded</title></head></html>",
        b'{"filings": {"recent": {"accessionNumber": ["0000',
    ],
)
def test_an_error_page_and_a_cut_index_with_status_200_are_refused_and_the_others_go_on(
    tmp_path: Path, page: bytes
) -> None:
    edgar = Edgar()
    edgar.pages[listing.submissions_url(ACME)] = page
    account, documents, _ = run(EdgarSource(companies=("1", "2")), tmp_path, edgar)
    assert account.refused == 1
    assert "Request Rate Threshold" in account.refusals[0] or "broken JSON" in account.refusals[0]
    assert len(documents) == 1


def test_a_truncated_filing_is_refused_and_comes_with_the_next_run(tmp_path: Path) -> None:
    edgar = Edgar()
    url = listing.filing_url(ACME, A1)
    whole = edgar.pages[url]
    edgar.pages[url] = whole[:-30]
    account, documents, _ = run(EdgarSource(companies=("1", "2")), tmp_path, edgar)
    assert account.refusals == [
        f"{url}: the answer is not what was asked for: a submission without its end (</SEC-DOCUMENT>)"
    ]
    before = len(documents)
    edgar.pages[url] = whole
    account, documents, _ = run(EdgarSource(companies=("1", "2")), tmp_path, edgar)
    assert account.fetched == 1
    assert len(documents) == before + 4


@pytest.mark.parametrize(
    ("text", "header"),
    [("<p>Fine.</p>", ("20231231", "20231341")), ("begin 644 a.pdf\nM)5!$\nend", ("", ""))],
)
def test_a_filing_that_cannot_be_read_is_counted_and_the_rest_goes_on(
    tmp_path: Path, text: str, header: tuple[str, str]
) -> None:
    edgar = Edgar()
    body = submission(A1, "10-K", "2024-02-01", text).decode().replace(*header)
    edgar.pages[listing.filing_url(ACME, A1)] = body.encode()
    _, documents, report = run(EdgarSource(companies=("1", "2")), tmp_path, edgar)
    assert report.bad_rows == 1
    assert report.bad_row_examples[0].file == listing.filing_url(ACME, A1)
    assert B1 in {document.native_id.split("/")[0] for document in documents}


@pytest.mark.parametrize("text", ["<html>", "<html><body><table><tr><td>open", "<p>\x00\x01 &#xD800; <b>"])
def test_malformed_html_stops_nothing(tmp_path: Path, text: str) -> None:
    edgar = Edgar()
    edgar.pages[listing.filing_url(ACME, A1)] = submission(A1, "10-K", "2024-02-01", text)
    _, documents, _ = run(EdgarSource(companies=("1", "2")), tmp_path, edgar)
    assert B1 in {document.native_id.split("/")[0] for document in documents}


def recordings(shared_data: Path) -> list[Path]:
    return [shared_data / "fixtures" / "sec_edgar_recordings"]


def test_the_recordings_replay_into_documents_of_every_kind(shared_data: Path, tmp_path: Path) -> None:
    settings = EdgarSource(
        companies=("1677077", "1796129", "1814722", "1847577", "1766140", "749647"),
        filings=(
            "320193/0000912057-00-023442",
            "1109357/0000950137-05-004969",
            "66740/0000066740-24-000023",
            "893739/0000893739-20-000019",
        ),
        forms=FORMS,
    )
    replay = Replay(recordings(shared_data))
    account = collect(source.discover, settings, RawStore(tmp_path), replay)
    assert account.fetched == 6 + 1 + 8 + 4  # indexes, a continuation, filings in them, filings named
    report = SourceReport()
    documents = list(source.parse(settings, RawStore(tmp_path), report))
    assert report.bad_rows == 0
    assert {document.kind for document in documents} >= {
        "filing.S-1",
        "filing.S-1/A",
        "filing.S-3",
        "filing.F-3/A",
        "filing.424B5",
        "filing.DEF_14A",
        "filing.8-K.item5.02",
        "filing.8-K.exhibit99",
        "filing.10-Q.part1.item2",
    }
    assert len({document.native_id for document in documents}) == len(documents)
    for document in documents:
        assert document.text.strip() == document.text != ""
        assert document.available_at is not None
        assert document.period_end is None or document.available_at.date() >= document.period_end
        assert (document.period_end is not None) == document.kind.startswith("filing.10-Q")
    (alzamend,) = (
        document for document in documents if document.native_id.startswith("0001214659-26-002941")
    )
    assert alzamend.entities == (("cik", "0001677077"), ("ticker", "ALZN"))
    assert alzamend.available_at == datetime(2026, 3, 6, 21, 46, 18, tzinfo=UTC)  # 16:46:18 in New York
    assert documents == list(source.parse(settings, RawStore(tmp_path), SourceReport()))


def test_facts_are_dated_by_the_acceptance_of_their_filings(shared_data: Path, tmp_path: Path) -> None:
    settings = EdgarSource(companies=("1835632",), produce=("facts",))
    account = collect(source.discover, settings, RawStore(tmp_path), Replay(recordings(shared_data)))
    assert (account.fetched, account.refused) == (2, 0)  # the index, for the times, and the facts
    documents = list(source.parse(settings, RawStore(tmp_path), SourceReport()))
    assert documents
    times = listing.acceptances(
        listing.read_submissions(RawStore(tmp_path).body(RawStore(tmp_path).answers[0]), "0001835632")
    )
    known = [document for document in documents if document.date_precision != "bound"]
    assert len(known) > len(documents) / 2
    assert {(document.available_at, document.date_precision) for document in known} <= set(times.values())


def test_figures_bear_the_name_and_the_time_of_their_filing(tmp_path: Path) -> None:
    edgar = Edgar()
    body = json.loads(edgar.pages[listing.submissions_url(ACME)])
    body["formerNames"] = [{"name": "Old Corp", "from": None, "to": "2023-05-01T04:00:00.000Z"}]
    body["filings"]["recent"]["acceptanceDateTime"][0] = "2024-01-26T23:30:00.000Z"  # Friday, 18:30
    edgar.pages[listing.submissions_url(ACME)] = json.dumps(body).encode()
    stated = [
        {"end": "2018-12-31", "val": 5, "accn": OLD, "form": "10-K", "filed": "2019-03-01"},
        {"end": "2023-12-31", "val": 6, "accn": A1, "form": "10-K", "filed": "2024-01-29"},
    ]
    revenue = [{**one, "start": one["end"][:4] + "-01-01"} for one in stated]
    tags = {
        tag: {"label": tag, "units": {"USD": rows}}
        for tag, rows in (("Assets", stated), ("Revenues", revenue))
    }
    body["filings"]["recent"]["filingDate"][0] = "2024-01-29"
    edgar.pages[listing.submissions_url(ACME)] = json.dumps(body).encode()
    edgar.pages[listing.companyfacts_url(ACME)] = json.dumps(
        {"cik": 1, "entityName": "Acme", "facts": {"us-gaap": tags}}
    ).encode()
    settings = EdgarSource(
        companies=("1",), produce=("facts", "questions"), licence="as agreed", use="evaluate"
    )
    _, documents, _ = run(settings, tmp_path, edgar)
    told = {(dict(one.entities)["accession"], one.available_at, one.date_precision) for one in documents}
    assert told == {
        (OLD, datetime(2019, 3, 1, 23, 15, tzinfo=UTC), "second"),  # out of the continuation file
        (A1, datetime(2024, 1, 29, 11, 0, tzinfo=UTC), "minute"),  # Monday, when EDGAR opens
    }
    for one in documents:
        old = dict(one.entities)["accession"] == OLD
        assert ("Old Corp" in one.text) is old and ("Acme" in one.text) is not old
    assert {one.source for one in documents} == {"edgar", "edgar_questions"}
    assert {(one.licence, one.use) for one in documents} == {("as agreed", "evaluate")}


def test_questions_about_figures_are_a_source_of_their_own(shared_data: Path, tmp_path: Path) -> None:
    settings = EdgarSource(companies=("1835632",), produce=("facts", "questions"))
    collect(source.discover, settings, RawStore(tmp_path), Replay(recordings(shared_data)))
    documents = list(source.parse(settings, RawStore(tmp_path), SourceReport()))
    kinds = {(document.source, document.kind) for document in documents}
    assert kinds == {("edgar", "facts"), ("edgar_questions", "chat")}


def test_the_sample_index_with_its_continuation_file_is_read(shared_data: Path) -> None:
    folder = shared_data / "fixtures" / "sec_edgar_samples" / "sample_api_responses"
    body = (folder / "CIK0000320193.json").read_bytes()
    recent = listing.read_submissions(body, "0000320193")
    older = listing.read_submissions(
        (folder / "CIK0000320193-submissions-001.json").read_bytes(), "0000320193"
    )
    assert (len(recent), len(older)) == (1000, 988)
    assert min(one.filed for one in older) == date(1994, 1, 26)
    assert listing.continuations(body, None, None) == [
        f"{listing.DATA}/submissions/CIK0000320193-submissions-001.json"
    ]
    first, last = min(one.filed for one in older), max(one.filed for one in older)
    for since, until, found in (
        (last, None, 1),
        (last + timedelta(days=1), None, 0),
        (None, first, 1),
        (None, first - timedelta(days=1), 0),
    ):
        assert len(listing.continuations(body, since, until)) == found
    assert listing.former_names(body)[:2] == [
        ("APPLE INC", date(2007, 1, 10), date(2019, 8, 5)),
        ("APPLE COMPUTER INC", date(1994, 1, 26), date(2007, 1, 4)),
    ]
    assert listing.tickers_of(body) == ["AAPL"]
