"""EDGAR's addresses and indexes: tickers, the filings of a company, the filings of a period."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from mintage.corpus.document import DatePrecision
from mintage.corpus.sources.edgar.times import accepted_at, became_public, clock_of, day_of

ARCHIVES = "https://www.sec.gov/Archives/edgar"
DATA = "https://data.sec.gov"
TICKERS = "https://www.sec.gov/files/company_tickers.json"

SUBMISSIONS = re.compile(rf"{DATA}/submissions/CIK(\d{{10}})(?:-submissions-\d{{3}})?\.json")
ACCESSION = re.compile(r"\d{10}-\d\d-\d{6}")
COMPANYFACTS = re.compile(rf"{DATA}/api/xbrl/companyfacts/CIK(\d{{10}})\.json")
Bad = Callable[[str], None]
"""What is told why a row of an index was left out."""

FILING = re.compile(rf"{ARCHIVES}/data/(\d+)/\d{{18}}/(\d{{10}}-\d\d-\d{{6}})\.txt")


@dataclass(frozen=True)
class Listed:
    """A filing as an index names it. `accepted` is as a submissions JSON writes it ("" elsewhere); what it
    means, `times` tells."""

    cik: str
    accession: str
    form: str
    filed: date
    accepted: str = ""


def submissions_url(cik: str) -> str:
    """Where the filings of a company (a CIK of ten digits) are listed."""
    return f"{DATA}/submissions/CIK{cik}.json"


def companyfacts_url(cik: str) -> str:
    """Where the figures of a company are."""
    return f"{DATA}/api/xbrl/companyfacts/CIK{cik}.json"


def filing_url(cik: str, accession: str) -> str:
    """Where a filing's whole submission is."""
    return f"{ARCHIVES}/data/{int(cik)}/{accession.replace('-', '')}/{accession}.txt"


def load_json(body: bytes) -> Any:
    """The JSON object of an answer.

    Raises:
        ValueError: it is something else, such as an error page, or was cut off.
    """
    if not body.lstrip().startswith(b"{"):
        raise ValueError(f"{page_title(body)} in place of JSON")
    try:
        return json.loads(body)
    except ValueError as error:
        raise ValueError(f"broken JSON: {error}") from None


