"""When a filing became public, from EDGAR's several clocks.

The header of a submission gives its acceptance in US Eastern time. The submissions JSON writes the same time
with a `Z`, and means UTC for some filers and Eastern time for others (Apple's is Eastern time, Microsoft's is
UTC). One filer keeps one reading, and EDGAR accepts filings from 6 to 22 o'clock Eastern time only, so the
reading that puts fewer filings outside those hours is the true one. (Notices of the SEC's staff, such as that
a registration is effective, are posted at night and tell nothing.)

What is accepted after 17:30 is disseminated on the next business day, which is then the day in the first line
of the submission (https://www.sec.gov/search-filings/edgar-search-assistance/accessing-edgar-data). Letters
between the SEC's staff and a company are released weeks after they were sent, at an hour that is not written
down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from mintage.corpus.document import DatePrecision
from mintage.corpus.sources.dates import END_OF_DAY, in_utc

EASTERN = ZoneInfo("America/New_York")
OPENING, EVENING, CLOSING = time(6), time(17, 30), time(22)  # Eastern time
LONGEST_CLOSURE = timedelta(days=5)  # from an evening to the next business day, long holidays included

DAY = re.compile(r"\d{4}(\d{4}|-\d\d-\d\d)", re.ASCII)

STAFF_NOTICES = ("EFFECT", "QUALIF")

Clock = Literal["UTC", "Eastern"]


def day_of(digits: str) -> date:
    """The date that YYYYMMDD or YYYY-MM-DD means.

    Raises:
        ValueError: it is not a date.
    """
    if DAY.fullmatch(digits) is not None:
        try:
            return date.fromisoformat(digits)
        except ValueError:
            pass  # such as the 31st of February, told in the same words
    raise ValueError(f"{digits!r} is not a date")


def eastern(written: datetime) -> datetime:
    """The moment (UTC) at which clocks in New York showed a time."""
    return in_utc(written.replace(tzinfo=None), EASTERN)


def became_public(accepted: datetime | None, public: date) -> tuple[datetime, DatePrecision]:
    """The first moment at which a filing could be read, and how well that is known.

    `accepted` is its acceptance (UTC), None where only the day is known; `public` the day (Eastern) of its
    dissemination. Accepted in the evening, it is public when EDGAR opens on the next business day; released
    later than that, at the end of the day of its release.
    """
    sent = accepted.astimezone(EASTERN) if accepted else None
    if accepted and sent and sent.date() >= public:
        return accepted, "second"
    if sent and sent.time() >= EVENING and public - sent.date() <= LONGEST_CLOSURE:
        return in_utc(datetime.combine(public, OPENING), EASTERN), "minute"
    return in_utc(datetime.combine(public, END_OF_DAY), EASTERN), "day"


def last_filing_day(retrieved_at: datetime) -> date:
    """The last day that a filing fetched at a moment (UTC) can bear: the business day after its evening."""
    return retrieved_at.date() + LONGEST_CLOSURE


def clock_of(listed: Iterable[tuple[str, str]]) -> Clock:
    """What the acceptance times of one filer's submissions JSON mean, from the forms and times of filings.
    Where nothing tells, Eastern time: it is the later reading, so no text is taken for public too early."""
    moments = [
        datetime.fromisoformat(written.replace("Z", "+00:00"))
        for form, written in listed
        if written and form not in STAFF_NOTICES
    ]
    as_utc = sum(outside_hours(moment.astimezone(EASTERN).time()) for moment in moments)
    as_eastern = sum(outside_hours(moment.time()) for moment in moments)
    return "UTC" if as_utc < as_eastern else "Eastern"


def outside_hours(clock: time) -> bool:
    """Whether EDGAR takes no filings at an hour; midnight stands for a day without a time."""
    return clock != time() and not OPENING <= clock < CLOSING


def accepted_at(written: str, clock: Clock) -> datetime | None:
    """The moment (UTC) of an acceptance in a submissions JSON, None where it is a day only."""
    if not written:
        return None
    moment = datetime.fromisoformat(written.replace("Z", "+00:00"))
    local = moment.astimezone(EASTERN) if clock == "UTC" else moment
    if local.time() == time():
        return None
    return moment.astimezone(UTC) if clock == "UTC" else eastern(moment)
