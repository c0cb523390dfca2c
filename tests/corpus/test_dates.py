"""Dates in files: what is written becomes the first moment at which the text was certainly public."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus.sources.dates import DateField, day, moment

NEW_YORK = "America/New_York"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "rule", "expected", "precision"),
    [
        ("2022-01-26", DateField("d"), utc(2022, 1, 26, 23, 59, 59, 999999), "day"),
        ("2022-01-26", DateField("d", zone=NEW_YORK), utc(2022, 1, 27, 4, 59, 59, 999999), "day"),
        ("2022-07-26", DateField("d", zone=NEW_YORK), utc(2022, 7, 27, 3, 59, 59, 999999), "day"),
        ("2024-02", DateField("d"), utc(2024, 2, 29, 23, 59, 59, 999999), "month"),
        ("2021", DateField("d"), utc(2021, 12, 31, 23, 59, 59, 999999), "year"),
        (2021, DateField("d", format="%Y"), utc(2021, 12, 31, 23, 59, 59, 999999), "year"),
        (
            "20230609080152",
            DateField("d", format="%Y%m%d%H%M%S", zone=NEW_YORK),
            utc(2023, 6, 9, 12, 1, 52),
            "second",
        ),
        ("2022-01-26T14:00:00-05:00", DateField("d", zone="Asia/Tokyo"), utc(2022, 1, 26, 19), "second"),
        ("2022-01-26T19:00:05.5Z", DateField("d"), utc(2022, 1, 26, 19, 0, 5, 500000), "second"),
        ("2022-01-26 14:00", DateField("d", zone=NEW_YORK), utc(2022, 1, 26, 19, 0, 59, 999999), "minute"),
        ("January 31, 2018", DateField("d", format="%B %d, %Y"), utc(2018, 1, 31, 23, 59, 59, 999999), "day"),
        (
            "January 25-26, 2022",
            DateField("d", pattern=r"(\w+) (?:\d+-)?(\d+), (\d{4})", format="%B %d %Y"),
            utc(2022, 1, 26, 23, 59, 59, 999999),
            "day",
        ),
        (
            "minutes of 2022-01-26.txt",
            DateField("d", pattern=r"\d{4}-\d\d"),
            utc(2022, 1, 31, 23, 59, 59, 999999),
            "month",
        ),
        ("2015", DateField("d", delay_days=366, bound=True), utc(2016, 12, 31, 23, 59, 59, 999999), "bound"),
        (date(2022, 1, 26), DateField("d"), utc(2022, 1, 26, 23, 59, 59, 999999), "day"),
        (datetime(2022, 1, 26, 9, 30), DateField("d", zone=NEW_YORK), utc(2022, 1, 26, 14, 30), "second"),
        # programs write a day as midnight; taken for a time it would be public a day early
        ("2022-01-26T00:00:00", DateField("d"), utc(2022, 1, 26, 23, 59, 59, 999999), "day"),
        (datetime(2022, 1, 26), DateField("d"), utc(2022, 1, 26, 23, 59, 59, 999999), "day"),
        # 01:30 happens twice on this night; the text may be of the second time
        ("2021-11-07T01:30:00", DateField("d", zone=NEW_YORK), utc(2021, 11, 7, 6, 30), "second"),
    ],
)
def test_a_date_becomes_the_end_of_what_it_names(value, rule, expected, precision):
    assert moment(value, rule) == (expected, precision)


@given(
    st.dates(date(1990, 1, 1), date(2030, 1, 1)),
    st.sampled_from(["UTC", NEW_YORK, "Australia/Sydney", "Asia/Kolkata"]),
    st.integers(0, 90),
)
def test_a_day_with_a_delay_ends_at_midnight_in_its_zone(written, zone, delay):
    instant, _ = moment(written.isoformat(), DateField("d", zone=zone, delay_days=delay))
    local = (instant + timedelta(microseconds=1)).astimezone(ZoneInfo(zone))
    assert local.date() == written + timedelta(days=delay + 1)
    assert (instant.astimezone(ZoneInfo(zone))).date() == written + timedelta(days=delay)


def test_hours_are_added_to_the_instant():
    assert moment("2022-01-26T10:00:00Z", DateField("d", delay_hours=12))[0] == utc(2022, 1, 26, 22)


def test_the_end_of_a_period_is_its_last_day():
    assert day("2024-02", DateField("d")) == date(2024, 2, 29)
    assert day("20230228", DateField("d", format="%Y%m%d")) == date(2023, 2, 28)


@pytest.mark.parametrize(
    "value", ["soon", "2022-13-01", "2022-02-30", "20220101", True, 3.5, ["2022"], "0000-01-01"]
)
def test_what_is_not_a_date_is_refused_with_its_field(value):
    with pytest.raises(ValueError, match="d: "):
        moment(value, DateField("d"))


def test_a_date_beyond_the_calendar_is_refused():
    with pytest.raises(ValueError, match="beyond"):
        moment("9999-12-31", DateField("d", zone=NEW_YORK))


@pytest.mark.parametrize(
    "wrong", [{"zone": "Mars/Base"}, {"format": "%d %B"}, {"delay_days": -1}, {"pattern": "("}]
)
def test_a_rule_that_cannot_be_right_is_refused_at_once(wrong):
    with pytest.raises(ValueError):
        DateField("d", **wrong)
