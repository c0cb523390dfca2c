"""Calculations: exact on figures of any length, rounded half away from zero, shown as they are run."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus.extract.calculations import combined, grouped, operand, rounded

from .programs import result_of

FIGURES = st.integers(-(10**20), 10**20).map(Decimal)


@given(FIGURES, FIGURES, FIGURES)
def test_sums_and_differences_are_exact_and_so_are_their_programs(a: Decimal, b: Decimal, c: Decimal) -> None:
    term = combined(combined(operand(a, 1), "-", operand(b, 1)), "+", operand(c, 1))
    assert term.value == Fraction(a) - Fraction(b) + Fraction(c) == result_of(term.program)[0]
    product = combined(grouped(combined(operand(a, 1), "+", operand(b, 1))), "*", operand(Decimal(7), 1))
    assert product.value == (Fraction(a) + Fraction(b)) * 7 == result_of(product.program)[0]


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        ("6.25", 1, "6.3"),
        ("-6.25", 1, "-6.3"),
        ("0.05", 1, "0.1"),
        ("6.2499", 1, "6.2"),
        ("2500000", -6, "3E6"),
    ],
)
def test_a_tie_is_rounded_away_from_zero(value: str, places: int, expected: str) -> None:
    term = rounded(operand(Decimal(value), 1), places)
    assert term.value == Decimal(expected) == result_of(term.program)[0]
