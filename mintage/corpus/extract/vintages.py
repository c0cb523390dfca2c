"""A company's facts as they became known: who filed which value of what, when, and what stood at any moment.

The unit of truth is a value of an item (taxonomy, tag, unit, period) in a filing (accession). A later filing
may state another value of the same item; none is ever lost, and as of a moment the value is the one filed
last before or on it. Format: https://www.sec.gov/search-filings/edgar-application-programming-interfaces
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from mintage.corpus.document import DatePrecision, Use
from mintage.corpus.extract.topics import label_of
from mintage.corpus.sources.dates import END_OF_DAY, in_utc
from mintage.corpus.sources.report import SourceReport

EASTERN = ZoneInfo("America/New_York")
ACCESSION = re.compile(r"\d{10}-\d\d-\d{6}")

Release = tuple[datetime, DatePrecision]
"""The moment (UTC) from which a filing was public, and its precision."""


class Item(NamedTuple):
    """What a fact measures. `start` is None for an instant."""

    taxonomy: str
    tag: str
    unit: str
    start: date | None
    end: date


@dataclass(frozen=True, slots=True)
class Filing:
    """A filing: its form, the day in its header, the moment (UTC) from which it was public, and how well
    that is known: by its acceptance, or only as a bound, the end of that day in New York."""

    accession: str
    form: str
    filed: date
    available_at: datetime
    precision: DatePrecision


@dataclass(frozen=True, slots=True)
class Fact:
    """A value of an item as one filing states it."""

    item: Item
    value: Decimal
    filing: Filing


class FormerName(NamedTuple):
    """A name that a company gave up, with the first and the last day of its use."""

    name: str
    since: date
    until: date


@dataclass(frozen=True)
class Answer:
    """An answer of companyfacts, and what is known beside it.

    `acceptance`: the moment from which a filing was public and its precision, by accession; where it is not
    known the END of
    the day in its header in New York is the bound. `former_names`: the names that the company gave up, since
    the answer has only the one it bears now. `tickers`: those of its shares. `latest`: the last
    day on which a filing can have been made, by the day of the retrieval.
    """

    body: bytes
    url: str
    raw_sha256: str
    licence: str
    use: Use
    acceptance: Mapping[str, Release] = field(default_factory=dict)
    former_names: Sequence[FormerName] = ()
    tickers: Sequence[str] = ()
    latest: date = date.max

    @property
    def file(self) -> str:
        """The name under which it is stored and reported."""
        return self.url.rsplit("/", 1)[-1]

    def entities(self, company: Company, filing: Filing) -> list[tuple[str, str]]:
        """What a document about one of the company's filings is about."""
        tickers = [("ticker", ticker) for ticker in self.tickers]
        return [("cik", company.cik), *tickers, ("accession", filing.accession), ("form", filing.form)]


@dataclass(frozen=True)
class Company:
    """A company's facts in the order in which they became public, and the labels of its tags."""

    cik: str
    name: str
    labels: Mapping[tuple[str, str], str]
    facts: Sequence[Fact]

    def filings(self) -> list[tuple[Filing, list[Fact]]]:
        """The filings in the order in which they became public, with their facts."""
        return [(filing, list(facts)) for filing, facts in groupby(self.facts, lambda fact: fact.filing)]


