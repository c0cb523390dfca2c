"""The macro side of the economy: growth, prices, jobs and a central bank that answers to them, with revised
prints."""

from __future__ import annotations

from datetime import date, timedelta

from mintage.corpus.sources.sandbox.clock import Period, business_day, eastern
from mintage.corpus.sources.sandbox.names import person
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.tables import Macro, Meeting, Print

TREND_GROWTH = 22  # tenths of a percent a year
INFLATION_TARGET = 2.0
MEETING_MONTHS = (1, 3, 5, 6, 7, 9, 11, 12)
EXPENDITURES = ("consumption", "investment", "government", "trade")


def simulate_macro(seed: int, first_year: int, last_year: int) -> Macro:
    """All series from the start of `first_year` to the end of `last_year`. A longer run begins with the
    shorter one."""
    macro = Macro()
    start = Stream(seed, "macro start")
    gap, inflation, energy, jobless_noise = start.between(-2.0, 1.5), start.between(1.2, 2.6), 0.0, 0.0
    rate = max(0, round(4 * (2 * inflation - 1 + 0.5 * gap))) * 25
    governor, governor_until = person(start), first_year + start.integer(3, 7)
    gaps: list[float] = []
    for year in range(first_year, last_year + 1):
        if year >= governor_until:
            change = Stream(seed, "governor", year)
            governor, governor_until = person(change), year + change.integer(4, 8)
        for month in range(1, 13):
            stream = Stream(seed, "macro", year, month)
            shock = 0.4 * stream.normal() - (stream.between(1.5, 4.0) if stream.chance(0.012) else 0.0) + 0.03
            gap = 0.965 * gap + shock
            energy = 0.86 * energy + 2.6 * stream.normal()
            inflation += (
                0.07 * (INFLATION_TARGET + 0.3 * gap - inflation) + 0.24 * stream.normal() + 0.012 * energy
            )
            jobless_noise = 0.7 * jobless_noise + 0.06 * stream.normal()
            gaps.append(gap)
            _publish_month(
                macro, stream, year, month, gap, inflation, energy, max(2.4, 5.2 - 0.6 * gap + jobless_noise)
            )
            if month in MEETING_MONTHS:
                rate = _meet(macro, stream, year, month, rate, inflation, gap, governor)
            if month % 3 == 0:
                _publish_growth(macro, stream, Period(year, month // 3), gaps)
    return macro


def _publish_month(
    macro: Macro,
    stream: Stream,
    year: int,
    month: int,
    gap: float,
    inflation: float,
    energy: float,
    jobless: float,
) -> None:
    """First prints and one revision a month later, for prices and jobs."""
    following = date(year + month // 12, month % 12 + 1, 1)
    after = date(following.year + following.month // 12, following.month % 12 + 1, 1)
    price_day, price_revision = (
        eastern(business_day(day + timedelta(days=11)), 8, 30) for day in (following, after)
    )
    jobs_day, jobs_revision = (
        eastern(business_day(day + timedelta(days=(4 - day.weekday()) % 7)), 8, 30)
        for day in (following, after)
    )
    headline = round(10 * inflation)
    energy_tenths = round(10 * (inflation + energy))
    food = round(10 * (inflation + 0.9 * stream.normal()))
    core = round((10 * headline - energy_tenths - 1.5 * food) / 7.5)
    for series, value in (
        (macro.inflation, headline),
        (macro.core_inflation, core),
        (macro.energy_inflation, energy_tenths),
        (macro.food_inflation, food),
    ):
        series[year, month] = [Print(price_day, value, 0)]
    if stream.chance(0.25):
        macro.inflation[year, month].append(Print(price_revision, headline + stream.pick((-1, 1)), 1))
    level = round(10 * jobless)
    macro.unemployment[year, month] = [Print(jobs_day, level, 0)]
    if stream.chance(0.18):
        macro.unemployment[year, month].append(Print(jobs_revision, level + stream.pick((-1, 1)), 1))
    jobs = round(118 + 46 * gap + 38 * stream.normal())
    macro.payrolls[year, month] = [
        Print(jobs_day, jobs, 0),
        Print(jobs_revision, jobs + round(24 * stream.normal()), 1),
    ]


def _meet(
    macro: Macro,
    stream: Stream,
    year: int,
    month: int,
    rate: int,
    inflation: float,
    gap: float,
    governor: str,
) -> int:
    """One meeting; returns the rate that it leaves."""
    first = date(year, month, 1)
    day = business_day(first + timedelta(days=(2 - first.weekday()) % 7 + 14))
    wanted = max(0.0, 200 * inflation - 100 + 50 * gap)
    distance = wanted - rate
    step = 0 if abs(distance) < 45 else 25 if abs(distance) < 190 else 50
    if stream.chance(0.12):
        step = 0
    after = max(0, rate + (step if distance > 0 else -step))
    against = stream.pick((0, 0, 0, 1, 1, 2)) if after != rate else stream.pick((0, 0, 0, 0, 1, 2))
    moment = eastern(day, 14, 0)
    minutes = eastern(business_day(day + timedelta(days=21)), 14, 0)
    macro.meetings.append(
        Meeting(moment, minutes, rate, after, (9 - against, against), person(stream), governor)
    )
    return after


def _publish_growth(macro: Macro, stream: Stream, period: Period, gaps: list[float]) -> None:
    """Three prints of a quarter's annualised growth, each with contributions that add up to it."""
    recent, before = sum(gaps[-3:]) / 3, sum(gaps[-6:-3]) / 3 if len(gaps) > 3 else gaps[0]
    true = TREND_GROWTH + 10 * (1.7 * (recent - before)) + 6 * stream.normal()
    macro.true_growth[period] = (true - TREND_GROWTH) / 10
    prints, contributions = [], []
    for vintage, (days, noise) in enumerate(((28, 7.0), (58, 3.0), (88, 1.0))):
        value = round(true + noise * stream.normal())
        parts = {
            "consumption": round(0.6 * value + 3 * stream.normal()),
            "investment": round(0.3 * value - 4 + 5 * stream.normal()),
            "government": round(3 + 2 * stream.normal()),
        }
        parts["trade"] = value - sum(parts.values())
        prints.append(Print(eastern(business_day(period.end + timedelta(days=days)), 8, 30), value, vintage))
        contributions.append(parts)
    macro.growth[period], macro.contributions[period] = prints, contributions
