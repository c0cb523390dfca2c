"""Series of any values: every figure of a text is the source's, every state what was known at its moment."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Live, Request
from mintage.corpus.extract.figures import FORMS
from mintage.corpus.sources.macro.answers import exact, load_json
from mintage.corpus.sources.macro.periods import Period, between, part_of_year, read_period, single_day
from mintage.corpus.sources.macro.series import Reading, Release, documents
from mintage.corpus.sources.macro.settings import MacroSource, WorldBankIndicator
from mintage.corpus.sources.macro.text import Row, Series, page_text
from tests.corpus.sources.stored import as_json

from .hosts import Collected, Host, figures_in

SERIES = Series("test", "X1", "A provider", "A title", "percent", "monthly", "seasonally adjusted")
FIGURES = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**18), max_value=10**18).map(
    lambda value: value.quantize(Decimal("0.0001")) if abs(value) < 10**12 else value.quantize(Decimal(1))
)
NUMBERS = st.floats(1e-30, 1e15) | st.floats(-1e15, -1e-30) | st.integers(-(10**15), 10**15)
MONTHS = st.integers(0, 35).map(lambda number: part_of_year(2020 + number // 12, number % 12 + 1, "monthly"))


def answer(day: int) -> Answer:
    moment = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return Answer("https://host/x", "0" * 64, 1, moment.isoformat(), {}, {})


def reading(period: Period, value: Decimal | None, day: int) -> Reading:
    stored = answer(day)
    return Reading(SERIES, period, value, "", Release(stored.moment, "day", stored.moment.date()), stored)


@settings(max_examples=40)
@given(st.lists(st.tuples(MONTHS, st.none() | FIGURES, st.integers(0, 30)), min_size=1, max_size=25))
def test_at_every_moment_the_pages_hold_the_newest_value_of_every_period(
    history: list[tuple[Period, Decimal | None, int]],
) -> None:
    made = list(documents([reading(*entry) for entry in history], "s", "CC0-1.0", "ship"))
    for day in sorted({day for _, _, day in history}):
        now = answer(day).moment
        newest: dict[str, dict[Period, tuple[int, Decimal | None]]] = {}
        for period, value, released in history:
            page = newest.setdefault(str(period.end.year), {})
            if released <= day and (period not in page or page[period][0] <= released):
                page[period] = released, value
        replaced = {d.supersedes for d in made if d.available_at and d.available_at <= now}
        view = {
            d.native_id: d
            for d in made
            if d.available_at and d.available_at <= now and d.doc_id not in replaced
        }
        for year, page in newest.items():
            known = [value for _, value in page.values() if value is not None]
            document = view.get(f"test/X1/{year}")
            if document is None:
                assert not known
            elif known:
                figures = [value for value in figures_in(document.text).values() if value is not None]
                assert sorted(figures) == sorted(known)


@settings(max_examples=40)
@given(
    st.dictionaries(MONTHS, st.none() | FIGURES, min_size=1, max_size=12).filter(
        lambda rows: any(value is not None for value in rows.values())
    )
)
def test_all_three_forms_say_the_same_figures_and_say_every_gap(rows: dict[Period, Decimal | None]) -> None:
    lines = [Row(period, value) for period, value in sorted(rows.items())]
    expected = [rows.get(period) for period in between(min(rows), max(rows))]
    for form in FORMS:
        text = page_text(SERIES, "2020", lines, date(2024, 1, 5), form)
        found = list(figures_in(text).values())
        if form == "prose":  # which says what is missing after what is there
            found, expected_here = [v for v in found if v is not None], [v for v in expected if v is not None]
            assert (found, "not available" in text) == (expected_here, None in expected)
        else:
            assert found == expected
        for said in ("percent", "monthly", "seasonally adjusted", "A provider", "X1", "2024-01-05"):
            assert said in text


@settings(max_examples=25)
@given(st.lists(st.none() | NUMBERS, min_size=1, max_size=8))
def test_every_figure_of_a_text_stands_in_the_answer_with_its_unit(values: list[float | int | None]) -> None:
    named = WorldBankIndicator("I.D", ("USA",), "USD")
    rows = [
        {
            "indicator": {"id": "I.D", "value": "An indicator"},
            "country": {"id": "US", "value": "United States"},
            "countryiso3code": "USA",
            "date": str(2010 + number),
            "value": value,
        }
        for number, value in enumerate(values)
    ]
    body = as_json([{"page": 1, "pages": 1, "lastupdated": "2024-03-28"}, rows])
    with tempfile.TemporaryDirectory() as folder:
        store = Collected(RawStore(Path(folder)))
        source = MacroSource(world_bank=(named,))
        store.collect(source, Host({"I.D": body}))
        made, report = store.documents(source)
    assert report.bad_rows == 0
    written = [Decimal(repr(value)) for value in values if value is not None]
    read = [value for document in made for value in figures_in(document.text).values() if value is not None]
    assert read == written
    assert all("US dollars" in document.text for document in made)


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_every_label_of_a_period_is_read_back(day: date) -> None:
    for period in (
        single_day(day),
        part_of_year(day.year, day.month, "monthly"),
        part_of_year(day.year, (day.month + 2) // 3, "quarterly"),
        part_of_year(day.year, (day.month + 5) // 6, "half-yearly"),
        part_of_year(day.year, 1, "annual"),
    ):
        assert read_period(period.label) == period
        assert period.start <= day <= period.end
    week = read_period("{}-W{:02d}".format(*day.isocalendar()[:2]))
    assert week.start <= day <= week.end and (week.end - week.start).days == 6


@pytest.mark.parametrize(
    "text", ["", "2024-13", "2024-02-30", "2024Q5", "24", "2024-Q", "present", "2024-W54"]
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_period(text)


@pytest.mark.parametrize(
    "value", ["", "1,000", "1_000", " 1", "NaN", "Infinity", "1e999", "1e-999", "١", True, None, 1.5]
)
def test_what_is_no_exact_figure_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        exact(value)


def test_numbers_of_json_keep_every_digit() -> None:
    assert load_json(b"[0.1000, 1.46277E7, 9007199254740993, 123456789012345678901.5]") == [
        Decimal("0.1000"),
        Decimal("14627700"),
        9007199254740993,
        Decimal("123456789012345678901.5"),
    ]


def test_parameters_are_sent_with_the_query_and_are_in_no_url_that_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(str(request.url))
        return httpx.Response(200, content=iter([b"{}"]))

    live = Live("Test", {"host": 1e6}, transport=httpx.MockTransport(handle))
    with caplog.at_level("DEBUG"):
        response = live.get(
            Request("https://host/a?series=X&page[size]=5", parameters={"api_key": "secret"}), {}
        )
    assert sent == ["https://host/a?series=X&page%5Bsize%5D=5&api_key=secret"]
    assert response.url == "https://host/a?series=X&page[size]=5"
    assert "secret" not in caplog.text
