"""Stored answers of hosts, read strictly: JSON whose numbers are exact, and figures that are figures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.sources.report import SourceReport

Content = TypeVar("Content")
Figure = TypeVar("Figure")

FIGURE = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")

# What reading JSON of another shape than the documented one raises.
MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)

MOST_DIGITS = 60  # before or after the point; beyond it a "figure" is a broken one


def load_json(body: bytes) -> Any:
    """JSON with its numbers as Decimal or int.

    Raises:
        ValueError: it is not JSON, or has NaN or an infinity.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=refuse_constant)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def refuse_constant(name: str) -> Decimal:
    """What JSON must not contain."""
    raise ValueError(f"{name} is not a number")


def exact(value: Any) -> Decimal:
    """A figure of an answer, exactly as it stands there.

    Raises:
        ValueError: it is not a number, or one of an impossible size.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{str(value)[:40]!r} is not a number")
    if isinstance(value, str) and FIGURE.fullmatch(value) is None:
        raise ValueError(f"{value[:40]!r} is not a number")
    figure = Decimal(value)
    if figure.adjusted() > MOST_DIGITS or int(figure.as_tuple().exponent) < -MOST_DIGITS:
        raise ValueError(f"{str(value)[:40]!r} has too many digits")
    return figure


def answers_of(raw: RawStore, **note: Any) -> Iterator[Answer]:
    """The stored answers whose request carried these notes, in the order in which they came."""
    return (answer for answer in raw if all(answer.note.get(name) == value for name, value in note.items()))


def file_name(answer: Answer) -> str:
    """What an answer is called in reports: the last part of its address."""
    return answer.url.rpartition("/")[2]


def one_line(text: str) -> str:
    """A title or a footnote without line breaks and runs of blanks."""
    return " ".join(text.split())


def refusing(rows_of: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """The check of a request whose answer `rows_of` must be able to read."""

    def check(body: bytes) -> None:
        try:
            rows_of(body)
        except MALFORMED as error:
            raise ValueError(reason(error)) from None

    return check


def each_row(
    raw: RawStore,
    answers: Iterable[Answer],
    rows_of: Callable[[bytes], tuple[Content, Sequence[Any]]],
    read: Callable[[Content, Any, Answer], Figure | None],
    report: SourceReport,
) -> Iterator[tuple[Content, Figure]]:
    """What `read` makes of every row that `rows_of` finds in the answers, one answer in memory at a time.

    An answer or a row for which they raise one of `MALFORMED` is counted as bad and left out; a row for which
    `read` returns None is left out without a word.
    """
    for answer in answers:
        try:
            content, found = rows_of(raw.body(answer))
            rows = list(found)
        except MALFORMED as error:
            report.bad(file_name(answer), 1, reason(error))
            continue
        for line, row in enumerate(rows, 1):
            try:
                figure = read(content, row, answer)
            except MALFORMED as error:
                report.bad(file_name(answer), line, reason(error))
                continue
            if figure is not None:
                yield content, figure


def reason(error: Exception) -> str:
    """Why a row is bad; Python's own errors about a shape are named by their class."""
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
