"""Hosts of macroeconomic series, and a reader of the texts that are made of their answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.transport import Request
from mintage.corpus.document import Document
from mintage.corpus.sources.macro import source
from mintage.corpus.sources.macro.settings import MacroSource
from mintage.corpus.sources.report import SourceReport
from tests.corpus.sources.stored import Store, TableHost

RESPONSES = Path(__file__).parent / "responses"
NOON = datetime(2024, 4, 15, 12, tzinfo=UTC)


def response(name: str) -> bytes:
    """A response file."""
    return (RESPONSES / name).read_bytes()


@dataclass
class Host(TableHost):
    """A host on the day of the response files."""

    now: datetime = NOON


class Collected(Store):
    """What the macro source collected."""

    def requests(self, settings: MacroSource, fetch: Fetch, host: Host) -> Iterator[Request]:
        return source.discover(settings, fetch)

    def parse(self, settings: MacroSource, report: SourceReport) -> Iterator[Document]:
        return source.parse(settings, self.raw, report)


VALUE = r"(-?\d[\d,]*(?:\.\d+)?)"
WORDS = r"((?:in|on) (?:the )?(?:\w+ (?:quarter|half) of |week ended |[A-Z]\w+ )?\d{4}(?:-\d\d-\d\d)?)"


def figures_in(text: str) -> dict[str, Decimal | None]:
    """The figures of a text by period, read without the code that wrote them; prose has periods in words."""
    found: dict[str, Decimal | None] = {}
    if text.startswith("# "):
        lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
        cells = [(line[0].removeprefix("| "), line[1].removesuffix(" |")) for line in lines]
    elif "\nSeries: " in text:
        cells = [tuple(line.split(": ", 1)) for line in text.split("\nAs of: ")[1].splitlines()[1:]]
    else:
        cells = [(words, value) for value, words in re.findall(f"{VALUE} {WORDS}", text.split(": ", 1)[1])]
        for words in re.findall(WORDS, "".join(re.findall(r"not available (.*?)\.\s", text))):
            cells.append((words, "not available"))
    for period, value in cells:
        number = re.match(VALUE, value)
        assert number or value.startswith("not available"), (period, value)
        found[period] = Decimal(number[1].replace(",", "")) if number else None
    return found
