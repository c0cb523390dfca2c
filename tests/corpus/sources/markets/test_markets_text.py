"""The summaries: every figure is recomputed from the file, and nothing that came later is in them."""

import csv
import math
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mintage.corpus.document import Document
from mintage.corpus.sources.markets.bars import read_time
from mintage.corpus.sources.markets.settings import Columns, Market, MarketsSource
from mintage.corpus.sources.markets.source import files, read
from mintage.corpus.sources.report import SourceReport
from mintage.errors import MintageError

NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?%?")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
PRICES = ("Open", "High", "Low", "Close")
START = date(2019, 12, 30)


def sessions(count: int) -> list[date]:
    """Weekdays from the start on."""
    days = (START + timedelta(days=number) for number in range(2 * count))
    return [day for day in days if day.weekday() < 5][:count]


def write_bars(path: Path, bars: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["Date", *PRICES, "Volume", "Dividends", "Stock Splits"])
        writer.writeheader()
        writer.writerows(bars)


def market_bars(closes: list[int], splits: dict[int, int], dividends: dict[int, int]) -> list[dict]:
    """Bars as traded out of closes in cents; a split divides the prices from its day on."""
    bars, ratio = [], 1
    for index, (day, cents) in enumerate(zip(sessions(len(closes)), closes)):
        ratio *= splits.get(index, 1)
        prices = [Decimal(each) / 100 / ratio for each in (cents + 7, cents + 31, cents - 23, cents)]
        bars.append(
            {
                "Date": day.isoformat(),
                **dict(zip(PRICES, (str(round(price, 4)) for price in prices))),
                "Volume": 1_000_000 + 1_357 * index,
                "Dividends": dividends.get(index, 0) / 100,
                "Stock Splits": splits.get(index, 0),
            }
        )
    return bars


def source_of(path: Path, **changes) -> MarketsSource:
    base = MarketsSource(path=str(path), licence="own", columns=Columns(adjusted_close=None), adjusted="none")
    return replace(base, **changes)


def documents_of(source: MarketsSource) -> list[Document]:
    report = SourceReport()
    documents = list(read(source, report))
    assert report.bad_rows == 0, report.bad_row_examples
    return documents


class Recomputed:
    """The figures of a span of bars, computed anew in fractions in the terms of its last bar."""

    def __init__(self, bars: list[dict], first: int, last: int):
        self.bars, self.first, self.last = bars, first, last

    def factor(self, index: int) -> int:
        """The product of the splits after a bar and not after the last."""
        return math.prod(each["Stock Splits"] or 1 for each in self.bars[index + 1 : self.last + 1])

    def price(self, index: int, what: str) -> Fraction:
        return Fraction(self.bars[index][what]) / self.factor(index)

    def returns(self) -> list[Fraction]:
        start = max(self.first, 1)
        return [
            self.price(at, "Close") / self.price(at - 1, "Close") - 1 for at in range(start, self.last + 1)
        ]

    def figures(self) -> set[Decimal]:
        """Every figure that a summary of the span may state: prices to 4 places, percentages to 2."""
        span = range(self.first, self.last + 1)
        base = self.price(self.first - 1, "Close") if self.first else self.price(0, "Open")
        change = self.price(self.last, "Close") / base - 1
        growth = change + 1
        for at in range(max(self.first, 1), self.last + 1):
            if self.bars[at]["Dividends"]:
                growth *= 1 + Fraction(str(self.bars[at]["Dividends"])) / Fraction(self.bars[at]["Close"])
        closes = [self.price(at, "Close") for at in span]
        fall = min(min(each / max(closes[: at + 1]) - 1 for at, each in enumerate(closes)), Fraction(0))
        sample = self.returns()
        spread = 0.0
        if len(sample) > 1:
            mean = sum(sample) / len(sample)
            spread = math.sqrt(sum((each - mean) ** 2 for each in sample) / (len(sample) - 1) * 252)
        volume = sum(self.bars[at]["Volume"] * self.factor(at) for at in span)
        prices = [self.price(at, what) for at in [*span, max(self.first - 1, 0)] for what in PRICES]
        paid = [
            Fraction(str(self.bars[at]["Dividends"])) / self.factor(at)
            for at in range(self.first, self.last + 1)
        ]
        percentages = [change, growth - 1, fall, Fraction(spread)]
        return {
            *(to_places(each, 4) for each in prices),
            *(to_places(each, 6) for each in paid),
            *(to_places(sign * 100 * each, 2) for each in percentages for sign in (1, -1)),
            Decimal(len(span)),
            Decimal(volume),
            to_places(Fraction(volume, len(span)), 0),
            *(Decimal(self.bars[at]["Volume"] * self.factor(at)) for at in span),
            *(Decimal(each["Stock Splits"]) for each in self.bars),
            Decimal(1),
        }


