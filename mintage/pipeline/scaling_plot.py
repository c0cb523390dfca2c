"""The picture of a sweep: loss against FLOPs by size with the envelope of the fitted law, and the best size
against FLOPs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from mintage.pipeline.runs import short
from mintage.train.plots import INK, plain_look
from mintage.train.scaling import Fit, Point, iso_flop, optimum

BAND = (10, 90)  # percentiles of the bootstrapped laws
BAND_LAWS = 60  # enough for a smooth edge


def draw(
    points: Sequence[Point],
    fit: Fit,
    work: Callable[[np.ndarray], np.ndarray],
    budget: float,
    path: Path,
) -> None:
    """Write the PNG."""
    lowest = min(point.flops for point in points)
    highest = max(point.flops for point in points)
    flops_F = np.geomspace(lowest / 2, 2 * max(highest, budget), 60)
    best = [optimum(fit.law, flops, work) for flops in flops_F]
    others = [[optimum(law, flops, work) for flops in flops_F] for law in fit.others[:BAND_LAWS]]
    figure = Figure(figsize=(12, 5.4), facecolor="white")
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.06, right=0.985, top=0.92, bottom=0.11, wspace=0.16)
    left, right = figure.subplots(1, 2)
    _losses(left, points, fit, work)
    _band(left, flops_F, [[at.loss for at in law] for law in others])
    left.plot(flops_F, [at.loss for at in best], color=INK, linewidth=1.8, linestyle="--", label="best size")
    left.set_title("Held-out loss (bits per byte) by training FLOPs", fontsize=10, color=INK, loc="left")
    left.set_ylim(0.97 * best[-1].loss, 1.03 * max(point.loss for point in points))
    if not fit.finds_floor:
        low, high = fit.interval(lambda law: law.E)
        note = (
            f"E = {fit.law.E:.3f} ({low:.3f} to {high:.3f}): these runs\n"
            "do not determine the irreducible loss;\nfar beyond them loss stays above the law"
        )
        left.text(0.03, 0.05, note, transform=left.transAxes, fontsize=8, color=INK)
    _band(right, flops_F, [[at.parameters for at in law] for law in others])
    label = f"best size, ~ FLOPs^{fit.law.beta / (fit.law.alpha + fit.law.beta):.2f}"
    right.plot(flops_F, [at.parameters for at in best], color=INK, linewidth=1.8, linestyle="--", label=label)
    right.scatter(
        [p.flops for p in points], [p.parameters for p in points], s=18, color="#9aa5b1", label="runs"
    )
    parabolas = [at for level in sorted({p.flops for p in points}) if (at := iso_flop(points, level))]
    if parabolas:
        right.scatter(
            [at.flops for at in parabolas],
            [at.parameters for at in parabolas],
            s=34,
            marker="D",
            color="#d1495b",
            label="IsoFLOP parabola",
            zorder=3,
        )
    at = optimum(fit.law, budget, work)
    right.axvline(budget, color="#7d8597", linewidth=1, linestyle=":")
    note = f"{budget:.1e} FLOPs:\n{short(at.parameters)} parameters,\n{short(at.tokens)} tokens "
    right.annotate(
        note,
        (budget, 0.04),
        xycoords=("data", "axes fraction"),
        xytext=(-8, 0),
        textcoords="offset points",
        ha="right",
        fontsize=8,
    )
    right.set_yscale("log")
    right.set_title("Best number of parameters by training FLOPs", fontsize=10, color=INK, loc="left")
    for axes in (left, right):
        plain_look(axes)
        axes.set_xscale("log")
        axes.set_xlabel("training FLOPs", fontsize=9, color=INK)
        axes.legend(fontsize=8, frameon=False, labelcolor=INK)
    _counts(right.yaxis)
    left.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    figure.savefig(path, dpi=110)


def _losses(axes: Any, points: Sequence[Point], fit: Fit, work: Callable[[np.ndarray], np.ndarray]) -> None:
    """Each size's runs, and the law's curve through them."""
    sizes = sorted({point.parameters for point in points})
    for number, size in enumerate(sizes):
        color = colormaps["viridis"](0.85 * (1 - number / max(1, len(sizes) - 1)))
        runs = sorted((p.flops, p.loss) for p in points if p.parameters == size)
        axes.scatter(*zip(*runs), s=26, color=color, zorder=3, label=f"{short(size)} parameters")
        flops_F = np.geomspace(runs[0][0] / 1.5, runs[-1][0] * 1.5, 50)
        axes.plot(flops_F, fit.law.loss(size, flops_F / work(np.array([size]))), color=color, linewidth=1.2)


def _band(axes: Any, flops_F: np.ndarray, values: list[list[float]]) -> None:
    low, high = np.percentile(np.array(values), BAND, axis=0)
    axes.fill_between(flops_F, low, high, color="#9aa5b1", alpha=0.3, linewidth=0, label="80% of bootstraps")


def _counts(axis: Any) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, _: short(value))
    axis.set_minor_formatter(NullFormatter())
