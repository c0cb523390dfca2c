"""EDGAR: discover the filings and figures that the settings name, and turn them into documents."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial

from mintage.corpus.collect.collect import Account, Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Refused, Request
from mintage.corpus.document import DatePrecision, Document
from mintage.corpus.sources.edgar import listing
from mintage.corpus.sources.edgar.bulk import Archives
from mintage.corpus.sources.edgar.items import cut
from mintage.corpus.sources.edgar.settings import EdgarSource
from mintage.corpus.sources.edgar.submission import Submission, base_form, read_submission, text_of, whole
from mintage.corpus.sources.edgar.times import became_public, last_filing_day
from mintage.corpus.sources.report import SourceReport
from mintage.errors import MintageError

PERIODIC = ("10-K", "10-Q", "20-F", "40-F")  # elsewhere the header's period is an event's day, or a meeting's
MOST_DAILY_INDEXES = 10  # in a quarter; for more days the quarter's own index is smaller


def rates(settings: EdgarSource) -> dict[str, float]:
    """Requests a second by host; `sec.gov` stands for all of its hosts together."""
    return {"sec.gov": settings.requests_per_second}


def user_agent(settings: EdgarSource) -> str:
    """The User-Agent that EDGAR asks programs to declare, with the user's address in it.

    Raises:
        MintageError: the user gave no address.
    """
    if not settings.contact:
        raise MintageError(
            f"{settings.name}.contact: EDGAR refuses programs that do not say whose they are; "
            f"give an e-mail address: contact=you@example.org"
        )
    return f"mintage {settings.contact}"


def discover(settings: EdgarSource, fetch: Fetch) -> Iterator[Request]:
    """The filings and figures that the settings name. Indexes are asked for again, filings never."""
    archives = Archives(settings, fetch)
    texts, figures = "filings" in settings.produce, settings.figures
    seen: set[str] = set()
    for filing in settings.filings:
        cik, accession = filing.split("/")
        if accession not in seen:
            seen.add(accession)
            yield filing_request(cik.zfill(10), accession)
    every = settings.companies == "every"
    ciks: dict[str, None] = {}
    if every:
        for listed in filings_of_period(settings, fetch):
            ciks.setdefault(listed.cik)
            if texts and listed.accession not in seen:
                seen.add(listed.accession)
                yield filing_request(listed.cik, listed.accession)
    else:
        ciks = dict.fromkeys(named_companies(settings, fetch))
    for cik in ciks:
        if not every or figures:
            for listed in filings_of_company(cik, settings, archives):
                if texts and not every and listed.accession not in seen:
                    seen.add(listed.accession)
                    yield filing_request(cik, listed.accession)
        if figures:
            yield from figures_request(listing.companyfacts_url(cik), archives)


def figures_request(url: str, archives: Archives) -> Iterator[Request]:
    """The request of a company's figures, where no archive has them."""
    try:
        kept = archives.keep(url, listing.is_companyfacts)
    except Refused as refusal:
        archives.fetch.account.refuse(refusal)
        return
    if not kept:
        yield Request(url, check=listing.is_companyfacts)


def filing_request(cik: str, accession: str) -> Request:
    """The request of a filing's whole submission, which never changes."""
    return Request(listing.filing_url(cik, accession), immutable=True, check=whole)


def named_companies(settings: EdgarSource, fetch: Fetch) -> Iterator[str]:
    """CIK numbers (ten digits) of the companies named; an unknown ticker is a refusal of its own."""
    tickers: dict[str, tuple[str, str]] | None = {}
    for company in settings.companies:
        if (number := cik_number(company)) is not None:
            yield number
            continue
        if tickers == {}:
            try:
                tickers = listing.read_tickers(fetch(Request(listing.TICKERS, check=listing.is_tickers)))
            except Refused as refusal:
                fetch.account.refuse(refusal)
                tickers = None
        if tickers is None:
            continue
        if (found := ticker_of(company, tickers)) is not None:
            yield found
        else:
            reason = (
                f"no company has the ticker {company!r}{nearest(company, tickers)}; write another, or a CIK"
            )
            fetch.account.refuse(Refused(listing.TICKERS, reason))


def cik_number(company: str) -> str | None:
    """The ten digits of a CIK number, with or without the letters before it; None for a ticker."""
    digits = company.upper().removeprefix("CIK")
    return digits.zfill(10) if digits.isdecimal() else None


def ticker_of(company: str, tickers: dict[str, tuple[str, str]]) -> str | None:
    """The CIK of a ticker; EDGAR writes classes of shares with a hyphen (BRK-B)."""
    found = tickers.get(company.upper().replace(".", "-"))
    return found[0] if found else None


