"""FRED and ALFRED of the Federal Reserve Bank of St. Louis: every vintage of a series.

Formats: https://fred.stlouisfed.org/docs/api/fred/series_observations.html, series.html,
series_vintagedates.html. With `output_type` 1 a line holds a value and the real-time period (`realtime_start`
to `realtime_end`) in which it was the known one. A parameter `vintage_date` is ignored without a word;
`realtime_start` and `realtime_end` bound the vintages. A request may span 2,000 vintage dates at most, so
long histories are asked for in windows; within one, `realtime_start` is cut at the window's start, which the
pages' states absorb: the value is the same.

The key is taken from the environment variable FRED_API_KEY and sent as a parameter that is not stored.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Refused, Request
from mintage.corpus.document import Document, Use
from mintage.corpus.sources.macro.answers import (
    MALFORMED,
    answers_of,
    each_row,
    exact,
    file_name,
    load_json,
    one_line,
    reason,
    refusing,
)
from mintage.corpus.sources.macro.periods import Frequency, starting
from mintage.corpus.sources.macro.questions import documents
from mintage.corpus.sources.macro.series import Reading, day_release, refuse_future
from mintage.corpus.sources.macro.settings import MacroSource, in_years
from mintage.corpus.sources.macro.text import Series
from mintage.corpus.sources.report import SourceReport

API = "https://api.stlouisfed.org/fred"
PROVIDER = "Federal Reserve Bank of St. Louis (ALFRED)"
LICENCE = "FRED terms of use; series may have owners of their own"
ZONE = "America/Chicago"  # the bank is in St. Louis
FIRST_DAY, LAST_DAY = "1776-07-04", "9999-12-31"  # all real-time periods lie between them
VINTAGES = 1500  # a window; 2,000 is the most
ROWS, DATES = 100_000, 10_000  # the most of a page of observations, of vintage dates
NO_VALUE = "."
FREQUENCIES: dict[str, Frequency] = {
    "D": "daily",
    "W": "weekly",
    "M": "monthly",
    "Q": "quarterly",
    "SA": "half-yearly",
    "A": "annual",
}


def requests(settings: MacroSource, fetch: Fetch) -> Iterator[Request]:
    """The observations of every series. All of it is fetched here: a page must be had to know of the next."""
    key = os.environ.get("FRED_API_KEY")
    for name in settings.fred.series:
        try:
            if not key:
                raise Refused(
                    f"{API}/series?series_id={name}",
                    "FRED needs an API key; get one at fredaccount.stlouisfed.org/apikeys and set the "
                    "environment variable FRED_API_KEY",
                )
            collect_series(settings, fetch, name, {"api_key": key})
        except Refused as refusal:
            fetch.account.refuse(refusal)
    yield from ()


def collect_series(settings: MacroSource, fetch: Fetch, name: str, parameters: Mapping[str, str]) -> None:
    """Fetch what a series is, its vintage dates, and its observations window by window.

    Raises:
        Refused: one of them cannot be had.
    """

    def ask(path: str, kind: str, query: str = "", start: str = FIRST_DAY, end: str = LAST_DAY) -> Any:
        url = f"{API}/{path}?series_id={name}&file_type=json&realtime_start={start}&realtime_end={end}{query}"
        note = {"provider": "fred", "series": name, "kind": kind}
        immutable = kind == "observations" and end != LAST_DAY  # a stretch of the past
        request = Request(
            url,
            immutable=immutable,
            check=refusing(partial(content_of, kind)),
            note=note,
            parameters=parameters,
        )
        return content_of(kind, fetch(request))

    ask("series", "seriess")
    days: list[str] = []
    while True:
        page = ask("series/vintagedates", "vintage_dates", f"&limit={DATES}&offset={len(days)}")
        days += page["vintage_dates"]
        if len(days) >= page["count"]:
            break
    years = f"&observation_start={settings.first_year}-01-01"
    if settings.last_year is not None:
        years += f"&observation_end={settings.last_year}-12-31"
    for start, end in windows(days):
        offset, count = 0, 1
        while offset < count:
            query = f"{years}&output_type=1&limit={ROWS}&offset={offset}"
            page = ask("series/observations", "observations", query, start, end)
            offset, count = offset + len(page["observations"]), page["count"]


def windows(days: list[str]) -> Iterator[tuple[str, str]]:
    """Real-time periods that together cover all time, with `VINTAGES` of the vintage dates in each."""
    starts = [FIRST_DAY, *days[VINTAGES::VINTAGES]]
    for start, following in zip(starts, [*starts[1:], None]):
        yield (
            start,
            LAST_DAY
            if following is None
            else (date.fromisoformat(following) - timedelta(days=1)).isoformat(),
        )


def content_of(kind: str, body: bytes) -> Mapping[str, Any]:
    """An answer that must have a list of a name with something in it.

    Raises:
        ValueError: it is another.
    """
    content = load_json(body)
    if not isinstance(content, dict) or "error_message" in content:
        raise ValueError(str(content.get("error_message") if isinstance(content, dict) else "no object"))
    if not isinstance(content.get(kind), list) or not content[kind]:
        raise ValueError(f"no {kind}")
    if kind != "seriess" and not isinstance(content.get("count"), int):
        raise ValueError("no count")
    if kind == "vintage_dates":
        for day in content[kind]:
            date.fromisoformat(day)
    return content


def read(settings: MacroSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the named series."""
    use: Use = "local" if settings.fred.accept_terms else "none"
    for name in settings.fred.series:
        described = descriptions(raw, name, report)
        if not described:
            continue
        answers = answers_of(raw, provider="fred", series=name, kind="observations")
        rows = each_row(raw, answers, rows_of, partial(reading_of, settings, described), report)
        yield from documents(
            (reading for _, reading in rows), settings.name, LICENCE, use, settings.questions
        )


