"""Drills for a curriculum that begins with copying: sequences said again, and contexts followed by every
answer.

They hold no facts: names, words and figures are drawn at random, so that the only way to foresee the end of a
drill is to read its beginning. Answers have the form that `questions.py` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from mintage.corpus.document import Document
from mintage.corpus.sources.sandbox.facts import LABELS
from mintage.corpus.sources.sandbox.names import company_name, person, product
from mintage.corpus.sources.sandbox.prose import LICENCE
from mintage.corpus.sources.sandbox.questions import (
    ITEMS,
    direction_answer,
    direction_context,
    key_value_context,
    lookup_answer,
    sentence_context,
)
from mintage.corpus.sources.sandbox.randomness import Stream

_ITEMS = sorted(ITEMS.values())
_WORDS = sorted(
    {word for names in LABELS.values() for name in names for word in name.split() if word.isalpha()}
)


def write_drills(seed: int, size: int, at: datetime) -> Iterator[Document]:
    """About `size` bytes of drills, each a document of a few lines, all available at one moment."""
    written = number = 0
    while written < size:
        stream = Stream(seed, "drill", number)
        text = stream.pick(_KINDS)(stream)
        yield Document.make(
            source="sandbox_drills",
            native_id=f"drill-{number:06d}",
            text=text,
            licence=LICENCE,
            use="ship",
            kind="text",
            title="copying drill",
            available_at=at,
            date_precision="second",
            published_at=at,
        )
        written += len(text.encode())
        number += 1


def _figure(stream: Stream) -> str:
    """A figure of one to six digits, every length equally often."""
    digits = stream.integer(1, 6)
    return f"{stream.integer(10 ** (digits - 1), 10**digits - 1):,}"


def _echo(stream: Stream) -> str:
    """A sequence of words, names or figures, two to four times."""
    makers: list[Callable[[Stream], str]] = [
        _figure,
        lambda one: one.pick(_WORDS),
        company_name,
        product,
        person,
    ]
    mixed = stream.chance(0.3)
    maker = stream.pick(makers)
    sequence = [(stream.pick(makers) if mixed else maker)(stream) for _ in range(stream.integer(3, 14))]
    return "\n".join([" ".join(sequence)] * stream.integer(2, 4))


def _subject(stream: Stream) -> tuple[str, str, list[str]]:
    """A company, a period, and three to six items."""
    year = stream.integer(1990, 2030)
    period = str(year) if stream.chance(0.3) else f"Q{stream.integer(1, 4)} {year}"
    return company_name(stream), period, stream.sample(_ITEMS, stream.integer(3, 6))


def _amount(stream: Stream) -> str:
    unit = stream.pick(("million", "million", "thousand", "percent"))
    if unit == "percent":
        return f"{stream.integer(1, 99)}.{stream.integer(0, 9)} percent"
    return f"{_figure(stream)} {unit}"


def _lookups(context: Callable[[Stream, str, str, dict[str, str]], str]) -> Callable[[Stream], str]:
    """A context of a look-up question, and then the answers for all of its items, in another order."""

    def write(stream: Stream) -> str:
        name, period, items = _subject(stream)
        amounts = {item: _amount(stream) for item in items}
        answers = [lookup_answer(name, period, item, amounts[item]) for item in stream.sample(items, 6)]
        return "\n".join([context(stream, name, period, amounts), *answers])

    return write


def _directions(stream: Stream) -> str:
    """A context of a direction question, and then the direction of each of its items, in another order."""
    name, period, items = _subject(stream)
    figures = {}
    for item in items:
        low = stream.integer(20, 99_999)
        high = low + 1 + round(low * stream.pick((0.01, 0.1, 0.6)) * stream.uniform())
        figures[item] = (high, low) if stream.chance(0.5) else (low, high)
    answers = [
        direction_answer(name, period, item, figures[item][0] > figures[item][1])
        for item in stream.sample(items, 6)
    ]
    return "\n".join([direction_context(stream, name, period, figures, "million"), *answers])


_KINDS: tuple[Callable[[Stream], str], ...] = (
    *[_echo] * 3,
    *[_lookups(key_value_context)] * 3,
    *[_lookups(sentence_context)] * 3,
    *[_directions] * 2,
)
