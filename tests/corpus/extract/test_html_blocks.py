"""Filings and articles as Markdown: what a reader sees is kept in order, what printing adds is not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus.extract.html import article, to_markdown
from mintage.corpus.extract.ixbrl import facts

BOLD = "font-weight:700"


def page(body: str) -> str:
    return f"<html><head><title>no</title><style>p {{}}</style></head><body>{body}</body></html>"


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        (f'<div><span style="{BOLD}">PART I</span></div>', "# PART I"),
        (f'<div><span style="{BOLD}">Item 1A.</span> <b>Risk Factors</b></div>', "## Item 1A. Risk Factors"),
        (f'<p style="{BOLD}">Liquidity</p>', "### Liquidity"),
        ('<p><span style="font-style:italic">Leases</span></p>', "#### Leases"),
        ("<h2>Press release</h2>", "## Press release"),
        ("<p>Item 1A. <u>Risk Factors</u>.</p>", "## Item 1A. Risk Factors."),
        ("<p>Item 1A. Risk Factors 12</p>", "Item 1A. Risk Factors 12"),
        ('<b>Item 1.<span style="padding-left:19pt">Business</span></b>', "## Item 1. Business"),
        ("<p>See <b>Item 1A</b> of this report.</p>", "See Item 1A of this report."),
        (f'<p style="{BOLD}">(In millions)</p>', "(In millions)"),
    ],
)
def test_headings_are_found_by_their_style(html: str, markdown: str) -> None:
    assert to_markdown(page(html)) == markdown + "\n"


def test_an_item_laid_out_as_a_table_is_a_heading() -> None:
    cell = f'<td style="{BOLD}">'
    html = page(f"<table><tr>{cell}ITEM 2.</td>{cell}PROPERTIES</td></tr></table><p>None.</p>")
    assert to_markdown(html) == "## ITEM 2. PROPERTIES\n\nNone.\n"


def test_lists_keep_their_items_however_they_are_drawn() -> None:
    html = page(
        "<div><span>•</span><span>one;</span></div><div>•  two</div>"
        "<table><tr><td>•</td><td>three</td></tr><tr><td>●</td><td>four</td></tr></table>"
        "<ul><li>five<ul><li>six</li></ul></li></ul>"
        "<ol><li><p>seven</p></li><li>eight</li></ol>"
        '<div><span>•</span><div style="display:inline">nine</div></div>'
        "<ul><li></li></ul><p>Text.</p><p>(a)</p><p>ten</p><p>•</p>"
    )
    assert to_markdown(html) == (
        "- one;\n- two\n- three\n- four\n- five\n  - six\n1. seven\n2. eight\n- nine\n\nText.\n\n(a) ten\n"
    )


def test_footnote_marks_stay_beside_what_they_mark_and_before_their_text() -> None:
    raised = "position:relative;top:-3.5pt;vertical-align:baseline"
    html = page(
        f'<p>Net sales<span style="{raised}">1</span> rose on the 4<sup>th</sup> of May.</p>'
        f'<p><span style="{raised}">1</span>Without taxes.</p>'
        "<table><tr><td>(2)</td><td>Unaudited.</td></tr></table>"
    )
    assert to_markdown(html) == (
        "Net sales (1) rose on the 4th of May.\n\n(1) Without taxes.\n\n(2) Unaudited.\n"
    )


def test_what_is_not_shown_is_not_text() -> None:
    html = page(
        '<div style="display:none"><ix:header><ix:hidden>secret</ix:hidden></ix:header></div>'
        '<p>seen<span style="DISPLAY: none">hidden</span> too</p><script>x</script><!-- no -->'
    )
    assert to_markdown(html) == "seen too\n"


def paged(texts: list[str]) -> str:
    footer = '<div style="text-align:center">ACME | 2024 Form 10-K | {}</div>'
    header = '<div><a href="#t">Table of Contents</a></div>'
    turn = '<hr style="page-break-after:always"/>'
    return page(
        turn.join(
            f"{header}<p>{text}</p><p>{number}</p>{footer.format(number)}"
            for number, text in enumerate(texts, start=7)
        )
    )


def test_page_numbers_and_running_lines_are_dropped() -> None:
    texts = ["First.", "Second.", "Third.", "Fourth."]
    assert to_markdown(paged(texts)) == "\n\n".join(texts) + "\n"
    titled = paged([f"</p><h2>Table of Contents</h2><p>{texts[0]}", *texts[1:]])
    assert to_markdown(titled) == "## Table of Contents\n\n" + "\n\n".join(texts) + "\n"


def test_boxes_of_forms_are_boxes_and_marks_of_direction_are_gone() -> None:
    text = to_markdown(
        page("<p>Yes <font>&#168;</font> No <font>þ</font>, or ý. Þór, naïf¨ \u200eÖl\u200f</p>")
    )
    assert text == "Yes ☐ No þ, or ý. Þór, naïf¨ Öl\n"
    assert to_markdown(page("<p>Yes þ No ¨</p><p>ý</p>")) == "Yes ☑ No ☐\n\n☒\n"


def test_what_a_heading_is_answered_with_stays_however_often_it_ends_a_page() -> None:
    pages = "".join(
        f"<p style='page-break-before:always'>Text {name}.</p><h2>ITEM {name}.</h2>"
        f"<p>Not applicable.</p><p>{n}</p>"
        for n, name in enumerate(["One", "Two", "Three", "Four", "Five"], 7)
    )
    assert to_markdown(page(pages)).count("Not applicable.") == 5
    assert "\n7\n" not in to_markdown(page(pages))


@pytest.mark.parametrize("number", ["7", "29.", "- 12 -", "Page 3 of 9", "iv", "F-2"])
def test_a_page_number_need_not_recur_to_be_dropped(number: str) -> None:
    html = page(f"<p>First.</p><p>{number}</p><p style='page-break-before:always'>Second.</p>")
    assert to_markdown(html) == "First.\n\nSecond.\n"


def test_a_sentence_cut_by_a_page_break_is_joined() -> None:
    markdown = to_markdown(paged(["We sold", "ten plants.", "Then 3", "More"]))
    assert "We sold ten plants.\n\nThen 3\n\nMore" in markdown


def test_characters_are_plain() -> None:
    html = page("<p>a&nbsp;&nbsp;b&#8203;c&#146;d &amp; &#8220;e&#8221; &#x2003;f\u00ad</p>")
    assert to_markdown(html) == "a bc’d & “e” f\n"


TEXT = "café “q” – €5"


@pytest.mark.parametrize(
    "data",
    [
        f"<p>{TEXT}</p>".encode(),
        f"<p>{TEXT}</p>".encode("cp1252"),
        f'<?xml version="1.0" encoding="ASCII"?><p>{TEXT}</p>'.encode("cp1252"),
        f'<meta charset="iso-8859-1"><p>{TEXT}</p>'.encode("cp1252"),
        f'<meta charset="iso-8859-15"><p>{TEXT}</p>'.encode("cp1252").replace(b"\x80", b"\xa4"),
        f"<p>{TEXT}</p>".encode("utf-16"),
        f'<meta charset="nonsense"><p>{TEXT}</p>'.encode(),
    ],
    ids=["utf-8", "cp1252", "ascii declared", "latin-1 declared", "latin-9", "utf-16", "unknown charset"],
)
def test_any_encoding_gives_the_same_text(data: bytes) -> None:
    assert to_markdown(data) == TEXT + "\n"


def test_mixed_encodings_in_one_page_are_both_read() -> None:
    assert to_markdown("<p>café</p>".encode("cp1252") + "<p>naïve</p>".encode()) == "café\n\nnaïve\n"


PIECES = st.sampled_from(
    (
        *(
            "<table>",
            "</table>",
            "<tr>",
            "<td colspan=9>",
            "<td rowspan=-1>",
            "</td>",
            "<p",
            ">",
            "<hr>",
            "<br>",
        ),
        *(
            "<div style='display:none'>",
            "</div>",
            "<ul>",
            "</ol>",
            "<li>",
            "<sup>",
            "<pre>",
            "<b>Item 1.</b>",
        ),
        *(
            "$",
            "1,234",
            ")",
            "&#0;",
            "&bogus;",
            "<!--",
            "-->",
            "<![CDATA[",
            "\0",
            "\ud800",
            "(In millions)",
            "•",
            "|",
        ),
        "<ix:nonFraction scale=x>",
    )
)


@given(st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join))
def test_malformed_pages_never_raise(html: str) -> None:
    for data in (
        html,
        html.encode("utf-8", errors="surrogatepass"),
        html.encode("utf-16-le", errors="replace"),
    ):
        to_markdown(data)
        article(data)
        facts(data)


@pytest.mark.parametrize("character", ["\x01", "\x0b", "\uffff", "&#1;", "&#xFFFE;", "&#x1F;"])
def test_characters_that_xml_cannot_hold_are_dropped(character: str) -> None:
    assert to_markdown(f"<p>a<br>{character}b</p>{character}") == "a b\n"


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    assert "\0" not in to_markdown(data)


def test_an_article_is_the_main_part_without_navigation(shared_data: Path) -> None:
    folder = shared_data / "fixtures" / "html_to_markdown" / "central_bank"
    pages = sorted(folder.glob("*.html"))
    assert pages
    for path in pages:
        text = article(path.read_bytes())
        assert "### Federal Reserve issues FOMC statement" in text
        assert "Recent indicators suggest that economic activity" in text
        assert "Voting for the monetary policy action were Jerome H. Powell, Chair" in text
        assert not any(
            word in text for word in ("About the Fed", "Skip to main content", "Subscribe", "Share\n")
        )


def test_a_filing_without_inline_facts_keeps_its_statements(shared_data: Path) -> None:
    name = "www.sec.gov_Archives_edgar_data_1009672_000156459018004771_crr-10k_20171231.htm.gz"
    text = to_markdown(
        gzip.decompress((shared_data / "fixtures" / "sec_edgar_recordings" / name).read_bytes())
    )
    assert "| Cash and cash equivalents | $68,169 | $91,680 |" in text
    assert "($ in thousands, except per share data)\n\n|  | December 31, 2017 | December 31, 2016 |" in text
    assert "| Net loss | $(253,116) | $(80,127) | $(109,544) |" in text
    assert "\\" not in text
