"""Days, hours and quarters of the sandbox: business days, US Eastern office hours as UTC moments, reporting
periods."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from mintage.corpus.sources.sandbox.randomness import Stream

EASTERN = ZoneInfo("America/New_York")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
ORDINALS = ("", "first", "second", "third", "fourth")


@dataclass(frozen=True, order=True, slots=True)
class Period:
    """A reporting period: a quarter (1 to 4) of a calendar year, or the whole year (quarter 0)."""

    year: int
    quarter: int

    @property
    def start(self) -> date:
        return date(self.year, 3 * self.quarter - 2 if self.quarter else 1, 1)

    @property
    def end(self) -> date:
        following = Period(self.year + 1, 1) if self.quarter == 0 else self.next()
        return following.start - timedelta(days=1)

    @property
    def label(self) -> str:
        """ "Q2 2014", or "2014" for a whole year."""
        return f"Q{self.quarter} {self.year}" if self.quarter else str(self.year)

    def next(self) -> Period:
        """The quarter after this quarter."""
        return Period(self.year + 1, 1) if self.quarter == 4 else Period(self.year, self.quarter + 1)

    def previous(self) -> Period:
        """The quarter before this quarter."""
        return Period(self.year - 1, 4) if self.quarter == 1 else Period(self.year, self.quarter - 1)

    def year_before(self) -> Period:
        """The same period one year earlier."""
        return Period(self.year - 1, self.quarter)


def is_business_day(day: date) -> bool:
    """Monday to Friday, except New Year, 4 July and Christmas."""
    return day.weekday() < 5 and (day.month, day.day) not in ((1, 1), (7, 4), (12, 25))


def business_day(day: date) -> date:
    """This day, or the first business day after it."""
    while not is_business_day(day):
        day += timedelta(days=1)
    return day


def eastern(day: date, hour: int, minute: int, second: int = 0) -> datetime:
    """The moment of a US Eastern wall clock, in UTC."""
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=EASTERN).astimezone(UTC)


def office_time(stream: Stream, day: date, first_hour: int, last_hour: int) -> datetime:
    """A moment to the second on a day (or the business day after it), between two Eastern hours."""
    seconds = stream.integer(first_hour * 3600, last_hour * 3600)
    return eastern(business_day(day), seconds // 3600, seconds // 60 % 60, seconds % 60)


def local_day(moment: datetime) -> date:
    """The Eastern calendar day of a moment."""
    return moment.astimezone(EASTERN).date()


def long_date(day: date) -> str:
    """ "March 31, 2014"."""
    return f"{MONTHS[day.month - 1]} {day.day}, {day.year}"
