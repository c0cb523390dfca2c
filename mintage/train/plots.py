"""The curves of a run, as one picture."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, GRID, ACCENT = "#1f2933", "#e4e7eb", "#1b6ca8"
SOURCE_COLORS = ("#d1495b", "#1b6ca8", "#edae49", "#00798c", "#6b4c9a", "#7d8597", "#8cb369", "#bc6c25")


def draw(rows: list[dict[str, Any]], path: Path, title: str) -> None:
    """Draw training loss, bits per byte, learning rate, gradient norm and throughput from metrics rows to a
    PNG."""
    training = [row for row in rows if row.get("loss") is not None]
    figure = Figure(figsize=(11, 6.2), facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12, color=INK, x=0.045, ha="left", fontweight="bold")
    panels = figure.subplot_mosaic("LLLBBB;RRGGTT", height_ratios=(3, 2))
    # A fixed layout: matplotlib's automatic ones double the time of a drawing.
    figure.subplots_adjust(left=0.045, right=0.985, top=0.89, bottom=0.05, wspace=0.6, hspace=0.28)
    for panel, name, label in (
        ("L", "loss", "Training loss (nats per token) by step"),
        ("R", "learning_rate", "Learning rate"),
        ("G", "gradient_norm", "Gradient norm"),
        ("T", "tokens_per_second", "Tokens per second"),
    ):
        steps = [row["step"] for row in training]
        panels[panel].plot(steps, [row[name] for row in training], color=ACCENT, linewidth=1.5)
        panels[panel].set_title(label, fontsize=9, color=INK, loc="left")
    _bits_per_byte(panels["B"], rows)
    panels["R"].set_ylim(0, None)
    panels["G"].set_yscale("log")  # the first steps are far above all others
    panels["T"].set_ylim(0, None)
    for axes in panels.values():
        axes.grid(color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GRID)
        axes.tick_params(labelsize=8, colors=INK, length=0)
        axes.set_xlim(0, 1.01 * max((row["step"] for row in rows), default=1))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _bits_per_byte(axes: Any, rows: list[dict[str, Any]]) -> None:
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        for source, value in row.get("evaluation", {}).get("bits_per_byte", {}).items():
            curves[source].append((row["step"], value))
    if "all" in curves and len(curves) == 2:
        del curves["all"]  # the only source is all there is
    axes.set_title("Held-out text (bits per byte) by step", fontsize=9, color=INK, loc="left")
    ordered = sorted(curves.items(), key=lambda item: (item[0] != "all", item[0]))
    for index, (source, points) in enumerate(ordered):
        color = INK if source == "all" else SOURCE_COLORS[index % len(SOURCE_COLORS)]
        axes.plot(*zip(*points), color=color, marker="o", markersize=3, linewidth=1.5, label=source)
    if curves:
        axes.legend(fontsize=7, frameon=False, labelcolor=INK)
    else:
        axes.text(0.5, 0.5, "no evaluation yet", transform=axes.transAxes, ha="center", fontsize=9, color=INK)