def nearest(company: str, tickers: dict[str, tuple[str, str]]) -> str:
    """The tickers that look most like a wrong one, as the middle of a sentence."""
    close = difflib.get_close_matches(company.upper(), tickers, n=3, cutoff=0.5)
    named = ", ".join(f"{ticker} ({tickers[ticker][1]})" for ticker in close)
    return f"; the nearest are {named}" if named else ""


def filings_of_company(cik: str, settings: EdgarSource, archives: Archives) -> Iterator[listing.Listed]:
    """The filings of a company that the settings ask for, the newest first; a refused index is counted."""
    account, index = archives.fetch.account, listing.submissions_url(cik)
    try:
        body = archives.get(index, listing.is_submissions)
    except Refused as refusal:
        account.refuse(refusal)
        return
    yield from listed_in(body, cik, index, settings, account)
    for url in listing.continuations(body, settings.since, settings.until):
        try:
            older = archives.get(url, listing.is_continuation)
        except Refused as refusal:
            account.refuse(refusal)
            continue
        yield from listed_in(older, cik, url, settings, account)


def refuse_row(account: Account, url: str, reason: str) -> None:
    """Count a row of an index that cannot be read."""
    account.refuse(Refused(url, reason))


def listed_in(
    body: bytes, cik: str, url: str, settings: EdgarSource, account: Account
) -> Iterator[listing.Listed]:
    """The filings of a stored index that the settings ask for; a row with an impossible date is a refusal."""
    for one in listing.read_submissions(body, cik, partial(refuse_row, account, url)):
        if asked_for(settings, one.form, one.filed):
            yield one


def filings_of_period(settings: EdgarSource, fetch: Fetch) -> Iterator[listing.Listed]:
    """The filings of every company that the settings ask for, from quarterly indexes, or from daily ones
    where they are few."""
    since, until = settings.since, settings.until
    assert since is not None and until is not None  # checked by the settings
    for first, url in listing.index_urls(since, until):
        urls = [url]
        if (
            listing.business_days(max(since, first), min(until, listing.last_day(first)))
            <= MOST_DAILY_INDEXES
        ):
            folder = listing.daily_folder(first)
            try:
                names = listing.daily_names(
                    fetch(Request(f"{folder}index.json", check=listing.is_daily_listing)), since, until
                )
            except Refused as refusal:
                fetch.account.refuse(refusal)
                continue
            urls = [folder + name for name in names]
        for index in urls:
            try:
                body = fetch(Request(index, check=listing.is_master_index))
            except Refused as refusal:
                fetch.account.refuse(refusal)
                continue
            for listed in listing.read_master_index(body, partial(refuse_row, fetch.account, index)):
                if asked_for(settings, listed.form, listed.filed):
                    yield listed


def asked_for(settings: EdgarSource, form: str, filed: date) -> bool:
    """Whether the settings ask for filings of a form and a day."""
    return (
        base_form(form) in settings.forms
        and (settings.amendments or not form.endswith("/A"))
        and (settings.since is None or filed >= settings.since)
        and (settings.until is None or filed <= settings.until)
    )


