"""Chart patterns: double tops and bottoms, head and shoulders, triangles and flags.

They are drawn through swings that are known already, and are read when a close confirms them. Distances are
in average true ranges (ATR) of the bar at which the last swing became known, so that they mean the same in
every market. The bounds are conventions of this module and stand here:

- double top: two highs within half an ATR, the low between them at least two ATR deep; confirmed by a close
  below that low, given up after a close above both highs.
- head and shoulders: the head at least half an ATR above both shoulders, the shoulders within one and a half
  of each other; confirmed by a close below the line through the two lows, given up after a close above the
  head.
- triangle: two highs and two lows in turn, each pair flat (within half an ATR) or closing in; formed when the
  last swing is known with the close between the lines, broken by a close outside them before they meet.
- flag: a pole of at least four ATR within eight bars, then four to fifteen bars that give back at most half
  of it; confirmed by a close beyond the pole's end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mintage.corpus.sources.patterns.series import Point, Reading, Series, Value
from mintage.corpus.sources.patterns.swings import Swing

FLAT, SHOULDERS, DEPTH = 0.5, 1.5, 2.0  # in ATR
LIMIT = 120  # bars until a pattern that nothing confirms is given up
POLE_BARS, POLE_RANGES = 8, 4.0
FLAG_SHORTEST, FLAG_LONGEST, FLAG_RETRACE = 4, 15, 0.5


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through two swings."""

    first: Swing
    second: Swing

    def at(self, bar: int) -> float:
        """Its price at a bar."""
        slope = (self.second.price - self.first.price) / (self.second.bar - self.first.bar)
        return self.first.price + slope * (bar - self.first.bar)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pattern that waits for its confirmation: a close beyond one of its lines.

    `up` and `down` confirm it in their direction; a close beyond `limit` against the pattern ends it.
    """

    kind: str
    points: tuple[Point, ...]
    since: int
    up: Line | None
    down: Line | None
    limit: float | None = None


def chart_readings(series: Series, found: list[Swing], average_range: np.ndarray) -> list[Reading]:
    """The chart patterns of a series by its swings, in the order in which they became known."""
    readings: list[Reading] = []
    pivots: list[Swing] = []
    waiting: list[Candidate] = []
    pending = iter(found)
    following = next(pending, None)
    close = series.close.tolist()
    for bar in range(len(series)):
        while following is not None and following.known == bar:
            add_pivot(pivots, following)
            unit = float(average_range[bar])
            for candidate in candidates(pivots, bar, unit):
                if candidate.kind.startswith("triangle"):
                    if not inside(candidate, bar, close[bar]):
                        continue
                    waiting = [each for each in waiting if not each.kind.startswith("triangle")]
                    readings.append(formed(candidate, bar))
                waiting.append(candidate)
            following = next(pending, None)
        still = []
        for candidate in waiting:
            reading = confirmation(candidate, bar, close[bar])
            if reading is not None:
                readings.append(reading)
            elif not given_up(candidate, bar, close[bar]):
                still.append(candidate)
        waiting = still
    return readings


def add_pivot(pivots: list[Swing], swing: Swing) -> None:
    """Add a swing so that highs and lows alternate; of two highs in a row the higher stays."""
    if pivots and pivots[-1].bar >= swing.bar:
        return  # a bar that is both: the swing that was added first stays
    if pivots and pivots[-1].high == swing.high:
        last = pivots[-1]
        if (swing.price > last.price) == swing.high:
            pivots[-1] = swing
    else:
        pivots.append(swing)
    del pivots[:-5]


def candidates(pivots: list[Swing], bar: int, unit: float) -> Iterator[Candidate]:
    """The patterns that the newest swing, known at this bar, completes."""
    if np.isnan(unit) or not pivots or pivots[-1].known != bar:
        return
    if len(pivots) >= 3:
        yield from doubles(pivots[-3:], bar, unit)
    if len(pivots) >= 5:
        yield from shoulders(pivots[-5:], bar, unit)
    if len(pivots) >= 4:
        yield from triangles(pivots[-4:], bar, unit)


def point(role: str, swing: Swing) -> Point:
    """A swing as a point of a reading."""
    return Point(role, swing.bar, "high" if swing.high else "low")


def doubles(pivots: list[Swing], bar: int, unit: float) -> Iterator[Candidate]:
    """A double top or bottom that waits for its confirmation."""
    first, between, second = pivots
    top = first.high
    nearer = min(first.price, second.price) if top else max(first.price, second.price)
    deep = abs(nearer - between.price) >= DEPTH * unit
    if deep and abs(first.price - second.price) <= FLAT * unit:
        further = max(first.price, second.price) if top else min(first.price, second.price)
        line = Line(between, Swing(between.high, between.bar + 1, between.price, between.known))
        points = (point("first", first), point("between", between), point("second", second))
        yield Candidate(
            "double_top" if top else "double_bottom",
            points,
            bar,
            None if top else line,
            line if top else None,
            further,
        )


def shoulders(pivots: list[Swing], bar: int, unit: float) -> Iterator[Candidate]:
    """Head and shoulders, upright or inverse, that wait for their confirmation."""
    left, one, head, two, right = pivots
    top = head.high
    sign = 1 if top else -1
    stands_out = (
        sign * (head.price - left.price) >= FLAT * unit and sign * (head.price - right.price) >= FLAT * unit
    )
    if stands_out and abs(left.price - right.price) <= SHOULDERS * unit:
        neck = Line(one, two)
        points = (
            point("left", left),
            point("one", one),
            point("head", head),
            point("two", two),
            point("right", right),
        )
        kind = "head_and_shoulders" if top else "inverse_head_and_shoulders"
        yield Candidate(kind, points, bar, None if top else neck, neck if top else None, head.price)


def triangles(pivots: list[Swing], bar: int, unit: float) -> Iterator[Candidate]:
    """A triangle that waits for a close outside of it."""
    first_high, second_high = [each for each in pivots if each.high]
    first_low, second_low = [each for each in pivots if not each.high]
    fall, rise = first_high.price - second_high.price, second_low.price - first_low.price
    flat = FLAT * unit
    if abs(fall) <= flat and rise > flat:
        kind = "ascending"
    elif fall > flat and abs(rise) <= flat:
        kind = "descending"
    elif fall > flat and rise > flat:
        kind = "symmetrical"
    else:
        return
    points = (
        point("first_high", first_high),
        point("second_high", second_high),
        point("first_low", first_low),
        point("second_low", second_low),
    )
    upper, lower = Line(first_high, second_high), Line(first_low, second_low)
    yield Candidate(f"triangle_{kind}", points, bar, upper, lower)


def inside(candidate: Candidate, bar: int, close: float) -> bool:
    """Whether a close lies between a triangle's lines."""
    assert candidate.up is not None and candidate.down is not None
    return candidate.down.at(bar) < close < candidate.up.at(bar)


