"""The texts: every figure is a bar's or an indicator's, no date lies after the bar, nothing is advised."""

import gzip
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest
from real_bars import bars_of, eurusd_source, spy_source

from mintage.corpus.document import Document
from mintage.corpus.sources.markets.settings import Columns, Market
from mintage.corpus.sources.patterns.crosses import indicators_of
from mintage.corpus.sources.patterns.phrases import PHRASES, TITLES
from mintage.corpus.sources.patterns.readings import readings_of
from mintage.corpus.sources.patterns.series import series_of
from mintage.corpus.sources.patterns.settings import PatternsSource
from mintage.corpus.sources.patterns.source import files, read
from mintage.corpus.sources.report import SourceReport

NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?")
DAY = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d)?")
FIXED = re.compile(
    r"\((?:14|20,2|12,26,9)\)|\b(?:20|50|200)-bar|(?:of|the) (?:20|5) bars|: 5 (?:lower|higher)"
    r"|(?:above|below|crossed) (?:70|30|25)\b"
)
ADVICE = re.compile(r"\b(buy|sell|should|recommend|target|entry|expect|will|likely)\b", re.IGNORECASE)


def documents_of(source: PatternsSource) -> list[Document]:
    report = SourceReport()
    return list(read(source, report))


@pytest.fixture(scope="module")
def spy(shared_data) -> list[Document]:
    return documents_of(spy_source(shared_data))


def rounded(value: float, places: int) -> Decimal:
    return Decimal(value).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)


def test_every_figure_is_read_back_and_found_in_a_bar_that_the_text_names_or_in_an_indicator(
    spy, shared_data
):
    bars = bars_of(spy_source(shared_data))
    series = series_of(bars)
    position = {f"{moment:%Y-%m-%d}": bar for bar, moment in enumerate(bars.times)}
    found = indicators_of(series)
    prices = [*found.macd, *found.bands, found.average_range, found.vwap, *found.averages.values()]
    indexes = [found.rsi, found.directional.adx, found.directional.plus, found.directional.minus]
    lines = {}  # of necklines and triangles: computed, and checked where the shapes are
    for reading in readings_of(series, 5, 0.25):
        computed = {rounded(value.value, 4) for value in reading.values if value.unit == "price"}
        lines.setdefault(reading.known, set()).update(computed)
    checked = 0
    for document in spy:
        known = position[document.native_id.split("/")[1]]
        stated = {
            getattr(bars, what)[position[day]]
            for day in DAY.findall(document.text)
            for what in ("open", "high", "low", "close")
        }
        stated |= {rounded(column[known], 4) for column in prices if column[known] == column[known]}
        stated |= {rounded(column[known], 2) for column in indexes if column[known] == column[known]}
        stated |= lines[known]
        body = FIXED.sub("", DAY.sub("", document.text.replace("SPY_D", "")))
        for figure in NUMBER.findall(body):
            assert Decimal(figure.replace(",", "")) in stated, (document.text, figure)
            checked += 1
    assert checked > 50_000


def test_no_text_names_a_bar_after_its_own_and_each_names_its_own(spy):
    for document in spy:
        own = document.native_id.split("/")[1]
        days = DAY.findall(document.text)
        assert own in days and max(days) == own


def test_a_daily_reading_is_available_at_the_close_of_new_york(spy):
    days = {document.native_id.split("/")[1]: document.available_at for document in spy}
    assert days["2010-01-28"] == datetime(2010, 1, 28, 21, 0, tzinfo=UTC)  # 16:00 in winter
    assert days["2009-04-03"] == datetime(2009, 4, 3, 20, 0, tzinfo=UTC)  # and in summer
    assert [each.available_at for each in spy] == sorted(each.available_at for each in spy)


@pytest.fixture
def euro_week(shared_data, tmp_path) -> PatternsSource:
    """The first 700 quarters of an hour."""
    source = eurusd_source(shared_data)
    lines = gzip.decompress(Path(source.path).read_bytes()).splitlines(keepends=True)
    path = tmp_path / "EURUSD.csv"
    path.write_bytes(b"".join(lines[:701]))
    return replace(source, path=str(path))


