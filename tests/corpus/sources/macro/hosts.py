"""A host that answers from a table of URLs, and a source collected from it and parsed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from mintage.corpus.collect.collect import Account, collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Refused, Request, Response
from mintage.corpus.document import Document
from mintage.corpus.sources.macro.settings import MacroSource
from mintage.corpus.sources.macro.source import discover, parse
from mintage.corpus.sources.report import SourceReport

RESPONSES = Path(__file__).parent / "responses"
NOON = datetime(2024, 4, 15, 12, tzinfo=UTC)


def response(name: str) -> bytes:
    """A response file."""
    return (RESPONSES / name).read_bytes()


@dataclass
class Host:
    """Answers a URL by the first key that stands in it; `asked` are the requests as they came."""

    bodies: dict[str, bytes]
    now: datetime = NOON
    asked: list[Request] = field(default_factory=list)

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        self.asked.append(request)
        for part, body in self.bodies.items():
            if part in request.url:
                return Response(request.url, 200, {}, body, self.now)
        raise Refused(request.url, "HTTP 404")


@dataclass
class Collected:
    """A raw store that collections go into, one after the other."""

    raw: RawStore

    def collect(self, settings: MacroSource, host: Host) -> Account:
        return collect(discover, settings, self.raw, host)

    def documents(self, settings: MacroSource) -> tuple[list[Document], SourceReport]:
        report = SourceReport()
        return list(parse(settings, RawStore(self.raw.directory), report)), report


def as_json(content: object) -> bytes:
    """JSON as a host sends it."""
    return json.dumps(content).encode()


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
