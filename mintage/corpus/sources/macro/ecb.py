"""European Central Bank: the data portal's SDMX service, as CSV with the history of every value.

Format: https://data.ecb.europa.eu/help/api/data (`includeHistory=true` adds the columns ACTION, VALID_FROM
and VALID_TO: a line for every value that an observation ever had in the portal).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Request
from mintage.corpus.document import Document
from mintage.corpus.extract.figures import unit_words
from mintage.corpus.sources.macro.answers import answers_of, each_row, exact, one_line, refusing
from mintage.corpus.sources.macro.periods import read_period
from mintage.corpus.sources.macro.questions import documents
from mintage.corpus.sources.macro.series import (
    Reading,
    day_release,
    earlier,
    refuse_future,
    retrieval,
)
from mintage.corpus.sources.macro.settings import EcbSeries, MacroSource, in_years
from mintage.corpus.sources.macro.text import Series
from mintage.corpus.sources.report import SourceReport

API = "https://data-api.ecb.europa.eu/service/data"
PROVIDER = "European Central Bank"
LICENCE = "ECB: free reuse with the source named"
ZONE = "Europe/Berlin"  # the bank is in Frankfurt
COLUMNS = {"KEY", "TIME_PERIOD", "OBS_VALUE"}

# https://data.ecb.europa.eu/help: code lists CL_UNIT, CL_UNIT_MULT, CL_OBS_STATUS and CL_ADJUSTMENT; the
# codes that occur in the bank's own series. A code that is not here is written as it is.
UNITS = {
    "PC": "percent",
    "PCPA": "percent per annum",
    "PCCH": "percent change",
    "PURE_NUMB": "pure",
    "PERS": "persons",
}
MULTIPLES = {"3": "thousand", "6": "million", "9": "billion", "12": "trillion"}
STATUSES = {"E": "estimated", "P": "provisional", "B": "break in the series"}
ADJUSTMENTS = {
    "N": "not adjusted for season or working days",
    "S": "seasonally adjusted, not adjusted for working days",
    "W": "adjusted for working days, not seasonally",
    "Y": "adjusted for season and working days",
}


def requests(settings: MacroSource, fetch: Fetch) -> Iterator[Request]:
    """One request a series."""
    for series in settings.ecb:
        years = f"startPeriod={settings.first_year}"
        if settings.last_year is not None:
            years += f"&endPeriod={settings.last_year}"
        url = f"{API}/{series.flow}/{series.key}?{years}&includeHistory=true&format=csvdata"
        yield Request(
            url, check=refusing(rows_of), note={"provider": "ecb", "series": f"{series.flow}.{series.key}"}
        )


def rows_of(body: bytes) -> tuple[None, list[dict[str, str]]]:
    """The rows of an answer.

    Raises:
        ValueError: it is not a whole table of observations with a row.
    """
    if not body.endswith(b"\n"):
        raise ValueError("the table is cut off: its last line has no end")
    reader = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
    try:
        rows: list[dict[str, str]] = list(reader)
    except csv.Error as error:
        raise ValueError(f"not a table: {error}") from None
    missing = COLUMNS - set(reader.fieldnames or ())
    if missing:
        raise ValueError(f"not a table of observations: no column {', '.join(sorted(missing))}")
    if not rows:
        raise ValueError("the table has no observations")
    return None, rows


def read(settings: MacroSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the named series."""
    for named in settings.ecb:
        answers = answers_of(raw, provider="ecb", series=f"{named.flow}.{named.key}")
        rows = each_row(raw, answers, rows_of, partial(reading_of, settings, named), report)
        yield from documents(
            (reading for _, reading in rows), settings.name, LICENCE, "local", settings.questions
        )


def reading_of(
    settings: MacroSource, named: EcbSeries, content: None, row: Mapping[str, Any], answer: Answer
) -> Reading | None:
    """A value and the day from which the portal had it (a row with the action Delete has none from that day
    on); None for what ended on a day and began on none."""
    if None in row or None in row.values():
        raise ValueError("the row has more or fewer cells than the head")
    if row["KEY"] != f"{named.flow}.{named.key}":
        raise ValueError(f"a row of {row['KEY']!r}, which was not asked for")
    period = read_period(row["TIME_PERIOD"])
    since, until = row.get("VALID_FROM", ""), row.get("VALID_TO", "")
    if (until and not since) or not in_years(settings, period):
        return None
    refuse_future(period, answer)
    release = retrieval(answer)
    if since:
        day = datetime.fromisoformat(since).astimezone(ZoneInfo(ZONE)).date()
        release = earlier(release, day_release(day, ZONE, "bound"))
    value = None if row["OBS_VALUE"] in ("", "NaN") else exact(row["OBS_VALUE"])
    series = Series(
        scheme="ecb",
        id=row["KEY"],
        provider=PROVIDER,
        title=named.title or one_line(row.get("TITLE_COMPL") or row.get("TITLE") or row["KEY"]),
        unit=named.unit or unit_of_row(row),
        frequency=period.frequency,
        adjustment=ADJUSTMENTS.get(row.get("ADJUSTMENT", "")),
    )
    return Reading(series, period, value, STATUSES.get(row.get("OBS_STATUS", ""), ""), release, answer)


def unit_of_row(row: Mapping[str, Any]) -> str:
    """The unit of a row: a code of `figures.UNITS` where its figures stand for themselves, or words."""
    code = row.get("UNIT") or "PURE_NUMB"
    unit = UNITS.get(code, code)
    multiple = MULTIPLES.get(row.get("UNIT_MULT", ""))
    if multiple is None:
        return unit
    return multiple if unit == "pure" else f"{multiple} {unit_words(unit)}"
