"""The accounts of one company, quarter by quarter: integers that balance by construction, and the errors in
them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from mintage.corpus.sources.sandbox.clock import Period, office_time
from mintage.corpus.sources.sandbox.happenings import GRADES
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.tables import Company, Event, Restatement, Statement, earnings_per_share

TAX_RATE = 0.24
RESTATEMENT_CHANCE = 0.035


@dataclass(slots=True)
class State:
    """What a company carries from one quarter into the next."""

    levels: dict[str, float]  # of revenue, by segment, before the season
    gross_margin: float
    usual_margin: float  # to which the gross margin returns; it wanders over the years
    selling: float
    balance: dict[str, int]
    shares: int
    dividend: int  # cents a share and quarter
    authorised: int  # buybacks still allowed
    indicators: dict[str, float]
    price: float  # cents
    grade: int
    chief: str
    losses: int = 0  # quarters of operating loss in a row


def found_company(stream: Stream, company: Company) -> State:
    """The state of a company before its first quarter."""
    sector = company.sector
    revenue = stream.between(9_000, 95_000) if company.unit == "thousand" else _scale(stream)
    shares = [stream.between(0.4, 1.6) for _ in company.segments]
    levels = {name: revenue * share / sum(shares) for name, share in zip(company.segments, shares)}
    margin = min(0.9, max(0.1, sector.gross_margin + 0.05 * stream.normal()))
    cost = revenue * (1 - margin)
    balance = {
        "cash": round(revenue * stream.between(0.2, 0.9)),
        "receivables": round(revenue * sector.receivables),
        "inventories": round(cost * sector.inventories),
        "other_assets": round(revenue * 0.12),
        "property": round(revenue * sector.property),
        "goodwill": round(revenue * stream.between(0.1, 1.4)),
        "payables": round(cost * sector.payables),
        "accrued": round(revenue * 0.22),
        "debt": round(revenue * sector.leverage * stream.between(0.2, 3.2)),
    }
    assets = sum(
        balance[item]
        for item in ("cash", "receivables", "inventories", "other_assets", "property", "goodwill")
    )
    equity = assets - balance["payables"] - balance["accrued"] - balance["debt"]
    balance["paid_in_capital"] = round(equity * stream.between(0.3, 0.7))
    balance["retained_earnings"] = equity - balance["paid_in_capital"]
    price = stream.between(900, 9_000)
    value = revenue * 4 * stream.between(0.6, 2.2) * company.dollars
    outstanding = max(2_000, round(value / (price / 100) / 1000))
    pays = stream.chance(0.6)
    income = revenue * max(0.01, margin - sector.research - sector.selling - 0.05) * 0.7
    dividend = max(1, round(income * 0.3 * company.dollars * 100 / (outstanding * 1000))) if pays else 0
    indicators = {
        one.key: one.start * (stream.between(0.3, 2.2) if one.form == "count" else 1.0)
        for one in sector.indicators
    }
    return State(
        levels,
        margin,
        margin,
        sector.selling,
        balance,
        outstanding,
        dividend,
        0,
        indicators,
        price,
        stream.integer(1, 4),
        company.first_chief,
    )


def _scale(stream: Stream) -> float:
    """Quarterly revenue in millions, from small to large companies, roughly log-uniform."""
    return stream.between(1.0, 9.5) * stream.pick((60, 180, 600, 1_100))


def account(
    seed: int, company: Company, state: State, period: Period, events: list[Event], growth: float, rate: int
) -> Statement:
    """The accounts of the next quarter; `state` moves on to its end. `growth` is GDP growth above trend in
    percent a year, `rate` the policy rate in hundredths of a percent."""
    sector, stream = company.sector, Stream(seed, "accounts", company.ticker, period.label)
    before = state.balance
    lost, charges, bought, spent = _apply_events(state, events, stream)
    segments = _revenue(company, state, period, stream, growth, lost)
    revenue = sum(segments.values())
    state.usual_margin += 0.01 * (sector.gross_margin - state.usual_margin) + 0.009 * stream.normal()
    state.gross_margin += 0.25 * (state.usual_margin - state.gross_margin) + 0.01 * stream.normal()
    gross_margin = min(0.92, max(0.05, state.gross_margin - 0.15 * lost.get("", 0.0)))
    cost = round(revenue * (1 - gross_margin))
    research = round(revenue * sector.research * stream.between(0.94, 1.06))
    selling = round(revenue * state.selling * stream.between(0.95, 1.05))
    amortisation = round(before["goodwill"] * 0.006)
    wear = round(before["property"] * sector.depreciation)
    write_off = 0
    if state.losses >= 2 and before["goodwill"] > revenue // 10 and stream.chance(0.25):
        write_off = round(before["goodwill"] * stream.between(0.15, 0.5))
    special = charges + write_off
    depreciation = wear + amortisation
    operating = revenue - cost - research - selling - depreciation - special
    interest = round(before["debt"] * (rate / 10_000 + 0.012 + 0.009 * state.grade) / 4)
    pretax = operating - interest
    tax = max(0, round(pretax * TAX_RATE))
    net = pretax - tax
    state.losses = state.losses + 1 if operating < 0 else 0

    capital_spending = round(revenue * sector.capital_spending * stream.between(0.75, 1.25)) + spent
    acquired_property = round(bought * 0.3)
    after = {
        "receivables": round(revenue * sector.receivables * stream.between(0.92, 1.08)),
        "inventories": round(cost * sector.inventories * stream.between(0.92, 1.08)),
        "other_assets": round(revenue * 0.12 * stream.between(0.85, 1.15)),
        "payables": round(cost * sector.payables * stream.between(0.92, 1.08)),
        "accrued": round(revenue * 0.22 * stream.between(0.92, 1.08)),
        "property": before["property"] + capital_spending + acquired_property - wear,
        "goodwill": before["goodwill"] + bought - acquired_property - amortisation - write_off,
    }
    flows = {
        f"{item}_change": before[item] - after[item]
        for item in ("receivables", "inventories", "other_assets")
    }
    flows |= {f"{item}_change": after[item] - before[item] for item in ("payables", "accrued")}
    operating_cash = net + depreciation + write_off + sum(flows.values())
    exchanged = sum(event.figures["exchanged"] for event in events if event.kind == "default")
    if exchanged:
        state.dividend = 0
        state.shares = round(state.shares * 1.7)
        state.grade = len(GRADES) - 2
    if before["debt"] > 7 * revenue:
        state.dividend = 0
    dividends = round(state.shares * state.dividend * 10 / company.dollars)
    investing_cash = -capital_spending - bought
    debt_change, buybacks = _finance(
        state,
        company.dollars,
        before["cash"] + operating_cash + investing_cash - dividends,
        revenue,
        before["debt"] - exchanged,
    )
    financing_cash = debt_change - dividends - buybacks
    cash_change = operating_cash + investing_cash + financing_cash
    after["cash"] = before["cash"] + cash_change
    after["debt"] = before["debt"] + debt_change - exchanged
    after["paid_in_capital"] = before["paid_in_capital"] + exchanged - buybacks
    after["retained_earnings"] = before["retained_earnings"] + net - dividends
    if buybacks:
        state.shares -= round(buybacks * company.dollars / (10 * state.price))
        state.authorised -= buybacks
    state.balance = after
    _move_indicators(company, state, stream, growth)

    values = {
        "revenue": revenue, "cost_of_revenue": cost, "gross_profit": revenue - cost, "research": research,
        "selling": selling, "depreciation": depreciation, "special_charges": special,
        "operating_income": operating, "interest_expense": interest, "pretax_income": pretax,
        "income_tax": tax, "net_income": net, "noncash_charges": write_off, **flows,
        "operating_cash": operating_cash, "capital_spending": -capital_spending, "acquisitions": -bought,
        "investing_cash": investing_cash, "debt_change": debt_change, "dividends": -dividends,
        "buybacks": -buybacks, "financing_cash": financing_cash, "cash_change": cash_change,
        "cash_beginning": before["cash"], "cash_end": after["cash"], "debt_exchanged": exchanged,
        **after, "shares": state.shares,
        "earnings_per_share": earnings_per_share(company, net, state.shares),
    }  # fmt: skip
    indicators = {key: round(value) for key, value in state.indicators.items()}
    return Statement(company.ticker, period, _with_totals(values), segments, indicators)


def _with_totals(values: dict[str, int]) -> dict[str, int]:
    values["total_assets"] = sum(
        values[item]
        for item in ("cash", "receivables", "inventories", "other_assets", "property", "goodwill")
    )
    values["total_liabilities"] = values["payables"] + values["accrued"] + values["debt"]
    values["total_equity"] = values["paid_in_capital"] + values["retained_earnings"]
    return values


def _apply_events(
    state: State, events: list[Event], stream: Stream
) -> tuple[dict[str, float], int, int, int]:
    """Lost shares of revenue by segment ("" for the margin), cash charges, price of companies bought, capital
    spent."""
    lost: dict[str, float] = {}
    charges = bought = spent = 0
    for event in events:
        figures, names = event.figures, event.names
        if event.kind == "acquisition":
            bought += figures["price"]
            state.levels[names["segment"]] += figures["target_revenue"] / 4
        elif event.kind in ("strike", "outage"):
            share = figures["days"] / 90 * stream.between(0.3, 0.9)
            lost[names["segment"]] = lost.get(names["segment"], 0.0) + share
            lost[""] = lost.get("", 0.0) + 0.3 * share
            charges += figures.get("repair", 0)
        elif event.kind in ("product", "contract"):
            state.levels[names["segment"]] *= 1 + stream.between(-0.01, 0.06)
            spent += figures.get("spent", 0)
        elif event.kind == "lawsuit":
            charges += figures["settlement"]
        elif event.kind == "restructuring":
            charges += figures["charge"]
            state.selling *= stream.between(0.95, 0.995)
        elif event.kind == "buyback":
            state.authorised = figures["authorised"]
        elif event.kind == "dividend":
            state.dividend = figures["after"]
        elif event.kind == "rating":
            state.grade = GRADES.index(names["after"])
        elif event.kind == "partnership":
            spent += figures["invested"]
        elif event.kind == "chief":
            state.chief = names["successor"]
    return lost, charges, bought, spent


def _revenue(
    company: Company, state: State, period: Period, stream: Stream, growth: float, lost: dict[str, float]
) -> dict[str, int]:
    """Revenue by segment."""
    sector, segments = company.sector, {}
    common = 0.5 * sector.volatility * stream.normal()
    for name in company.segments:
        state.levels[name] *= max(
            0.6,
            1
            + sector.growth / 4
            + sector.cyclicality * growth / 4
            + common
            + 0.7 * sector.volatility * stream.normal(),
        )
        season = sector.season[period.quarter - 1] * stream.between(0.985, 1.015)
        segments[name] = max(1, round(state.levels[name] * season * (1 - min(0.5, lost.get(name, 0.0)))))
    return segments


def _finance(state: State, dollars: int, cash: int, revenue: int, debt: int) -> tuple[int, int]:
    """Debt raised (or paid back, negative) and shares bought, so that cash stays within bounds."""
    least, most = round(0.15 * revenue), round(0.9 * revenue)
    if cash < least:
        return least - cash, 0
    if cash <= most:
        return 0, 0
    excess = cash - most
    worth = state.shares * state.price * 10 / dollars
    return -min(debt, excess // 8), min(state.authorised, excess // 2, round(0.03 * worth))


def _move_indicators(company: Company, state: State, stream: Stream, growth: float) -> None:
    for one in company.sector.indicators:
        value = state.indicators[one.key]
        if one.form == "count":
            value *= 1 + one.drift / 4 + one.noise * stream.normal() + company.sector.cyclicality * growth / 8
        else:
            value += 0.3 * (one.start - value) + one.noise * stream.normal()
        state.indicators[one.key] = max(1.0, value)


def misstate(
    seed: int, company: Company, true: Statement, filed_at: datetime
) -> tuple[Statement, Statement | None, Restatement | None]:
    """The accounts as first reported, and where they were wrong, the restated (true) ones and the reason.

    An error of timing reverses in the next quarter and is found before that quarter's release; an error of
    classification touches no balance and may be found later, but before the year is closed.
    """
    period = true.period
    stream = Stream(seed, "restatement", company.ticker, period.label)
    if not stream.chance(RESTATEMENT_CHANCE):
        return true, None, None
    values, segments = dict(true.values), dict(true.segments)
    kinds = ["accrual", "classification", "segment"]
    amount = max(1, round(values["revenue"] * stream.between(0.012, 0.05)))
    matched = round(amount * values["cost_of_revenue"] / values["revenue"])
    if values["inventories"] > 2 * matched:
        kinds += ["cut-off", "cut-off"]
    kind = stream.pick(kinds)
    segment = None
    item = {
        "accrual": "selling",
        "classification": "cost_of_revenue",
        "segment": "revenue",
        "cut-off": "revenue",
    }[kind]
    if kind == "cut-off":
        gain = amount - matched
        segment = stream.pick(company.segments)
        segments[segment] += amount
        changes = {
            "revenue": amount, "cost_of_revenue": matched, "gross_profit": gain, "receivables": amount,
            "receivables_change": -amount, "inventories": -matched, "inventories_change": matched,
        }  # fmt: skip
    elif kind == "accrual":
        gain = min(amount, values["selling"] // 3, values["accrued"] // 3)
        changes = {"selling": -gain, "accrued": -gain, "accrued_change": -gain}
    elif kind == "classification":
        gain = 0
        moved = min(amount, values["selling"] // 3, values["cost_of_revenue"] // 3)
        changes = {"cost_of_revenue": -moved, "gross_profit": moved, "selling": moved}
    else:
        gain = 0
        segment, other = stream.sample(company.segments, 2)
        moved = min(amount, segments[segment] // 3, segments[other] // 3)
        segments[segment] += moved
        segments[other] -= moved
        changes = {}
    if gain:
        changes |= dict.fromkeys(
            ("operating_income", "pretax_income", "net_income", "retained_earnings"), gain
        )
    for name, change in changes.items():
        values[name] += change
    values["earnings_per_share"] = earnings_per_share(company, values["net_income"], values["shares"])
    reported = Statement(company.ticker, period, _with_totals(values), segments, true.indicators)
    if reported == true:
        return true, None, None
    longest = (
        40 if kind in ("cut-off", "accrual") else 200 if period.quarter == 4 else 330 - 90 * period.quarter
    )
    found = filed_at + timedelta(days=stream.integer(10, longest))
    amended_at = office_time(stream, found.date(), 7, 17)
    announced_at = office_time(stream, (found - timedelta(days=stream.integer(2, 6))).date(), 7, 17)
    wrong, right = (
        (segments[segment], true.segments[segment])
        if kind == "segment" and segment
        else (values[item], true[item])
    )
    restatement = Restatement(
        kind, item, wrong, right, segment, min(announced_at, amended_at - timedelta(hours=9)), amended_at
    )
    return reported, true, restatement
