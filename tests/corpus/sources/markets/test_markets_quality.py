"""Broken price files are found broken and repaired ones pass, on recorded files and on planted errors."""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from mintage.corpus.sources.markets.bars import FileBar, read_file
from mintage.corpus.sources.markets.quality import Finding, findings, row_error
from mintage.corpus.sources.markets.settings import Columns, Market, MarketsSource
from mintage.corpus.sources.markets.source import read
from mintage.corpus.sources.report import SourceReport

# Each broken file of the fixtures, the kind of its error, and the rows that the repaired file changes or, for
# dividends, the ex-dates of the dividends in question.
BROKEN = {
    "1398-HK-1d-bad-div": ("dividend", 1),
    "3988-HK-1d-bad-div": ("dividend", 1),
    "4063-T-1d-bad-div": ("dividend", 1),
    "4063-T-1d-bad-stock-split": ("split", 9),
    "8TRA-DE-1d-missing-div-adjust": ("dividend", 1),
    "ABDP-L-1d-bad-div": ("dividend", 5),
    "ADIG-L-1d-bad-div": ("dividend", 11),
    "AET-L-1d-100x-error": ("unit", 23),
    "ALPHA-PA-1d-bad-stock-split": ("split", 1),
    "ASAI-L-1h-bad-unit": ("unit", 1),
    "AV-L-1wk-bad-stock-split": ("split", 1),
    "CLC-L-1d-bad-div": ("dividend", 3),
    "CNE-L-1d-bad-stock-split": ("split", 1),
    "DEX-AX-1d-bad-stock-split": ("split", 15),
}
PRICES = ("open", "high", "low", "close")


def rows_of(path, adjusted_close: bool = True) -> list[FileBar]:
    date = path.read_text().split(",", 1)[0]
    columns = Columns(date=date) if adjusted_close else Columns(date=date, adjusted_close=None)
    report = SourceReport()
    ((_, rows),) = read_file(path, path.name, columns, Market(), path.stem, report)
    assert report.bad_rows == 0
    return rows


def suspicious(rows: list[FileBar]) -> list[Finding]:
    return [finding for finding in findings(rows, "splits") if finding.kind != "empty"]


@pytest.fixture(scope="module")
def market_files(shared_data):
    return shared_data / "fixtures/markets"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_found_broken_row_by_row(market_files, name):
    kind, count = BROKEN[name]
    broken = rows_of(market_files / f"{name}.csv")
    repaired = rows_of(market_files / f"{name}-fixed.csv")
    found = {row for finding in suspicious(broken) if finding.kind == kind for row in finding.rows}
    assert len(found) == count
    if kind == "dividend":
        assert all(broken[row].dividend for row in found)
        return
    differ = {
        row
        for row, (one, other) in enumerate(zip(broken, repaired))
        if any(abs(getattr(one, what) / getattr(other, what) - 1) > Decimal("0.001") for what in PRICES)
    }
    # The whole of AET is left out: 14 of its 23 rows are wrong, and nothing in the file says which.
    assert found == differ or (name.startswith("AET") and differ < found)


def test_the_repaired_files_pass_but_for_six_rows_that_were_never_repaired(market_files):
    quiet, loud = [], {}
    for path in sorted(market_files.glob("*.csv")):
        if path.stem.endswith(("-fixed", "-no-bad-divs")):
            rows = rows_of(path)
            found = suspicious(rows)
            quiet.append(path.stem)
            if found:
                loud[path.stem] = [rows[row].close for finding in found for row in finding.rows]
    assert len(quiet) == 16
    assert list(loud) == ["CLC-L-1d-bad-div-fixed"]
    assert {round(close, 4) for close in loud["CLC-L-1d-bad-div-fixed"]} == {
        Decimal("0.0060")
    }  # 0.60 around it


def test_without_adjusted_closes_prices_in_another_unit_and_bad_splits_are_still_found(market_files):
    found = [
        name
        for name, (kind, _) in BROKEN.items()
        if kind != "dividend" and suspicious(rows_of(market_files / f"{name}.csv", adjusted_close=False))
    ]
    assert set(BROKEN) - set(found) == {
        *(name for name, (kind, _) in BROKEN.items() if kind == "dividend"),
        "AV-L-1wk-bad-stock-split",  # a weekly file: the week of the split needs the adjusted close
    }


def real_rows(shared_data, count: int) -> list[FileBar]:
    """Real bars of SPY with clean prices, of a time without splits."""
    columns = Columns("date", None, "open", "high", "low", "close", None, "volume", None, None)
    path = shared_data / "fixtures/ta/tulip/SPY_D.csv"
    ((_, rows),) = read_file(path, path.name, columns, Market(), "SPY", SourceReport())
    return rows[:count]


def scaled(row: FileBar, factor) -> FileBar:
    return row._replace(**{what: getattr(row, what) * factor for what in PRICES})


def test_no_false_alarm_on_twenty_years_of_spy(shared_data):
    assert findings(real_rows(shared_data, 5_241), "none") == []


