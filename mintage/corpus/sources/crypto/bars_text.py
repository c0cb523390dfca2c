"""A month of a pair's daily bars as text: a summary and the days, as a table, key-value lines or prose.

Prices, volumes and counts are the exchange's, sums of them exact; the change in percent is the only rounded
figure, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext

from mintage.corpus.extract.figures import EXACT, Form, number
from mintage.corpus.sources.macro.periods import Period
from mintage.corpus.sources.macro.text import MISSING, listed

BARS_A_DAY = {"1h": 24, "4h": 6, "1d": 1}


@dataclass(frozen=True, order=True)
class Day:
    """Prices and volumes of a day (UTC): `volume` in the base currency, `turnover` in the quote currency.
    `bars` are those that it was put together from."""

    day: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal
    trades: int
    bars: int


def plain(value: Decimal | int) -> str:
    """A figure without the zeros that end it."""
    return number(Decimal(value).normalize(EXACT))


def month_text(
    pair: str, interval: str, month: Period, days: Sequence[Day], as_of: datetime, form: Form
) -> str:
    """The text of a month of which these days are known as of a moment."""
    base, quote = pair.split("/")
    facts = summary(base, quote, interval, month, days, as_of)
    title = f"{pair} on Binance's spot market, {month.label}"
    if form == "table":
        lines = [f"# {title}", "", *(f"- {name}: {value}" for name, value in facts), "", *table(base, days)]
    elif form == "key_value":
        lines = [title, *(f"{name}: {value}" for name, value in facts), *day_lines(base, quote, days)]
    else:
        lines = [prose(pair, interval, month, days, as_of)]
    gaps = missing_days(month, days)
    if gaps and form != "prose":
        lines += ["", f"Bars {MISSING}: {', '.join(gaps)}."]
    return "\n".join(lines) + "\n"


def summary(
    base: str, quote: str, interval: str, month: Period, days: Sequence[Day], as_of: datetime
) -> list[tuple[str, str]]:
    """The figures of the whole month, each with its unit."""
    high, low = max(days, key=lambda day: day.high), min(days, key=lambda day: day.low)
    change, percent = change_of(days)
    bars = bars_words(interval, days)
    with localcontext(EXACT):
        volume, turnover = sum(day.volume for day in days), sum(day.turnover for day in days)
    return [
        ("Days", f"{days[0].day.isoformat()} to {days[-1].day.isoformat()} (UTC)"),
        ("As of", moment_words(as_of)),
        ("Open", f"{plain(days[0].open)} {quote}"),
        ("High", f"{plain(high.high)} {quote} on {high.day.isoformat()}"),
        ("Low", f"{plain(low.low)} {quote} on {low.day.isoformat()}"),
        ("Close", f"{plain(days[-1].close)} {quote}"),
        ("Change from open to close", f"{plain(change)} {quote}, {number(percent, 2)} percent (rounded)"),
        ("Volume", f"{plain(volume)} {base}"),
        ("Turnover", f"{plain(turnover)} {quote}"),
        ("Trades", number(sum(day.trades for day in days))),
        *([("Bars", bars)] if bars else []),
    ]


def bars_words(interval: str, days: Sequence[Day]) -> str:
    """How many bars the days were put together from, where some are missing."""
    bars, expected = sum(day.bars for day in days), BARS_A_DAY[interval] * len(days)
    return "" if bars == expected else f"{bars} of {expected} of {interval}"


def change_of(days: Sequence[Day]) -> tuple[Decimal, Decimal]:
    """The change from the first open to the last close, in the quote currency and in percent of the open."""
    with localcontext(EXACT):
        change = days[-1].close - days[0].open
        return change, change * 100 / days[0].open


def moment_words(moment: datetime) -> str:
    """A moment to the minute, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def missing_days(month: Period, days: Sequence[Day]) -> list[str]:
    """The days of the month up to the last one known that have no bars."""
    known = {day.day for day in days}
    span = (days[-1].day - month.start).days
    every = (month.start + timedelta(days=offset) for offset in range(span))
    return [day.isoformat() for day in every if day not in known]


def table(base: str, days: Sequence[Day]) -> list[str]:
    """A Markdown table of the days."""
    lines = [f"| Day | Open | High | Low | Close | Volume ({base}) | Trades |", f"|{'---|' * 7}"]
    for day in days:
        figures = [plain(value) for value in (day.open, day.high, day.low, day.close, day.volume, day.trades)]
        lines.append(f"| {day.day.isoformat()} | {' | '.join(figures)} |")
    return lines


def day_lines(base: str, quote: str, days: Sequence[Day]) -> list[str]:
    """A line for every day."""
    return [
        f"{day.day.isoformat()}: open {plain(day.open)}, high {plain(day.high)}, low {plain(day.low)}, "
        f"close {plain(day.close)} {quote}; volume {plain(day.volume)} {base}; {number(day.trades)} trades"
        for day in days
    ]


def prose(pair: str, interval: str, month: Period, days: Sequence[Day], as_of: datetime) -> str:
    """Sentences about the month, and every day's close."""
    base, quote = pair.split("/")
    high, low, last = max(days, key=lambda day: day.high), min(days, key=lambda day: day.low), days[-1]
    change, percent = change_of(days)
    with localcontext(EXACT):
        volume, turnover = sum(day.volume for day in days), sum(day.turnover for day in days)
    verb = "rose by" if change > 0 else "fell by" if change < 0 else "changed by"
    closes = listed([f"{plain(day.close)} on {day.day.isoformat()}" for day in days])
    gaps, bars = missing_days(month, days), bars_words(interval, days)
    sentences = [
        f"As of {moment_words(as_of)}, {month.words}, {pair} on Binance's spot market opened on "
        f"{days[0].day.isoformat()} at {plain(days[0].open)} {quote} and closed on {last.day.isoformat()} at "
        f"{plain(last.close)} {quote}: "
        f"it {verb} {plain(abs(change))} {quote}, {number(abs(percent), 2)} percent (rounded).",
        f"The highest price was {plain(high.high)} {quote} on {high.day.isoformat()}, the lowest "
        f"{plain(low.low)} {quote} on {low.day.isoformat()}.",
        f"In {number(sum(day.trades for day in days))} trades {plain(volume)} {base} changed hands for "
        f"{plain(turnover)} {quote}.",
        f"The days closed (UTC) at {closes}.",
    ]
    if bars:
        sentences.append(f"Bars: {bars}.")
    if gaps:
        sentences.append(f"Bars are {MISSING} for {listed(gaps)}.")
    return " ".join(sentences)
