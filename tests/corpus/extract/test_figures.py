"""Figures as text: what is written is read back to the digit, and looks as a reader expects."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus.extract.figures import (
    FORMS,
    SCALES,
    UNITS,
    chosen,
    column_scale,
    divided,
    form_of,
    number,
    period_words,
    quantity,
    read,
    unit_of,
    unit_words,
)

VALUES = st.one_of(
    st.integers(-(10**15), 10**15).map(Decimal),
    st.builds(
        lambda digits, scale: Decimal(digits * scale),
        st.integers(-(10**6), 10**6),
        st.sampled_from([10**5, 10**6, 10**8]),
    ),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=8),
    st.builds(
        lambda digits, exponent: Decimal(digits).scaleb(exponent),
        st.integers(-(10**40), 10**40),
        st.integers(-20, 20),
    ),
)
CODES = st.one_of(
    st.sampled_from([*UNITS, "USD/shares", "EUR/shares", "USD/EUR", "BTC", "SEK/USD"]),
    st.sampled_from(["USD/kWh", "segment", "company", "reporting_unit", "Year", "taxBatch"]),
)
OTHERS = ("kWh", "segment", "company", "reporting_unit", "Year", "taxBatch")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("391035000000", "USD", "391,035 million US dollars"),
        ("90000000000", "USD", "90 billion US dollars"),
        ("3719000000", "USD", "3,719 million US dollars"),
        ("1500000", "USD", "1.5 million US dollars"),
        ("1234567", "USD", "1,234,567 US dollars"),
        ("-17729000000", "EUR", "-17,729 million euros"),
        ("895816758", "shares", "895,816,758 shares"),
        ("5.30", "USD/shares", "5.30 US dollars per share"),
        ("1", "shares", "1 share"),
        ("0.32", "pure", "0.32"),
        ("25", "basis_points", "25 basis points"),
        ("3.9", "percent", "3.9 percent"),
        ("2.9", "Year", "2.9 years"),
        ("4", "reporting_unit", "4 reporting units"),
        ("1E+6", "USD", "1 million US dollars"),
        ("-0.00", "USD", "0.00 US dollars"),
        ("0.00000012", "BTC", "0.00000012 BTC"),
    ],
)
def test_figures_are_written_as_a_reader_expects(value: str, unit: str, text: str) -> None:
    assert quantity(Decimal(value), unit) == text


@given(VALUES, CODES)
def test_every_figure_is_read_back_to_the_digit(value: Decimal, unit: str) -> None:
    text = quantity(value, unit)
    back = read(text, OTHERS)
    assert (back.value, back.unit) == (value, unit)
    assert "E" not in text.split(" ")[0] and quantity(back.value, unit, back.scale) == text


@given(VALUES, st.sampled_from(sorted(SCALES.values())))
def test_a_given_scale_loses_no_digit(value: Decimal, scale: int) -> None:
    assert read(quantity(value, "USD", scale)) == (value, "USD", scale)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1), st.sampled_from([1, 10**3, 10**6]))
def test_a_column_in_its_scale_is_whole_numbers(digits: list[int], step: int) -> None:
    values = [Decimal(digit * step) for digit in digits]
    scale = column_scale(values)
    assert scale >= step or not any(values)
    assert all("." not in number(divided(value, scale)) for value in values)


@pytest.mark.parametrize(
    "text", ["1234", "1,23", "1.5e6 US dollars", "12 furlongs", "about 3 percent", "", "--1"]
)
def test_what_quantity_does_not_write_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read(text)


def test_no_two_units_are_written_alike() -> None:
    written: dict[str, str] = {}
    for unit in UNITS:
        for words in {unit_words(unit), unit_words(unit, True)}:
            assert written.setdefault(words, unit) == unit
            assert unit_of(words) == unit


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [("2.5", 0, "2"), ("0.125", 2, "0.12"), ("1234.5678", 1, "1,234.6"), ("7", 2, "7.00")],
)
def test_asked_for_places_round_half_to_even(value: str, places: int, text: str) -> None:
    assert number(Decimal(value), places) == text


def test_periods_are_named_after_their_length() -> None:
    end = date(2019, 9, 28)
    assert period_words(None, end) == "2019-09-28"
    assert period_words(date(2018, 9, 30), end) == "the twelve months ended 2019-09-28"
    assert period_words(date(2018, 9, 30), end, fiscal_year=True) == "the fiscal year ended 2019-09-28"
    assert period_words(date(2019, 6, 30), end) == "the three months ended 2019-09-28"
    assert period_words(date(2015, 1, 1), date(2015, 2, 20)) == "the period from 2015-01-01 to 2015-02-20"
    for weeks, name in (
        (13, "three"),
        (14, "three"),
        (26, "six"),
        (39, "nine"),
        (52, "twelve"),
        (53, "twelve"),
    ):
        start = end - timedelta(days=7 * weeks - 1)
        assert period_words(start, end) == f"the {name} months ended 2019-09-28"


def test_a_period_is_named_by_months_only_within_a_week_of_them() -> None:
    names = {1: "month", 3: "three months", 6: "six months", 9: "nine months", 12: "twelve months"}
    start = date(2019, 1, 1)
    for days in range(1, 500):
        end = start + timedelta(days=days - 1)
        near = [name for months, name in names.items() if abs(days - months * 365.25 / 12) <= 7]
        whole = f"the {near[0]} ended {end}" if near else f"the period from {start} to {end}"
        assert period_words(start, end) == whole, days


def test_the_forms_are_spread_evenly_and_never_change() -> None:
    forms = [form_of(f"document {serial}") for serial in range(3000)]
    assert all(900 < forms.count(form) < 1100 for form in FORMS)
    assert forms == [form_of(f"document {serial}") for serial in range(3000)]
    assert chosen("0000320193-09-214859", ("a", "b", "c", "d")) == "b"
