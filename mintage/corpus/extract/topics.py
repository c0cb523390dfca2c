"""XBRL tags by topic, in the order in which a statement shows them, and their labels as a reader wants them.

Companyfacts knows no statements: it lists tags by name. The topics follow the faces of the three statements
(their usual tags, in their usual order), then the notes, recognised by the words in a tag's name.
"""

from __future__ import annotations

import re
from functools import cache

INCOME = "income statement"
BALANCE = "balance sheet"
CASH_FLOW = "cash flow statement"

FACES = {
    INCOME: (
        "RevenueFromContractWithCustomerExcludingAssessedTax",
        "RevenueFromContractWithCustomerIncludingAssessedTax",
        "Revenues", "SalesRevenueNet", "SalesRevenueGoodsNet", "SalesRevenueServicesNet",
        "InterestAndDividendIncomeOperating", "InterestIncomeExpenseNet", "NoninterestIncome",
        "CostOfRevenue", "CostOfGoodsAndServicesSold", "CostOfGoodsSold", "GrossProfit",
        "ResearchAndDevelopmentExpense", "SellingAndMarketingExpense", "MarketingExpense",
        "AdvertisingExpense",
        "GeneralAndAdministrativeExpense", "SellingGeneralAndAdministrativeExpense", "NoninterestExpense",
        "ProvisionForLoanAndLeaseLosses", "RestructuringCharges", "OperatingExpenses", "CostsAndExpenses",
        "OperatingIncomeLoss", "InvestmentIncomeInterest", "InterestExpense", "InterestExpenseNonoperating",
        "OtherNonoperatingIncomeExpense", "NonoperatingIncomeExpense",
        "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest",
        "IncomeLossFromContinuingOperationsBeforeIncomeTaxesMinorityInterestAndIncomeLossFromEquityMethodInvestments",
        "IncomeTaxExpenseBenefit", "IncomeLossFromContinuingOperations",
        "IncomeLossFromDiscontinuedOperationsNetOfTax", "ProfitLoss",
        "NetIncomeLossAttributableToNoncontrollingInterest", "NetIncomeLoss",
        "NetIncomeLossAvailableToCommonStockholdersBasic", "EarningsPerShareBasic", "EarningsPerShareDiluted",
        "WeightedAverageNumberOfSharesOutstandingBasic", "WeightedAverageNumberOfDilutedSharesOutstanding",
        "CommonStockDividendsPerShareDeclared", "CommonStockDividendsPerShareCashPaid",
        "ComprehensiveIncomeNetOfTax",
    ),
    BALANCE: (
        "CashAndCashEquivalentsAtCarryingValue", "CashAndDueFromBanks", "MarketableSecuritiesCurrent",
        "AvailableForSaleSecuritiesCurrent", "ShortTermInvestments",
        "CashCashEquivalentsAndShortTermInvestments", "AccountsReceivableNetCurrent",
        "NontradeReceivablesCurrent", "InventoryNet", "DeferredTaxAssetsNetCurrent",
        "PrepaidExpenseAndOtherAssetsCurrent", "OtherAssetsCurrent", "AssetsCurrent",
        "MarketableSecuritiesNoncurrent", "AvailableForSaleSecuritiesNoncurrent",
        "PropertyPlantAndEquipmentNet", "OperatingLeaseRightOfUseAsset", "Goodwill",
        "IntangibleAssetsNetExcludingGoodwill", "FiniteLivedIntangibleAssetsNet",
        "DeferredIncomeTaxAssetsNet",
        "OtherAssetsNoncurrent", "AssetsNoncurrent", "Assets", "AccountsPayableCurrent",
        "EmployeeRelatedLiabilitiesCurrent", "AccruedLiabilitiesCurrent", "OtherAccruedLiabilitiesCurrent",
        "ContractWithCustomerLiabilityCurrent", "DeferredRevenueCurrent", "CommercialPaper", "DebtCurrent",
        "LongTermDebtCurrent", "OtherLiabilitiesCurrent", "LiabilitiesCurrent", "Deposits",
        "LongTermDebtNoncurrent", "ContractWithCustomerLiabilityNoncurrent", "DeferredRevenueNoncurrent",
        "OperatingLeaseLiabilityNoncurrent", "OtherLiabilitiesNoncurrent", "LiabilitiesNoncurrent",
        "Liabilities", "CommitmentsAndContingencies", "CommonStockValue",
        "CommonStocksIncludingAdditionalPaidInCapital", "AdditionalPaidInCapital", "TreasuryStockValue",
        "RetainedEarningsAccumulatedDeficit", "AccumulatedOtherComprehensiveIncomeLossNetOfTax",
        "StockholdersEquity", "MinorityInterest",
        "StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest",
        "LiabilitiesAndStockholdersEquity",
    ),
    CASH_FLOW: (
        "DepreciationDepletionAndAmortization", "DepreciationAndAmortization",
        "DepreciationAmortizationAndAccretionNet", "ShareBasedCompensation",
        "DeferredIncomeTaxExpenseBenefit",
        "OtherNoncashIncomeExpense", "NetCashProvidedByUsedInOperatingActivities",
        "PaymentsToAcquirePropertyPlantAndEquipment", "NetCashProvidedByUsedInInvestingActivities",
        "PaymentsOfDividends", "PaymentsForRepurchaseOfCommonStock",
        "NetCashProvidedByUsedInFinancingActivities",
        "CashCashEquivalentsRestrictedCashAndRestrictedCashEquivalents",
    ),
}  # fmt: skip

