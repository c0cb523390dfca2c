"""Settings of the macro source."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from mintage.corpus.sources.macro.periods import Frequency, Period

Adjustment = Literal["seasonally adjusted", "not seasonally adjusted"]


@dataclass(frozen=True)
class BlsSeries:
    """A series of the U.S. Bureau of Labor Statistics, such as CUUR0000SA0.

    `title`, `unit` (a code such as percent, or words) and `adjustment` describe it; BLS itself gives them
    only to registered users. BLS does not say when it published a value: without `final_after_days` a value
    is dated by the day on which it was retrieved. Give `final_after_days` (days after the end of a period
    after which its value was public) only for a series that is never revised, such as consumer prices that
    are not seasonally adjusted: for any other it would date revised values too early.
    """

    id: str
    title: str
    unit: str
    adjustment: Adjustment | None = None
    final_after_days: int | None = None

    def __post_init__(self) -> None:
        not_negative(self.final_after_days)


@dataclass(frozen=True)
class TreasuryTable:
    """A table of U.S. Treasury Fiscal Data: every combination of `labels` in it is a series.

    `endpoint` is its path below fiscal_service/ (v2/accounting/od/avg_interest_rates), `value` the field with
    the figure, `labels` the fields that tell the series of the table apart (security_desc), `date` the field
    with the day. A row whose `frequency` is monthly stands for the month of its day, and so on. The title is
    the API's name of the value field; the unit follows the field's data type, unless `unit` is given (a code
    such as USD, or words). `final_after_days` as for BLS.
    """

    endpoint: str
    value: str
    frequency: Frequency
    labels: tuple[str, ...] = ()
    date: str = "record_date"
    title: str | None = None
    unit: str | None = None
    final_after_days: int | None = None

    def __post_init__(self) -> None:
        not_negative(self.final_after_days)


@dataclass(frozen=True)
class WorldBankIndicator:
    """An indicator of the World Bank (NY.GDP.MKTP.CD) for some countries (USA, DEU), in a unit (a code such
    as USD, or words). Values are dated by the day of the database's last update. `final_after_days` as for
    BLS."""

    id: str
    countries: tuple[str, ...]
    unit: str
    final_after_days: int | None = None

    def __post_init__(self) -> None:
        if not self.countries:
            raise ValueError(f"{self.id}: name at least one country, such as USA")
        not_negative(self.final_after_days)


@dataclass(frozen=True)
class EcbSeries:
    """A series of the ECB Data Portal: the data flow (EXR) and the key in it (D.USD.EUR.SP00.A).

    Title and unit are the portal's, unless given here. The portal's history of values dates each of them.
    """

    flow: str
    key: str
    title: str | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        if re.search(r"[+*]|\.\.|^\.|\.$", self.key):
            raise ValueError(f"{self.key}: name one series; a key with wildcards means many")


@dataclass(frozen=True)
class FredSeries:
    """Series of FRED (UNRATE), with every vintage that ALFRED keeps.

    It needs an API key in the environment variable FRED_API_KEY. The terms of FRED restrict the use for
    training, and many series have owners of their own: unless `accept_terms` says that you have read the
    terms and may train on the series, their documents have the use "none".
    """

    series: tuple[str, ...] = ()
    accept_terms: bool = False


@dataclass(frozen=True)
class MacroSource:
    """Macroeconomic time series as dated vintages, asked of the providers whose series are named.

    `contact` is an address that the providers may write to, sent in the User-Agent. Figures from `first_year`
    to `last_year` (both included; without one, to the present) are asked for. `questions` adds questions with
    exact answers about the values of each release (the source `NAME_questions`).
    """

    name: str = "macro"
    contact: str | None = None
    first_year: int = 2000
    last_year: int | None = None
    bls: tuple[BlsSeries, ...] = ()
    treasury: tuple[TreasuryTable, ...] = ()
    world_bank: tuple[WorldBankIndicator, ...] = ()
    ecb: tuple[EcbSeries, ...] = ()
    fred: FredSeries = field(default_factory=FredSeries)
    questions: bool = False

    def __post_init__(self) -> None:
        if self.last_year is not None and self.last_year < self.first_year:
            raise ValueError(f"last_year {self.last_year} is before first_year {self.first_year}")
        if not 1700 <= self.first_year <= 2200:
            raise ValueError(f"first_year {self.first_year} is not a year of 1700 to 2200")


def not_negative(days: int | None) -> None:
    """Refuse a delay into the past.

    Raises:
        ValueError: it is negative.
    """
    if days is not None and days < 0:
        raise ValueError("final_after_days cannot be negative: no value is public before its period ends")


def in_years(settings: MacroSource, period: Period) -> bool:
    """Whether the settings ask for a period."""
    last = settings.last_year
    return settings.first_year <= period.end.year and (last is None or period.end.year <= last)
