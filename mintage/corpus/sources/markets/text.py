"""Summaries of symbols as text: prose, key-value lines or a table, chosen by the document's identity."""

from __future__ import annotations

from calendar import month_name
from datetime import date
from decimal import Decimal

from mintage.corpus.extract.figures import chosen, form_of, number, quantity, unit_words
from mintage.corpus.sources.markets.bars import DIVIDEND_PLACES, Bars, Event, round_half_even
from mintage.corpus.sources.markets.periods import SinceFirst, Summary, periods
from mintage.corpus.sources.markets.universe import Listing


def period_words(summary: Summary) -> str:
    """A period as a sentence names it: March 2023, the first quarter of 2023, 2023."""
    start = summary.period.start
    if summary.period.kind == "month":
        return f"{month_name[start.month]} {start.year}"
    if summary.period.kind == "quarter":
        return f"the {('first', 'second', 'third', 'fourth')[start.month // 3]} quarter of {start.year}"
    return str(start.year)


def percent(fraction: Decimal, *, signed: bool = True) -> str:
    """A fraction as a percentage with two digits after the point: 0.0421 is +4.21%."""
    text = number(fraction * 100, 2)
    return f"+{text}%" if signed and fraction > 0 and text.strip("0.,") else f"{text}%"


def split_words(split: Event) -> str:
    """A split as markets call it: a 4-for-1 split, a 1-for-10 reverse split."""
    new = split.amount
    if new > 1:
        return f"a {plain(new)}-for-1 split on {split.time:%Y-%m-%d}"
    old = 1 / new
    nearest = old.to_integral_value()
    if abs(old - nearest) < Decimal("0.0005") * old:
        return f"a 1-for-{plain(nearest)} reverse split on {split.time:%Y-%m-%d}"
    return f"a reverse split of {plain(new)} new shares for each old share on {split.time:%Y-%m-%d}"


def plain(value: Decimal) -> str:
    """A number without superfluous zeros, with thousands separators."""
    return number(value.normalize())


class Wording:
    """The words of one document: its symbol, currency and places, and phrases chosen by its identity."""

    def __init__(self, identity: str, listing: Listing, places: int):
        self.identity, self.listing, self.places = identity, listing, places

    def price(self, value: Decimal, places: int | None = None) -> str:
        """A price with its currency."""
        rounded, currency = round_half_even(value, places or self.places), self.listing.market.currency
        return number(rounded) if currency is None else quantity(rounded, currency, 1)

    def bare(self, value: Decimal) -> str:
        """A price without its currency, for tables."""
        return number(round_half_even(value, self.places))

    def say(self, what: str, *options: str) -> str:
        """One of several ways to say a thing, by the hash of the document's identity."""
        return chosen(f"{self.identity} {what}", options)

    @property
    def unit(self) -> str:
        """What the prices are in, for a table's caption."""
        currency = self.listing.market.currency
        return "Prices" if currency is None else f"Prices in {unit_words(currency)}"


def basis(splits: tuple[Event, ...], last_day: date) -> str:
    """The sentence that says which splits a text's prices are adjusted for; empty where there are none."""
    if not splits:
        return ""
    return (
        f"Figures are adjusted for {joined([split_words(split) for split in splits])}, "
        f"as known on {last_day}."
    )


def joined(parts: list[str]) -> str:
    """An enumeration: a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def summary_text(identity: str, listing: Listing, bars: Bars, summary: Summary, places: int) -> str:
    """A period's text in the form that its identity chooses."""
    words = Wording(identity, listing, places)
    form = form_of(identity)
    if form == "prose":
        return prose(words, summary)
    if form == "table":
        return f"{table(words, bars, summary)}\n\n{key_values(words, summary)}"
    return key_values(words, summary)


