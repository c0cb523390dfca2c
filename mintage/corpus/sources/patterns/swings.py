"""Market structure from swings: breaks of structure, changes of character, order blocks and liquidity sweeps.

A swing high is a bar whose high exceeds the highs of the `reach` bars on each side, so it is known `reach`
bars later. Everything here uses a swing only from that bar on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mintage.corpus.sources.markets.bars import Price
from mintage.corpus.sources.patterns.indicators import windows
from mintage.corpus.sources.patterns.series import Point, Reading, Series

LOOKBACK = 250  # bars for which an unbroken swing or an untested order block is kept in mind


@dataclass(frozen=True, slots=True)
class Swing:
    """A swing high or low: its bar, its price, and the bar at which it became known."""

    high: bool
    bar: int
    price: float
    known: int


def swings(series: Series, reach: int) -> list[Swing]:
    """The swings in the order in which they became known."""
    width = 2 * reach + 1
    if len(series) < width:
        return []
    found: list[Swing] = []
    for high, values in ((True, series.high), (False, -series.low)):
        around = windows(values, width)
        others = np.delete(around, reach, axis=1).max(axis=1)
        for start in np.flatnonzero(around[:, reach] > others).tolist():
            bar = start + reach
            price = float(series.high[bar] if high else series.low[bar])
            found.append(Swing(high, bar, price, bar + reach))
    return sorted(found, key=lambda swing: (swing.known, not swing.high))


def swing_readings(found: list[Swing]) -> list[Reading]:
    """Each swing as a reading."""
    return [
        Reading("swing_high", each.known, (Point("swing", each.bar, "high"),))
        if each.high
        else Reading("swing_low", each.known, (Point("swing", each.bar, "low"),))
        for each in found
    ]


@dataclass(slots=True)
class OrderBlock:
    """The last bar against a break's direction before it, not traded back into yet."""

    bullish: bool
    bar: int
    broken: int
    edge: float  # the price at which a return touches it


@dataclass(slots=True)
class Structure:
    """What is in mind while the bars are walked: levels that no close has crossed, and the trend."""

    trend: int = 0
    highs: list[Swing] = field(default_factory=list)
    lows: list[Swing] = field(default_factory=list)
    swept: set[Swing] = field(default_factory=set)
    blocks: list[OrderBlock] = field(default_factory=list)


def structure_readings(series: Series, found: list[Swing]) -> list[Reading]:
    """Breaks of structure, changes of character, order blocks with their first test, and liquidity sweeps.

    A close beyond the newest unbroken swing breaks it: with the trend (or before there is one) that is a
    break of structure, against it a change of character, which turns the trend. The order block of a break is
    the last bar between the swing and the break that closed against it. A bar that trades beyond a swing and
    closes back inside sweeps it, once.
    """
    readings: list[Reading] = []
    state = Structure()
    high, low, close = series.high.tolist(), series.low.tolist(), series.close.tolist()
    opened = series.open.tolist()
    pending = iter(found)
    following = next(pending, None)
    for bar in range(len(series)):
        while following is not None and following.known < bar:
            (state.highs if following.high else state.lows).append(following)
            following = next(pending, None)
        state.highs = [each for each in state.highs if bar - each.bar <= LOOKBACK]
        state.lows = [each for each in state.lows if bar - each.bar <= LOOKBACK]
        readings += block_tests(state, bar, high[bar], low[bar])
        readings += sweeps(state, bar, high[bar], low[bar], close[bar])
        for up in (True, False):
            broken = crossed(state, up, close[bar])
            if broken is None:
                continue
            direction = 1 if up else -1
            kind = "change_of_character" if state.trend == -direction else "break_of_structure"
            state.trend = direction
            side = "up" if up else "down"
            level = Point("level", broken.bar, "high" if up else "low")
            readings.append(Reading(f"{kind}_{side}", bar, (level, Point("close", bar, "close"))))
            block = last_against(opened, close, broken.bar, bar, up)
            if block is not None:
                points = (Point("top", block, "high"), Point("bottom", block, "low"), level)
                readings.append(Reading("order_block_bullish" if up else "order_block_bearish", bar, points))
                state.blocks.append(OrderBlock(up, block, bar, high[block] if up else low[block]))
    return readings


def crossed(state: Structure, up: bool, close: float) -> Swing | None:
    """The newest swing that a close broke; all that it broke are forgotten."""
    levels = state.highs if up else state.lows
    broken = [each for each in levels if (close > each.price if up else close < each.price)]
    if not broken:
        return None
    newest = levels[-1]
    for each in broken:
        levels.remove(each)
    return newest if newest in broken else None


def last_against(opened: list[float], close: list[float], swing: int, broken: int, up: bool) -> int | None:
    """The last bar after a swing and before its break that closed against the break."""
    for bar in range(broken - 1, swing, -1):
        if close[bar] < opened[bar] if up else close[bar] > opened[bar]:
            return bar
    return None


def block_tests(state: Structure, bar: int, high: float, low: float) -> list[Reading]:
    """The order blocks that the bar is the first to trade back into."""
    readings: list[Reading] = []
    waiting: list[OrderBlock] = []
    for block in state.blocks:
        if low <= block.edge if block.bullish else high >= block.edge:
            side = "bullish" if block.bullish else "bearish"
            points = (
                Point("top", block.bar, "high"),
                Point("bottom", block.bar, "low"),
                Point("touch", bar, "low" if block.bullish else "high"),
            )
            readings.append(Reading(f"order_block_{side}_tested", bar, points))
        elif bar - block.broken < LOOKBACK:
            waiting.append(block)
    state.blocks = waiting
    return readings


def sweeps(state: Structure, bar: int, high: float, low: float, close: float) -> list[Reading]:
    """The sweeps of a bar: of the highest swing high, and of the lowest swing low, that it traded beyond and
    closed inside."""
    readings: list[Reading] = []
    sides: tuple[tuple[list[Swing], float, Price, str], ...] = (
        (state.highs, high, "high", "liquidity_sweep_high"),
        (state.lows, low, "low", "liquidity_sweep_low"),
    )
    for levels, extreme, side, kind in sides:
        inside, outside = sorted((close, extreme))
        swept = [each for each in levels if inside < each.price < outside and each not in state.swept]
        if swept:
            state.swept.update(swept)
            farthest = max(swept, key=lambda each: abs(each.price - close))
            points = (
                Point("level", farthest.bar, side),
                Point("extreme", bar, side),
                Point("close", bar, "close"),
            )
            readings.append(Reading(kind, bar, points))
    return readings