def reading(*readers: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """The check of a request whose answer the readers must be able to read: what the host sends with status
    200 may be an error in JSON."""

    def check(body: bytes) -> None:
        try:
            for read in readers:
                read(body)
        except (KeyError, TypeError, AttributeError) as error:
            words = body[:80].decode("utf-8", errors="replace")
            raise ValueError(f"JSON of another shape ({type(error).__name__}: {error}): {words}") from None

    return check


def is_master_index(body: bytes) -> None:
    """Check that an answer is a whole index by CIK.

    Raises:
        ValueError: it is something else, or was cut off.
    """
    if b"CIK|Company Name|Form Type|Date Filed|" not in body[:5_000]:
        raise ValueError(f"{page_title(body)} in place of an index")
    if not body.endswith(b"\n"):
        raise ValueError("an index cut off in the middle of a line")


def page_title(body: bytes) -> str:
    """What a page calls itself: its title, or its first words."""
    found = re.search(rb"<title>\s*(.*?)\s*</title>", body, re.IGNORECASE | re.DOTALL)
    words = found[1] if found else body[:60]
    return f"a page {words.decode('utf-8', errors='replace')!r}"


def read_tickers(body: bytes) -> dict[str, tuple[str, str]]:
    """CIK of ten digits and name by ticker, from company_tickers.json."""
    return {
        row["ticker"].upper(): (f"{int(row['cik_str']):010d}", row["title"].strip())
        for row in load_json(body).values()
    }


def read_submissions(body: bytes, cik: str, bad: Bad = lambda reason: None) -> list[Listed]:
    """The filings of a submissions JSON, or of one of its continuation files. `bad` is told of each with an
    impossible date, which is left out.

    Raises:
        ValueError, KeyError, TypeError: the answer has another shape.
    """
    answer = load_json(body)
    columns = answer["filings"]["recent"] if "filings" in answer else answer
    rows = zip(
        columns["accessionNumber"],
        columns["form"],
        columns["filingDate"],
        columns["acceptanceDateTime"],
        strict=True,
    )
    found = []
    for accession, form, filed, accepted in rows:
        try:
            found.append(listed(cik, accession, form, filed, accepted or ""))
        except (ValueError, TypeError, AttributeError) as error:
            bad(f"{accession}, filed {filed}, accepted {accepted}: {error}")
    return found


def listed(cik: str, accession: str, form: str, filed: str, accepted: str) -> Listed:
    """A row of a submissions JSON.

    Raises:
        ValueError, TypeError, AttributeError: it is not one, or has an impossible date.
    """
    if ACCESSION.fullmatch(accession) is None:
        raise ValueError("not an accession number")
    if accepted:
        datetime.fromisoformat(accepted)
    return Listed(cik, accession, form.strip(), day_of(filed), accepted)


def continuations(body: bytes, since: date | None, until: date | None) -> list[str]:
    """Addresses of the continuation files of a submissions JSON that reach into a period."""
    return [
        f"{DATA}/submissions/{file['name']}"
        for file in load_json(body)["filings"]["files"]
        if (since is None or day_of(file["filingTo"]) >= since)
        and (until is None or day_of(file["filingFrom"]) <= until)
    ]


def tickers_of(body: bytes) -> list[str]:
    """The tickers of the company of a submissions JSON."""
    return [ticker.strip() for ticker in load_json(body).get("tickers", [])]


def figures_of(body: bytes) -> dict[str, Any]:
    """The figures of an answer of companyfacts, by taxonomy."""
    figures: dict[str, Any] = load_json(body)["facts"]
    return dict(figures)


def former_names(body: bytes) -> list[tuple[str, date, date]]:
    """The names that the company of a submissions JSON had before, each with its first and its last day."""
    former = load_json(body).get("formerNames", [])
    return [
        (one["name"].strip(), day_of(one["from"][:10]) if one["from"] else date.min, day_of(one["to"][:10]))
        for one in former
        if one["to"]
    ]


def acceptances(listed: list[Listed]) -> dict[str, tuple[datetime, DatePrecision]]:
    """When each filing of one filer became public (UTC) and how well that is known, by accession number;
    without those of which only the day is known."""
    clock = clock_of((one.form, one.accepted) for one in listed)
    accepted = {one: accepted_at(one.accepted, clock) for one in listed}
    return {one.accession: became_public(at, one.filed) for one, at in accepted.items() if at is not None}


def read_master_index(body: bytes, bad: Bad = lambda reason: None) -> Iterator[Listed]:
    """The filings of a daily or quarterly index by CIK (`master.idx`: fields between bars, which no company
    name can shift as in the columns of `form.idx`). `bad` is told of each with an impossible date."""
    for line in body.decode("latin-1").splitlines():
        fields = line.split("|")
        accession = re.search(r"(\d{10}-\d\d-\d{6})\.txt$", fields[-1])
        if len(fields) == 5 and accession:
            try:
                yield Listed(fields[0].zfill(10), accession[1], fields[2], day_of(fields[3]))
            except ValueError as error:
                bad(f"{accession[1]}: {error}")


def index_urls(since: date, until: date) -> list[tuple[date, str]]:
    """The quarterly indexes of a period, each with its quarter's first day."""
    quarters = []
    year, quarter = since.year, (since.month + 2) // 3
    while (first := date(year, quarter * 3 - 2, 1)) <= until:
        quarters.append((first, f"{ARCHIVES}/full-index/{year}/QTR{quarter}/master.idx"))
        year, quarter = (year + 1, 1) if quarter == 4 else (year, quarter + 1)
    return quarters


def daily_folder(first: date) -> str:
    """Where the daily indexes of the quarter that begins on a day are."""
    return f"{ARCHIVES}/daily-index/{first.year}/QTR{(first.month + 2) // 3}/"


def daily_names(body: bytes, since: date, until: date) -> list[str]:
    """The names of the daily indexes of a period among those in a folder's index.json."""
    names = []
    for item in load_json(body)["directory"]["item"]:
        found = re.fullmatch(r"master\.(\d{8})\.idx", item["name"])
        if found and since <= day_of(found[1]) <= until:
            names.append(item["name"])
    return sorted(names)


def last_day(first: date) -> date:
    """The last day of the quarter that begins on a day."""
    year, month = (first.year + 1, 1) if first.month == 10 else (first.year, first.month + 3)
    return date(year, month, 1) - timedelta(days=1)


def business_days(since: date, until: date) -> int:
    """How many Mondays to Fridays a period has, both ends included."""
    days = (since + timedelta(days=number) for number in range((until - since).days + 1))
    return sum(day.weekday() < 5 for day in days)


is_tickers = reading(read_tickers)
is_continuation = reading(lambda body: read_submissions(body, ""))
is_submissions = reading(
    lambda body: read_submissions(body, ""),
    lambda body: continuations(body, None, None),
    tickers_of,
    former_names,
)
is_daily_listing = reading(lambda body: daily_names(body, date.min, date.max))
is_companyfacts = reading(figures_of)
"""The checks of the answers in JSON: each is read as it will be read later."""
