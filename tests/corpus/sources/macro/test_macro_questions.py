"""Questions about series: exact answers, from values that were known at their release and stand in the
context."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintage.corpus.document import Document, chat_messages
from mintage.corpus.extract.figures import number
from mintage.corpus.sources.macro.periods import Period, part_of_year, single_day
from mintage.corpus.sources.macro.questions import documents
from mintage.corpus.sources.macro.series import Reading, Release
from mintage.corpus.sources.macro.settings import BlsSeries, MacroSource
from mintage.corpus.sources.macro.text import Series
from tests.corpus.extract.programs import result_of

from .hosts import Collected, Host, response
from .test_series import FIGURES, MONTHS, answer

PERCENT = Series("test", "X1", "A provider", "Rate of a thing", "percent", "monthly", "seasonally adjusted")
INDEX = Series("test", "X2", "A provider", "Index of a thing", "index points (2015 = 100)", "monthly")


def reading(series: Series, period: Period, value: Decimal | None, day: int) -> Reading:
    stored = answer(day)
    return Reading(series, period, value, "", Release(stored.moment, "day", stored.moment.date()), stored)


def questions(readings: list[Reading]) -> list[Document]:
    every = list(documents(readings, "s", "CC0-1.0", "ship", questions=True))
    return [document for document in every if document.source == "s_questions"]


def check(document: Document) -> tuple[str, Fraction]:
    """The kind of a question and its result; its operands stand in the context, and its answer says it."""
    about = dict(document.entities)
    prompt, reply = (message["content"] for message in chat_messages(document.text))
    context, _ = prompt.rsplit("\n\n", 1)
    result, operands = result_of(about["program"])
    for operand in set(operands) - {Decimal(100)}:
        assert re.search(rf"(?<![\d,.]){re.escape(number(operand))}(?!\d|,\d|\.\d)", context), about
    said = re.match(r"-?[\d,.]*\d", about["answer"])
    assert said and Fraction(said[0].replace(",", "")) == result
    assert about["answer"] in reply
    if document.title in ("change", "growth"):
        assert (" rose by " if result > 0 else " fell by ") in reply and " by -" not in reply
    return document.title, Fraction(result)


@settings(max_examples=30)
@given(
    st.sampled_from([PERCENT, INDEX]),
    st.lists(st.tuples(MONTHS, st.none() | FIGURES, st.integers(0, 30)), min_size=1, max_size=25),
)
def test_every_answer_is_what_its_program_gives_on_values_known_by_then(
    series: Series, history: list[tuple[Period, Decimal | None, int]]
) -> None:
    readings = [reading(series, *entry) for entry in history]
    made = questions(readings)
    assert len({document.doc_id for document in made}) == len(made)
    for document in made:
        kind, _ = check(document)
        assert kind != "growth" or series is INDEX
        points = "percentage point" in dict(document.entities)["answer"]
        assert points is (series is PERCENT and kind in ("change", "revision"))
    for day in {day for _, _, day in history}:
        now = answer(day).moment
        cut = [one for one in readings if one.release.moment <= now]
        assert questions(cut) == [one for one in made if one.available_at and one.available_at <= now]


def test_a_year_is_twelve_months_back_and_revisions_say_what_was_known_first() -> None:
    months = [part_of_year(2020 + number // 12, number % 12 + 1, "monthly") for number in range(14)]
    history = [reading(INDEX, month, Decimal(100 + n), n) for n, month in enumerate(months)]
    history.append(reading(INDEX, months[12], Decimal("112.5"), 20))
    by_kind = {}
    for document in questions(history):
        by_kind[document.title, str(document.available_at)[:10]] = document
    last = "2023-01-13"  # the release of January 2021, 12 days after the first
    assert dict(by_kind["change", last].entities)["program"] == "112 - 100"
    assert dict(by_kind["growth", last].entities)["answer"] == "12.0 percent"
    assert "from 2020-01 to 2021-01" in by_kind["change", last].text.lower()
    revised = by_kind["revision", "2023-01-21"]
    assert dict(revised.entities)["program"] == "112.5 - 112"
    assert "2023-01-13" in revised.text and "2023-01-21" in revised.text
    assert not any(kind == "change" and day < last for kind, day in by_kind)


@pytest.mark.parametrize("last", [None, Decimal(100), Decimal(200)])
def test_of_two_values_of_one_moment_the_last_one_holds(last: Decimal | None) -> None:
    month = part_of_year(2020, 1, "monthly")
    history = [(month, Decimal(100), 0), (month, Decimal(150), 1), (month, last, 1)]
    made = list(documents([reading(INDEX, *one) for one in history], "s", "CC0-1.0", "ship", questions=True))
    pages = [document.text for document in made if document.source == "s"]
    assert len(pages) == (1 if last == 100 else 2 if last else 1)
    assert not any("150" in document.text for document in made)


def test_days_are_compared_over_the_last_readings() -> None:
    days = [single_day(date(2020, 1, 1) + timedelta(days=number)) for number in range(20)]
    daily = Series("test", "X3", "A provider", "A price", "USD", "daily")
    made = questions([reading(daily, day, Decimal(number + 1), number) for number, day in enumerate(days)])
    (change,) = (one for one in made if one.title == "change" and one.period_end == date(2020, 1, 20))
    assert dict(change.entities)["program"] == "20 - 11"


@pytest.mark.parametrize("asked", [True, False])
def test_recorded_series_are_asked_about_only_where_the_settings_say_so(
    store: Collected, asked: bool
) -> None:
    prices = BlsSeries("CUUR0000SA0", "Consumer prices", "index points", final_after_days=20)
    settings = MacroSource(bls=(prices,), questions=asked)
    store.collect(settings, Host({prices.id: response("bls_cpi.json")}))
    made, _ = store.documents(settings)
    found = [document for document in made if document.source == "macro_questions"]
    assert len(made) > len(found)
    assert {check(document)[0] for document in found} == ({"level", "change", "growth"} if asked else set())
