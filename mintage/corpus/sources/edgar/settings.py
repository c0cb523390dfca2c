"""Settings of the edgar source: whose filings, which forms, from when, and what is made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

Form = Literal[
    "10-K", "10-Q", "8-K", "20-F", "40-F", "6-K", "S-1", "S-3", "S-4", "F-1", "F-3", "F-4",
    "424B1", "424B2", "424B3", "424B4", "424B5", "DEF 14A",
]  # fmt: skip

MOST_REQUESTS_PER_SECOND = 10.0  # the SEC's own limit, over all of a user's machines
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
FILING = re.compile(r"\d{1,10}/\d{10}-\d{2}-\d{6}")
COMPANY = re.compile(r"(?:CIK)?\d{1,10}|[A-Za-z][A-Za-z0-9.\-]{0,9}")


@dataclass(frozen=True)
class EdgarSource:
    """Filings and figures from the US Securities and Exchange Commission's EDGAR.

    - `companies`: tickers or CIK numbers (CIK0000320193; in YAML a bare 0000051143 is an octal number, and ON
      a truth value: quote them), or the word `every` for each company that filed one of the forms
      in the period; then `since` and `until` must be given.
    - `filings`: single filings besides, as CIK/accession number (`320193/0000912057-00-023442`), whatever
      their form and day.
    - `forms`: which forms, with their transition and older variants (10-KT, 10-K405, 10-QT); `amendments`
      takes the amendments (10-K/A) along, as documents of their own.
    - `since`, `until`: the filing days, both included.
    - `produce`: `filings` for texts, `facts` for the figures of companyfacts, `questions` for questions and
      exact answers about these figures (the source `NAME_questions`).
    - `contact`: an e-mail address, which EDGAR requires of every program that asks it for something.
    - `requests_per_second`: over all of the SEC's hosts together; the SEC allows 10.
    - `bulk`: a folder with the nightly archives submissions.zip and companyfacts.zip, from which indexes and
      figures are taken in place of a request for each company; `fetch_bulk` downloads them into it first,
      where they are missing or older than a day (about 3 GB).
    - `licence`, `use`: what the documents say of themselves. Filings may be read and used by anyone, and yet
      their text is the companies' own: weights trained on it stay local unless you decide otherwise.
    """

    name: str = "edgar"
    companies: tuple[str, ...] | Literal["every"] = ()
    filings: tuple[str, ...] = ()
    forms: tuple[Form, ...] = ("10-K", "10-Q", "8-K", "20-F", "6-K")
    amendments: bool = True
    since: date | None = None
    until: date | None = None
    produce: tuple[Literal["filings", "facts", "questions"], ...] = ("filings",)
    contact: str = ""
    requests_per_second: float = 5.0
    bulk: str | None = None
    fetch_bulk: bool = False
    licence: str = "public filings of the US SEC"
    use: Literal["ship", "local", "evaluate", "none"] = "local"

    def __post_init__(self) -> None:
        if not self.companies and not self.filings:
            raise ValueError(f"{self.name}: name companies (tickers or CIK numbers), or filings")
        if self.companies == "every" and (self.since is None or self.until is None):
            raise ValueError(f"{self.name}: every company is too much without a period: give since and until")
        for company in () if self.companies == "every" else self.companies:
            if not COMPANY.fullmatch(company):
                raise ValueError(f"{self.name}: {company!r} is neither a ticker nor a CIK number")
        for filing in self.filings:
            if not FILING.fullmatch(filing):
                raise ValueError(
                    f"{self.name}: {filing!r} is not CIK/accession number, as 320193/0000912057-00-023442"
                )
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError(f"{self.name}: since ({self.since}) lies after until ({self.until})")
        if not 0 < self.requests_per_second <= MOST_REQUESTS_PER_SECOND:
            raise ValueError(
                f"{self.name}: requests_per_second must be more than 0 and at most "
                f"{MOST_REQUESTS_PER_SECOND:g}, which is the SEC's limit"
            )
        if self.contact and not EMAIL.search(self.contact):
            raise ValueError(f"{self.name}: contact {self.contact!r} has no e-mail address in it")
        if self.fetch_bulk and self.bulk is None:
            raise ValueError(f"{self.name}: fetch_bulk needs a folder to put the archives in: set bulk")

    @property
    def figures(self) -> bool:
        """Whether anything is made of companyfacts."""
        return "facts" in self.produce or "questions" in self.produce