@pytest.mark.parametrize("seed", range(6))
def test_planted_unit_errors_are_found_and_nothing_else(shared_data, seed):
    random = np.random.default_rng(seed)
    rows = real_rows(shared_data, 2_000)
    planted = {int(each) for each in random.choice(2_000, 12, replace=False)}
    factor = [Decimal(100), Decimal("0.01")][seed % 2]
    broken = [scaled(row, factor) if index in planted else row for index, row in enumerate(rows)]
    found = {row for finding in findings(broken, "none") for row in finding.rows}
    assert found == planted


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ratio", [2, 4, Decimal("0.1")])
def test_rows_that_missed_the_adjustment_for_a_split_are_found_and_nothing_else(shared_data, seed, ratio):
    random = np.random.default_rng(seed)
    rows = real_rows(shared_data, 2_000)
    at = int(random.integers(200, 1_900))
    rows[at] = rows[at]._replace(split=Decimal(ratio))
    assert findings(rows, "splits") == []  # the file is adjusted: no jump at the split is right
    late = int(random.integers(1, 50))
    single = int(random.integers(0, at - 70))
    broken = {*range(at - late), single} - {single} if seed % 2 else {single}
    changed = [scaled(row, Decimal(ratio)) if index in broken else row for index, row in enumerate(rows)]
    found = {row for finding in findings(changed, "splits") for row in finding.rows}
    assert found == broken


def test_a_file_said_to_be_unadjusted_whose_prices_do_not_jump_at_the_split_is_left_out_before_it(
    shared_data,
):
    rows = real_rows(shared_data, 500)
    rows[300] = rows[300]._replace(split=Decimal(2))
    (finding,) = findings(rows, "none")
    assert finding.kind == "split" and finding.rows == tuple(range(300))


@pytest.mark.parametrize("seed", range(6))
def test_planted_dividend_errors_are_found_and_right_ones_pass(seed):
    """A price walk with an adjusted close that follows every dividend, and one dividend mistyped by 100."""
    random = np.random.default_rng(seed)
    closes = 50 * np.exp(np.cumsum(random.normal(0, 0.015, 600)))
    paid = {int(each): 0.2 + 0.4 * random.random() for each in range(60, 600, 63)}
    adjusted = closes.copy()
    for at, amount in paid.items():
        adjusted[:at] *= 1 - amount / closes[at - 1]
    wrong = sorted(paid)[seed % len(paid)]
    rows = []
    for index, (close, adjusted_close) in enumerate(zip(closes, adjusted)):
        price = Decimal(repr(round(float(close), 4)))
        dividend = paid.get(index, 0.0) * (100 if index == wrong and seed % 2 else 1)
        rows.append(
            FileBar(
                line=index + 2,
                time=datetime(2020, 1, 1) + timedelta(days=index),
                open=price,
                high=price,
                low=price,
                close=price,
                adjusted_close=Decimal(repr(float(adjusted_close))),
                volume=None,
                dividend=Decimal(repr(dividend)),
                split=Decimal(0),
            )
        )
    found = {row for finding in findings(rows, "splits") for row in finding.rows}
    assert found == ({wrong} if seed % 2 else set())


def test_what_is_suspicious_is_counted_and_kept_out_of_the_texts(market_files):
    report = SourceReport()
    source = MarketsSource(
        path=str(market_files / "ABDP-L-1d-bad-div.csv"),
        licence="Apache-2.0",
        columns=Columns(date="Datetime"),
        market=Market("GBP", "Europe/London", "16:30"),
    )
    documents = list(read(source, report))
    assert report.bad_rows == 5 and "dividend" in report.bad_row_examples[0].reason
    assert not any("ividend" in document.text for document in documents)
    repaired = SourceReport()
    fixed = MarketsSource(
        path=str(market_files / "ABDP-L-1d-bad-div-fixed.csv"),
        licence="Apache-2.0",
        columns=Columns(date="Datetime"),
        market=Market("GBP", "Europe/London", "16:30"),
    )
    texts = [document.text for document in read(fixed, repaired)]
    assert repaired.bad_rows == 0 and sum("0.0176 pounds sterling" in text for text in texts) >= 1


def test_a_period_with_a_row_that_was_left_out_is_not_summarised(market_files):
    source = MarketsSource(
        path=str(market_files / "CLC-L-1d-bad-div-fixed.csv"),
        licence="Apache-2.0",
        columns=Columns(date="Datetime"),
        market=Market("GBP", "Europe/London", "16:30"),
    )
    report = SourceReport()
    labels = {document.native_id.split("/")[1] for document in read(source, report)}
    assert {"2024-05", "2024-06"} <= labels
    assert (
        not {"2024-07", "2024-08"} & labels
    )  # six rows from 2024-07-29 to 2024-08-05 are 100 times too small
    assert report.bad_rows == 7  # and the last row has no price


@pytest.mark.parametrize(
    ("prices", "volume", "kind"),
    [
        ((10, 12, 9, 11), 5, None),
        ((10, 9, 12, 11), 5, "range"),  # the high is below the low
        ((10, 12, 9, 0), 5, "range"),
        ((10, 12, 9, 11), -5, "range"),
        ((10, None, 9, 11), 5, "empty"),
    ],
)
def test_a_row_that_cannot_be_is_told_by_itself(prices, volume, kind):
    cells = [None if price is None else Decimal(price) for price in prices]
    row = FileBar(2, datetime(2024, 1, 2), *cells, None, Decimal(volume), Decimal(0), Decimal(0))
    wrong = row_error(row)
    assert (wrong and wrong[0]) == kind
