"""The runs of a workspace: a list, and chosen ones side by side with what differs in their settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mintage.errors import MintageError
from mintage.pipeline.console import command
from mintage.train import plots, record
from mintage.train.record import Run
from mintage.workspace import Workspace

# Facts of run.json that differ between any two runs and say nothing of what was tried.
INCIDENTAL = ("begun_at", "process", "peak_flops_per_second", "peak_source")


# The columns of figures, the most important first: a narrow terminal shows the first ones only.
FIGURES: dict[str, Callable[[dict[str, Any]], str]] = {
    "state": lambda row: row["state"],
    "step": lambda row: f"{row['step']:,}" + (f"/{row['steps']:,}" if row["steps"] else ""),
    "loss": lambda row: text(row["loss"], ".3f"),
    "bits/\nbyte": lambda row: text(row["bits_per_byte"], ".3f"),
    "tokens": lambda row: short(row["tokens"]),
    "time": lambda row: clock(row["seconds"]),
    "tokens/s": lambda row: text(row["tokens_per_second"], ",.0f"),
    "param-\neters": lambda row: short(row["parameters"]),
    "opti-\nmizer": lambda row: row["optimizer"] or "-",
    "begun": lambda row: (row["begun_at"] or "-")[:16].replace("T", " "),
}
WORDS = ("state", "opti-\nmizer", "begun")
NAME = 24  # characters of a line that a run's name has at least, where it is that long
SETTING = 34  # and at most, that of a setting
VALUE = 20  # what a run's settings have at least
GAP = 2  # between columns


def find(workspace: Workspace, names: Sequence[str]) -> list[Run]:
    """The runs of these names, beginnings of names or directories, in this order; all of the workspace where
    none is named.

    Raises:
        MintageError: a name fits no run, or several.
    """
    runs = list(record.find(workspace.root / "runs"))
    if not names:
        return runs
    return [_find_one(workspace, runs, name) for name in names]


def _find_one(workspace: Workspace, runs: list[Run], name: str) -> Run:
    if (Path(name) / record.METRICS).is_file():
        return record.read(Path(name))
    fitting = [run for run in runs if run.name == name] or [run for run in runs if run.name.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(run.name for run in fitting or runs) or "none yet; `mintage run RECIPE` makes one"
    what = "fits several runs; say more of its name" if fitting else "no such run"
    raise MintageError(f"{name}: {what}. There are: {known}")


def summary(run: Run) -> dict[str, Any]:
    """A run's figures; None where it has not come to them."""
    tokens, seconds = run.last("tokens"), run.last("seconds")
    bits = [value for row in run.rows if (value := record.held_out(row)) is not None]
    return {
        "name": run.name,
        "state": run.state,
        "step": run.step,
        "steps": run.facts.get("steps"),
        "loss": run.last("loss"),
        "bits_per_byte": round(bits[-1], 5) if bits else None,
        "tokens": tokens,
        "seconds": seconds,
        "tokens_per_second": round(tokens / seconds, 1) if tokens and seconds else None,
        "share_of_peak": run.last("share_of_peak"),
        "peak_memory_bytes": run.last("peak_memory_bytes"),
        "parameters": run.facts.get("parameters"),
        "optimizer": run.facts.get("settings", {}).get("optimizer", {}).get("name"),
        "begun_at": run.facts.get("begun_at"),
    }


def differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The settings and facts in which runs differ, by their paths, e.g. `settings.optimizer.learning_rate`;
    a value for each run, None where it has none."""
    flat = [flatten({k: v for k, v in run.facts.items() if k not in INCIDENTAL}) for run in runs]
    keys = dict.fromkeys(key for facts in flat for key in facts)
    values = {key: [facts.get(key) for facts in flat] for key in keys}
    return {key: found for key, found in values.items() if any(value != found[0] for value in found)}


def flatten(value: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings and lists as one mapping from paths to plain values."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return {path: value}
    return {k: v for key, inner in items for k, v in flatten(inner, f"{path}.{key}".lstrip(".")).items()}


def listing(workspace: Workspace, names: Sequence[str]) -> dict[str, Any]:
    """What `mintage runs --json` prints: the runs' figures, and where runs are named what differs."""
    runs = find(workspace, names)
    figures: dict[str, Any] = {"runs": [summary(run) for run in runs]}
    return figures | ({"differences": differences(runs)} if names else {})