def prose(words: Wording, summary: Summary) -> str:
    """A period in sentences."""
    name, when = words.listing.label, period_words(summary)
    close, base, day = words.price(summary.close), words.price(summary.base.value), summary.last_day
    start = (
        f"the opening price of {base} on {summary.base.day}"
        if summary.from_open
        else f"the close of {base} on {summary.base.day}"
    )
    if summary.price_return == 0:
        move = f"unchanged from {start}"
    else:
        size = percent(abs(summary.price_return), signed=False)
        move = f"{size} {'above' if summary.price_return > 0 else 'below'} {start}"
    sentences = [
        words.say(
            "close",
            f"{name} ended {when} at {close} on {day}, {move}.",
            f"At the close of {day}, the last session of {when}, {name} stood at {close}, {move}.",
            f"In {when}, {name} closed its last session ({day}) at {close}, {move}.",
            f"{name}: the last close of {when} was {close} ({day}), {move}.",
        ),
        words.say(
            "range",
            f"It opened the period at {words.price(summary.open)}; the high was "
            f"{words.price(summary.high.value)} on {summary.high.day} and the low "
            f"{words.price(summary.low.value)} on {summary.low.day}.",
            f"Over {number(summary.sessions)} sessions it traded between {words.price(summary.low.value)} "
            f"({summary.low.day}) and {words.price(summary.high.value)} ({summary.high.day}), from an open "
            f"of {words.price(summary.open)}.",
            f"The first trade of the period was at {words.price(summary.open)}, the lowest price "
            f"{words.price(summary.low.value)} ({summary.low.day}), the highest "
            f"{words.price(summary.high.value)} ({summary.high.day}).",
        ),
    ]
    if summary.drawdown is not None:
        fall, (peak, trough) = percent(-summary.drawdown.fraction, signed=False), drawdown_days(summary)
        sentences.append(
            words.say(
                "drawdown",
                f"The maximum drawdown by closing prices was {fall}, from {peak} to {trough}.",
                f"By closing prices it fell {fall} at most, between {peak} and {trough}.",
            )
        )
    if summary.volatility is not None:
        size = percent(summary.volatility, signed=False)
        sentences.append(
            words.say(
                "volatility",
                f"Annualised volatility of daily returns was {size}.",
                f"Daily returns had a standard deviation of {size} a year.",
            )
        )
    if summary.volume is not None:
        volume, mean = number(summary.volume, 0), number(summary.volume / summary.sessions, 0)
        sentences.append(
            words.say(
                "volume",
                f"Volume came to {volume} over {number(summary.sessions)} sessions, on average {mean} each.",
                f"{volume} units changed hands in {number(summary.sessions)} sessions ({mean} per session).",
            )
        )
    sentences += event_sentences(words, summary)
    return " ".join(sentences)


def drawdown_days(summary: Summary) -> tuple[str, str]:
    """The two days of a summary's drawdown."""
    assert summary.drawdown is not None
    return summary.drawdown.peak.isoformat(), summary.drawdown.trough.isoformat()


def event_sentences(words: Wording, summary: Summary) -> list[str]:
    """Dividends, total return and splits in sentences."""
    sentences = []
    if summary.dividends and not summary.dividends_doubtful:
        paid = [
            f"{words.price(each.amount, DIVIDEND_PLACES)} per share (ex-date {each.time:%Y-%m-%d})"
            for each in summary.dividends
        ]
        sentences.append(f"Dividends: {joined(paid)}.")
    if summary.total_return is not None:
        sentences.append(
            words.say(
                "total",
                f"With dividends reinvested the return was {percent(summary.total_return)}.",
                f"The total return, dividends reinvested on ex-dates, was {percent(summary.total_return)}.",
            )
        )
    note = basis(summary.splits, summary.last_day)
    return [*sentences, note] if note else sentences


def key_values(words: Wording, summary: Summary) -> str:
    """A period as lines of `name: value`."""
    kind = {"month": "Monthly", "quarter": "Quarterly", "year": "Yearly"}[summary.period.kind]
    lines = [
        f"{kind} summary of {words.listing.label}, {summary.period.label}, as of the close of "
        f"{summary.last_day}",
        f"Open ({summary.first_day}): {words.price(summary.open)}",
        f"High ({summary.high.day}): {words.price(summary.high.value)}",
        f"Low ({summary.low.day}): {words.price(summary.low.value)}",
        f"Close ({summary.last_day}): {words.price(summary.close)}",
    ]
    if not summary.from_open:
        lines.append(f"Previous close ({summary.base.day}): {words.price(summary.base.value)}")
    lines.append(
        f"Return from {'open' if summary.from_open else 'previous close'}: {percent(summary.price_return)}"
    )
    if summary.total_return is not None:
        lines.append(f"Total return, dividends reinvested: {percent(summary.total_return)}")
    if summary.volatility is not None:
        lines.append(f"Annualised volatility: {percent(summary.volatility, signed=False)}")
    if summary.drawdown is not None:
        peak, trough = drawdown_days(summary)
        lines.append(f"Maximum drawdown ({peak} to {trough}): {percent(summary.drawdown.fraction)}")
    lines.append(f"Sessions: {number(summary.sessions)}")
    if summary.volume is not None:
        lines.append(f"Volume: {number(summary.volume, 0)}")
    if not summary.dividends_doubtful:
        lines += [
            f"Dividend, ex-date {each.time:%Y-%m-%d}: {words.price(each.amount, DIVIDEND_PLACES)}"
            for each in summary.dividends
        ]
    lines += [f"Split: {split_words(split)}" for split in summary.splits]
    note = basis(summary.splits, summary.last_day)
    return "\n".join([*lines, note] if note else lines)


