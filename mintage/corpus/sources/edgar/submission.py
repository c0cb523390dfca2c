"""A submission as EDGAR keeps it: an SGML header, then every document between <DOCUMENT> tags.

The format is described in the EDGAR Public Dissemination Service's technical specification
(https://www.sec.gov/info/edgar/specifications/pds_dissemination_spec.pdf).
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import date, datetime

from mintage.corpus.sources.edgar.listing import page_title
from mintage.corpus.sources.edgar.times import day_of, eastern

END = re.compile(rb"</(?:SEC|IMS)-DOCUMENT>")
FIRST_LINE = re.compile(r"<(?:SEC|IMS)-DOCUMENT>(\d{10}-\d\d-\d{6})\S* : (\d{8})")
DOCUMENT = re.compile(rb"<DOCUMENT>\s(.*?)</DOCUMENT>", re.DOTALL)
TAG = re.compile(r"^<(TYPE|SEQUENCE|FILENAME)>(.*)$", re.MULTILINE)
HEADER_BYTES = 200_000  # the longest headers list hundreds of filers

HTML = re.compile(r"<(?:html|body|div|p|font)\b", re.IGNORECASE)
ENCODED = re.compile(r"\s*(?:<PDF>\s*)?begin \d{3} ")  # uuencode
PLAIN_TAG = re.compile(
    r"</?(?:PAGE|TABLE|CAPTION|S|C|FN|F\d+|TEXT|ARTICLE|MULTIPLIER|LEGEND)>", re.IGNORECASE
)
PAGE_NUMBER = re.compile(r"^[ \t]*-?[ \t]*\d{1,3}[ \t]*-?[ \t]*\n\s*<PAGE>", re.IGNORECASE | re.MULTILINE)

NOT_TEXT = (".pdf", ".jpg", ".gif", ".zip", ".xml", ".xsd", ".xls", ".xlsx")

EXHIBITS = {"8-K": "EX-99", "6-K": "EX-99", "10-K": "EX-13"}
"""Which exhibits are read besides the main document: press releases; and the annual report to shareholders,
where many 10-K put the discussion and the statements that they refer to."""

VARIANTS = {"10-K405": "10-K", "10-KT": "10-K", "10-KT405": "10-K", "10-QT": "10-Q"}


@dataclass(frozen=True)
class Filer:
    """Who filed: CIK of ten digits, and the name at that time."""

    cik: str
    name: str


@dataclass(frozen=True)
class Part:
    """One document of a submission: TYPE (10-K, EX-99.1), SEQUENCE, FILENAME, and the bytes of its TEXT."""

    type: str
    sequence: int
    filename: str
    body: bytes


@dataclass(frozen=True)
class Submission:
    """What a header says, and the documents worth reading: the main one first, then exhibits.

    `public` is the day of dissemination, `filed` the filing date, `accepted` the moment of acceptance (UTC;
    None in submissions of before about 2001), `period` the end of the period (or the day of the event).
    """

    accession: str
    form: str
    filers: tuple[Filer, ...]
    public: date
    filed: date
    accepted: datetime | None
    period: date | None
    parts: tuple[Part, ...]


def base_form(form: str) -> str:
    """The form that a form is an amendment or a variant of: 10-K for 10-K405/A."""
    plain = form.removesuffix("/A")
    return VARIANTS.get(plain, plain)


def whole(body: bytes) -> None:
    """Check that an answer is a whole submission.

    Raises:
        ValueError: it is an error page, or was cut off.
    """
    if re.search(rb"<(?:SEC|IMS)-DOCUMENT>", body[:4_000]) is None:
        raise ValueError(f"{page_title(body)} in place of a submission")
    if END.search(body[-400:]) is None:
        raise ValueError("a submission without its end (</SEC-DOCUMENT>)")


def read_submission(body: bytes) -> Submission:
    """Read a submission's header and the documents that carry its text.

    Raises:
        ValueError: the header lacks what every submission has, or a date in it is impossible.
    """
    start = body.find(b"<DOCUMENT>")
    header = body[: min(start if start >= 0 else len(body), HEADER_BYTES)].decode("latin-1")
    first = FIRST_LINE.search(header)
    form, filed = field(header, "CONFORMED SUBMISSION TYPE"), field(header, "FILED AS OF DATE")
    if first is None or form is None or filed is None:
        raise ValueError("the header lacks the accession number, the form or the filing date")
    accepted = re.search(r"<ACCEPTANCE-DATETIME>\s*(\d{14})", header)
    period = field(header, "CONFORMED PERIOD OF REPORT")
    names = re.findall(
        r"COMPANY CONFORMED NAME:[ \t]*(.*?)\s*\n\s*CENTRAL INDEX KEY:[ \t]*(\d+)", header, re.IGNORECASE
    )
    filers = dict.fromkeys(Filer(cik.zfill(10), " ".join(name.split())) for name, cik in names)
    return Submission(
        accession=first[1],
        form=form,
        filers=tuple(filers),
        public=day_of(first[2]),
        filed=day_of(filed),
        accepted=eastern(datetime.strptime(accepted[1], "%Y%m%d%H%M%S")) if accepted else None,
        period=day_of(period) if period else None,
        parts=tuple(readable(body, form)),
    )


def field(header: str, name: str) -> str | None:
    """The value of a header line `NAME:   value`."""
    found = re.search(rf"^\s*{name}:[ \t]*(\S.*?)\s*$", header, re.MULTILINE)
    return found[1] if found else None


def readable(body: bytes, form: str) -> list[Part]:
    """The main document (a submission's first text) and the exhibits that its form makes worth reading."""
    wanted = EXHIBITS.get(base_form(form))
    parts: list[Part] = []
    for match in DOCUMENT.finditer(body):
        begin, end = match.span(1)
        text = body.find(b"<TEXT>", begin, end)
        if text < 0:
            continue
        tags = dict(TAG.findall(body[begin:text].decode("latin-1")))
        kind = tags.get("TYPE", "").strip()
        filename = tags.get("FILENAME", "").strip()
        if filename.lower().endswith(NOT_TEXT):
            continue  # letters of the SEC's staff: a PDF first, and then its text
        if parts and (wanted is None or not kind.startswith(wanted)):
            continue
        last = body.rfind(b"</TEXT>", text, end)
        number = tags.get("SEQUENCE", "").strip()
        parts.append(
            Part(
                type=kind,
                sequence=int(number) if number.isdecimal() else len(parts) + 1,
                filename=filename,
                body=body[text + len(b"<TEXT>") : last if last >= 0 else end],
            )
        )
    return parts


def text_of(part: Part) -> str:
    """The text of a document as Markdown; a plain one keeps its lines and columns. Empty for what is not
    text (uuencoded parts)."""
    text = decode(part.body)
    if ENCODED.match(text):
        return ""
    text = re.sub(r"\A\s*<(?:XBRL|XML)>\s*|\s*</(?:XBRL|XML)>\s*\Z", "", text)
    if HTML.search(text[:20_000]):
        from mintage.corpus.extract.html import to_markdown

        return to_markdown(text).strip()
    return plain(text)


def decode(body: bytes) -> str:
    """Text of bytes in UTF-8 or, failing that, in Windows' code page 1252, which older filings use."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def plain(text: str) -> str:
    """A plain-text document without page marks and table tags."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = PAGE_NUMBER.sub("<PAGE>", text)
    text = html.unescape(PLAIN_TAG.sub("", text))
    lines = (line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
