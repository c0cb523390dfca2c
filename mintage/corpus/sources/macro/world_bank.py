"""World Bank: the Indicators API, version 2, without a key.

Format: https://datahelpdesk.worldbank.org/knowledgebase/articles/898581-api-basic-call-structures (an array
of a head with the number of pages and the day of the last update, and the rows; an error is an array with a
message, sent with status 200).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Refused, Request
from mintage.corpus.document import Document
from mintage.corpus.sources.macro.answers import answers_of, each_row, exact, load_json, one_line, refusing
from mintage.corpus.sources.macro.periods import read_period
from mintage.corpus.sources.macro.questions import documents
from mintage.corpus.sources.macro.series import (
    Point,
    Release,
    day_release,
    earlier,
    first_seen,
    refuse_future,
    retrieval,
)
from mintage.corpus.sources.macro.settings import MacroSource, WorldBankIndicator, in_years
from mintage.corpus.sources.macro.text import Series
from mintage.corpus.sources.report import SourceReport

API = "https://api.worldbank.org/v2"
PROVIDER = "World Bank"
LICENCE = "CC BY 4.0"
ROWS = 1000  # a page
ZONE = "America/New_York"  # the bank is in Washington


def requests(settings: MacroSource, fetch: Fetch, this_year: int) -> Iterator[Request]:
    """The pages of every indicator; how many there are stands in the first."""
    for indicator in settings.world_bank:
        try:
            head = rows_of(fetch(page_request(settings, indicator, 1, this_year)))[0]
        except Refused as refusal:
            fetch.account.refuse(refusal)
            continue
        pages = range(2, int(head["pages"]) + 1)
        yield from (page_request(settings, indicator, page, this_year) for page in pages)


def page_request(settings: MacroSource, indicator: WorldBankIndicator, page: int, this_year: int) -> Request:
    """The request of one page of an indicator."""
    countries = ";".join(indicator.countries)
    years = f"{settings.first_year}:{settings.last_year or this_year}"
    query = f"format=json&date={years}&per_page={ROWS}&page={page}"
    url = f"{API}/country/{countries}/indicator/{indicator.id}?{query}"
    return Request(url, check=refusing(rows_of), note={"provider": "world_bank", "indicator": indicator.id})


def rows_of(body: bytes) -> tuple[Mapping[str, Any], list[Any]]:
    """The head and the rows of a page.

    Raises:
        ValueError: it is not a page with rows.
    """
    content = load_json(body)
    head = content[0] if isinstance(content, list) and content else None
    if not isinstance(head, dict):
        raise ValueError("not an array that begins with a head")
    if "message" in head:
        messages = [f"{message.get('key')}: {message.get('value')}" for message in head["message"]]
        raise ValueError("; ".join(messages))
    rows = content[1] if len(content) > 1 else None
    if not isinstance(rows, list) or not rows:
        raise ValueError("the page has no values")
    int(head["pages"])
    return head, rows


def read(settings: MacroSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the named indicators, country by country."""
    for indicator in settings.world_bank:
        answers = answers_of(raw, provider="world_bank", indicator=indicator.id)
        found: dict[str, list[Point]] = {}
        titles: dict[str, str] = {}
        for _, (country, title, point) in each_row(
            raw, answers, rows_of, partial(point_of, settings, indicator), report
        ):
            titles[country] = title
            found.setdefault(country, []).append(point)
        for country in sorted(found):
            frequency = found[country][0].period.frequency
            series = Series(
                "world_bank",
                f"{indicator.id}/{country}",
                PROVIDER,
                titles[country],
                indicator.unit,
                frequency,
            )
            readings = first_seen(series, found[country], indicator.final_after_days)
            yield from documents(readings, settings.name, LICENCE, "ship", settings.questions)


def point_of(
    settings: MacroSource,
    indicator: WorldBankIndicator,
    head: Mapping[str, Any],
    row: Mapping[str, Any],
    answer: Answer,
) -> tuple[str, str, Point] | None:
    """The country's code, the title, and the value of a row."""
    country = row.get("countryiso3code") or row["country"]["id"]
    if row["indicator"]["id"] != indicator.id or country not in indicator.countries:
        raise ValueError(f"a row of {row['indicator']['id']} for {country}, which was not asked for")
    period = read_period(row["date"])
    if not in_years(settings, period):
        return None
    refuse_future(period, answer)
    value = None if row["value"] is None else exact(row["value"])
    title = one_line(f"{row['indicator']['value']}, {row['country']['value']}")
    return country, title, Point(answer, period, value, "", updated(head, answer))


def updated(head: Mapping[str, Any], answer: Answer) -> Release:
    """When the values of an answer were public at the latest: on the day of the database's last update, which
    the head gives, or when they were retrieved."""
    bound = retrieval(answer)
    if head.get("lastupdated") is None:
        return bound
    return earlier(bound, day_release(date.fromisoformat(head["lastupdated"]), ZONE, "bound"))
