"""What refining a corpus costs: CPU seconds of each step over documents of a built corpus.

    python bench/refining.py WORKSPACE/corpora/finance-mix [--megabytes 60] [--rounds 3] [--data BENCHMARKS]
        [--out bench/results/refining.json]

Every n-th document is taken, so that each source gives its share, and written to a store of its own. The
steps then run in the order of a build, each on what the ones before it wrote. Once they run over a single
document: what that costs (the benchmark sets are read) is taken off before a rate is made. CPU seconds are of
all threads of the process.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mintage.corpus import store
from mintage.corpus.document import Document
from mintage.corpus.refine import decontaminate, duplicates, filters, kept, near_duplicates, quality, scrub
from mintage.corpus.refine.settings import DecontaminateSettings, Filter, NearDuplicateSettings, ScrubSettings

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT.parent / "shared" / "data" / "benchmarks"
OUT = ROOT / "bench" / "results" / "refining.json"
FILTERS = (Filter("too short", "words >= 50"), Filter("not English", "language = 'en' or digit_share > 0.3"))


def sample(corpus: Path, megabytes: float) -> list[Document]:
    """Every n-th document of a corpus, so many megabytes of text in all."""
    total = 0
    for batch in store.read_documents(corpus):
        total += sum(len(row.encode()) for row in batch.column("text").to_pylist())
    step = max(1, round(total / (megabytes * 1e6)))
    documents, place = [], 0
    for batch in store.read_documents(corpus):
        for row in batch.to_pylist():
            if place % step == 0:
                documents.append(Document.from_row(row))
            place += 1
    return documents


def steps(directory: Path, benchmarks: Path) -> dict[str, Callable[[], object]]:
    """The steps of refining, in their order."""
    return {
        "exact duplicates": lambda: duplicates.refine(directory),
        "quality signals": lambda: quality.tag(directory),
        "filters": lambda: filters.apply_filters(directory, FILTERS),
        "decontamination": lambda: decontaminate.decontaminate(
            directory, DecontaminateSettings(str(benchmarks))
        ),
        "near duplicates": lambda: near_duplicates.near_duplicates(directory, NearDuplicateSettings()),
        "personal data": lambda: scrub.scrub(directory, ScrubSettings()),
        "what is kept": lambda: kept.decide(directory),
    }


def measured(documents: list[Document], benchmarks: Path) -> dict[str, float]:
    """CPU seconds of each step over these documents."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        store.write_documents(Path(folder), documents)
        for name, work in steps(Path(folder), benchmarks).items():
            begun = time.process_time()
            work()
            seconds[name] = round(time.process_time() - begun, 3)
    print(f"{len(documents):,} documents: {seconds}", flush=True)
    return seconds


def main() -> None:
    """Measure, print and write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--megabytes", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=BENCHMARKS)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    documents = sample(options.corpus, options.megabytes)
    size = sum(len(document.text.encode()) for document in documents)
    alone = measured(documents[:1], options.data)
    rounds = [measured(documents, options.data) for _ in range(options.rounds)]
    median = {name: statistics.median(each[name] for each in rounds) for name in alone}
    result = {
        "machine": platform.machine(),
        "documents": len(documents),
        "bytes": size,
        "cpu_seconds_of_one_document": alone,
        "cpu_seconds": rounds,
        "megabytes_per_cpu_second": {
            name: round(size / 1e6 / (median[name] - alone[name]), 2) for name in alone
        },
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["megabytes_per_cpu_second"], indent=1))


if __name__ == "__main__":
    main()
