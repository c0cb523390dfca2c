"""What looks wrong in a price file: rows without prices, prices in another unit, splits and dividends that
the prices do not follow. Nothing is repaired; the caller leaves out what is named here.

The checks compare neighbouring bars by their total return: the ratio of adjusted closes where the file has
them, else of closes after the dividend. A unit that changes shows as a jump by about 100; rows that missed
(or got twice) the adjustment for a split as a jump by about the split's ratio; a dividend that was mistyped
or never applied as an adjustment that does not fit the dividend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mintage.corpus.sources.markets.bars import FileBar

UNIT = float(np.log(100))
UNIT_TOLERANCE = 0.35  # a 100-fold error beside a true move of up to 40 percent
SMALLEST_SPLIT = float(np.log(1.15))  # below it a split cannot be told from a bad week
SPLIT_WINDOW = 60  # bars between a split and the bar at which its adjustment begins or ends by mistake
ISOLATED_SHARE = 0.2  # of the bars at the other level; above it nobody can say which level is right
NOISE = 5.0  # standard deviations that a jump must exceed
RANGE_TOLERANCE = 1e-3  # of the price, by which vendors let the close leave the day's range
DIVIDEND_TOLERANCE, DIVIDEND_FLOOR = 0.25, 1e-3  # of the yield, and of the price
SUSPICIOUS_YIELD = 0.15  # a dividend of this size must show in the price where there is no adjusted close
WEEK_DAYS = 4.0  # bars further apart than this are weekly


@dataclass(frozen=True)
class Finding:
    """Rows (positions in the file's order of time) that cannot be trusted, what is wrong with them, and what
    of them is spoiled: their prices, or only the dividend."""

    kind: Literal["empty", "range", "unit", "split", "dividend"]
    rows: tuple[int, ...]
    spoils: Literal["prices", "dividend"]
    reason: str


@dataclass(frozen=True)
class Series:
    """The rows with whole prices as arrays (N); `position` are their positions in the file."""

    position: np.ndarray
    prices: np.ndarray  # (N, 4): open, high, low, close, adjusted for all splits
    adjusted: np.ndarray | None  # adjusted for splits and dividends
    dividend: np.ndarray
    split: np.ndarray  # 1 where there is none
    days: np.ndarray  # since the first row

    @property
    def close(self) -> np.ndarray:
        """Closes adjusted for all splits."""
        return self.prices[:, 3]

    @property
    def weekly(self) -> bool:
        """Whether the bars are weeks or longer."""
        return len(self.days) > 1 and float(np.median(np.diff(self.days))) > WEEK_DAYS


def findings(rows: list[FileBar], adjusted: Literal["none", "splits"]) -> list[Finding]:
    """Everything suspicious in the bars of a symbol, given in the order of time."""
    found: list[Finding] = []
    whole: list[int] = []
    for index, row in enumerate(rows):
        wrong = row_error(row)
        if wrong is None:
            whole.append(index)
        else:
            found.append(Finding(*wrong[:1], (index,), "prices", wrong[1]))
    if len(whole) < 3:
        return found
    series = series_of(rows, whole, adjusted)
    units = unit_findings(series)
    spoiled = {index for finding in units for index in finding.rows}
    series = series_of(rows, [index for index in whole if index not in spoiled], adjusted)
    splits = split_findings(series) if len(series.position) >= 3 else []
    spoiled |= {index for finding in splits for index in finding.rows}
    dividends = [] if len(series.position) < 2 else dividend_findings(series, spoiled)
    return [*found, *units, *splits, *dividends]


def row_error(row: FileBar) -> tuple[Literal["empty", "range"], str] | None:
    """What is wrong with a row by itself."""
    prices = (row.open, row.high, row.low, row.close)
    if any(price is None for price in prices):
        return "empty", "a price is missing" if row.traded else "no prices: a day without a session"
    opened, high, low, close = (float(price) for price in prices if price is not None)
    if min(opened, high, low, close) <= 0:
        return "range", "a price is not above zero"
    slack = RANGE_TOLERANCE * high
    if high < low - slack:
        return "range", f"the high {high:g} is below the low {low:g}"
    if row.volume is not None and row.volume < 0:
        return "range", "the volume is below zero"
    return None


def series_of(rows: list[FileBar], positions: list[int], adjusted: Literal["none", "splits"]) -> Series:
    """Rows as arrays, adjusted for all splits."""
    chosen = [rows[index] for index in positions]
    split = np.array([float(row.split) or 1.0 for row in chosen])
    prices = np.array(
        [[float(getattr(row, what) or 0) for what in ("open", "high", "low", "close")] for row in chosen]
    )
    dividend = np.array([float(row.dividend) for row in chosen])
    if adjusted == "none" and len(chosen):
        later = np.append(np.cumprod(split[::-1])[::-1][1:], 1.0)
        prices, dividend = prices / later[:, None], dividend / later
    closes = [row.adjusted_close for row in chosen]
    given = np.array([float(close or 0) for close in closes])
    complete = bool(chosen) and all(close is not None and close > 0 for close in closes)
    first = chosen[0].time if chosen else None
    days = np.array([(row.time - first).total_seconds() / 86400 for row in chosen if first is not None])
    return Series(np.array(positions, dtype=int), prices, given if complete else None, dividend, split, days)


def total_returns(series: Series) -> np.ndarray:
    """Logarithms of total returns (N - 1), each from one bar to the next."""
    if series.adjusted is not None:
        return np.diff(np.log(series.adjusted))
    cum = series.close[:-1] - series.dividend[1:]
    return np.log(series.close[1:] / np.where(cum > 0, cum, series.close[:-1]))


def spread(returns: np.ndarray) -> float:
    """The standard deviation of returns, estimated so that single jumps do not matter."""
    return 1.4826 * float(np.median(np.abs(returns - np.median(returns))))


def levels(length: int, jumps: list[tuple[int, int]]) -> np.ndarray:
    """How many jumps (position of the later bar, sign) lie between each bar and the last one, signs added."""
    offset = np.zeros(length, dtype=int)
    for position, sign in jumps:
        offset[:position] -= sign
    return offset


def unit_findings(series: Series) -> list[Finding]:
    """Bars whose prices are a hundred times too large or too small."""
    log_prices = np.log(series.prices)
    inside = np.abs(np.abs(log_prices - log_prices[:, 3:]) - UNIT) < UNIT_TOLERANCE
    broken = inside.any(axis=1)
    returns = np.diff(log_prices[:, 3])
    where = np.flatnonzero(np.abs(np.abs(returns) - UNIT) < UNIT_TOLERANCE)
    jumps = [(int(index) + 1, int(np.sign(returns[index]))) for index in where]
    explained = series.split[1:] != 1
    jumps = [jump for jump in jumps if not explained[jump[0] - 1]]
    offset = levels(len(log_prices), jumps)
    values, counts = np.unique(offset, return_counts=True)
    usual = values[np.argmax(counts)]
    other = offset != usual
    found = []
    if other.mean() > ISOLATED_SHARE:
        reason = "prices stand at two levels, one 100 times the other; which is right the file does not say"
        found.append(Finding("unit", tuple(series.position.tolist()), "prices", reason))
    elif (other | broken).any():
        rows = tuple(series.position[other | broken].tolist())
        found.append(Finding("unit", rows, "prices", "a price is 100 times too large or too small"))
    return found


def split_findings(series: Series) -> list[Finding]:
    """Bars that were not adjusted for a split that the others were adjusted for, or were adjusted twice."""
    returns = total_returns(series)
    noise = spread(returns)
    found, flagged = [], np.zeros(len(series.position), dtype=bool)
    for at in np.flatnonzero(series.split != 1):
        size = abs(float(np.log(series.split[at])))
        if size < max(SMALLEST_SPLIT, NOISE * noise):
            continue
        tolerance = min(max(0.1 * size, 3 * noise), 0.35 * size)
        where = np.flatnonzero(np.abs(np.abs(returns) - size) < tolerance)
        jumps = accepted_jumps([(int(index) + 1, int(np.sign(returns[index]))) for index in where], int(at))
        wrong = (levels(len(flagged), jumps) != 0) & ~flagged
        if wrong.any():
            flagged |= wrong
            reason = f"the price does not follow the split of {series.split[at]:g}"
            found.append(Finding("split", tuple(series.position[wrong].tolist()), "prices", reason))
    return found


def accepted_jumps(jumps: list[tuple[int, int]], split: int) -> list[tuple[int, int]]:
    """The jumps that are errors rather than markets: near the split, or taken back soon."""
    accepted: list[tuple[int, int]] = []
    index = 0
    while index < len(jumps):
        position, sign = jumps[index]
        after = jumps[index + 1] if index + 1 < len(jumps) else None
        if after is not None and after[1] == -sign and after[0] - position <= SPLIT_WINDOW:
            accepted += [jumps[index], after]
            index += 2
            continue
        if abs(position - split) <= SPLIT_WINDOW:
            accepted.append(jumps[index])
        index += 1
    return accepted


def dividend_findings(series: Series, spoiled: set[int]) -> list[Finding]:
    """Dividends that the adjusted close, or without one the price, does not follow."""
    found = []
    noise = spread(total_returns(series))
    for at in np.flatnonzero(series.dividend > 0):
        if at == 0 or {int(series.position[at]), int(series.position[at - 1])} & spoiled:
            continue
        paid = float(series.dividend[at] / series.close[at - 1])
        if series.adjusted is not None:
            applied = applied_yields(series, int(at))
            if any(abs(paid - each) <= DIVIDEND_TOLERANCE * paid + DIVIDEND_FLOOR for each in applied):
                continue
            reason = (
                f"the dividend is {paid:.2%} of the price before, the adjusted close was lowered by "
                f"{applied[0]:.2%}"
            )
        else:
            fall = -float(np.log(series.close[at] / series.close[at - 1]))
            if paid < SUSPICIOUS_YIELD or (paid < 1 and fall > -np.log(1 - paid) / 2 - 3 * noise):
                continue
            reason = f"the dividend is {paid:.2%} of the price before, which hardly moved"
        found.append(Finding("dividend", (int(series.position[at]),), "dividend", reason))
    return found


def applied_yields(series: Series, at: int) -> list[float]:
    """The yields that the adjusted close accounts for at a bar; weekly files account for it a bar later."""
    assert series.adjusted is not None
    share = series.adjusted / series.close
    yields = [1 - float(share[at - 1] / share[at])]
    if series.weekly and at + 1 < len(share):
        yields.append(1 - float(share[at] / share[at + 1]))
    return yields
