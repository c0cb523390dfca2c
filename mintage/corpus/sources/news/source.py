"""News: feeds are asked again and again, the articles that they name once for each version of an entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from urllib.parse import urlsplit

from mintage import __version__
from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Refused, Request
from mintage.corpus.document import Document
from mintage.corpus.sources.news.entries import Entry, Moment, check_feed, moment_of, read_feed
from mintage.corpus.sources.news.page import check_page, page_text
from mintage.corpus.sources.news.settings import Feed, NewsSource
from mintage.corpus.sources.report import SourceReport

RATES: dict[str, float] = {"www.sec.gov": 2.0, "www.bls.gov": 0.5, "www.federalreserve.gov": 1.0}


def user_agent(settings: NewsSource) -> str:
    """What the requests declare themselves to be."""
    return f"mintage/{__version__} {settings.contact or ''}".strip()


def discover(settings: NewsSource, fetch: Fetch) -> Iterator[Request]:
    """The articles of feeds whose full text is wanted; a feed that cannot be had does not end the others."""
    asked: set[str] = set()
    for feed in settings.chosen():
        try:
            answer = fetch.answer(Request(feed.url, check=check_feed, note={"feed": feed.name}))
            entries = read_feed(fetch.raw.body(answer), answer.content_type)[1]
        except Refused as refusal:
            fetch.account.refuse(refusal)
            continue
        except ValueError as error:  # the type that its host gives it is not the one that it can be read by
            fetch.account.refuse(Refused(feed.url, str(error)))
            continue
        for entry in entries:
            if isinstance(entry, Entry) and entry.link not in asked and has_article(feed, entry):
                asked.add(entry.link)
                note = {"version": entry.version}
                yield Request(entry.link, immutable=True, check=check_page, note=note)


def has_article(feed: Feed, entry: Entry) -> bool:
    """Whether an entry's link is a page that may be fetched: on a host that the settings name, and no PDF."""
    parts = urlsplit(entry.link)
    hosts = {host_of(feed.url), *map(str.lower, feed.article_hosts)}
    named = parts.scheme in ("http", "https") and host_of(entry.link) in hosts
    return feed.full_text and named and not parts.path.lower().endswith(".pdf")


def host_of(url: str) -> str:
    """The host of an address, without a leading www."""
    return (urlsplit(url).hostname or "").removeprefix("www.")


@dataclass
class History:
    """What is known of one entry while its feed's answers are read in their order."""

    content: tuple[str, str]
    moment: Moment
    vintage: int
    document: str


@dataclass
class Reading:
    """The state of one reading of a source: who carries which entry, and what was counted as bad."""

    articles: dict[tuple[str, str], Answer]
    owners: dict[str, str] = field(default_factory=dict)
    histories: dict[str, History] = field(default_factory=dict)
    bad: set[tuple[str, str]] = field(default_factory=set)


def parse(settings: NewsSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """A document for each version of each entry, feed by feed, in the order in which they were seen.

    An entry whose headline or summary changed is a new vintage, dated by its own `updated` or by the answer
    in which the change was first seen.
    """
    reading = Reading(
        {(answer.url, answer.note["version"]): answer for answer in raw if "version" in answer.note}
    )
    for feed in settings.chosen():
        for answer in raw:
            if answer.url == feed.url and answer.note.get("feed") == feed.name:
                yield from feed_documents(settings, feed, answer, raw, reading, report)


def feed_documents(
    settings: NewsSource, feed: Feed, answer: Answer, raw: RawStore, reading: Reading, report: SourceReport
) -> Iterator[Document]:
    """The documents that one answer of a feed adds to those already known."""
    try:
        title, entries = read_feed(raw.body(answer), answer.content_type)
    except ValueError as error:
        report.bad(feed.name, 1, f"fetched at {answer.retrieved_at}: {error}")
        return
    for line, entry in reversed(list(enumerate(entries, 1))):  # feeds begin with the newest
        if isinstance(entry, str):
            note_bad(reading, report, feed, line, entry, entry)
            continue
        key = entry.key if ":" in entry.key else f"{feed.name}:{entry.key}"
        if reading.owners.setdefault(key, feed.name) != feed.name:
            continue
        known = reading.histories.get(key)
        if known is not None and known.content == (entry.title, entry.summary):
            continue
        try:
            moment = entry_moment(feed, entry, answer.moment, known)
        except ValueError as error:
            note_bad(reading, report, feed, line, key, str(error))
            continue
        article = reading.articles.get((entry.link, entry.version)) if has_article(feed, entry) else None
        text = page_text(raw.body(article)) if article is not None else None
        origin = article if article is not None and text is not None else answer
        document = Document.make(
            source=settings.name,
            native_id=key,
            kind="news.headline" if text is None else "news.article",
            title=entry.title,
            text=layout(title or feed.name, entry, moment.day, text),
            available_at=moment.at,
            date_precision=moment.precision,
            vintage=0 if known is None else known.vintage + 1,
            supersedes=None if known is None else known.document,
            url=entry.link or None,
            raw_sha256=origin.sha256,
            raw_file=origin.url.rsplit("/", 1)[-1],
            licence=feed.licence,
            use=feed.use,
        )
        reading.histories[key] = History(
            (entry.title, entry.summary), moment, document.vintage, document.doc_id
        )
        yield document


def note_bad(reading: Reading, report: SourceReport, feed: Feed, line: int, key: str, reason: str) -> None:
    """Count an entry that is left out, once however many answers of the feed have it."""
    if (feed.name, key) not in reading.bad:
        reading.bad.add((feed.name, key))
        report.bad(feed.name, line, reason)


def entry_moment(feed: Feed, entry: Entry, retrieved_at: datetime, known: History | None) -> Moment:
    """When this version of an entry was public: the later of its two dates; for a change that the entry does
    not date, the answer in which it was first seen."""
    dates = [text for text in (entry.published, entry.updated) if text is not None]
    moments = [moment_of(text, feed.zone, retrieved_at) for text in dates]
    if not moments:
        moments = [Moment(retrieved_at, "bound", retrieved_at.date())]
    latest = max(moments, key=lambda moment: moment.at)
    if known is not None and latest.at <= known.moment.at:
        return Moment(retrieved_at, "bound", moments[0].day)
    return Moment(latest.at, latest.precision, moments[0].day)


def layout(publisher: str, entry: Entry, day: date, article: str | None) -> str:
    """The text of a document: headline, where and when it appeared, then the article, or summary and link."""
    dated = entry.published or entry.updated
    appeared = f"{publisher}, {day.isoformat()}" if dated else publisher
    if article is not None:
        return "\n\n".join(part for part in (entry.title, appeared, article) if part)
    link = f"Link: {entry.link}" if entry.link else ""
    return "\n\n".join(part for part in (entry.title, appeared, entry.summary, link) if part)
