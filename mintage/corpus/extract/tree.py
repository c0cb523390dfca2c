"""From the bytes of a page to a clean lxml tree: character sets, hidden parts, superscripts, line ends.

Everything later (blocks, tables) reads text only, so what styles say about the text is written into the tree
here, once: what is not shown is removed, a raised footnote mark becomes `SUPERSCRIPT` + "(1)", and every line
end is a newline in the text, the space before a padded word a blank.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import NamedTuple

from lxml import etree

SUPERSCRIPT = "\ue000"
"""Stands before a raised footnote mark until the text is rendered; a character of the private use area."""

NEVER_TEXT = ("ix:header", "head", "script", "style", "noscript", "template", "title", "button", "select")
"""Elements without text for a reader (`ix:header` holds the hidden facts, contexts and units)."""

_STYLED = ("span", "font", "div", "p", "tr", "table", "sup", "br", "li")
_DECLARED = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_READ_AS_UTF_8 = (
    "utf-8",
    "utf8",
    "ascii",
    "us-ascii",
    "iso-8859-1",
    "latin1",
    "latin-1",
    "windows-1252",
    "cp1252",
)
_FOOTNOTE_MARK = re.compile(r"\(?((?:\d{1,2}|[a-z])(?:\s*,\s*(?:\d{1,2}|[a-z]))*)\)?")
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_CSS_SPACE = {ord(" "): None, ord("\n"): None, ord("\t"): None, ord("\r"): None}

# Windows-1252 characters written as references to control characters (&#146;), and characters without width.
_CHARACTERS: dict[int, str | None] = {
    byte: bytes([byte]).decode("cp1252", errors="ignore") or None for byte in range(0x80, 0xA0)
}
_CHARACTERS |= dict.fromkeys(
    (*range(0x20), 0x7F, 0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF, 0xFFFE, 0xFFFF), None
)
# Boxes of forms in Wingdings: empty, ticked, crossed.
_BOXES = {"¨": "☐", "þ": "☑", "ý": "☒"}
_BOX = re.compile(r"(?<!\S)[¨þý](?!\S)")
_UNWANTED = re.compile("[" + "".join(map(re.escape, map(chr, _CHARACTERS))) + "]")


class Style(NamedTuple):
    """What an inline style says about the text; None where it says nothing."""

    bold: bool | None
    italic: bool | None
    hidden: bool
    raised: bool
    page_break: bool
    padded: bool


PLAIN = Style(None, None, False, False, False, False)


@lru_cache(maxsize=4096)
def read_style(css: str) -> Style:
    """Parse a `style` attribute. A filing has a few hundred distinct ones on ten thousands of elements."""
    rules = dict(
        rule.split(":", 1) for rule in css.translate(_NOT_CSS_SPACE).lower().split(";") if ":" in rule
    )
    weight, slant = rules.get("font-weight"), rules.get("font-style")
    bold = None if weight is None else weight in ("bold", "bolder", "600", "700", "800", "900")
    if weight is None and "bold" in rules.get("font", ""):
        bold = True
    return Style(
        bold=bold,
        italic=None if slant is None else slant in ("italic", "oblique"),
        hidden=rules.get("display") == "none",
        raised=rules.get("vertical-align") in ("super", "text-top")
        or (rules.get("position") == "relative" and rules.get("top", "").startswith("-")),
        page_break=any(
            rules.get(name) in ("always", "page", "left", "right")
            for name in ("page-break-before", "page-break-after", "break-before", "break-after")
        ),
        padded=not rules.get("padding-left", "0").startswith(("0", "-")),
    )


def clean(text: str) -> str:
    """One line: white space of any kind collapsed, characters without width dropped, stray Windows-1252
    controls and boxes in Wingdings replaced."""
    text = " ".join(text.split())
    if text.isascii() and text.isprintable():
        return text
    if _UNWANTED.search(text):
        text = text.translate(_CHARACTERS).strip()
    return _BOX.sub(lambda found: _BOXES[found[0]], text)


def text_of(element: etree._Element) -> str:
    """All text within an element, as it stands."""
    return etree.tostring(element, method="text", encoding="unicode", with_tail=False)


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Error handler of the UTF-8 decoder: a byte that is not UTF-8 is read as Windows-1252."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


codecs.register_error("mintage-windows-1252", _windows_1252)


def decode(data: bytes) -> str:
    """The text of a page, in UTF-8 unless it says otherwise; bytes that are not UTF-8 are read as
    Windows-1252.

    So Windows-1252, Latin-1 and ASCII need no declaration, and a page that mixes them with UTF-8 comes out
    right.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    declared = _DECLARED.search(data, 0, 2048)
    name = declared[1].decode("ascii", errors="replace").lower() if declared else "utf-8"
    if name not in _READ_AS_UTF_8:
        try:
            return data.decode(name)
        except (LookupError, UnicodeError):
            pass  # a name that nobody knows, or a false one: what follows reads any bytes
    return data.decode("utf-8", errors="mintage-windows-1252")


def parse(html: bytes | str) -> etree._Element | None:
    """The root element of a page as libxml2 repairs it, or None where there is no element at all.

    Tag and attribute names are in lower case, names of inline XBRL with their prefix (`ix:nonfraction`)."""
    text = decode(html) if isinstance(html, bytes) else html
    data = text.replace("\0", "").encode("utf-8", errors="replace")
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None


def without_header(html: bytes | str) -> str:
    """The text of a page without its first `ix:header`: up to two thirds of a filing, none of it shown."""
    text = decode(html) if isinstance(html, bytes) else html
    start = text.find("<ix:header")
    end = text.find("</ix:header>", start) if start >= 0 else -1
    return text if end < 0 else text[:start] + text[end + len("</ix:header>") :]


def settle(root: etree._Element, drop: tuple[str, ...] = ()) -> None:
    """Remove what a reader does not see (and the elements named in `drop`), mark footnote marks, write line
    ends as newlines. Changes the tree."""
    etree.strip_elements(root, *NEVER_TEXT, *drop, with_tail=False)
    hidden = False
    for element in root.iter(*_STYLED):
        tag = element.tag
        css = element.get("style")
        style = read_style(css) if css else PLAIN
        if style.hidden:
            element.tag = "hidden"
            hidden = True
        elif tag == "br" or tag == "div" or tag == "p" or tag == "li":
            tail = element.tail or ""
            try:
                element.tail = f"\n{tail}"
            except ValueError:
                element.tail = "\n" + _NOT_XML.sub(" ", tail)
        elif style.raised or tag == "sup":
            _mark_footnote(element)
        elif style.padded and tag == "span" and element.text:
            element.text = f" {_NOT_XML.sub(' ', element.text)}"
    if hidden:
        etree.strip_elements(root, "hidden", with_tail=False)


def _mark_footnote(element: etree._Element) -> None:
    """Write the raised text of an element as `SUPERSCRIPT(1)` where it is a footnote mark (1, a, (2),
    1,2)."""
    if SUPERSCRIPT in (text := text_of(element)):
        return
    if mark := _FOOTNOTE_MARK.fullmatch(clean(text)):
        for child in list(element):
            element.remove(child)
        element.text = f"{SUPERSCRIPT}({mark[1]})"
