"""The universe: a CSV file that names the symbols and says what holds for each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mintage.corpus.sources.markets.settings import Market
from mintage.corpus.sources.report import SourceReport
from mintage.corpus.sources.rows import BadRow, read_rows


@dataclass(frozen=True)
class Listing:
    """A symbol: its name and sector where the universe gives them, its market, and the day of its listing."""

    symbol: str
    market: Market
    name: str | None = None
    sector: str | None = None
    exchange: str | None = None
    listed: date | None = None

    @property
    def label(self) -> str:
        """How texts call it: `Apple Inc. (AAPL)`, or the symbol alone."""
        return f"{self.name} ({self.symbol})" if self.name else self.symbol


def read_universe(path: Path, market: Market, report: SourceReport) -> dict[str, Listing]:
    """The listings of a universe file by symbol; empty cells take `market`'s values. A bad row is counted.

    Raises:
        MintageError: the file cannot be read, or has no column `symbol`.
    """
    listings: dict[str, Listing] = {}
    for row in read_rows(path, path.name, ["symbol"]):
        if isinstance(row, BadRow):
            report.bad(path.name, row.line, row.reason)
            continue
        try:
            listing = read_listing({name: value or None for name, value in row.fields.items()}, market)
        except ValueError as error:
            report.bad(path.name, row.line, str(error))
            continue
        if listing.symbol in listings:
            report.bad(path.name, row.line, f"{listing.symbol} is named twice")
        else:
            listings[listing.symbol] = listing
    return listings


def read_listing(cells: dict[str, str | None], market: Market) -> Listing:
    """A listing out of a row's cells.

    Raises:
        ValueError: no symbol, or a zone, close or date that cannot be read.
    """
    symbol = cells.get("symbol")
    if symbol is None:
        raise ValueError("no symbol")
    listed = cells.get("listed")
    return Listing(
        symbol=symbol,
        market=Market(
            currency=cells.get("currency") or market.currency,
            zone=cells.get("zone") or market.zone,
            close=cells.get("close") or market.close,
        ),
        name=cells.get("name"),
        sector=cells.get("sector"),
        exchange=cells.get("exchange"),
        listed=None if listed is None else date.fromisoformat(listed),
    )
