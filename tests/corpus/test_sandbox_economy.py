"""The simulated economy: accounts that close, errors that are corrected, figures in the text that are in the
tables."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

import pytest

from mintage.corpus.document import Document
from mintage.corpus.sources.sandbox.clock import Period, local_day
from mintage.corpus.sources.sandbox.economy import generate
from mintage.corpus.sources.sandbox.facts import LABELS
from mintage.corpus.sources.sandbox.settings import SandboxSource
from mintage.corpus.sources.sandbox.simulation import simulate
from mintage.corpus.sources.sandbox.tables import Economy, Statement

SMALL = SandboxSource(companies=12, years=2, megabytes=1.2)


@pytest.fixture(scope="module")
def economy() -> Economy:
    return simulate(SMALL)


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return list(generate(SMALL))


def every_statement(economy: Economy) -> list[tuple[Statement, Statement | None]]:
    """All statements, reported and restated, each with the true one of the quarter before."""
    result = []
    for (ticker, period), quarter in economy.quarters.items():
        last = economy.quarters.get((ticker, period.previous()))
        before = (last.restated or last.reported) if last else None
        result += [(one, before) for one in (quarter.reported, quarter.restated) if one is not None]
    return result


def test_every_statement_balances(economy: Economy) -> None:
    for one, before in every_statement(economy):
        assets = (
            one["cash"]
            + one["receivables"]
            + one["inventories"]
            + one["other_assets"]
            + one["property"]
            + one["goodwill"]
        )
        assert assets == one["total_assets"]
        assert one["payables"] + one["accrued"] + one["debt"] == one["total_liabilities"]
        assert one["paid_in_capital"] + one["retained_earnings"] == one["total_equity"]
        assert one["total_assets"] == one["total_liabilities"] + one["total_equity"]
        if before:
            assert (
                before["retained_earnings"] + one["net_income"] + one["dividends"] == one["retained_earnings"]
            )


def test_income_adds_up_from_segments_to_net_income(economy: Economy) -> None:
    for one, _ in every_statement(economy):
        assert sum(one.segments.values()) == one["revenue"]
        assert one["revenue"] - one["cost_of_revenue"] == one["gross_profit"]
        costs = one["research"] + one["selling"] + one["depreciation"] + one["special_charges"]
        assert one["gross_profit"] - costs == one["operating_income"]
        assert one["operating_income"] - one["interest_expense"] == one["pretax_income"]
        assert one["pretax_income"] - one["income_tax"] == one["net_income"]


def test_cash_flow_leads_from_one_cash_balance_to_the_next(economy: Economy) -> None:
    for one, before in every_statement(economy):
        changes = ("receivables", "inventories", "other_assets", "payables", "accrued")
        working = sum(one[f"{item}_change"] for item in changes)
        assert (
            one["net_income"] + one["depreciation"] + one["noncash_charges"] + working
            == one["operating_cash"]
        )
        assert one["capital_spending"] + one["acquisitions"] == one["investing_cash"]
        assert one["debt_change"] + one["dividends"] + one["buybacks"] == one["financing_cash"]
        assert one["operating_cash"] + one["investing_cash"] + one["financing_cash"] == one["cash_change"]
        assert one["cash_beginning"] + one["cash_change"] == one["cash_end"] == one["cash"]
        if before:
            assert one["cash_beginning"] == before["cash"]
            assert one["debt"] == before["debt"] + one["debt_change"] - one["debt_exchanged"]
            for item in changes[:3]:
                assert one[f"{item}_change"] == before[item] - one[item]
            for item in changes[3:]:
                assert one[f"{item}_change"] == one[item] - before[item]


def test_a_year_is_the_sum_of_its_quarters(economy: Economy) -> None:
    ticker = next(iter(economy.companies))
    at = economy.quarters[ticker, Period(2012, 4)].filed_at
    year = economy.annual(ticker, 2012, at)
    quarters = [economy.quarters[ticker, Period(2012, number)].as_of(at) for number in (1, 2, 3, 4)]
    assert year["revenue"] == sum(one["revenue"] for one in quarters) == sum(year.segments.values())
    assert year["cash_beginning"] + year["cash_change"] == year["cash_end"] == quarters[-1]["cash"]
    assert year["total_assets"] == quarters[-1]["total_assets"]


def test_contributions_add_up_to_growth(economy: Economy) -> None:
    for period, prints in economy.macro.growth.items():
        for one, parts in zip(prints, economy.macro.contributions[period]):
            assert sum(parts.values()) == one.value
        assert [one.at for one in prints] == sorted(one.at for one in prints)


def test_the_default_economy_has_events_losses_and_restatements_of_every_kind() -> None:
    economy = simulate(SandboxSource())
    assert len(economy.companies) >= 40
    assert {event.kind for event in economy.events} >= {
        "acquisition",
        "strike",
        "product",
        "chief",
        "default",
        "guidance",
    }
    restatements = [quarter.restatement for quarter in economy.quarters.values() if quarter.restatement]
    assert {one.reason for one in restatements} == {"cut-off", "accrual", "classification", "segment"}
    losses = sum(quarter.reported["net_income"] < 0 for quarter in economy.quarters.values())
    assert 0.02 < losses / len(economy.quarters) < 0.3
    surprises = [
        quarter.reported["revenue"] / quarter.expected_revenue - 1 for quarter in economy.quarters.values()
    ]
    assert abs(sum(surprises) / len(surprises)) < 0.01  # expectations are not biased


def test_amended_reports_supersede_the_original_and_change_the_restated_figure(
    economy: Economy, documents: list[Document]
) -> None:
    by_id = {document.doc_id: document for document in documents}
    amended = [one for one in documents if one.source == "sandbox_filings" and one.vintage == 1]
    assert amended
    for document in amended:
        assert document.supersedes is not None
        original = by_id[document.supersedes]
        assert original.native_id == document.native_id and original.vintage == 0
        assert (
            original.available_at and document.available_at and original.available_at < document.available_at
        )
        ticker = document.entities[0].id
        quarter = next(
            quarter
            for (owner, _), quarter in economy.quarters.items()
            if owner == ticker
            and quarter.restatement
            and quarter.restatement.amended_at == document.available_at
        )
        assert quarter.restated is not None and quarter.restatement is not None
        assert quarter.reported != quarter.restated
        assert quarter.restatement.reported != quarter.restatement.restated
        assert f"{quarter.restatement.restated:,}" in document.text
        label = LABELS[quarter.restatement.item]
        if quarter.restatement.segment is None and quarter.period.quarter != 4:
            assert figures_of(original.text, label) != figures_of(document.text, label)


def figures_of(text: str, names: tuple[str, ...]) -> list[str]:
    """The figures of the statement lines (table or key-value) with one of these labels."""
    pattern = "|".join(re.escape(name) for name in names)
    lines = re.findall(rf"^(?:\| )?(?:{pattern})(?: \||:) (.+)$", text, re.MULTILINE | re.IGNORECASE)
    return [line.split(" ")[0] for line in lines]


def test_the_statements_in_filings_are_those_of_the_tables(
    economy: Economy, documents: list[Document]
) -> None:
    checked = 0
    for document in documents:
        if document.source != "sandbox_filings":
            continue
        assert document.available_at and document.period_end
        ticker = document.entities[0].id
        quarter = 0 if document.kind == "annual_report" else (document.period_end.month + 2) // 3
        period = Period(document.period_end.year, quarter)
        statement = economy.statement(ticker, period, document.available_at)
        for item in (
            "revenue",
            "cost_of_revenue",
            "net_income",
            "cash",
            "debt",
            "total_assets",
            "total_equity",
            "operating_cash",
        ):
            for figure in figures_of(document.text.split("## Financial statements")[1], LABELS[item]):
                value = (
                    0
                    if figure == "-"
                    else int(figure.replace(",", "").strip("()")) * (-1 if "(" in figure else 1)
                )
                assert value == statement[item], (document.title, item)
                checked += 1
    assert checked > 500


def test_every_amount_and_percentage_in_the_prose_of_filings_follows_from_the_tables(
    economy: Economy, documents: list[Document]
) -> None:
    checked = 0
    for document in documents:
        if document.source != "sandbox_filings":
            continue
        assert document.available_at and document.period_end
        prose = document.text.split("## Financial statements")[0]
        amounts, percentages = allowed_figures(economy, document)
        for figure in re.findall(r"\$([\d,]+) (?:million|thousand)", prose):
            assert int(figure.replace(",", "")) in amounts, (document.title, figure)
            checked += 1
        for percentage in re.findall(r"(\d[\d,]*\.\d+)%", prose):
            assert percentage in percentages, (document.title, percentage)
            checked += 1
    assert checked > 1000


def allowed_figures(economy: Economy, document: Document) -> tuple[set[int], set[str]]:
    """Amounts and percentages that a report may contain, computed afresh from the tables known at its
    time."""
    at = document.available_at
    assert at and document.period_end
    ticker = document.entities[0].id
    quarter_number = 0 if document.kind == "annual_report" else (document.period_end.month + 2) // 3
    period = Period(document.period_end.year, quarter_number)
    now = economy.statement(ticker, period, at)
    earlier = [economy.statement(ticker, period.year_before(), at)]
    if quarter_number:
        earlier.append(economy.statement(ticker, period.previous(), at))
    amounts: set[int] = set()
    percentages: set[str] = set()

    def tables(one: Statement) -> dict[str, int]:
        return {
            **one.values,
            **one.segments,
            **{f"indicator {key}": value for key, value in one.indicators.items()},
        }

    for one in (now, *earlier):
        for value in tables(one).values():
            amounts.add(abs(value))
            percentages |= {rounded(1000 * abs(value), one["revenue"]), f"{Decimal(value) / 10:.1f}"}
    for before in earlier:
        for item, value in tables(now).items():
            other = tables(before)[item]
            amounts.add(abs(value - other))
            if other:
                percentages.add(rounded(1000 * abs(value - other), abs(other)))
    last = economy.quarters[ticker, Period(document.period_end.year, quarter_number or 4)]
    amounts |= {*last.guidance, *(last.earlier_guidance or ())}
    for event in economy.events:
        if event.ticker == ticker and event.at <= at:
            amounts |= set(event.figures.values())
    for quarter in economy.quarters.values():
        if quarter.company.ticker == ticker and quarter.restatement and quarter.restatement.amended_at <= at:
            one = quarter.restatement
            amounts |= {one.reported, one.restated, abs(one.reported - one.restated)}
    for series in (economy.macro.inflation, economy.macro.unemployment):
        for prints in series.values():
            percentages |= {f"{Decimal(abs(one.value)) / 10:.1f}" for one in prints if one.at <= at}
    percentages |= {f"{Decimal(one.after) / 100:.2f}" for one in economy.macro.meetings if one.at <= at}
    return amounts, percentages


def rounded(numerator: int, denominator: int) -> str:
    """Tenths of a percent, half up, as text."""
    tenths = (Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1), ROUND_HALF_UP)
    return f"{tenths / 10:.1f}"


def test_reports_come_one_to_two_months_after_the_period_in_office_hours(documents: list[Document]) -> None:
    for document in documents:
        if document.source == "sandbox_filings" and document.vintage == 0:
            assert document.available_at and document.period_end
            delay = (local_day(document.available_at) - document.period_end).days
            assert 18 <= delay <= 68
            assert local_day(document.available_at).weekday() < 5
            assert document.available_at.tzname() == "UTC"
