"""HTML tables to Markdown tables: one logical column a figure, one header row, units in a caption line.

Filings draw a table on a fine grid: spacer columns, a currency sign, its number and a closing parenthesis in
cells of their own, headers over any number of grid columns. Here cells are intervals of grid columns. The
pieces of a number are merged first; then the intervals that overlap make the logical columns, narrowest
first, so that a header which covers several of them is known as such and labels each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from lxml import etree

from mintage.corpus.extract.tree import SUPERSCRIPT, clean, read_style, text_of

_CURRENCY = r"(?:(?:US|C|A|R|NZ|HK|S)?[$]|[€£¥₹])"
_OPENING = re.compile(rf"[-–(]?{_CURRENCY}[-–(]?|\(")
_CLOSING = re.compile(r"\)?\s*(?:%|bps|pts|x|¢)?\s*\)?")
_NUMBER = re.compile(
    rf"[-–+(]{{0,2}}\s*{_CURRENCY}?\s*[-–+(]?\s*(?:\d[\d,]*(?:\.\d+)?|\.\d+)\s*\)?\s*(?:%|bps|pts|x|¢)?\s*\)?"
)
_RANGE = re.compile(rf"{_CURRENCY}?\d[\d,]*(?:\.\d+)?%?\s*(?:[-–—]|to)\s*{_CURRENCY}?\d[\d,]*(?:\.\d+)?\s*%?")
_SIGN = re.compile(r"[.%]|" + _CURRENCY)  # what tells a range of figures from "1 - 3" years
_DASH = re.compile(rf"\(?{_CURRENCY}?\s*(?:[-–—―]+|N/?[AM]|\*+)\s*\)?\s*%?\s*\)?", re.IGNORECASE)
_PERIOD = re.compile(r".{0,60}\b(?:19|20)\d\d\b.{0,40}", re.DOTALL)
_UNITS = re.compile(
    r"\b(?:thousand|million|billion|crore|lakh)s?\b|\b(?:in|per) (?:u\.?s\.? )?dollars\b", re.IGNORECASE
)
_SCALE = re.compile(
    r"\b(?:in|of|\$) (?:u\.?s\.? )?(?:dollars in )?(?:thousands|millions|billions)\b|\$000s?\b"
    r"|\b(?:thousands|millions|billions) of\b",
    re.IGNORECASE,
)
_MARK = re.compile(rf"\s*{SUPERSCRIPT}\([^)]*\)")
_SCALES = {"3": "thousands", "6": "millions", "9": "billions"}
_LONGEST_SPAN = 1000
_LONGEST_UNITS = 160


class Cell(NamedTuple):
    """A cell on grid columns `start` to `end` (exclusive), with its element for what its style says."""

    start: int
    end: int
    text: str
    element: etree._Element


@dataclass(frozen=True)
class Table:
    """A table made plain: `caption` lines (titles, units), one `header` and `rows`, all of one width, and
    `notes` that the source wrote over the full width below the figures."""

    caption: list[str]
    header: list[str]
    rows: list[list[str]]
    notes: list[str]

    def markdown(self) -> str:
        """The caption lines, a Markdown table, the notes."""
        lines = [_line(self.header), "|" + " --- |" * len(self.header), *map(_line, self.rows)]
        return "\n\n".join([*self.caption, "\n".join(lines), *self.notes])


def is_units(text: str) -> bool:
    """Whether a line says nothing but the scale or unit of figures, as "(In millions, except per share
    data)"."""
    if len(text) > _LONGEST_UNITS or not _UNITS.search(text):
        return False
    start = text.lstrip("([*").lower()
    return text.startswith("(") or start.startswith(
        ("in ", "$", "us$", "dollar", "dollars", "amount", "u.s. dollar", "expressed", "thousand", "million")
    )


def names_scale(text: str) -> bool:
    """Whether a text says thousands, millions or the like without a figure before it, as "as follows (in
    millions):"."""
    return ("illion" in text or "housand" in text or "000" in text) and _SCALE.search(text) is not None


