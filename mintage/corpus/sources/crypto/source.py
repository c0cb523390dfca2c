"""The crypto source: what is asked of the hosts, and the documents made of their answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import mintage
from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Request
from mintage.corpus.document import Document
from mintage.corpus.sources.crypto import binance, blockchain, coingecko, defillama
from mintage.corpus.sources.crypto.settings import CryptoSource
from mintage.corpus.sources.report import SourceReport

RATES = {
    "data.binance.vision": 5.0,
    "data-api.binance.vision": 5.0,
    "api.blockchain.info": 0.5,
    "api.llama.fi": 1.0,
    "api.coingecko.com": 0.2,
}


def user_agent(settings: CryptoSource) -> str:
    """Who asks."""
    contact = f" ({settings.contact})" if settings.contact else ""
    return f"Mintage/{mintage.__version__}{contact}"


def discover(settings: CryptoSource, fetch: Fetch) -> Iterator[Request]:
    """The requests of everything that is named, host by host."""
    yield from binance.requests(settings, fetch, datetime.now(UTC).date())
    yield from blockchain.requests(settings)
    yield from defillama.requests(settings)
    yield from coingecko.requests(settings, fetch)


def parse(settings: CryptoSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of everything that is named, one pair, chart, protocol or coin in memory at a time."""
    yield from binance.read(settings, raw, report)
    yield from blockchain.read(settings, raw, report)
    yield from defillama.read(settings, raw, report)
    yield from coingecko.read(settings, raw, report)
