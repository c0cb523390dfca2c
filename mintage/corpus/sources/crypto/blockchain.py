"""Blockchain.com: charts of Bitcoin's chain.

Format: https://www.blockchain.com/explorer/api/charts_api (status, name, unit, period, values of x in Unix
seconds and y; `sampled=false` for every day).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Request
from mintage.corpus.document import Document
from mintage.corpus.sources.crypto.daily import daily_point
from mintage.corpus.sources.crypto.settings import CryptoSource
from mintage.corpus.sources.macro.answers import answers_of, each_row, load_json, one_line, refusing
from mintage.corpus.sources.macro.questions import documents
from mintage.corpus.sources.macro.series import Point, first_seen
from mintage.corpus.sources.macro.text import Series
from mintage.corpus.sources.report import SourceReport

API = "https://api.blockchain.info/charts"
PROVIDER = "Blockchain.com"
LICENCE = "Blockchain.com terms of service"


def requests(settings: CryptoSource) -> Iterator[Request]:
    """One request a chart."""
    for chart in settings.charts:
        url = f"{API}/{chart.name}?timespan=all&sampled=false&format=json"
        yield Request(url, check=refusing(rows_of), note={"provider": "blockchain", "chart": chart.name})


def rows_of(body: bytes) -> tuple[Mapping[str, Any], list[Any]]:
    """The head of a chart and its values.

    Raises:
        ValueError: it is not a chart with a value a day.
    """
    chart = load_json(body)
    if not isinstance(chart, dict) or chart.get("status") != "ok":
        raise ValueError(f"not a chart: {chart.get('error') if isinstance(chart, dict) else 'no object'}")
    if chart.get("period") != "day":
        raise ValueError(f"a chart with a value a {chart.get('period')}; only daily charts are supported")
    values = chart.get("values")
    if not isinstance(values, list) or not values:
        raise ValueError("the chart has no values")
    return {"name": one_line(str(chart["name"])), "unit": one_line(str(chart["unit"]))}, values


def read(settings: CryptoSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the named charts."""
    for chart in settings.charts:
        answers = answers_of(raw, provider="blockchain", chart=chart.name)
        rows = list(each_row(raw, answers, rows_of, partial(point_of, settings), report))
        if rows:
            head = rows[-1][0]
            title = f"Bitcoin chain: {head['name']}"
            series = Series("blockchain", chart.name, PROVIDER, title, head["unit"], "daily")
            readings = first_seen(series, [point for _, point in rows], chart.final_after_days)
            yield from documents(readings, settings.name, LICENCE, settings.use, settings.questions)


def point_of(settings: CryptoSource, head: object, row: Mapping[str, Any], answer: Answer) -> Point | None:
    """The value of a day."""
    return daily_point(settings, answer, row["x"], row["y"])