def is_number(text: str) -> bool:
    """Whether a cell shows a figure, a range of two, or a dash in a figure's place."""
    text = _MARK.sub("", text) if SUPERSCRIPT in text else text
    if _NUMBER.fullmatch(text) or _DASH.fullmatch(text):
        return True
    return _RANGE.fullmatch(text) is not None and _SIGN.search(text) is not None


def is_figure(text: str) -> bool:
    """Whether a cell shows a figure with a digit in it that is no period."""
    return any(map(str.isdigit, text)) and is_number(text) and not _PERIOD.fullmatch(text)


def is_bold(element: etree._Element) -> bool:
    """Whether all text of a cell is bold."""
    stack = [(element, element.tag == "th")]
    seen = False
    while stack:
        node, bold = stack.pop()
        css = node.get("style")
        said = read_style(css).bold if css else None
        bold = node.tag in ("b", "strong") or bold if said is None else said
        if node.text and not node.text.isspace():
            if not bold:
                return False
            seen = True
        for child in node:
            if child.tail and not child.tail.isspace() and not bold:
                return False
            stack.append((child, bold))
    return seen


def read_rows(table: etree._Element) -> list[list[Cell]]:
    """The rows of a table that show something, the pieces of each number merged; spans are resolved (a cell
    over several rows stands in each of them)."""
    carried: list[tuple[int, Cell]] = []
    rows = []
    for tr in table.iter("tr"):
        column = 0
        cells = [cell for _, cell in carried]
        taken = {column for cell in cells for column in range(cell.start, cell.end)}
        carried = [(rows_left - 1, cell) for rows_left, cell in carried if rows_left > 1]
        for td in tr.iter("td", "th"):
            text = ""
            if len(td) or td.text:
                if (css := td.get("style")) and read_style(css).hidden:
                    continue
                text = clean(text_of(td))
            while column in taken:
                column += 1
            end = column + (_span(span) if (span := td.get("colspan")) else 1)
            if (down := td.get("rowspan")) and _span(down) > 1:
                carried.append((_span(down) - 1, Cell(column, end, text, td)))
            if text:
                cells.append(Cell(column, end, text, td))
            column = end
        if taken:
            cells = sorted((cell for cell in cells if cell.text), key=lambda cell: cell.start)
        if cells:
            rows.append(_merge(cells))
    return rows


@lru_cache(maxsize=256)
def _span(text: str) -> int:
    text = text.strip()
    return max(1, min(int(text), _LONGEST_SPAN)) if text.isdecimal() else 1


def _merge(cells: list[Cell]) -> list[Cell]:
    """Put `$` before and `)`, `%` and footnote marks behind the number they belong to."""
    merged: list[Cell] = []
    for cell in cells:
        text = cell.text
        if merged:
            last = merged[-1]
            if text.startswith(SUPERSCRIPT) and _MARK.fullmatch(text):
                merged[-1] = last._replace(end=cell.end, text=last.text + text)
                continue
            closes = len(text) <= 4 and _CLOSING.fullmatch(text)
            if closes and (text[0] == ")" or is_number(last.text) or _RANGE.fullmatch(last.text)):
                merged[-1] = last._replace(end=cell.end, text=last.text + text.replace(" ", ""))
                continue
            if (
                len(last.text) <= 4
                and _OPENING.fullmatch(last.text)
                and (is_number(text) or is_number(last.text + text + ")"))
            ):
                merged[-1] = Cell(last.start, cell.end, last.text + text, cell.element)
                continue
        merged.append(cell)
    return merged


def _aligned(rows: list[list[Cell]]) -> list[list[Cell]]:
    """The rows with periods that stand beside the figures moved over them, where every row below has as many
    figures as there are periods."""
    result = list(rows)
    for number, row in enumerate(rows):
        below = [other[1:] for other in rows[number + 1 :] if len(other) > 1]
        if len(row) < 2 or not below or not all(_PERIOD.fullmatch(cell.text) for cell in row):
            continue
        if any(len(other) != len(row) for other in below):
            continue
        columns = [(min(cell.start for cell in each), max(cell.end for cell in each)) for each in zip(*below)]
        apart = all(left[1] <= right[0] for left, right in pairwise(columns))
        beside = any(cell.end <= start or end <= cell.start for cell, (start, end) in zip(row, columns))
        if apart and beside:
            result[number] = [cell._replace(start=start, end=end) for cell, (start, end) in zip(row, columns)]
    return result


