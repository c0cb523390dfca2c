"""Write the tables of docs/results.md anew from the JSON in bench/results: `python bench/tables.py`
(`--check` only looks).

Each table stands between `<!-- table: NAME -->` and `<!-- end -->`; whatever else is on the page is left
alone.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "results.md"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def report(name: str) -> str:
    """A model's report: held-out bits per byte, and exact answers where it was asked questions."""
    results = json.loads((RESULTS / f"{name}.json").read_text())
    later = results["bits_per_byte_after_cutoff"]
    rows = [
        [
            source,
            f"{score['bits_per_byte']:.3f}",
            f"{later[source]['bits_per_byte']:.3f}" if source in later else "",
            f"{score['perplexity']:.1f}",
            str(score["documents"]),
        ]
        for source, score in results["bits_per_byte"].items()
    ]
    stages = "; ".join(
        f"{stage['stage']}: {stage['steps']:,} steps, {stage['tokens'] / 1e6:.2f} M tokens, "
        f"{stage['seconds'] / 60:.1f} minutes"
        for stage in results["training"]
    )
    parts = [
        f"{results['model']['parameters'] / 1e6:.2f} M parameters; {stages}.",
        table(["source", "bits per byte", "after the cutoff", "perplexity", "documents"], rows),
    ]
    if results["questions"]:
        names = ["constant", "first", "last", "random"]
        rows = [
            [
                kind,
                str(row["questions"]),
                f"{row['exact']:.0%}",
                f"{row['right_form']:.0%}",
                *(f"{row['baselines'][name]:.0%}" for name in names),
                f"{100 * row['above_best_baseline']:+.0f}",
            ]
            for kind, row in results["questions"].items()
        ]
        total = sum(row["questions"] for row in results["questions"].values())
        exact = sum(row["questions"] * row["exact"] for row in results["questions"].values()) / total
        parts.append(table(["kind", "questions", "exact", "right form", *names, "above the best"], rows))
        parts.append(f"Over all kinds: {exact:.0%} exact.")
    for sample in results["samples"]:
        text = " ".join((sample["prompt"] + sample["text"]).split())
        parts.append(f"> **{sample['prompt']}**{text[len(sample['prompt']) :]}")
    return "\n\n".join(parts)


TABLES: dict[str, Callable[[], str]] = {
    name: lambda name=name: report(name) for name in ("quickstart", "sandbox-10m", "fed-10m", "earnings-10m")
}


def page(text: str) -> str:
    """The page with every table that has results made anew."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if not (RESULTS / f"{name}.json").exists():
            return match[0]
        return f"<!-- table: {name} -->\n{TABLES[name]()}\n<!-- end -->"

    return re.sub(r"<!-- table: (\S+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def main(arguments: list[str]) -> int:
    """Write the page, or with --check say whether it is what the results give."""
    old = PAGE.read_text()
    new = page(old)
    if "--check" in arguments:
        return int(old != new)
    PAGE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
