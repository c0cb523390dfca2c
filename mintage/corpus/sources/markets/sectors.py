"""Sector tables: how the symbols of a universe did in a period, by sector."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from mintage.corpus.extract.figures import chosen, number
from mintage.corpus.sources.markets.periods import Kind, Summary
from mintage.corpus.sources.markets.universe import Listing

FEWEST_SECTORS = 2


@dataclass
class Members:
    """The returns of a sector's members in a period, in hundredths of a percent, beside their symbols'
    numbers."""

    returns: array[int] = field(default_factory=lambda: array("q"))
    symbols: array[int] = field(default_factory=lambda: array("l"))


@dataclass(frozen=True)
class SectorTable:
    """A period's table: its text, and the moment at which the last member's last bar was complete."""

    kind: Kind
    label: str
    end: date
    text: str
    available_at: datetime


class Sectors:
    """Gathers the members' returns while the symbols are read one by one; a few bytes for each."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.members: dict[tuple[Kind, str, date], dict[str, Members]] = defaultdict(dict)
        self.available: dict[tuple[Kind, str, date], datetime] = {}

    def add(self, listing: Listing, summaries: list[tuple[Summary, datetime]]) -> None:
        """Add a symbol's periods, each with the moment at which its last bar was complete."""
        if listing.sector is None:
            return
        self.names.append(listing.symbol)
        for summary, available_at in summaries:
            if summary.from_open:
                continue  # a return from the open is no full period's
            key = (summary.period.kind, summary.period.label, summary.period.end)
            members = self.members[key].setdefault(listing.sector, Members())
            members.returns.append(int((summary.price_return * 10_000).to_integral_value(ROUND_HALF_EVEN)))
            members.symbols.append(len(self.names) - 1)
            self.available[key] = max(self.available.get(key, available_at), available_at)

    def tables(self) -> Iterator[SectorTable]:
        """The tables of every period with at least two sectors, in the order of time."""
        for key in sorted(self.members, key=lambda key: (key[2], key[0])):
            sectors = self.members[key]
            if len(sectors) >= FEWEST_SECTORS:
                kind, label, end = key
                text = self.text(kind, label, sectors, self.available[key])
                yield SectorTable(kind, label, end, text, self.available[key])

    def text(self, kind: Kind, label: str, sectors: dict[str, Members], available_at: datetime) -> str:
        """A table of sectors, best mean first."""
        count = sum(len(members.returns) for members in sectors.values())
        caption = chosen(
            f"sectors {kind} {label}",
            (
                f"Performance by sector, {label} ({kind}): price returns of {number(count)} symbols from the "
                f"last close before the {kind} to its last close, known on {available_at:%Y-%m-%d}.",
                f"Sectors in {label}: returns over the {kind} by closing prices, without dividends, of "
                f"{number(count)} symbols, as of {available_at:%Y-%m-%d}.",
            ),
        )
        rows = [
            "| Sector | Symbols | Mean return | Median return | Best | Worst |",
            "|---|---|---|---|---|---|",
        ]
        for sector, members in sorted(sectors.items(), key=lambda item: (-mean(item[1].returns), item[0])):
            order = sorted(
                range(len(members.returns)), key=lambda at: (members.returns[at], -members.symbols[at])
            )
            worst, best = order[0], order[-1]
            cells = [
                sector,
                number(len(order)),
                hundredths(mean(members.returns)),
                hundredths(median(members.returns)),
                f"{self.names[members.symbols[best]]} ({hundredths(Fraction(members.returns[best]))})",
                f"{self.names[members.symbols[worst]]} ({hundredths(Fraction(members.returns[worst]))})",
            ]
            rows.append(f"| {' | '.join(cells)} |")
        note = "Means are equally weighted; sectors are those of the universe's file."
        return "\n".join([caption, "", *rows, "", note])


def mean(values: array[int]) -> Fraction:
    """The mean, exactly."""
    return Fraction(sum(values), len(values))


def median(values: array[int]) -> Fraction:
    """The median, exactly."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return (
        Fraction(ordered[middle]) if len(ordered) % 2 else Fraction(ordered[middle - 1] + ordered[middle], 2)
    )


def hundredths(value: Fraction) -> str:
    """Hundredths of a percent as a percentage with two digits after the point, half to even, with a sign."""
    rounded = round(value)
    text = number(Decimal(rounded).scaleb(-2), 2)
    return f"+{text}%" if rounded > 0 else f"{text}%"
