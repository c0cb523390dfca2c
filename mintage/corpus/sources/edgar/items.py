"""Cut a filing into its items.

Every line that may be an item's heading is a candidate: the item's own, its line in the table of contents, a
page header that repeats it, or a reference in the text that happens to begin a line. Lines that end with a
page number, or have nothing behind them, are left out. Of the rest, the chain is chosen whose items rise in
the form's order and whose texts are longest (in the sum of their logarithms): items have text behind them,
entries of a table do not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mintage.corpus.sources.edgar.submission import base_form

HEADING = re.compile(
    r"^[\s#*_|>]*(?:\d{1,3}\.?[ \t\xa0]+)?"  # a page number may stand before it
    r"(?:(?:P(?:ART|art)\s+(?:IV|I{1,3})|S(?:ECTION|ection)\s+\d)\b[^\n]{0,80}?[\s#*_|]*)?"
    r"(?P<from>I(?:TEM|tem)(?:S|s)?)[\s|*_.]*"
    r"(?P<item>\d{1,2}\.\d\d|\d{1,2}(?:\s?[A-K]|\(?[A-Ka-k]\)?)?)(?![A-Za-z0-9])(?:\(T\))?"
    r"(?:\s*(?:,|&|and|AND|to|through)\s*(?:I(?:TEM|tem)\s*)?\d{1,2}(?:\.\d\d|[A-K])?(?![A-Za-z0-9]))*"
    r"(?P<title>.*)$",
    re.MULTILINE,
)
PART = re.compile(r"^[\s#*_|>]*P(?:ART|art)\s+(?P<part>I{1,2})\b(?P<rest>.*)$", re.MULTILINE)
PAGE_NUMBER = re.compile(r"(?:\s|\||\.)[\[(]?(?:F-|S-)?\d{1,3}[\])]?(?:\s*[-–—,]\s*(?:F-)?\d{1,3})?[\s|*_]*$")
ITEM = re.compile(r"\bI(?:TEM|tem)S?s?\s+\d{1,2}[A-K]?\b")
LINK = re.compile(r"\[([^\]\n]*)\]\([^)\n]*\)")
TAIL = re.compile(
    r"^[\s#*_|]*(?:(?P<signatures>signatures?)|(?P<exhibits>exhibit index|index to exhibits)"
    r"|(?P<statements>index to .{0,30}financial statements"
    r"|reports? of independent registered public accounting firm))[\s#*_|:.]*$",
    re.MULTILINE | re.IGNORECASE,
)
MARKS = " \t\xa0.:;,-–—|*_#()[]"

LONGEST_HEADING = 300  # characters; longer lines are sentences that begin with an item's name
LONGEST_TITLE = 150  # characters of a title in the line below its item's number
MOST_WEIGHT = 14.0  # log2 of characters: texts of 16,000 characters and more weigh the same
LEAST_ITEMS = 3  # in an annual or quarterly report; fewer are chance finds. Amendments may have one

LAST_ITEM = {"10-K": 16, "20-F": 19, "10-Q": 6, "8-K": 12}
QUARTERLY_TITLES = {
    "part1": re.compile(r"financial|condensed|consolidated|management|quantitative|controls", re.IGNORECASE),
    "part2": re.compile(
        r"legal|risk|unregistered|changes in securities|defaults|submission|mine|\W*removed|\W*reserved|other"
        r"|exhibits|issuer|purchases",
        re.IGNORECASE,
    ),
}


@dataclass(frozen=True)
class Section:
    """One item: its key, its heading in one line, and its text, heading included.

    Keys are `item7`, `part2.item1A`, `item2.02`; `cover` for what stands before the first item, and for what
    follows the last `signatures`, `exhibits` (their index) and `statements`.
    """

    key: str
    heading: str
    text: str


@dataclass(frozen=True)
class Candidate:
    """A line that may be an item's heading: the keys that it may stand for, and where it begins and ends."""

    keys: tuple[str, ...]
    heading: str
    begin: int
    end: int


def cut(text: str, form: str) -> list[Section]:
    """The items of a filing in order, the cover first; empty where none are found."""
    base = base_form(form)
    if base not in LAST_ITEM:
        return []
    chosen = best_chain(merged(candidates(text, base)), base, len(text))
    if len(chosen) < (1 if base == "8-K" or form.endswith("/A") else LEAST_ITEMS):
        return []
    if base != "8-K" and chosen[0][1].begin > len(text) / 2:
        return []  # a report in an order of its own, with an index of items at its end
    sections = []
    front = without_contents(text[: chosen[0][1].begin])
    if front:
        sections.append(Section("cover", "Cover", front))
    ends = [candidate.begin for _, candidate in chosen[1:]] + [len(text)]
    for (key, candidate), end in zip(chosen, ends, strict=True):
        sections.append(Section(key, candidate.heading, text[candidate.begin : end].strip()))
    return sections[:-1] + without_tail(sections[-1])


