"""What arXiv answers: Atom pages of the query API and OAI-PMH records, checked and read.

Formats: https://info.arxiv.org/help/api/user-manual.html and https://info.arxiv.org/help/oa/index.html.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import lxml.etree

from mintage.corpus.document import DatePrecision, Use
from mintage.corpus.sources.dates import END_OF_DAY

ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"
OPENSEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
RAW = "{http://arxiv.org/OAI/arXivRaw/}"
OAI = "{http://www.openarchives.org/OAI/2.0/}"

IDENTIFIER = re.compile(
    r"arxiv\.org/abs/(?P<paper>[a-z-]+(?:\.[A-Z]{2})?/\d{7}|\d{4}\.\d{4,5})v(?P<version>\d+)$"
)
NEW_STYLE = re.compile(r"(\d\d)(\d\d)\.\d{4,5}")
EASTERN = ZoneInfo("America/New_York")
DEADLINE_HOUR = 14  # of submissions, on working days, Eastern time; they are announced at 20:00
SATURDAY = 5

# Licences that arXiv offers, by a part of their address, with what they allow. Its own non-exclusive licence
# and CC BY-NC-ND are not here: neither allows a copy of the text to be made into something else.
TEXT_LICENCES: dict[str, tuple[str, Use]] = {
    "/publicdomain/zero/": ("CC0-1.0", "ship"),
    "/licenses/publicdomain": ("Public domain", "ship"),
    "/licenses/by/": ("CC BY", "ship"),
    "/licenses/by-sa/": ("CC BY-SA", "local"),
    "/licenses/by-nc-sa/": ("CC BY-NC-SA", "local"),
}


@dataclass(frozen=True)
class Paper:
    """One version of a paper: its metadata, when it was submitted, and when the first version was."""

    paper: str
    version: int
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    submitted: datetime
    first_submitted: datetime


def check_page(body: bytes) -> None:
    """Raise ValueError where a body is not a whole Atom page of the API, is its error, or is empty although
    results were promised."""
    root = atom(body)
    for entry in root.iter(f"{ATOM}entry"):
        if "/api/errors" in text_of(entry, f"{ATOM}id"):
            raise ValueError(f"arXiv says: {text_of(entry, f'{ATOM}summary')}")
    total, start = total_results(body), number(root, f"{OPENSEARCH}startIndex")
    if start < total and root.find(f"{ATOM}entry") is None:
        raise ValueError(f"no entries, although {total - start:,} of {total:,} were left; ask again later")


def total_results(body: bytes) -> int:
    """How many papers a query finds, on all its pages together."""
    return number(atom(body), f"{OPENSEARCH}totalResults")


def atom(body: bytes) -> lxml.etree._Element:
    """The root of an Atom document.

    Raises:
        ValueError: it is not one, or not whole.
    """
    root = parsed(body)
    if root.tag != f"{ATOM}feed":
        raise ValueError("not an Atom feed")
    return root


def parsed(body: bytes) -> lxml.etree._Element:
    """The root of an XML document, read without its external entities.

    Raises:
        ValueError: it is not XML, or not whole.
    """
    try:
        return lxml.etree.fromstring(body, lxml.etree.XMLParser(resolve_entities=False, no_network=True))
    except lxml.etree.XMLSyntaxError as error:
        raise ValueError(f"not XML, or cut off: {error}") from None


def number(root: lxml.etree._Element, tag: str) -> int:
    """A count in a child element."""
    text = text_of(root, tag)
    if not text.isdecimal():
        raise ValueError(f"no number in {tag.rsplit('}', 1)[-1]}")
    return int(text)


def text_of(element: lxml.etree._Element, tag: str) -> str:
    """The text of the first child with a tag, on one line; empty where there is none."""
    return " ".join((element.findtext(tag) or "").split())


def read_page(body: bytes) -> list[Paper | str]:
    """The papers of a page in its order; a string in place of one says what is wrong with it."""
    return [read_entry(entry) for entry in atom(body).iter(f"{ATOM}entry")]


def read_entry(entry: lxml.etree._Element) -> Paper | str:
    """One entry as a Paper, or what is wrong with it."""
    identifier = text_of(entry, f"{ATOM}id")
    found = IDENTIFIER.search(identifier)
    if found is None:
        return f"{identifier[:80]!r} is not the address of a version"
    title, abstract = text_of(entry, f"{ATOM}title"), text_of(entry, f"{ATOM}summary")
    if not title or not abstract:
        return f"{identifier}: no title, or no abstract"
    try:
        submitted = instant(text_of(entry, f"{ATOM}updated"))
        first_submitted = instant(text_of(entry, f"{ATOM}published"))
    except ValueError as error:
        return f"{identifier}: {error}"
    if submitted < first_submitted:
        return f"{identifier}: version submitted before the first one"
    return Paper(
        paper=found["paper"],
        version=int(found["version"]),
        title=title,
        abstract=abstract,
        authors=tuple(text_of(author, f"{ATOM}name") for author in entry.iter(f"{ATOM}author")),
        categories=tuple(item.get("term", "") for item in entry.iter(f"{ATOM}category")),
        submitted=submitted,
        first_submitted=first_submitted,
    )


def instant(text: str) -> datetime:
    """A time with its offset, in UTC.

    Raises:
        ValueError: it is not one.
    """
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time") from None
    if written.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return written.astimezone(UTC)


def announced(paper: Paper) -> tuple[datetime, DatePrecision]:
    """The end (UTC) of the day, Eastern time, on which arXiv announced a version, and the precision.

    By its timetable (https://info.arxiv.org/help/availability.html) what came by 14:00 on a working day
    appears at 20:00 on that day, and what came by 14:00 on a Friday on Sunday. Holidays and moderators delay
    it further and are in no public record, but an identifier bears the month of the announcement: a first
    version that the timetable puts into an earlier month is dated by the end of that month, a bound.
    """
    local = paper.submitted.astimezone(EASTERN)
    day = local.date() + timedelta(days=local.hour >= DEADLINE_HOUR)
    if day.weekday() >= SATURDAY:  # the weekend waits for Monday's deadline
        day += timedelta(days=7 - day.weekday())
    if day.weekday() == SATURDAY - 1:  # what Friday's deadline closes appears on Sunday
        day += timedelta(days=2)
    precision: DatePrecision = "day"
    identifier = NEW_STYLE.fullmatch(paper.paper)
    if paper.version == 1 and identifier is not None:
        year, month = 2000 + int(identifier[1]), int(identifier[2])
        if (day.year, day.month) < (year, month) <= (year, 12):
            day, precision = date(year, month, calendar.monthrange(year, month)[1]), "bound"
    return datetime.combine(day, END_OF_DAY, EASTERN).astimezone(UTC), precision


def check_record(body: bytes) -> None:
    """Raise ValueError where a body is not an OAI-PMH record that says its licence."""
    root = parsed(body)
    error = root.find(f"{OAI}error")
    if error is not None:
        raise ValueError(f"arXiv says: {error.get('code')}: {(error.text or '').strip()}")
    if next(root.iter(f"{RAW}arXivRaw"), None) is None:
        raise ValueError("no arXivRaw record in the answer")


def text_licence(body: bytes) -> tuple[str, Use] | None:
    """The licence of a record with its address, and what it allows; None where it allows no copy.

    Papers from before 2004 have no licence on record, which allows none either.
    """
    address = next((text_of(raw, f"{RAW}license") for raw in parsed(body).iter(f"{RAW}arXivRaw")), "")
    for part, (name, use) in TEXT_LICENCES.items():
        if "creativecommons.org" in address and part in address:
            return f"{name} ({address})", use
    return None
