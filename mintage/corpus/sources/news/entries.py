"""Entries out of RSS and Atom feeds, and what their dates mean."""

from __future__ import annotations

import email.utils
import html.entities
import io
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import feedparser
import lxml.etree
import lxml.html

from mintage.corpus.document import DatePrecision
from mintage.corpus.sources.dates import END_OF_DAY

END_TAG = re.compile(rb"</(?:rss|feed|rdf:RDF|RDF)\s*>\s*(?:<!--.*?-->\s*)*$", re.DOTALL)
REFERENCE = re.compile(rb"&#(?:(\d{1,8})|x([0-9a-fA-F]{1,8}));")
TAG_OR_ENTITY = re.compile(r"<[a-zA-Z/!]|&#?\w+;")
UNWANTED = re.compile(r"[\x00-\x08\x0e-\x1f\ud800-\udfff]")
ENTITY = re.compile(r"&([A-Za-z]\w*;)")
BLOCK_TAG = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|td|th|table|h[1-6])\b[^>]*>", re.IGNORECASE)
YEAR_ONE = re.compile(r"(?<![-+:\d])000\d(?!\d)")  # what programs write for no date; parsers read 2001
CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d)?")
# What feeds write besides RFC 822 and ISO 8601; the exchanges of India use the first.
OTHER_FORMATS = ("%d-%b-%Y %H:%M:%S", "%d-%b-%Y %H:%M", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%B %d, %Y")
FIRST_YEAR = 1990  # of the Web; an earlier date is an empty clock or a slip
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Entry:
    """One entry as the feed has it; `key` is its id, or its link where it has none. Dates are as written."""

    key: str
    title: str
    summary: str
    link: str
    published: str | None
    updated: str | None

    @property
    def version(self) -> str:
        """What changes when the publisher says that the entry did."""
        return self.updated or self.published or ""


@dataclass(frozen=True)
class Moment:
    """When something became public: the instant (UTC) with its precision, and the day as it was written."""

    at: datetime
    precision: DatePrecision
    day: date


def check_feed(body: bytes) -> None:
    """Raise ValueError where a body is not a whole RSS or Atom feed."""
    head = body[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html")) or b"<html" in head:
        raise ValueError("an HTML page in place of a feed")
    if not any(mark in head for mark in (b"<rss", b"<feed", b"<rdf:rdf", b"<rdf")):
        raise ValueError("neither an RSS nor an Atom feed")
    if END_TAG.search(body[-4096:].rstrip()) is None:
        raise ValueError("the feed is cut off: its closing tag is missing")
    read_feed(body, None)


def read_feed(body: bytes, content_type: str | None) -> tuple[str, list[Entry | str]]:
    """The title of a feed and its entries in their order; a string in place of an entry says what it lacks.

    The characters are decoded as the transfer says, or as the XML says, or as they can be.

    Raises:
        ValueError: not even broken XML can be read out of it.
    """
    headers = {"content-type": content_type} if content_type else {}
    whole = io.BytesIO(REFERENCE.sub(without_surrogate, body))
    try:
        parsed = feedparser.parse(whole, response_headers=headers, resolve_relative_uris=False)
    except Exception as error:  # feedparser's loose parser gives up on broken XML with errors of any kind
        raise ValueError(f"the feed cannot be read: {type(error).__name__}: {error}") from None
    entries = [entry_of(item) for item in parsed.entries]
    return plain(dict.get(parsed.feed, "title", "")), entries


def without_surrogate(reference: re.Match[bytes]) -> bytes:
    """A character reference, or nothing where it is half of a surrogate pair, which is no character."""
    code = int(reference[1]) if reference[1] else int(reference[2], 16)
    return b"" if 0xD800 <= code <= 0xDFFF else reference[0]


def entry_of(item: feedparser.FeedParserDict) -> Entry | str:
    """An entry of feedparser's as an Entry, or what it lacks."""
    # dict.get, because FeedParserDict.get answers `updated` with `published` where there is none.
    link = clean(dict.get(item, "link") or "")
    key = clean(dict.get(item, "id") or "") or link
    title = plain(dict.get(item, "title") or "")
    summary = plain(dict.get(item, "summary") or "")
    if not summary:
        summary = plain(" ".join(part.get("value") or "" for part in dict.get(item, "content") or []))
    if not key:
        return f"no id and no link: {title[:80]!r}"
    if not title and not summary:
        return f"neither a headline nor a summary: {key[:120]!r}"
    published, updated = (clean(dict.get(item, name) or "") or None for name in ("published", "updated"))
    return Entry(key, title, "" if summary == title else summary, link, published, updated)


def clean(text: str) -> str:
    """A string on one line, without characters that no text may have (NUL, halves of surrogate pairs)."""
    return " ".join(UNWANTED.sub("", text).split())


def plain(markup: str) -> str:
    """The text of a piece of HTML on one line; inline tags leave no space, so that no figure is torn."""
    # feedparser takes the loose ampersand of "AT&T rises", which is no XML, for an entity: "AT&T; rises".
    markup = ENTITY.sub(lambda name: name[0] if name[1] in html.entities.html5 else name[0][:-1], markup)
    if TAG_OR_ENTITY.search(markup):
        try:
            spaced = BLOCK_TAG.sub(r" \g<0> ", markup)
            markup = str(lxml.html.fromstring(f"<div>{spaced}</div>").xpath("string()"))
        except (lxml.etree.ParserError, ValueError):  # nothing but comments, or characters that XML forbids
            markup = re.sub(r"<[^>]*>", " ", markup)
    return clean(markup)


def written(text: str) -> tuple[datetime, DatePrecision]:
    """A feed's date as written, with its offset if it has one, and its precision.

    Raises:
        ValueError: it is no date.
    """
    found = parse_date(text)
    if found.year < FIRST_YEAR or YEAR_ONE.search(text):
        raise ValueError(f"{text[:60]!r} is an impossible date")
    clock = CLOCK.search(text)
    if clock is None or found.time() == time():  # how many programs write a day
        return found, "day"
    return found, "second" if clock[1] else "minute"


def parse_date(text: str) -> datetime:
    """Read RFC 822, ISO 8601, or one of `OTHER_FORMATS`."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass  # most feeds are RSS, which writes dates by RFC 822
    for format_ in OTHER_FORMATS:
        try:
            return datetime.strptime(text, format_)
        except ValueError:
            continue
    try:
        return email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        raise ValueError(f"{text[:60]!r} is not a date") from None


def moment_of(text: str, zone: str | None, retrieved_at: datetime) -> Moment:
    """When a text that a feed dates so was public, at the latest: never after the feed was seen.

    A day means its end. With a time in no known zone it is the retrieval, as a bound.

    Raises:
        ValueError: the date cannot be read, is impossible, or lies in the future.
    """
    start, precision = written(text)
    place = start.tzinfo or (ZoneInfo(zone) if zone else None)
    # Without a zone the earliest place on earth is given the benefit of the doubt.
    earliest = start.replace(tzinfo=place) if place else start.replace(tzinfo=UTC) - timedelta(hours=14)
    if earliest > retrieved_at + CLOCK_SKEW:
        day = retrieved_at.date().isoformat()
        raise ValueError(f"{text[:60]!r} is a date in the future: the feed was fetched on {day}")
    if place is None:
        return Moment(retrieved_at, "bound", start.date())
    end = start
    if precision == "day":
        end = datetime.combine(start.date(), END_OF_DAY)
    elif precision == "minute":
        end = start.replace(second=59, microsecond=999999)
    at = max(end.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (0, 1))
    if at > retrieved_at:
        return Moment(retrieved_at, "bound", start.date())
    return Moment(at, precision, start.date())