def columns_of(rows: list[list[Cell]]) -> list[tuple[int, int]]:
    """The logical columns, as intervals of the grid from left to right: unions of overlapping cells,
    narrowest first; a cell over two or more of them joins none."""
    columns: list[tuple[int, int]] = []
    intervals = {(cell.start, cell.end) for row in rows for cell in row}
    for start, end in sorted(intervals, key=lambda interval: (interval[1] - interval[0], interval)):
        touched = [column for column in columns if column[0] < end and start < column[1]]
        if not touched:
            columns.append((start, end))
        elif len(touched) == 1:
            columns.remove(touched[0])
            columns.append((min(start, touched[0][0]), max(end, touched[0][1])))
    return sorted(columns)


class _Row(NamedTuple):
    """A row on logical columns: each cell with the first and last column it covers; `label` is the text in
    the first column alone, `values` are the cells beyond it."""

    label: str
    values: list[tuple[int, int, Cell]]
    cells: list[tuple[int, int, Cell]]


def _place(rows: list[list[Cell]], columns: list[tuple[int, int]]) -> list[_Row]:
    """The rows with each cell's first and last logical column. Each cell touches at least one."""
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    for start, end in {(cell.start, cell.end) for row in rows for cell in row}:
        touched = [number for number, column in enumerate(columns) if column[0] < end and start < column[1]]
        spans[start, end] = touched[0], touched[-1]
    result = []
    for row in rows:
        cells = [(*spans[cell.start, cell.end], cell) for cell in row]
        label = " ".join(cell.text for _, last, cell in cells if last == 0)
        result.append(_Row(label, [placed for placed in cells if placed[1]], cells))
    return result


def tables_of(element: etree._Element, rows: list[list[Cell]], scaled: bool) -> Iterator[Table]:
    """The Markdown tables in a table element: more than one where a new header stands between its rows.
    `rows` is what `read_rows` gives; `scaled` says that the scale of the figures stands just before the
    table. Where it stands nowhere, the inline facts tell it."""
    rows = _aligned(rows)
    columns = columns_of(rows)
    placed = _place(rows, columns)
    width = len(columns)
    figures = {
        first for row in placed for first, last, cell in row.values if first == last and is_figure(cell.text)
    }
    scaled = scaled or any(names_scale(cell.text) for row in rows for cell in row)
    units = [] if scaled else _units_of_facts(element)
    starts = _header_starts(placed, width, figures)
    for (start, body), (end, _) in pairwise([*starts, (len(placed), 0)]):
        header, caption = _header(placed[start:body], width)
        last = end
        while last > body and _is_whole(placed[last - 1], width):
            last -= 1
        notes = [row.cells[0][2].text for row in placed[last:end]]
        yield _squeeze(units + caption, header, [_body_row(row, width) for row in placed[body:last]], notes)
        units = []


def _is_whole(row: _Row, width: int) -> bool:
    """Whether a row is one cell over all columns."""
    return width > 1 and row.cells[0][:2] == (0, width - 1)


def _header_starts(rows: list[_Row], width: int, figures: set[int]) -> list[tuple[int, int]]:
    """Where each header begins and where its body begins; `figures` are the columns that hold numbers."""
    titled = len(rows) > 1 and not rows[0].values and _is_header(rows[1], width, figures, named=False)
    nameless = not rows[0].label and len(rows[0].values) > 1
    body = int(titled or nameless)
    named = nameless and _names_columns(rows[0], figures)
    while body < len(rows) and _is_header(rows[body], width, figures, named):
        named = named or _names_columns(rows[body], figures)
        body += 1
    if body == len(rows) and not figures:  # words in one face throughout
        titles = (not row.values or _is_whole(row, width) for row in rows)
        body = 1 + next((number for number, is_title in enumerate(titles) if not is_title), 0)
    starts = [(0, body)]
    number = body
    while number < len(rows):
        if number > starts[-1][1] and figures and _is_new_header(rows[number]):
            body = number + 1
            while body < len(rows) and _is_new_header(rows[body]):
                body += 1
            starts.append((number, body))
            number = body
        else:
            number += 1
    return starts


