"""The sectors of the sandbox: how their accounts behave, and the words that are spoken about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Indicator:
    """An operating figure that a sector reports: a count, or a rate in tenths of a percent.

    A count starts at `start` and grows by `drift` a year; a rate returns to `start` with quarterly noise `noise`.
    """

    key: str
    label: str
    form: Literal["count", "rate"]
    start: float
    drift: float
    noise: float


@dataclass(frozen=True, slots=True)
class Sector:
    """Parameters of accounts (ratios to quarterly revenue where nothing else is said) and vocabulary."""

    name: str
    gross_margin: float
    research: float
    selling: float
    capital_spending: float
    depreciation: float  # of property at the beginning of the quarter
    receivables: float
    inventories: float  # of quarterly cost of revenue
    payables: float  # of quarterly cost of revenue
    property: float
    growth: float  # a year
    volatility: float  # of a segment's quarterly growth
    cyclicality: float  # quarterly growth per point of GDP growth above trend
    leverage: float  # debt at the beginning
    season: tuple[float, float, float, float]
    labour: bool  # strikes happen here
    segments: tuple[str, ...]
    customers: tuple[str, ...]
    goods: tuple[str, ...]
    inputs: tuple[str, ...]
    risks: tuple[str, ...]
    indicators: tuple[Indicator, ...]


SECTORS = (
    Sector(
        "software", 0.71, 0.19, 0.27, 0.035, 0.07, 0.62, 0.0, 0.35, 0.35, 0.13, 0.03, 0.004, 0.3, (0.96, 0.99, 0.99, 1.06), False,
        ("Cloud Services", "Licences", "Support and Consulting", "Data Services", "Payments Software"),
        ("enterprise customers", "banks", "hospitals", "public agencies", "mid-sized businesses"),
        ("subscriptions", "new licences", "renewals", "hosted services"),
        ("hosting costs", "salaries of engineers", "data centre power"),
        (
            "customers may not renew their subscriptions", "a breach of our data centres could disclose customer data",
            "larger rivals may offer similar software free of charge", "our software may contain errors that delay its acceptance",
            "open-source alternatives may reduce demand", "we depend on a small number of hosting providers",
        ),
        (
            Indicator("subscribers", "subscribers", "count", 42_000, 0.14, 0.02),
            Indicator("retention", "net revenue retention", "rate", 1060, 0, 14),
        ),
    ),
    Sector(
        "semiconductors", 0.47, 0.15, 0.11, 0.12, 0.045, 0.55, 0.95, 0.55, 1.9, 0.07, 0.06, 0.016, 0.5, (0.94, 0.98, 1.04, 1.04), False,
        ("Memory", "Power Devices", "Analog", "Sensors", "Automotive Chips"),
        ("handset makers", "car makers", "server builders", "distributors", "industrial customers"),
        ("wafers", "controllers", "power modules", "sensors"),
        ("silicon wafer prices", "energy costs", "speciality gases"),
        (
            "demand for chips is cyclical and can fall within a single quarter", "yields on new production lines may be lower than planned",
            "export controls may close important markets", "customers may cancel orders at short notice",
            "our fabrication plants stand in one region", "prices of older products fall every year",
        ),
        (
            Indicator("utilisation", "factory utilisation", "rate", 830, 0, 26),
            Indicator("wafers", "wafers shipped", "count", 310_000, 0.06, 0.05),
        ),
    ),
    Sector(
        "retail", 0.335, 0.0, 0.245, 0.028, 0.04, 0.06, 1.05, 0.75, 0.95, 0.045, 0.02, 0.006, 0.5, (0.92, 0.97, 0.96, 1.15), True,
        ("Grocery", "Home and Garden", "Apparel", "Online", "Pharmacy"),
        ("households", "younger shoppers", "loyalty members", "small contractors"),
        ("seasonal goods", "private-label products", "fresh food", "home furnishings"),
        ("freight", "wages in stores", "shrinkage", "rents"),
        (
            "consumers may spend less when unemployment rises", "online competitors may undercut our prices",
            "we may fail to predict fashions and have to mark down inventory", "wage laws may raise the cost of our stores",
            "a failure of our distribution centres would leave shelves empty", "leases commit us to stores that may become unprofitable",
        ),
        (
            Indicator("stores", "stores", "count", 620, 0.04, 0.004),
            Indicator("comparable", "comparable store sales growth", "rate", 22, 0, 12),
        ),
    ),
    Sector(
        "consumer goods", 0.43, 0.025, 0.25, 0.032, 0.035, 0.42, 0.72, 0.7, 1.2, 0.035, 0.018, 0.004, 0.7, (0.97, 1.0, 1.01, 1.02), True,
        ("Beverages", "Snacks", "Household Care", "Personal Care", "Pet Food"),
        ("supermarkets", "discount chains", "wholesalers", "convenience stores"),
        ("branded products", "premium lines", "family packs", "new flavours"),
        ("sugar and grain prices", "packaging", "transport", "palm oil"),
        (
            "retailers may replace our brands with their own labels", "a product recall could harm our reputation",
            "prices of farm commodities are volatile", "tastes of consumers change quickly",
            "advertising rules may become stricter", "a few large retailers make up much of our revenue",
        ),
        (
            Indicator("volume", "volume growth", "rate", 14, 0, 11),
            Indicator("price_mix", "price and mix", "rate", 19, 0, 8),
        ),
    ),
    Sector(
        "industrial machinery", 0.34, 0.035, 0.15, 0.036, 0.03, 0.68, 0.9, 0.6, 1.3, 0.04, 0.03, 0.012, 0.6, (0.95, 1.01, 0.98, 1.06), True,
        ("Pumps and Valves", "Engines", "Automation", "Tools", "Service and Parts"),
        ("builders", "mining companies", "farmers", "utilities", "original equipment makers"),
        ("excavators", "drive systems", "spare parts", "control units"),
        ("steel prices", "castings", "overtime", "freight"),
        (
            "orders follow the investment plans of our customers", "tariffs may raise the price of steel",
            "warranty claims may exceed our provisions", "long contracts at fixed prices may turn unprofitable",
            "a strike at one plant can stop others", "we compete with makers in countries with lower wages",
        ),
        (
            Indicator("orders", "orders received", "count", 5_400, 0.03, 0.07),
            Indicator("book_to_bill", "book-to-bill ratio", "rate", 1010, 0, 40),
        ),
    ),
    Sector(
        "energy", 0.36, 0.004, 0.075, 0.17, 0.026, 0.45, 0.3, 0.75, 6.0, 0.025, 0.075, 0.018, 1.5, (1.02, 0.98, 0.99, 1.01), True,
        ("Exploration and Production", "Refining", "Pipelines", "Gas Marketing", "Renewables"),
        ("refiners", "utilities", "airlines", "industrial users"),
        ("crude oil", "natural gas", "diesel", "refined products"),
        ("drilling services", "steel pipe", "royalties", "power"),
        (
            "the prices of oil and gas are volatile and outside our control", "a spill would cause large clean-up costs",
            "reserves may be smaller than estimated", "governments may raise royalties or close areas to drilling",
            "demand for fossil fuels may fall faster than expected", "pipelines that we do not own limit what we can sell",
        ),
        (
            Indicator("production", "barrels of oil equivalent a day", "count", 118_000, 0.025, 0.03),
            Indicator("refinery_utilisation", "refinery utilisation", "rate", 905, 0, 18),
        ),
    ),
    Sector(
        "pharmaceuticals", 0.69, 0.18, 0.25, 0.045, 0.03, 0.72, 1.7, 0.75, 1.3, 0.06, 0.035, 0.001, 0.7, (0.98, 1.0, 0.99, 1.03), False,
        ("Oncology", "Vaccines", "Consumer Health", "Generics", "Cardiology"),
        ("hospitals", "wholesalers", "health insurers", "national health services"),
        ("branded medicines", "vaccines", "injectables", "over-the-counter remedies"),
        ("clinical trial costs", "active ingredients", "launch spending"),
        (
            "trials of new medicines may fail", "patents expire and generic rivals enter", "insurers may refuse to reimburse our products",
            "regulators may require new warnings", "manufacturing of biological products is complex and may be interrupted",
            "litigation over side effects may be costly",
        ),
        (
            Indicator("patients", "patients treated", "count", 265_000, 0.06, 0.03),
            Indicator("rebates", "rebates as a share of gross sales", "rate", 214, 0, 9),
        ),
    ),
    Sector(
        "transportation", 0.25, 0.0, 0.085, 0.085, 0.025, 0.45, 0.05, 0.42, 2.8, 0.035, 0.028, 0.014, 1.1, (0.94, 1.02, 1.03, 1.01), True,
        ("Trucking", "Rail Freight", "Parcel Delivery", "Warehousing", "Air Freight"),
        ("retailers", "manufacturers", "grain exporters", "online merchants"),
        ("parcels", "containers", "bulk freight", "express shipments"),
        ("fuel", "drivers' wages", "maintenance", "insurance"),
        (
            "fuel prices may rise faster than our surcharges", "a shortage of drivers may limit our capacity",
            "severe winters interrupt our network", "strikes by organised workers may close our terminals",
            "safety rules may reduce the hours that drivers may work", "large customers may build their own delivery networks",
        ),
        (
            Indicator("shipments", "shipments", "count", 5_350_000, 0.03, 0.03),
            Indicator("on_time", "on-time delivery", "rate", 934, 0, 8),
        ),
    ),
    Sector(
        "telecommunications", 0.57, 0.008, 0.23, 0.15, 0.032, 0.5, 0.1, 0.7, 4.4, 0.02, 0.012, 0.002, 2.2, (0.99, 1.0, 1.0, 1.01), True,
        ("Mobile", "Fixed Line", "Broadband", "Business Services", "Television"),
        ("households", "small businesses", "corporate customers", "wholesale partners"),
        ("data plans", "handsets", "fibre connections", "bundles"),
        ("network maintenance", "spectrum fees", "handset subsidies", "content rights"),
        (
            "price wars may reduce revenue per customer", "spectrum auctions may cost more than planned", "our networks may be attacked or fail",
            "regulators may cap the prices that we charge", "customers may give up fixed lines faster than expected",
            "our debt limits our freedom to invest",
        ),
        (
            Indicator("connections", "connections", "count", 3_900_000, 0.02, 0.006),
            Indicator("churn", "monthly churn", "rate", 17, 0, 1.2),
        ),
    ),
    Sector(
        "materials", 0.265, 0.01, 0.08, 0.07, 0.025, 0.5, 0.75, 0.62, 2.6, 0.025, 0.045, 0.016, 0.9, (0.97, 1.03, 1.01, 0.99), True,
        ("Steel", "Chemicals", "Paper and Packaging", "Cement", "Specialty Metals"),
        ("car makers", "construction companies", "packagers", "tool makers"),
        ("sheet steel", "resins", "board", "alloys"),
        ("iron ore", "electricity", "natural gas", "pulp", "carbon permits"),
        (
            "imports at low prices may depress our markets", "energy is a large part of our costs", "an accident in one of our plants could stop it for months",
            "emission rules may require costly equipment", "construction activity is cyclical", "currency movements change the price of raw materials",
        ),
        (
            Indicator("tonnes", "tonnes shipped", "count", 890_000, 0.02, 0.04),
            Indicator("capacity_use", "capacity utilisation", "rate", 812, 0, 22),
        ),
    ),
)  # fmt: skip
