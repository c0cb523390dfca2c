"""Drills for a curriculum that begins with copying: sequences said again, labelled figures asked for again.

They hold no facts: names, words and figures are drawn at random, so that the only way to foresee the second
half of a drill is to copy it from the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from mintage.corpus.document import Document
from mintage.corpus.sources.sandbox.facts import LABELS
from mintage.corpus.sources.sandbox.names import company_name, person, product
from mintage.corpus.sources.sandbox.prose import LICENCE
from mintage.corpus.sources.sandbox.randomness import Stream

_ITEMS = sorted(
    {names[-1] for item, names in LABELS.items() if len(names[-1]) < 30 and item != "earnings_per_share"}
)
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


def _list(stream: Stream) -> str:
    """Labelled figures, and then some of the lines again in another order."""
    unit = stream.pick((" million", " thousand", "", "%"))
    labels = (
        stream.sample(_ITEMS, stream.integer(3, 7))
        if stream.chance(0.6)
        else [company_name(stream) for _ in range(4)]
    )
    lines = [f"{label[0].upper()}{label[1:]}: {_figure(stream)}{unit}" for label in labels]
    return "\n".join([*lines, "", *stream.sample(lines, stream.integer(2, len(lines)))])


def _statements(stream: Stream) -> str:
    """Short sentences about figures, and then some of them again."""
    unit = stream.pick(("million", "thousand"))
    name, year = company_name(stream), stream.integer(1990, 2030)
    period = str(year) if stream.chance(0.4) else f"Q{stream.integer(1, 4)} {year}"
    items = stream.sample(_ITEMS, stream.integer(3, 5))
    lines = [
        f"{item[0].upper()}{item[1:]} of {name} in {period} was {_figure(stream)} {unit}." for item in items
    ]
    return "\n".join([*lines, *stream.sample(lines, stream.integer(2, len(lines)))])


_KINDS: tuple[Callable[[Stream], str], ...] = (_echo, _echo, _list, _list, _statements)
