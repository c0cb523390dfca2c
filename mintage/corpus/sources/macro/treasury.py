"""U.S. Treasury Fiscal Data: tables by REST, without a key.

Format: https://fiscaldata.treasury.gov/api-documentation/ (data, meta with labels, data types and the number
of pages; every value is a string, a missing one the string "null").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Refused, Request
from mintage.corpus.document import Document
from mintage.corpus.sources.macro.answers import (
    answers_of,
    each_row,
    exact,
    file_name,
    load_json,
    one_line,
    refusing,
)
from mintage.corpus.sources.macro.periods import read_period, starting
from mintage.corpus.sources.macro.questions import documents
from mintage.corpus.sources.macro.series import Point, first_seen, refuse_future, retrieval
from mintage.corpus.sources.macro.settings import MacroSource, TreasuryTable, in_years
from mintage.corpus.sources.macro.text import Series
from mintage.corpus.sources.report import SourceReport

API = "https://api.fiscaldata.treasury.gov/services/api/fiscal_service"
PROVIDER = "U.S. Treasury Fiscal Data"
LICENCE = "US public domain"
ROWS = 1000  # a page; sorted by day, so that only the last ones change
NO_VALUE = "null"
UNITS = {"PERCENTAGE": "percent", "CURRENCY": "USD"}


def requests(settings: MacroSource, fetch: Fetch) -> Iterator[Request]:
    """The pages of every table; how many there are stands in the first."""
    for table in settings.treasury:
        first = page_request(settings, table, 1)
        try:
            meta = load_json(fetch(first))["meta"]
        except Refused as refusal:
            fetch.account.refuse(refusal)
            continue
        yield from (page_request(settings, table, page) for page in range(2, int(meta["total-pages"]) + 1))


def page_request(settings: MacroSource, table: TreasuryTable, page: int) -> Request:
    """The request of one page of a table."""
    filters = [f"{table.date}:gte:{settings.first_year}-01-01"]
    if settings.last_year is not None:
        filters.append(f"{table.date}:lte:{settings.last_year}-12-31")
    query = {
        "fields": ",".join((table.date, *table.labels, table.value)),
        "filter": ",".join(filters),
        "sort": ",".join((table.date, *table.labels)),
        "format": "json",
        "page[number]": page,
        "page[size]": ROWS,
    }
    url = f"{API}/{table.endpoint}?{urlencode(query, safe=',:[]')}"
    return Request(url, check=refusing(rows_of), note={"provider": "treasury", "table": identity(table)})


def identity(table: TreasuryTable) -> str:
    """A table's figures: avg_interest_rates.avg_interest_rate_amt."""
    return f"{table.endpoint.rpartition('/')[2]}.{table.value}"


def rows_of(body: bytes) -> tuple[Mapping[str, Any], list[Any]]:
    """The meta part and the rows of a page.

    Raises:
        ValueError: it is not a page with rows.
    """
    content = load_json(body)
    if not isinstance(content, dict) or not isinstance(content.get("meta"), dict):
        error = content.get("message") or content.get("error") if isinstance(content, dict) else None
        raise ValueError(f"not a page of a table: {error or 'no meta'}")
    rows, meta = content.get("data"), content["meta"]
    if not isinstance(rows, list) or not rows:
        raise ValueError("the page has no rows")
    if meta.get("count") != len(rows):
        raise ValueError(f"the page has {len(rows)} rows and says that it has {meta.get('count')}")
    if not isinstance(meta.get("labels"), dict) or not isinstance(meta.get("dataTypes"), dict):
        raise ValueError("the page does not say what its fields are")
    int(meta["total-pages"])
    return meta, rows


def read(settings: MacroSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the named tables, series by series."""
    for table in settings.treasury:
        answers = answers_of(raw, provider="treasury", table=identity(table))
        found: dict[tuple[str, ...], list[Point]] = {}
        meta: Mapping[str, Any] = {}
        for head, (labels, point) in each_row(
            raw, answers, rows_of, partial(point_of, settings, table), report
        ):
            meta = head
            points = found.setdefault(labels, [])
            if points and points[-1].answer == point.answer and points[-1].period == point.period:
                twin = " ".join((point.period.label, *labels))
                report.bad(
                    file_name(point.answer), 1, f"two rows for {twin}; name more of the table's labels"
                )
                continue
            points.append(point)
        for labels in sorted(found):
            series = described(table, meta, labels)
            readings = first_seen(series, found[labels], table.final_after_days)
            yield from documents(readings, settings.name, LICENCE, "ship", settings.questions)


def point_of(
    settings: MacroSource, table: TreasuryTable, meta: object, row: Mapping[str, Any], answer: Answer
) -> tuple[tuple[str, ...], Point] | None:
    """The labels, period and value of a row."""
    day = read_period(row[table.date])
    if day.frequency != "daily":
        raise ValueError(f"{table.date}: {row[table.date]!r} is not a day")
    period = starting(day.end, table.frequency)
    if not in_years(settings, period):
        return None
    refuse_future(day, answer)
    value = None if row[table.value] == NO_VALUE else exact(row[table.value])
    labels = tuple(one_line(row[label]) for label in table.labels)
    return labels, Point(answer, period, value, "", retrieval(answer))


def described(table: TreasuryTable, meta: Mapping[str, Any], labels: tuple[str, ...]) -> Series:
    """What a series of a table is, in the API's words where the settings have none."""
    name = table.title or meta["labels"].get(table.value, table.value)
    unit = table.unit or UNITS.get(str(meta["dataTypes"].get(table.value)), "pure")
    title = ", ".join((one_line(str(name)), *labels))
    return Series("treasury", "/".join((identity(table), *labels)), PROVIDER, title, unit, table.frequency)
