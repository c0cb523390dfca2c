"""Papers: versions, days, licences and texts, from hand-written answers in arXiv's formats."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus.collect.collect import Account, collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Refused, Request, Response
from mintage.corpus.document import Document
from mintage.corpus.sources.papers.latexml import paper_text
from mintage.corpus.sources.papers.records import EASTERN, Paper, announced, check_page, text_licence
from mintage.corpus.sources.papers.settings import PapersSource
from mintage.corpus.sources.papers.source import discover, months, parse
from mintage.corpus.sources.report import SourceReport

RESPONSES = Path(__file__).parent / "responses"
MAY = PapersSource(since=date(2024, 5, 1), until=date(2024, 5, 31))
TEXTS = PapersSource(since=date(2024, 5, 1), until=date(2024, 5, 31), full_text=True)
AT = datetime(2024, 6, 20, 8, tzinfo=UTC)


def response(name: str) -> bytes:
    return (RESPONSES / name).read_bytes()


class Arxiv:
    """A transport that answers as arXiv's hosts do; `page` is what a search finds."""

    def __init__(self, page: bytes = response("page.xml"), at: datetime = AT):
        self.page, self.at = page, at
        self.asked: list[str] = []

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        self.asked.append(request.url)
        return Response(request.url, 200, {}, self.body(request.url), self.at)

    def body(self, url: str) -> bytes:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        if "search_query" in query:
            return self.page
        if "id_list" in query:
            return response("versions.xml")
        if parts.hostname == "oaipmh.arxiv.org":
            records = {"2405.09999": "record_open.xml", "2405.01234": "record_closed.xml"}
            return response(records.get(query["identifier"][0].rsplit(":")[-1], "record_error.xml"))
        if parts.path == "/html/2405.09999v1":
            return response("paper.html")
        raise Refused(url, "HTTP 404")


def gather(settings: PapersSource, folder: Path, host: Arxiv) -> tuple[list[Document], SourceReport, Account]:
    account = collect(discover, settings, RawStore(folder), host)
    report = SourceReport()
    return list(parse(settings, RawStore(folder), report)), report, account


def test_each_version_of_an_abstract_is_a_vintage_of_its_own_day(tmp_path: Path) -> None:
    documents, _, _ = gather(MAY, tmp_path, Arxiv())
    first, second = [document for document in documents if document.native_id == "arxiv:2405.01234"]
    assert (first.vintage, second.vintage) == (0, 1) and second.supersedes == first.doc_id
    assert "The error is 2.4%." in first.text and "The corrected error is 2.5%." in second.text
    # Thursday, 2 May, 9:00 in New York appears that evening; Monday, 20 May, 15:30 on Tuesday.
    assert first.available_at == datetime(2024, 5, 3, 3, 59, 59, 999999, tzinfo=UTC)
    assert second.available_at == datetime(2024, 5, 22, 3, 59, 59, 999999, tzinfo=UTC)
    assert second.published_at == datetime(2024, 5, 20, 19, 30, tzinfo=UTC)
    assert (first.licence, first.use) == ("CC0-1.0 (arXiv metadata)", "ship")
    assert first.text.startswith(
        "# Volatility of Example Markets\n\nAda Example\narXiv:2405.01234, version 1 of 2024-05-02"
    )


def test_a_paper_announced_in_a_later_month_is_dated_by_the_end_of_it(tmp_path: Path) -> None:
    documents, _, _ = gather(MAY, tmp_path, Arxiv(at=datetime(2024, 8, 1, tzinfo=UTC)))
    held = next(document for document in documents if document.native_id == "arxiv:2406.00001")
    assert held.available_at == datetime(2024, 7, 1, 3, 59, 59, 999999, tzinfo=UTC)
    assert held.date_precision == "bound"


def test_an_entry_without_dates_is_a_bad_row_and_the_rest_goes_on(tmp_path: Path) -> None:
    documents, report, _ = gather(MAY, tmp_path, Arxiv())
    assert len(documents) == 4
    assert report.bad_rows == 1 and "'soon' is not a time" in report.bad_row_examples[0].reason


def test_texts_are_fetched_only_where_the_licence_allows_it(tmp_path: Path) -> None:
    host = Arxiv()
    documents, _, account = gather(TEXTS, tmp_path, host)
    assert [url for url in host.asked if "/html/" in url] == ["https://arxiv.org/html/2405.09999v1"]
    [text] = [document for document in documents if document.kind == "paper.text"]
    assert (text.licence, text.use) == ("CC BY (http://creativecommons.org/licenses/by/4.0/)", "ship")
    assert text.available_at == datetime(2024, 5, 21, 3, 59, 59, 999999, tzinfo=UTC)
    assert account.refused == 1 and "idDoesNotExist" in account.refusals[0]


def test_a_rendered_paper_keeps_its_formulas_and_figures_and_nothing_around_them() -> None:
    assert paper_text(response("paper.html")) == (
        "# An Open Paper\n\n###### Abstract\n\nNothing here is closed.\n\n## 1 Introduction\n\n"
        "The price $S_{t}$ rose by 2.5% in 2023 – “much”.\n\n"
        "$\\displaystyle dS_{t}=\\mu S_{t}dt$ (1)\n\n- A first point.\n\n"
        "| Year | Return |\n|---|---|\n| 2023 | 1,250.5 |\n\nTable 1: Returns."
    )


def test_collecting_again_asks_only_for_what_may_have_changed(tmp_path: Path) -> None:
    gather(TEXTS, tmp_path, Arxiv())
    again = Arxiv()
    documents, _, account = gather(TEXTS, tmp_path, again)
    assert [url for url in again.asked if "search_query" not in url] == [
        "https://oaipmh.arxiv.org/oai?verb=GetRecord&identifier=oai%3AarXiv.org%3A2406.00001&metadataPrefix=arXivRaw"
    ], "only the record that was refused"
    assert account.fetched == 0 and len(documents) == 5