def to_places(value: Fraction, places: int) -> Decimal:
    """Rounded half to even."""
    return Decimal(round(value * 10**places)) / 10**places


closes = st.lists(st.integers(-180, 180), min_size=70, max_size=140)


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=closes, split=st.integers(15, 60), ratio=st.sampled_from([2, 3, 4]), paid=st.integers(1, 400))
def test_every_figure_is_read_back_and_recomputed_from_the_file(tmp_path, steps, split, ratio, paid):
    cents = [20_000]
    for step in steps:
        cents.append(cents[-1] + step * 3)
    bars = market_bars(cents, {split: ratio}, {split - 9: paid, 66: 25})
    path = tmp_path / "ABC.csv"
    write_bars(path, bars)
    documents = documents_of(source_of(path))
    position = {bar["Date"]: index for index, bar in enumerate(bars)}
    checked = 0
    for document in documents:
        label = document.native_id.split("/")[1]
        own = [at for day, at in position.items() if period_of(day, label)]
        # months within a quarter are in its table, in the quarter's terms
        span = Recomputed(bars, own[0], own[-1])
        allowed = span.figures()
        for month in {bars[at]["Date"][:7] for at in own}:
            inside = [at for at in own if bars[at]["Date"].startswith(month)]
            allowed.add(Decimal(sum(bars[at]["Volume"] * span.factor(at) for at in inside)))
        body = DAY.sub("", document.text).replace(label, "")
        body = re.sub(
            r"\b(?:January|February|March|April|May|June) 20\d\d|quarter of 20\d\d|2020-\d\d", "", body
        )
        for figure in NUMBER.findall(body):
            value = Decimal(figure.rstrip("%").replace(",", ""))
            assert value in allowed, (figure, document.text)
            checked += 1
        check_days_and_signs(document.text, span, position)
    assert checked > 50 and documents


def check_days_and_signs(text: str, span: Recomputed, position: dict[str, int]) -> None:
    """A price beside a day is one of that day, a fall is the one between its days, and no sign is wrong."""
    beside = re.findall(r"(\d[\d,]*\.\d+)(?: US dollars)? (?:on |\()(\d{4}-\d\d-\d\d)", text)
    beside += [(price, day) for day, price in re.findall(r"\((\d{4}-\d\d-\d\d)\): (\d[\d,]*\.\d+)", text)]
    assert len(beside) >= 3
    for price, day in beside:
        prices = {to_places(span.price(position[day], what), 4) for what in PRICES}
        assert Decimal(price.replace(",", "")) in prices, (price, day, text)
    for peak, trough, fall in [
        *re.findall(r"drawdown \(([\d-]{10}) to ([\d-]{10})\): -([\d.]+)%", text),
        *(
            (peak, trough, fall)
            for fall, peak, trough in re.findall(
                r"(?:prices was|it fell) ([\d.]+)%.*?([\d-]{10}) (?:to|and) ([\d-]{10})", text
            )
        ),
    ]:
        ratio = span.price(position[trough], "Close") / span.price(position[peak], "Close")
        assert peak < trough and to_places(100 * (1 - ratio), 2) == Decimal(fall)
    base = span.price(span.first - 1, "Close") if span.first else span.price(0, "Open")
    change = to_places(100 * (span.price(span.last, "Close") / base - 1), 2)
    for said in re.findall(r"% (above|below) the (?:opening|close)", text):
        assert (said == "above") is (change > 0) or not change
    for said in re.findall(r"^Return from .*: (\S+)%$", text, re.MULTILINE):
        assert Decimal(said) == change


