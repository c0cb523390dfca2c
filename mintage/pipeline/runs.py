"""The runs of a workspace: a list, and chosen ones side by side with what differs in their settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mintage.errors import MintageError
from mintage.train import plots, record
from mintage.train.record import Run
from mintage.workspace import Workspace

# Facts of run.json that differ between any two runs and say nothing of what was tried.
INCIDENTAL = ("begun_at", "process", "peak_flops_per_second", "peak_source")


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
    console.print(figures_table(runs))
    if not names:
        console.print(f"next: mintage runs {' '.join(run.name for run in runs[-2:])}", soft_wrap=True)
        return
    if differences(runs):
        console.print(differences_table(runs))
    plots.compare(runs, plot)
    console.print(f"curves: {plot}", soft_wrap=True)


def figures_table(runs: Sequence[Run]) -> Table:
    """A row a run."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", overflow="fold")
    table.add_column("state")
    for title in ("step", "loss", "bits/byte", "tokens", "time", "tokens/s", "parameters"):
        table.add_column(title, justify="right")
    table.add_column("optimizer")
    table.add_column("begun")
    for run in runs:
        row = summary(run)
        steps = f"/{row['steps']:,}" if row["steps"] else ""
        table.add_row(
            escape(row["name"]),
            row["state"],
            f"{row['step']:,}{steps}",
            text(row["loss"], ".3f"),
            text(row["bits_per_byte"], ".3f"),
            short(row["tokens"]),
            clock(row["seconds"]),
            text(row["tokens_per_second"], ",.0f"),
            short(row["parameters"]),
            row["optimizer"] or "-",
            (row["begun_at"] or "-")[:16].replace("T", " "),
        )
    return table


def differences_table(runs: Sequence[Run]) -> Table:
    """A row for each setting in which the runs differ, a column a run."""
    table = Table(box=None, pad_edge=False, header_style="bold", title="what differs", title_justify="left")
    table.add_column("setting")
    for run in runs:
        table.add_column(escape(run.name), overflow="fold")
    for key, values in differences(runs).items():
        table.add_row(key, *(escape(str(value)) if value is not None else "-" for value in values))
    return table


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
