"""A small EDGAR of two companies, and collecting from it over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from mintage.corpus.collect.collect import Account, collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Live
from mintage.corpus.document import Document
from mintage.corpus.sources.edgar import listing, source
from mintage.corpus.sources.edgar.settings import EdgarSource
from mintage.corpus.sources.report import SourceReport

ACME, BETA = "0000000001", "0000000002"


def submission(
    accession: str, form: str, filed: str, text: str, cik: str = ACME, name: str = "Acme"
) -> bytes:
    day = filed.replace("-", "")
    return f"""<SEC-DOCUMENT>{accession}.txt : {day}
<SEC-HEADER>{accession}.hdr.sgml : {day}
<ACCEPTANCE-DATETIME>{day}101500
ACCESSION NUMBER:\t\t{accession}
CONFORMED SUBMISSION TYPE:\t{form}
CONFORMED PERIOD OF REPORT:\t20231231
FILED AS OF DATE:\t\t{day}
\t\tCOMPANY CONFORMED NAME:\t\t\t{name}
\t\tCENTRAL INDEX KEY:\t\t\t{cik}
</SEC-HEADER>
<DOCUMENT>
<TYPE>{form}
<SEQUENCE>1
<FILENAME>a.htm
<TEXT>
{text}
</TEXT>
</DOCUMENT>
</SEC-DOCUMENT>
""".encode()


def index(rows: list[tuple[str, str, str]], files: list[dict[str, Any]] | None = None) -> bytes:
    """A submissions JSON of (accession, form, filed)."""
    columns = {
        "accessionNumber": [row[0] for row in rows],
        "form": [row[1] for row in rows],
        "filingDate": [row[2] for row in rows],
        "acceptanceDateTime": [f"{row[2]}T23:15:00.000Z" for row in rows],  # 18:15 or 19:15 in New York
    }
    if files is None:
        return json.dumps(columns).encode()
    filings = {"recent": columns, "files": files}
    return json.dumps({"tickers": ["ACME", "ACME-P"], "formerNames": [], "filings": filings}).encode()


REPORT = """<html><body><p>Cover</p><p>Item 1. Business</p><p>We sell anvils.</p><p>Item 1A. Risk Factors</p>
<p>They are heavy.</p><p>Item 7. Management&#8217;s Discussion</p><p>Sales rose.</p></body></html>"""
A1, A2, A3, B1 = (f"000000000{n}-24-00000{n}" for n in (1, 2, 3, 4))
OLDER = {"name": f"CIK{ACME}-submissions-001.json", "filingFrom": "2001-01-01", "filingTo": "2019-12-31"}
OLD = "0000000001-19-000009"


class Edgar:
    """A small EDGAR, which remembers what it was asked. Written from the documentation at
    https://www.sec.gov/search-filings/edgar-application-programming-interfaces, not recorded."""

    def __init__(self) -> None:
        tickers = {
            "0": {"cik_str": 1, "ticker": "ACME", "title": "Acme Corp"},
            "1": {"cik_str": 2, "ticker": "BRK-B", "title": "Beta Inc"},
        }
        self.pages: dict[str, bytes] = {
            listing.TICKERS: json.dumps(tickers).encode(),
            listing.submissions_url(ACME): index(
                [(A1, "10-K", "2024-02-01"), (A2, "10-K/A", "2024-03-01"), (A3, "4", "2024-03-02")], [OLDER]
            ),
            f"{listing.DATA}/submissions/{OLDER['name']}": index([(OLD, "10-K405", "2019-03-01")]),
            listing.submissions_url(BETA): index([(B1, "8-K", "2024-01-05")], []),
            listing.filing_url(ACME, A1): submission(A1, "10-K", "2024-02-01", REPORT),
            listing.filing_url(ACME, A2): submission(A2, "10-K/A", "2024-03-01", "<p>Part III.</p>"),
            listing.filing_url(ACME, OLD): submission(OLD, "10-K405", "2019-03-01", REPORT),
            listing.filing_url(BETA, B1): submission(B1, "8-K", "2024-01-05", "<p>News.</p>", BETA, "Beta"),
        }
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        body = self.pages.get(str(request.url))
        return httpx.Response(404) if body is None else httpx.Response(200, content=body)


def run(
    settings: EdgarSource, folder: Path, answer: Callable[[httpx.Request], httpx.Response]
) -> tuple[Account, list[Document], SourceReport]:
    """Collect and parse."""
    transport = Live(
        "tests", {"sec.gov": 1e6}, sleep=lambda seconds: None, transport=httpx.MockTransport(answer)
    )
    account = collect(source.discover, settings, RawStore(folder), transport)
    report = SourceReport()
    return account, list(source.parse(settings, RawStore(folder), report)), report
