"""Tables: one column a figure, every figure under its label, nothing lost."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus.extract.html import to_markdown


def table(*rows: str) -> str:
    """The Markdown of an HTML table with these rows (cells in HTML)."""
    return to_markdown("<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>")


SPACER = '<td colspan="3"></td>'
HEADER = (
    f'<td colspan="3"></td><td colspan="3">2024</td>{SPACER}<td colspan="3">2023</td>',
    '<td colspan="3"></td><td colspan="9">(in millions)</td>',
)


def figures(label: str, *cells: tuple[str, str, str]) -> str:
    inner = SPACER.join("".join(f"<td>{piece}</td>" for piece in cell) for cell in cells)
    return f'<td colspan="3">{label}</td>{inner}'


def test_the_pieces_of_a_number_are_one_cell_and_spacers_are_gone() -> None:
    markdown = table(
        *HEADER,
        figures("Sales", ("$", "1,234", ""), ("$", "(5", ")")),
        figures("Margin", ("", "12.5", "%"), ("", "(3.1", ")%")),
        figures("Other", ("", "—", ""), ("$(", "17,729", ")")),
    )
    assert markdown == (
        "(in millions)\n\n|  | 2024 | 2023 |\n| --- | --- | --- |\n"
        "| Sales | $1,234 | $(5) |\n| Margin | 12.5% | (3.1)% |\n| Other | — | $(17,729) |\n"
    )


def test_headers_of_many_rows_are_joined_over_the_columns_they_cover() -> None:
    markdown = table(
        '<td rowspan="2">(millions of dollars)</td><td colspan="2">Three Months Ended<br>June 30,</td>'
        '<td colspan="2">Six Months Ended<br>June 30,</td>',
        "<td>2025</td><td>2024</td><td>2025</td><td>2024</td>",
        "<td>Revenue</td><td>79,477</td><td>89,986</td><td>160,535</td><td>170,397</td>",
    )
    assert markdown.splitlines()[0] == "(millions of dollars)"
    assert markdown.splitlines()[2] == (
        "|  | Three Months Ended June 30, 2025 | Three Months Ended June 30, 2024 "
        "| Six Months Ended June 30, 2025 | Six Months Ended June 30, 2024 |"
    )


def test_a_label_over_several_rows_stands_in_each() -> None:
    markdown = table(
        "<th>Segment</th><th>Year</th><th>Sales</th>",
        '<td rowspan="3">Cloud</td><td>2024</td><td>10</td>',
        "<td>2023</td><td>9</td>",
        "<td>2022</td><td>8</td>",
        "<td>Other</td><td>2024</td><td>1</td>",
    )
    assert markdown.splitlines()[2:] == [
        "| Cloud | 2024 | 10 |",
        "| Cloud | 2023 | 9 |",
        "| Cloud | 2022 | 8 |",
        "| Other | 2024 | 1 |",
    ]


def test_a_new_header_between_rows_begins_a_new_table() -> None:
    markdown = table(
        "<td></td><td>2024</td><td>2023</td>",
        "<td>Sales</td><td>10</td><td>9</td>",
        "<td></td><td>June 30, 2024</td><td>June 30, 2023</td>",
        "<td>Debt</td><td>3</td><td>4</td>",
    )
    assert markdown == (
        "|  | 2024 | 2023 |\n| --- | --- | --- |\n| Sales | 10 | 9 |\n\n"
        "|  | June 30, 2024 | June 30, 2023 |\n| --- | --- | --- |\n| Debt | 3 | 4 |\n"
    )


def test_words_in_the_first_row_below_the_header_are_no_header() -> None:
    ratings = table(
        '<td></td><td colspan="2">Moody’s</td><td colspan="2">Fitch</td>',
        "<td></td><th>Rating</th><th>Outlook</th><th>Rating</th><th>Outlook</th>",
        "<td>Senior debt</td><td>A2</td><td>Stable</td><td>A</td><td>Stable</td>",
        "<td>Commercial paper</td><td>P-1</td><td>n/a</td><td>F1</td><td>n/a</td>",
    )
    assert ratings.splitlines()[0] == (
        "|  | Moody’s Rating | Moody’s Outlook | Fitch Rating | Fitch Outlook |"
    )
    assert "\n| Senior debt | A2 | Stable | A | Stable |\n" in ratings
    leases = table(
        "<td></td><td>2024</td><td>2023</td>",
        "<td>Remaining term</td><td>11.3 years</td><td>11.9 years</td>",
        "<td>Discount rate</td><td>3.3%</td><td>3.1%</td>",
    )
    assert leases.splitlines()[2] == "| Remaining term | 11.3 years | 11.9 years |"


def test_the_units_of_columns_belong_to_the_header() -> None:
    markdown = table(
        "<td></td><td>Jan 26, 2025</td><td>Jan 28, 2024</td>",
        '<td>Inventories:</td><td colspan="2">(In millions)</td>',
        "<td>Raw materials</td><td>$3,408</td><td>$1,719</td>",
    )
    assert markdown.startswith("(In millions)\n\n| Inventories: | Jan 26, 2025 | Jan 28, 2024 |")


def test_a_table_in_one_face_has_one_row_of_names() -> None:
    rows = ("<b>Title of class</b>", "<b>Symbol</b>"), ("<b>Common stock</b>", "<b>ACME</b>")
    html = [f"<td>{left}</td><td>{right}</td>" for left, right in rows]
    assert table(*html) == "| Title of class | Symbol |\n| --- | --- |\n| Common stock | ACME |\n"
    assert table('<td colspan="2"><b>Registered:</b></td>', *html).startswith(
        "Registered:\n\n| Title of class | Symbol |"
    )


def test_ranges_of_figures_are_figures_and_take_their_sign() -> None:
    markdown = table(
        "<td></td><td>2025</td><td></td><td>2024</td><td></td>",
        "<td>Volatility</td><td>33 - 36</td><td>%</td><td>35 - 40</td><td>%</td>",
        "<td>Rate</td><td>4.3% - 4.5%</td><td></td><td>3.6 – 4.3</td><td>%</td>",
    )
    assert markdown.splitlines()[0] == "|  | 2025 | 2024 |"
    assert markdown.splitlines()[2:] == [
        "| Volatility | 33 - 36% | 35 - 40% |",
        "| Rate | 4.3% - 4.5% | 3.6 – 4.3% |",
    ]
    due = table(
        "<td></td><td>Less than</td><td>1 - 3</td>",
        "<td></td><td>1 year</td><td>years</td>",
        "<td>Debt</td><td>5</td><td>9</td>",
    )
    assert due.splitlines()[0] == "|  | Less than 1 year | 1 - 3 years |"


def test_periods_that_stand_beside_their_figures_go_over_them() -> None:
    markdown = table(
        '<td></td><td colspan="2">2025</td><td>2024</td><td>2023</td><td></td><td></td>',
        "<td>Sales</td><td></td><td></td><td>30</td><td>20</td><td></td><td>10</td>",
        "<td>Costs</td><td></td><td></td><td>3</td><td>2</td><td></td><td>1</td>",
    )
    assert markdown.splitlines()[0] == "|  | 2025 | 2024 | 2023 |"
    assert markdown.splitlines()[2] == "| Sales | 30 | 20 | 10 |"


def test_notes_behind_a_table_begin_at_the_line() -> None:
    markdown = table(
        "<td></td><td>2024</td><td>2023</td>",
        "<td>Notes<sup>1</sup></td><td>10</td><td>9</td>",
        '<td colspan="3"><sup>1</sup> Unaudited.</td>',
    )
    assert markdown.endswith("| Notes (1) | 10 | 9 |\n\n(1) Unaudited.\n")


def test_titles_and_notes_over_all_columns_stand_around_the_table() -> None:
    markdown = table(
        '<td colspan="3"><b>Debt of Acme</b></td>',
        "<td></td><td>2024</td><td>2023</td>",
        "<td>Notes</td><td>10</td><td>9</td>",
        '<td colspan="3">See Note 4.</td>',
    )
    assert markdown.startswith("Debt of Acme\n\n|  | 2024 | 2023 |")
    assert markdown.endswith("| Notes | 10 | 9 |\n\nSee Note 4.\n")


def test_the_scale_is_told_by_the_inline_facts_where_no_words_tell_it() -> None:
    fact = '<ix:nonFraction name="a:B" decimals="-6" scale="6">{}</ix:nonFraction>'
    rows = (
        "<td></td><td>2024</td><td>2023</td>",
        f"<td>Sales</td><td>{fact.format('10')}</td><td>{fact.format('9')}</td>",
    )
    assert table(*rows).startswith("(In millions)\n\n|")
    said = to_markdown(
        "<p>As follows (in millions):</p><table><tr>" + "</tr><tr>".join(rows) + "</tr></table>"
    )
    assert "(In millions)" not in said
    exact = '<ix:nonFraction name="a:C" decimals="INF">{}</ix:nonFraction>'
    mixed = table(*rows, f"<td>Shares</td><td>{exact.format('1,000')}</td><td>{exact.format('900')}</td>")
    assert mixed.startswith("|")
    per_share = '<ix:nonFraction name="a:D" decimals="2" scale="0">{}</ix:nonFraction>'
    both = table(
        *rows, f"<td>Basic</td><td>{per_share.format('1.20')}</td><td>{per_share.format('1.10')}</td>"
    )
    assert both.startswith("(In millions, except per share data)\n\n|")


def test_hidden_cells_and_bars_do_not_break_the_table() -> None:
    markdown = table(
        '<td></td><td style="display:none">x</td><td>2024</td>',
        '<td>a | b</td><td style="display:none">9</td><td>1</td>',
    )
    assert markdown.splitlines()[-1] == "| a ¦ b | 1 |"


def test_a_table_that_lays_out_the_page_is_no_table() -> None:
    inner = "<table><tr><td></td><td>2024</td></tr><tr><td>Cash</td><td>5</td></tr></table>"
    markdown = to_markdown(f"<table><tr><td><p>Text.</p>{inner}</td></tr></table>")
    assert markdown == "Text.\n\n|  | 2024 |\n| --- | --- |\n| Cash | 5 |\n"


FIGURES = st.integers(-10_000_000, 10_000_000)


@given(st.lists(st.tuples(FIGURES, FIGURES), min_size=1, max_size=6), st.data())
def test_every_figure_is_read_back_beside_its_label_and_under_its_year(
    rows: list[tuple[int, int]], data: st.DataObject
) -> None:
    html = list(HEADER)
    for number, values in enumerate(rows):
        cells = []
        for value in values:
            sign = data.draw(st.sampled_from(["", "$"]))
            cells.append((sign, f"({-value:,}", ")") if value < 0 else (sign, f"{value:,}", ""))
        html.append(figures(f"Line {chr(65 + number)}", *cells))
    lines = table(*html).splitlines()
    assert lines[2] == "|  | 2024 | 2023 |"
    read = {}
    for line in lines[4:]:
        label, *cells = line.strip("| ").split(" | ")
        plain = [re.sub(r"[$,)]", "", cell).replace("(", "-") for cell in cells]
        read[label] = tuple(map(int, plain))
    assert read == {f"Line {chr(65 + number)}": values for number, values in enumerate(rows)}
