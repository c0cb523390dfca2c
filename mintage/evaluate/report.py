"""The report of a model: `results.json`, and `report.html` with everything in one file."""

from __future__ import annotations

import base64
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mintage.evaluate.bits_per_byte import UNDATED
from mintage.workspace import write_atomic

TEMPLATE = "report.html.j2"


def write(directory: Path, results: dict[str, Any], plots: dict[str, list[Path]]) -> None:
    """Write both files of a report.

    Args:
        results: every figure; the page shows nothing that is not in it.
        plots: PNG files by stage of training; they are copied into the page.
    """
    images = {
        name: [base64.b64encode(path.read_bytes()).decode() for path in paths]
        for name, paths in plots.items()
    }
    months = months_plot(results["bits_per_byte_by_month"], results["knowledge_cutoff"])
    if months:
        images["months"] = [base64.b64encode(months).decode()]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(results=results, plots=images)
    write_atomic(directory / "report.html", page)
    write_atomic(directory / "results.json", json.dumps(results, indent=1, ensure_ascii=False))


def months_plot(scores: dict[str, dict[str, float]], knowledge_cutoff: str | None) -> bytes | None:
    """A PNG of bits per byte against the month of publication, a line for each source; None without dated
    months."""
    from matplotlib.dates import date2num
    from matplotlib.figure import Figure

    dated = {
        source: {
            datetime.strptime(month, "%Y-%m"): value for month, value in months.items() if month != UNDATED
        }
        for source, months in scores.items()
    }
    dated = {source: months for source, months in dated.items() if len(months) > 1}
    if not dated:
        return None
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for source, months in sorted(dated.items()):
        days = date2num(list(months))
        axes.plot(days, list(months.values()), marker=".", markersize=4, linewidth=1, label=source)
    if knowledge_cutoff:
        day = float(date2num(datetime.fromisoformat(knowledge_cutoff[:10])))
        axes.axvline(day, color="black", linestyle="--", linewidth=1)
        axes.annotate(
            "knowledge cutoff",
            (day, 1),
            (4, -4),
            fontsize=8,
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
        )
    axes.xaxis_date()
    axes.set_ylabel("bits per byte")
    axes.set_xlabel("month of publication")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
