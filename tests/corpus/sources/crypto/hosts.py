"""Hosts of crypto-currencies' data."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.transport import Request
from mintage.corpus.document import Document
from mintage.corpus.sources.crypto import binance, blockchain, coingecko, defillama, source
from mintage.corpus.sources.crypto.settings import CryptoSource
from mintage.corpus.sources.report import SourceReport
from tests.corpus.sources.stored import Store, TableHost

RESPONSES = Path(__file__).parent / "responses"
NOW = datetime(2025, 2, 11, 10, 30, tzinfo=UTC)


def response(name: str) -> bytes:
    """A response file."""
    return (RESPONSES / name).read_bytes()


def archive(name: str, table: bytes | None = None) -> dict[str, bytes]:
    """The two files of a month's archive, by the ends of their addresses."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"{name}.csv", response(f"{name}.csv") if table is None else table)
    body = buffer.getvalue()
    checksum = f"{hashlib.sha256(body).hexdigest()}  {name}.zip\n".encode()
    return {f"{name}.zip.CHECKSUM": checksum, f"{name}.zip": body}


@dataclass
class Host(TableHost):
    """A host on the day of the response files."""

    now: datetime = NOW


class Collected(Store):
    """What the crypto source collected; it asks as it does on the day of the host."""

    def requests(self, settings: CryptoSource, fetch: Fetch, host: Host) -> Iterator[Request]:
        yield from binance.requests(settings, fetch, host.now.date())
        yield from blockchain.requests(settings)
        yield from defillama.requests(settings)
        yield from coingecko.requests(settings, fetch)

    def parse(self, settings: CryptoSource, report: SourceReport) -> Iterator[Document]:
        return source.parse(settings, self.raw, report)


def bar_days(name: str) -> dict[date, list[str]]:
    """The rows of a table of daily bars by their day, read without the code under test."""
    rows = [line.split(",") for line in response(name).decode().split()]
    return {date.fromordinal(719163 + int(row[0][:10]) // 86400): row for row in rows}
