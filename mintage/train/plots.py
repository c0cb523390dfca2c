"""The curves of a run, and of runs side by side, as pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

from mintage.train.record import Run

INK, GRID, ACCENT = "#1f2933", "#e4e7eb", "#1b6ca8"
SOURCE_COLORS = ("#d1495b", "#1b6ca8", "#edae49", "#00798c", "#6b4c9a", "#7d8597", "#8cb369", "#bc6c25")
# Of lines that may lie on one another: width, and points drawn and left out, from a beginning. Each leaves
# something to be seen of those below it.
THICK, THIN = 3.8, 1.4
LINES: tuple[tuple[float, tuple[float, tuple[float, float]] | None], ...] = (
    (THICK, None),
    (THIN, None),
    (THICK, (0, (8, 8))),
    (THIN, (12, (8, 8))),
    (THICK, (0, (3, 5))),
    (THIN, (6.5, (3, 5))),
)

PANELS = (
    ("L", "loss", "Training loss (nats per token)", 1.0),
    ("R", "learning_rate", "Learning rate", 1.0),
    ("G", "gradient_norm", "Gradient norm", 1.0),
    ("T", "tokens_per_second", "Tokens per second", 1.0),
    ("M", "peak_memory_bytes", "Peak memory (GB)", 1e9),
)


def draw(rows: list[dict[str, Any]], path: Path, title: str) -> None:
    """Draw training loss, bits per byte, learning rate, gradient norm, throughput with its
    share of the machine's peak, and memory by step, from metrics rows to a PNG."""
    training = [row for row in rows if row.get("loss") is not None]
    figure = Figure(figsize=(12, 6.6), facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12, color=INK, x=0.05, ha="left", fontweight="bold")
    panels = figure.subplot_mosaic("LLLLLLBBBBBB;RRRGGGTTTMMM", height_ratios=(3, 2))
    # A fixed layout: matplotlib's automatic ones double the time of a drawing.
    figure.subplots_adjust(left=0.05, right=0.985, top=0.89, bottom=0.08, wspace=2.0, hspace=0.32)
    for panel, name, label, unit in PANELS:
        points = [(row["step"], row[name] / unit) for row in training if row.get(name) is not None]
        panels[panel].plot(*zip(*points), color=ACCENT, linewidth=1.5, marker="o" if len(points) == 1 else "")
        panels[panel].set_title(label, fontsize=9, color=INK, loc="left")
    last = max((row["step"] for row in rows), default=1)
    _share_of_peak(panels["T"], training)
    _held_out(panels["B"], rows)
    for panel in "RTM":
        panels[panel].set_ylim(0, None)
    if any(row.get("gradient_norm") for row in training):
        panels["G"].set_yscale("log")  # the first steps are far above all others
        panels["G"].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panels["G"].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panels["G"].yaxis.set_minor_formatter(NullFormatter())
    for axes in panels.values():
        plain_look(axes)
        axes.set_xlim(0, 1.01 * last)
        wide = axes in (panels["L"], panels["B"])
        axes.xaxis.set_major_locator(MaxNLocator(8 if wide else 4, integer=True))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    for panel in "TLBM":
        panels[panel].yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    for panel in "RGTM":
        panels[panel].set_xlabel("step", fontsize=8, color=INK, loc="right", labelpad=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _share_of_peak(axes: Any, training: list[dict[str, Any]]) -> None:
    """Say what share of the machine's peak the throughput's middle is."""
    shares = sorted(row["share_of_peak"] for row in training if row.get("share_of_peak"))
    if shares:
        text = f"{shares[len(shares) // 2]:.0%} of peak"
        paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}  # over the curve
        axes.text(0.97, 0.06, text, transform=axes.transAxes, ha="right", fontsize=8, color=INK, bbox=paper)


def _held_out(axes: Any, rows: list[dict[str, Any]]) -> None:
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        for source, value in row.get("evaluation", {}).get("bits_per_byte", {}).items():
            curves[source].append((row["step"], value))
    if "all" in curves and len(curves) == 2:
        del curves["all"]  # the only source is all there is
    axes.set_title("Held-out text (bits per byte)", fontsize=9, color=INK, loc="left")
    ordered = sorted(curves.items(), key=lambda item: (item[0] != "all", item[0]))
    for index, (source, points) in enumerate(ordered):
        color = INK if source == "all" else SOURCE_COLORS[index % len(SOURCE_COLORS)]
        axes.plot(*zip(*points), color=color, marker="o", markersize=3, linewidth=1.5, label=source)
    if curves:
        axes.legend(fontsize=7, frameon=False, labelcolor=INK)
    else:
        axes.text(0.5, 0.5, "no evaluation yet", transform=axes.transAxes, ha="center", fontsize=9, color=INK)


def compare(runs: Sequence[Run], path: Path) -> None:
    """Draw runs over one another to a PNG, against tokens and against seconds of training: bits per byte of
    held-out text where every run has measured it, and one more than once, else the training loss."""
    lengths = [len(run.curve("bits_per_byte")) for run in runs]
    measured = min(lengths) > 0 and max(lengths) > 1
    field, label = (
        ("bits_per_byte", "Held-out text (bits per byte)") if measured else ("loss", "Training loss")
    )
    figure = Figure(figsize=(12, 5.2), facecolor="white")
    FigureCanvasAgg(figure)
    lines_of_names = (len(runs) + 1) // 2
    figure.subplots_adjust(left=0.05, right=0.985, top=0.9 - 0.045 * lines_of_names, bottom=0.1, wspace=0.12)
    left, right = figure.subplots(1, 2, sharey=True)
    for number, run in enumerate(runs):
        tokens, seconds, values = zip(*run.curve(field)) if run.curve(field) else ((), (), ())
        color = SOURCE_COLORS[number % len(SOURCE_COLORS)]
        marker = "o" if measured or len(values) == 1 else ""
        width, dashes = LINES[number % len(LINES)]
        if dashes is not None:  # matplotlib counts them in widths
            dashes = (dashes[0] / width, (dashes[1][0] / width, dashes[1][1] / width))
        line = {
            "color": color,
            "linestyle": dashes or "-",
            "dash_capstyle": "butt",
            "linewidth": width if len(runs) > 1 else 1.5,
            "marker": marker,
            "markersize": 3 + (width == THICK),
            "label": run.name,
        }
        left.plot(tokens, values, **line)
        right.plot(seconds, values, **line)
    left.set_title(f"{label} by tokens", fontsize=9, color=INK, loc="left")
    right.set_title(f"{label} by seconds of training", fontsize=9, color=INK, loc="left")
    for axes in (left, right):
        plain_look(axes)
        axes.set_xlim(0, None)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.yaxis.set_tick_params(labelleft=True)
        axes.ticklabel_format(axis="y", useOffset=False)
    handles, labels = left.get_legend_handles_labels()
    columns = 1 if len(runs) == 1 else 2
    look = {"fontsize": 8, "frameon": False, "labelcolor": INK, "handlelength": 4.5}
    figure.legend(handles, labels, ncols=columns, loc="upper left", **look)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def plain_look(axes: Any) -> None:
    """The look of every panel."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(which="both", labelsize=8, colors=INK, length=0)
