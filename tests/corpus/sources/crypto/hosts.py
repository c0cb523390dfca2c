"""A host that answers from a table of URLs, and a source collected from it and parsed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from mintage.corpus.collect.collect import Account, Fetch, collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Refused, Request, Response
from mintage.corpus.document import Document
from mintage.corpus.sources.crypto import binance, blockchain, coingecko, defillama
from mintage.corpus.sources.crypto.settings import CryptoSource
from mintage.corpus.sources.crypto.source import parse
from mintage.corpus.sources.report import SourceReport

RESPONSES = Path(__file__).parent / "responses"
NOW = datetime(2025, 2, 11, 10, 30, tzinfo=UTC)


def response(name: str) -> bytes:
    """A response file."""
    return (RESPONSES / name).read_bytes()


def as_json(content: object) -> bytes:
    """JSON as a host sends it."""
    return json.dumps(content).encode()


def archive(name: str, table: bytes | None = None) -> dict[str, bytes]:
    """The two files of a month's archive, by the ends of their addresses."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"{name}.csv", response(f"{name}.csv") if table is None else table)
    body = buffer.getvalue()
    checksum = f"{hashlib.sha256(body).hexdigest()}  {name}.zip\n".encode()
    return {f"{name}.zip.CHECKSUM": checksum, f"{name}.zip": body}


@dataclass
class Host:
    """Answers a URL by the first key that stands in it; `asked` are the requests as they came."""

    bodies: dict[str, bytes]
    now: datetime = NOW
    asked: list[Request] = field(default_factory=list)

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        self.asked.append(request)
        for part, body in self.bodies.items():
            if part in request.url:
                return Response(request.url, 200, {}, body, self.now)
        raise Refused(request.url, "HTTP 404")


@dataclass
class Collected:
    """A raw store that collections go into, one after the other, each on its host's day."""

    raw: RawStore

    def collect(self, settings: CryptoSource, host: Host) -> Account:
        def discover(settings: CryptoSource, fetch: Fetch):  # as the source's, but on the day of the host
            yield from binance.requests(settings, fetch, host.now.date())
            yield from blockchain.requests(settings)
            yield from defillama.requests(settings)
            yield from coingecko.requests(settings, fetch)

        return collect(discover, settings, self.raw, host)

    def documents(self, settings: CryptoSource) -> tuple[list[Document], SourceReport]:
        report = SourceReport()
        return list(parse(settings, RawStore(self.raw.directory), report)), report


def bar_days(name: str) -> dict[date, list[str]]:
    """The rows of a table of daily bars by their day, read without the code under test."""
    rows = [line.split(",") for line in response(name).decode().split()]
    return {date.fromordinal(719163 + int(row[0][:10]) // 86400): row for row in rows}
