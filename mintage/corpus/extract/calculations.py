"""Calculations that can be shown: a value together with the program that gives it.

Values are Decimals of 50 digits at most, rounded half up (away from zero on a tie); sums and differences of a
source's figures are exact in them.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

from mintage.corpus.extract.figures import divided, number

ROUNDING = Context(prec=50, rounding=ROUND_HALF_UP)


class Term(NamedTuple):
    """A value with the program that gives it, and the same calculation as an answer shows it."""

    value: Decimal
    program: str
    shown: str


def operand(value: Decimal, scale: int) -> Term:
    """A figure of the context, shown in a scale."""
    return Term(value, format(value, "f"), number(divided(value, scale)))


def combined(first: Term, sign: str, second: Term) -> Term:
    """Two terms under one of + - * and /. What binds more weakly than the sign must be `grouped` before; a
    second term that begins with a minus is here."""
    if second.program.startswith("-"):
        second = grouped(second)
    calculate = {
        "+": ROUNDING.add,
        "-": ROUNDING.subtract,
        "*": ROUNDING.multiply,
        "/": ROUNDING.divide,
    }[sign]
    shown = f"{first.shown} {'x' if sign == '*' else sign} {second.shown}"
    value = calculate(first.value, second.value)
    return Term(value, f"{first.program} {sign} {second.program}", shown)


def grouped(term: Term) -> Term:
    """A term in brackets."""
    return Term(term.value, f"({term.program})", f"({term.shown})")


def in_percent(term: Term) -> Term:
    """A hundred times a term."""
    return combined(term, "*", operand(Decimal(100), 1))


def rounded(term: Term, places: int) -> Term:
    """A term rounded half up to so many places (negative ones: to thousands and millions)."""
    step = Decimal(1).scaleb(-places)
    return Term(term.value.quantize(step, context=ROUNDING), f"round({term.program}, {places})", term.shown)