def parse(settings: EdgarSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the stored answers: filings by accession number, then figures by company."""
    ciks = companies_of(settings, raw)
    tickers = tickers_by_cik(raw)
    filings: dict[str, Answer] = {}
    for url in sorted(raw.newest):
        if (found := listing.FILING.fullmatch(url)) and found[2] not in filings:
            filings[found[2]] = raw.newest[url]
    for accession in sorted(filings):
        answer = filings[accession]
        try:
            submission = read_submission(raw.body(answer))
            if max(submission.filed, submission.public) > last_filing_day(answer.moment):
                fetched = answer.moment.date()
                raise ValueError(f"filed on {submission.filed}, after it was fetched on {fetched}")
        except ValueError as error:
            report.bad(answer.url, 0, str(error))
            continue
        if not named(settings, submission, ciks):
            continue
        empty = True
        for document in filing_documents(settings, submission, answer, tickers):
            empty = False
            yield document
        if empty:
            report.bad(answer.url, 0, f"a {submission.form} without text")
    if settings.figures:
        yield from figure_documents(settings, raw, ciks, tickers, report)


def tickers_by_cik(raw: RawStore) -> dict[str, list[str]]:
    """The tickers of companies: those that the stored indexes name, else those of the SEC's stored list."""
    tickers: dict[str, list[str]] = {}
    stored = raw.newest.get(listing.TICKERS)
    for ticker, (cik, _) in (listing.read_tickers(raw.body(stored)) if stored else {}).items():
        tickers.setdefault(cik, []).append(ticker)
    for url, answer in raw.newest.items():
        if (found := listing.SUBMISSIONS.fullmatch(url)) and "-submissions-" not in url:
            tickers[found[1]] = listing.tickers_of(raw.body(answer))
    return tickers


def companies_of(settings: EdgarSource, raw: RawStore) -> set[str] | None:
    """The CIK numbers that the settings name, tickers by the stored list; None for every company."""
    if settings.companies == "every":
        return None
    stored = raw.newest.get(listing.TICKERS)
    tickers = listing.read_tickers(raw.body(stored)) if stored else {}
    found = (cik_number(company) or ticker_of(company, tickers) for company in settings.companies)
    return {cik for cik in found if cik is not None}


def named(settings: EdgarSource, submission: Submission, ciks: set[str] | None) -> bool:
    """Whether the settings name a stored filing: by itself, or by its company, form and day."""
    if any(filing.split("/")[1] == submission.accession for filing in settings.filings):
        return True
    return (
        "filings" in settings.produce
        and asked_for(settings, submission.form, submission.filed)
        and (ciks is None or any(filer.cik in ciks for filer in submission.filers))
    )


def filing_documents(
    settings: EdgarSource, submission: Submission, answer: Answer, tickers: dict[str, list[str]]
) -> Iterator[Document]:
    """A document for each item of a filing's main document (one for the whole where it has none), and one
    for each exhibit."""
    available_at, precision = became_public(submission.accepted, max(submission.public, submission.filed))
    entities = [("cik", filer.cik) for filer in submission.filers]
    entities += [("ticker", name) for filer in submission.filers for name in tickers.get(filer.cik, [])]
    form = submission.form
    subject = f"{submission.filers[0].name} {form}" if submission.filers else form
    if submission.period is not None:
        subject += f" for {submission.period}"

    def document(key: str, kind: str, title: str, text: str) -> Document:
        return Document.make(
            source=settings.name,
            native_id=f"{submission.accession}/{key}",
            kind=".".join(["filing", form.replace(" ", "_"), *([kind] if kind else [])]),
            title=title,
            text=text,
            available_at=available_at,
            date_precision=precision,
            published_at=submission.accepted,
            period_end=submission.period if base_form(form) in PERIODIC else None,
            entities=entities,
            url=answer.url,
            raw_sha256=answer.sha256,
            raw_file=answer.url.rsplit("/", 1)[-1],
            licence=settings.licence,
            use=settings.use,
        )

    for number, part in enumerate(submission.parts):
        text = text_of(part)
        if not text:
            continue
        if number:
            exhibit = f"exhibit{part.type.removeprefix('EX-').split('.')[0]}"
            yield document(f"{exhibit}.{part.sequence}", exhibit, f"{subject}: Exhibit {part.type[3:]}", text)
            continue
        sections = cut(text, form)
        if not sections:
            yield document("whole", "", subject, text)
        for section in sections:
            yield document(section.key, section.key, f"{subject}: {section.heading}", section.text)


def figure_documents(
    settings: EdgarSource,
    raw: RawStore,
    ciks: set[str] | None,
    tickers: dict[str, list[str]],
    report: SourceReport,
) -> Iterator[Document]:
    """What is made of the stored companyfacts of the companies named: facts, and questions about them."""
    from mintage.corpus.extract import companyfacts, question_answers
    from mintage.corpus.extract.vintages import Answer as FactsAnswer
    from mintage.corpus.extract.vintages import FormerName

    writers = []
    if "facts" in settings.produce:
        writers.append((companyfacts.documents, settings.name, report))
    if "questions" in settings.produce:
        counted_once = SourceReport() if writers else report
        writers.append((question_answers.documents, f"{settings.name}_questions", counted_once))
    for url in sorted(raw.newest):
        found = listing.COMPANYFACTS.fullmatch(url)
        if found is None or (ciks is not None and found[1] not in ciks):
            continue
        answer = raw.newest[url]
        index = raw.newest.get(listing.submissions_url(found[1]))
        former = listing.former_names(raw.body(index)) if index else []
        facts = FactsAnswer(
            raw.body(answer),
            url,
            answer.sha256,
            settings.licence,
            settings.use,
            acceptances_of(found[1], raw),
            [FormerName(*name) for name in former],
            tickers.get(found[1], []),
            last_filing_day(answer.moment),
        )
        for write, source, counted in writers:
            yield from write(facts, source, counted)


def acceptances_of(cik: str, raw: RawStore) -> dict[str, tuple[datetime, DatePrecision]]:
    """When each filing of a company became public, and how well that is known, by accession number, from its
    stored indexes."""
    listed = [
        one
        for url in sorted(raw.newest)
        if (found := listing.SUBMISSIONS.fullmatch(url)) and found[1] == cik
        for one in listing.read_submissions(raw.body(raw.newest[url]), cik)
    ]
    return listing.acceptances(listed)
