"""The tables of the sandbox: what is true in the simulated economy, and when the public learns it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from mintage.corpus.sources.sandbox.clock import Period
from mintage.corpus.sources.sandbox.sectors import Sector

K = TypeVar("K")

INCOME = (
    "revenue", "cost_of_revenue", "gross_profit", "research", "selling", "depreciation", "special_charges",
    "operating_income", "interest_expense", "pretax_income", "income_tax", "net_income",
)  # fmt: skip
BALANCE = (
    "cash", "receivables", "inventories", "other_assets", "property", "goodwill", "total_assets",
    "payables", "accrued", "debt", "total_liabilities", "paid_in_capital", "retained_earnings",
    "total_equity",
)  # fmt: skip
CASH_FLOW = (
    "net_income", "depreciation", "noncash_charges", "receivables_change", "inventories_change",
    "other_assets_change", "payables_change", "accrued_change", "operating_cash", "capital_spending",
    "acquisitions", "investing_cash", "debt_change", "dividends", "buybacks", "financing_cash",
    "cash_change", "cash_beginning", "cash_end",
)  # fmt: skip
STOCKS = (
    *BALANCE,
    "shares",
)  # values at the end of a period; everything else adds up over the quarters of a year


@dataclass(frozen=True, slots=True)
class Company:
    """What does not change about a company. Its money is counted in `unit` ("million" or "thousand"
    dollars)."""

    name: str
    legal_name: str
    ticker: str
    sector: Sector
    unit: str
    segments: tuple[str, ...]
    products: tuple[str, ...]
    home: str
    founded: int
    employees: int
    first_chief: str  # chief executive when the simulation begins; changes are events
    finance_chief: str
    relations_chief: str
    analysts: tuple[tuple[str, str], ...]  # (name, firm)

    @property
    def dollars(self) -> int:
        """Dollars in one unit of the company's tables."""
        return 1_000_000 if self.unit == "million" else 1_000


@dataclass(frozen=True, slots=True)
class Statement:
    """The accounts of one company and period as published: integers in the company's unit, earnings per share
    in cents, shares in thousands, operating indicators as counts or tenths of a percent."""

    ticker: str
    period: Period
    values: dict[str, int]
    segments: dict[str, int]
    indicators: dict[str, int]

    def __getitem__(self, item: str) -> int:
        return self.values[item]


@dataclass(frozen=True, slots=True)
class Restatement:
    """Why and when the accounts of a period were published again. The figure `item` was wrong by
    `reported - restated`."""

    reason: str
    item: str
    reported: int
    restated: int
    segment: str | None
    announced_at: datetime
    amended_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a company at a moment that nobody could foresee; its figures in the
    company's unit where they are money."""

    kind: str
    ticker: str
    at: datetime
    figures: dict[str, int]
    names: dict[str, str]


@dataclass(slots=True)
class Quarter:
    """One company's quarter: its accounts as first reported and as restated, and the calendar of their
    publication."""

    company: Company
    period: Period
    reported: Statement
    restated: Statement | None
    restatement: Restatement | None
    released_at: datetime
    call_at: datetime  # when the transcript could be read
    filed_at: datetime
    expected_revenue: int
    guidance: tuple[int, int]  # revenue of the next quarter, from and to; said in the release
    earlier_guidance: tuple[int, int] | None  # of this quarter, said one quarter ago
    events: list[Event] = field(default_factory=list)

    def as_of(self, moment: datetime) -> Statement:
        """The accounts as the public knows them at a moment (from the amended filing on, the restated
        ones)."""
        if (
            self.restated is not None
            and self.restatement is not None
            and self.restatement.amended_at <= moment
        ):
            return self.restated
        return self.reported


