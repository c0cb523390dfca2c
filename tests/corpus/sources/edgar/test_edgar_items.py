"""Filings are cut where their items begin."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from mintage.corpus.extract.html import to_markdown
from mintage.corpus.sources.edgar.items import cut
from mintage.corpus.sources.edgar.submission import decode, read_submission, text_of

ANNUAL_ITEMS = ("1", "1A", "1B", "1C", "2", "3", "4", "5", "7", "7A", "8", "9", "9A", "10", "11", "12", "15")

ANNUAL = """\
FORM 10-K

PART I

Item 1. Business 3

Item 1A. Risk Factors 9

Item 7. Management's Discussion and Analysis 20

# PART I

## Item 1. Business

We sell anvils. See Item 1A. Risk Factors for what may go wrong.

Item 7 of this report tells more.

## ITEM 1A – RISK FACTORS

Anvils are heavy.

**Item 6.** [Reserved]

PART II

| Item 7. | Management's Discussion and Analysis |
| --- | --- |

Sales rose to $5 million.

Item 7. Management's Discussion and Analysis (continued)

They rose again, and the margin with them.

21 ITEM 8.

FINANCIAL STATEMENTS

Sales $5 million.

SIGNATURES

/s/ A. Coyote
"""


def keys(text: str, form: str) -> list[str]:
    return [section.key for section in cut(text, form)]


def test_items_are_found_whatever_their_heading_looks_like() -> None:
    sections = {section.key: section for section in cut(ANNUAL, "10-K")}
    assert list(sections) == ["cover", "item1", "item1A", "item7", "item8", "signatures"]
    assert sections["item1"].text.startswith("# PART I\n\n## Item 1. Business")
    assert sections["item1"].text.endswith("Item 7 of this report tells more.")
    assert sections["item1A"].text.startswith("## ITEM 1A")
    assert "Sales rose to $5 million." in sections["item7"].text  # before the page header that repeats it
    assert sections["item7"].text.endswith("They rose again, and the margin with them.")
    assert sections["item8"].heading == "ITEM 8. FINANCIAL STATEMENTS"
    assert sections["item1A"].heading == "ITEM 1A – RISK FACTORS"


def test_the_table_of_contents_is_no_item_and_not_in_the_cover() -> None:
    assert cut(ANNUAL, "10-K")[0].text == "FORM 10-K"


def test_nothing_but_the_table_of_contents_is_lost() -> None:
    together = "".join(section.text for section in cut(ANNUAL, "10-K"))
    missing = [line for line in ANNUAL.split("\n") if line and line not in together]
    assert all(re.fullmatch(r"(PART I|Item .* \d+)", line) for line in missing)


def test_the_two_parts_of_a_quarterly_report_are_kept_apart() -> None:
    text = """PART I

Item 1. Financial Statements

Sales were $5.

Item 2. Management's Discussion

They rose.

PART II

Item 1. Legal Proceedings

None.

Item 2.

Unregistered sales of equity. None were made.

Item 6. Exhibits

31.1 Certification
"""
    assert keys(text, "10-Q") == [
        "part1.item1",
        "part1.item2",
        "part2.item1",
        "part2.item2",
        "part2.item6",
    ]


def test_current_reports_have_items_of_both_numberings() -> None:
    new = (
        "Section 2 – Financial Information Item 2.02. Results\n\nFine.\n\nItem 9.01 Exhibits\n\n99 Release\n"
    )
    assert keys(new, "8-K") == ["item2.02", "item9.01"]
    assert keys("Item 5. Other Events\n\nFire.\n\nItem 7. Exhibits\n\n99 Release\n", "8-K/A") == [
        "item5",
        "item7",
    ]


def test_items_of_a_foreign_annual_report_are_found() -> None:
    text = "\n\n".join(f"ITEM {item}. TITLE\n\nText of it." for item in ("3", "4A", "5", "16K", "18"))
    assert keys(text, "20-F") == ["item3", "item4A", "item5", "item16K", "item18"]


def test_an_amendment_may_have_a_single_item_and_a_report_may_not() -> None:
    text = "Item 9A. Controls and Procedures\n\nThey were not effective.\n"
    assert keys(text, "10-K/A") == ["item9A"]
    assert cut(text, "10-K") == []


def test_a_table_of_contents_alone_does_not_cut_a_report_without_headings() -> None:
    contents = """Item 1. Financial Statements ..... 3
