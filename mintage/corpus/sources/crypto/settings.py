"""Settings of the crypto source."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from mintage.corpus.sources.macro.periods import Period
from mintage.corpus.sources.macro.settings import not_negative

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
PAIR = re.compile(r"[A-Z0-9]{1,15}/[A-Z0-9]{1,15}")


@dataclass(frozen=True)
class OnChainChart:
    """A chart of blockchain.info: the last part of its address (n-transactions).

    Its values are dated by their retrieval, unless `final_after_days` says how many days after its day a
    value was public and is never revised (1 for what is counted in the blocks themselves; give none for
    estimates).
    """

    name: str
    final_after_days: int | None = None

    def __post_init__(self) -> None:
        not_negative(self.final_after_days)


@dataclass(frozen=True)
class CoinGecko:
    """Daily prices, market values and volumes of the last year, by CoinGecko's names (bitcoin) in a
    `currency`.

    CoinGecko's terms restrict what its data may be used for: nothing is asked of it, and what was stored
    before has the use "none", unless `accept_terms` says that you have read them and may train on the data. A
    key in the environment variable COINGECKO_API_KEY is sent along.
    """

    coins: tuple[str, ...] = ()
    currency: str = "usd"
    accept_terms: bool = False


@dataclass(frozen=True)
class CryptoSource:
    """Markets, chains and protocols of crypto-currencies, from `first_month` to `last_month` (2024-03; both
    included; without one, to the present).

    `pairs` of Binance's spot market (BTC/USDT), month by month from bars of `interval`; `charts` of
    blockchain.info about Bitcoin's chain; `protocols` by DefiLlama's name (aave-v3); `coingecko`. `contact`
    is an address that the hosts may write to, sent in the User-Agent. The hosts publish terms of use and no
    licences, so `use` is yours to decide after reading them. `questions` adds questions with exact answers
    about closes and daily values (the source `NAME_questions`).
    """

    name: str = "crypto"
    contact: str | None = None
    first_month: str = "2020-01"
    last_month: str | None = None
    pairs: tuple[str, ...] = ()
    interval: Literal["1h", "4h", "1d"] = "1d"
    charts: tuple[OnChainChart, ...] = ()
    protocols: tuple[str, ...] = ()
    coingecko: CoinGecko = field(default_factory=CoinGecko)
    use: Literal["ship", "local", "evaluate", "none"] = "local"
    questions: bool = False

    def __post_init__(self) -> None:
        for month in (self.first_month, self.last_month or self.first_month):
            if MONTH.fullmatch(month) is None:
                raise ValueError(f"{month!r} is not a month such as 2024-03")
        if self.last_month is not None and self.last_month < self.first_month:
            raise ValueError(f"last_month {self.last_month} is before first_month {self.first_month}")
        for pair in self.pairs:
            if PAIR.fullmatch(pair) is None:
                raise ValueError(f"{pair!r} is not a pair such as BTC/USDT")


def months(settings: CryptoSource, today: date) -> list[str]:
    """The months that the settings ask for, up to the running one."""
    year, month = map(int, settings.first_month.split("-"))
    last = min(settings.last_month or f"{today:%Y-%m}", f"{today:%Y-%m}")
    found = []
    while (name := f"{year:04d}-{month:02d}") <= last:
        found.append(name)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found


def in_months(settings: CryptoSource, period: Period) -> bool:
    """Whether the settings ask for a day."""
    month = f"{period.end:%Y-%m}"
    return settings.first_month <= month and (settings.last_month is None or month <= settings.last_month)