TAXONOMIES = {"dei": "cover page", "ecd": "pay versus performance", "ffd": "offering and fees"}

# The first topic whose words occur in a tag's name is the tag's.
NOTES = {
    CASH_FLOW: r"^(Proceeds|Payments(To|For|Of|Related)|Repayments|IncreaseDecrease|NetCash|InterestPaid)"
    r"|^IncomeTaxesPaid|PeriodIncreaseDecrease|^EffectOfExchangeRate",
    "comprehensive income": r"ComprehensiveIncome|AOCI|Aoci|^Oci",
    "income taxes": r"IncomeTax|TaxBenefit|TaxExpense|DeferredTax|TaxCredit|OperatingLossCarry|TaxesPayable",
    "leases": r"Lease",
    "share-based compensation": r"(?i:sharebased|stockoption)|EmployeeStockOwnership|AwardsTotalCompensation",
    "shares and dividends": r"Stock|Dividend|Shares|PaidInCapital|EarningsPerShare",
    "debt": r"Debt(?!Securities|AndEquity)|Borrowing|LineOfCredit|NotesPayable|Interest(Expense|Payable)",
    "derivatives and hedging": r"Derivative|Hedg|ForeignCurrency",
    "investments and fair value": r"Securities|Investment|FairValue|CashEquivalents|UnrealizedGain",
    "goodwill, intangible assets and acquisitions": r"Goodwill|Intangible|Business|Acqui|Amortization",
    "revenue and customers": r"Revenue|Customer|Receivable|Warrant|PerformanceObligation",
}
OTHER = "other disclosures"
TOPICS = (*FACES, *(topic for topic in NOTES if topic not in FACES), OTHER, *TAXONOMIES.values())

_NOTES = {topic: re.compile(words) for topic, words in NOTES.items()}
_RANKS = {tag: rank for tags in FACES.values() for rank, tag in enumerate(tags)}
_FACE_OF = {tag: topic for topic, tags in FACES.items() for tag in tags}
_DEPRECATED = re.compile(r"\s*\((?:Deprecated|Removed)[^)]*\)", re.IGNORECASE)
_CAPITALISED = re.compile(r"\b[A-Z][a-z]+\b")
_ENUMERATION = re.compile(  # commas that divide no head from its particulars
    r"property, plant,? and equipment|selling, general,? and administrative|federal, state,? and local"
    r"|depreciation, (?:depletion|amortization),? and (?:amortization|accretion)"
    r"|cash, cash equivalents, restricted cash,? and restricted cash equivalents|cash, cash equivalents,? and"
    r"|materials, supplies,? and other|maturities, prepayments,? and calls|adjustments, settlements,? and"
)
_CAMEL = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PERCENTAGES = re.compile(r"Percent|Rate(?![a-z])")

# Words that the pay and fee taxonomies of the SEC, which have no labels, cut short in their tags.
_SHORT = {
    "Amt": "Amount", "Avg": "Average", "Aggt": "Aggregate", "Co": "Company", "Comp": "Compensation",
    "Max": "Maximum", "Neo": "NEO", "Nrrtv": "Narrative", "Pd": "Paid", "Peo": "PEO", "Prevsly": "Previously",
    "Pric": "Price", "Rtn": "Return", "Ttl": "Total",
}  # fmt: skip


@cache
def topic_of(taxonomy: str, tag: str) -> str:
    """The topic of a tag, one of `TOPICS`."""
    if taxonomy in TAXONOMIES:
        return TAXONOMIES[taxonomy]
    if tag in _FACE_OF:
        return _FACE_OF[tag]
    return next((topic for topic, words in _NOTES.items() if words.search(tag)), OTHER)


def rank_of(tag: str) -> int:
    """Where a tag stands on its statement; tags of the notes come after all of them."""
    return _RANKS.get(tag, len(_RANKS))


def label_of(tag: str, label: str | None) -> str:
    """A tag's label in one line, without a remark on its deprecation; without a label the tag's words."""
    cleaned = " ".join(_DEPRECATED.sub("", label or "").split())
    if cleaned:
        return cleaned
    return " ".join(_SHORT.get(word, word) for word in _CAMEL.sub(" ", tag).split())


def in_sentence(label: str) -> str:
    """A label inside a sentence: small letters (acronyms stay), what follows the first comma in brackets; an
    enumeration ("property, plant and equipment") stays whole."""
    small = _CAPITALISED.sub(lambda word: word[0].lower(), label)
    listed = _ENUMERATION.search(small)
    at = small.find(", ")
    if listed and listed.start() < at:
        at = small.find(", ", listed.end())
    if at < 0:
        return small
    head, rest = small[:at], small[at + 2 :]
    return f"{head} - {rest}" if "(" in small or ")" in small else f"{head} ({rest})"


def is_percentage(tag: str) -> bool:
    """Whether a pure number under this tag is a share that people write in percent."""
    return _PERCENTAGES.search(tag) is not None