def show(workspace: Workspace, names: Sequence[str], plot: Path) -> None:
    """Print the runs as a table; where runs are named, also what differs, and draw their curves to `plot`."""
    runs = find(workspace, names)
    console = Console(emoji=False)
    if not runs:
        console.print(f"{workspace.root}: no runs yet; next: mintage quickstart")
        return
    console.print(table := figures_table(runs, console.width))
    if unseen := list(FIGURES)[len(table.columns) - 1 :]:
        titles = ", ".join(re.sub(r"-?\n", "", title) for title in unseen)
        console.print(f"too narrow for: {titles}; --json has all", soft_wrap=True)
    if not names:
        console.print(f"next: {command(workspace, 'runs', *(run.name for run in runs[-2:]))}", soft_wrap=True)
        return
    for few in differences_tables(runs, console.width):
        console.print(few)
    plots.compare(runs, plot)
    console.print(f"curves: {plot}", soft_wrap=True)


def figures_table(runs: Sequence[Run], width: int) -> Table:
    """A row a run, with as many of FIGURES as a line of this width holds; long names are folded."""
    rows = [summary(run) for run in runs]
    longest = max(len(row["name"]) for row in rows)
    room, columns = width, {}
    for title, figure in FIGURES.items():
        cells = [figure(row) for row in rows]
        needed = GAP + max(map(len, [*title.split("\n"), *cells]))
        if room - needed < min(longest, NAME):
            break
        room -= needed
        columns[title] = cells
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run")
    for title in columns:
        table.add_column(title, justify="left" if title in WORDS else "right")
    for row, *cells in zip(rows, *columns.values()):
        table.add_row(escape(folded(row["name"], room, "-")), *cells)
    return table


def differences_tables(runs: Sequence[Run], width: int) -> Iterator[Table]:
    """A row for each setting in which the runs differ, a column a run; several tables where a line does not
    hold all of the runs."""
    found = differences(runs)
    if not found:
        return
    setting = min(SETTING, max(map(len, found)))
    abreast = max(1, (width - setting) // (VALUE + GAP))
    for start in range(0, len(runs), abreast):
        few = runs[start : start + abreast]
        value = max(8, (width - setting) // len(few) - GAP)
        title = "what differs" if start == 0 else None
        table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
        table.add_column("setting")
        for run in few:
            table.add_column(escape(folded(run.name, value, "-")))
        for key, values in found.items():
            cells = ["-" if each is None else str(each) for each in values[start : start + abreast]]
            if key.endswith("_hash"):
                cells = [cell[:8] for cell in cells]
            table.add_row(folded(key, setting, "."), *(escape(folded(cell, value, ",")) for cell in cells))
        yield table


def folded(text: str, width: int, after: str) -> str:
    """A text without spaces in lines of this width, broken after a character where there is one."""
    lines = [""]
    for piece in re.findall(rf"[^{after}]*{after}|[^{after}]+", text):
        if len(lines[-1]) + len(piece) > width and lines[-1]:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line[i : i + width] for line in lines for i in range(0, max(1, len(line)), width))


def text(value: float | None, form: str) -> str:
    """A number, or a dash."""
    return "-" if value is None else format(value, form)


def short(value: float | None) -> str:
    """A count in three figures at most: 921, 92.1K, 1.3M, 7B."""
    if value is None:
        return "-"
    for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if value >= 0.9995 * unit:  # what rounds to it
            return f"{value / unit:.3g}{name}"
    return f"{value:,.0f}"


def clock(seconds: float | None) -> str:
    """A duration as h:mm:ss."""
    if seconds is None:
        return "-"
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"
