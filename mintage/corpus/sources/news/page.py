"""The text of a web page without what surrounds it, and the page's own date."""

from __future__ import annotations

import calendar
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from datetime import date

import trafilatura
from htmldate import find_date
from trafilatura import load_html

ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])")
TITLE = re.compile(rb"<title[^>]*>\s*([^<]*)", re.IGNORECASE)
REFUSAL = re.compile(
    r"(?:error\W+)?(?:403|404|410|429|50[0-4])\b|forbidden\b|access (?:is |was )?denied"
    r"|page (?:was )?not found|not found$|too many requests|request (?:was )?(?:rejected|blocked)"
    r"|attention required|just a moment"
    r"|are you a (?:robot|human)|service unavailable|bad gateway|internal server error",
    re.IGNORECASE,
)
MONTHS = [name for name in calendar.month_name if name]
HTML_MARKS = (b"<html", b"<!doctype html", b"<body", b"<article", b"<p>", b"<p ")


def check_page(body: bytes) -> None:
    """Raise ValueError where a body is not an HTML page (a PDF, an image, a message in JSON), or is one by
    whose title the host refuses."""
    wide = body[:2] in (BOM_UTF16_LE, BOM_UTF16_BE)
    start = body[:65536].decode("utf-16", "replace").encode() if wide else body[:65536]
    head = start.lower()
    if not any(mark in head for mark in HTML_MARKS):
        what = "a PDF" if body[:5] == b"%PDF-" else "something else"
        raise ValueError(f"{what} in place of an HTML page")
    title = TITLE.search(start)
    said = " ".join(title[1].decode("utf-8", "replace").split()) if title else ""
    if REFUSAL.match(said):
        raise ValueError(f"a page {said!r} in place of the one asked for")


def page_text(body: bytes) -> str | None:
    """The main text of an HTML page as Markdown without backslashes, or None where there is none.

    Headings, lists and tables are kept; menus, footers, comments and images are not.
    """
    text = trafilatura.extract(
        body, output_format="markdown", include_comments=False, include_tables=True, include_images=False
    )
    if text is None or not text.strip():
        return None
    return ESCAPE.sub(r"\1", text).replace("\0", "").strip()


def page_date(body: bytes, latest: date) -> str | None:
    """The day (ISO) on which a page says it was last changed, or else published; None where it does not say.
    Never earlier than what it says can mean: of a month or a year alone, or a day that does not exist, the
    last day; of "02/03/2023" the later.

    Args:
        body: the page.
        latest: the day on which it was fetched; later dates on the page are not its own.
    """
    found: str | None = find_date(
        load_html(body), extensive_search=False, original_date=False, max_date=latest.isoformat()
    )
    return None if found is None else last_meant(date.fromisoformat(found), body.decode("utf-8", "replace"))


def last_meant(day: date, text: str) -> str:
    """The last day (ISO) that a page can mean which was read as this one."""
    year, month = day.year, day.month
    name = rf"{MONTHS[month - 1][:3]}(?:{MONTHS[month - 1][3:]}|t?\.?)"  # "Feb", "Feb.", "Sept."
    number = rf"0?{day.day}(?:st|nd|rd|th|\.)?"

    def says(*forms: str) -> bool:
        return re.search(rf"(?<![\d\w])(?:{'|'.join(forms)})(?!\d)", text, re.IGNORECASE) is not None

    iso = rf"{year}(?:[-/. ]?)0?{month}(?:[-/. ]?)0?{day.day}"
    if says(iso, rf"{number}(?: of)?[\s,-]+{name}[\s,-]+{year}", rf"{name}[\s-]+{number}[\s,-]+{year}"):
        return day.isoformat()
    if says(*(rf"0?{a}[-/. ]+0?{b}[-/. ]+{year}" for a, b in ((day.day, month), (month, day.day)))):
        return max(day, date(year, day.day, month) if day.day <= 12 else day).isoformat()
    if not says(rf"{year}[-/. ]?0?{month}", rf"0?{month}[-/. ]{year}", rf"{name}[\s,-]+{year}"):
        month = 12
    return date(year, month, calendar.monthrange(year, month)[1]).isoformat()
