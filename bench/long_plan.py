"""A plan over 100 billion tokens: how long it takes to build once, to open, and to resume in a new process.

    python bench/long_plan.py                       # 5 million documents of 20,000 tokens, as filings have
    python bench/long_plan.py --documents 1000000

The index is synthetic (random ids, days, lengths), and the token files are sparse: their bytes are zeros that
take no disk. Everything else is what a run does. Opening and resuming are timed from the start of the call in
a fresh process, imports aside.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

RESULTS = Path(__file__).parent / "results" / "long_plan.json"
SOURCES = ("calls", "filings", "news")
BATCH, CONTEXT = 512, 4096


def hexadecimal(random: np.random.Generator, count: int, width: int) -> pa.Array:
    """Random strings of hexadecimal digits."""
    text = random.bytes(count * width // 2).hex().encode()
    offsets = np.arange(0, count * width + 1, width, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))


def synthetic(directory: Path, documents: int, tokens: int) -> int:
    """Write an index and sparse token files, and return how many tokens they stand for."""
    from mintage.tokens.shards import INDEX_SCHEMA, SHARD_TOKENS

    random = np.random.default_rng(0)
    mean = tokens // documents
    in_shard = max(1, SHARD_TOKENS // mean)
    number = total = 0
    for first in range(0, documents, in_shard):
        count = min(in_shard, documents - first)
        length = random.integers(mean // 2, mean * 3 // 2, count)
        empty = pa.array([""] * count)
        columns = {
            "doc_id": hexadecimal(random, count, 32),
            "content_hash": hexadecimal(random, count, 64),
            "source": pa.array(SOURCES).take(pa.array(random.integers(0, len(SOURCES), count))),
            "kind": empty,
            "title": empty,
            "start": pa.array(np.cumsum(length) - length),
            "length": pa.array(length),
            "bytes": pa.array(length * 5),
            "available_at": pa.array(random.integers(8 * 10**14, 17 * 10**14, count)).cast(
                INDEX_SCHEMA.field("available_at").type
            ),
            "superseded_at": pa.nulls(count, INDEX_SCHEMA.field("superseded_at").type),
            "duplicate": pa.array(np.zeros(count, bool)),
            "split": pa.array(["train"] * count),
        }
        table = pa.table([columns[field.name] for field in INDEX_SCHEMA], schema=INDEX_SCHEMA)
        pq.write_table(table, directory / f"shard_{number:05d}.docs.parquet", compression="zstd")
        with (directory / f"shard_{number:05d}.bin").open("wb") as file:
            file.truncate(int(length.sum()) * 2)
        number += 1
        total += int(length.sum())
    manifest = {
        "tokenizer_hash": "synthetic",
        "tokenizer_cutoff": None,
        "dtype": "<u2",
        "shards": number,
        "sources": {name: {} for name in SOURCES},
        "files": {f"shard_{each:05d}.bin": "" for each in range(number)},
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return total


def worker(directory: Path, steps: int, step: int) -> None:
    """Open the kept plan (or build it), make the batch of a step, and print what it took."""
    from mintage.tokens.loader import Loader
    from mintage.tokens.plan import Phase, Plan, PlanSettings

    settings = PlanSettings((Phase(steps, CONTEXT, BATCH, {"calls": 1.0, "filings": 3.0, "news": 1.0}),))
    start = time.perf_counter()
    plan = Plan.kept(directory / "kept", directory, settings, None)
    opened = time.perf_counter()
    loader = Loader(directory, plan)
    first = loader.batch(step)
    resumed = time.perf_counter()
    loader.batch(step + 1)
    measured = {
        "plan_seconds": opened - start,
        "batch_seconds": resumed - opened,
        "next_batch_seconds": time.perf_counter() - resumed,
        "tokens_in_batch": int(first.mask_BT.sum()),
        "documents": sum(stream.documents for stream in plan.streams),
        "tokens": sum(stream.tokens for stream in plan.streams),
        "hash": plan.hash,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(measured))


def main() -> None:
    """Write the index, build the plan once, open it in new processes at several steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=5_000_000)
    parser.add_argument("--tokens", type=int, default=100_000_000_000)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        tokens = synthetic(Path(temporary), options.documents, options.tokens)
        steps = tokens // (BATCH * CONTEXT)
        runs: list[dict[str, Any]] = []
        for step in (0, 0, steps // 2, steps - 2):
            command = [sys.executable, __file__, "--worker", temporary, str(steps), str(step)]
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
            ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            runs.append({"step": step, **json.loads(ended.stdout)})
            print(runs[-1], flush=True)
    assert len({run["hash"] for run in runs}) == 1
    record = {
        "documents": options.documents,
        "tokens": tokens,
        "steps": steps,
        "load": os.getloadavg(),
        "build": runs[0],
        "resume": runs[1:],
        "slowest_resume_seconds": max(run["plan_seconds"] + run["batch_seconds"] for run in runs[1:]),
    }
    options.output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"slowest to open and resume: {record['slowest_resume_seconds']:.2f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
