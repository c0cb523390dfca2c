"""Programs of questions, run by Python's parser in exact fractions: nothing of the code that wrote them."""

from __future__ import annotations

import ast
import re
from decimal import Decimal
from fractions import Fraction
from math import floor


def run(node: ast.expr, operands: list[Decimal]) -> Fraction | bool:
    """The result of a program, in fractions; its operands are put down on the way."""
    match node:
        case ast.Constant(value=int() | str() as value):
            operands.append(Decimal(value))
            return Fraction(value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)):
            operands.append(-Decimal(value))
            return -Fraction(value)
        case ast.BinOp(left=left, op=sign, right=right):
            a, b = run(left, operands), run(right, operands)
            if isinstance(sign, ast.Add):
                return a + b
            if isinstance(sign, ast.Sub):
                return a - b
            return a * b if isinstance(sign, ast.Mult) else a / b
        case ast.Compare(left=left, ops=[ast.Gt()], comparators=[right]):
            return run(left, operands) > run(right, operands)
        case ast.Call(func=ast.Name(id="round"), args=[value, places]):
            exact, digits = run(value, operands), run(places, [])
            step = Fraction(10) ** -int(digits)
            size = floor(abs(exact) / step + Fraction(1, 2)) * step  # half up, away from zero
            return size if exact >= 0 else -size
        case ast.Call(func=ast.Name(id="max"), args=values):
            return max(run(value, operands) for value in values)
    raise AssertionError(ast.dump(node))


def result_of(program: str) -> tuple[Fraction | bool, list[Decimal]]:
    """What a program gives, and its operands. Decimal fractions are quoted: no float comes near them."""
    operands: list[Decimal] = []
    quoted = re.sub(r"\d+\.\d+", lambda number: f"'{number[0]}'", program)
    return run(ast.parse(quoted, mode="eval").body, operands), operands
