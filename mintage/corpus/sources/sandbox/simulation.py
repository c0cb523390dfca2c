"""The simulation: companies, their events, prices and accounts, quarter after quarter, each drawn after the
last."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from mintage.corpus.sources.sandbox import names
from mintage.corpus.sources.sandbox.accounts import State, account, found_company, misstate
from mintage.corpus.sources.sandbox.clock import Period, eastern, is_business_day, local_day, office_time
from mintage.corpus.sources.sandbox.happenings import (
    DEFAULT_REACTION,
    GRADES,
    KINDS,
    default_event,
    draw_events,
)
from mintage.corpus.sources.sandbox.macro_simulation import simulate_macro
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.sectors import SECTORS
from mintage.corpus.sources.sandbox.settings import SandboxSource
from mintage.corpus.sources.sandbox.tables import Company, Economy, Event, Quarter

BURN_IN_YEARS = 2  # simulated before the first year, so that its documents have years to compare with


def simulate(settings: SandboxSource) -> Economy:
    """The whole economy of these settings. A longer one (more years) begins with the shorter one."""
    seed, start = settings.seed, settings.first_year - BURN_IN_YEARS
    last = settings.first_year + settings.years - 1
    companies, states = _companies(seed, settings.companies)
    economy = Economy(
        first_year=settings.first_year,
        years=settings.years,
        companies=companies,
        quarters={},
        events=[],
        chiefs={},
        prices={ticker: {} for ticker in companies},
        index={},
        macro=simulate_macro(seed, start, last),
    )
    level = 1000.0
    period = Period(start, 1)
    while period.year <= last:
        days = [day for day in _days(period) if is_business_day(day)]
        market = Stream(seed, "market", period.label)
        moves = [0.00045 + 0.0085 * market.normal() for _ in days]
        for day, move in zip(days, moves):
            level *= 1 + move
            economy.index[day] = round(100 * level)
        for ticker in companies:
            _advance(seed, economy, states[ticker], companies[ticker], period, days, moves)
        period = period.next()
    for event in economy.events:
        if event.kind == "chief":
            economy.chiefs.setdefault(event.ticker, []).append((event.at, event.names["successor"]))
    economy.events.sort(key=lambda event: (event.at, event.ticker, event.kind))
    return economy


def _companies(seed: int, count: int) -> tuple[dict[str, Company], dict[str, State]]:
    companies: dict[str, Company] = {}
    states: dict[str, State] = {}
    for number, name in enumerate(names.company_names(seed, count)):
        stream = Stream(seed, "company", number)
        sector = SECTORS[number % len(SECTORS)]
        unit = "thousand" if stream.chance(0.25) else "million"
        ticker = names.ticker(name, set(companies))
        companies[ticker] = Company(
            name=name,
            legal_name=f"{name} {names.legal_form(stream)}",
            ticker=ticker,
            sector=sector,
            unit=unit,
            segments=tuple(stream.sample(sector.segments, stream.integer(2, 4))),
            products=tuple(names.product(stream) for _ in range(3)),
            home=names.place(stream),
            founded=stream.integer(1888, 1996),
            employees=stream.integer(12, 480) * (10 if unit == "thousand" else 150),
            first_chief=names.person(stream),
            finance_chief=names.person(stream),
            relations_chief=names.person(stream),
            analysts=tuple((names.person(stream), names.research_firm(stream)) for _ in range(5)),
        )
        states[ticker] = found_company(stream, companies[ticker])
    return companies, states


def _days(period: Period) -> list[date]:
    return [period.start + timedelta(days=number) for number in range((period.end - period.start).days + 1)]


def _advance(
    seed: int,
    economy: Economy,
    state: State,
    company: Company,
    period: Period,
    days: list[date],
    moves: list[float],
) -> None:
    """One company's quarter: events, prices, accounts, and the calendar of their publication."""
    ticker = company.ticker
    last = economy.quarters.get((ticker, period.previous()))
    events = _events(seed, economy, state, company, period, last)
    _price(seed, economy, state, company, period, days, moves, events, last)
    rate = economy.macro.rate_at(eastern(days[0], 9, 30))
    true = account(seed, company, state, period, events, economy.macro.true_growth[period], rate)
    released, call, filed = _calendar(seed, company, period)
    reported, restated, restatement = misstate(seed, company, true, filed)
    expected = _expected_revenue(seed, economy, company, period, last)
    guidance = _guide(seed, economy, company, period, reported["revenue"])
    economy.quarters[ticker, period] = Quarter(
        company=company,
        period=period,
        reported=reported,
        restated=restated,
        restatement=restatement,
        released_at=released,
        call_at=call,
        filed_at=filed,
        expected_revenue=expected or reported["revenue"],
        guidance=guidance,
        earlier_guidance=last.guidance if last else None,
        events=events,
    )
    economy.events.extend(events)