def test_an_intraday_reading_is_available_at_the_end_of_its_bar(euro_week):
    documents = documents_of(euro_week)
    for document in documents:
        stamp = datetime.strptime(document.native_id.split("/")[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
        assert document.available_at == stamp + timedelta(minutes=15)
    ended = documents_of(replace(euro_week, stamp="end"))
    assert ended[0].available_at == documents[0].available_at - timedelta(minutes=15)


def test_a_file_may_begin_with_the_last_bar_of_a_day(euro_week):
    path = Path(euro_week.path)
    lines = path.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if " 23:45:00" in line)
    path.write_text("".join([lines[0], *lines[first:]]))
    documents = documents_of(euro_week)
    assert all(re.search(r"/\d{4}-\d\d-\d\d \d\d:\d\d$", each.native_id) for each in documents)
    assert any("VWAP of the day so far" in each.text for each in documents)


def test_the_texts_vary_and_give_no_advice(spy):
    assert not [document.text for document in spy if ADVICE.search(document.text)]
    assert {"|---|" in each.text for each in spy} == {True, False}
    shapes = {re.sub(r"[\d.,:-]+", "#", each.text) for each in spy}
    assert len(shapes) > 0.4 * len(spy)
    assert PHRASES.keys() == TITLES.keys()


def write_split(path, bars: int, adjusted: bool, ratio: int = 2) -> None:
    """A file of daily bars with a split at bar 60 (none by the ratio 1); its earlier prices are divided where
    `adjusted`."""
    rows = ["Date,Open,High,Low,Close,Volume,Dividends,Stock Splits"]
    for bar in range(bars):
        base = 100 + (bar * 37 % 23) + bar // 4
        halves = ratio if bar >= 60 or (adjusted and bars > 60) else 1
        prices = [Decimal(each) / halves for each in (base, base + 3, base - 3, base + (bar * 7 % 5) - 2)]
        day = datetime(2020, 1, 1) + timedelta(days=bar)
        split = ratio if bar == 60 and ratio != 1 else 0
        volume = 1_000 * (halves if adjusted or bar >= 60 else 1)
        rows.append(f"{day:%Y-%m-%d},{','.join(map(str, prices))},{volume},0,{split}")
    path.write_text("\n".join(rows) + "\n")


def split_source(path, adjusted: str) -> PatternsSource:
    columns = Columns(adjusted_close=None)
    return PatternsSource(
        path=str(path),
        licence="own",
        columns=columns,
        adjusted=adjusted,
        market=Market("USD", "UTC", "24:00"),
    )


@pytest.mark.parametrize("adjusted", ["none", "splits"])
def test_a_split_makes_no_reading_and_changes_none_that_was_known_before_it(tmp_path, adjusted):
    path = tmp_path / "XYZ.csv"
    write_split(path, 60, adjusted == "splits")
    before = documents_of(split_source(path, adjusted))
    write_split(path, 120, adjusted == "splits")
    after = documents_of(split_source(path, adjusted))
    assert before and [each.text for each in after[: len(before)]] == [each.text for each in before]
    day = datetime(2020, 1, 1) + timedelta(days=60)
    on_split = [each.text for each in after if each.native_id.endswith(f"{day:%Y-%m-%d}")]
    assert not any("gap" in text.lower() or "Bollinger band (20,2) at" in text for text in on_split)


AVERAGE = re.compile(r"(?:20|50|200)-bar average[ :|]+(\d+\.\d+)")
NOTE = re.compile(r" Earlier prices are adjusted for splits up to [\d-]+\.")


def figures_of(text: str) -> list[Decimal]:
    body = FIXED.sub("", DAY.sub("", NOTE.sub("", text)))
    return [Decimal(each.replace(",", "")) for each in NUMBER.findall(body)]


def test_a_split_only_changes_the_terms_that_prices_are_stated_in(tmp_path):
    """The same market with a 2-for-1 split and without one: the same readings, prices halved from then on."""
    write_split(tmp_path / "XYZ.csv", 300, False)
    split = documents_of(split_source(tmp_path / "XYZ.csv", "none"))
    write_split(tmp_path / "XYZ.csv", 300, False, ratio=1)
    whole = documents_of(split_source(tmp_path / "XYZ.csv", "none"))
    assert [each.native_id for each in split] == [each.native_id for each in whole]
    for one, other in zip(split, whole):
        assert DAY.findall(NOTE.sub("", one.text)) == DAY.findall(other.text)
        halved = 0
        for mine, theirs in zip(figures_of(one.text), figures_of(other.text), strict=True):
            half = abs(mine * 2 - theirs) <= Decimal("0.0001")  # figures are rounded to four places
            assert mine == theirs or half, (mine, theirs, one.text)
            halved += mine != theirs
        later = one.native_id.split("/")[1] >= "2020-03-01"  # the day of the split
        assert (halved >= 4) == later
        for mine, theirs in zip(AVERAGE.findall(one.text), AVERAGE.findall(other.text), strict=True):
            assert abs(Decimal(mine) * (2 if later else 1) - Decimal(theirs)) <= Decimal("0.0001")


def test_a_price_beside_a_bar_is_that_bars(spy, shared_data):
    bars = bars_of(spy_source(shared_data))
    position = {f"{moment:%Y-%m-%d}": bar for bar, moment in enumerate(bars.times)}
    beside = re.compile(r"(\d[\d,.]*) \((\d{4}-\d\d-\d\d)\)")
    pairs = [pair for each in spy for pair in beside.findall(each.text)]
    for price, day in pairs:
        prices = {getattr(bars, what)[position[day]] for what in ("open", "high", "low", "close")}
        assert Decimal(price.replace(",", "")) in prices
    assert len(pairs) > 3_000


def test_bars_of_another_length_than_stated_are_left_out_with_a_reason(euro_week, shared_data):
    report = SourceReport()
    assert list(read(replace(euro_week, bar_minutes=None), report)) == []
    assert report.bad_rows == 1 and "bar_minutes" in report.bad_row_examples[0].reason
    assert [name for _, name in files(spy_source(shared_data))] == ["SPY_D.csv"]


def test_a_bar_that_cannot_be_right_is_counted_and_gives_no_reading(tmp_path):
    path = tmp_path / "XYZ.csv"
    write_split(path, 50, False)
    lines = path.read_text().splitlines()
    cells = lines[30].split(",")
    lines[30] = ",".join([cells[0], *(str(Decimal(each) * 100) for each in cells[1:5]), *cells[5:]])
    path.write_text("\n".join(lines) + "\n")
    report = SourceReport()
    documents = list(read(replace(split_source(path, "none"), use="evaluate"), report))
    assert {(document.licence, document.use) for document in documents} == {("own", "evaluate")}
    assert report.bad_rows == 1 and "100 times" in report.bad_row_examples[0].reason
    assert documents and not any(cells[0] in each.text for each in documents)
