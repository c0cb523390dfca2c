"""Filings and articles in HTML to Markdown.

`to_markdown` is for filings (10-K, 10-Q, 8-K and exhibits, inline XBRL or not): it takes the whole page,
finds headings by their style and drops what printing adds. `article` is for pages of a web site: it takes
the main part without navigation. `page` tells the two apart. Figures keep the source's form, `(17,729)`
included; nothing is escaped with backslashes; a superscript footnote mark is written `(1)`.
"""

from __future__ import annotations

import re
from typing import cast

from lxml import etree

from mintage.corpus.extract.mojibake import mended
from mintage.corpus.extract.pages import PAGE, Block, Kind, without_page_furniture
from mintage.corpus.extract.tables import (
    Cell,
    is_bold,
    is_number,
    is_units,
    names_scale,
    read_rows,
    tables_of,
)
from mintage.corpus.extract.tree import (
    PLAIN,
    SUPERSCRIPT,
    Style,
    clean,
    decode,
    parse,
    read_style,
    settle,
    text_of,
    without_header,
)

_BLOCKS = frozenset(
    """address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hr html legend li main nav ol p pre section summary table tbody td
    tfoot th thead tr ul""".split()  # noqa: SIM905 (forty strings on forty lines would say less)
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NAVIGATION = ("nav", "header", "footer", "aside", "form", "svg", "iframe")
_BULLETS = "•●▪■◦○‣⁃∙·◆➢✓"
_DASH_BULLETS = ("-", "–", "—", "*", "o", "§")
_MARK = re.compile(r"\(?(?:\d{1,2}|[a-zA-Z]|[ivx]{1,4})[.)]|\*{1,3}|[†‡§#☐☒☑]|\[\d+\]")
_GLUED_MARK = re.compile(r"(?:\(\w{1,3}\)|[☐☒☑*†‡]+)(?=\w)|\d{1,2}\.(?=[A-Z])")
_ITEM = re.compile(r"item\s*\d{1,2}(?:\.\d\d)?[a-c]?\b(?!\s*(?:of|and|to|in|above|below)\b)", re.IGNORECASE)
_ITEM_LINE = re.compile(r"item\s*\d{1,2}[a-c]?[.:]\s+[A-Z\[][^.;]*\.?", re.IGNORECASE)
_PART = re.compile(r"part\s+[ivx]+\b\W*", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]")
_LONGEST_HEADING = 250
_SUBHEADING = 4

_MAIN_TAG = re.compile(r"<(?:main|article)\b|\brole\s*=\s*[\"']?main\b", re.IGNORECASE)
_MAIN = etree.XPath("(//main | //*[@role='main'] | //article)[1]")
_CONTROLS = etree.XPath(
    ".//*[@role='navigation' or @role='menu' or @role='search' or @role='banner' or @role='contentinfo'"
    " or @aria-hidden='true']"
)


def to_markdown(html: bytes | str) -> str:
    """A filing as Markdown. Never raises on malformed pages; a page without text gives an empty string."""
    root = parse(without_header(html))
    if root is None:
        return ""
    settle(root)
    return _render(without_page_furniture(_Walk().blocks(root)))


def page(html: bytes) -> str:
    """A page of a file as Markdown, what was read in the wrong encoding mended: the article of a web page,
    which says where its main part is; a filing's whole text otherwise."""
    text = mended(decode(html))
    return article(text) if _MAIN_TAG.search(text) else to_markdown(text)


def article(html: bytes | str) -> str:
    """The main part of a web page as Markdown: `main`, `role=main` or `article` where the page has one, its
    whole body otherwise, without navigation, forms, menus and lists that are nothing but links."""
    root = parse(html)
    if root is None:
        return ""
    for main in cast("list[etree._Element]", _MAIN(root)):
        root = main
    root.tail = None
    for control in cast("list[etree._Element]", _CONTROLS(root)):
        control.tag = "nav"
    for menu in root.iter("ul", "ol"):
        links = "".join(map(text_of, menu.iter("a")))
        if "".join(links.split()) == "".join(text_of(menu).split()):
            menu.tag = "nav"
    settle(root, _NAVIGATION)
    return _render([block for block in _Walk().blocks(root) if block.kind != "page"])


class _Walk:
    """One pass over a tree in document order that gathers runs of text into blocks."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._parts: list[str] = []
        self._faces: set[tuple[bool, bool]] = set()
        self._lists: list[int | None] = []
        self._mark = ""
        self._broken = False

    def blocks(self, root: etree._Element) -> list[Block]:
        """The blocks of a settled tree."""
        walker = etree.iterwalk(root, events=("start", "end"))
        styles: list[tuple[bool, bool, bool]] = [(False, False, False)]
        for event, element in walker:
            tag = element.tag
            if event == "start":
                bold, slanted, _ = styles[-1]
                style = read_style(css) if (css := element.get("style")) else PLAIN
                bold = style.bold if style.bold is not None else bold or tag in ("b", "strong", "th")
                slanted = style.italic if style.italic is not None else slanted or tag in ("i", "em", "u")
                styles.append((bold, slanted, style.page_break))
                if tag == "br":
                    self._line_end()
                elif tag in _BLOCKS and self._open(element, style):
                    walker.skip_subtree()
                elif element.text:
                    self._text(element.text, bold, slanted)
            else:
                _, _, page_break = styles.pop()
                if tag in _BLOCKS:
                    self._flush(element)
                    if page_break and tag != "hr":
                        self._turn_page()
                    if tag == "ul" or tag == "ol":
                        self._lists.pop()
                    elif tag == "li":
                        self._mark = ""
                if element.tail and element is not root:
                    bold, slanted, _ = styles[-1]
                    self._text(element.tail, bold, slanted)
        self._flush()
        self._drop_mark()
        return self._blocks

    def _open(self, element: etree._Element, style: Style) -> bool:
        """Begin a block; True where it was dealt with as a whole."""
        self._flush()
        tag = element.tag
        if tag == "hr" or style.page_break:
            self._turn_page()
        if tag == "ul" or tag == "ol":
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._mark = self._next_mark()
        if tag == "pre":
            self._preformatted(element)
        return tag == "pre" or (tag == "table" and self._table(element))

    def _text(self, text: str, bold: bool, slanted: bool) -> None:
        if not text.isspace():
            self._parts.append(text)
            self._broken = False
            if _LETTERS.search(text):
                self._faces.add((bold, slanted))
        elif self._parts:
            self._parts.append(text)

    def _line_end(self) -> None:
        """One line end is a space, two are the end of a paragraph."""
        if self._broken:
            self._flush()
        self._broken = True

    def _flush(self, element: etree._Element | None = None) -> None:
        """End the paragraph; `element` is the block that ends with it."""
        self._broken = False
        if not self._parts:
            return
        parts, self._parts = self._parts, []
        faces, self._faces = self._faces, set()
        bold, slanted = all(face[0] for face in faces), all(face[1] for face in faces)
        text = _marks(clean("".join(parts)))
        if not text:
            return
        tag = element.tag if element is not None else ""
        if tag in _HEADINGS:
            self._blocks.append(Block("heading", text, _HEADINGS[tag]))
        elif self._mark:
            text = _bulleted(text) if text[0] in _BULLETS else self._mark + text
            self._blocks.append(Block("item", text, max(len(self._lists) - 1, 0)))
            self._mark = ""
        else:
            self._paragraph(text, bold, slanted)

    def _turn_page(self) -> None:
        """A page break; a mark that waits for its text was a page number."""
        self._drop_mark()
        self._blocks.append(PAGE)

    def _drop_mark(self) -> None:
        """A mark whose text does not come is a paragraph of its own, a bullet nothing."""
        if self._mark not in ("", "- "):
            self._blocks.append(Block("text", self._mark.strip()))
        self._mark = ""

    def _next_mark(self) -> str:
        """What stands before the next list item: a hyphen, or its number in an ordered list."""
        if not self._lists or (count := self._lists[-1]) is None:
            return "- "
        self._lists[-1] = count + 1
        return f"{count + 1}. "

    def _paragraph(self, text: str, bold: bool, slanted: bool) -> None:
        """A heading, a list item or a paragraph, by its form; a mark alone belongs to what comes next."""
        if glued := _GLUED_MARK.match(text):
            text = f"{glued[0]} {text[glued.end() :]}"
        if all(character in _BULLETS for character in text):
            self._mark = "- "
        elif _MARK.fullmatch(text):
            self._mark = f"{text} "
        elif text[0] in _BULLETS:
            self._blocks.append(Block("item", _bulleted(text)))
        elif level := _heading_level(text, bold, slanted):
            self._blocks.append(Block("heading", text, level))
        elif _LETTERS.search(text) or any(character.isdigit() for character in text):
            self._blocks.append(Block("text", text))

    def _preformatted(self, element: etree._Element) -> None:
        """Text whose line ends and spaces matter (filings before about 2001)."""
        lines = text_of(element).replace("\xa0", " ").split("\n")
        text = "\n".join(line.rstrip() for line in lines).strip("\n")
        if text.strip():
            self._blocks.append(Block("table", text))

    def _table(self, element: etree._Element) -> bool:
        """Add the blocks of a table; False where it only lays out the page and its cells are to be walked."""
        if next(element.iterdescendants("table"), None) is not None:
            return False
        rows = read_rows(element)
        if not rows:
            return True
        self._drop_mark()
        width = max(len(row) for row in rows)
        if width == 1 or (len(rows) == 1 and width <= 3 and _ITEM.match(rows[0][0].text)):
            for row in rows:
                text = _marks(" ".join(cell.text for cell in row))
                self._paragraph(text, all(is_bold(cell.element) for cell in row), False)
        elif width == 2 and all(_is_list_row(row) for row in rows):
            for row in rows:
                self._list_row(row)
        else:
            scaled = any(names_scale(block.text) for block in self._blocks[-2:] if block.kind != "table")
            for table in tables_of(element, rows, scaled):
                self._blocks.append(Block("table", _marks(table.markdown())))
        return True

    def _list_row(self, row: list[Cell]) -> None:
        mark, text = row[0].text.replace(SUPERSCRIPT, ""), _marks(row[1].text)
        kind: Kind = "item" if mark in _BULLETS or mark in _DASH_BULLETS else "text"
        self._blocks.append(Block(kind, f"- {text}" if kind == "item" else f"{mark} {text}"))


def _is_list_row(row: list[Cell]) -> bool:
    """A bullet or footnote mark and its text."""
    mark = row[0].text.replace(SUPERSCRIPT, "")
    return (
        len(row) == 2
        and (mark in _BULLETS or mark in _DASH_BULLETS or _MARK.fullmatch(mark) is not None)
        and not is_number(row[1].text)
    )


def _bulleted(text: str) -> str:
    """A list item in Markdown: its own bullet gives way to a hyphen."""
    return f"- {text.lstrip(_BULLETS + ' ')}" if text[0] in _BULLETS else text


def _heading_level(text: str, bold: bool, slanted: bool) -> int:
    """1 for a part, 2 for an item, 3 for a line in bold, 4 for a short one in italics or underlined; 0 for
    what is no heading."""
    if len(text) > _LONGEST_HEADING or text[0] == "(" or not _LETTERS.search(text) or is_units(text):
        return 0
    emphatic = bold or text.isupper()
    if emphatic and _PART.match(text):
        return 1
    if (emphatic and _ITEM.match(text)) or (_ITEM_LINE.fullmatch(text) and not text[-1].isdigit()):
        return 2
    if bold:
        return 3
    return _SUBHEADING if slanted and len(text) <= 100 and text[-1] not in ".,;:" else 0


def _marks(text: str) -> str:
    """Footnote marks in plain text, set off from what they stand behind."""
    if SUPERSCRIPT not in text:
        return text
    return re.sub(
        rf"(\A|\n)?[ ]*{SUPERSCRIPT}", lambda found: " " if found[1] is None else found[1], text
    ).strip()


def _render(blocks: list[Block]) -> str:
    """Blank lines between blocks, none between the items of a list."""
    lines: list[str] = []
    before = None
    for block in blocks:
        if before is not None:
            lines.append("\n" if block.kind == before.kind == "item" else "\n\n")
        if block.kind == "heading":
            lines.append("#" * block.level + " ")
        elif block.kind == "item":
            lines.append("  " * block.level)
        lines.append(block.text)
        before = block
    return "".join(lines) + "\n" if lines else ""
