"""CoinGecko: daily prices, market values and volumes of a year, where the user accepts its terms.

Format: https://docs.coingecko.com/v3.0.1/reference/coins-id-market-chart (three lists of [Unix milliseconds,
value]; the last value is that of the running day). The key, which is optional, goes into a header.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Refused, Request
from mintage.corpus.document import Document, Use
from mintage.corpus.sources.crypto.daily import daily_point
from mintage.corpus.sources.crypto.settings import CryptoSource
from mintage.corpus.sources.macro.answers import answers_of, each_row, exact, load_json, refusing
from mintage.corpus.sources.macro.questions import documents
from mintage.corpus.sources.macro.series import Point, first_seen
from mintage.corpus.sources.macro.text import Series
from mintage.corpus.sources.report import SourceReport

API = "https://api.coingecko.com/api/v3"
PROVIDER = "CoinGecko"
LICENCE = "CoinGecko API terms of service"
LISTS = {"prices": "Price", "market_caps": "Market value", "total_volumes": "Trading volume of a day"}


def requests(settings: CryptoSource, fetch: Fetch) -> Iterator[Request]:
    """One request a coin, if the terms are accepted."""
    key = os.environ.get("COINGECKO_API_KEY")
    for coin in settings.coingecko.coins:
        currency = settings.coingecko.currency
        url = f"{API}/coins/{coin}/market_chart?vs_currency={currency}&days=365&interval=daily"
        if not settings.coingecko.accept_terms:
            terms = "not asked: read CoinGecko's terms and set accept_terms to true if they allow what you do"
            fetch.account.refuse(Refused(url, terms))
            continue
        note = {"provider": "coingecko", "coin": coin, "currency": currency}
        yield Request(
            url, check=refusing(rows_of), note=note, headers={"x-cg-demo-api-key": key} if key else {}
        )


def rows_of(body: bytes) -> tuple[None, list[tuple[str, Any]]]:
    """The values of the three lists, each with its list's name.

    Raises:
        ValueError: it is not a chart with values.
    """
    chart = load_json(body)
    if not isinstance(chart, dict) or not isinstance(chart.get("prices"), list) or not chart["prices"]:
        status = chart.get("status") or chart.get("error") if isinstance(chart, dict) else None
        raise ValueError(f"not a chart with prices: {status or 'none in the answer'}")
    return None, [(name, row) for name in LISTS for row in chart.get(name) or []]


def read(settings: CryptoSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the named coins."""
    use: Use = settings.use if settings.coingecko.accept_terms else "none"
    currency = settings.coingecko.currency
    for coin in settings.coingecko.coins:
        answers = answers_of(raw, provider="coingecko", coin=coin, currency=currency)
        rows = [row for _, row in each_row(raw, answers, rows_of, partial(point_of, settings), report)]
        for name, words in LISTS.items():
            title = f"{words} of {coin} in {currency.upper()}"
            series = Series("coingecko", f"{coin}/{name}", PROVIDER, title, currency.upper(), "daily")
            points = [point for of, point in rows if of == name]
            yield from documents(
                first_seen(series, points, None), settings.name, LICENCE, use, settings.questions
            )


def point_of(
    settings: CryptoSource, content: object, row: tuple[str, Any], answer: Answer
) -> tuple[str, Point] | None:
    """A value and the list that it is in."""
    name, (milliseconds, value) = row
    seconds, rest = divmod(exact(milliseconds), 1000)
    point = None if rest else daily_point(settings, answer, seconds, value)
    return None if point is None else (name, point)
