"""Write the tables of docs/results.md and docs/scale.md anew from the JSON in bench/results:
`python bench/tables.py` (`--check` only looks).

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
PAGES = [ROOT / "docs" / "results.md", ROOT / "docs" / "scale.md"]
GIGABYTES = 478  # the text of 100 billion tokens, docs/scale.md


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


def train() -> str:
    """Training speed against peers: milliseconds a step in each mode, and how often ours fits into a peer's
    step."""
    parts = []
    for name in ("10m", "51m"):
        path = RESULTS / f"train-{name}.json"
        if not path.exists():
            continue
        result = json.loads(path.read_text())["sizes"][name]
        rows = [
            [
                variant,
                f"{row['milliseconds']:,.0f} ({row['quartiles'][0]:,.0f} to {row['quartiles'][1]:,.0f})",
                f"{row['tokens_per_second']:,.0f}",
                f"{row['share_of_sgemm']:.0%}",
                f"{row['peak_memory_megabytes']:,}" if "peak_memory_megabytes" in row else "",
            ]
            for variant, row in result["variants"].items()
        ]
        header = [
            "contender", "ms a step, median (quartiles)", "tokens/s", "share of the sgemm ceiling", "peak MB",
        ]  # fmt: skip
        parts.append(
            f"**{name}**: {result['sgemm_gflops']['median']:.0f} GFLOP/s of sgemm, interleaved rounds."
        )
        parts.append(table(header, rows))
        for peer, ratio in result["times_faster_than"].items():
            parts.append(
                f"Better mode against better mode, ours is {ratio['ratio']:.2f} times as fast as {peer} "
                f"(95% interval {ratio['low']:.2f} to {ratio['high']:.2f})."
            )
    return "\n\n".join(parts)


def quality() -> str:
    """Bits per byte in the same minutes: every trial on the development split, the chosen ones on the test
    split."""
    result = json.loads((RESULTS / "quality.json").read_text())
    rows = [
        [
            f"{side}, rate {row['rate']:g}",
            f"{row['parameters'] / 1e6:.2f} M",
            f"{row['tokens'] / 1e6:.2f} M",
            f"{row['cpu_seconds']:.0f}",
            f"{row['development']:.3f}",
            f"{row['test']:.3f}" if row == result["best"][side] else "",
        ]
        for side, trials in result["trials"].items()
        for row in trials
    ]
    header = ["trial", "parameters", "tokens", "CPU seconds", "development", "test"]
    return (
        f"{result['minutes']:g} minutes a run, {result['threads']} thread(s) each, "
        f"{result['jobs']} side by side. "
        f"Ours reaches {result['test_ratio']:.3f} of the peer's bits per byte on the test split.\n\n"
        + table(header, rows)
    )


def loss() -> str:
    """Tokens and time to AdamW's final loss, Muon beside it, scale by scale."""
    result = json.loads((RESULTS / "loss.json").read_text())
    parts = []
    for scale, verdict in result["scales"].items():
        trials = [trial for trial in result["trials"] if trial["scale"] == scale]
        rows = [
            [
                f"{trial['optimizer']}, rate {trial['rate']:g}",
                f"{trial['tokens'] / 1e3:,.0f} K",
                f"{trial['seconds']:,.0f}",
                f"{trial['development']['bits_per_byte']:.3f}",
                f"{trial['test']['bits_per_byte']:.3f}",
            ]
            for trial in trials
        ]
        share, time = verdict["share_of_tokens_to_adamw_loss"], verdict["share_of_time_to_adamw_loss"]
        reached = (
            f"at most {share:g} of AdamW's tokens and {time:.2f} of its time"
            if share
            else "not within its share"
        )
        parts.append(
            f"**{scale}**, {trials[0]['parameters'] / 1e6:.1f} M parameters: Muon is there with {reached}."
        )
        parts.append(table(["trial", "tokens", "seconds", "development", "test"], rows))
    return "\n\n".join(parts)


def extract() -> str:
    """Filing HTML to Markdown beside sec2md: speed, table cells against the filings' inline facts."""
    result = json.loads((RESULTS / "extract.json").read_text())
    times, sides = result["times_faster"], result["sides"]
    names = {
        "median_f1": "table F1, median over filings",
        "precision": "precision of table cells",
        "recall": "recall of table cells",
        "face_coverage": "face facts beside their label and under a column header",
        "face_right_period": "of those, under the right year",
    }
    rows = [[label, *(f"{side[name]:.3f}" for side in sides.values())] for name, label in names.items()]
    low, high = times["quartiles"]
    return (
        f"{times['median']:.1f} times as fast (quartiles {low:.1f} to {high:.1f}, "
        f"least {times['least']:.1f}) in CPU seconds, interleaved, over {len(result['filings'])} filings; "
        f"{sides['ours']['backslashes']} backslash escapes.\n\n"
    ) + table(["", *sides], rows)


def refining() -> str:
    """What the steps of refining cost, and would cost for 100 billion tokens."""
    result = json.loads((RESULTS / "refining.json").read_text())
    rates = result["megabytes_per_cpu_second"]
    rows = [
        [step, f"{rate:.1f} MB/s", f"{GIGABYTES * 1e3 / rate / 3600:.0f}"]
        for step, rate in rates.items()
        if rate < 100  # beyond, a minute or two
    ]
    text = (
        f"{result['documents']:,} documents of the finance mix, {result['bytes'] / 1e6:.0f} MB of text, "
        f"median of {len(result['cpu_seconds'])} rounds, at most {result['peak_memory_mib']:,} MiB."
    )
    return text + "\n\n" + table(["step", "rate of a core", "core-hours for 100 billion tokens"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "train": train,
    "quality": quality,
    "loss": loss,
    "extract": extract,
    "refining": refining,
} | {
    name: lambda name=name: report(name)
    for name in ("quickstart", "sandbox-10m", "fed-10m", "earnings-10m", "earnings-gpt-10m", "mintage-10m")
}


def page(text: str) -> str:
    """The page with every table that has results made anew."""

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if not list(RESULTS.glob(f"{name}*.json")):
            return match[0]
        return f"<!-- table: {name} -->\n{TABLES[name]()}\n<!-- end -->"

    return re.sub(r"<!-- table: (\S+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check say whether they are what the results give."""
    status = 0
    for path in PAGES:
        old = path.read_text()
        new = page(old)
        if "--check" in arguments:
            status |= int(old != new)
        else:
            path.write_text(new)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
