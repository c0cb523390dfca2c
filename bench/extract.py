"""Filing HTML to Markdown against sec2md: CPU seconds, and table cells scored by the filings' inline XBRL
facts.

    python bench/extract.py --peer PEER_PYTHON [--rounds 3] [--data FOLDER] [--out bench/results/extract.json]

PEER_PYTHON is the interpreter of an environment that has sec2md; each side converts in a process of its own,
filing by filing in turn (ours, peer, peer, ours), after one conversion that is not counted. Seconds are CPU
seconds of the conversion alone, from the bytes of the page to Markdown.

**Gold.** Every visible numeric inline fact (`ix:nonFraction` with digits) that has a cell of a source table
to itself is a gold cell: the text of the first cell of its row, and the number as displayed (negative where
the source shows a parenthesis). Rows without a label in the source, and facts within a label ("par value
$0.001"), are left out. Labels are compared by their letters and digits only, numbers without currency,
thousands separators, percent sign and blanks, so that no side's style of writing counts.

**Table F1.** A Markdown table belongs to the source table with which it shares most gold cells (label and
number), if at least one of them was not found before. In the rows that bear a gold label, every cell but
blanks and dashes counts as found: right where it is a gold cell of its source table (each as often as the
source shows it), wrong otherwise. So a number that is split over cells, glued to its neighbour, put under a
wrong label or lost costs precision or recall. Numbers that the filer did not tag (percent changes, say) cost
both sides the same.

**Face coverage.** The share of gold cells of the face statements (balance sheet, income, comprehensive
income, cash flow, equity; found by the concepts that only they contain) whose number stands in a Markdown
row with its label, under a column header that is not blank. **Right period** is the share of those in
statements whose columns are periods (all but equity) where that header names the year of the fact's period
(`years` says which).
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import re
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data" / "fixtures" / "sec_html"
OUT = ROOT / "bench" / "results" / "extract.json"

NUMBER = re.compile(
    r"[^\d(]*(\(?)[^\d]*?(\d[\d,]*(?:\.\d+)?|\.\d+)[\s)%a-z¢]*(?:\(?\w{1,2}(?:,\s?\w{1,2})*\)?)?\W*",
    re.IGNORECASE,
)
DASH = re.compile(r"[$€£¥(\s]*[-–—―]+[\s)%]*(?:\(?\w{1,2}\)?)?")
SEPARATOR = re.compile(r"\|(?:\s*:?-+:?\s*\|)+")

DASHED = "-"
VERSION = "import importlib.metadata; print(importlib.metadata.version('sec2md'))"

FACE = {
    "balance sheet": ("us-gaap:Assets", "us-gaap:LiabilitiesAndStockholdersEquity"),
    "income": ("us-gaap:EarningsPerShareDiluted", "us-gaap:IncomeTaxExpenseBenefit"),
    "comprehensive income": ("us-gaap:ComprehensiveIncomeNetOfTax", "us-gaap:OtherComprehensiveIncome"),
    "cash flow": (
        "us-gaap:NetCashProvidedByUsedInOperatingActivities",
        "us-gaap:NetCashProvidedByUsedInFinancing",
    ),
}
EQUITY_AXIS, RETAINED = "us-gaap:StatementEquityComponentsAxis", "us-gaap:RetainedEarningsMember"


@dataclass(frozen=True)
class Gold:
    """One fact in a table cell: source table, row label, number as displayed, years its header may name."""

    table: int
    label: str
    number: str
    years: tuple[str, ...]
    face: str | None


def key(label: str) -> str:
    """A row label by its letters and digits."""
    return "".join(character for character in label.lower() if character.isalnum())


def number(text: str) -> str | None:
    """The number in a cell ("-1234.5"), `DASHED`, or None where the cell is not one number."""
    text = text.replace("−", "-").replace("*", "").replace("\\", "")
    if DASH.fullmatch(text):
        return DASHED
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    negative = match[1] or re.match(r"\s*[$€£¥]?\s*[-–]", text)
    return ("-" if negative else "") + match[2].replace(",", "")


def gold_cells(html: bytes) -> list[Gold]:
    """The gold cells of a filing."""
    from mintage.corpus.extract.ixbrl import facts_of
    from mintage.corpus.extract.tree import parse

    root = parse(html)
    tables: dict[object, list[tuple]] = defaultdict(list)
    for element, fact in facts_of(root):
        cell = next(element.iterancestors("td"), None)
        if cell is None or not fact.text or not re.search(r"\d", fact.text):
            continue
        tables[next(element.iterancestors("table"))].append((cell, fact))
    result = []
    for position, table in enumerate(root.iter("table")):
        if table not in tables:
            continue
        face = statement([fact for _, fact in tables[table]])
        crowd = Counter(cell for cell, _ in tables[table])
        for cell, fact in tables[table]:
            row = next(cell.iterancestors("tr"))
            texts = [" ".join("".join(td.itertext()).split()) for td in row.iter("td")]
            label = next((text for text in texts if text), "")
            before, _, _ = (text := " ".join("".join(cell.itertext()).split())).partition(fact.text)
            if crowd[cell] > 1 or text == label or not re.search(r"[^\W\d_]", label):
                continue
            if not before:
                previous = cell.getprevious()
                before = "" if previous is None else "".join(previous.itertext()).strip()
            shown = number(("(" if before.rstrip("$ ").endswith("(") else "") + fact.text)
            if shown is not None:
                result.append(Gold(position, key(label), shown, years(fact.end, label), face))
    return result


def years(end: date | None, label: str) -> tuple[str, ...]:
    """The years that may head a column of a period or day that ends on `end`: its own; the year before
    where it ends in January or February; the year after in a row of opening balances."""
    if end is None:
        return ()
    offsets = [0, *([-1] if end.month <= 2 else []), *([1] if "begin" in label.lower() else [])]
    return tuple(str(end.year + offset) for offset in offsets)


def statement(facts: list) -> str | None:
    """Which face statement a table with these facts is."""
    members = {member for fact in facts for axis, member in fact.dimensions if axis == EQUITY_AXIS}
    if RETAINED in members and len(members) >= 3:
        return "equity"
    names = {fact.name for fact in facts}
    for kind, needed in FACE.items():
        if all(any(name.startswith(concept) for name in names) for concept in needed):
            return kind
    return None


def markdown_tables(markdown: str) -> list[tuple[list[str], list[list[str]]]]:
    """Header and rows of every Markdown table."""
    tables: list[tuple[list[str], list[list[str]]]] = []
    before: list[str] = []
    inside = False
    for line in markdown.split("\n"):
        if not line.startswith("|"):
            inside = False
            continue
        if SEPARATOR.fullmatch(line.strip()):
            tables.append((before, []))
            inside = True
            continue
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if inside:
            tables[-1][1].append(cells)
        before = cells
    return tables


def figures(header: list[str], rows: list[list[str]]) -> Iterator[tuple[str, str, str]]:
    """Label, number (or what stands in its place) and header of every cell behind its row's label."""
    for row in rows:
        filled = [(column, text) for column, text in enumerate(row) if text]
        for column, text in filled[1:]:
            shown = number(text)
            if shown != DASHED:
                yield key(filled[0][1]), shown or text, header[column] if column < len(header) else ""


