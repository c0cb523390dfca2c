"""Companies by ticker, CIK and name: a report that a benchmark asks about is found by each of them."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from mintage.corpus import store
from mintage.corpus.document import Document
from mintage.corpus.refine.benchmarks import read_items
from mintage.corpus.refine.companies import company_name, read_list, ticker_key
from mintage.corpus.refine.decontaminate import DECONTAMINATION, decontaminate
from mintage.corpus.refine.duplicates import refine
from mintage.corpus.refine.kept import decide
from mintage.corpus.refine.settings import DecontaminateSettings
from mintage.errors import MintageError

# Companies in ConvFinQA that FinanceBench has filings of: ticker, CIK, and name as the SEC writes it.
LISTED = {
    "ADBE": (796343, "ADOBE INC."),
    "AES": (874761, "AES CORP"),
    "GIS": (40704, "GENERAL MILLS INC"),
    "INTC": (50863, "INTEL CORP"),
    "KHC": (1637459, "Kraft Heinz Co"),
    "LMT": (936468, "LOCKHEED MARTIN CORP"),
}


def write_list(folder: Path) -> str:
    rows = [{"cik_str": cik, "ticker": ticker, "title": title} for ticker, (cik, title) in LISTED.items()]
    path = folder / "company_tickers.json"
    path.write_text(json.dumps(dict(enumerate(rows))))
    return str(path)


def report(name: str, entities: list[tuple[str, str]], end: date, text: str | None = None) -> Document:
    return Document.make(
        source="s",
        native_id=name,
        text=text or f"Report {name}.",
        licence="l",
        use="ship",
        period_end=end,
        entities=entities,
    )


def found(directory: Path, documents: list[Document], settings: DecontaminateSettings) -> set[str]:
    """The native ids of the documents that are found to be about a company and year of a set."""
    store.write_documents(directory, documents)
    decontaminate(directory, settings)
    names = [row for batch in store.read_documents(directory, ["native_id"]) for row in batch.to_pylist()]
    rows = [row for batch in store.read_attribute(directory, DECONTAMINATION) for row in batch.to_pylist()]
    return {
        name["native_id"]
        for name, row in zip(names, rows, strict=True)
        if any(match["kind"] == "company-year" for match in row["matches"])
    }


@pytest.fixture(scope="module")
def asked_about(shared_data: Path) -> set[tuple[str, int]]:
    items = read_items(shared_data / "benchmarks", ["convfinqa"])
    return {(item.company, item.year) for item in items if item.company and item.year}


def test_every_report_that_a_set_asks_about_is_found_by_ticker_and_by_cik(
    tmp_path: Path, shared_data: Path, asked_about: set[tuple[str, int]]
) -> None:
    tickers = sorted({ticker for ticker, _ in asked_about})
    ciks = {ticker: str(number) for number, ticker in enumerate(tickers, 1)}
    # Figures of a company bear both, as those of companyfacts do; its filings, and some texts, bear one.
    teachers = [
        report(f"figures {ticker}", [("cik", cik.zfill(10)), ("ticker", ticker)], date(1990, 12, 31))
        for ticker, cik in ciks.items()
    ]
    planted = []
    for ticker, year in asked_about:
        end = date(year, 12, 31)
        planted.append(report(f"{ticker} {year} by ticker", [("ticker", ticker.lower())], end))
        planted.append(report(f"{ticker} {year} by CIK", [("cik", ciks[ticker])], end))
    others = [report(f"{cik} other year", [("cik", cik)], date(1990, 12, 31)) for cik in ciks.values()]
    settings = DecontaminateSettings(str(shared_data / "benchmarks"), sets=("convfinqa",))
    marked = found(tmp_path, [*teachers, *planted, *others], settings)
    assert len(asked_about) > 100
    assert marked == {document.native_id for document in planted}


def test_a_filing_of_several_companies_teaches_nothing(tmp_path: Path, shared_data: Path) -> None:
    documents = [
        report("of two", [("cik", "1"), ("cik", "2"), ("ticker", "AAP")], date(1990, 12, 31)),
        report("of the second", [("cik", "2")], date(2011, 12, 31)),
    ]
    settings = DecontaminateSettings(str(shared_data / "benchmarks"), sets=("convfinqa",))
    assert found(tmp_path, documents, settings) == set()


def test_filings_that_bear_only_a_name_are_found_by_the_list_of_the_sec(
    tmp_path: Path, shared_data: Path, asked_about: set[tuple[str, int]]
) -> None:
    path = shared_data / "corpora" / "company_filings_fy2015_2021.jsonl.gz"
    documents, due = [], set()
    ticker_of = {company_name(title): ticker for ticker, (_, title) in LISTED.items()}
    with gzip.open(path, "rt") as file:
        for row in map(json.loads, file):
            end = date(row["doc_period"], 12, 31)
            documents.append(report(row["id"], [("company", row["company"])], end))
            if (ticker_of.get(company_name(row["company"])), row["doc_period"]) in asked_about:
                due.add(row["id"])
    settings = DecontaminateSettings(
        str(shared_data / "benchmarks"), sets=("convfinqa",), companies=write_list(tmp_path)
    )
    assert {"AES_2015_10K", "AES_2016_10K", "KRAFTHEINZ_2016_10K", "LOCKHEEDMARTIN_2015_10K"} <= due
    assert found(tmp_path / "corpus", documents, settings) == due


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("AES CORP", "AES Corporation"),
        ("3M CO", "3M"),
        ("AMAZON COM INC", "Amazon.com, Inc."),
        ("JOHNSON & JOHNSON", "Johnson and Johnson"),
        ("CORNING INC /NY", "Corning"),
        ("Coca-Cola Co", "The Coca-Cola Company"),
        ("PG&E Corp", "PG&E Corporation"),
        ("MGM Resorts International", "MGM Resorts"),
        ("NIKE, Inc.", "Nike"),
        ("Kohl's Corp", "Kohl’s"),
    ],
)
def test_a_name_is_the_same_without_what_legal_names_end_in(listed: str, said: str) -> None:
    assert company_name(listed) == company_name(said)


def test_a_class_of_shares_is_the_same_however_it_is_written() -> None:
    assert ticker_key("brk.b") == ticker_key("BRK-B") != ticker_key("BRK-A")


def test_other_companies_have_other_names() -> None:
    names = [
        "Coca-Cola Consolidated, Inc.",
        "Coca-Cola Co",
        "Best Buy Co Inc",
        "Block, Inc.",
        "H&R Block Inc",
    ]
    assert len({company_name(name) for name in names}) == len(names)
    assert company_name("Group Inc") and company_name("The Co")


def test_a_list_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MintageError, match="get it from"):
        read_list(tmp_path / "none.json")
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(MintageError, match=r"not the SEC's company_tickers\.json"):
        read_list(tmp_path / "other.json")


EVIDENCE = "purchases of property, plant and equipment (PP&E) (1,577) (1,373) (1,420)"


def write_financebench(folder: Path) -> str:
    """Two questions and a filing without one, in the two files in which FinanceBench is published."""
    asked = {
        "financebench_id": "financebench_id_03029",
        "company": "3M",
        "doc_name": "3M_2018_10K",
        "question": "What is the FY2018 capital expenditure amount (in USD millions) for 3M?",
        "answer": "$1577.00",
        "evidence": [
            {
                "evidence_text": f"Cash flows\nP{EVIDENCE[1:]}",
                "doc_name": "3M_2018_10K",
            }
        ],
    }
    listed = [
        {"doc_name": "3M_2018_10K", "company": "3M", "doc_type": "10k", "doc_period": 2018},
        {"doc_name": "AMCOR_2023Q2_10Q", "company": "Amcor", "doc_type": "10q", "doc_period": 2023},
    ]
    (folder / "financebench").mkdir(parents=True)
    for name, rows in (("open_source", [asked]), ("document_information", listed)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "financebench" / f"financebench_{name}.jsonl").write_text(text)
    return str(folder)


def test_the_filings_of_financebench_are_left_out_where_it_is_named(tmp_path: Path) -> None:
    end, long_ago = date(2018, 12, 31), date(1990, 12, 31)
    documents = {
        "3M_2018_10K": report("3M_2018_10K", [], long_ago),
        "3M annual report": report("a", [("company", "3M CO")], end),
        "by ticker": report("b", [("ticker", "MMM")], end),
        "by CIK": report("c", [("cik", "66740")], end),
        "evidence": report("d", [], long_ago, f"It says: {EVIDENCE}."),
        "listed, and nothing asked": report("e", [("company", "Amcor plc")], date(2023, 6, 30)),
    }
    others = [
        report("another year", [("company", "3M CO"), ("ticker", "MMM")], date(2017, 12, 31)),
        report("another company", [("company", "3D Systems")], end),
        report("3M_2017_10K", [], long_ago),
    ]
    (tmp_path / "list").mkdir()
    rows = {"0": {"cik_str": 66740, "ticker": "MMM", "title": "3M CO"}}
    companies = tmp_path / "list" / "company_tickers.json"
    companies.write_text(json.dumps(rows))
    path = write_financebench(tmp_path / "benchmarks")
    settings = DecontaminateSettings(path, sets=("financebench",), companies=str(companies))
    corpus = tmp_path / "corpus"
    store.write_documents(corpus, [*documents.values(), *others])
    refine(corpus)
    decontaminate(corpus, settings)
    assert decide(corpus) == {"s": {"benchmark financebench": len(documents)}}
    kept = [row for batch in store.read_attribute(corpus, store.KEPT) for row in batch.to_pylist()]
    left_out = {row["doc_id"] for row in kept if row["dropped_at"]}
    assert left_out == {document.doc_id for document in documents.values()}
    settings = DecontaminateSettings(path, sets=("financebench",), company_years=False)
    assert decontaminate(corpus, settings) == {"financebench": {"items": 2, "documents": 2}}