def _names_columns(row: _Row, figures: set[int]) -> bool:
    """Whether a row has words of its own over each column of figures."""
    return figures <= {first for first, last, _ in row.values if first == last}


def _is_header(row: _Row, width: int, figures: set[int], named: bool) -> bool:
    """Whether a row at the top belongs to the header: periods or words over the columns of figures, a title
    over all columns, or units. Below a row that `named` the columns, words with a label of their own do
    not."""
    values = row.values
    label = row.label
    if not values:
        return is_units(label)
    if _is_whole(row, width):
        return True
    texts = [cell.text for _, _, cell in values]
    if any(is_number(text) and not _PERIOD.fullmatch(text) for text in texts):
        return False
    if figures and (not label or any(map(is_units, (label, *texts))) or all(map(_PERIOD.fullmatch, texts))):
        return True
    covered = {column for first, last, _ in values for column in range(first, last + 1)}
    if figures and figures <= covered and not named:
        return True
    return all(is_bold(cell.element) for _, _, cell in row.cells)


def _is_new_header(row: _Row) -> bool:
    """Whether a row between others names the columns anew: two or more periods, or bold words, and no
    label."""
    values = row.values
    if row.label or len(values) < 2 or values[0][0] == 0:
        return False
    texts = [cell.text for _, _, cell in values]
    if all(map(_PERIOD.fullmatch, texts)):
        return True
    return not any(map(is_number, texts)) and all(is_bold(cell.element) for _, _, cell in values)


def _header(rows: list[_Row], width: int) -> tuple[list[str], list[str]]:
    """The header texts joined by column from top to bottom, and the caption lines (units, titles over all
    columns)."""
    parts: list[list[str]] = [[] for _ in range(width)]
    caption: list[str] = []
    for row in rows:
        values = row.values
        for first, last, cell in row.cells:
            units = is_units(cell.text)
            whole = first == 0 and last > 0 and last == width - 1
            title = not values and len(rows) > 1
            if whole or title or (units and (last == 0 or first < last or len(values) == 1)):
                if cell.text not in caption:
                    caption.append(cell.text)
                continue
            for column in range(first, last + 1):
                if not parts[column] or parts[column][-1] != cell.text:
                    parts[column].append(cell.text)
    return [" ".join(part) for part in parts], caption


def _body_row(row: _Row, width: int) -> list[str]:
    texts = [""] * width
    for first, _, cell in row.cells:
        texts[first] = f"{texts[first]} {cell.text}" if texts[first] else cell.text
    return texts


def _squeeze(caption: list[str], header: list[str], rows: list[list[str]], notes: list[str]) -> Table:
    """The table without columns that are empty below their header; a header whose figures stand one column
    to the right goes to them."""
    filled = [any(row[column] for row in rows) for column in range(len(header))]
    if all(filled) or not any(filled):
        return Table(caption, header, rows, notes)
    for column in range(len(header) - 1, 0, -1):
        if not header[column] and filled[column] and not filled[column - 1]:
            header[column] = header[column - 1]
    kept = [column for column, full in enumerate(filled) if full or column == 0]
    return Table(
        caption,
        [header[column] for column in kept],
        [[row[column] for column in kept] for row in rows],
        notes,
    )


def _units_of_facts(element: etree._Element) -> list[str]:
    """The scale of a table that does not say it, from its inline facts where all have the same; amounts per
    share and percentages (the facts with decimal places) have none."""
    scales, per_share = set(), False
    for fact in element.iter("ix:nonfraction"):
        decimals, scale = fact.get("decimals", ""), fact.get("scale", "0")
        if decimals.isdecimal() and decimals != "0":
            per_share = per_share or scale == "0"
        else:
            scales.add(scale)
    name = _SCALES.get(scales.pop()) if len(scales) == 1 else None
    return [f"(In {name}{', except per share data' if per_share else ''})"] if name else []


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "¦") for cell in cells) + " |"