def period_of(day: str, label: str) -> bool:
    """Whether a day lies in the period of a label."""
    if "Q" in label:
        return day[:4] == label[:4] and (int(day[5:7]) + 2) // 3 == int(label[-1])
    return day.startswith(label)


def walk(count: int, seed: int = 3) -> list[int]:
    return [20_000 + (index * 7_919 * seed) % 1_409 + 11 * index for index in range(count)]


def adjusted_for_splits(bars: list[dict]) -> list[dict]:
    """The file as Yahoo would give it: prices, dividends and volume in the terms of the last bar."""
    whole = Recomputed(bars, 0, len(bars) - 1)
    return [
        {
            **bar,
            **{what: str(float(Fraction(bar[what]) / whole.factor(at))) for what in PRICES},
            "Volume": bar["Volume"] * whole.factor(at),
            "Dividends": str(float(Fraction(str(bar["Dividends"])) / whole.factor(at))),
        }
        for at, bar in enumerate(bars)
    ]


@pytest.mark.parametrize("adjusted", ["none", "splits"])
def test_a_later_split_never_changes_a_text_of_an_earlier_day(tmp_path, adjusted):
    bars = market_bars(walk(300), {250: 4, 120: 2}, {40: 50, 100: 52, 160: 27, 220: 28})
    path = tmp_path / "ABC.csv"

    def texts(count: int) -> dict[str, str]:
        given = bars[:count] if adjusted == "none" else adjusted_for_splits(bars[:count])
        write_bars(path, given)
        return {each.native_id: each.text for each in documents_of(source_of(path, adjusted=adjusted))}

    early, late = texts(245), texts(300)
    assert len(early) > 12 and early.items() <= late.items()
    assert len(late) > len(early)


def test_files_before_and_after_adjustment_give_the_same_texts(tmp_path):
    bars = market_bars(walk(300), {250: 4, 120: 2}, {40: 52, 220: 28})
    write_bars(tmp_path / "ABC.csv", bars)
    as_traded = [each.text for each in documents_of(source_of(tmp_path / "ABC.csv"))]
    write_bars(tmp_path / "ABC.csv", adjusted_for_splits(bars))
    assert as_traded == [
        each.text for each in documents_of(source_of(tmp_path / "ABC.csv", adjusted="splits"))
    ]
    assert any("2-for-1 split" in text for text in as_traded)


def test_more_bars_add_documents_and_rewrite_none(tmp_path):
    path, bars = tmp_path / "ABC.csv", market_bars(walk(280), {120: 2}, {40: 52})
    earlier: dict[str, str] = {}
    for count in range(20, 281, 9):
        write_bars(path, bars[:count])
        now = {each.native_id: each.text for each in documents_of(source_of(path))}
        assert earlier.items() <= now.items()
        earlier = now
    assert {"ABC/2020-01", "ABC/2020-Q1", "ABC/2020"} <= earlier.keys()


def test_a_summary_is_available_at_the_close_of_its_last_session(tmp_path):
    path = tmp_path / "ABC.csv"
    write_bars(path, market_bars(walk(270), {}, {}))
    by_id = {each.native_id: each for each in documents_of(source_of(path))}
    assert by_id["ABC/2020-01"].available_at == datetime(2020, 1, 31, 21, 0, tzinfo=UTC)
    assert by_id["ABC/2020-Q2"].available_at == datetime(2020, 6, 30, 20, 0, tzinfo=UTC)
    assert by_id["ABC/2020-Q2"].period_end == date(2020, 6, 30)
    assert "ABC/2019-12" not in by_id  # the file begins on the 30th
    tokyo = replace(source_of(path), market=Market("JPY", "Asia/Tokyo", "15:00"))
    assert documents_of(tokyo)[0].available_at == datetime(2020, 1, 31, 6, 0, tzinfo=UTC)
    never_closes = replace(source_of(path), market=Market(None, "UTC", "24:00"))
    assert documents_of(never_closes)[0].available_at == datetime(2020, 2, 1, tzinfo=UTC)