def table(words: Wording, bars: Bars, summary: Summary) -> str:
    """A month's bars, or the months of a quarter or year, as a Markdown table, in the last day's terms."""
    last = summary.period.last
    if summary.period.kind == "month":
        heading = "Date"
        spans = [(f"{bars.times[at]:%Y-%m-%d}", at, at) for at in range(summary.period.first, last + 1)]
    else:
        heading = "Month"
        months = [
            each
            for each in periods(bars, "month", summary.period.start)
            if summary.period.first <= each.first and each.last <= last
        ]
        spans = [(each.label, each.first, each.last) for each in months]
    with_volume = bars.volume is not None
    columns = [heading, "Open", "High", "Low", "Close", *(["Volume"] if with_volume else [])]
    rows = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for label, first, past in spans:
        indices = range(first, past + 1)
        cells = [
            label,
            words.bare(bars.price(first, "open", last)),
            words.bare(max(bars.price(at, "high", last) for at in indices)),
            words.bare(min(bars.price(at, "low", last) for at in indices)),
            words.bare(bars.price(past, "close", last)),
        ]
        if bars.volume is not None:
            known = bars.times[last]
            volumes = (bars.volume[at] * bars.factor(bars.times[at], known) for at in indices)
            cells.append(number(sum(volumes, Decimal(0)), 0))
        rows.append(f"| {' | '.join(cells)} |")
    name, when = words.listing.label, period_words(summary)
    caption = f"{name}, {when}. {words.unit}, as of the close of {summary.last_day}."
    return "\n".join([caption, "", *rows])


def since_first_text(identity: str, listing: Listing, since: SinceFirst, places: int) -> str:
    """The performance of a symbol since its listing, or since its first bar, in sentences."""
    words = Wording(identity, listing, places)
    start = (
        f"its listing on {since.listed}"
        if since.listed is not None
        else f"{since.first.day}, its first bar on file"
    )
    first, last = words.price(since.first.value), words.price(since.last.value)
    times, yearly = number(since.multiple, 2), percent(since.yearly)
    sentences = [
        words.say(
            "since",
            f"Since {start}, when it closed at {first}, {listing.label} has gone to {last} at the close of "
            f"{since.last.day}: {times} times the price, {yearly} a year compounded.",
            f"From {start}, to {since.last.day} the price of {listing.label} went from {first} to {last}, a "
            f"multiple of {times} and a compound annual growth rate of {yearly}.",
            f"{listing.label} closed at {last} on {since.last.day}, {times} times its first close of "
            f"{first}; the compound annual growth rate since {start} is {yearly}.",
        )
        if since.listed is None or since.listed == since.first.day
        else f"Since {start} {listing.label} has gone from {first}, its close of {since.first.day}, to "
        f"{last} at the close of {since.last.day}: {times} times the price, {yearly} a year compounded."
    ]
    if since.total_multiple is not None:
        sentences.append(f"With dividends reinvested the multiple is {number(since.total_multiple, 2)}.")
    if since.highest is not None and since.lowest is not None:
        sentences.append(
            f"Its highest close up to that day was {words.price(since.highest.value)} on "
            f"{since.highest.day}, its lowest {words.price(since.lowest.value)} on {since.lowest.day}."
        )
    note = basis(since.splits, since.last.day)
    return " ".join([*sentences, note] if note else sentences)
