"""Time series as dated documents: what was known of a stretch of a series, at every moment when that changed.

A reading is one value of one period together with the moment from which it was public. The readings of a
series are cut into pages (`Period.page`), and each page becomes a chain of documents: one for every moment at
which one of its values came or was revised, each superseding the one before. At any T the view holds the page
as it stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from mintage.corpus.collect.raw import Answer
from mintage.corpus.document import DatePrecision, Document, Use
from mintage.corpus.extract.figures import form_of
from mintage.corpus.sources.dates import END_OF_DAY, in_utc
from mintage.corpus.sources.macro.answers import file_name
from mintage.corpus.sources.macro.periods import Period
from mintage.corpus.sources.macro.text import Row, Series, page_text


@dataclass(frozen=True)
class Release:
    """When a value was public: the moment, how well it is known, and the day as the text states it."""

    moment: datetime
    precision: DatePrecision
    day: date


@dataclass(frozen=True)
class Reading:
    """A value of a period (None: the provider says that there is none), its footnote, when it was released,
    and the stored answer that it was read from."""

    series: Series
    period: Period
    value: Decimal | None
    note: str
    release: Release
    answer: Answer


def day_release(day: date, zone: str, precision: DatePrecision = "day") -> Release:
    """Released on a day: certainly public at its end in the provider's zone."""
    return Release(in_utc(datetime.combine(day, END_OF_DAY), ZoneInfo(zone)), precision, day)


def retrieval(answer: Answer) -> Release:
    """Released no later than it was retrieved, which is all that some providers let one know."""
    return Release(answer.moment.astimezone(UTC), "bound", answer.moment.astimezone(UTC).date())


def earlier(*releases: Release) -> Release:
    """The best of several upper bounds."""
    return min(releases, key=lambda release: release.moment)


class Point(NamedTuple):
    """A value as an answer has it (None: the provider says that there is none), its footnote, and the best
    upper bound of the moment from which it was public."""

    answer: Answer
    period: Period
    value: Decimal | None
    note: str
    bound: Release


def first_seen(series: Series, points: Iterable[Point], final_after_days: int | None) -> Iterator[Reading]:
    """Readings of a provider that does not say when it released what.

    `points` come in the order in which the answers came. A value has the bound of the first answer that has
    it. Where the user says that the values of a series are final some days after the period, the first value
    of a period is dated by that day; a value that changed nevertheless has its answer's bound.
    """
    known: dict[Period, Point] = {}
    for point in points:
        before = known.get(point.period)
        if before is not None and (before.value, before.note) == (point.value, point.note):
            continue
        release = point.bound
        if before is None and final_after_days is not None:
            final = point.period.end + timedelta(days=final_after_days)
            release = earlier(release, day_release(final, "UTC", "bound"))
        known[point.period] = point
        yield Reading(series, point.period, point.value, point.note, release, point.answer)


def refuse_future(period: Period, answer: Answer) -> None:
    """A figure about a time that had not begun when it was retrieved is a projection or a mistake.

    Raises:
        ValueError: the period is one of those.
    """
    if period.start > answer.moment.date():
        raise ValueError(f"{period.label} lies after the retrieval on {answer.moment.date().isoformat()}")


def documents(readings: Iterable[Reading], source: str, licence: str, use: Use) -> Iterator[Document]:
    """The documents of one series, page by page, every page from its first state to its last."""
    pages = sorted(readings, key=lambda reading: (reading.period.page, reading.release.moment))
    for page, of_page in groupby(pages, key=lambda reading: reading.period.page):
        yield from page_documents(page, list(of_page), source, licence, use)


def page_documents(
    page: str, readings: list[Reading], source: str, licence: str, use: Use
) -> Iterator[Document]:
    """The states of one page: readings in the order of their release, those of one moment together."""
    state: dict[Period, Reading] = {}
    first: dict[Period, Reading] = {}
    vintage, previous = 0, None
    for moment, together in groupby(readings, key=lambda reading: reading.release.moment):
        changed = [one for one in settled(together) if differs(one, state.get(one.period))]
        for reading in changed:
            state[reading.period] = reading
            if reading.value is not None:
                first.setdefault(reading.period, reading)
        if not changed or not any(reading.value is not None for reading in state.values()):
            continue
        newest = changed[-1]
        series = newest.series
        rows = [row(state[period], first.get(period)) for period in sorted(state)]
        identity = f"{series.scheme}/{series.id}/{page}"
        document = Document.make(
            source=source,
            native_id=identity,
            kind="series",
            title=f"{series.title}, {page}",
            text=page_text(series, page, rows, newest.release.day, form_of(identity)),
            available_at=moment,
            date_precision=newest.release.precision,
            period_end=max(period.end for period in state if state[period].value is not None),
            vintage=vintage,
            supersedes=previous,
            entities=[(series.scheme, series.id)],
            url=newest.answer.url,
            raw_sha256=newest.answer.sha256,
            raw_file=file_name(newest.answer),
            licence=licence,
            use=use,
        )
        yield document
        vintage, previous = vintage + 1, document.doc_id


def settled(together: Iterable[Reading]) -> Iterable[Reading]:
    """Of readings of one moment, the last one of each period: what a provider takes back at once was never
    known."""
    return {reading.period: reading for reading in together}.values()


def differs(reading: Reading, known: Reading | None) -> bool:
    """Whether a reading says something new."""
    return known is None or (reading.value, reading.note) != (known.value, known.note)


def row(reading: Reading, first: Reading | None) -> Row:
    """A line of a page; the first value that was known stands beside a revised one of the same unit."""
    if first is None or first.value == reading.value or first.series.unit != reading.series.unit:
        return Row(reading.period, reading.value, reading.note)
    assert first.value is not None  # only readings with a value become a first one
    return Row(reading.period, reading.value, reading.note, (first.value, first.release.day))
