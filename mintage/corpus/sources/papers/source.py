"""Papers of arXiv: months of submissions page by page, older versions, licences, texts that may be had."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime
from urllib.parse import urlencode

from mintage import __version__
from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Refused, Request
from mintage.corpus.document import Document, Use
from mintage.corpus.sources.papers.latexml import check_paper, paper_text
from mintage.corpus.sources.papers.records import (
    Paper,
    announced,
    check_page,
    check_record,
    read_page,
    text_licence,
    total_results,
)
from mintage.corpus.sources.papers.settings import PapersSource
from mintage.corpus.sources.report import SourceReport

QUERY = "https://export.arxiv.org/api/query"
RECORD = "https://oaipmh.arxiv.org/oai"
PAGE_RESULTS = 500
VERSIONS_A_REQUEST = 50

# arXiv asks for one request every three seconds: https://info.arxiv.org/help/api/tou.html
RATES: dict[str, float] = {"arxiv.org": 1 / 3}  # over all of its hosts together

METADATA_LICENCE = "CC0-1.0 (arXiv metadata)"


def user_agent(settings: PapersSource) -> str:
    """What the requests declare themselves to be."""
    return f"mintage/{__version__} {settings.contact or ''}".strip()


def discover(settings: PapersSource, fetch: Fetch) -> Iterator[Request]:
    """The older versions of each month's papers, and where texts are wanted, those whose licence allows it.

    A month, a page or a licence that cannot be had does not end the rest.
    """
    have = {version for answer in fetch.raw for version in answer.note.get("versions", ())}
    for month in months(settings.since, min(settings.last, datetime.now(UTC).date())):
        papers = [paper for paper in month_papers(settings, month, fetch) if wanted(settings, paper)]
        older = [f"{paper.paper}v{number}" for paper in papers for number in range(1, paper.version)]
        missing = [version for version in older if version not in have]
        for start in range(0, len(missing), VERSIONS_A_REQUEST):
            batch = missing[start : start + VERSIONS_A_REQUEST]
            query = urlencode({"id_list": ",".join(batch), "max_results": len(batch)})
            note = {"query": query_of(settings), "month": month, "versions": batch}
            yield Request(f"{QUERY}?{query}", immutable=True, check=check_page, note=note)
        if settings.full_text:
            for paper in papers:
                if licence_of(paper, fetch) is not None:
                    address = f"https://arxiv.org/html/{paper.paper}v{paper.version}"
                    of = {"text": paper.paper, "version": paper.version}
                    yield Request(address, immutable=True, check=check_paper, note=of)


def months(first: date, last: date) -> Iterator[str]:
    """The months (2024-05) that a span of days touches."""
    for count in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield f"{count // 12}-{count % 12 + 1:02d}"


def query_of(settings: PapersSource) -> str:
    """The categories as arXiv's search language writes them."""
    categories = " OR ".join(f"cat:{category}" for category in settings.categories)
    return f"({categories})"


def month_papers(settings: PapersSource, month: str, fetch: Fetch) -> list[Paper]:
    """The newest versions of the papers first submitted in a month, from all the pages that can be had."""
    year, number = int(month[:4]), int(month[5:])
    last = calendar.monthrange(year, number)[1]
    span = f"submittedDate:[{year}{number:02d}010000 TO {year}{number:02d}{last}2359]"
    found: dict[str, Paper] = {}  # pages may overlap where a paper came in between
    start, total = 0, 1
    while start < total:
        query = {
            "search_query": f"{query_of(settings)} AND {span}",
            "start": start,
            "max_results": PAGE_RESULTS,
            "sortBy": "submittedDate",
            "sortOrder": "ascending",
        }
        note = {"query": query_of(settings), "month": month}
        try:
            body = fetch(Request(f"{QUERY}?{urlencode(query)}", check=check_page, note=note))
        except Refused as refusal:
            fetch.account.refuse(refusal)
        else:
            total = total_results(body)
            found |= {paper.paper: paper for paper in read_page(body) if isinstance(paper, Paper)}
        start += PAGE_RESULTS
    return list(found.values())


def licence_of(paper: Paper, fetch: Fetch) -> tuple[str, Use] | None:
    """The licence of a paper's newest version, by its OAI-PMH record; None where it allows no copy, or the
    record cannot be had."""
    query = {"verb": "GetRecord", "identifier": f"oai:arXiv.org:{paper.paper}", "metadataPrefix": "arXivRaw"}
    note = {"licence": paper.paper, "version": paper.version}
    try:
        body = fetch(Request(f"{RECORD}?{urlencode(query)}", immutable=True, check=check_record, note=note))
    except Refused as refusal:
        fetch.account.refuse(refusal)
        return None
    return text_licence(body)