def read_company(
    body: bytes,
    acceptance: Mapping[str, Release],
    report: SourceReport,
    file: str,
    latest: date = date.max,
) -> Company | None:
    """Read an answer of companyfacts; None where it is none.

    `acceptance` is that of `Answer`; `report` counts what cannot be read, with the number of the
    fact in the answer: a date that is none or after `latest`, a period that ends before it starts or after it
    was filed, a value that is no number, a second value of the same item in one filing.
    """
    try:
        answer = json.loads(body, parse_float=Decimal, parse_constant=str)
        cik, name = f"{int(answer['cik']):010d}", " ".join(answer["entityName"].split())
        stated = list(entries(answer["facts"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        report.bad(file, 0, f"not an answer of companyfacts: {type(error).__name__}: {error}")
        return None
    labels: dict[tuple[str, str], str] = {}
    filings: dict[str, Filing] = {}
    facts: dict[tuple[Item, str], Fact] = {}
    for serial, (taxonomy, tag, label, unit, one) in enumerate(stated, 1):
        labels[taxonomy, tag] = label_of(tag, label)
        try:
            fact = read_fact(taxonomy, tag, unit, one, acceptance, filings, latest)
            known = facts.setdefault((fact.item, fact.filing.accession), fact)
            if known.value != fact.value:
                raise ValueError(f"{one['accn']} already states {known.value} of the same")
        except KeyError as error:
            report.bad(file, serial, f"{tag}: there is no {error}")
        except (ValueError, TypeError, AttributeError) as error:
            report.bad(file, serial, f"{tag}: {error}")
    return Company(cik, name, labels, sorted(facts.values(), key=order))


def entries(facts: dict[str, Any]) -> Iterator[tuple[str, str, str, str, dict[str, Any]]]:
    """The entries of an answer's facts: taxonomy, tag, label, unit, entry."""
    for taxonomy, tags in facts.items():
        for tag, about in tags.items():
            for unit, stated in about["units"].items():
                for one in stated:
                    yield taxonomy, tag, (about.get("label") or "").strip(), unit, one


def order(fact: Fact) -> tuple[datetime, str, str, str, str, date, date]:
    """The order in which facts became public; in one filing by tag and period."""
    item = fact.item
    start = item.start or item.end
    filing = fact.filing
    return filing.available_at, filing.accession, item.taxonomy, item.tag, item.unit, item.end, start


def read_fact(
    taxonomy: str,
    tag: str,
    unit: str,
    one: dict[str, Any],
    acceptance: Mapping[str, Release],
    filings: dict[str, Filing],
    latest: date,
) -> Fact:
    """One entry of companyfacts. `filings` holds the filings met so far.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: something is missing, of another type, or impossible.
    """
    value = one["val"]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"the value {value!r} is not a number")
    end = date.fromisoformat(one["end"])
    start = date.fromisoformat(one["start"]) if "start" in one else None
    accession = one["accn"]
    filing = filings.get(accession)
    if filing is None:
        if ACCESSION.fullmatch(accession) is None:
            raise ValueError(f"{accession!r} is not an accession number")
        filed = date.fromisoformat(one["filed"])
        if filed > latest:
            raise ValueError(f"filed on {filed}, which is in the future")
        bound: Release = in_utc(datetime.combine(filed, END_OF_DAY), EASTERN), "bound"
        form = (one["form"] or "").strip() or "of an unknown name"
        filing = filings[accession] = Filing(accession, form, filed, *acceptance.get(accession, bound))
    if start is not None and start > end:
        raise ValueError(f"the period from {start} ends on {end}")
    if end > filing.filed:
        raise ValueError(f"the period ends on {end}, after it was filed on {filing.filed}")
    return Fact(Item(taxonomy, tag, unit, start, end), Decimal(value), filing)


def histories(facts: Iterable[Fact]) -> dict[Item, list[Fact]]:
    """The facts by item, each in the order in which they became public: the as-of store."""
    store: dict[Item, list[Fact]] = {}
    for fact in sorted(facts, key=order):
        store.setdefault(fact.item, []).append(fact)
    return store


def as_of(store: Mapping[Item, Sequence[Fact]], item: Item, moment: datetime) -> Fact | None:
    """The fact that stood at a moment: the one filed last before or on it, None where there was none yet. Of
    filings of the same moment the one with the higher accession number counts as the later."""
    return next((fact for fact in reversed(store.get(item, ())) if fact.filing.available_at <= moment), None)


def name_at(name: str, former: Sequence[FormerName], day: date) -> str:
    """The company's name on a day, so that no text bears a name that came later: of former names in use on
    the day the one given up first, between two of them the one before."""
    if all(one.until < day for one in former):
        return name
    begun = [one for one in former if one.since <= day] or [min(former, key=lambda one: one.since)]
    in_use = [one for one in begun if day <= one.until]
    return (min(in_use, key=lambda one: one.until) if in_use else max(begun, key=lambda one: one.until)).name
