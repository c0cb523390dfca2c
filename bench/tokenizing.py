"""Documents to token shards: Mintage against datatrove's `DocumentTokenizer`, the same bytes, interleaved.

    python bench/tokenizing.py --text ../shared/data/corpora/fed_speeches.jsonl.gz --rounds 3

Every contender does the whole way in a process of its own, of which one works at a time, on one thread: from
documents on disk (Mintage: its store of zstd Parquet; datatrove: JSON lines, its fastest reader that needs no
decompression) to a file of uint16 tokens, each document with its end, and an index. The tokenizer's loading
is part of it, imports are not. `--datatrove-python` names an interpreter that has datatrove and orjson. Wall
time says little on a shared machine, so CPU seconds (user and system) are compared, by median over rounds.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "tokenize.json"
ONE_THREAD = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
CONTENDERS = ("mintage", "mintage_plain", "datatrove")


def prepare(paths: list[Path], work: Path, megabytes: float) -> int:
    """Write the same documents as a Mintage corpus and as JSON lines, and a tokenizer trained on them; the
    bytes of the text are returned."""
    from mintage.corpus import store
    from mintage.corpus.document import Document
    from mintage.corpus.refine.duplicates import refine
    from mintage.tokens.tokenizer import TokenizerSettings, train

    size = 0

    def documents() -> Any:
        nonlocal size
        with (work / "documents.jsonl").open("w", encoding="utf-8") as lines:
            for path in paths:
                with gzip.open(path, "rt", encoding="utf-8") as rows:
                    for number, row in enumerate(rows):
                        text = json.loads(row)["text"]
                        if size >= megabytes * 1e6:
                            return
                        size += len(text.encode())
                        name = f"{path.name}:{number}"
                        lines.write(json.dumps({"text": text, "id": name}, ensure_ascii=False) + "\n")
                        yield Document.make(source="s", native_id=name, text=text, licence="", use="ship")

    store.write_documents(work / "corpus", documents())
    refine(work / "corpus")
    texts = (document.text for document in store.view(work / "corpus", None, "ship"))
    train(TokenizerSettings(sample_bytes=20_000_000), texts).save(work / "tokenizer")
    return size


def mintage(work: Path, output: Path) -> list[Path]:
    """Mintage's shards, by the encoder that it chooses itself."""
    from mintage.tokens import shards
    from mintage.tokens.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(work / "tokenizer")
    facts: dict[str, Any] = {"tokenizer_cutoff": None, "corpus_hash": ""}
    shards.build(work / "corpus", tokenizer, output, "ship", **facts)
    return sorted(output.glob("*.bin"))


def mintage_plain(work: Path, output: Path) -> list[Path]:
    """Mintage's shards on a machine without gigatoken."""
    sys.modules["gigatoken"] = None  # so that importing it fails
    return mintage(work, output)


def datatrove(work: Path, output: Path) -> list[Path]:
    """datatrove's tokens, in the order of the documents."""
    from datatrove.executor.local import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.tokens.tokenizer import DocumentTokenizer

    reader = JsonlReader(str(work), glob_pattern="documents.jsonl", compression=None)
    writer = DocumentTokenizer(
        str(output),
        str(work / "tokenizer/tokenizer.json"),
        eos_token="<|endoftext|>",
        shuffle_documents=False,
    )
    LocalPipelineExecutor([reader, writer], tasks=1, logging_dir=str(output / "logs")).run()
    return sorted(output.glob("*.ds"))


def worker(name: str, work: Path) -> None:
    """Run one contender and print what it took."""
    # Imports are not measured.
    modules = ["mintage.tokens.shards", "gigatoken", "awkward"]
    if name == "datatrove":
        modules = [f"datatrove.{each}" for each in ("executor.local", "pipeline.readers", "pipeline.tokens")]
    for module in modules:
        importlib.import_module(module)
    output = Path(tempfile.mkdtemp(dir=work))
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    files = {"mintage": mintage, "mintage_plain": mintage_plain, "datatrove": datatrove}[name](work, output)
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_SELF)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    measured = {
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "wall": wall,
        "peak_mib": after.ru_maxrss / 1024,
        "tokens_sha256": digest.hexdigest(),
        "token_bytes": sum(file.stat().st_size for file in files),
    }
    shutil.rmtree(output)
    print(json.dumps(measured))


def main() -> None:
    """Prepare, run the rounds, check that the tokens are the same, write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--text", type=Path, nargs="+", required=True, help="JSON lines with a field text, .gz"
    )
    parser.add_argument("--megabytes", type=float, default=100.0, help="of text at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", nargs="+", default=CONTENDERS, choices=CONTENDERS)
    parser.add_argument("--datatrove-python", default=sys.executable)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        size = prepare(options.text, work, options.megabytes)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.contenders}
        for number in range(options.rounds):
            for name in random.Random(number).sample(list(options.contenders), len(options.contenders)):
                python = options.datatrove_python if name == "datatrove" else sys.executable
                command = [python, __file__, "--worker", name, str(work)]
                root = str(Path(__file__).parent.parent)
                environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": "" if name == "datatrove" else root}
                ended = subprocess.run(
                    command, env=environment, stdout=subprocess.PIPE, text=True, check=True
                )
                runs[name].append(json.loads(ended.stdout.strip().splitlines()[-1]))
                print(number, name, f"{size / 1e6 / runs[name][-1]['cpu']:.1f} MB per CPU-second", flush=True)
    same = {run["tokens_sha256"] for each in runs.values() for run in each}
    if len(same) != 1:
        raise SystemExit(f"the contenders wrote different tokens: {same}")
    rates = {name: size / 1e6 / statistics.median(run["cpu"] for run in each) for name, each in runs.items()}
    record = {
        "text": [path.name for path in options.text],
        "megabytes": round(size / 1e6, 1),
        "rounds": options.rounds,
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg(),
        "identical_tokens": True,
        "megabytes_per_cpu_second": {name: round(rate, 2) for name, rate in rates.items()},
        "times_datatrove": {name: round(rate / rates["datatrove"], 1) for name, rate in rates.items()}
        if "datatrove" in rates
        else None,
        "runs": runs,
    }
    options.output.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps({key: record[key] for key in ("megabytes_per_cpu_second", "times_datatrove")}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
