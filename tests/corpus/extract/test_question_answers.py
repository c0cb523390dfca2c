"""Questions about figures: answers are what their programs give, operands are in context and source."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mintage.corpus.document import Document, chat_messages
from mintage.corpus.extract.figures import form_of, read
from mintage.corpus.extract.measures import TAGS, Measure, measures
from mintage.corpus.extract.question_answers import PER_KIND, documents
from mintage.corpus.extract.vintages import Answer, read_company
from mintage.corpus.sources.report import SourceReport

from .programs import result_of
from .readers import CIKS, Raw, fits, period_of, raw_facts, read_form, recording

KINDS = {
    *("lookup", "difference", "growth", "higher_period", "larger_measure", "share", "multiple", "remainder"),
    *("margin_change", "total", "average"),
}


def made(body: bytes, **more: Any) -> list[Document]:
    url = "https://data.sec.gov/api/xbrl/companyfacts/CIK.json"
    answer = Answer(body, url, "0" * 64, "US public domain", "ship", **more)
    return list(documents(answer, "edgar_questions"))


@cache
def recorded(shared_data: Path, cik: str) -> list[Document]:
    return made(recording(shared_data, cik))


@pytest.mark.parametrize("cik", CIKS)
def test_every_answer_is_what_its_program_gives_on_figures_of_one_filing(shared_data: Path, cik: str) -> None:
    filings: dict[str, list[Raw]] = defaultdict(list)
    for raw in raw_facts(recording(shared_data, cik)):
        filings[raw.accession].append(raw)
    kinds: Counter[str] = Counter()
    figures = 0
    for document in recorded(shared_data, cik):
        about = dict(document.entities)
        raws = filings[about["accession"]]
        prompt, reply = (message["content"] for message in chat_messages(document.text))
        origin, context = prompt.split("\n\n", 1)
        assert about["accession"] in origin and raws[0].filed in origin
        context, question = context.rsplit("\n\n", 1)
        name = origin.split(" (CIK")[0]
        shown = list(
            read_form(form_of(document.native_id), context, ["USD", "USD/shares"], {n: n for n in TAGS}, name)
        )
        for figure in shown:
            assert any(
                raw.value == figure.value
                and raw.tag in TAGS[figure.label]
                and fits(raw.start, raw.end, figure.start)
                for raw in raws
                if raw.end == figure.end and raw.unit == figure.unit
            ), (document.native_id, figure)
        figures += len(shown)
        result, operands = result_of(about["program"])
        known = {figure.value for figure in shown} | {Decimal(100), Decimal(3)}
        assert set(operands) <= known, document.native_id
        assert not re.search(
            r"[-+*/x] -", about["program"] + reply
        )  # a minus after a sign stands in brackets
        assert "/ (-" not in about["program"] and "/ 0 " not in about["program"]  # no ratio to such a base
        answer, kind = about["answer"], document.title
        kinds[kind] += 1
        assert answer in reply and "latest" not in reply
        if kind in ("difference", "growth"):
            assert (" rose by " if result > 0 else " fell by ") in reply and " by -" not in reply
        if isinstance(result, bool):
            greatest = [figure for figure in shown if figure.value == max(operands)]
            assert answer in question or answer in question.replace("In the", "in the").replace(
                "At 2", "at 2"
            )
            if kind == "larger_measure":
                assert answer in {figure.label for figure in greatest}
            else:
                start, end = period_of(answer.removeprefix("in "))
                assert any(fits(figure.start, figure.end, start) and figure.end == end for figure in greatest)
        elif answer.endswith(" percent"):
            assert Fraction(answer.removesuffix(" percent").replace(",", "")) == result
        elif answer.endswith(" percentage points"):
            assert Fraction(answer.removesuffix(" percentage points").replace(",", "")) == result
        else:
            assert Fraction(read(answer).value) == result
    assert set(kinds) == KINDS
    assert (
        max(Counter((dict(d.entities)["accession"], d.title) for d in recorded(shared_data, cik)).values())
        <= PER_KIND
    )
    print(cik, f"{sum(kinds.values()):,} questions, {figures:,} figures of contexts read back", dict(kinds))


@pytest.mark.parametrize("cik", CIKS[2:])
def test_comparisons_name_what_is_greater(shared_data: Path, cik: str) -> None:
    for document in recorded(shared_data, cik):
        if document.title not in ("higher_period", "larger_measure"):
            continue
        about = dict(document.entities)
        reply = chat_messages(document.text)[1]["content"]
        larger, smaller = re.search(r": (\S+) is more than (\S+) \(", reply).groups()
        assert read(larger).value > read(smaller).value
        first_is_greater, operands = result_of(about["program"])
        assert first_is_greater == (operands[0] > operands[1])


def test_questions_are_known_when_their_filing_is_and_need_no_later_one(shared_data: Path) -> None:
    body = recording(shared_data, "0001835632")
    everything = recorded(shared_data, "0001835632")
    assert len({document.doc_id for document in everything}) == len(everything)
    filed = {raw.accession: raw.filed for raw in raw_facts(body)}
    for document in everything:
        day = date.fromisoformat(filed[dict(document.entities)["accession"]])
        assert document.available_at and document.available_at.astimezone(UTC).date() >= day
        assert document.period_end and document.period_end <= day
        assert (document.date_precision, document.published_at) == ("bound", None)
    day = sorted(filed.values())[len(filed) // 2]
    answer = json.loads(body, parse_float=lambda text: f"number {text}")
    for tags in answer["facts"].values():
        for about in tags.values():
            for unit, entries in about["units"].items():
                about["units"][unit] = [one for one in entries if one["filed"] <= day]
    cut = re.sub(r'"number ([^"]+)"', r"\1", json.dumps(answer)).encode()
    assert made(cut) == [one for one in everything if filed[dict(one.entities)["accession"]] <= day]


def small(**tags: float) -> bytes:
    entry = {"start": "2019-01-01", "end": "2019-12-31", "accn": "0000000007-20-000001", "form": "10-K"}
    facts = {
        tag: {"label": tag, "units": {"USD": [{**entry, "val": value, "filed": "2020-02-01"}]}}
        for tag, value in tags.items()
    }
    return json.dumps({"cik": 7, "entityName": "Acme Inc.", "facts": {"us-gaap": facts}}).encode()


@pytest.mark.parametrize(
    ("tags", "revenue"),
    [
        ({"Revenues": 100}, 100),
        ({"Revenues": 100, "SalesRevenueNet": 100}, 100),
        ({"Revenues": 120, "SalesRevenueNet": 100}, None),
        ({"Revenues": 120, "SalesRevenueNet": 100, "CostOfRevenue": 60, "GrossProfit": 40}, 100),
        ({"Revenues": 120, "SalesRevenueNet": 100, "CostOfRevenue": 60, "GrossProfit": 50}, None),
    ],
)
def test_revenue_is_taken_only_where_the_filing_leaves_no_doubt(
    tags: dict[str, float], revenue: int | None
) -> None:
    company = read_company(small(**tags), {}, SourceReport(), "facts.json")
    assert company is not None
    found = measures(company.facts).get(Measure("revenue", (date(2019, 1, 1), date(2019, 12, 31))))
    assert (found and found.value) == revenue


def test_a_base_of_zero_or_less_gives_no_ratio_and_no_growth() -> None:
    kinds = {one.title for one in made(small(Revenues=0, GrossProfit=-5, OperatingIncomeLoss=-10))}
    assert kinds == {"lookup"}


def test_acceptance_is_when_a_question_is_known() -> None:
    accepted = datetime(2020, 2, 1, 21, 30, 15, tzinfo=UTC)
    found = made(
        small(Revenues=100, GrossProfit=40),
        acceptance={"0000000007-20-000001": (accepted, "second")},
        tickers=["ACME"],
    )
    assert {("cik", "0000000007"), ("ticker", "ACME")} <= set(found[0].entities)
    assert {(one.available_at, one.date_precision) for one in found} == {(accepted, "second")}
    (margin,) = (one for one in found if one.title == "share")
    assert dict(margin.entities)["program"] == "round(40 / 100 * 100, 1)"
    reply = chat_messages(margin.text)[1]["content"]
    assert reply == (
        "In the fiscal year ended 2019-12-31, Acme Inc.'s gross margin was 40.0 percent: "
        "40 / 100 x 100 = 40.0 percent (figures in US dollars)."
    )


def filed(form: str, *rows: tuple[str, str, str | None, str, float]) -> list[Document]:
    """The questions about a filing that states these rows: tag, unit, first and last day, value."""
    facts: dict[str, Any] = {}
    for tag, unit, start, end, value in rows:
        one = {"end": end, "val": value, "accn": "0000000007-20-000001", "form": form, "filed": "2020-02-01"}
        units = facts.setdefault(tag, {"label": tag, "units": {}})["units"]
        units.setdefault(unit, []).append(one | ({"start": start} if start else {}))
    return made(json.dumps({"cik": 7, "entityName": "Acme Inc.", "facts": {"us-gaap": facts}}).encode())


def year(tag: str, number: int, value: float, unit: str = "USD") -> tuple[str, str, str | None, str, float]:
    return tag, unit, f"{number}-01-01", f"{number}-12-31", value


def at(tag: str, number: int, value: float) -> tuple[str, str, str | None, str, float]:
    return tag, "USD", None, f"{number}-12-31", value


def replies(documents: list[Document]) -> str:
    return "\n".join(chat_messages(document.text)[1]["content"] for document in documents)


def test_three_years_are_compared_added_and_averaged_as_by_hand() -> None:
    revenue = [
        year("Revenues", number, value * 10**6) for number, value in ((2017, 500), (2018, 400), (2019, 650))
    ]
    documents = filed("10-K", *revenue)
    said = replies(documents)
    years = "the fiscal years ended 2017-12-31, 2018-12-31 and 2019-12-31"
    first, second = (f"the fiscal year ended {number}-12-31" for number in (2017, 2018))
    for sentence in (
        f"From {first} to {second}, Acme Inc.'s revenue fell by 100 million US dollars: "
        "400 - 500 = -100 million US dollars.",
        f"From {first} to {second}, Acme Inc.'s revenue fell by 20.0 percent: "
        "(400 - 500) / 500 x 100 = -20.0 percent (figures in millions of US dollars).",
        f"Over {years}, the total of Acme Inc.'s revenue was 1,550 million US dollars: "
        "500 + 400 + 650 = 1,550 million US dollars.",
        f"Over {years}, the average of Acme Inc.'s revenue was 516.7 million US dollars: "
        "(500 + 400 + 650) / 3 = 516.7 million US dollars.",
    ):
        assert sentence in said
    ends = {one.title: one.period_end for one in documents if one.title in ("total", "average")}
    assert set(ends.values()) == {date(2019, 12, 31)}
    assets = filed("10-K", *(at("Assets", number, 100 + number) for number in (2017, 2018, 2019)))
    kinds = {document.title for document in assets}
    assert "average" in kinds and "total" not in kinds  # what is there on three days cannot be added up


@pytest.mark.parametrize(
    ("rows", "sentences"),
    [
        ((year("GrossProfit", 2019, 40), year("Revenues", 2019, 160)), ["gross margin was 25.0 percent"]),
        (
            (year("OperatingIncomeLoss", 2019, 40), year("Revenues", 2019, 160)),
            ["operating margin was 25.0 percent"],
        ),
        ((year("NetIncomeLoss", 2019, 40), year("Revenues", 2019, 160)), ["net margin was 25.0 percent"]),
        (
            (at("AssetsCurrent", 2019, 300), at("LiabilitiesCurrent", 2019, 120)),
            ["current ratio was 2.50", "working capital was 180 US dollars"],
        ),
        (
            (at("Liabilities", 2019, 90), at("StockholdersEquity", 2019, 60)),
            ["ratio of liabilities to equity was 1.50"],
        ),
        ((at("StockholdersEquity", 2019, 60), at("Assets", 2019, 150)), ["equity ratio was 40.0 percent"]),
        (
            (
                year("NetCashProvidedByUsedInOperatingActivities", 2019, 90),
                year("PaymentsToAcquirePropertyPlantAndEquipment", 2019, 30),
            ),
            ["free cash flow was 60 US dollars"],
        ),
        (
            (
                year(
                    "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrolling"
                    "Interest",
                    2019,
                    84,
                ),
                year("IncomeTaxExpenseBenefit", 2019, 21),
            ),
            ["effective tax rate was 25.0 percent", "income after taxes was 63 US dollars"],
        ),
        (
            (
                year("CommonStockDividendsPerShareDeclared", 2019, 1.5, "USD/shares"),
                year("EarningsPerShareDiluted", 2019, 6, "USD/shares"),
            ),
            ["payout ratio was 25.0 percent"],
        ),
    ],
)
def test_ratios_are_those_of_the_textbook(rows: Any, sentences: list[str]) -> None:
    said = replies(filed("10-K", *rows))
    for sentence in sentences:
        assert f"Acme Inc.'s {sentence}" in said


def test_a_margin_changes_by_percentage_points() -> None:
    rows = [year("Revenues", number, 300) for number in (2018, 2019)]
    said = replies(
        filed("10-K", *rows, year("GrossProfit", 2018, 75), year("GrossProfit", 2019, 100))
    )  # from 25 percent to a third
    assert "gross margin changed by 8.3 percentage points: (100 / 300 - 75 / 300) x 100" in said
    profits = [year("GrossProfit", number, 100) for number in (2018, 2019)]
    for base in (0, -300):
        made = filed("10-K", year("Revenues", 2018, base), year("Revenues", 2019, 300), *profits)
        assert "share" in {one.title for one in made} and "margin_change" not in {one.title for one in made}


def test_periods_are_compared_only_with_the_same_of_the_year_before() -> None:
    quarter = ("Revenues", "USD", "2018-10-01", "2018-12-31", 90.0)
    for other in (quarter, year("Revenues", 2017, 90)):
        assert {one.title for one in filed("10-K", year("Revenues", 2019, 400), other)} == {"lookup"}
    said = replies(filed("10-Q", year("Revenues", 2019, 400)))
    assert "In the twelve months ended 2019-12-31" in said and "fiscal year" not in said


def test_figures_of_another_kind_or_currency_are_not_taken_for_a_measure() -> None:
    assert filed("10-K", at("Revenues", 2019, 5), year("Assets", 2019, 5)) == []
    assert filed("10-K", year("EarningsPerShareDiluted", 2019, 5)) == []
    translated = [year(tag, 2019, 700, "CNY") for tag in ("Revenues", "GrossProfit", "NetIncomeLoss")]
    said = "".join(one.text for one in filed("20-F", *translated, year("Revenues", 2019, 100, "USD")))
    assert "Chinese yuan" in said and "US dollar" not in said
