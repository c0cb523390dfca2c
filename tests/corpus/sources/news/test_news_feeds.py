"""News: what a reader of the corpus relies on, from hand-written feeds and real central-bank pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintage.corpus.collect.collect import Account, collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Refused, Request, Response
from mintage.corpus.document import Document
from mintage.corpus.sources.news.entries import Entry, check_feed, read_feed
from mintage.corpus.sources.news.page import last_meant
from mintage.corpus.sources.news.settings import PRESETS, Feed, NewsSource
from mintage.corpus.sources.news.source import discover, parse
from mintage.corpus.sources.report import SourceReport

RESPONSES = Path(__file__).parent / "responses"
STATEMENT = "https://www.federalreserve.gov/newsevents/pressreleases/monetary20240131a.htm"
OTHER = "https://example.org/feed.xml"


class Host:
    """A transport with pages by URL, which answers at one moment, and remembers what it was asked."""

    def __init__(self, pages: dict[str, bytes], at: datetime):
        self.pages, self.at = pages, at
        self.asked: list[str] = []

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        self.asked.append(request.url)
        if request.url not in self.pages:
            raise Refused(request.url, "HTTP 404")
        return Response(request.url, 200, {"content-type": "text/xml"}, self.pages[request.url], self.at)


def on(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def response(name: str) -> bytes:
    return (RESPONSES / name).read_bytes()


def gather(
    settings: NewsSource, folder: Path, *answers: tuple[dict[str, bytes], str]
) -> tuple[list[Document], SourceReport, list[Account]]:
    """Collect from each set of pages in turn, then parse."""
    accounts = [collect(discover, settings, RawStore(folder), Host(pages, on(at))) for pages, at in answers]
    report = SourceReport()
    return list(parse(settings, RawStore(folder), report)), report, accounts


def only(feed: str) -> tuple[NewsSource, str]:
    """A source of one feed of one's own like a preset, without its articles, and the feed's URL."""
    preset = PRESETS[feed]
    own = Feed(feed, preset.url, preset.licence, preset.use, zone=preset.zone)
    return NewsSource(feeds=(own,)), preset.url


def test_an_article_is_the_text_of_its_page_without_the_menus(shared_data: Path, tmp_path: Path) -> None:
    page = (shared_data / "fixtures/html_to_markdown/central_bank/20240131.html").read_bytes()
    pages = {PRESETS["fed"].url: response("fed_press_all.xml"), STATEMENT: page}
    documents, _, [account] = gather(NewsSource(presets=("fed",)), tmp_path, (pages, "2024-02-05"))
    article = next(document for document in documents if document.url == STATEMENT)
    assert article.kind == "news.article" and article.use == "ship"
    assert {document.licence for document in documents} == {PRESETS["fed"].licence}
    assert "maintain the target range for the federal funds rate at 5-1/4 to 5-1/2 percent" in article.text
    assert article.text.startswith(
        "Federal Reserve issues FOMC statement\n\nFRB: Press Release - All Releases, 2024-01-31"
    )
    for menu in ("Skip to main content", "Stay Connected", "Subscribe", "\\", "<"):
        assert menu not in article.text
    assert article.available_at == datetime(2024, 1, 31, 19, tzinfo=UTC)
    assert article.date_precision == "second"
    assert account.refused == 1, "the article that is not there is refused, and its headline stays"
    fine = next(document for document in documents if document is not article)
    assert fine.kind == "news.headline"
    assert "The Board fined the bank $1,234,500. It had 2.5% of the deposits." in fine.text


def test_every_central_bank_page_gives_its_votes(shared_data: Path) -> None:
    from mintage.corpus.sources.news.page import check_page, page_date, page_text

    for path in sorted((shared_data / "fixtures/html_to_markdown/central_bank").glob("*.html")):
        body = path.read_bytes()
        check_page(body)
        text = page_text(body)
        assert text is not None and "Voting for the monetary policy action" in text
        day = page_date(body, datetime(2025, 1, 1).date())
        assert day == f"{path.stem[:4]}-{path.stem[4:6]}-{path.stem[6:]}"


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2023-02-14", "2023-02-14"),
        ("2023-02-14T09:30:00Z", "2023-02-14"),
        ("14 February 2023", "2023-02-14"),
        ("February 14, 2023", "2023-02-14"),
        ("25/02/2023", "2023-02-25"),
        ("02/03/2023", "2023-03-02"),  # in one country the third of February
        ("2023-02-30", "2023-02-28"),  # no day: the last of its month
        ("2023-02", "2023-02-28"),
        ("soon", None),
    ],
)
def test_a_page_is_dated_by_the_last_day_that_it_can_mean(written: str, day: str | None) -> None:
    from mintage.corpus.sources.news.page import page_date

    head = f'<meta property="article:modified_time" content="{written}">'
    body = f"<html><head>{head}</head><body><p>A guide to bonds.</p></body></html>".encode()
    assert page_date(body, date(2024, 6, 1)) == day


@pytest.mark.parametrize(
    ("read", "written", "last"),
    [
        ("2023-02-03", "02/03/2023", "2023-03-02"),
        ("2023-03-02", "02/03/2023", "2023-03-02"),
        ("2023-02-25", "25.02.2023", "2023-02-25"),
        ("2023-01-01", "Reviewed in 2023", "2023-12-31"),
        ("2023-09-21", "Sept. 2023", "2023-09-30"),
    ],
)
def test_what_was_read_of_a_date_counts_as_the_last_day_meant(read: str, written: str, last: str) -> None:
    assert last_meant(date.fromisoformat(read), f"<p>{written}</p>") == last


@pytest.mark.parametrize(
    "title",
    ["Access Denied", "403 Forbidden", "Just a moment...", "Error 404 (Not Found)", "Page not found | Bank"],
)
def test_a_page_by_whose_title_the_host_refuses_is_no_document(title: str) -> None:
    from mintage.corpus.sources.news.page import check_page

    with pytest.raises(ValueError, match=re.escape(title.split(" |")[0])):
        check_page(f"<html><title>{title}</title><body><p>No.</p></body></html>".encode())
    page = "<html><title>Why was access denied? A guide to credit</title><body><p>Yes.</p></body></html>"
    check_page(page.encode())
    check_page(page.encode("utf-16"))


def test_an_entry_in_two_feeds_is_one_document_of_the_feed_named_first(tmp_path: Path) -> None:
    pages = {
        PRESETS["fed"].url: response("fed_press_all.xml"),
        PRESETS["fed_monetary"].url: response("fed_press_monetary.xml"),
    }
    settings = NewsSource(presets=("fed_monetary", "fed"))
    documents, report, _ = gather(settings, tmp_path, (pages, "2024-02-05"))
    assert [document.native_id for document in documents].count(STATEMENT) == 1
    assert len(documents) == 2
    [statement] = [document for document in documents if document.native_id == STATEMENT]
    assert "The statement of the January meeting" in statement.text
    assert report.bad_rows == 0


def test_an_updated_entry_is_a_new_vintage_from_its_own_time_on(tmp_path: Path) -> None:
    settings, url = only("bls_cpi")
    first, corrected = {url: response("bls_cpi.rss")}, {url: response("bls_cpi_corrected.rss")}
    documents, _, _ = gather(
        settings, tmp_path, (first, "2024-07-11T20:00"), (corrected, "2024-07-13"), (corrected, "2024-07-14")
    )
    before, after = documents
    assert before.available_at == datetime(2024, 7, 11, 12, 30, tzinfo=UTC)
    assert after.available_at == datetime(2024, 7, 12, 14, tzinfo=UTC)
    assert (before.vintage, after.vintage) == (0, 1)
    assert after.supersedes == before.doc_id
    assert before.native_id == after.native_id


def test_a_change_that_the_entry_does_not_date_is_dated_by_the_answer_that_first_has_it(
    tmp_path: Path,
) -> None:
    settings, url = only("fed")
    first = response("fed_press_all.xml")
    changed = first.replace(b"It had 2.5%", b"It had 2.4%")
    documents, _, _ = gather(settings, tmp_path, ({url: first}, "2024-02-05"), ({url: changed}, "2024-02-06"))
    fines = [document for document in documents if "fines" in document.title]
    assert [document.vintage for document in fines] == [0, 1]
    assert fines[1].available_at == on("2024-02-06") and fines[1].date_precision == "bound"
    assert len(documents) == 3


def test_a_corrected_entry_has_its_article_fetched_again(tmp_path: Path) -> None:
    url, article = PRESETS["bls_cpi"].url, "https://www.bls.gov/news.release/archives/cpi_07112024.htm"
    settings = NewsSource(presets=("bls_cpi",))

    def page(figure: str) -> bytes:
        words = (
            f"<p>The index for all items fell {figure} percent in June, the Bureau reported today.</p>" * 5
        )
        return f"<html><body><article><h1>CPI</h1>{words}</article></body></html>".encode()

    documents, _, accounts = gather(
        settings,
        tmp_path,
        ({url: response("bls_cpi.rss"), article: page("0.1")}, "2024-07-11T20:00"),
        ({url: response("bls_cpi.rss"), article: page("9.9")}, "2024-07-12T08:00"),
        ({url: response("bls_cpi_corrected.rss"), article: page("0.06")}, "2024-07-13"),
    )
    assert ["fell 0.1 percent" in documents[0].text, "fell 0.06 percent" in documents[1].text] == [True, True]
    assert accounts[1].fetched == 0, "the article of a version is fetched once"


def test_times_are_read_with_their_zones(tmp_path: Path) -> None:
    settings, url = only("sec")
    documents, _, _ = gather(settings, tmp_path, ({url: response("sec_pressreleases.rss")}, "2024-08-01"))
    dates = {document.native_id: (document.available_at, document.date_precision) for document in documents}
    assert dates["sec:2024-999"] == (datetime(2024, 7, 9, 13, 30, tzinfo=UTC), "second")
    midnight = datetime(2024, 7, 9, 3, 59, 59, 999999, tzinfo=UTC)
    assert dates["sec:2024-998"] == (midnight, "day"), "a midnight is a day, which ends in its own zone"


def test_a_time_without_seconds_is_the_end_of_its_minute(tmp_path: Path) -> None:
    settings, url = only("ecb")
    documents, _, _ = gather(settings, tmp_path, ({url: response("ecb_press.xml")}, "2024-08-01"))
    deck, decision = documents
    assert decision.available_at == datetime(2024, 6, 6, 12, 15, tzinfo=UTC)
    assert deck.available_at == datetime(2024, 6, 5, 15, 30, 59, 999999, tzinfo=UTC)
    assert deck.date_precision == "minute"


def test_pages_on_other_hosts_and_pdfs_are_never_asked_for(tmp_path: Path) -> None:
    feed = response("ecb_press.xml").replace(
        b"https://www.ecb.europa.eu//press/pr", b"https://elsewhere.example/pr"
    )
    host = Host({PRESETS["ecb"].url: feed}, on("2024-08-01"))
    collect(discover, NewsSource(presets=("ecb",)), RawStore(tmp_path), host)
    assert host.asked == [PRESETS["ecb"].url]


def test_exchange_announcements_are_headlines_with_links_in_indian_time(tmp_path: Path) -> None:
    pages = {
        PRESETS["nse"].url: response("nse_announcements.xml"),
        PRESETS["bse"].url: response("bse_announcements.xml"),
    }
    settings = NewsSource(presets=("nse", "bse"))
    documents, report, _ = gather(settings, tmp_path, (pages, "2024-09-28"))
    times = {document.title: document.available_at for document in documents}
    assert times == {
        "Sample Industries Limited": datetime(2024, 9, 27, 5, 30, 59, 999999, tzinfo=UTC),
        "Example Energy Limited": datetime(2024, 9, 27, 7, 9, 15, tzinfo=UTC),
        "Example Energy Ltd (500999)": datetime(2024, 9, 27, 7, 11, 2, tzinfo=UTC),
    }
    assert {document.use for document in documents} == {"local"}
    order = next(document for document in documents if document.title == "Example Energy Limited")
    assert "an order of Rs 1,250 crore" in order.text and order.text.endswith(f"Link: {order.url}")
    reasons = sorted(example.reason for example in report.bad_row_examples)
    assert report.bad_rows == 3
    assert "'27-Sep-2034 10:00:00' is a date in the future" in reasons[0]
    assert "'31-Feb-2024 10:00:00' is not a date" in reasons[1]
    assert "no id and no link" in reasons[2]


def test_a_bad_entry_is_counted_once_however_often_the_feed_is_fetched(tmp_path: Path) -> None:
    settings, url = only("nse")
    one = response("nse_announcements.xml")
    two = one.replace(b"NSE Online", b"NSE online")
    documents, report, _ = gather(settings, tmp_path, ({url: one}, "2024-09-28"), ({url: two}, "2024-09-29"))
    assert (len(documents), report.bad_rows) == (2, 3)


def feed_of(*items: str, encoding: str = "utf-8", declared: str = "utf-8") -> bytes:
    """An RSS feed with these items."""
    inside = "".join(f"<item>{item}</item>" for item in items)
    head = f'<?xml version="1.0" encoding="{declared}"?><rss version="2.0"><channel><title>Own</title>'
    return f"{head}{inside}</channel></rss>".encode(encoding)


def own(**changes: object) -> NewsSource:
    return NewsSource(feeds=(Feed("own", OTHER, "CC0-1.0", "ship", **changes),))


def test_an_entry_without_a_date_or_a_zone_is_dated_by_the_answer_as_a_bound(tmp_path: Path) -> None:
    feed = feed_of(
        "<title>No date</title><link>https://example.org/1</link>",
        "<title>No zone</title><link>https://example.org/2</link><pubDate>Fri, 3 May 2024 10:00:00</pubDate>",
    )
    documents, _, _ = gather(own(), tmp_path, ({OTHER: feed}, "2024-05-04"), ({OTHER: feed}, "2024-05-09"))
    assert [document.available_at for document in documents] == [on("2024-05-04")] * 2
    assert {document.date_precision for document in documents} == {"bound"}
    assert "2024-05-03" in documents[0].text and "2024" not in documents[1].text


def test_nothing_is_dated_after_it_was_seen(tmp_path: Path) -> None:
    feed = feed_of("<title>A day</title><link>https://example.org/1</link><pubDate>03 May 2024</pubDate>")
    [document], _, _ = gather(own(zone="America/New_York"), tmp_path, ({OTHER: feed}, "2024-05-03T15:00"))
    assert (document.available_at, document.date_precision) == (on("2024-05-03T15:00"), "bound")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<!DOCTYPE html><html><body>Please log in</body></html>", "an HTML page in place of a feed"),
        (response("fed_press_all.xml")[:1500], "cut off"),
        (b'{"error": "rate limit"}', "neither an RSS nor an Atom feed"),
    ],
    ids=["html", "truncated", "json"],
)
def test_a_broken_feed_is_one_refusal_and_the_next_feed_goes_on(
    tmp_path: Path, body: bytes, reason: str
) -> None:
    bad = Feed("bad", "https://broken.example/feed", "CC0-1.0")
    settings = NewsSource(feeds=(bad, own().feeds[0]))
    good = feed_of("<title>Good</title><link>https://example.org/1</link>")
    documents, _, [account] = gather(settings, tmp_path, ({bad.url: body, OTHER: good}, "2024-05-04"))
    assert [document.title for document in documents] == ["Good"]
    assert account.refused == 1 and reason in account.refusals[0] and bad.url in account.refusals[0]


def test_characters_are_read_whatever_encoding_the_feed_names(tmp_path: Path) -> None:
    item = "<title>Rates – “neutral” at €5 billion</title><link>https://example.org/1</link>"
    for number, feed in enumerate(
        [
            feed_of(item),
            feed_of(item, encoding="cp1252", declared="windows-1252"),
            feed_of(item, encoding="cp1252", declared="utf-8"),
            b"\xef\xbb\xbf" + feed_of(item),
        ]
    ):
        [document], _, _ = gather(own(), tmp_path / str(number), ({OTHER: feed}, "2024-05-04"))
        assert document.title == "Rates – “neutral” at €5 billion"


def test_a_loose_ampersand_does_not_lose_the_entries(tmp_path: Path) -> None:
    feed = feed_of(
        "<title>AT&T rises 5% & more</title><link>https://example.org/1</link>",
        "<title>Assets < $10 billion</title><link>https://example.org/2</link>",
    )
    documents, _, _ = gather(own(), tmp_path, ({OTHER: feed}, "2024-05-04"))
    assert len(documents) == 2
    assert documents[1].title == "AT&T rises 5% & more"


def test_half_a_surrogate_pair_is_left_out(tmp_path: Path) -> None:
    feed = feed_of("<title>Up &#55357;&#xDE00; 5% &#8364;</title><link>https://example.org/1</link>")
    [document], _, _ = gather(own(), tmp_path, ({OTHER: feed}, "2024-05-04"))
    assert document.title == "Up 5% €"


PIECES = [
    b"<![CDATA[",
    b"]]>",
    b"&#0;",
    b"&#xD800;",
    b"<!--",
    b"&foo;",
    b"<b>",
    b"\x00",
    b"\xff",
    b"</item>",
    b"<?xml",
]


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(RESPONSES.glob("*.[xr][ms][ls]"))),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(PIECES) | st.binary(max_size=4))),
)
def test_a_damaged_feed_is_refused_or_gives_entries_that_can_be_stored(
    path: Path, damages: list[tuple[float, int, bytes]]
) -> None:
    body = bytearray(path.read_bytes())
    for place, lost, put in damages:
        start = int(place * len(body))
        body[start : start + lost] = put
    try:
        check_feed(bytes(body))
    except ValueError:
        return
    for entry in read_feed(bytes(body), None)[1]:
        if isinstance(entry, Entry):
            for text in (entry.key, entry.title, entry.summary, entry.link):
                text.encode()
                assert "\0" not in text


def test_settings_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="requires a contact"):
        NewsSource(presets=("sec",))
    with pytest.raises(ValueError, match="name a feed"):
        NewsSource()
    with pytest.raises(ValueError, match="two feeds are called fed"):
        NewsSource(presets=("fed",), feeds=(Feed("fed", OTHER, "CC0-1.0"),))
    with pytest.raises(ValueError, match="unknown zone"):
        Feed("own", OTHER, "CC0-1.0", zone="Mars")


@pytest.mark.parametrize("empty", ["Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00Z", "1970-01-01"])
def test_an_empty_clock_is_no_date(empty: str) -> None:
    from mintage.corpus.sources.news.entries import written

    with pytest.raises(ValueError, match="impossible date"):
        written(empty)
    assert written("Wed, 31 Jan 2024 00:01:00 +0000")[0] == datetime(2024, 1, 31, 0, 1, tzinfo=UTC)