def score(markdown: str, gold: list[Gold]) -> dict[str, float | int]:
    """Table precision, recall and F1, coverage of the face statements, and backslash escapes."""
    wanted: dict[int, Counter] = defaultdict(Counter)
    holders: dict[tuple[str, str], set[int]] = defaultdict(set)
    for fact in gold:
        wanted[fact.table][fact.label, fact.number] += 1
        holders[fact.label, fact.number].add(fact.table)
    found: dict[int, Counter] = defaultdict(Counter)
    headed: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    for header, rows in markdown_tables(markdown):
        cells = list(figures(header, rows))
        shared = [(table, cell[:2]) for cell in cells for table in holders.get(cell[:2], ())]
        incomplete = {table for table, cell in shared if found[table][cell] < wanted[table][cell]}
        votes = Counter(table for table, _ in shared if table in incomplete)
        if not votes:
            continue
        table = votes.most_common(1)[0][0]
        labels = {label for label, _ in wanted[table]}
        for label, shown, head in cells:
            if label in labels:
                found[table][label, shown] += 1
                if head:
                    headed[table, label, shown].append(head)
    right = sum((found[table] & cells).total() for table, cells in wanted.items())
    shown = sum(cells.total() for cells in found.values())
    face = covered = dated = in_period = 0
    for fact in gold:
        if fact.face is None:
            continue
        face += 1
        heads = headed[fact.table, fact.label, fact.number]
        named = next((head for head in heads if any(year in head for year in fact.years)), None)
        if heads:
            covered += 1
            heads.remove(named or heads[0])
        if fact.face != "equity":
            dated += 1
            in_period += named is not None
    precision, recall = right / max(shown, 1), right / max(len(gold), 1)
    return {
        "gold": len(gold),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-12),
        "face": face,
        "face_covered": covered,
        "face_dated": dated,
        "face_in_period": in_period,
        "backslashes": markdown.count("\\"),
        "characters": len(markdown),
    }


