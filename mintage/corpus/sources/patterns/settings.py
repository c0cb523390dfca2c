"""Settings of a source that reads price bars as technical analysis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mintage.corpus.sources.markets.settings import Columns, Market


@dataclass(frozen=True, kw_only=True)
class PatternsSource:
    """A source of technical analysis as text, made from price bars in files; one document for each bar at
    which a reading became known.

    `path`, `columns`, `adjusted`, `market`, `universe` and `price_places` are those of a `markets` source.
    Bars are daily unless `bar_minutes` gives their length; `stamp` says whether such bars bear the time of
    their start or of their end. `swing_bars` is how many bars on each side a swing must exceed, and so how
    much later it is known. `smallest_gap` is the least size of a fair-value gap in average true ranges.
    """

    name: str = "patterns"
    path: str
    licence: str
    use: Literal["ship", "local", "evaluate", "none"] = "local"
    columns: Columns = field(default_factory=Columns)
    adjusted: Literal["none", "splits"] = "splits"
    market: Market = field(default_factory=Market)
    universe: str | None = None
    price_places: int = 4
    bar_minutes: int | None = None
    stamp: Literal["start", "end"] = "start"
    swing_bars: int = 5
    smallest_gap: float = 0.25

    def __post_init__(self) -> None:
        if self.price_places < 2:
            raise ValueError(f"{self.name}: price_places must be at least 2")
        if self.bar_minutes is not None and not 0 < self.bar_minutes < 24 * 60:
            raise ValueError(f"{self.name}: bar_minutes must be from 1 to 1,439; leave it out for daily bars")
        if self.swing_bars < 1:
            raise ValueError(f"{self.name}: swing_bars must be at least 1")
        if self.smallest_gap < 0:
            raise ValueError(f"{self.name}: smallest_gap cannot be below zero")