def test_a_universe_chooses_names_and_gives_sector_tables_with_exact_means(tmp_path):
    (tmp_path / "prices").mkdir()
    for number, symbol in enumerate(["AAA", "BBB", "CCC", "DDD", "OUT"]):
        write_bars(tmp_path / "prices" / f"{symbol}.csv", market_bars(walk(60, number + 2), {}, {}))
    universe = tmp_path / "universe.csv"
    universe.write_text(
        "symbol,name,sector,currency,exchange,zone,close,listed\n"
        "AAA,Alpha Inc.,Energy,USD,NYSE,America/New_York,16:00,2019-12-30\n"
        "BBB,Beta Ltd.,Energy,GBP,LSE,Europe/London,16:30,\n"
        "CCC,,Utilities,,,Europe/London,16:30,\n"
        "DDD,,Utilities,,,Atlantis,,\n"
    )
    report = SourceReport()
    source = source_of(tmp_path / "prices", universe=str(universe), periods=("month",), questions=True)
    source = replace(source, licence="as agreed", use="evaluate")
    documents = list(read(source, report))
    assert {(each.licence, each.use) for each in documents} == {("as agreed", "evaluate")}
    assert report.other_rows == 2 * 60 and report.bad_rows == 1  # OUT and DDD; Atlantis has no time
    by_id = {each.native_id: each for each in documents}
    table = by_id["sectors/2020-01"]
    returns = {}
    for number, symbol in enumerate(["AAA", "BBB", "CCC"]):
        prices = walk(60, number + 2)
        days = [day for day in sessions(60) if day < date(2020, 2, 1)]
        returns[symbol] = round(Fraction(prices[len(days) - 1], prices[1]) * 10_000 - 10_000)
    rows = {
        line.split(" | ")[0].strip("| "): line for line in table.text.splitlines() if line.startswith("| ")
    }
    mean = to_places(Fraction(returns["AAA"] + returns["BBB"], 200), 2)
    assert f"| Energy | 2 | {mean:+.2f}% | {mean:+.2f}% |" in rows["Energy"]
    assert f"CCC ({to_places(Fraction(returns['CCC'], 100), 2):+.2f}%)" in rows["Utilities"]
    assert table.available_at == by_id["AAA/2020-01"].available_at  # New York closes last
    assert "Alpha Inc. (AAA)" in by_id["AAA/2020-01"].text
    assert "pounds sterling" in by_id["BBB/2020-01"].text
    assert [name for _, name in files(source)] == [
        "universe.csv",
        *(f"{each}.csv" for each in ("AAA", "BBB", "CCC", "DDD", "OUT")),
    ]


def test_performance_since_the_listing_is_that_of_the_first_and_last_close(tmp_path):
    path = tmp_path / "ABC.csv"
    prices = walk(600)
    bars = market_bars(prices, {400: 3}, {200: 90, 450: 40})
    write_bars(path, bars)
    universe = tmp_path / "universe.csv"
    universe.write_text("symbol,listed\nABC,2019-12-30\n")
    source = source_of(path, universe=str(universe), periods=())
    documents = documents_of(source)
    assert [each.native_id for each in documents] == [
        "ABC/since-2019-12-30/2020-12-31",
        "ABC/since-2019-12-30/2021-12-31",
    ]
    last = next(index for index, bar in enumerate(bars) if bar["Date"] == "2021-12-31")
    multiple = Fraction(prices[last], prices[0])
    days = (date(2021, 12, 31) - START).days
    yearly = float(multiple) ** (365.25 / days) - 1
    text = documents[1].text
    assert "listing on 2019-12-30" in text and "3-for-1 split" in text
    assert f" {to_places(multiple, 2)}" in text and f"{yearly:+.2%}" in text
    total = multiple
    for at in (200, 450):
        total *= 1 + Fraction(str(bars[at]["Dividends"])) / Fraction(bars[at]["Close"])
    assert f"With dividends reinvested the multiple is {to_places(total, 2)}." in text
    assert "split" not in documents[0].text  # at the end of 2020 nobody knew of it
    assert documents[0].text.endswith(".")


