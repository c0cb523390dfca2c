"""The measures that questions are asked about, as one filing reports them, under one plain name each.

Filers tag the same thing differently (five tags mean revenue). A name is taken from the tags that can mean
it, and only where they leave no doubt: of a period all those that a filing gives must state the same value,
or, for revenue, one of them less the cost of revenue must be the gross profit that the filing reports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from mintage.corpus.extract.statements import Period
from mintage.corpus.extract.vintages import Fact

REVENUE = "revenue"
COST = "cost of revenue"
GROSS_PROFIT = "gross profit"

FLOWS = {
    REVENUE: (
        "RevenueFromContractWithCustomerExcludingAssessedTax",
        "RevenueFromContractWithCustomerIncludingAssessedTax",
        "Revenues",
        "SalesRevenueNet",
        "SalesRevenueGoodsNet",
    ),
    COST: ("CostOfRevenue", "CostOfGoodsAndServicesSold", "CostOfGoodsSold"),
    GROSS_PROFIT: ("GrossProfit",),
    "research and development expense": ("ResearchAndDevelopmentExpense",),
    "selling and administrative expense": ("SellingGeneralAndAdministrativeExpense",),
    "operating expenses": ("OperatingExpenses",),
    "operating income": ("OperatingIncomeLoss",),
    "interest expense": ("InterestExpense", "InterestExpenseNonoperating"),
    "income before taxes": (
        "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest",
        "IncomeLossFromContinuingOperationsBeforeIncomeTaxesMinorityInterestAndIncomeLossFromEquityMethodInvestments",
    ),
    "income tax expense": ("IncomeTaxExpenseBenefit",),
    "net income": ("NetIncomeLoss",),
    "share-based compensation": ("ShareBasedCompensation",),
    "operating cash flow": ("NetCashProvidedByUsedInOperatingActivities",),
    "capital expenditure": (
        "PaymentsToAcquirePropertyPlantAndEquipment",
        "PaymentsToAcquireProductiveAssets",
    ),
    "dividends paid": ("PaymentsOfDividends", "PaymentsOfDividendsCommonStock"),
    "share repurchases": ("PaymentsForRepurchaseOfCommonStock",),
}
PER_SHARE = {
    "basic earnings per share": ("EarningsPerShareBasic",),
    "diluted earnings per share": ("EarningsPerShareDiluted",),
    "dividends declared per share": ("CommonStockDividendsPerShareDeclared",),
}
STOCKS = {
    "cash and cash equivalents": ("CashAndCashEquivalentsAtCarryingValue",),
    "accounts receivable": ("AccountsReceivableNetCurrent",),
    "inventory": ("InventoryNet",),
    "current assets": ("AssetsCurrent",),
    "property and equipment": ("PropertyPlantAndEquipmentNet",),
    "goodwill": ("Goodwill",),
    "total assets": ("Assets",),
    "accounts payable": ("AccountsPayableCurrent",),
    "current liabilities": ("LiabilitiesCurrent",),
    "long-term debt": ("LongTermDebtNoncurrent",),
    "total liabilities": ("Liabilities",),
    "retained earnings": ("RetainedEarningsAccumulatedDeficit",),
    "shareholders' equity": ("StockholdersEquity",),
}
# Names that take a verb in the plural.
PLURALS = {
    "operating expenses", "dividends paid", "share repurchases", "dividends declared per share",
    "current assets", "cash and cash equivalents", "total assets", "current liabilities", "total liabilities",
    "retained earnings",
}  # fmt: skip

TAGS = FLOWS | PER_SHARE | STOCKS
NAME_OF = {tag: name for name, tags in TAGS.items() for tag in tags}


def was(name: str) -> str:
    """The past tense of "to be" for a measure: "revenue was", "total assets were"."""
    return "were" if name in PLURALS else "was"


class Measure(NamedTuple):
    """A name with a period."""

    name: str
    period: Period


class Amount(NamedTuple):
    """The value of a measure in its unit."""

    value: Decimal
    unit: str


def measures(facts: Iterable[Fact]) -> dict[Measure, Amount]:
    """The measures of one filing's facts: amounts in the currency that most of them are in, and per share."""
    stated: dict[Measure, dict[str, dict[str, Decimal]]] = {}
    currencies: Counter[str] = Counter()
    for fact in facts:
        name = NAME_OF.get(fact.item.tag)
        per_share = fact.item.unit.endswith("/shares")
        if name is None or per_share != (name in PER_SHARE) or (fact.item.start is None) != (name in STOCKS):
            continue
        measure = Measure(name, (fact.item.start, fact.item.end))
        stated.setdefault(measure, {}).setdefault(fact.item.unit, {})[fact.item.tag] = fact.value
        currencies[fact.item.unit.removesuffix("/shares")] += 1
    if not currencies:
        return {}
    currency = max(sorted(currencies), key=currencies.__getitem__)
    found: dict[Measure, Amount] = {}
    doubtful: dict[Period, set[Decimal]] = {}
    for measure, units in sorted(stated.items(), key=lambda entry: order(entry[0])):
        unit = f"{currency}/shares" if measure.name in PER_SHARE else currency
        values = set(units.get(unit, {}).values())
        if len(values) == 1:
            found[measure] = Amount(values.pop(), unit)
        elif values and measure.name == REVENUE:
            doubtful[measure.period] = values
    for period, values in doubtful.items():
        settle_revenue(found, period, values, currency)
    return found


def settle_revenue(found: dict[Measure, Amount], period: Period, values: set[Decimal], currency: str) -> None:
    """Add the revenue of a period if exactly one of its values agrees with cost and gross profit."""
    cost, profit = found.get(Measure(COST, period)), found.get(Measure(GROSS_PROFIT, period))
    if cost is not None and profit is not None and cost.value + profit.value in values:
        found[Measure(REVENUE, period)] = Amount(cost.value + profit.value, currency)


def order(measure: Measure) -> tuple[str, date, date]:
    """A total order of measures."""
    start, end = measure.period
    return measure.name, end, start or end


def months_of(period: Period) -> int:
    """The length of a period in months, 0 for an instant."""
    start, end = period
    return 0 if start is None else round(((end - start).days + 1) / 30.4375)


def year_before(period: Period, periods: Iterable[Period]) -> Period | None:
    """Of some periods the one of the same length that ended a year before."""
    months = months_of(period)
    found = [
        other for other in periods if months_of(other) == months and 350 <= (period[1] - other[1]).days <= 380
    ]
    return found[0] if len(found) == 1 else None


def by_name(amounts: Mapping[Measure, Amount]) -> dict[str, dict[Period, Amount]]:
    """The amounts by name, the newest period first."""
    names: dict[str, dict[Period, Amount]] = {}
    for measure in sorted(amounts, key=order, reverse=True):
        names.setdefault(measure.name, {})[measure.period] = amounts[measure]
    return dict(sorted(names.items()))
