"""What a corpus holds: documents, tokens, licences and months by source, as tables and as one picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mintage.corpus import store
from mintage.tokens.shards import Shards
from mintage.workspace import Workspace

COLOURS = plt.get_cmap("tab20").colors
MOST_SOURCES = 12  # that are told apart in the picture; the others are drawn as one


@dataclass(frozen=True)
class Overview:
    """The figures of a corpus, rows of dictionaries; `tokens` are None where there are no shards.

    `sources`: source, documents, megabytes, tokens, undated, duplicates, superseded, first, last.
    `licences`: source, licence, use, documents. `months`: source, month ("2019-07"), documents, tokens.
    """

    sources: list[dict[str, Any]]
    licences: list[dict[str, Any]]
    months: list[dict[str, Any]]


def overview(workspace: Workspace, name: str) -> Overview:
    """Count the corpus of this name, and the tokens of its shards where these are built."""
    directory = workspace.path("corpora", name)
    sources = store.sql(
        directory,
        """select source, count(*) as documents, round(sum(strlen(text)) / 1e6, 3) as megabytes,
        count(*) filter (available_at is null) as undated, count(duplicate_use) as duplicates,
        count(superseded_at) as superseded, min(available_at)::date::varchar as first,
        max(available_at)::date::varchar as last
        from documents join exact_duplicate using (doc_id) join superseded using (doc_id)
        group by source order by source""",
    ).to_pylist()
    licences = store.sql(
        directory,
        """select source, licence, "use", count(*) as documents
        from documents group by all order by all""",
    ).to_pylist()
    months = store.sql(
        directory,
        """select source, strftime(available_at, '%Y-%m') as month, count(*) as documents
        from documents where available_at is not null group by all order by all""",
    ).to_pylist()
    card = workspace.card("shards", name)
    tokens = tokens_by_month(workspace.path("shards", name)) if card else {}
    totals: dict[str, int] = {}
    for (source, _), count in tokens.items():
        totals[source] = totals.get(source, 0) + count
    for row in sources:
        row["tokens"] = totals.get(row["source"], 0) if card else None
    for row in months:
        row["tokens"] = tokens.get((row["source"], row["month"]), 0) if card else None
    return Overview(sources, licences, months)


def by_year(figures: Overview) -> list[dict[str, Any]]:
    """The months summed to years: a row a year, a column a source, in tokens where these are counted."""
    names = sorted({row["source"] for row in figures.months})
    years: dict[str, dict[str, int]] = {}
    for row in figures.months:
        counts = years.setdefault(row["month"][:4], dict.fromkeys(names, 0))
        counts[row["source"]] += row["documents"] if row["tokens"] is None else row["tokens"]
    return [{"year": year, **counts} for year, counts in sorted(years.items())]


def tokens_by_month(directory: Path) -> dict[tuple[str, str | None], int]:
    """Tokens of the shards by source and month (None: undated), shard by shard."""
    totals: dict[tuple[str, str | None], int] = {}
    shards = Shards.open(directory)
    for number in range(shards.manifest["shards"]):
        path = directory / f"shard_{number:05d}.docs.parquet"
        table = pq.read_table(path, columns=["source", "available_at", "length"])
        month = pc.strftime(table["available_at"], "%Y-%m")
        grouped = pa.table({"source": table["source"], "month": month, "length": table["length"]})
        for row in grouped.group_by(["source", "month"]).aggregate([("length", "sum")]).to_pylist():
            key = row["source"], row["month"]
            totals[key] = totals.get(key, 0) + row["length_sum"]
    return totals


def draw(figures: Overview, path: Path) -> None:
    """Write the picture: what became known each month, how much each source holds, and what its licence
    allows."""
    unit = "tokens" if figures.sources[0]["tokens"] is not None else "documents"
    order = sorted(figures.sources, key=lambda row: -row[unit])
    names = [row["source"] for row in order]
    shown = names[:MOST_SOURCES]
    colour = {name: COLOURS[number % 20] for number, name in enumerate(shown)}
    figure = plt.figure(figsize=(12, 9), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1])
    draw_months(top.subplots(), figures, unit, shown, colour)
    left, right = bottom.subplots(1, 2, sharey=True)
    place = np.arange(len(order))
    left.barh(place, [max(1, row[unit]) for row in order], color=[colour.get(name, "0.6") for name in names])
    left.set(xscale="log", xlabel=f"{unit}, logarithmic", yticks=place, yticklabels=names)
    left.set_title(f"{unit.capitalize()} by source", loc="left", fontsize=11)
    left.invert_yaxis()
    for number, row in enumerate(order):
        left.text(max(1, row[unit]), number, f" {row[unit]:,}", va="center", fontsize=8)
    left.margins(x=0.25)
    draw_licences(right, figures, names)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_months(axes: Any, figures: Overview, unit: str, shown: list[str], colour: dict[str, Any]) -> None:
    """Bars of each month, the sources on top of one another."""
    months = sorted({row["month"] for row in figures.months})
    if not months:
        axes.text(0.5, 0.5, "no document is dated", ha="center", transform=axes.transAxes)
        return
    first, last = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (months[0], months[-1]))
    heights = {name: np.zeros(last - first + 1) for name in [*shown, "others"]}
    for row in figures.months:
        place = int(row["month"][:4]) * 12 + int(row["month"][5:]) - 1 - first
        heights[row["source"] if row["source"] in colour else "others"][place] += row[unit]
    bottom = np.zeros(last - first + 1)
    x = np.arange(first, last + 1) / 12
    for name, height in heights.items():
        if height.any():
            axes.bar(x, height, 1 / 12, bottom, color=colour.get(name, "0.6"), label=name, align="edge")
            bottom += height
    axes.set_title(f"{unit.capitalize()} that became public each month", loc="left", fontsize=11)
    axes.set(ylabel=unit, xlabel="year")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}" if value == int(value) else "")
    axes.legend(fontsize=8, ncols=2, frameon=False, loc="upper left")


def draw_licences(axes: Any, figures: Overview, names: list[str]) -> None:
    """For each source, the share of its documents by what their licence allows."""
    shades = {"ship": "#2a7f62", "local": "#6f9fd8", "evaluate": "#e3b34c", "none": "#b5484b"}
    place = {name: number for number, name in enumerate(names)}
    total = {
        name: sum(row["documents"] for row in figures.licences if row["source"] == name) for name in names
    }
    left = np.zeros(len(names))
    for use, shade in shades.items():
        width = np.zeros(len(names))
        for row in figures.licences:
            if row["use"] == use:
                width[place[row["source"]]] += row["documents"] / total[row["source"]]
        if width.any():
            axes.barh(np.arange(len(names)), width, left=left, color=shade, label=use)
            left += width
    axes.set_title("What the licences allow (share of documents)", loc="left", fontsize=11)
    axes.set(xlim=(0, 1))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(fontsize=8, ncols=4, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.08))
