"""The periods that figures are about: days, weeks, months, quarters, half-years and years."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Frequency = Literal["daily", "weekly", "monthly", "quarterly", "half-yearly", "annual"]

# How many of them make a year, for those that are counted within one.
PER_YEAR: dict[str, int] = {"monthly": 12, "quarterly": 4, "half-yearly": 2, "annual": 1}

MONTHS = tuple(calendar.month_name)[1:]
_ORDINALS = ("first", "second", "third", "fourth")
_SDMX = re.compile(r"(\d{4})(?:-?(?:(\d\d)(?:-(\d\d))?|M(\d\d?)|Q([1-4])|[SH]([12])|W(\d\d)))?")


@dataclass(frozen=True, order=True)
class Period:
    """A span of days, both ends included, ordered by its end."""

    end: date
    start: date
    frequency: Frequency

    @property
    def label(self) -> str:
        """The period in short: 2024-01-05, week ended 2024-01-07, 2024-01, 2024-Q1, 2024-H1, 2024."""
        number = (self.start.month - 1) * PER_YEAR.get(self.frequency, 0) // 12 + 1
        return {
            "daily": self.end.isoformat(),
            "weekly": f"week ended {self.end.isoformat()}",
            "monthly": f"{self.end:%Y-%m}",
            "quarterly": f"{self.end.year}-Q{number}",
            "half-yearly": f"{self.end.year}-H{number}",
            "annual": str(self.end.year),
        }[self.frequency]

    @property
    def words(self) -> str:
        """The period as it stands in a sentence: in January 2024, in the first quarter of 2024, on
        2024-01-05."""
        number = (self.start.month - 1) * PER_YEAR.get(self.frequency, 0) // 12
        return {
            "daily": f"on {self.end.isoformat()}",
            "weekly": f"in the week ended {self.end.isoformat()}",
            "monthly": f"in {MONTHS[self.end.month - 1]} {self.end.year}",
            "quarterly": f"in the {_ORDINALS[number % 4]} quarter of {self.end.year}",
            "half-yearly": f"in the {_ORDINALS[number % 2]} half of {self.end.year}",
            "annual": f"in {self.end.year}",
        }[self.frequency]

    @property
    def page(self) -> str:
        """The stretch of time whose figures stand in one document: a month of days, a year of weeks or
        months, ten years of the rest."""
        if self.frequency == "daily":
            return f"{self.end:%Y-%m}"
        if self.frequency in ("weekly", "monthly"):
            return str(self.end.year)
        first = self.end.year // 10 * 10
        return f"{first} to {first + 9}"


def part_of_year(year: int, number: int, frequency: Frequency) -> Period:
    """The `number`-th month, quarter, half or year (from 1) of a year.

    Raises:
        ValueError: there is no such part, or the year is not one of 1 to 9999.
    """
    parts = PER_YEAR[frequency]
    if not 1 <= number <= parts:
        raise ValueError(f"a year has no {number}th of {parts} parts")
    months = 12 // parts
    first, last = (number - 1) * months + 1, number * months
    return Period(date(year, last, calendar.monthrange(year, last)[1]), date(year, first, 1), frequency)


def single_day(day: date) -> Period:
    """A period of one day."""
    return Period(day, day, "daily")


def week_ended(day: date) -> Period:
    """The seven days that end on a day."""
    return Period(day, day - timedelta(days=6), "weekly")


def starting(day: date, frequency: Frequency) -> Period:
    """The period that is named by its first day, as FRED does; a week is named by its last."""
    if frequency == "daily":
        return single_day(day)
    if frequency == "weekly":
        return week_ended(day)
    months = 12 // PER_YEAR[frequency]
    return part_of_year(day.year, (day.month - 1) // months + 1, frequency)


def read_period(text: str) -> Period:
    """A period as SDMX and the World Bank write it: 2024, 2024-S1, 2024-Q1, 2024Q1, 2024-01, 2024M01,
    2024-W05, 2024-01-05.

    Raises:
        ValueError: it is none of these, or there is no such day.
    """
    match = _SDMX.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a period")
    year, month, day, other_month, quarter, half, week = match.groups()
    if day:
        return single_day(date(int(year), int(month), int(day)))
    if week:
        return week_ended(date.fromisocalendar(int(year), int(week), 7))
    if month or other_month:
        return part_of_year(int(year), int(month or other_month), "monthly")
    if quarter:
        return part_of_year(int(year), int(quarter), "quarterly")
    if half:
        return part_of_year(int(year), int(half), "half-yearly")
    return part_of_year(int(year), 1, "annual")


def between(first: Period, last: Period) -> Iterator[Period]:
    """Every period from the first to the last. Days and weeks, which have holidays and moving ends, have no
    fixed successors: only the two ends are given."""
    parts = PER_YEAR.get(first.frequency)
    if parts is None:
        yield from sorted({first, last})
        return
    number = first.start.year * parts + (first.start.month - 1) * parts // 12
    while (period := part_of_year(number // parts, number % parts + 1, first.frequency)) <= last:
        yield period
        number += 1