def work(side: str) -> None:
    """A worker: for each path on standard input, convert, and answer one line of JSON."""
    if side == "ours":
        from mintage.corpus.extract.html import to_markdown as convert
    else:
        from sec2md import convert_to_markdown as convert
    for line in sys.stdin:
        html = gzip.decompress(Path(line.strip()).read_bytes())
        start = time.process_time()
        markdown = convert(html)
        seconds = time.process_time() - start
        print(json.dumps({"seconds": seconds, "markdown": markdown}), flush=True)


class Worker:
    """A process that converts one filing at a time."""

    def __init__(self, python: str, side: str):
        self._process = subprocess.Popen(
            [python, __file__, "--worker", side], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def convert(self, path: Path) -> tuple[float, str]:
        """CPU seconds and Markdown."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["seconds"], answer["markdown"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def run(peer: str, data: Path, rounds: int) -> dict:
    """Convert every filing on both sides in turn and score what came out."""
    workers = {"ours": Worker(sys.executable, "ours"), "sec2md": Worker(peer, "sec2md")}
    paths = sorted(data.glob("*/*.html.gz"))
    for worker in workers.values():
        worker.convert(min(paths, key=lambda path: path.stat().st_size))
    filings = {}
    for path in paths:
        seconds: dict[str, list[float]] = {side: [] for side in workers}
        markdown = {}
        for turn in range(rounds):
            for side in list(workers) if turn % 2 == 0 else reversed(list(workers)):
                spent, markdown[side] = workers[side].convert(path)
                seconds[side].append(spent)
        html = gzip.decompress(path.read_bytes())
        gold = gold_cells(html)
        ratios = [theirs / ours for ours, theirs in zip(seconds["ours"], seconds["sec2md"])]
        filings[path.name.removesuffix(".html.gz")] = {
            "bytes": len(html),
            "ratio": statistics.median(ratios),
            **{side: {"seconds": seconds[side], **score(markdown[side], gold)} for side in workers},
        }
        print(json.dumps({path.name: filings[path.name.removesuffix(".html.gz")]}), file=sys.stderr)
    for worker in workers.values():
        worker.close()
    ratios = sorted(row["ratio"] for row in filings.values())
    quartiles = statistics.quantiles(ratios, n=4)
    return {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "sec2md": subprocess.check_output([peer, "-c", VERSION], text=True).strip(),
        "rounds": rounds,
        "times_faster": {
            "median": quartiles[1],
            "quartiles": [quartiles[0], quartiles[2]],
            "least": ratios[0],
        },
        "sides": {side: total(side, filings) for side in workers},
        "filings": filings,
    }


def total(side: str, filings: dict) -> dict[str, float]:
    """A side's figures over all filings."""
    rows = [row[side] for row in filings.values()]
    tagged = [row for row in rows if row["gold"]]
    seconds = sum(statistics.median(row["seconds"]) for row in rows)
    return {
        "seconds": seconds,
        "megabytes_per_second": sum(row["bytes"] for row in filings.values()) / 1e6 / seconds,
        "median_f1": statistics.median(row["f1"] for row in tagged),
        "least_f1": min(row["f1"] for row in tagged),
        "precision": sum(row["precision"] * row["gold"] for row in tagged)
        / sum(row["gold"] for row in tagged),
        "recall": sum(row["recall"] * row["gold"] for row in tagged) / sum(row["gold"] for row in tagged),
        "face_facts": sum(row["face"] for row in rows),
        "face_coverage": sum(row["face_covered"] for row in rows) / sum(row["face"] for row in rows),
        "face_right_period": sum(row["face_in_period"] for row in rows)
        / sum(row["face_dated"] for row in rows),
        "backslashes": sum(row["backslashes"] for row in rows),
    }


def main() -> None:
    """Run the bench, or a worker of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worker", choices=("ours", "sec2md"))
    parser.add_argument("--peer", help="the Python of an environment with sec2md")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker)
        return
    if not arguments.peer:
        parser.error("--peer: name the Python of an environment with sec2md")
    result = run(arguments.peer, arguments.data, arguments.rounds)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({name: result[name] for name in ("times_faster", "sides")}, indent=1))


if __name__ == "__main__":
    main()