def formed(candidate: Candidate, bar: int) -> Reading:
    """A triangle at the bar at which its last swing became known."""
    assert candidate.up is not None and candidate.down is not None
    values = (
        Value("upper", candidate.up.at(bar), "price"),
        Value("lower", candidate.down.at(bar), "price"),
    )
    return Reading(f"{candidate.kind}_formed", bar, candidate.points, values)


def confirmation(candidate: Candidate, bar: int, close: float) -> Reading | None:
    """The reading of a pattern that this bar's close confirms."""
    for line, side in ((candidate.up, "up"), (candidate.down, "down")):
        if line is None or (candidate.up and candidate.down and met(candidate, bar)):
            continue
        level = line.at(bar)
        if close > level if side == "up" else close < level:
            kind = f"{candidate.kind}_{side}" if candidate.kind.startswith("triangle") else candidate.kind
            points = (*candidate.points, Point("close", bar, "close"))
            return Reading(kind, bar, points, (Value("line", level, "price"),))
    return None


def met(candidate: Candidate, bar: int) -> bool:
    """Whether a triangle's lines have met."""
    assert candidate.up is not None and candidate.down is not None
    return candidate.up.at(bar) <= candidate.down.at(bar)


def given_up(candidate: Candidate, bar: int, close: float) -> bool:
    """Whether a pattern has waited too long, or a close went the other way."""
    if bar - candidate.since >= LIMIT:
        return True
    if candidate.limit is None:
        return met(candidate, bar)
    return close > candidate.limit if candidate.down else close < candidate.limit


def flag_readings(series: Series, average_range: np.ndarray) -> list[Reading]:
    """Flags at the bar whose close leaves them in the direction of their pole."""
    readings = []
    for up in (True, False):
        high = (series.high if up else -series.low).tolist()
        low = (series.low if up else -series.high).tolist()
        close = (series.close if up else -series.close).tolist()
        for bar in range(FLAG_LONGEST + POLE_BARS + 1, len(series)):
            window = range(bar - FLAG_LONGEST - 1, bar)
            end = max(window, key=lambda at: (high[at], at))
            if close[bar] <= high[end] or bar - 1 - end < FLAG_SHORTEST:
                continue
            start = min(range(end - POLE_BARS, end + 1), key=lambda at: (low[at], at))
            pole = high[end] - low[start]
            rest = min(low[end + 1 : bar])
            if pole >= POLE_RANGES * average_range[end] and rest >= high[end] - FLAG_RETRACE * pole:
                deepest = end + 1 + low[end + 1 : bar].index(rest)
                points = (
                    Point("pole_start", start, "low" if up else "high"),
                    Point("pole_end", end, "high" if up else "low"),
                    Point("deepest", deepest, "low" if up else "high"),
                    Point("close", bar, "close"),
                )
                readings.append(Reading("flag_up" if up else "flag_down", bar, points))
    return readings