Balance Sheets ..... 4
Item 2. Management's Discussion | 12 |
Overview | 13 |
Item 3. Quantitative Disclosures F-20
Rates F-21
Item 4. Controls 30-31
Changes 31
"""
    assert cut(contents + "\nThe quarter was good.\n" * 100, "10-Q") == []


def test_statements_behind_the_signatures_are_apart() -> None:
    text = ANNUAL + "\n# Report of Independent Registered Public Accounting Firm\n\nWe have audited.\n"
    assert keys(text, "10-K")[-3:] == ["item8", "signatures", "statements"]


def test_a_report_in_an_order_of_its_own_with_an_index_of_items_at_its_end_is_not_cut() -> None:
    text = (
        "Our year in numbers.\n\n" * 200 + "Item 1. Business\nPages 3 to 9\nItem 1A. Risk\nPage 12 and on\n"
    )
    assert cut(text + "Item 7. Discussion\nPages 20 to 40\n", "10-K") == []


@pytest.mark.parametrize("form", ["S-1", "424B4", "DEF 14A", "6-K"])
def test_forms_without_items_stay_whole(form: str) -> None:
    assert cut(ANNUAL, form) == []


@pytest.mark.parametrize("text", ["", "Nothing here.", "Item 1. Business 3\nItem 7. Discussion 9\n"])
def test_a_report_without_items_is_not_cut(text: str) -> None:
    assert cut(text, "10-K") == []


def filings(shared_data: Path, form: str) -> list[tuple[str, str]]:
    paths = sorted((shared_data / "fixtures" / "sec_html").glob(f"*/*-{form}-*.html.gz"))
    return [(path.name, to_markdown(decode(gzip.decompress(path.read_bytes())))) for path in paths]


def test_real_annual_reports_have_every_item_and_the_right_text_in_it(shared_data: Path) -> None:
    reports = filings(shared_data, "10-k")
    assert len(reports) == 14
    for name, text in reports:
        sections = {section.key: section for section in cut(text, "10-K")}
        assert {f"item{item}" for item in ANNUAL_ITEMS} <= set(sections), name
        assert re.search(r"risk factors", sections["item1A"].heading, re.IGNORECASE), name
        assert re.search(r"management.s discussion", sections["item7"].heading, re.IGNORECASE), name
        assert re.search(r"financial statements", sections["item8"].heading, re.IGNORECASE), name
        if name.startswith("wfc"):  # its items refer to the annual report to shareholders (exhibit 13)
            continue
        assert len(sections["item1A"].text) > 30_000, name
        assert len(sections["item7"].text) > 30_000, name
        figures = sections.get(
            "statements", max(sections["item8"], sections["item15"], key=lambda s: len(s.text))
        )
        assert re.search(r"total (?:current )?assets", figures.text, re.IGNORECASE), name
        assert len(figures.text) > 80_000, name


def test_real_quarterly_reports_keep_their_parts_apart(shared_data: Path) -> None:
    reports = filings(shared_data, "10-q")
    assert len(reports) == 7
    for name, text in reports:
        sections = {section.key: section for section in cut(text, "10-Q")}
        assert {f"part1.item{item}" for item in "1234"} | {
            "part2.item1",
            "part2.item2",
            "part2.item6",
        } <= set(sections), name
        assert re.search("legal proceedings", sections["part2.item1"].heading, re.IGNORECASE), name
        assert re.search("management", sections["part1.item2"].heading, re.IGNORECASE), name
        assert re.search("total (?:current )?assets", sections["part1.item1"].text, re.IGNORECASE), name


def test_a_plain_text_quarterly_report_of_2000_is_cut(shared_data: Path) -> None:
    folder = shared_data / "fixtures" / "sec_edgar_recordings"
    (path,) = folder.glob("*_0000912057-00-023442.txt.gz")
    text = text_of(read_submission(gzip.decompress(path.read_bytes())).parts[0])
    assert [section.key for section in cut(text, "10-Q")] == [
        "cover",
        *("part1.item1", "part1.item2", "part1.item3"),
        *("part2.item1", "part2.item4", "part2.item6", "signatures", "exhibits"),
    ]