@dataclass(frozen=True, slots=True)
class Print:
    """One published value of a macro series: `vintage` counts the revisions. Units: tenths of a percent, but
    hundredths for the policy rate and thousands for payrolls."""

    at: datetime
    value: int
    vintage: int


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting of the central bank: rates in hundredths of a percent, votes for and against."""

    at: datetime
    minutes_at: datetime
    before: int
    after: int
    votes: tuple[int, int]
    dissenter: str
    governor: str


@dataclass(slots=True)
class Macro:
    """The macro series: for each month or quarter the prints in the order of their publication."""

    inflation: dict[tuple[int, int], list[Print]] = field(default_factory=dict)
    core_inflation: dict[tuple[int, int], list[Print]] = field(default_factory=dict)
    energy_inflation: dict[tuple[int, int], list[Print]] = field(default_factory=dict)
    food_inflation: dict[tuple[int, int], list[Print]] = field(default_factory=dict)
    unemployment: dict[tuple[int, int], list[Print]] = field(default_factory=dict)
    payrolls: dict[tuple[int, int], list[Print]] = field(default_factory=dict)
    growth: dict[Period, list[Print]] = field(default_factory=dict)
    contributions: dict[Period, list[dict[str, int]]] = field(
        default_factory=dict
    )  # one for each print of growth
    true_growth: dict[Period, float] = field(default_factory=dict)  # percent a year above trend
    meetings: list[Meeting] = field(default_factory=list)

    @staticmethod
    def latest(series: dict[K, list[Print]], moment: datetime) -> tuple[K, int]:
        """The newest period of a series that was published by a moment, and its value as then known."""
        for key in reversed(series):
            known = [one.value for one in series[key] if one.at <= moment]
            if known:
                return key, known[-1]
        raise LookupError("nothing published yet")

    def rate_at(self, moment: datetime) -> int:
        """The policy rate in force at a moment, in hundredths of a percent."""
        rate = self.meetings[0].before
        for meeting in self.meetings:
            if meeting.at > moment:
                break
            rate = meeting.after
        return rate


@dataclass(slots=True)
class Economy:
    """Everything that is true: companies, quarters by (ticker, period), events in order, closing prices in
    cents by ticker and trading day, the index in hundredths of a point."""

    first_year: int
    years: int
    companies: dict[str, Company]
    quarters: dict[tuple[str, Period], Quarter]
    events: list[Event]
    chiefs: dict[str, list[tuple[datetime, str]]]  # successors of the first chief executives, since when
    prices: dict[str, dict[date, int]]
    index: dict[date, int]
    macro: Macro

    def chief_at(self, ticker: str, moment: datetime) -> str:
        """The chief executive of a company at a moment."""
        successors = [name for since, name in self.chiefs.get(ticker, ()) if since <= moment]
        return successors[-1] if successors else self.companies[ticker].first_chief

    def last_reported(self, ticker: str, moment: datetime) -> Quarter:
        """The newest quarter of a company whose results the public has at a moment."""
        period = Period(moment.year, (moment.month + 2) // 3)
        while (ticker, period) not in self.quarters or self.quarters[ticker, period].released_at > moment:
            period = period.previous()
        return self.quarters[ticker, period]

    def annual(self, ticker: str, year: int, moment: datetime) -> Statement:
        """A company's accounts of a whole year as known at a moment: the sum of its quarters, the stocks at
        its end."""
        parts = [self.quarters[ticker, Period(year, quarter)].as_of(moment) for quarter in (1, 2, 3, 4)]
        values = {
            item: parts[-1][item] if item in STOCKS else sum(part[item] for part in parts)
            for item in parts[0].values
        }
        values["cash_beginning"] = parts[0]["cash_beginning"]
        values["cash_end"] = parts[-1]["cash_end"]
        company = self.companies[ticker]
        values["earnings_per_share"] = earnings_per_share(company, values["net_income"], values["shares"])
        segments = {name: sum(part.segments[name] for part in parts) for name in parts[0].segments}
        return Statement(ticker, Period(year, 0), values, segments, parts[-1].indicators)

    def statement(self, ticker: str, period: Period, moment: datetime) -> Statement:
        """A company's accounts of a quarter or a year as known at a moment."""
        if period.quarter == 0:
            return self.annual(ticker, period.year, moment)
        return self.quarters[ticker, period].as_of(moment)


def earnings_per_share(company: Company, net_income: int, shares: int) -> int:
    """Cents per share, rounded half away from zero; `shares` in thousands."""
    cents = 2 * abs(net_income) * company.dollars * 100 // (1000 * shares)
    return (cents + 1) // 2 * (1 if net_income >= 0 else -1)
