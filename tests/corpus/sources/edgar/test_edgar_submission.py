"""Submissions are read as EDGAR wrote them, and public no earlier than they were."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus.sources.dates import END_OF_DAY
from mintage.corpus.sources.edgar.listing import FILING, read_submissions
from mintage.corpus.sources.edgar.submission import (
    Filer,
    base_form,
    read_submission,
    text_of,
    whole,
)
from mintage.corpus.sources.edgar.times import (
    EASTERN,
    accepted_at,
    became_public,
    clock_of,
    eastern,
    last_filing_day,
)


def recorded(shared_data: Path, accession: str) -> bytes:
    folder = shared_data / "fixtures" / "sec_edgar_recordings"
    (path,) = folder.glob(f"www.sec.gov_Archives_edgar_data_*_{accession}.txt.gz")
    return gzip.decompress(path.read_bytes())


def submission(header: str = "", documents: str = "", first: str = "20240105") -> bytes:
    return (
        f"<SEC-DOCUMENT>0000000001-24-000001.txt : {first}\n"
        "<SEC-HEADER>0000000001-24-000001.hdr.sgml : 20240105\n"
        f"{header}"
        "CONFORMED SUBMISSION TYPE:\t10-K\nFILED AS OF DATE:\t\t20240105\n"
        "COMPANY CONFORMED NAME:\t\t\tAcme Corp\n\t\tCENTRAL INDEX KEY:\t\t\t0000000001\n</SEC-HEADER>\n"
        f"{documents}</SEC-DOCUMENT>\n"
    ).encode("cp1252")


def document(kind: str, text: str, filename: str = "a.htm", number: int = 1) -> str:
    return (
        f"<DOCUMENT>\n<TYPE>{kind}\n<SEQUENCE>{number}\n<FILENAME>{filename}\n<TEXT>\n{text}\n</TEXT>\n"
        "</DOCUMENT>\n"
    )


def test_a_filing_of_today_is_read(shared_data: Path) -> None:
    read = read_submission(recorded(shared_data, "0000066740-24-000023"))
    assert (read.accession, read.form) == ("0000066740-24-000023", "8-K")
    assert read.filers == (Filer("0000066740", "3M CO"),)
    assert read.accepted == datetime(2024, 3, 8, 17, 1, 45, tzinfo=UTC)  # 12:01:45 in New York
    assert (read.filed, read.period) == (date(2024, 3, 8), date(2024, 3, 8))
    assert [(part.type, part.sequence) for part in read.parts] == [("8-K", 1), ("EX-99.1", 2)]
    assert "3M" in text_of(read.parts[1])


def test_a_plain_text_filing_of_2000_is_read_and_only_its_day_is_known(shared_data: Path) -> None:
    read = read_submission(recorded(shared_data, "0000912057-00-023442"))
    assert (read.form, read.period, read.accepted) == ("10-Q", date(2000, 4, 1), None)
    assert (read.filed, read.public) == (date(2000, 5, 11), date(2000, 5, 12))
    text = text_of(read.parts[0])
    assert "APPLE COMPUTER, INC." in text
    assert re.search(r"^\s*\d{1,3}\s*$", text, re.MULTILINE) is None  # page numbers
    assert "<PAGE>" not in text and "<TABLE>" not in text and "<S>" not in text
    assert "$  1,945         $  1,530         $  4,288         $  3,240" in text  # columns are kept
    assert became_public(read.accepted, read.public) == (
        datetime(2000, 5, 13, 3, 59, 59, 999999, tzinfo=UTC),
        "day",
    )


def test_a_filing_of_many_filers_names_each_once(shared_data: Path) -> None:
    read = read_submission(recorded(shared_data, "0001193125-25-057913"))
    assert read.filers[0] == Filer("0001814722", "TR Finance LLC")
    assert len(read.filers) == len({filer.cik for filer in read.filers}) == 4


def test_a_letter_of_the_staff_is_read_from_its_text_and_not_its_pdf(shared_data: Path) -> None:
    read = read_submission(recorded(shared_data, "0000000000-24-003505"))
    assert read.parts[0].type == "TEXT-EXTRACT"
    assert "Luca" in text_of(read.parts[0])


@pytest.mark.parametrize(
    "accession", ["0000000000-24-003505", "0000320193-24-000061", "0000065873-05-000060"]
)
def test_a_letter_is_public_at_the_end_of_the_day_of_its_release(shared_data: Path, accession: str) -> None:
    read = read_submission(recorded(shared_data, accession))
    moment, precision = became_public(read.accepted, read.public)
    assert read.accepted is not None and (read.public - read.accepted.date()).days > 20
    assert precision == "day"
    assert moment.astimezone(EASTERN).replace(tzinfo=None) == datetime.combine(read.public, END_OF_DAY)


@pytest.mark.parametrize(
    ("hour", "public", "expected"),
    [
        (17, date(2024, 1, 8), "minute"),  # Friday evening, Monday at six
        (18, date(2024, 1, 9), "minute"),  # a holiday on Monday
        (16, date(2024, 1, 8), "day"),  # before the evening, which begins at 17:30
        (12, date(2024, 1, 8), "day"),  # held back for another reason
        (18, date(2024, 2, 8), "day"),  # a letter that was sent in the evening
        (18, date(2024, 1, 5), "second"),
    ],
)
def test_only_what_comes_in_the_evening_waits_for_the_opening(hour: int, public: date, expected: str) -> None:
    accepted = datetime(2024, 1, 5, hour, 30, tzinfo=EASTERN)
    assert became_public(accepted, public)[1] == expected


def test_a_filing_of_an_evening_may_bear_a_later_day_than_its_retrieval_but_no_far_one() -> None:
    friday = datetime(2024, 1, 13, 1, 0, tzinfo=UTC)  # 20:00 in New York; Monday is a holiday
    assert date(2024, 1, 16) <= last_filing_day(friday) <= date(2024, 1, 19)


def test_every_recorded_submission_is_whole_and_read(shared_data: Path) -> None:
    folder = shared_data / "fixtures" / "sec_edgar_recordings"
    paths = sorted(folder.glob("*.txt.gz"))
    assert len(paths) == 61
    for path in paths:
        body = gzip.decompress(path.read_bytes())
        whole(body)
        read = read_submission(body)
        assert read.accession in path.name
        assert read.filers
        for cut in (len(body) // 2, len(body) - 100):
            with pytest.raises(ValueError, match="without its end"):
                whole(body[:cut])


def test_an_old_header_of_another_name_is_read() -> None:
    body = submission(documents=document("10-K", "Text", "")).replace(b"SEC-", b"IMS-")
    whole(body)
    assert read_submission(body).accession == "0000000001-24-000001"


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html><head><title>SEC.gov | Request Rate Threshold Exceeded</title></head></html>",
        b"",
        b"\x1f\x8b\x08\x00",
    ],
)
def test_a_page_that_is_no_submission_is_refused(page: bytes) -> None:
    with pytest.raises(ValueError, match="in place of a submission"):
        whole(page)


def test_an_impossible_date_and_a_missing_form_are_errors_and_a_missing_period_is_none() -> None:
    with pytest.raises(ValueError):
        read_submission(submission("CONFORMED PERIOD OF REPORT:\t20230231\n"))
    with pytest.raises(ValueError, match="lacks"):
        read_submission(submission().replace(b"CONFORMED SUBMISSION TYPE", b"TYPE"))
    assert read_submission(submission()).period is None


def test_text_in_code_page_1252_and_in_utf_8_is_read() -> None:
    old = read_submission(submission(documents=document("10-K", "Acme’s “plan” costs 5 €", "a.txt")))
    assert text_of(old.parts[0]) == "Acme’s “plan” costs 5 €"
    new = submission(documents=document("10-K", "PLACE", "a.txt")).replace(b"PLACE", "Zürich – 5 €".encode())
    assert text_of(read_submission(new).parts[0]) == "Zürich – 5 €"


def test_only_press_releases_are_read_of_the_exhibits_and_encoded_ones_are_empty() -> None:
    documents = (
        document("8-K", "<html><body><p>Event</p></body></html>")
        + document("EX-10.1", "a contract", "b.htm", 2)
        + document("EX-99.1", "<html><body><p>Release</p></body></html>", "c.htm", 3)
        + document("EX-99.2", "begin 644 slides.pdf\nM)5!$\nend", "slides", 4)
        + document("GRAPHIC", "begin 644 a.jpg\nM)5!$\nend", "a.jpg", 5)
    )
    body = submission(documents=documents).replace(b"TYPE:\t10-K", b"TYPE:\t8-K")
    parts = read_submission(body).parts
    assert [(part.type, text_of(part)) for part in parts] == [
        ("8-K", "Event"),
        ("EX-99.1", "Release"),
        ("EX-99.2", ""),
    ]


def test_an_annual_report_brings_the_report_to_shareholders_that_it_refers_to() -> None:
    documents = (
        document("10-K", "See the annual report.")
        + document("EX-13", "Sales rose.", "b.txt", 2)
        + document("EX-31", "I certify.", "c.txt", 3)
    )
    parts = read_submission(submission(documents=documents)).parts
    assert [(part.type, text_of(part)) for part in parts] == [
        ("10-K", "See the annual report."),
        ("EX-13", "Sales rose."),
    ]


@pytest.mark.parametrize(
    ("form", "base"),
    [
        ("10-K405/A", "10-K"),
        ("10-KT", "10-K"),
        ("10-KT405", "10-K"),
        ("10-QT", "10-Q"),
        ("8-K", "8-K"),
        ("S-1/A", "S-1"),
    ],
)
def test_an_amendment_or_variant_has_its_base_form(form: str, base: str) -> None:
    assert base_form(form) == base


@given(st.datetimes(datetime(1994, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(microsecond=0)))
def test_no_filing_is_public_before_it_was_accepted_or_disseminated(at: datetime) -> None:
    accepted = eastern(at)
    for public in (at.date(), date(at.year + 1, 1, 2)):
        moment, precision = became_public(accepted, public)
        assert moment >= accepted
        assert moment.astimezone(EASTERN).date() >= public
        assert (precision == "second") == (moment == accepted)


def test_accepted_in_the_evening_is_public_when_edgar_opens_on_the_day_of_dissemination(
    shared_data: Path,
) -> None:
    read = read_submission(recorded(shared_data, "0001493152-23-041369"))  # accepted at 20:35 the day before
    assert became_public(read.accepted, read.public) == (
        datetime(2023, 11, 15, 11, 0, tzinfo=UTC),
        "minute",
    )


def test_the_clock_of_each_recorded_filer_agrees_with_the_headers_of_its_filings(shared_data: Path) -> None:
    """The Z of acceptanceDateTime means UTC for some filers and Eastern time for others."""
    folder = shared_data / "fixtures" / "sec_edgar_recordings"
    headers = {
        read.accession: read
        for path in folder.glob("*.txt.gz")
        if (read := read_submission(gzip.decompress(path.read_bytes()))).accepted is not None
    }
    seen = {"UTC": 0, "Eastern": 0}
    for path in sorted(folder.glob("data.sec.gov_submissions_CIK*.json.gz")):
        cik = path.name.split("CIK")[1][:10]
        listed = read_submissions(gzip.decompress(path.read_bytes()), cik)
        clock = clock_of((one.form, one.accepted) for one in listed)
        for one in listed:
            if one.accession in headers:
                assert accepted_at(one.accepted, clock) == headers[one.accession].accepted, path.name
                seen[clock] += 1
    assert seen["UTC"] >= 2 and seen["Eastern"] >= 5


def test_a_filer_that_gives_no_hint_is_read_as_eastern_time_which_is_later() -> None:
    assert clock_of([]) == clock_of([("8-K", "2024-05-01T15:00:00.000Z")]) == "Eastern"
    assert clock_of([("8-K", "2024-05-01T23:30:00.000Z")]) == "UTC"  # 19:30 in New York; EDGAR closes at 22
    assert clock_of([("8-K", "2024-05-01T06:30:00.000Z")]) == "Eastern"  # 2:30 there; EDGAR opens at 6
    assert clock_of([("EFFECT", "2024-05-01T00:15:00.000Z")]) == "Eastern"  # the staff's notices tell nothing


def test_midnight_stands_for_a_day_without_a_time() -> None:
    assert accepted_at("1996-06-03T00:00:00.000Z", "Eastern") is None
    assert accepted_at("1996-08-07T04:00:00.000Z", "UTC") is None
    assert accepted_at("", "UTC") is None


def test_the_recordings_bear_addresses_of_the_shape_that_is_asked_for(shared_data: Path) -> None:
    url = "https://www.sec.gov/Archives/edgar/data/320193/000091205700023442/0000912057-00-023442.txt"
    assert FILING.fullmatch(url)