def descriptions(raw: RawStore, name: str, report: SourceReport) -> list[tuple[date, Series]]:
    """What a series was called and in which unit, each from a day on, newest first.

    The first stretch is taken to reach back to the beginning.
    """
    found: list[tuple[date, Series]] = []
    for answer in answers_of(raw, provider="fred", series=name, kind="seriess"):
        try:
            found = [
                (date.fromisoformat(entry["realtime_start"]), series_of(entry))
                for entry in load_json(raw.body(answer))["seriess"]
            ]
        except MALFORMED as error:
            report.bad(file_name(answer), 1, reason(error))
    return sorted(found, key=lambda entry: entry[0], reverse=True)


def series_of(entry: Mapping[str, Any]) -> Series:
    """What a series is, by an entry of the API.

    Raises:
        ValueError, KeyError: its frequency is none that has periods of one length, or something is missing.
    """
    if entry["frequency_short"] not in FREQUENCIES:
        raise ValueError(f"the frequency {entry['frequency']!r} is not supported")
    return Series(
        scheme="fred",
        id=entry["id"],
        provider=PROVIDER,
        title=one_line(entry["title"]),
        unit="percent" if entry["units"] == "Percent" else one_line(entry["units"]),
        frequency=FREQUENCIES[entry["frequency_short"]],
        adjustment=one_line(entry["seasonal_adjustment"]).lower(),
    )


def rows_of(body: bytes) -> tuple[None, list[Any]]:
    """The rows of an answer."""
    return None, content_of("observations", body)["observations"]


def reading_of(
    settings: MacroSource,
    described: list[tuple[date, Series]],
    content: None,
    row: Mapping[str, Any],
    answer: Answer,
) -> Reading | None:
    """A value, and the first day on which it was the known one."""
    day = date.fromisoformat(row["realtime_start"])
    series = next((series for start, series in described if start <= day), described[-1][1])
    period = starting(date.fromisoformat(row["date"]), series.frequency)
    if not in_years(settings, period):
        return None
    if day > answer.moment.date():
        raise ValueError(f"{period.label}: a vintage of {day.isoformat()}, after the retrieval")
    if period.start > day:
        raise ValueError(f"{period.label}: a projection of {day.isoformat()}, not a figure")
    refuse_future(period, answer)
    value = None if row["value"] == NO_VALUE else exact(row["value"])
    return Reading(series, period, value, "", day_release(day, ZONE), answer)
