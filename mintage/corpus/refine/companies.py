"""Which companies documents are about, whatever names them by: ticker, CIK, or name.

Benchmark sets name companies by ticker; documents of EDGAR bear a CIK and often a ticker, texts from
elsewhere a name. What belongs together is learned from documents that bear both a ticker and one CIK or name,
and from the SEC's list of all companies (company_tickers.json) where the settings name it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from mintage.corpus.store import read_documents
from mintage.errors import MintageError

Known = dict[tuple[str, str], set[str]]  # tickers by (scheme, identifier)
Entities = Sequence[dict[str, str]]

# What legal names end in and speakers leave out. "/NY/" is EDGAR's mark of a state.
ENDINGS = re.compile(
    r"( (incorporated|inc|corporation|corp|company|companies|co|limited|ltd|plc|llc|lp|sa|ag|nv|se|holdings?"
    r"|group|international|com|and|new|the))+$"
)


def company_name(name: str) -> str:
    """A company's name without case, punctuation and the words that legal names end in: "AES CORP" and "AES
    Corporation" are the same, "Coca-Cola Co" and "Coca-Cola Consolidated" are not."""
    name = re.sub(r"[/\\][a-z]{2,3}[/\\]?\s*$", "", name.lower())
    name = re.sub(r"[’'.]", "", re.sub(r"[.](?=com\b)", " ", name)).replace("&", " and ")
    words = re.sub(r"[^\w]+", " ", name).strip().removeprefix("the ")
    return ENDINGS.sub("", words) or words


def ticker_key(ticker: str) -> str:
    """A ticker as all sources write it: BRK.B and BRK-B are the same."""
    return ticker.upper().replace(".", "-")


def entity_key(scheme: str, identifier: str) -> tuple[str, str]:
    """An entity as it is looked up."""
    return scheme, company_name(identifier) if scheme == "company" else identifier.zfill(10)


def read_list(path: Path) -> Known:
    """The companies of the SEC's company_tickers.json.

    Raises:
        MintageError: it is not there, or is something else.
    """
    known: Known = {}
    try:
        for row in json.loads(path.read_text(encoding="utf-8")).values():
            for scheme, identifier in (("cik", str(row["cik_str"])), ("company", row["title"])):
                known.setdefault(entity_key(scheme, identifier), set()).add(ticker_key(row["ticker"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise MintageError(
            f"{path}: not the SEC's company_tickers.json ({error!r}); "
            "get it from https://www.sec.gov/files/company_tickers.json"
        ) from None
    return known


def learn(directory: Path, known: Known) -> Known:
    """`known` with what the documents of a corpus directory say: those that bear a ticker and one CIK or one
    name. (Of a filing of several companies nobody can tell whose the ticker is.)"""
    for batch in read_documents(directory, ["entities"]):
        for entities in batch["entities"].to_pylist():
            tickers = {ticker_key(one["id"]) for one in entities if one["scheme"] == "ticker"}
            for scheme in ("cik", "company"):
                named = {entity_key(scheme, one["id"]) for one in entities if one["scheme"] == scheme}
                if tickers and len(named) == 1:
                    known.setdefault(named.pop(), set()).update(tickers)
    return known


def tickers_of(entities: Entities, known: Known) -> set[str]:
    """The tickers of the companies that a document is about."""
    found = {ticker_key(one["id"]) for one in entities if one["scheme"] == "ticker"}
    for one in entities:
        if one["scheme"] in ("cik", "company"):
            found |= known.get(entity_key(one["scheme"], one["id"]), set())
    return found


def named_companies(entities: Entities) -> set[str]:
    """The names of the companies that a document is about, as `company_name` writes them: in small letters,
    which no ticker has."""
    return {company_name(one["id"]) for one in entities if one["scheme"] == "company"}


def company_years(entities: Entities, period_end: date | None, known: Known) -> Iterable[tuple[str, int]]:
    """The companies (by ticker and by name) and fiscal years that a document is about. A year that ends in
    January or February is also called by the year before."""
    if period_end is None:
        return []
    years = [period_end.year, period_end.year - 1] if period_end.month <= 2 else [period_end.year]
    companies = sorted(tickers_of(entities, known) | named_companies(entities))
    return [(company, year) for company in companies for year in years]
