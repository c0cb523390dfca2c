"""The text of a paper out of the HTML that LaTeXML makes for arXiv: prose, tables, formulas in TeX."""

from __future__ import annotations

import re
from typing import Any

import lxml.html

# By their classes: authors with their addresses, references, notes and error marks, numbers of items.
DROPPED = ("ltx_authors", "ltx_bibliography", "ltx_note", "ltx_ERROR", "ltx_tag_item", "ltx_TOC", "ltx_dates")
CONTROL = re.compile(r"[\x00-\x1f]")
HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
EQUATIONS = ("ltx_equation", "ltx_eqn_table", "ltx_equationgroup")


def check_paper(body: bytes) -> None:
    """Raise ValueError where a body is not a paper that LaTeXML rendered."""
    if b"ltx_document" not in body:
        raise ValueError("arXiv has no HTML of this paper")
    if b"</html>" not in body[-4096:].lower():
        raise ValueError("the page is cut off: </html> is missing")


def paper_text(body: bytes) -> str | None:
    """The text of a rendered paper as Markdown, formulas as TeX between dollars; None where there is none.

    Raises:
        ValueError: the page has characters that no document may have.
    """
    root: Any = lxml.html.fromstring(body, parser=lxml.html.HTMLParser(encoding="utf-8"))
    documents = root.find_class("ltx_document")
    if not documents:
        return None
    article = documents[0]
    for name in DROPPED:
        for node in article.find_class(name):
            node.drop_tree()
    for node in list(article.iter("script", "style", "svg", "nav", "button")):
        node.drop_tree()
    for formula in list(article.iter("math")):
        tex = CONTROL.sub(" ", formula.get("alttext", ""))
        formula.clear(keep_tail=True)
        formula.text = f"${' '.join(tex.split())}$"
    text = "\n\n".join(blocks(article))
    return text or None


def blocks(article: lxml.html.HtmlElement) -> list[str]:
    """The blocks of an article in their order."""
    found: list[str] = []
    taken: set[lxml.html.HtmlElement] = set()
    items: set[lxml.html.HtmlElement] = set()
    for node in article.iter():
        if not isinstance(node.tag, str) or any(parent in taken for parent in node.iterancestors()):
            continue
        block = ""
        if node.tag in HEADINGS:
            block = f"{HEADINGS[node.tag]} {line(node)}" if line(node) else ""
        elif node.tag == "table":
            block = table(node)
        elif node.tag == "p" or node.tag == "figcaption":
            item = next((parent for parent in node.iterancestors("li")), None)
            first = item is not None and item not in items
            if item is not None:
                items.add(item)
            block = f"- {line(node)}" if first else line(node)
        else:
            continue
        taken.add(node)
        if block:
            found.append(block)
    return found


def line(node: lxml.html.HtmlElement) -> str:
    """The text of a node on one line."""
    return " ".join("".join(node.itertext()).split())


def table(node: lxml.html.HtmlElement) -> str:
    """A table with its first row as the head; a displayed formula, which LaTeXML sets as a table, as its one
    line."""
    rows = [[line(cell) for cell in row.iter("td", "th")] for row in node.iter("tr")]
    if set((node.get("class") or "").split()) & set(EQUATIONS):
        return "\n".join(" ".join(cell for cell in row if cell) for row in rows).strip()
    lines = [f"| {' | '.join(cell.replace('|', '¦') for cell in row)} |" for row in rows if any(row)]
    width = max((len(row) for row in rows), default=0)
    return "\n".join([*lines[:1], *(["|" + "---|" * width] if lines else []), *lines[1:]])