def _events(
    seed: int, economy: Economy, state: State, company: Company, period: Period, last: Quarter | None
) -> list[Event]:
    if last is None:
        return []
    revenue, debt = last.reported["revenue"], state.balance["debt"]
    # Guidance may be changed only after it was given, with the release of the quarter before.
    events = [
        event
        for event in draw_events(
            seed,
            company,
            period,
            revenue,
            state.balance["cash"],
            debt,
            state.dividend,
            state.chief,
            state.grade,
            last.guidance,
        )
        if event.kind != "guidance" or event.at > last.released_at + timedelta(days=3)
    ]
    stressed = state.losses >= 2 and debt > 1.2 * revenue
    if stressed and Stream(seed, "stress", company.ticker, period.label).chance(0.35):
        rate = economy.macro.rate_at(eastern(period.start, 9, 30)) + 120 + 80 * state.grade
        events.append(default_event(seed, company, period, debt, rate))
    return sorted(events, key=lambda event: event.at)


def _calendar(seed: int, company: Company, period: Period) -> tuple[datetime, datetime, datetime]:
    """When the release, the transcript of the call and the filing of a quarter can be read."""
    stream = Stream(seed, "calendar", company.ticker, period.label)
    late = 8 if period.quarter == 4 else 0
    day = period.end + timedelta(days=stream.integer(18 + late, 33 + late))
    if stream.chance(0.55):
        released = office_time(stream, day, 6, 8)
    else:
        released = office_time(stream, day, 16, 17)
    call = released + timedelta(seconds=stream.integer(4 * 3600, 7 * 3600))
    filed = office_time(stream, local_day(released) + timedelta(days=stream.integer(2, 10 + late)), 6, 17)
    return released, call, filed


def _expected_revenue(
    seed: int, economy: Economy, company: Company, period: Period, last: Quarter | None
) -> int | None:
    """What analysts expect just before the release: last year's quarter, carried on by the trend, pulled by
    guidance."""
    year_ago = economy.quarters.get((company.ticker, period.year_before()))
    if last is None or year_ago is None:
        return None
    earlier = economy.quarters.get((company.ticker, period.previous().year_before()))
    trend = last.reported["revenue"] / earlier.reported["revenue"] if earlier else 1.0
    guided = sum(last.guidance) / 2
    stream = Stream(seed, "consensus", company.ticker, period.label)
    return round((0.4 * year_ago.reported["revenue"] * trend + 0.6 * guided) * (1 + 0.012 * stream.normal()))


def _guide(seed: int, economy: Economy, company: Company, period: Period, revenue: int) -> tuple[int, int]:
    """Guidance for the next quarter, from what the company has seen so far: the season and a hunch."""
    season = company.sector.season
    factor = season[period.quarter % 4] / season[period.quarter - 1]
    stream = Stream(seed, "guidance", company.ticker, period.label)
    middle = revenue * factor * (1 + company.sector.growth / 4 + 0.02 * stream.normal())
    width = stream.between(0.01, 0.03)
    step = 10 if revenue > 2_000 else 5 if revenue > 400 else 1
    low, high = (round(middle * (1 + side * width) / step) * step for side in (-1, 1))
    return low, max(low + step, high)


def _price(
    seed: int,
    economy: Economy,
    state: State,
    company: Company,
    period: Period,
    days: list[date],
    moves: list[float],
    events: list[Event],
    last: Quarter | None,
) -> None:
    """Closing prices: the market, noise of one's own, and a jump on the first close after news."""
    stream = Stream(seed, "price", company.ticker, period.label)
    jumps: dict[date, float] = {}
    for event in events:
        mean, spread = DEFAULT_REACTION if event.kind == "default" else KINDS[event.kind][1:]
        if event.kind == "guidance":
            mean = 0.06 if event.figures["low"] > event.figures["earlier_low"] else -0.06
        elif event.kind == "rating":
            mean = 0.03 if GRADES.index(event.names["after"]) < GRADES.index(event.names["before"]) else -0.03
        elif event.kind == "dividend":
            mean = 0.01 if event.figures["after"] > event.figures["before"] else -0.05
        day = reaction_day(event.at)
        jumps[day] = jumps.get(day, 0.0) + mean + spread * stream.normal()
    if last is not None:
        surprise = last.reported["revenue"] / last.expected_revenue - 1
        day = reaction_day(last.released_at)
        jumps[day] = jumps.get(day, 0.0) + max(-0.2, min(0.2, 0.9 * surprise)) + 0.022 * stream.normal()
    prices = economy.prices[company.ticker]
    for day, move in zip(days, moves):
        change = move + 0.0125 * stream.normal() + jumps.get(day, 0.0)
        state.price *= 1 + max(-0.6, min(0.6, change))
        state.price = max(20.0, state.price)
        prices[day] = round(state.price)


def reaction_day(moment: datetime) -> date:
    """The day of the first market close (16:00 Eastern) after a moment."""
    day = local_day(moment)
    if moment >= eastern(day, 16, 0):
        day += timedelta(days=1)
    while not is_business_day(day):
        day += timedelta(days=1)
    return day
