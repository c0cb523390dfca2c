"""Guides and textbooks: each page that is listed, and each change of it."""

from __future__ import annotations

import email.utils
from collections.abc import Iterator
from datetime import UTC, datetime

from mintage import __version__
from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Request
from mintage.corpus.document import DatePrecision, Document
from mintage.corpus.sources.dates import DateField, moment
from mintage.corpus.sources.education.settings import EducationSource, Page
from mintage.corpus.sources.news.page import check_page, page_date, page_text
from mintage.corpus.sources.report import SourceReport

RATES: dict[str, float] = {}


def user_agent(settings: EducationSource) -> str:
    """What the requests declare themselves to be."""
    return f"mintage/{__version__} {settings.contact or ''}".strip()


def discover(settings: EducationSource, fetch: Fetch) -> Iterator[Request]:
    """The pages that are listed; a host is asked whether a page that is there has changed."""
    for page in settings.pages:
        yield Request(page.url, check=check_page)


def parse(settings: EducationSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """A document for each page, and a further vintage for each answer whose text is another one."""
    for page in settings.pages:
        known: Document | None = None
        for answer in raw:
            if answer.url != page.url:
                continue
            body = raw.body(answer)
            text = page_text(body)
            if text is None:
                report.bad(page.url, 1, f"no text found on the page fetched at {answer.retrieved_at}")
                continue
            if known is not None and known.text == text:
                continue
            available_at, precision = page_moment(settings, page, answer, body, known)
            known = Document.make(
                source=settings.name,
                native_id=page.url,
                kind="education",
                title=page.title,
                text=text,
                available_at=available_at,
                date_precision=precision,
                vintage=0 if known is None else known.vintage + 1,
                supersedes=None if known is None else known.doc_id,
                url=page.url,
                raw_sha256=answer.sha256,
                raw_file=page.url.rstrip("/").rsplit("/", 1)[-1],
                licence=page.licence,
                use=page.use,
            )
            yield known


def page_moment(
    settings: EducationSource, page: Page, answer: Answer, body: bytes, known: Document | None
) -> tuple[datetime, DatePrecision]:
    """When a page's text was public: as the settings say, or at the latest on the first of the days that it
    bears, that its host last changed it, and that it was fetched, which comes after the vintage before."""
    if known is None and page.available_at is not None:
        given = moment(page.available_at, DateField("available_at", zone=settings.zone))
        if given[0] <= answer.moment:
            return given
    for bound in bounds(settings, answer, body):
        after = known is None or known.available_at is None or bound > known.available_at
        if after and bound <= answer.moment:
            return bound, "bound"
    return answer.moment, "bound"


def bounds(settings: EducationSource, answer: Answer, body: bytes) -> Iterator[datetime]:
    """The dates that a page and its transfer bear."""
    written = page_date(body, answer.moment.date())
    if written is not None:
        yield moment(written, DateField("date", zone=settings.zone))[0]
    if answer.last_modified is not None:
        try:
            changed = email.utils.parsedate_to_datetime(answer.last_modified)
        except ValueError:
            return  # a header that is no date says nothing
        yield changed.astimezone(UTC)
