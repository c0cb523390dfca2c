"""Dates as people write them in files, turned into the first moment at which a text was certainly public."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mintage.corpus.document import DatePrecision

ISO = re.compile(r"(\d{4})(-\d\d)?(-\d\d)?(?:[T ](\d\d:\d\d)(:\d\d(?:[.,]\d+)?)?\s?(Z|[+-]\d\d:?\d\d)?)?")
END_OF_DAY = time(23, 59, 59, 999999)


@dataclass(frozen=True)
class DateField:
    """Where a row's date stands and how to read it.

    The value is ISO 8601 (`2020`, `2020-05`, `2020-05-04`, `2020-05-04T16:30:00-04:00`) or has a strptime
    `format`. `pattern` is a regular expression that finds the date inside a longer value; its groups, joined
    by a space, are what is read. A time without an offset is in `zone`. A day, a month or a year means its
    END in that zone, a minute its last instant, and a time of exactly midnight is taken for a day, because
    that is how many programs write one. `delay_days` and `delay_hours` are added where the text came out
    later than the date says (minutes of a meeting). `bound` says that the result is only an upper bound of
    the true moment.
    """

    field: str
    format: str | None = None
    pattern: str | None = None
    zone: str = "UTC"
    delay_days: int = 0
    delay_hours: int = 0
    bound: bool = False

    def __post_init__(self) -> None:
        if self.delay_days < 0 or self.delay_hours < 0:
            raise ValueError(
                f"{self.field}: a delay cannot be negative: a text is not public before its date"
            )
        if self.format is not None and not re.search(r"%[YyGcxDF]", self.format):
            raise ValueError(f"{self.field}: the format {self.format!r} has no year (%Y)")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"{self.field}: unknown zone {self.zone!r}; write it as America/New_York or UTC"
            ) from None
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"{self.field}: the pattern is not a regular expression: {error}") from None

    def finds(self, value: Any) -> bool:
        """Whether `value` has something to read: it is not empty, and the pattern, if any, occurs in it."""
        if value is None or value == "":
            return False
        return self.pattern is None or re.search(self.pattern, str(value)) is not None


def moment(value: Any, rule: DateField) -> tuple[datetime, DatePrecision]:
    """The moment (UTC) that a value means under a rule, delays included, and the precision it was given with.

    Raises:
        ValueError: the value is not a date that the rule can read.
    """
    try:
        written, precision = read(value, rule)
        end = end_of(written, precision) + timedelta(days=rule.delay_days)
        instant = in_utc(end, ZoneInfo(rule.zone)) + timedelta(hours=rule.delay_hours)
    except OverflowError:
        raise ValueError(f"{rule.field}: {value!r} is beyond the years 1 to 9999") from None
    return instant, "bound" if rule.bound else precision


def day(value: Any, rule: DateField) -> date:
    """The last day of the period that a value names (the day itself, or the end of its month or year).

    Raises:
        ValueError: the value is not a date that the rule can read.
    """
    written, precision = read(value, rule)
    return end_of(written, precision).date()


def read(value: Any, rule: DateField) -> tuple[datetime, DatePrecision]:
    """The date and time as written, with its offset if it has one, and the precision."""
    if isinstance(value, datetime):
        return value, midnight_is_a_day(value, "second")
    if isinstance(value, date):
        return datetime.combine(value, time()), "day"
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{rule.field}: a {type(value).__name__} is not a date")
    text = str(value).strip()
    if rule.pattern is not None:
        found = re.search(rule.pattern, text)
        if found is None:
            raise ValueError(f"{rule.field}: the pattern {rule.pattern!r} does not occur in {text[:80]!r}")
        text = " ".join(found.groups()) if found.groups() else found.group()
    if rule.format is not None:
        try:
            written = datetime.strptime(text, rule.format)
        except ValueError:
            raise ValueError(f"{rule.field}: {text[:80]!r} is not written as {rule.format!r}") from None
        return written, midnight_is_a_day(written, precision_of(rule.format))
    return read_iso(text, rule)


def read_iso(text: str, rule: DateField) -> tuple[datetime, DatePrecision]:
    """Read ISO 8601 in its extended form, shortened to a month or a year as well."""
    match = ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{rule.field}: {text[:80]!r} is not an ISO date; name its strptime format")
    _, month, day_, minute, second, _ = match.groups()
    try:
        if minute is not None:
            written = datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", ""))
            return written, midnight_is_a_day(written, "second" if second else "minute")
        written = datetime.fromisoformat(f"{match[1]}{month or '-01'}{day_ or '-01'}")
    except ValueError as error:
        raise ValueError(f"{rule.field}: {text!r} is not a date: {error}") from None
    return written, "day" if day_ else "month" if month else "year"


def precision_of(format_: str) -> DatePrecision:
    """The precision that a strptime format can express."""
    directives = set(re.findall(r"%(.)", format_))
    if directives & set("SfTcX"):
        return "second"
    if directives & set("MHIR"):
        return "minute"
    if directives & set("djxDFUWVaAuw"):
        return "day"
    return "month" if directives & set("mbB") else "year"


def midnight_is_a_day(written: datetime, precision: DatePrecision) -> DatePrecision:
    """The precision of a time, but "day" for exactly midnight, which is how programs write days."""
    return "day" if precision in ("second", "minute") and written.time() == time() else precision


def end_of(written: datetime, precision: DatePrecision) -> datetime:
    """The last microsecond of a minute, day, month or year, days without offset; a second stays as it is."""
    if precision == "second":
        return written
    if precision == "minute":
        return written.replace(second=59, microsecond=999999)
    month = 12 if precision == "year" else written.month
    day_ = written.day if precision == "day" else calendar.monthrange(written.year, month)[1]
    return datetime.combine(date(written.year, month, day_), END_OF_DAY)


def in_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a local time; of the two that a change of clocks may offer, the later one."""
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
