"""Questions about series, each as of a release: what a value was, how it changed over a year, how it was
revised."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from mintage.corpus.document import CHAT, Document, Use
from mintage.corpus.extract import series_questions as ask
from mintage.corpus.extract.figures import chosen, form_of
from mintage.corpus.extract.questions import Question, digest
from mintage.corpus.extract.series_questions import Value
from mintage.corpus.sources.macro import series
from mintage.corpus.sources.macro.answers import file_name
from mintage.corpus.sources.macro.periods import PER_YEAR, Period, part_of_year
from mintage.corpus.sources.macro.series import Reading, differs, row, settled
from mintage.corpus.sources.macro.text import Row, page_text

DAYS_BACK = 9  # readings of a daily or weekly series between which a change is asked for
LEAST_CONTEXT = 5  # values that stand in a context, where there are so many


@dataclass
class Known:
    """What is known of a series at a moment: the newest reading of every period, the first one that had a
    value, and the periods with a value in order."""

    newest: dict[Period, Reading] = field(default_factory=dict)
    first: dict[Period, Reading] = field(default_factory=dict)
    periods: list[Period] = field(default_factory=list)

    def take(self, readings: Iterable[Reading]) -> list[Reading]:
        """Add readings of one moment; those that say something new."""
        changed = [one for one in settled(readings) if differs(one, self.newest.get(one.period))]
        for reading in changed:
            period = reading.period
            self.newest[period] = reading
            place = bisect_left(self.periods, period)
            there = place < len(self.periods) and self.periods[place] == period
            if reading.value is not None:
                self.first.setdefault(period, reading)
                if not there:
                    self.periods.insert(place, period)
            elif there:
                del self.periods[place]
        return changed

    def rows(self, periods: Iterable[Period]) -> list[Row]:
        """Lines of a text about periods."""
        return [row(self.newest[period], self.first.get(period)) for period in periods]


def documents(
    readings: Iterable[Reading], source: str, licence: str, use: Use, questions: bool
) -> Iterator[Document]:
    """The documents of one series, and then, if asked for, those of questions about it (the source
    `SOURCE_questions`)."""
    every = list(readings)
    yield from series.documents(every, source, licence, use)
    if questions:
        yield from question_documents(every, f"{source}_questions", licence, use)


def question_documents(readings: list[Reading], source: str, licence: str, use: Use) -> Iterator[Document]:
    """Chats of one question and one answer about the state of a series at each release, about values that it
    brought: one of a kind about each page (a year of months, say)."""
    known = Known()
    by_moment = sorted(readings, key=lambda reading: (reading.release.moment, reading.period))
    for moment, together in groupby(by_moment, key=lambda reading: reading.release.moment):
        changed = [reading for reading in known.take(together) if reading.value is not None]
        if not changed:
            continue
        newest = changed[-1]
        about, as_of = newest.series, newest.release.day
        head = f"{about.scheme}/{about.id}/{moment:%Y%m%dT%H%M%S}"
        found = (
            (question, reading, shown)
            for reading in changed
            for question, shown in questions_of(reading, known, as_of.isoformat())
        )
        taken: set[str] = set()
        for question, reading, shown in sorted(found, key=lambda one: digest(f"{head} {one[0].key}")):
            native_id = f"{head}/{reading.period.page}/{question.kind}"
            if native_id in taken:
                continue
            taken.add(native_id)
            page = f"{shown[0].label} to {shown[-1].label}" if len(shown) > 1 else shown[0].label
            context = page_text(about, page, known.rows(shown), as_of, form_of(native_id))
            asked = chosen(native_id, question.templates).format(**question.slots)
            yield Document.make(
                source=source,
                native_id=native_id,
                kind=CHAT,
                title=question.kind,
                text=question.chat(context, asked),
                available_at=moment,
                date_precision=newest.release.precision,
                period_end=shown[-1].end,
                entities=[(about.scheme, about.id), *question.entities],
                url=newest.answer.url,
                raw_sha256=newest.answer.sha256,
                raw_file=file_name(newest.answer),
                licence=licence,
                use=use,
            )


def questions_of(reading: Reading, known: Known, as_of: str) -> Iterator[tuple[Question, list[Period]]]:
    """What can be asked about a value, each with the periods that its context shows."""
    about, place = reading.series, bisect_left(known.periods, reading.period)
    before = year_before(reading.period) or known.periods[max(0, place - DAYS_BACK)]
    start = min(before, known.periods[max(0, place - LEAST_CONTEXT + 1)])
    shown = known.periods[bisect_left(known.periods, start) : place + 1]
    name = f"{about.title} ({about.adjustment})" if about.adjustment else about.title
    now, old = as_value(reading), known.newest.get(before)
    yield ask.level(name, about.unit, now, as_of), shown
    if before in shown[:-1] and old is not None and old.series.unit == about.unit:
        for question in ask.changes(name, about.unit, as_value(old), now, as_of):
            yield question, shown
    earlier = row(reading, known.first.get(reading.period)).earlier
    if earlier is not None:
        yield ask.revision(name, about.unit, now, earlier[0], earlier[1].isoformat(), as_of), shown


def as_value(reading: Reading) -> Value:
    """A reading that has a value, for a question."""
    assert reading.value is not None
    return Value(reading.value, reading.period.label, reading.period.words)


def year_before(period: Period) -> Period | None:
    """The same period of the year before; None for days and weeks, which have none."""
    parts = PER_YEAR.get(period.frequency)
    if parts is None:
        return None
    number = (period.start.month - 1) * parts // 12 + 1
    return part_of_year(period.start.year - 1, number, period.frequency)
