"""Education: pages by address, their dates as bounds, and their changes as vintages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from mintage.corpus.collect.collect import Account, collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Refused, Request, Response
from mintage.corpus.document import Document
from mintage.corpus.sources.education.settings import EducationSource, Page
from mintage.corpus.sources.education.source import discover, parse
from mintage.corpus.sources.report import SourceReport

GUIDE = "https://guide.example.gov/bonds"
AT = datetime(2024, 6, 20, 8, tzinfo=UTC)


def page(rate: str = "5%", head: str = "") -> bytes:
    """A guide with a menu, headings, a list and a table."""
    prose = "A bond is a loan that pays interest until the day on which it is repaid in full. " * 4
    return (
        f"<html><head><title>Bonds</title>{head}</head><body><nav><a href='/'>Home</a> Menu</nav>"
        f"<main><article><h1>What is a bond?</h1><p>{prose}</p><h2>An example</h2>"
        f"<p>A bond of $1,000 at {rate} pays that share of it each year. {prose}</p>"
        "<ul><li>The issuer may fail.</li><li>Prices fall as rates rise.</li></ul>"
        "<table><tr><th>Year</th><th>Interest</th></tr><tr><td>1</td><td>$50</td></tr></table>"
        f"<p>{prose}</p></article></main><footer>Contact us</footer></body></html>"
    ).encode()


class Host:
    """A transport with pages by URL and a header, which answers at one moment."""

    def __init__(self, pages: dict[str, bytes], at: datetime = AT, last_modified: str | None = None):
        self.pages, self.at = pages, at
        self.headers = {"last-modified": last_modified} if last_modified else {}

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        if request.url not in self.pages:
            raise Refused(request.url, "HTTP 404")
        return Response(request.url, 200, self.headers, self.pages[request.url], self.at)


def source(available_at: date | None = None, **changes: str) -> EducationSource:
    guide = Page(GUIDE, "What is a bond?", "US public domain", "ship", available_at)
    return EducationSource(pages=(guide,), **changes)


def gather(
    settings: EducationSource, folder: Path, *hosts: Host
) -> tuple[list[Document], SourceReport, list[Account]]:
    accounts = [collect(discover, settings, RawStore(folder), host) for host in hosts]
    report = SourceReport()
    return list(parse(settings, RawStore(folder), report)), report, accounts


def test_a_guide_is_its_text_with_headings_lists_and_tables(tmp_path: Path) -> None:
    [document], _, _ = gather(source(), tmp_path, Host({GUIDE: page()}))
    assert document.title == "What is a bond?" and document.kind == "education"
    assert (document.licence, document.use) == ("US public domain", "ship")
    for part in ("## An example", "A bond of $1,000 at 5%", "- The issuer may fail.", "| 1 | $50 |"):
        assert part in document.text
    for around in ("Menu", "Contact us", "\\", "<"):
        assert around not in document.text


@pytest.mark.parametrize(
    ("available_at", "head", "last_modified", "expected", "precision"),
    [
        (date(2019, 3, 1), "", None, "2019-03-02T04:59:59.999999", "day"),
        (
            None,
            '<meta property="article:modified_time" content="2021-05-04">',
            None,
            "2021-05-05T03:59:59.999999",
            "bound",
        ),
        (None, "", "Wed, 01 Feb 2023 10:00:00 GMT", "2023-02-01T10:00:00", "bound"),
        (None, "", None, "2024-06-20T08:00:00", "bound"),
        (None, "", "Wed, 01 Feb 2034 10:00:00 GMT", "2024-06-20T08:00:00", "bound"),
        (None, "", "soon", "2024-06-20T08:00:00", "bound"),
    ],
    ids=["given", "on the page", "last modified", "retrieved", "in the future", "no date"],
)
def test_a_page_is_dated_by_the_best_that_is_known(
    tmp_path: Path,
    available_at: date | None,
    head: str,
    last_modified: str | None,
    expected: str,
    precision: str,
) -> None:
    settings = source(available_at, zone="America/New_York")
    [document], _, _ = gather(settings, tmp_path, Host({GUIDE: page(head=head)}, AT, last_modified))
    assert document.available_at == datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert document.date_precision == precision


def test_a_changed_page_is_a_vintage_and_a_changed_menu_is_not(tmp_path: Path) -> None:
    later = datetime(2024, 7, 1, tzinfo=UTC)
    menu = page().replace(b"Menu", b"Dishes")
    documents, _, _ = gather(
        source(date(2019, 3, 1)),
        tmp_path,
        Host({GUIDE: page()}),
        Host({GUIDE: menu}, datetime(2024, 6, 25, tzinfo=UTC)),
        Host({GUIDE: page("4%")}, later),
    )
    before, after = documents
    assert (after.vintage, after.supersedes) == (1, before.doc_id)
    assert (after.available_at, after.date_precision) == (later, "bound")


def test_a_page_that_is_no_html_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    pdf = "https://guide.example.gov/book.pdf"
    gone = "https://guide.example.gov/gone"
    settings = EducationSource(
        pages=(Page(pdf, "A book", "CC BY 4.0"), Page(gone, "Gone", "CC BY 4.0"), *source().pages)
    )
    documents, _, [account] = gather(settings, tmp_path, Host({pdf: b"%PDF-1.7 ...", GUIDE: page()}))
    assert [document.url for document in documents] == [GUIDE]
    assert account.refused == 2 and "a PDF in place of an HTML page" in account.refusals[0]


def test_a_page_without_text_is_a_bad_row(tmp_path: Path) -> None:
    documents, report, _ = gather(source(), tmp_path, Host({GUIDE: b"<html><body></body></html>"}))
    assert documents == [] and report.bad_rows == 1


def test_a_page_that_is_no_longer_listed_gives_nothing(tmp_path: Path) -> None:
    gather(source(), tmp_path, Host({GUIDE: page()}))
    other = EducationSource(pages=(Page("https://other.example.gov/", "Other", "CC0-1.0"),))
    assert list(parse(other, RawStore(tmp_path), SourceReport())) == []


def test_settings_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="list a page"):
        EducationSource()
    with pytest.raises(ValueError, match="not an address"):
        Page("guide.html", "A guide", "CC0-1.0")
    with pytest.raises(ValueError, match="is listed twice"):
        EducationSource(pages=source().pages * 2)
    with pytest.raises(ValueError, match="unknown zone"):
        source(zone="Mars")
