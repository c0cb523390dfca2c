"""The macro source: what is asked of the providers, and the documents made of their answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import mintage
from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Request
from mintage.corpus.document import Document
from mintage.corpus.sources.macro import bls, ecb, fred, treasury, world_bank
from mintage.corpus.sources.macro.settings import MacroSource
from mintage.corpus.sources.report import SourceReport

RATES = {
    "api.bls.gov": 1.0,
    "api.fiscaldata.treasury.gov": 2.0,
    "api.worldbank.org": 2.0,
    "data-api.ecb.europa.eu": 1.0,
    "api.stlouisfed.org": 1.5,  # 120 a minute are allowed
}


def user_agent(settings: MacroSource) -> str:
    """Who asks."""
    contact = f" ({settings.contact})" if settings.contact else ""
    return f"Mintage/{mintage.__version__}{contact}"


def discover(settings: MacroSource, fetch: Fetch) -> Iterator[Request]:
    """The requests of every named series, provider by provider; a provider that refuses one does not end the
    others."""
    this_year = datetime.now(UTC).year
    yield from bls.requests(settings, fetch, this_year)
    yield from treasury.requests(settings, fetch)
    yield from world_bank.requests(settings, fetch, this_year)
    yield from ecb.requests(settings, fetch)
    yield from fred.requests(settings, fetch)


def parse(settings: MacroSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of every named series, of which one is in memory at a time."""
    yield from bls.read(settings, raw, report)
    yield from treasury.read(settings, raw, report)
    yield from world_bank.read(settings, raw, report)
    yield from ecb.read(settings, raw, report)
    yield from fred.read(settings, raw, report)
