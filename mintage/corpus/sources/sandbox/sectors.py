"""The sectors of the sandbox: how their accounts behave, and the words that are spoken about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mintage.corpus.sources.sandbox.grammar import sections


@dataclass(frozen=True, slots=True)
class Indicator:
    """An operating figure that a sector reports: a count, or a rate in tenths of a percent.

    A count starts at `start` and grows by `drift` a year; a rate returns to `start` with quarterly noise
    `noise`.
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


def _sector(name: str, *, indicators: tuple[Indicator, ...], **parameters: Any) -> Sector:
    """A sector with its vocabulary from `phrases/sectors.txt`."""
    words = sections("sectors")
    kinds = ("segments", "customers", "goods", "inputs", "risks")
    vocabulary: dict[str, Any] = {kind: words[f"{name} {kind}"] for kind in kinds}
    return Sector(name=name, indicators=indicators, **parameters, **vocabulary)


SECTORS = (
    _sector(
        "software",
        gross_margin=0.71,
        research=0.19,
        selling=0.27,
        capital_spending=0.035,
        depreciation=0.07,
        receivables=0.62,
        inventories=0.0,
        payables=0.35,
        property=0.35,
        growth=0.13,
        volatility=0.03,
        cyclicality=0.004,
        leverage=0.3,
        season=(0.96, 0.99, 0.99, 1.06),
        labour=False,
        indicators=(
            Indicator("subscribers", "subscribers", "count", start=42000, drift=0.14, noise=0.02),
            Indicator("retention", "net revenue retention", "rate", start=1060, drift=0, noise=14),
        ),
    ),
    _sector(
        "semiconductors",
        gross_margin=0.47,
        research=0.15,
        selling=0.11,
        capital_spending=0.12,
        depreciation=0.045,
        receivables=0.55,
        inventories=0.95,
        payables=0.55,
        property=1.9,
        growth=0.07,
        volatility=0.06,
        cyclicality=0.016,
        leverage=0.5,
        season=(0.94, 0.98, 1.04, 1.04),
        labour=False,
        indicators=(
            Indicator("utilisation", "factory utilisation", "rate", start=830, drift=0, noise=26),
            Indicator("wafers", "wafers shipped", "count", start=310000, drift=0.06, noise=0.05),
        ),
    ),
    _sector(
        "retail",
        gross_margin=0.335,
        research=0.0,
        selling=0.245,
        capital_spending=0.028,
        depreciation=0.04,
        receivables=0.06,
        inventories=1.05,
        payables=0.75,
        property=0.95,
        growth=0.045,
        volatility=0.02,
        cyclicality=0.006,
        leverage=0.5,
        season=(0.92, 0.97, 0.96, 1.15),
        labour=True,
        indicators=(
            Indicator("stores", "stores", "count", start=620, drift=0.04, noise=0.004),
            Indicator("comparable", "comparable store sales growth", "rate", start=22, drift=0, noise=12),
        ),
    ),
    _sector(
        "consumer goods",
        gross_margin=0.43,
        research=0.025,
        selling=0.25,
        capital_spending=0.032,
        depreciation=0.035,
        receivables=0.42,
        inventories=0.72,
        payables=0.7,
        property=1.2,
        growth=0.035,
        volatility=0.018,
        cyclicality=0.004,
        leverage=0.7,
        season=(0.97, 1.0, 1.01, 1.02),
        labour=True,
        indicators=(
            Indicator("volume", "volume growth", "rate", start=14, drift=0, noise=11),
            Indicator("price_mix", "price and mix", "rate", start=19, drift=0, noise=8),
        ),
    ),
    _sector(
        "industrial machinery",
        gross_margin=0.34,
        research=0.035,
        selling=0.15,
        capital_spending=0.036,
        depreciation=0.03,
        receivables=0.68,
        inventories=0.9,
        payables=0.6,
        property=1.3,
        growth=0.04,
        volatility=0.03,
        cyclicality=0.012,
        leverage=0.6,
        season=(0.95, 1.01, 0.98, 1.06),
        labour=True,
        indicators=(
            Indicator("orders", "orders received", "count", start=5400, drift=0.03, noise=0.07),
            Indicator("book_to_bill", "book-to-bill ratio", "rate", start=1010, drift=0, noise=40),
        ),
    ),
    _sector(
        "energy",
        gross_margin=0.36,
        research=0.004,
        selling=0.075,
        capital_spending=0.17,
        depreciation=0.026,
        receivables=0.45,
        inventories=0.3,
        payables=0.75,
        property=6.0,
        growth=0.025,
        volatility=0.075,
        cyclicality=0.018,
        leverage=1.5,
        season=(1.02, 0.98, 0.99, 1.01),
        labour=True,
        indicators=(
            Indicator(
                "production",
                "barrels of oil equivalent a day",
                "count",
                start=118000,
                drift=0.025,
                noise=0.03,
            ),
            Indicator("refinery_utilisation", "refinery utilisation", "rate", start=905, drift=0, noise=18),
        ),
    ),
    _sector(
        "pharmaceuticals",
        gross_margin=0.69,
        research=0.18,
        selling=0.25,
        capital_spending=0.045,
        depreciation=0.03,
        receivables=0.72,
        inventories=1.7,
        payables=0.75,
        property=1.3,
        growth=0.06,
        volatility=0.035,
        cyclicality=0.001,
        leverage=0.7,
        season=(0.98, 1.0, 0.99, 1.03),
        labour=False,
        indicators=(
            Indicator("patients", "patients treated", "count", start=265000, drift=0.06, noise=0.03),
            Indicator("rebates", "rebates as a share of gross sales", "rate", start=214, drift=0, noise=9),
        ),
    ),
    _sector(
        "transportation",
        gross_margin=0.25,
        research=0.0,
        selling=0.085,
        capital_spending=0.085,
        depreciation=0.025,
        receivables=0.45,
        inventories=0.05,
        payables=0.42,
        property=2.8,
        growth=0.035,
        volatility=0.028,
        cyclicality=0.014,
        leverage=1.1,
        season=(0.94, 1.02, 1.03, 1.01),
        labour=True,
        indicators=(
            Indicator("shipments", "shipments", "count", start=5350000, drift=0.03, noise=0.03),
            Indicator("on_time", "on-time delivery", "rate", start=934, drift=0, noise=8),
        ),
    ),
    _sector(
        "telecommunications",
        gross_margin=0.57,
        research=0.008,
        selling=0.23,
        capital_spending=0.15,
        depreciation=0.032,
        receivables=0.5,
        inventories=0.1,
        payables=0.7,
        property=4.4,
        growth=0.02,
        volatility=0.012,
        cyclicality=0.002,
        leverage=2.2,
        season=(0.99, 1.0, 1.0, 1.01),
        labour=True,
        indicators=(
            Indicator("connections", "connections", "count", start=3900000, drift=0.02, noise=0.006),
            Indicator("churn", "monthly churn", "rate", start=17, drift=0, noise=1.2),
        ),
    ),
    _sector(
        "materials",
        gross_margin=0.265,
        research=0.01,
        selling=0.08,
        capital_spending=0.07,
        depreciation=0.025,
        receivables=0.5,
        inventories=0.75,
        payables=0.62,
        property=2.6,
        growth=0.025,
        volatility=0.045,
        cyclicality=0.016,
        leverage=0.9,
        season=(0.97, 1.03, 1.01, 0.99),
        labour=True,
        indicators=(
            Indicator("tonnes", "tonnes shipped", "count", start=890000, drift=0.02, noise=0.04),
            Indicator("capacity_use", "capacity utilisation", "rate", start=812, drift=0, noise=22),
        ),
    ),
)
