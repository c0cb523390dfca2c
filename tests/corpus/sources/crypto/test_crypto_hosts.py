"""What every host's answers become: the right figures, units, moments and refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mintage.corpus.extract.figures import FORMS
from mintage.corpus.sources.crypto import binance, blockchain, coingecko, defillama, source
from mintage.corpus.sources.crypto.bars_text import Day, month_text
from mintage.corpus.sources.crypto.settings import CoinGecko, CryptoSource, OnChainChart, months
from mintage.corpus.sources.macro.answers import refusing
from mintage.corpus.sources.macro.periods import part_of_year
from tests.corpus.extract.programs import result_of
from tests.corpus.sources.stored import as_json

from .hosts import NOW, Collected, Host, archive, bar_days, response

BITCOIN = CryptoSource(pairs=("BTC/USDT",), first_month="2024-12", last_month="2025-02")
ARCHIVES = {**archive("BTCUSDT-1d-2024-12"), **archive("BTCUSDT-1d-2025-01")}
KLINES = {"symbol=BTCUSDT": response("klines_BTCUSDT_2025-02.json")}


def numbers(text: str) -> set[Decimal]:
    """Every figure of a text, dates and times aside."""
    plain = re.sub(r"\d{4}-\d\d(-\d\d)?( \d\d:\d\d)?", "", text)
    return {Decimal(found.replace(",", "")) for found in re.findall(r"\d[\d,]*(?:\.\d+)?", plain)}


def test_months_come_from_archives_and_the_running_one_from_the_api(store: Collected) -> None:
    host = Host({**ARCHIVES, **KLINES})
    assert store.collect(BITCOIN, host).refused == 0
    documents, report = store.documents(BITCOIN)
    assert report.bad_rows == 0
    assert [(document.native_id, document.vintage) for document in documents] == [
        ("binance/BTC/USDT/1d/2024-12", 0),
        ("binance/BTC/USDT/1d/2025-01", 0),
        ("binance/BTC/USDT/1d/2025-02", 0),
    ]
    december, january, february = documents
    assert december.available_at == datetime(2025, 1, 1, tzinfo=UTC)  # milliseconds
    assert january.available_at == datetime(2025, 2, 1, tzinfo=UTC)  # microseconds
    assert february.available_at == datetime(2025, 2, 11, tzinfo=UTC)  # the end of the last whole bar
    assert {document.date_precision for document in documents} == {"second"}
    assert january.period_end == date(2025, 1, 31)
    assert "2025-01-12" in january.text and "not available" in january.text
    for document, name in ((december, "2024-12"), (january, "2025-01")):
        rows = bar_days(f"BTCUSDT-1d-{name}.csv")
        days = sorted(rows)
        figures = numbers(document.text)
        assert {Decimal(rows[day][4]) for day in days} <= figures  # every close
        assert Decimal(rows[days[0]][1]) in figures
        assert max(Decimal(row[2]) for row in rows.values()) in figures
        assert min(Decimal(row[3]) for row in rows.values()) in figures
        assert sum(Decimal(row[5]) for row in rows.values()) in figures
        assert sum(Decimal(row[7]) for row in rows.values()) in figures
        assert sum(int(row[8]) for row in rows.values()) in figures
        change = Decimal(rows[days[-1]][4]) - Decimal(rows[days[0]][1])
        assert abs(change) in figures
        assert any(
            abs(abs(change) / Decimal(rows[days[0]][1]) * 100 - figure) <= Decimal("0.005")
            for figure in figures
        )


def test_an_archive_is_fetched_again_only_when_its_published_checksum_changed(store: Collected) -> None:
    settings = CryptoSource(pairs=("BTC/USDT",), first_month="2024-12", last_month="2024-12")
    store.collect(settings, Host(ARCHIVES))
    again = Host(ARCHIVES)
    store.collect(settings, again)
    assert [request.url.rpartition(".")[2] for request in again.asked] == ["CHECKSUM"]
    table = response("BTCUSDT-1d-2024-12.csv").replace(b",96407.99000000,", b",96408.00000000,", 1)
    later = Host(archive("BTCUSDT-1d-2024-12", table), now=NOW + timedelta(days=9))
    store.collect(settings, later)
    assert len(later.asked) == 2
    first, corrected = store.documents(settings)[0]
    assert corrected.supersedes == first.doc_id and corrected.vintage == 1
    assert (corrected.available_at, corrected.date_precision) == (later.now, "bound")
    assert "96,408 USDT" in corrected.text and "96,407.99 USDT" in first.text


def test_a_damaged_archive_is_refused_and_the_bars_are_had_from_the_api_later(store: Collected) -> None:
    settings = CryptoSource(pairs=("BTC/USDT",), first_month="2025-01", last_month="2025-01")
    bodies = dict(ARCHIVES)
    bodies["BTCUSDT-1d-2025-01.zip"] = bodies["BTCUSDT-1d-2025-01.zip"][:-10]
    bodies = dict(sorted(bodies.items(), key=lambda item: "CHECKSUM" not in item[0]))
    account = store.collect(settings, Host(bodies))
    assert account.refused == 1 and "checksum" in account.refusals[0]
    assert store.documents(settings)[0] == []
    with pytest.raises(ValueError, match="not the checksum of"):
        binance.digest_of("BTCUSDT-1d-2025-01.zip", b"0" * 64 + b"  ETHUSDT-1d-2025-01.zip\n")


def test_questions_are_asked_of_whole_months_and_their_programs_give_the_answers(store: Collected) -> None:
    settings = replace(BITCOIN, questions=True)
    store.collect(settings, Host({**ARCHIVES, **KLINES}))
    documents, _ = store.documents(settings)
    asked = [document for document in documents if document.source == "crypto_questions"]
    assert {document.native_id.split("/")[4] for document in asked} == {"2024-12"}  # a day of January lacks
    evaluated = store.documents(replace(settings, use="evaluate"))[0]
    assert {(one.licence, one.use) for one in evaluated} == {("Binance terms of use", "evaluate")}
    rows = bar_days("BTCUSDT-1d-2024-12.csv")
    closes = {Decimal(row[4]) for row in rows.values()}
    december = {one.title: dict(one.entities) for one in asked if one.period_end == date(2024, 12, 31)}
    assert set(december) == {"return", "highest_close"}
    for about in december.values():
        result, operands = result_of(about["program"])
        assert set(operands) <= closes | {Decimal(100)}
        assert Fraction(about["answer"].split()[0].replace(",", "")) == result
    assert december["highest_close"]["answer"] == f"{max(closes).normalize():,f} USDT"
    assert len(documents) - len(asked) == 3


def test_a_month_without_an_archive_comes_from_the_api_and_grows(store: Collected) -> None:
    settings = CryptoSource(pairs=("BTC/USDT",), first_month="2025-02", last_month="2025-02")
    rows = json.loads(response("klines_BTCUSDT_2025-02.json"))
    early = datetime(2025, 2, 4, 10, tzinfo=UTC)
    store.collect(settings, Host({"klines?": as_json(rows[:4])}, now=early))  # the fourth day runs
    store.collect(settings, Host(KLINES))
    three, ten = store.documents(settings)[0]
    assert three.available_at == datetime(2025, 2, 4, tzinfo=UTC)
    assert (ten.supersedes, ten.date_precision) == (three.doc_id, "second")
    assert ten.available_at == datetime(2025, 2, 11, tzinfo=UTC)
    url = binance.bars_request(settings, "BTC/USDT", "2025-02").url
    assert "startTime=1738368000000&endTime=1740787199999" in url


def test_hours_are_put_together_to_days_exactly(store: Collected) -> None:
    settings = CryptoSource(pairs=("ETH/USDT",), first_month="2025-02", interval="1h")
    rows = json.loads(response("klines_ETHUSDT_1h_2025-02.json"))
    del rows[30]
    store.collect(settings, Host({"ETHUSDT": as_json(rows)}))
    (document,), _ = store.documents(settings)
    figures = numbers(document.text)
    for of_day in (rows[:24], rows[24:47], rows[47:]):
        assert Decimal(of_day[-1][4]) in figures
    assert sum(Decimal(row[5]) for row in rows) in figures
    assert "71 of 72 of 1h" in document.text
    bars = [binance.bar_of("2025-02", None, row, store.raw.answers[0]) for row in rows]
    days = binance.days_of([bar for bar in bars if bar is not None])
    for day, of_day in zip(days, (rows[:24], rows[24:47], rows[47:]), strict=True):
        columns = [[Decimal(row[number]) for row in of_day] for number in (1, 2, 3, 4, 5, 7, 8)]
        opened, high, low, close, *sums = columns
        assert (day.open, day.high, day.low, day.close) == (opened[0], max(high), min(low), close[-1])
        assert [day.volume, day.turnover, day.trades] == [sum(column) for column in sums]


def test_bars_that_cannot_be_are_left_out_and_counted(store: Collected) -> None:
    settings = CryptoSource(pairs=("BTC/USDT",), first_month="2025-02")
    rows = json.loads(response("klines_BTCUSDT_2025-02.json"))
    rows[0][2] = "1.00"  # a high below the low
    rows[1][4] = "NaN"
    rows[2] = rows[2][:5]
    rows[3] = list(rows[4])
    future = [value + 86_400_000 * 15 if number in (0, 6) else value for number, value in enumerate(rows[5])]
    elsewhere = [
        value - 86_400_000 * 60 if number in (0, 6) else value for number, value in enumerate(rows[5])
    ]
    store.collect(settings, Host({"klines?": as_json([*rows, future, elsewhere])}))
    (document,), report = store.documents(settings)
    assert report.bad_rows == 6
    assert "opened on 2025-02-05 at" in document.text
    gap = document.text.split("not available")[1]
    assert re.findall(r"2025-02-\d\d", gap) == ["2025-02-01", "2025-02-02", "2025-02-03", "2025-02-04"]


def test_chain_charts_are_dated_by_the_day_after_where_they_are_final(store: Collected) -> None:
    host = Host({"n-transactions": response("chart_n_transactions.json")})
    bound = CryptoSource(charts=(OnChainChart("n-transactions"),), first_month="2025-01")
    store.collect(bound, host)
    assert {document.available_at for document in store.documents(bound)[0]} == {NOW}
    final = CryptoSource(charts=(OnChainChart("n-transactions", 1),), first_month="2025-02")
    documents, report = store.documents(final)
    assert report.bad_rows == 0 and [document.vintage for document in documents] == [0, 1]
    assert documents[-1].available_at == datetime(2025, 2, 4, 23, 59, 59, 999999, tzinfo=UTC)
    assert {Decimal(296604), Decimal(371286)} <= numbers(documents[-1].text)
    assert "Transactions" in documents[-1].text and "371,286" in documents[-1].text
    assert "340,872" not in documents[-1].text  # January was not asked for
    evaluated = store.documents(replace(final, use="evaluate"))[0]
    assert {(one.licence, one.use) for one in evaluated} == {("Blockchain.com terms of service", "evaluate")}


def test_a_protocol_is_described_as_of_its_retrieval(store: Collected) -> None:
    settings = CryptoSource(protocols=("aave-v3",), first_month="2025-01")
    store.collect(settings, Host({"aave-v3": response("protocol_aave_v3.json")}))
    documents, report = store.documents(settings)
    assert report.bad_rows == 0
    facts, january, february = documents
    assert (facts.available_at, facts.date_precision, facts.kind) == (NOW, "bound", "protocol")
    for said in (
        "Lending",
        "AAVE",
        "4,837,209,113.277391 US dollars",
        "17,214,987,310.11215 US dollars",
        "Strategic; 25,000,000 US dollars; led by Blockchain Capital, Standard Crypto",
        "16,200,000 US dollars",
        "2018-01-01",
        "Deployed on Ethereum",
        "2025-02-11",
    ):
        assert said in facts.text
    assert facts.text.index("2018-01-01") < facts.text.index("2020-10-12")
    assert Decimal("20199201983.0011") in numbers(january.text)
    assert numbers(february.text) >= {Decimal("19644200001"), Decimal("18645658129.612152")}
    assert Decimal("18600000000.1") not in numbers(february.text)  # the running hour is no day's value
    assert "US dollars" in february.text

    content = json.loads(response("protocol_aave_v3.json"))
    content["mcap"] = 5000000000
    store.collect(settings, Host({"aave-v3": as_json(content)}, now=NOW + timedelta(days=1)))
    newer = [document for document in store.documents(settings)[0] if document.kind == "protocol"]
    assert newer[1].supersedes == newer[0].doc_id and "5,000,000,000 US dollars" in newer[1].text
    assert {one.use for one in store.documents(replace(settings, use="evaluate"))[0]} == {"evaluate"}
    assert len(store.documents(settings)[0]) == 4  # the unchanged history makes no new documents


def test_a_future_event_of_a_protocol_is_refused(store: Collected) -> None:
    content = json.loads(response("protocol_aave_v3.json"))
    content["hallmarks"].append([4102444800, "the year 2100"])
    settings = CryptoSource(protocols=("aave-v3",), first_month="2025-01")
    store.collect(settings, Host({"aave-v3": as_json(content)}))
    documents, report = store.documents(settings)
    assert report.bad_rows == 1 and {document.kind for document in documents} == {"series"}


def test_coingecko_is_not_asked_before_its_terms_are_accepted(
    store: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COINGECKO_API_KEY", "secret-of-coingecko")
    refused = CryptoSource(coingecko=CoinGecko(("bitcoin",)), first_month="2025-01")
    host = Host({"bitcoin": response("market_chart_bitcoin.json")})
    account = store.collect(refused, host)
    assert host.asked == [] and "accept_terms" in account.refusals[0]
    accepted = CryptoSource(coingecko=CoinGecko(("bitcoin",), accept_terms=True), first_month="2025-01")
    store.collect(accepted, host)
    assert host.asked[0].headers == {"x-cg-demo-api-key": "secret-of-coingecko"}
    stored = b"".join(path.read_bytes() for path in store.raw.directory.rglob("*") if path.is_file())
    assert b"secret" not in stored
    documents, report = store.documents(accepted)
    assert report.bad_rows == 0 and {document.use for document in documents} == {"local"}
    assert {document.use for document in store.documents(refused)[0]} == {"none"}
    prices = [document for document in documents if "prices" in document.native_id]
    assert numbers(prices[-1].text) >= {Decimal("102405.02703166645"), Decimal("100655.90581926")}
    assert all(Decimal("97885.86") not in numbers(document.text) for document in documents)
    assert "not available" in next(d.text for d in documents if d.native_id.endswith("market_caps/2025-02"))


@pytest.mark.parametrize(
    ("rows_of", "body", "reason"),
    [
        (binance.check_bars, as_json({"code": -1121, "msg": "Invalid symbol."}), "Invalid symbol"),
        (binance.check_bars, b"[]", "no bars"),
        (
            binance.check_bars,
            response("klines_BTCUSDT_2025-02.json")[:-100],
            "Expecting|delimiter|Unterminated",
        ),
        (blockchain.rows_of, as_json({"status": "not-found", "error": "not-found"}), "not-found"),
        (blockchain.rows_of, as_json({"status": "ok", "period": "minute", "values": [1]}), "only daily"),
        (blockchain.rows_of, as_json({"status": "ok", "period": "day", "values": []}), "no values"),
        (defillama.rows_of, as_json({"message": "Protocol is not in our database"}), "not in our database"),
        (defillama.rows_of, b"<html></html>", "Expecting value"),
        (coingecko.rows_of, as_json({"status": {"error_code": 429, "error_message": "limit"}}), "429"),
        (coingecko.rows_of, as_json({"prices": [], "market_caps": []}), "none in the answer"),
    ],
)
def test_an_error_with_status_200_is_a_failure(
    rows_of: Callable[[bytes], object], body: bytes, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        refusing(rows_of)(body)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CryptoSource(first_month="2024-13"),
        lambda: CryptoSource(first_month="2024-05", last_month="2024-04"),
        lambda: CryptoSource(pairs=("BTCUSDT",)),
        lambda: OnChainChart("x", -1),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        make()


def test_months_run_from_the_first_to_the_running_one() -> None:
    assert months(CryptoSource(first_month="2024-11"), date(2025, 2, 11)) == [
        "2024-11",
        "2024-12",
        "2025-01",
        "2025-02",
    ]
    asked = CryptoSource(first_month="2024-11", last_month="2024-12")
    assert months(asked, date(2025, 2, 11)) == ["2024-11", "2024-12"]


PRICES = st.decimals("0.00000001", "1000000", places=8)


@st.composite
def day_lists(draw: st.DrawFn) -> list[Day]:
    numbers_of_days = sorted(draw(st.sets(st.integers(1, 28), min_size=1, max_size=8)))
    found = []
    for number in numbers_of_days:
        low, middle, other, high = sorted(draw(st.lists(PRICES, min_size=4, max_size=4)))
        volume = draw(st.decimals(0, 10**12, places=8))
        found.append(
            Day(
                date(2024, 2, number),
                middle,
                high,
                low,
                other,
                volume,
                volume * 3,
                draw(st.integers(0, 10**9)),
                1,
            )
        )
    return found


@settings(max_examples=40)
@given(day_lists())
@example(
    [  # the highest price is not of the day of the highest close, nor the lowest of that of the lowest
        Day(date(2024, 2, number), *map(Decimal, prices), Decimal(1), Decimal(3), 5, 1)
        for number, prices in ((1, (10, 20, 5, 10)), (2, (10, 13, 9, 12)), (3, (12, 12, 8, 9)))
    ]
)
def test_every_figure_of_a_month_is_one_of_its_bars_or_the_stated_sum_of_them(days: list[Day]) -> None:
    change = abs(days[-1].close - days[0].open)
    derived = {change, sum(day.volume for day in days), sum(day.turnover for day in days)}
    derived |= {Decimal(sum(day.trades for day in days)), round(change * 100 / days[0].open, 2)}
    given_here = {value for day in days for value in (day.open, day.high, day.low, day.close, day.volume)}
    given_here |= {Decimal(day.trades) for day in days}
    month = part_of_year(2024, 2, "monthly")
    for form in FORMS:
        text = month_text("BTC/USDT", "1d", month, days, datetime(2024, 3, 1, tzinfo=UTC), form)
        text = text.replace("February 2024", "")
        assert numbers(text) <= derived | given_here
        assert {day.close for day in days} | {change} <= numbers(text)
        assert (" fell by " in text or "close: -" in text) is (days[-1].close < days[0].open)
        found = re.search(r"(?:High: |highest price was )([\d,.]+) USDT", text)
        assert found and Decimal(found[1].replace(",", "")) == max(day.high for day in days)
        found = re.search(r"(?:Low: |the lowest )([\d,.]+) USDT", text)
        assert found and Decimal(found[1].replace(",", "")) == min(day.low for day in days)
        by_day = {day.day.isoformat(): (day.open, day.high, day.low, day.close) for day in days}
        for price, day in re.findall(r"(\d[\d,]*(?:\.\d+)?)(?: USDT)? on (\d{4}-\d\d-\d\d)", text):
            assert Decimal(price.replace(",", "")) in by_day[day]


def test_the_source_asks_and_reads_through_its_own_functions(store: Collected) -> None:
    assert source.user_agent(CryptoSource(contact="a@b.org")).endswith("(a@b.org)")
    assert set(source.RATES) >= {"data.binance.vision", "api.llama.fi"}
    assert store.documents(CryptoSource())[0] == []


def test_the_recipe_of_the_guide_is_one() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "sources" / "crypto.md").read_text(encoding="utf-8")
    recipe = yaml.safe_load(guide.split("```yaml\n")[1].split("```")[0])
    (source,) = recipe["corpus"]["sources"]
    assert TypeAdapter(CryptoSource).validate_python(source["crypto"]).contact == "you@example.org"
