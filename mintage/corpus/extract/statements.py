"""Rows of figures as text in three forms: Markdown tables, key-value lines, prose. No digit is lost in any.

table      one table for each unit and set of periods, unit and scale in its caption, newest period first
key_value  a heading for each period, then "- label: figure scale unit"
prose      a paragraph for each period, phrasings drawn by the hash of the document's identity
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from mintage.corpus.extract.figures import (
    Form,
    chosen,
    column_scale,
    divided,
    number,
    period_words,
    quantity,
    unit_words,
)
from mintage.corpus.extract.topics import in_sentence

Period = tuple[date | None, date]

OPENINGS_AT = ("At {period},", "As of {period},", "On {period},")
OPENINGS_IN = ("In {period},", "For {period},", "Over {period},", "During {period},")
VERBS = ("came to", "amounted to", "equaled")
VERBS_AT = (*VERBS, "stood at")
REPORTED = ("reported", "disclosed", "recorded", "showed")
SUBJECTS = ("The company", "It")


@dataclass(frozen=True, slots=True)
class Row:
    """A figure with what it measures: a label, a unit (a code of `figures.UNITS` or of the source), the
    period (`start` None: an instant), the full value in that unit, and the scale in which it is to be written
    (None: one that suits it; in a table one that suits its column)."""

    label: str
    unit: str
    start: date | None
    end: date
    value: Decimal
    scale: int | None = None

    @property
    def period(self) -> Period:
        """The row's period."""
        return self.start, self.end


def rows_text(rows: Sequence[Row], form: Form, company: str, identity: str, fiscal_year: bool = False) -> str:
    """Rows in one of the three forms; `identity` draws the phrasings of prose, and `fiscal_year` calls twelve
    months a fiscal year there."""
    if form == "table":
        return "\n\n".join(tables(rows))
    if form == "key_value":
        return "\n\n".join(key_value(rows))
    return "\n\n".join(prose(rows, company, identity, fiscal_year))


def newest_first(rows: Sequence[Row]) -> list[Period]:
    """The periods of rows: the latest end first, of one end instants first, then the shorter ones."""
    periods = {row.period for row in rows}
    return sorted(periods, key=lambda period: (period[1], period[0] or date.max), reverse=True)


def period_exactly(period: Period) -> str:
    """A period as the headers of tables name it: "2019-09-28" or "2018-09-30 to 2019-09-28"."""
    start, end = period
    return end.isoformat() if start is None else f"{start.isoformat()} to {end.isoformat()}"


def caption(unit: str, scale: int) -> str:
    """The line above a table: "In millions of US dollars:", "In percent:"."""
    words = unit_words(unit)
    if not words:
        return "As plain numbers:"
    return f"In {({1: '', 10**3: 'thousands of ', 10**6: 'millions of '})[scale]}{words}:"


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown tables without an empty cell: rows of one unit that have the same periods stand together."""
    by_line: dict[tuple[str, str], dict[Period, Row]] = {}
    for row in rows:
        by_line.setdefault((row.unit, row.label), {})[row.period] = row
    groups: dict[tuple[str, frozenset[Period]], list[str]] = {}
    for (unit, label), line in by_line.items():
        groups.setdefault((unit, frozenset(line)), []).append(label)
    order = newest_first(rows)
    for (unit, own_periods), labels in groups.items():
        periods = [period for period in order if period in own_periods]
        scale = table_scale([row for label in labels for row in by_line[unit, label].values()])
        lines = [
            caption(unit, scale),
            "",
            cells("Item", *map(period_exactly, periods)),
            cells("---", *("---:" for _ in periods)),
        ]
        for label in labels:
            line = by_line[unit, label]
            lines.append(cells(label, *(number(divided(line[period].value, scale)) for period in periods)))
        yield "\n".join(lines)


def table_scale(rows: Sequence[Row]) -> int:
    """The scale of a table whose rows have one unit; ratios have none."""
    unit, scale = rows[0].unit, rows[0].scale
    if scale is not None:
        return scale
    return 1 if "/" in unit or unit in ("pure", "percent") else column_scale(row.value for row in rows)


def cells(*texts: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(texts)} |"


def key_value(rows: Sequence[Row]) -> Iterator[str]:
    """A block for each period: a heading with its exact dates, and a line for each figure."""
    for period in newest_first(rows):
        head = f"At {period[1]}:" if period[0] is None else f"From {period_exactly(period)}:"
        lines = [
            f"- {row.label}: {quantity(row.value, row.unit, row.scale)}"
            for row in rows
            if row.period == period
        ]
        yield "\n".join([head, *lines])


def prose(rows: Sequence[Row], company: str, identity: str, fiscal_year: bool) -> Iterator[str]:
    """A paragraph for each period; its first sentence names the period and the company."""
    names = prose_periods(newest_first(rows), fiscal_year)
    for period, name in names.items():
        own = [row for row in rows if row.period == period]
        openings = OPENINGS_AT if period[0] is None else OPENINGS_IN
        sentences: list[str] = []
        while own:
            key = f"{identity} {name} {len(own)}"
            size = chosen(f"{key} size", (1, 2, 3))
            run, own = own[:size], own[size:]
            if not sentences:
                opening = chosen(f"{key} opening", openings).format(period=name)
                said = f"{opening} {company} {chosen(key, REPORTED)} {joined(key, run, 'of')}"
            elif chosen(f"{key} kind", (True, False)):
                said = f"{chosen(f'{key} who', SUBJECTS)} {chosen(key, REPORTED)} {joined(key, run, 'of')}"
            else:
                said = joined(key, run, None)
                said = said[0].upper() + said[1:]
            sentences.append(f"{said}.")
        yield " ".join(sentences)


def prose_periods(periods: Sequence[Period], fiscal_year: bool) -> dict[Period, str]:
    """The periods in words; those that would be named alike by their exact dates."""
    names = {period: period_words(*period, fiscal_year=fiscal_year) for period in periods}
    counts = list(names.values())
    return {
        period: name if counts.count(name) == 1 else f"the period from {period_exactly(period)}"
        for period, name in names.items()
    }


def joined(key: str, rows: Sequence[Row], link: str | None) -> str:
    """The rows in one clause: "label of figure, label of figure and label of figure", or each with a verb."""
    verbs = VERBS_AT if rows[0].start is None else VERBS
    parts = [
        f"{in_sentence(row.label)} {link or chosen(f'{key} {place}', verbs)} "
        f"{quantity(row.value, row.unit, row.scale)}"
        for place, row in enumerate(rows)
    ]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