def without_tail(last: Section) -> list[Section]:
    """The last item, and what follows it in sections of their own: the signatures and what is behind them,
    and after a 10-K's item 16, a mere summary, the statements and the index of exhibits as well."""
    marks: list[tuple[str, int]] = []
    for match in TAIL.finditer(last.text):
        kind = str(match.lastgroup)
        begins = marks or kind == "signatures" or last.key == "item16"
        if begins and match.start() > 0 and kind not in (mark for mark, _ in marks):
            marks.append((kind, match.start()))
    ends = [begin for _, begin in marks] + [len(last.text)]
    sections = [Section(last.key, last.heading, last.text[: ends[0]].strip())]
    for (kind, begin), end in zip(marks, ends[1:], strict=True):
        sections.append(Section(kind, kind.capitalize(), last.text[begin:end].strip()))
    return sections


def place_of(key: str, form: str) -> tuple[int, ...] | None:
    """Where an item stands in its form, as numbers that sort; None if the form has no such item. The items of
    an 8-K are numbered 1.01 to 9.01 since August 2004, and 1 to 12 before."""
    found = re.fullmatch(r"(?:part(\d)\.)?item(\d+)(?:\.(\d+)|([A-K]))?", key)
    if found is None or not 1 <= int(found[2]) <= LAST_ITEM[form] or (found[3] and form != "8-K"):
        return None
    return int(found[1] or 0), int(found[2]), int(found[3] or 0), ord(found[4] or " ")


def candidates(text: str, form: str) -> list[Candidate]:
    """The lines that may be headings, in order."""
    parts = [(match.start(), f"part{len(match['part'])}") for match in PART.finditer(text)]
    found = []
    for match in HEADING.finditer(text):
        line = LINK.sub(r"\1", match.group())
        title = LINK.sub(r"\1", match["title"])
        bare = title.strip(MARKS)
        if len(line.strip()) > LONGEST_HEADING or PAGE_NUMBER.search(title):
            continue
        if bare and not (bare[0].isupper() or bare[0] in "\"“'‘" or title.lstrip(" \t*_|.:–—-")[:1] in "[("):
            continue
        item = re.sub(r"[\s()]", "", match["item"]).upper()
        if form == "10-Q":
            before = [part for begin, part in parts if begin <= match.start()]
            keys = tuple(f"{part}.item{item}" for part in parts_of(bare, before[-1] if before else None))
        else:
            keys = (f"item{item}",)
        heading = one_line(line[match.start("from") - match.start() :] if "](" not in match.group() else line)
        if not bare:
            following = text[match.end() :].lstrip(MARKS + "\n").split("\n", 1)[0]
            if len(following) <= LONGEST_TITLE:
                heading = one_line(f"{heading} {following}")
        found.append(Candidate(keys, heading, match.start(), match.end()))
    nexts = [*(candidate.begin for candidate in found[1:]), len(text)]
    return [
        candidate
        for candidate, following in zip(found, nexts)
        if text[candidate.end : following].strip(MARKS + "\n0123456789")
    ]


def one_line(heading: str) -> str:
    """A heading without marks of Markdown and line ends."""
    return " ".join(re.sub(r"[#*_|\\]+", " ", heading).split())


def parts_of(title: str, before: str | None) -> list[str]:
    """The parts of a 10-Q to which an item may belong: its title tells, or else the last heading of a part
    above it."""
    told = [part for part, titles in QUARTERLY_TITLES.items() if titles.match(title)]
    if told:
        return told
    return [before] if before else list(QUARTERLY_TITLES)


def merged(found: Sequence[Candidate]) -> list[Candidate]:
    """Of candidates in a row for the same item (page headers that repeat it), the first."""
    return [one for number, one in enumerate(found) if number == 0 or one.keys != found[number - 1].keys]


def best_chain(found: Sequence[Candidate], form: str, length: int) -> list[tuple[str, Candidate]]:
    """The rising chain of items with the most text behind them."""
    nodes = [
        (place, key, number)
        for number, candidate in enumerate(found)
        for key in candidate.keys
        if (place := place_of(key, form)) is not None
    ]
    nexts = [*(candidate.begin for candidate in found[1:]), length][: len(found)]
    weights = [
        1 + min(math.log2(1 + max(0, following - candidate.end)), MOST_WEIGHT)
        for candidate, following in zip(found, nexts, strict=True)
    ]
    best: list[tuple[float, int | None]] = []
    for place, _, number in nodes:
        score, previous = 0.0, None
        for index, (earlier, _, before) in enumerate(nodes[: len(best)]):
            if earlier < place and before < number and best[index][0] > score:
                score, previous = best[index][0], index
        best.append((score + weights[number], previous))
    chain: list[tuple[str, Candidate]] = []
    at = max(range(len(best)), key=lambda index: best[index][0], default=None)
    while at is not None:
        _, key, number = nodes[at]
        chain.append((key, found[number]))
        at = best[at][1]
    return chain[::-1]


def without_contents(text: str) -> str:
    """A cover without the table of contents: tables that name several items are left out, and lines that
    name a part or an item."""
    blocks = []
    for block in re.split(r"\n{2,}", LINK.sub(r"\1", text)):
        lines = [line for line in block.split("\n") if not (HEADING.match(line) or PART.match(line))]
        if lines and not (block.startswith("|") and len(ITEM.findall(block)) >= LEAST_ITEMS):
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks).strip()
