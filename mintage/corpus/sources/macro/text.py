"""A page of a series as text: a table, key-value lines or prose, every figure exactly as its provider gave
it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from mintage.corpus.extract.figures import UNITS, Form, number, unit_words
from mintage.corpus.sources.macro.periods import Frequency, Period, between

MISSING = "not available"


@dataclass(frozen=True)
class Series:
    """What a series is. `scheme` and `id` identify it (bls, LNS14000000); `unit` is a code of
    `figures.UNITS` or words; `adjustment` says whether it is seasonally adjusted, where that is known."""

    scheme: str
    id: str
    provider: str
    title: str
    unit: str
    frequency: Frequency
    adjustment: str | None = None


@dataclass(frozen=True)
class Row:
    """A period's value (None: there is none) and its footnote; where it has been revised, the first value
    that was known of it with the day as of which it was."""

    period: Period
    value: Decimal | None
    note: str = ""
    earlier: tuple[Decimal, date] | None = None


def page_text(series: Series, page: str, rows: Sequence[Row], as_of: date, form: Form) -> str:
    """The text of a page. Periods between the first and the last without a value are said to have none."""
    complete = list(with_gaps(rows))
    if form == "table":
        return table(series, page, complete, as_of)
    if form == "key_value":
        return key_value(series, page, complete, as_of)
    return prose(series, complete, as_of)


def with_gaps(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows in order, and one without a value for every period that the provider left out."""
    given = {row.period: row for row in rows}
    periods = set(given) | set(between(min(given), max(given)))
    return (given.get(period, Row(period, None)) for period in sorted(periods))


def unit_of_series(series: Series) -> str:
    """The unit in words."""
    return unit_words(series.unit) if series.unit in UNITS else series.unit


def facts(series: Series, as_of: date) -> list[tuple[str, str]]:
    """What is said of a series before its figures."""
    return [
        ("Source", series.provider),
        ("Series", series.id),
        ("Unit", unit_of_series(series)),
        ("Frequency", series.frequency),
        *([("Seasonal adjustment", series.adjustment)] if series.adjustment else []),
        ("As of", as_of.isoformat()),
    ]


def with_note(text: str, row: Row) -> str:
    """A value as it is written, with its footnote."""
    return f"{text} ({row.note})" if row.note else text


def earlier_value(earlier: tuple[Decimal, date]) -> str:
    """The first known value of a revised one."""
    return f"{number(earlier[0])} as of {earlier[1].isoformat()}"


def table(series: Series, page: str, rows: Sequence[Row], as_of: date) -> str:
    """A Markdown table under a heading and a line of facts."""
    revised = any(row.earlier for row in rows)
    columns = ["Period", unit_of_series(series), *(["Earlier value"] if revised else [])]
    lines = [
        f"# {series.title}, {page}",
        "",
        " ".join(f"{name}: {value}." for name, value in facts(series, as_of)),
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
    ]
    for row in rows:
        value = MISSING if row.value is None else number(row.value)
        cells = [row.period.label, with_note(value, row)]
        if revised:
            cells.append(earlier_value(row.earlier) if row.earlier else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def key_value(series: Series, page: str, rows: Sequence[Row], as_of: date) -> str:
    """A line for every fact and every period."""
    lines = [f"{series.title}, {page}", *(f"{name}: {value}" for name, value in facts(series, as_of))]
    for row in rows:
        value = MISSING if row.value is None else f"{number(row.value)} {unit_of_series(series)}".rstrip()
        revision = f"; earlier value {earlier_value(row.earlier)}" if row.earlier else ""
        lines.append(f"{row.period.label}: {with_note(value, row)}{revision}")
    return "\n".join(lines) + "\n"


def prose(series: Series, rows: Sequence[Row], as_of: date) -> str:
    """Sentences: what the series is, its figures, those that are missing, and those that were revised."""
    adjustment = f", {series.adjustment}" if series.adjustment else ""
    figures = [f"{number(row.value)} {row.period.words}" for row in rows if row.value is not None]
    noted = [f"{row.period.label}: {row.note}" for row in rows if row.note]
    missing = [row.period.words for row in rows if row.value is None]
    revised = [
        f"the figure {row.period.words} was {earlier_value(row.earlier)}" for row in rows if row.earlier
    ]
    sentences = [
        f"As of {as_of.isoformat()}, {series.provider} gives these {series.frequency} figures for "
        f"{series.title} (series {series.id}{adjustment}), in {unit_of_series(series)}: {listed(figures)}."
    ]
    if noted:
        sentences.append(f"Notes of the provider: {'; '.join(noted)}.")
    if missing:
        sentences.append(f"A figure is {MISSING} {listed(missing)}.")
    if revised:
        sentences.append(f"Before revision, {listed(revised)}.")
    return " ".join(sentences) + "\n"


def listed(items: Sequence[str]) -> str:
    """Items joined as in a sentence."""
    if len(items) < 3:
        return " and ".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
