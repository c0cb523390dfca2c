"""U.S. Bureau of Labor Statistics: the public data API.

Formats: https://www.bls.gov/developers/api_signature.htm (version 1, without a key: the last three years of a
series) and api_signature_v2.htm (version 2, with the key of a registered user: up to twenty years a request,
with the series' title and seasonal adjustment). The key is taken from the environment variable BLS_API_KEY.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Request
from mintage.corpus.document import Document
from mintage.corpus.sources.macro.answers import answers_of, each_row, exact, load_json, one_line, refusing
from mintage.corpus.sources.macro.periods import Frequency, part_of_year
from mintage.corpus.sources.macro.questions import documents
from mintage.corpus.sources.macro.series import Point, first_seen, refuse_future, retrieval
from mintage.corpus.sources.macro.settings import BlsSeries, MacroSource, in_years
from mintage.corpus.sources.macro.text import Series
from mintage.corpus.sources.report import SourceReport

API = "https://api.bls.gov/publicAPI"
PROVIDER = "U.S. Bureau of Labor Statistics"
LICENCE = "US public domain"
YEARS = 20  # the most that a request of version 2 may span
AVERAGES = {"M13", "Q05", "S03"}  # yearly averages among the months, quarters and halves of a year
CODES: dict[str, Frequency] = {"M": "monthly", "Q": "quarterly", "S": "half-yearly", "A": "annual"}
NO_VALUE = "-"


def requests(settings: MacroSource, fetch: Fetch, this_year: int) -> Iterator[Request]:
    """One request a series and twenty years, or one a series without a key."""
    key = os.environ.get("BLS_API_KEY")
    for series in settings.bls:
        note = {"provider": "bls", "series": series.id}
        if not key:
            yield Request(f"{API}/v1/timeseries/data/{series.id}", check=refusing(values_of), note=note)
            continue
        last = settings.last_year or this_year
        for year in range(settings.first_year, last + 1, YEARS):
            end = min(year + YEARS - 1, last)
            url = f"{API}/v2/timeseries/data/{series.id}?startyear={year}&endyear={end}&catalog=true"
            yield Request(url, check=refusing(values_of), note=note, parameters={"registrationkey": key})


def series_of(content: Any) -> Mapping[str, Any]:
    """The series of an answer.

    Raises:
        ValueError: the answer is an error, or has no values.
    """
    if not isinstance(content, dict) or content.get("status") != "REQUEST_SUCCEEDED":
        status = content.get("status") if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"{status}: {message_of(content)}")
    results = content.get("Results")
    if isinstance(results, list):  # as the documentation has it; the service sends an object
        results = results[0] if results else None
    series = results.get("series") if isinstance(results, dict) else None
    if not isinstance(series, list) or not series or not series[0].get("data"):
        raise ValueError(f"no values: {message_of(content)}")
    found: Mapping[str, Any] = series[0]
    if not isinstance(found.get("catalog") or {}, dict):
        raise ValueError("the catalogue is no object")
    return found


def message_of(content: Any) -> str:
    """What an answer says of itself."""
    messages = content.get("message") if isinstance(content, dict) else None
    return one_line(" ".join(map(str, messages or ["no message"])))[:300]


def read(settings: MacroSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the named series."""
    for named in settings.bls:
        answers = answers_of(raw, provider="bls", series=named.id)
        rows = list(each_row(raw, answers, values_of, partial(point_of, settings), report))
        if rows:
            series = described(named, *rows[0])
            readings = first_seen(series, [point for _, point in rows], named.final_after_days)
            yield from documents(readings, settings.name, LICENCE, "ship", settings.questions)


def values_of(body: bytes) -> tuple[Mapping[str, Any], list[Any]]:
    """The series of an answer and its entries."""
    series = series_of(load_json(body))
    return series, series["data"]


def described(named: BlsSeries, content: Mapping[str, Any], point: Point) -> Series:
    """What a series is: the settings' words, and the catalogue's for what they leave open."""
    catalogue = content.get("catalog") or {}
    adjustment = named.adjustment or one_line(str(catalogue.get("seasonality") or "")).lower() or None
    return Series("bls", named.id, PROVIDER, named.title, named.unit, point.period.frequency, adjustment)


def point_of(
    settings: MacroSource, content: object, entry: Mapping[str, Any], answer: Answer
) -> Point | None:
    """The period, value and footnotes of an entry; None for an average over the periods of a year."""
    code, year = str(entry["period"]), int(entry["year"])
    if code in AVERAGES:
        return None
    if code[:1] not in CODES:
        raise ValueError(f"the period {code!r} is not a month, quarter, half or year")
    period = part_of_year(year, int(code[1:]), CODES[code[:1]])
    if not in_years(settings, period):
        return None
    refuse_future(period, answer)
    value = None if entry["value"] == NO_VALUE else exact(entry["value"])
    notes = [one_line(note["text"]).rstrip(".").lower() for note in entry.get("footnotes") or [] if note]
    return Point(answer, period, value, "; ".join(notes), retrieval(answer))
