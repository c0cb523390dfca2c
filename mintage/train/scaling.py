"""How loss falls with parameters and tokens: the parametric law of Hoffmann et al. 2022, and IsoFLOP
parabolas beside it.

L(N, D) = E + A / N^alpha + B / D^beta (arXiv:2203.15556, section 3.3), fitted as in its appendix D.3: Huber
loss on the difference of logarithms, from a grid of beginnings, the best of all. Where the paper takes L-BFGS
this takes damped Gauss-Newton steps for all beginnings at once, on log A, log B and log E.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

HUBER = 1e-3  # of the logarithm of the loss; beyond it a residual counts linearly
MOST_STEPS = 300
IDLE_STEPS, TOLERANCE, TINY = 10, 1e-5, 1e-18  # a descent whose cost has not fallen for so long has ended
BOOTSTRAPS = 200
SIZES = np.geomspace(1e4, 1e13, 2701)  # 300 a decade: the optimum is found to 0.4%
NO_FLOOR = 0.01  # of loss; text that costs no more is known before it is read
EXPONENTS = (0.02, 2.5)  # outside of them the data say nothing of a power law


@dataclass(frozen=True)
class Point:
    """A finished run: parameters, tokens, floating-point operations, and the loss it came to."""

    parameters: float
    tokens: float
    flops: float
    loss: float


@dataclass(frozen=True)
class Law:
    """L(N, D) = E + A / N^alpha + B / D^beta, in the units of the losses that it was fitted to."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, parameters: np.ndarray | float, tokens: np.ndarray | float) -> np.ndarray:
        """The loss of a model of N parameters after D tokens."""
        return np.asarray(self.E + self.A * parameters**-self.alpha + self.B * tokens**-self.beta)


@dataclass(frozen=True)
class Optimum:
    """The model size that reaches the lowest loss with so many operations, its tokens, and that loss."""

    flops: float
    parameters: float
    tokens: float
    loss: float


@dataclass(frozen=True)
class Fit:
    """A law with `others` from bootstrapped data, and `error`, the root mean square of the relative
    residuals."""

    law: Law
    others: tuple[Law, ...]
    error: float

    def interval(self, figure: Callable[[Law], float], inside: float = 0.8) -> tuple[float, float]:
        """The range that holds a share of the bootstrapped laws' values of a figure."""
        values = [figure(law) for law in self.others]
        tail = 50 * (1 - inside)
        low, high = np.percentile(values, [tail, 100 - tail])
        return float(low), float(high)

    @property
    def finds_floor(self) -> bool:
        """Whether the data say that a loss is irreducible: neither this law nor a tenth of the others has an
        E of next to nothing."""
        return min(self.law.E, self.interval(lambda law: law.E)[0]) > NO_FLOOR


def fit(points: Sequence[Point], seed: int = 0) -> Fit:
    """Fit the law to finished runs, and again to BOOTSTRAPS sets of losses drawn from the law and its
    residuals.

    Residuals are drawn with replacement and widened by sqrt(n / (n - 5)) for the five numbers fitted. A fit
    to exact data has none, and its interval is a point.

    Raises:
        ValueError: fewer than 6 points, or fewer than 2 sizes or token counts among them.
    """
    N = np.array([point.parameters for point in points], float)
    D = np.array([point.tokens for point in points], float)
    L = np.array([point.loss for point in points], float)
    if len(points) < 6 or min(len(set(N)), len(set(D))) < 2:
        raise ValueError("the law has five numbers; it takes at least 6 runs, of 2 sizes and 2 token counts")
    # Beginnings: where the two terms and the irreducible loss stand in the middle of the data.
    logs = np.log(N).mean(), np.log(D).mean()
    starts = []
    for alpha, beta, floor, share in product(
        (0.2, 0.5, 1.0), (0.2, 0.5, 1.0), (0.1, 0.5, 0.9), (0.2, 0.5, 0.8)
    ):
        rest = np.log(L.min() * (1 - floor))
        a, b = rest + np.log(share) + alpha * logs[0], rest + np.log(1 - share) + beta * logs[1]
        starts.append((a, b, np.log(L.min() * floor), alpha, beta))
    found, costs = _descend(np.array(starts), N, D, np.log(L)[None].repeat(len(starts), 0))
    best = found[costs.argmin()]
    law = _law(best)
    predicted = np.log(law.loss(N, D))
    residuals = np.log(L) - predicted
    random = np.random.default_rng(seed)
    widened = residuals * np.sqrt(len(L) / (len(L) - 5))
    drawn = predicted + random.choice(widened, (BOOTSTRAPS, len(L)))
    others, _ = _descend(best[None].repeat(BOOTSTRAPS, 0), N, D, drawn)
    error = float(np.sqrt(np.mean(np.square(residuals))))
    return Fit(law, tuple(_law(row) for row in others), error)


