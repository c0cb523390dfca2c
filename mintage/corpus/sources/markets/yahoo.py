"""Daily bars from Yahoo by the package yfinance: collected live, kept as CSV in the raw store, read there.

Unofficial: Yahoo throttles, changes values afterwards and gives them for personal use only. Prices come
adjusted for splits, and the answer's own day is left out while its session is not over.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Refused, Request, Response, TokenBucket
from mintage.corpus.document import Document
from mintage.corpus.sources.markets.bars import daily_close, read_file
from mintage.corpus.sources.markets.settings import Columns, MarketsSource
from mintage.corpus.sources.markets.source import SymbolBars, checked, documents, listings_of
from mintage.corpus.sources.report import RawFile, SourceReport
from mintage.errors import MintageError

HOST = "finance.yahoo.com"
RATES = {HOST: 0.5}  # symbols a second; faster and Yahoo refuses for hours
HEADER = b"Date,"


def address(symbol: str) -> str:
    """The page of a symbol's prices, which names its answer in the raw store."""
    return f"https://{HOST}/quote/{quote(symbol, safe='')}/history"


def discover(settings: MarketsSource, fetch: Fetch) -> Iterator[Request]:
    """A request for each symbol of the universe."""
    assert settings.universe is not None
    for symbol in listings_of(settings.universe, settings.market, SourceReport()):
        yield Request(address(symbol), check=require_bars, note={"symbol": symbol})


def require_bars(body: bytes) -> None:
    """Raise ValueError for an answer without bars."""
    if not body.startswith(HEADER) or body.count(b"\n") < 2:
        raise ValueError("no daily bars")


def transport(settings: MarketsSource) -> YahooTransport:
    """What asks Yahoo."""
    return YahooTransport()


class YahooTransport:
    """Answers a request for a symbol with its whole daily history as CSV.

    Raises:
        MintageError: yfinance is not installed.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep):
        try:
            import yfinance
        except ImportError:
            raise MintageError("yfinance is not installed; `pip install yfinance`, or read files") from None
        self.yfinance: Any = yfinance
        self.yfinance.config.debug.hide_exceptions = False
        self.bucket = TokenBucket(RATES[HOST], sleep)

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        """The history of the request's symbol.

        Raises:
            Refused: Yahoo does not know the symbol, throttles, or cannot be reached.
        """
        self.bucket.take()
        retrieved_at = datetime.now(UTC).replace(microsecond=0)
        try:
            ticker = self.yfinance.Ticker(request.note["symbol"])
            frame = ticker.history(period="max", interval="1d", auto_adjust=False, actions=True)
        except Exception as error:  # yfinance lets the errors of its many parts through as they are
            raise Refused(request.url, f"{type(error).__name__}: {error}") from None
        if frame.empty:
            raise Refused(request.url, "no bars")
        body: bytes = frame.to_csv(index_label="Date").encode()
        return Response(request.url, 200, {"content-type": "text/csv"}, body, retrieved_at)


def parse(settings: MarketsSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the stored answers, in the order of the universe."""
    yield from documents(settings, symbols(settings, raw, report), report)


def symbols(settings: MarketsSource, raw: RawStore, report: SourceReport) -> Iterator[SymbolBars]:
    """The universe's symbols by their newest stored answers, one in memory at a time."""
    assert settings.universe is not None
    listings = listings_of(settings.universe, settings.market, report)
    with tempfile.TemporaryDirectory(prefix="mintage-yahoo-") as scratch:
        path = Path(scratch) / "bars.csv"
        for symbol, listing in listings.items():
            answer = raw.newest.get(address(symbol))
            if answer is None:
                continue
            path.write_bytes(raw.body(answer))
            file = f"{symbol}.csv"
            report.files.append(RawFile(file, answer.sha256, answer.bytes))
            for _, rows in read_file(path, file, Columns(), listing.market, symbol, report):
                complete = [row for row in rows if daily_close(row.time, listing.market) <= answer.moment]
                bars = checked(symbol, complete, "splits", settings.price_places, file, report)
                if len(bars):
                    yield SymbolBars(listing, bars, report.files[-1], answer.url)