def test_parquet_with_many_symbols_gives_the_texts_of_single_csv_files(tmp_path):
    bars = {symbol: market_bars(walk(70, seed), {}, {20: 31}) for symbol, seed in (("AAA", 2), ("BBB", 5))}
    rows = [{"Ticker": symbol, **bar} for symbol, mine in bars.items() for bar in mine]
    for row in rows:
        row["Date"] = date.fromisoformat(row["Date"])
        row |= {what: float(row[what]) for what in PRICES}
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "all.parquet")
    columns = Columns(adjusted_close=None, symbol="Ticker")
    together = documents_of(source_of(tmp_path / "all.parquet", columns=columns))
    (tmp_path / "single").mkdir()
    for symbol, mine in bars.items():
        write_bars(tmp_path / "single" / f"{symbol}.csv", mine)
    apart = documents_of(source_of(tmp_path / "single"))
    assert [each.text for each in together] == [each.text for each in apart]


def test_bad_cells_dates_and_doubles_are_counted_and_the_rest_goes_on(tmp_path):
    path = tmp_path / "ABC.csv"
    bars = market_bars(walk(70), {}, {})
    bars[3]["Open"] = "n/a"
    bars[5]["Date"] = "2020-13-45"
    bars[9]["Date"] = bars[8]["Date"]
    bars[30]["High"] = "-3"
    write_bars(path, bars)
    report = SourceReport()
    labels = [each.native_id for each in read(source_of(path), report)]
    assert report.bad_rows == 4
    assert [each.line for each in report.bad_row_examples] == [5, 7, 11, 32]
    assert "ABC/2020-03" in labels and "ABC/2020-02" not in labels  # the bar below zero is of February


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-01-02 00:00:00+00:00", datetime(2024, 1, 2)),  # a day, though still the first in New York
        ("2024-01-02 00:00:00-05:00", datetime(2024, 1, 2)),
        ("2024-01-02 15:30:00+01:00", datetime(2024, 1, 2, 9, 30)),
        ("2024-01-02", datetime(2024, 1, 2)),
    ],
)
def test_a_time_is_the_exchanges_and_a_midnight_is_a_day(written, expected):
    assert read_time(written, Columns(), ZoneInfo("America/New_York")) == expected


@pytest.mark.parametrize("step", [1 / 24, 7])
def test_bars_that_are_not_daily_are_refused_with_a_reason(tmp_path, step):
    path = tmp_path / "ABC.csv"
    bars = market_bars(walk(70), {}, {})
    for index, bar in enumerate(bars):
        bar["Date"] = (datetime(2020, 1, 1, 9) + timedelta(days=step * index)).isoformat(" ")
    write_bars(path, bars)
    report = SourceReport()
    assert list(read(source_of(path), report)) == []
    assert report.bad_rows == 1 and "daily bars" in report.bad_row_examples[0].reason


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="universe"):
        MarketsSource(licence="x", yfinance=True)
    with pytest.raises(ValueError, match="ship"):
        MarketsSource(licence="x", yfinance=True, universe="u.csv", use="ship")
    with pytest.raises(ValueError, match="not both"):
        MarketsSource(path="x", licence="x", yfinance=True, universe="u.csv")
    with pytest.raises(ValueError, match="zone"):
        Market(zone="Mars/Olympus")
    with pytest.raises(ValueError, match="close"):
        Market(close="four")
    with pytest.raises(MintageError, match="no such file"):
        files(MarketsSource(path="nowhere/*.csv", licence="x"))
