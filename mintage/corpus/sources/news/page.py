"""The text of a web page without what surrounds it, and the page's own date."""

from __future__ import annotations

import re
from datetime import date

import trafilatura
from htmldate import find_date
from trafilatura import load_html

ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])")
HTML_MARKS = (b"<html", b"<!doctype html", b"<body", b"<article", b"<p>", b"<p ")


def check_page(body: bytes) -> None:
    """Raise ValueError where a body is not an HTML page (a PDF, an image, a message in JSON)."""
    head = body[:65536].lower()
    if not any(mark in head for mark in HTML_MARKS):
        what = "a PDF" if body[:5] == b"%PDF-" else "something else"
        raise ValueError(f"{what} in place of an HTML page")


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

    Args:
        body: the page.
        latest: the day on which it was fetched; later dates on the page are not its own.
    """
    found: str | None = find_date(
        load_html(body), extensive_search=False, original_date=False, max_date=latest.isoformat()
    )
    return found