def test_a_month_of_many_pages_is_asked_page_by_page_and_a_refused_page_does_not_end_it(
    tmp_path: Path,
) -> None:
    class Long(Arxiv):
        def body(self, url: str) -> bytes:
            start = parse_qs(urlsplit(url).query).get("start", ["0"])[0]
            if "search_query" in url and start == "500":
                return response("empty.xml").replace(
                    b"<opensearch:startIndex>0", b"<opensearch:startIndex>500"
                )
            return super().body(url).replace(b"<opensearch:totalResults>4", b"<opensearch:totalResults>1200")

    host = Long()
    _, _, account = gather(MAY, tmp_path, host)
    searches = [parse_qs(urlsplit(url).query) for url in host.asked if "search_query" in url]
    assert [query["start"] for query in searches] == [["0"], ["500"], ["1000"]]
    assert searches[0]["search_query"] == ["(cat:q-fin.*) AND submittedDate:[202405010000 TO 202405312359]"]
    assert account.refused == 1 and "no entries, although 200 of 700 were left" in account.refusals[0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (response("error.xml"), "incorrect id format for 1234"),
        (response("page.xml")[:900], "cut off"),
        (b"<html><body>Rate exceeded.</body></html>", "not an Atom feed"),
        (response("empty.xml"), "no entries, although 700 of 700 were left"),
    ],
    ids=["error", "truncated", "html", "empty"],
)
def test_an_answer_that_is_no_page_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_page(body)


def versions_asked(host: Arxiv) -> list[str]:
    queries = [parse_qs(urlsplit(url).query) for url in host.asked]
    return [query["id_list"][0] for query in queries if "id_list" in query]


def test_a_paper_outside_the_span_is_left_out_and_nothing_is_asked_about_it(tmp_path: Path) -> None:
    narrow = PapersSource(since=date(2024, 5, 17), until=date(2024, 5, 17))
    host = Arxiv()
    documents, _, _ = gather(narrow, tmp_path, host)
    assert [document.native_id for document in documents] == ["arxiv:2405.09999"]
    assert versions_asked(host) == []


def test_a_new_version_is_collected_without_asking_for_the_old_ones_again(tmp_path: Path) -> None:
    gather(MAY, tmp_path, Arxiv())
    third = response("page.xml").replace(b"2405.01234v2", b"2405.01234v3").replace(b"2.5%", b"2.6%")
    third = third.replace(b"2024-05-20T19:30:00Z", b"2024-06-18T19:30:00Z")
    host = Arxiv(third, datetime(2024, 7, 1, tzinfo=UTC))
    documents, _, _ = gather(MAY, tmp_path, host)
    assert versions_asked(host) == ["2405.01234v2"]
    versions = [document for document in documents if document.native_id == "arxiv:2405.01234"]
    assert [document.vintage for document in versions] == [0, 1, 2]
    assert [later.supersedes for later in versions[1:]] == [before.doc_id for before in versions[:-1]]


@pytest.mark.parametrize(
    ("submitted", "evening"),
    [
        ("2024-05-06T13:59", "2024-05-06"),  # Monday, before the deadline
        ("2024-05-06T14:00", "2024-05-07"),
        ("2024-05-09T14:00", "2024-05-12"),  # Thursday afternoon: Sunday
        ("2024-05-10T13:59", "2024-05-12"),
        ("2024-05-10T14:00", "2024-05-13"),  # Friday afternoon: Monday
        ("2024-05-11T09:00", "2024-05-13"),
        ("2024-05-12T23:00", "2024-05-13"),
    ],
)
def test_the_day_is_that_of_the_published_timetable(submitted: str, evening: str) -> None:
    moment = datetime.fromisoformat(submitted).replace(tzinfo=EASTERN).astimezone(UTC)
    at, precision = announced(paper_submitted(moment))
    assert at.astimezone(EASTERN).date() == date.fromisoformat(evening) and precision == "day"


def paper_submitted(moment: datetime) -> Paper:
    return Paper("2405.01234", 2, "t", "a", (), (), moment, moment)


@given(st.datetimes(datetime(1995, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))
def test_nothing_is_public_before_it_was_submitted_nor_on_a_friday_or_saturday(moment: datetime) -> None:
    at, _ = announced(paper_submitted(moment))
    assert at > moment and (at - moment).days <= 4
    assert at.astimezone(EASTERN).weekday() not in (4, 5)


def test_licences_that_allow_no_copy_give_none() -> None:
    assert text_licence(response("record_closed.xml")) is None
    nc_nd = response("record_open.xml").replace(b"licenses/by/", b"licenses/by-nc-nd/")
    assert text_licence(nc_nd) is None
    share_alike = response("record_open.xml").replace(b"licenses/by/", b"licenses/by-sa/")
    licence = text_licence(share_alike)
    assert licence is not None and licence[1] == "local"


def test_a_span_touches_its_months() -> None:
    assert list(months(date(2023, 11, 30), date(2024, 2, 1))) == ["2023-11", "2023-12", "2024-01", "2024-02"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"since": date(2024, 5, 2), "until": date(2024, 5, 1)}, "must not be after"),
        ({"since": date(1990, 5, 2)}, "before arXiv began"),
        ({"since": date(2024, 5, 2), "categories": ("q-fin.*) OR (all:x",)}, "is no arXiv category"),
    ],
)
def test_settings_say_what_is_wrong(changes: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PapersSource(**changes)
