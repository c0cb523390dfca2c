"""What every provider's answers become: the right figures, units, days and refusals."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from pydantic import TypeAdapter

from mintage.corpus.document import Document
from mintage.corpus.sources.macro import bls, ecb, treasury, world_bank
from mintage.corpus.sources.macro.answers import refusing
from mintage.corpus.sources.macro.settings import (
    BlsSeries,
    EcbSeries,
    FredSeries,
    MacroSource,
    TreasuryTable,
    WorldBankIndicator,
)
from tests.corpus.sources.stored import as_json

from .hosts import Collected, Host, figures_in, response

CPI = BlsSeries(
    "CUUR0000SA0", "Consumer prices of all urban consumers, all items", "index points (1982-84 = 100)"
)
PAYROLLS = BlsSeries(
    "CES0000000001", "Employees on nonfarm payrolls", "thousand persons", "seasonally adjusted"
)
RATES = TreasuryTable(
    "v2/accounting/od/avg_interest_rates", "avg_interest_rate_amt", "monthly", ("security_desc",)
)
GDP = WorldBankIndicator("NY.GDP.MKTP.CD", ("DEU", "USA"), "USD")
LATER = datetime(2024, 5, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLS_API_KEY", raising=False)
    monkeypatch.delenv("FRED_API_KEY", raising=False)


def newest(documents: list[Document]) -> list[Document]:
    """The documents that no other supersedes."""
    replaced = {document.supersedes for document in documents}
    return [document for document in documents if document.doc_id not in replaced]


def test_bls_values_are_dated_by_their_retrieval_and_a_missing_month_is_said(store: Collected) -> None:
    settings = MacroSource(bls=(CPI,))
    store.collect(settings, Host({"CUUR0000SA0": response("bls_cpi.json")}))
    documents, report = store.documents(settings)
    assert report.bad_rows == 0
    of_2023, of_2024 = documents
    assert of_2023.available_at == datetime(2024, 4, 15, 12, tzinfo=UTC)
    assert of_2023.date_precision == "bound" and of_2023.period_end == date(2023, 12, 31)
    assert "2024-04-15" in of_2023.text and "CUUR0000SA0" in of_2023.text
    assert "index points (1982-84 = 100)" in of_2023.text and "not seasonally adjusted" in of_2023.text
    figures = list(figures_in(of_2023.text).values())
    assert len(figures) == 12 and figures.count(None) == 1
    assert Decimal("304.702") not in figures  # the average of the year is no month
    assert list(figures_in(of_2024.text).values()) == [Decimal(v) for v in ("308.417", "310.326", "312.332")]
    assert (
        of_2023.use == "ship" and of_2023.raw_sha256 and of_2023.url and of_2023.url.endswith("CUUR0000SA0")
    )


def test_a_series_that_is_said_to_be_final_is_dated_by_its_periods(store: Collected) -> None:
    settings = MacroSource(bls=(BlsSeries(CPI.id, CPI.title, CPI.unit, None, final_after_days=20),))
    store.collect(settings, Host({CPI.id: response("bls_cpi.json")}))
    documents, _ = store.documents(settings)
    january = documents[0]
    assert january.available_at == datetime(2023, 2, 20, 23, 59, 59, 999999, tzinfo=UTC)
    assert january.date_precision == "bound" and len(figures_in(january.text)) == 1
    march_2024 = documents[-1]  # its twentieth day after came after the retrieval
    assert march_2024.available_at == datetime(2024, 4, 15, 12, tzinfo=UTC)
    assert [document.vintage for document in documents[:12]] == list(range(12))


def test_a_revised_value_makes_a_document_that_supersedes_the_old(store: Collected) -> None:
    settings = MacroSource(bls=(PAYROLLS,))
    store.collect(settings, Host({PAYROLLS.id: response("bls_payrolls.json")}))
    store.collect(settings, Host({PAYROLLS.id: response("bls_payrolls_revised.json")}, now=LATER))
    documents, _ = store.documents(settings)
    first, second = [document for document in documents if document.native_id.endswith("/2024")]
    assert (first.vintage, second.vintage, second.supersedes) == (0, 1, first.doc_id)
    assert second.available_at == LATER
    assert list(figures_in(first.text).values())[1:] == [Decimal(157830), Decimal(158133)]
    assert list(figures_in(second.text).values())[1:] == [Decimal(157806), Decimal(158121), Decimal(158286)]
    assert "157,830 as of 2024-04-15" in second.text and "preliminary" in second.text
    assert len([document for document in documents if document.native_id.endswith("/2023")]) == 1


def test_a_value_that_was_said_to_be_final_and_changed_is_dated_by_the_fetch_that_found_it(
    store: Collected,
) -> None:
    final = BlsSeries(PAYROLLS.id, PAYROLLS.title, PAYROLLS.unit, None, final_after_days=10)
    settings = MacroSource(bls=(final,))
    store.collect(settings, Host({PAYROLLS.id: response("bls_payrolls.json")}))
    store.collect(settings, Host({PAYROLLS.id: response("bls_payrolls_revised.json")}, now=LATER))
    documents, _ = store.documents(settings)
    for document in documents:
        assert document.available_at is not None
        assert ("157,806" in document.text) == (document.available_at == LATER)


def test_a_value_that_the_portal_took_back_is_gone_from_that_day_on(store: Collected) -> None:
    settings = MacroSource(ecb=(EcbSeries("EXR", "D.USD.EUR.SP00.A"),))
    rows = response("ecb_exchange_rate.csv").decode().splitlines(keepends=True)
    back = rows[2].replace("1.0811", "").replace("Replace,2024-03-28", "Delete,2024-04-05")
    store.collect(settings, Host({"EXR": "".join([*rows[:3], back]).encode()}))
    *_, known, gone = store.documents(settings)[0]
    assert Decimal("1.0811") in figures_in(known.text).values()
    assert list(figures_in(gone.text).values()) == [Decimal("1.0816"), None]
    assert gone.available_at == datetime(2024, 4, 5, 21, 59, 59, 999999, tzinfo=UTC)


def test_a_registered_user_gets_years_and_the_key_is_sent_but_not_stored(
    store: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLS_API_KEY", "secret-of-bls")
    settings = MacroSource(bls=(CPI,), first_year=1990, last_year=2024)
    host = Host({CPI.id: response("bls_cpi.json")})
    store.collect(settings, host)
    assert [request.url.partition("?")[2] for request in host.asked] == [
        "startyear=1990&endyear=2009&catalog=true",
        "startyear=2010&endyear=2024&catalog=true",
    ]
    assert all(request.parameters == {"registrationkey": "secret-of-bls"} for request in host.asked)
    stored = b"".join(path.read_bytes() for path in store.raw.directory.rglob("*") if path.is_file())
    assert b"secret" not in stored


def test_treasury_pages_are_followed_and_each_label_is_a_series(store: Collected) -> None:
    settings = MacroSource(treasury=(RATES,), first_year=2024, last_year=2024)
    host = Host(
        {"number]=1": response("treasury_page_1.json"), "number]=2": response("treasury_page_2.json")}
    )
    account = store.collect(settings, host)
    assert account.refused == 0 and len(host.asked) == 2
    assert "filter=record_date:gte:2024-01-01,record_date:lte:2024-12-31" in host.asked[0].url
    documents, report = store.documents(settings)
    assert report.bad_rows == 0
    assert [document.title for document in documents] == [
        "Average Interest Rate Amount, Treasury Bills, 2024",
        "Average Interest Rate Amount, Treasury Bonds, 2024",
        "Average Interest Rate Amount, Treasury Notes, 2024",
    ]
    bills = figures_in(documents[0].text)
    assert list(bills.values()) == [Decimal("5.361"), Decimal("5.336"), Decimal("5.325")]
    notes = figures_in(documents[2].text)
    assert list(notes.values()).count(None) == 1 and "percent" in documents[2].text
    assert documents[0].period_end == date(2024, 3, 31)


def test_two_rows_for_one_period_are_not_guessed_between(store: Collected) -> None:
    table = TreasuryTable(RATES.endpoint, RATES.value, "monthly")  # without the labels
    settings = MacroSource(treasury=(table,))
    page = json.loads(response("treasury_page_1.json"))
    page["meta"]["total-pages"] = 1
    store.collect(settings, Host({"avg_interest_rates": as_json(page)}))
    documents, report = store.documents(settings)
    assert report.bad_rows == 3 and "name more of the table's labels" in str(report.bad_row_examples[0])
    assert list(figures_in(documents[-1].text).values()) == [Decimal("5.361"), Decimal("5.336")]


def test_world_bank_values_are_dated_by_the_databases_update(store: Collected) -> None:
    settings = MacroSource(world_bank=(GDP,), first_year=2020, last_year=2023)
    host = Host(
        {"&page=1": response("world_bank_page_1.json"), "&page=2": response("world_bank_page_2.json")}
    )
    account = store.collect(settings, host)
    assert account.refused == 0 and len(host.asked) == 2
    germany, usa = store.documents(settings)[0]
    assert germany.available_at == datetime(2024, 3, 29, 3, 59, 59, 999999, tzinfo=UTC)
    assert germany.title == "GDP (current US$), Germany, 2020 to 2029" and germany.licence == "CC BY 4.0"
    assert list(figures_in(germany.text).values())[:3] == [
        Decimal("3937007205404.81"),
        Decimal("4281346640842.41"),
        Decimal("4082469490797.68"),
    ]
    assert "US dollars" in usa.text and "25,744,108,000,000" in usa.text
    assert (
        list(figures_in(usa.text).values()).count(None) == 1
    )  # the year without a value is said, not filled
    assert usa.period_end == date(2022, 12, 31)


def test_ecb_history_dates_every_value(store: Collected) -> None:
    settings = MacroSource(
        ecb=(EcbSeries("EXR", "D.USD.EUR.SP00.A"), EcbSeries("BSI", "M.U2.Y.V.M30.X.1.U2.2300.Z01.E")),
        first_year=2023,
    )
    host = Host({"EXR/": response("ecb_exchange_rate.csv"), "BSI/": response("ecb_money.csv")})
    assert store.collect(settings, host).refused == 0
    documents, report = store.documents(settings)
    assert report.bad_rows == 0
    april = [document for document in documents if document.native_id.endswith("/2024-04")]
    assert [document.available_at.isoformat() for document in april if document.available_at] == [
        "2024-04-02T21:59:59.999999+00:00",
        "2024-04-03T21:59:59.999999+00:00",
    ]
    assert list(figures_in(april[0].text).values()) == [Decimal("1.0749")]
    assert list(figures_in(april[1].text).values()) == [Decimal("1.0754"), Decimal("1.0783")]
    assert "1.0749 as of 2024-04-02" in april[1].text and "US dollars" in april[1].text
    march = newest(documents)[0]
    assert "2024-03-29" in march.text and "not available" in march.text
    money = newest(documents)[2:]
    assert list(figures_in(money[0].text).values()) == [Decimal(16062544)]
    assert "million euros" in money[0].text and "adjusted for season" in money[0].text
    assert "provisional" in money[1].text


def test_fred_vintages_give_at_every_day_what_was_known_then(
    store: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRED_API_KEY", "secret-of-fred")
    settings = MacroSource(fred=FredSeries(("UNRATE",)), first_year=2023)
    host = Host(
        {
            "/series?": response("fred_series_unrate.json"),
            "/vintagedates?": response("fred_vintagedates_unrate.json"),
            "/observations?": response("fred_observations_unrate.json"),
        }
    )
    assert store.collect(settings, host).refused == 0
    assert all(request.parameters == {"api_key": "secret-of-fred"} for request in host.asked)
    assert not any("secret" in request.url or "vintage_date=" in request.url for request in host.asked)
    stored = b"".join(path.read_bytes() for path in store.raw.directory.rglob("*") if path.is_file())
    assert b"secret" not in stored
    documents, report = store.documents(settings)
    assert report.bad_rows == 0 and {document.use for document in documents} == {"none"}
    rows = json.loads(response("fred_observations_unrate.json"))["observations"]
    for document in documents:
        assert document.available_at is not None and document.date_precision == "day"
        day = document.available_at.astimezone(ZoneInfo("America/Chicago")).date().isoformat()
        known = {
            row["date"][:7]: None if row["value"] == "." else Decimal(row["value"])
            for row in rows
            if row["realtime_start"] <= day <= row["realtime_end"]
        }
        assert sorted(map(str, figures_in(document.text).values())) == sorted(map(str, known.values()))
    final = documents[-1]
    assert "3.8 as of 2023-09-01" in final.text  # August as it was first known
    assert final.available_at == datetime(
        2024, 1, 6, 5, 59, 59, 999999, tzinfo=UTC
    )  # the end of the day there
    accepted = MacroSource(fred=FredSeries(("UNRATE",), accept_terms=True), first_year=2023)
    assert {document.use for document in store.documents(accepted)[0]} == {"local"}


def test_fred_units_are_those_of_the_vintage(store: Collected, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRED_API_KEY", "k")
    settings = MacroSource(fred=FredSeries(("GDPC1",)), first_year=2023)
    dates = json.loads(response("fred_vintagedates_unrate.json"))
    host = Host(
        {
            "/series?": response("fred_series_gdpc1.json"),
            "/vintagedates?": as_json(dates),
            "/observations?": response("fred_observations_gdpc1.json"),
        }
    )
    store.collect(settings, host)
    documents, _ = store.documents(settings)
    assert [("Chained 2012" in document.text, "Chained 2017" in document.text) for document in documents] == [
        (True, False),
        (True, False),
        (True, False),
        (False, True),
    ]
    assert "20,235.878 as of 2023-04-27" in documents[2].text
    assert "20,235.878" not in documents[3].text  # not comparable: another unit
    assert list(figures_in(documents[3].text).values()) == [Decimal("22112.329"), Decimal("22225.35")]


def test_fred_histories_beyond_the_limit_are_asked_for_in_windows(
    store: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRED_API_KEY", "k")
    days = [date.fromordinal(date(2015, 1, 1).toordinal() + number).isoformat() for number in range(3200)]
    dates = {"count": len(days), "offset": 0, "limit": 10_000, "vintage_dates": days}
    host = Host(
        {
            "/series?": response("fred_series_unrate.json"),
            "/vintagedates?": as_json(dates),
            "/observations?": response("fred_observations_unrate.json"),
        }
    )
    store.collect(MacroSource(fred=FredSeries(("UNRATE",))), host)
    spans = [
        (request.url.split("realtime_start=")[1][:10], request.url.split("realtime_end=")[1][:10])
        for request in host.asked
        if "/observations" in request.url
    ]
    assert spans[0][0] == "1776-07-04" and spans[-1][1] == "9999-12-31" and len(spans) == 3
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert date.fromisoformat(start).toordinal() - date.fromisoformat(end).toordinal() == 1
    for start, end in spans:
        assert sum(start <= day <= end for day in days) <= 2000


def test_fred_without_a_key_says_how_to_get_one_and_asks_nothing(store: Collected) -> None:
    host = Host({"CES": response("bls_payrolls.json")})
    account = store.collect(MacroSource(bls=(PAYROLLS,), fred=FredSeries(("UNRATE",))), host)
    assert "FRED_API_KEY" in account.refusals[0] and account.fetched == 1
    assert not any("stlouisfed" in request.url for request in host.asked)


@pytest.mark.parametrize(
    ("rows_of", "body", "reason"),
    [
        (bls.values_of, response("bls_limit.json"), "REQUEST_NOT_PROCESSED: Request could not be serviced"),
        (bls.values_of, b"<html>busy</html>", "Expecting value"),
        (bls.values_of, as_json({"status": "REQUEST_SUCCEEDED", "Results": {"series": []}}), "no values"),
        (world_bank.rows_of, response("world_bank_error.json"), "Invalid value: The provided parameter"),
        (world_bank.rows_of, as_json([{"page": 1, "pages": 0, "total": 0}, None]), "no values"),
        (world_bank.rows_of, b'[{"page": 1, "pages": 1}, [{"value": NaN}]]', "NaN"),
        (treasury.rows_of, as_json({"error": "Invalid Query Param", "message": "no field x"}), "no field x"),
        (
            treasury.rows_of,
            response("treasury_page_1.json").replace(b'"count": 5', b'"count": 6'),
            "says that",
        ),
        (ecb.rows_of, b"KEY,TIME_PERIOD,OBS_VALUE\r\n", "no observations"),
        (ecb.rows_of, response("ecb_exchange_rate.csv")[:-40], "cut off"),
        (ecb.rows_of, b"<!DOCTYPE html>\n<p>maintenance</p>\n", "no column"),
        (treasury.rows_of, b"[" * 200_000, "nested"),
    ],
)
def test_an_error_with_status_200_is_a_failure(
    rows_of: Callable[[bytes], object], body: bytes, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        refusing(rows_of)(body)


def test_a_refused_series_does_not_end_the_others(store: Collected) -> None:
    settings = MacroSource(
        bls=(CPI, PAYROLLS), treasury=(RATES,), world_bank=(GDP,), ecb=(EcbSeries("EXR", "D.USD.EUR.SP00.A"),)
    )
    host = Host(
        {
            "CUUR": response("bls_limit.json"),
            "CES": response("bls_payrolls.json"),
            "worldbank": response("world_bank_error.json"),
            "EXR": response("ecb_exchange_rate.csv"),
        }
    )
    account = store.collect(settings, host)
    assert (account.fetched, account.refused) == (2, 3)
    documents, report = store.documents(settings)
    assert {document.native_id.partition("/")[0] for document in documents} == {"bls", "ecb"}
    assert report.bad_rows == 0


def test_bad_rows_are_counted_and_the_rest_goes_on(store: Collected) -> None:
    settings = MacroSource(bls=(PAYROLLS,))
    content = json.loads(response("bls_payrolls.json"))
    data = content["Results"]["series"][0]["data"]
    data[0]["value"] = "1_58133"
    data[1] = {"year": "2024"}
    data[2]["period"] = "X01"
    data.append({"year": "2031", "period": "M01", "value": "1", "footnotes": []})
    data.append({"year": "2023", "period": "M14", "value": "1", "footnotes": []})
    data.append(None)
    store.collect(settings, Host({PAYROLLS.id: as_json(content)}))
    documents, report = store.documents(settings)
    assert report.bad_rows == 6
    assert any("2031-01 lies after the retrieval" in str(example) for example in report.bad_row_examples)
    assert len(figures_in(documents[0].text)) == 12


def test_series_that_the_settings_no_longer_name_are_left_aside(store: Collected) -> None:
    store.collect(MacroSource(bls=(PAYROLLS,)), Host({"CES": response("bls_payrolls.json")}))
    documents, report = store.documents(MacroSource(bls=(CPI,)))
    assert (documents, report.bad_rows) == ([], 0)


def test_parsing_twice_gives_the_same_documents(store: Collected) -> None:
    settings = MacroSource(bls=(PAYROLLS,), ecb=(EcbSeries("EXR", "D.USD.EUR.SP00.A"),))
    store.collect(
        settings, Host({"CES": response("bls_payrolls.json"), "EXR": response("ecb_exchange_rate.csv")})
    )
    once, twice = store.documents(settings)[0], store.documents(settings)[0]
    assert [document.doc_id for document in once] == [document.doc_id for document in twice]


@pytest.mark.parametrize(
    "settings",
    [
        lambda: MacroSource(first_year=2020, last_year=2019),
        lambda: WorldBankIndicator("X", (), "USD"),
        lambda: EcbSeries("EXR", "D..EUR.SP00.A"),
        lambda: BlsSeries("X", "x", "percent", None, -1),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        settings()


def test_the_recipe_of_the_guide_is_one() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "sources" / "macro.md").read_text(encoding="utf-8")
    recipe = yaml.safe_load(guide.split("```yaml\n")[1].split("```")[0])
    (source,) = recipe["corpus"]["sources"]
    assert TypeAdapter(MacroSource).validate_python(source["macro"]).contact == "you@example.org"