def wanted(settings: PapersSource, paper: Paper) -> bool:
    """Whether a paper was first submitted in the span of the settings."""
    return settings.since <= paper.first_submitted.date() <= settings.last


def parse(settings: PapersSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """A document for the abstract of each version, and one for each text, month by month."""
    pages: dict[str, list[Answer]] = {}
    licences: dict[tuple[str, int], Answer] = {}
    texts: dict[tuple[str, int], Answer] = {}
    for answer in raw:
        if answer.note.get("query") == query_of(settings):
            pages.setdefault(answer.note["month"], []).append(answer)
        elif "licence" in answer.note:
            licences[answer.note["licence"], answer.note["version"]] = answer
        elif "text" in answer.note:
            texts[answer.note["text"], answer.note["version"]] = answer
    for month in months(settings.since, settings.last) if settings.until else sorted(pages):
        versions: dict[tuple[datetime, str, int], tuple[Paper, Answer]] = {}
        bad: set[str] = set()
        for answer in pages.get(month, ()):
            for line, paper in enumerate(read_page(raw.body(answer)), 1):
                if isinstance(paper, Paper):
                    versions[paper.first_submitted, paper.paper, paper.version] = paper, answer
                elif paper not in bad:
                    bad.add(paper)
                    report.bad(f"arXiv {month}", line, paper)
        before: dict[str, Document] = {}
        for key in sorted(versions):
            paper, answer = versions[key]
            if not wanted(settings, paper):
                continue
            if paper.submitted > answer.moment:
                reason = f"{paper.paper}v{paper.version} was submitted after it was fetched"
                report.bad(f"arXiv {month}", 1, reason)
                continue
            yield chained(before, abstract_document(settings, paper, answer, before))
            version = paper.paper, paper.version
            if settings.full_text and version in texts and version in licences:
                licence = text_licence(raw.body(licences[version]))
                if licence is None:
                    continue
                answer = texts[version]
                try:
                    text = paper_text(raw.body(answer))
                except ValueError as error:
                    report.bad(answer.url, 1, str(error))
                    continue
                if text is None:
                    report.bad(answer.url, 1, "no text found on the page")
                    continue
                yield chained(before, text_document(settings, paper, answer, text, licence, before))


def chained(before: dict[str, Document], document: Document) -> Document:
    """The document, remembered as the one that the next version supersedes."""
    before[document.native_id] = document
    return document


def abstract_document(
    settings: PapersSource, paper: Paper, answer: Answer, before: dict[str, Document]
) -> Document:
    """The metadata of a version as a document."""
    text = "\n\n".join(
        [
            f"# {paper.title}",
            f"{', '.join(paper.authors)}\n"
            f"arXiv:{paper.paper}, version {paper.version} of {paper.submitted:%Y-%m-%d} "
            f"({', '.join(paper.categories)})",
            paper.abstract,
        ]
    )
    native_id = f"arxiv:{paper.paper}"
    return version_document(
        settings, paper, answer, native_id, "paper.abstract", text, (METADATA_LICENCE, "ship"), before
    )


def text_document(
    settings: PapersSource,
    paper: Paper,
    answer: Answer,
    text: str,
    licence: tuple[str, Use],
    before: dict[str, Document],
) -> Document:
    """The text of a version as a document."""
    native_id = f"arxiv:{paper.paper}:text"
    return version_document(settings, paper, answer, native_id, "paper.text", text, licence, before)


def version_document(
    settings: PapersSource,
    paper: Paper,
    answer: Answer,
    native_id: str,
    kind: str,
    text: str,
    licence: tuple[str, Use],
    before: dict[str, Document],
) -> Document:
    """A document of one version, which supersedes the one that was made of the version before."""
    available_at, precision = announced(paper)
    if available_at > answer.moment:  # it was public when it was fetched, whatever the timetable says
        available_at, precision = answer.moment, "bound"
    earlier = before.get(native_id)
    return Document.make(
        source=settings.name,
        native_id=native_id,
        kind=kind,
        title=paper.title,
        text=text,
        available_at=available_at,
        date_precision=precision,
        published_at=paper.submitted,
        vintage=paper.version - 1,
        supersedes=None if earlier is None else earlier.doc_id,
        entities=[("arxiv", paper.paper)],
        url=f"https://arxiv.org/abs/{paper.paper}v{paper.version}",
        raw_sha256=answer.sha256,
        raw_file=f"{paper.paper}v{paper.version}",
        licence=licence[0],
        use=licence[1],
    )
