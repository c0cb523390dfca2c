"""Daily values by Unix time, as blockchain.info, DefiLlama and CoinGecko send them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mintage.corpus.collect.raw import Answer
from mintage.corpus.sources.crypto.settings import CryptoSource, in_months
from mintage.corpus.sources.macro.answers import exact
from mintage.corpus.sources.macro.periods import single_day
from mintage.corpus.sources.macro.series import Point, refuse_future, retrieval


def instant(seconds: Any) -> datetime:
    """A Unix time in seconds.

    Raises:
        ValueError: it is not one.
    """
    try:
        return datetime.fromtimestamp(int(exact(seconds)), UTC)
    except (OverflowError, OSError):
        raise ValueError(f"{seconds!r} is not a time in seconds") from None


def daily_point(settings: CryptoSource, answer: Answer, seconds: Any, value: Any) -> Point | None:
    """The value of a day, dated by its retrieval; None for a time within a day (that of the running one) and
    for days that the settings do not ask for.

    Raises:
        ValueError: it is not a value, or lies in the future.
    """
    moment = instant(seconds)
    period = single_day(moment.date())
    if not in_months(settings, period):
        return None
    refuse_future(period, answer)
    if (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        return None
    return Point(answer, period, None if value is None else exact(value), "", retrieval(answer))
