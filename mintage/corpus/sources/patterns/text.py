"""Readings of a bar as text: prose, key-value lines or a table, chosen by the document's identity."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

from mintage.corpus.extract.figures import chosen, form_of, number, unit_words
from mintage.corpus.sources.markets.bars import PRICES, Bars, Price, round_half_even
from mintage.corpus.sources.markets.universe import Listing
from mintage.corpus.sources.patterns.crosses import AVERAGES, Indicators
from mintage.corpus.sources.patterns.phrases import PHRASES, TITLES
from mintage.corpus.sources.patterns.series import Reading, Series

INDEX_PLACES = 2


class Sheet:
    """The bars, arrays and indicators of a symbol, and how its prices and times are written."""

    def __init__(
        self, listing: Listing, bars: Bars, series: Series, indicators: Indicators, places: int, reach: int
    ):
        self.listing, self.bars, self.series, self.indicators = listing, bars, series, indicators
        self.places, self.reach = places, reach

    def time(self, bar: int) -> str:
        """A bar's stamp: its day, with the time where bars are shorter than a day."""
        return (
            f"{self.bars.times[bar]:%Y-%m-%d %H:%M}"
            if self.series.intraday
            else f"{self.bars.times[bar]:%Y-%m-%d}"
        )

    def level(self, value: float, known: int) -> str:
        """A computed price in the terms of bar `known`."""
        terms = Decimal(value / float(self.series.factor[known]))
        return number(terms, self.places)

    def price(self, bar: int, what: Price, known: int) -> str:
        """A price of a bar in the terms of bar `known`."""
        return number(round_half_even(self.bars.price(bar, what, known), self.places))

    def words(self, reading: Reading) -> dict[str, str]:
        """The figures and bars of a reading by the names that phrases use."""
        words = {"known": self.time(reading.known), "reach": number(self.reach)}
        for point in reading.points:
            words[point.role] = self.price(point.bar, point.price, reading.known)
            words[f"{point.role}_at"] = self.time(point.bar)
        for value in reading.values:
            price = value.unit == "price"
            words[value.name] = (
                self.level(value.value, reading.known)
                if price
                else number(Decimal(value.value), INDEX_PLACES)
            )
        return words

    def measures(self, bar: int) -> Iterator[tuple[str, str]]:
        """The indicators that are defined at a bar, by name."""
        found = self.indicators
        yield from self.defined("RSI(14)", bar, (float(found.rsi[bar]),), index=True)
        lines = (found.macd.line, found.macd.signal, found.macd.histogram)
        yield from self.defined(
            "MACD(12,26,9) line, signal, histogram", bar, tuple(float(x[bar]) for x in lines)
        )
        bands = (found.bands.lower, found.bands.middle, found.bands.upper)
        yield from self.defined(
            "Bollinger bands(20,2) lower, middle, upper", bar, tuple(float(x[bar]) for x in bands)
        )
        yield from self.defined("ATR(14)", bar, (float(found.average_range[bar]),))
        strength = (found.directional.adx, found.directional.plus, found.directional.minus)
        yield from self.defined("ADX(14), +DI, -DI", bar, tuple(float(x[bar]) for x in strength), index=True)
        if found.vwap is not None:
            name = "VWAP of the day so far" if self.series.intraday else "VWAP of 20 bars"
            yield from self.defined(name, bar, (float(found.vwap[bar]),))
        for period in AVERAGES:
            yield from self.defined(f"{period}-bar average", bar, (float(found.averages[period][bar]),))

    def defined(
        self, name: str, bar: int, values: tuple[float, ...], index: bool = False
    ) -> Iterator[tuple[str, str]]:
        """An indicator's figures, if all of them are defined."""
        if not any(math.isnan(value) for value in values):
            written = [
                number(Decimal(value), INDEX_PLACES) if index else self.level(value, bar) for value in values
            ]
            yield name, " / ".join(written)


def bar_text(identity: str, sheet: Sheet, bar: int, readings: list[Reading]) -> str:
    """The text of a bar: what became known at its close, and the indicators at it."""
    form = form_of(identity)
    when, name = sheet.time(bar), sheet.listing.label
    currency = sheet.listing.market.currency
    unit = "" if currency is None else f" Prices in {unit_words(currency)}."
    if sheet.series.factor[bar] != 1:
        unit += f" Earlier prices are adjusted for splits up to {when}."
    if sheet.series.intraday:
        unit += f" Times are {sheet.listing.market.zone}."
    opening = ", ".join(f"{what} {sheet.price(bar, what, bar)}" for what in PRICES)
    measures = list(sheet.measures(bar))
    if form == "prose":
        head = chosen(
            f"{identity} head",
            (
                f"{name} at the close of {when}: {opening}.{unit}",
                f"Technical readings of {name}, known at the close of {when} ({opening}).{unit}",
                f"What the chart of {name} showed when the bar of {when} closed ({opening}).{unit}",
            ),
        )
        sentences = [sentence(identity, sheet, reading, number) for number, reading in enumerate(readings)]
        return " ".join([head, *sentences, *measure_sentences(identity, when, measures)])
    head = f"{name}, readings known at the close of {when}: {opening}.{unit}"
    if form == "table":
        rows = ["| Reading | Figures | Bars |", "|---|---|---|"]
        rows += [f"| {' | '.join(row(sheet, reading))} |" for reading in readings]
        rows += [f"| {measure} | {value} | {when} |" for measure, value in measures]
        return "\n".join([head, "", *rows])
    lines = [line(sheet, reading) for reading in readings]
    return "\n".join([head, *lines, *(f"{measure}: {value}" for measure, value in measures)])


def sentence(identity: str, sheet: Sheet, reading: Reading, position: int) -> str:
    """A reading as a sentence."""
    phrase = chosen(f"{identity} {reading.kind} {position}", PHRASES[reading.kind])
    return phrase.format(**sheet.words(reading))


def named_figures(sheet: Sheet, reading: Reading) -> list[tuple[str, str, str]]:
    """The figures of a reading: name, figure, bar."""
    words = sheet.words(reading)
    points = [
        (point.role.replace("_", " "), words[point.role], words[f"{point.role}_at"])
        for point in reading.points
    ]
    return [*points, *((each.name, words[each.name], words["known"]) for each in reading.values)]


def row(sheet: Sheet, reading: Reading) -> tuple[str, str, str]:
    """A reading as the cells of a table: its name, its figures, the bars that they are of."""
    figures = named_figures(sheet, reading)
    bars = list(dict.fromkeys(bar for _, _, bar in figures))
    return TITLES[reading.kind], ", ".join(f"{name} {figure}" for name, figure, _ in figures), ", ".join(bars)


def line(sheet: Sheet, reading: Reading) -> str:
    """A reading as a line of `name: figures`."""
    when = sheet.time(reading.known)
    figures = [
        f"{name} {figure}" if bar == when else f"{name} {figure} ({bar})"
        for name, figure, bar in named_figures(sheet, reading)
    ]
    return f"{TITLES[reading.kind]}: {', '.join(figures)}; known {when}"


def measure_sentences(identity: str, when: str, measures: list[tuple[str, str]]) -> list[str]:
    """The indicators in one sentence, if any is defined."""
    if not measures:
        return []
    listed = "; ".join(f"{measure} {value}" for measure, value in measures)
    return [
        chosen(
            f"{identity} measures",
            (
                f"Indicators at that close: {listed}.",
                f"At the close of {when} the indicators stood at: {listed}.",
            ),
        )
    ]
