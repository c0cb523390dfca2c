"""The blocks of a paged document without what printing adds: page numbers, running headers and footers.

Blocks are told apart by their place only: what stands at the edge of a page and is a page number, or recurs
at the edge of many pages (figures aside), is dropped; a paragraph that a page break cut in two is joined.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal, NamedTuple

from mintage.corpus.extract.tables import is_units

Kind = Literal["text", "heading", "item", "table", "page"]

_DEPTH = 4
_LONGEST_RUNNING_LINE = 160
_LEAST_RECURRENCE = 3
_LEAST_SHARE = 0.08
_PAGE_NUMBER = re.compile(
    r"[-–—|\s]*(?:page\s*)?(?:\d{1,4}|[ivxlc]{1,6}|[a-z]{1,2}-?\d{1,3})(?:\s*of\s*\d{1,4})?[-–—|.\s]*",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")


class Block(NamedTuple):
    """A piece of a document; `text` is Markdown, without a blank line for all but tables. `level` is a
    heading's (1 to 6) or a list item's depth (from 0)."""

    kind: Kind
    text: str
    level: int = 0


PAGE = Block("page", "")


def without_page_furniture(blocks: list[Block]) -> list[Block]:
    """The blocks without page numbers, running headers and footers, and page breaks. A running line without a
    number in it is kept where it stands first."""
    pages: list[list[Block]] = [[]]
    for block in blocks:
        if block.kind == "page":
            pages.append([])
        else:
            pages[-1].append(block)
    pages = [page for page in pages if page]
    counts = Counter(
        key for page in pages for key in {_key(block) for block in page[:_DEPTH] + page[-_DEPTH:]}
    )
    least = max(_LEAST_RECURRENCE, _LEAST_SHARE * len(pages))
    running = {key for key, count in counts.items() if key and count >= least}
    seen: set[str] = set()
    result: list[Block] = []
    for page in pages if len(pages) > 1 else []:
        start, end = 0, len(page)
        while start < end and start < _DEPTH and _is_furniture(page[start], running, seen):
            start += 1
        while end > start and len(page) - end < _DEPTH and not _is_answer(page, end - 1):
            if not _is_furniture(page[end - 1], running, seen):
                break
            end -= 1
        body = page[start:end]
        if result and body and _continues(result[-1], body[0]):
            result[-1] = result[-1]._replace(text=f"{result[-1].text} {body[0].text}")
            del body[0]
        result.extend(body)
    return result if len(pages) > 1 else [block for page in pages for block in page]


def _key(block: Block) -> str:
    """What makes a running line the same on every page; nothing for a block that cannot be one."""
    text = block.text
    if len(text) > _LONGEST_RUNNING_LINE or (is_units(text) and block.kind != "table"):
        return ""
    return _DIGITS.sub("#", text).casefold()


def _is_furniture(block: Block, running: set[str], seen: set[str]) -> bool:
    key = _key(block)
    if not key:
        return False
    if block.kind != "table" and _PAGE_NUMBER.fullmatch(block.text):
        return True
    if key not in running:
        return False
    if key == "table of contents" and block.kind == "text":
        return True  # a link back to it; its own title is a heading
    first = key not in seen
    seen.add(key)
    return not (first and "#" not in key)


def _is_answer(page: list[Block], place: int) -> bool:
    """Whether a block is all that a heading has to say ("Not applicable."), however often it recurs."""
    block, before = page[place], page[place - 1]
    is_sentence = block.kind == "text" and block.text.endswith(".") and block.text[0].isalpha()
    return is_sentence and place > 0 and before.kind == "heading"


def _continues(before: Block, after: Block) -> bool:
    """Whether a paragraph goes on after a page break: no end of a sentence before, a small letter after."""
    return (
        before.kind in ("text", "item")
        and after.kind == "text"
        and after.text[0].islower()
        and before.text[-1] not in ".!?:;"
    )