def optimum(law: Law, flops: float, flops_per_token: Callable[[np.ndarray], np.ndarray]) -> Optimum:
    """The best use of `flops`: over all sizes N with D = flops / flops_per_token(N)."""
    tokens = flops / flops_per_token(SIZES)
    losses = law.loss(SIZES, tokens)
    best = int(losses.argmin())
    return Optimum(flops, float(SIZES[best]), float(tokens[best]), float(losses[best]))


def iso_flop(points: Sequence[Point], flops: float) -> Optimum | None:
    """The best size at `flops` by a parabola through the sizes' losses there, over log N.

    Each size's loss at `flops` is read off the line between its nearest runs below and above, in logarithms;
    the parabola goes through the best size and its neighbours. None where fewer than three sizes were run on
    both sides of `flops`, or the best of them is the smallest or the largest.
    """
    rows = []
    for size in sorted({point.parameters for point in points}):
        runs = sorted((p.flops, p.loss, p.tokens) for p in points if p.parameters == size)
        C, L, D = (np.log(column) for column in zip(*runs))
        if C[0] - 1e-9 <= np.log(flops) <= C[-1] + 1e-9:
            rows.append((np.log(size), np.interp(np.log(flops), C, L), np.interp(np.log(flops), C, D)))
    if len(rows) < 3:
        return None
    n, losses, tokens = np.array(rows).T
    best = int(losses.argmin())
    if best in (0, len(n) - 1):
        return None
    near = slice(best - 1, best + 2)
    middle = n[best]
    a, b, c = np.polyfit(n[near] - middle, losses[near], 2)
    at = -b / (2 * a)
    size, loss = np.exp(middle + at), np.exp(c - b * b / (4 * a))
    return Optimum(flops, float(size), float(np.exp(np.interp(middle + at, n, tokens))), float(loss))


def _law(row: np.ndarray) -> Law:
    a, b, e, alpha, beta = row.tolist()
    return Law(float(np.exp(e)), float(np.exp(a)), float(np.exp(b)), alpha, beta)


def _descend(
    start_S5: np.ndarray, N: np.ndarray, D: np.ndarray, log_SP: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Levenberg-Marquardt for S fits at once, over (log A, log B, log E, alpha, beta).

    Huber's loss is that of weighted squares, the weight of a residual beyond HUBER being HUBER / |residual|.
    `log_SP` are the logarithms of each fit's P losses. Returns the rows (S, 5) and their costs (S,).
    """
    ln, ld = np.log(N), np.log(D)

    def terms(row_S5: np.ndarray, log_SP: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residuals (S, P), their derivatives (S, P, 5), and costs (S,)."""
        a, b, e, alpha, beta = (column[:, None] for column in row_S5.T)
        parts_3SP = np.stack([a - alpha * ln, b - beta * ld, np.broadcast_to(e, log_SP.shape)])
        top_SP = parts_3SP.max(0)
        exp_3SP = np.exp(parts_3SP - top_SP)
        total_SP = exp_3SP.sum(0)
        one, two, three = exp_3SP / total_SP
        residual_SP = top_SP + np.log(total_SP) - log_SP
        size = np.abs(residual_SP)
        huber_SP = np.where(size < HUBER, size**2 / 2, HUBER * (size - HUBER / 2))
        return residual_SP, np.stack([one, two, three, -one * ln, -two * ld], -1), huber_SP.sum(1)

    row_S5, going_S = start_S5.copy(), np.arange(len(start_S5))
    damping_S, idle_S = np.full(len(row_S5), 1e-2), np.zeros(len(row_S5), int)
    cost_S = terms(row_S5, log_SP)[2]
    for _ in range(MOST_STEPS):
        residual, jacobian, cost = terms(row_S5[going_S], log_SP[going_S])
        weighted = jacobian * (HUBER / np.maximum(np.abs(residual), HUBER))[..., None]
        normal = np.einsum("spi,spj->sij", weighted, jacobian)
        gradient = np.einsum("spi,sp->si", weighted, residual)
        diagonal = np.einsum("sii->si", normal) + 1e-12
        damped = normal + np.einsum("s,si,ij->sij", damping_S[going_S], diagonal, np.eye(5))
        step = np.linalg.solve(damped, gradient[..., None])[..., 0].clip(-2, 2)
        tried = row_S5[going_S] - step
        tried[:, 3:] = tried[:, 3:].clip(*EXPONENTS)
        tried_cost = terms(tried, log_SP[going_S])[2]
        better = tried_cost < cost
        row_S5[going_S[better]], cost_S[going_S[better]] = tried[better], tried_cost[better]
        damping_S[going_S] = np.where(better, damping_S[going_S] / 3, damping_S[going_S] * 4).clip(1e-12, 1e8)
        fell = tried_cost < (1 - TOLERANCE) * cost - TINY
        idle_S[going_S] = np.where(fell, 0, idle_S[going_S] + 1)
        going_S = np.flatnonzero(idle_S < IDLE_STEPS)
        if not len(going_S):
            break
    return row_S5, cost_S
