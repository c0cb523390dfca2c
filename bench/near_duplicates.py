"""Near duplicates against datatrove: CPU seconds of MinHash signatures on real text, and what is found of
planted pairs.

    python bench/near_duplicates.py --peer PEER_PYTHON [--rounds 3] [--megabytes 12] [--data FILE]
        [--out bench/results/near_duplicates.json]

PEER_PYTHON is the interpreter of an environment with datatrove, spacy, tokenizers and xxhash<4. Both sides
make 14 x 8 values over word 5-grams of the same texts with the numbers kept (datatrove:
`norm_numbers=False`), each in a process of its own, round by round in turn, from the texts in memory to
signatures; one text first is not counted. Seconds are CPU seconds.

**Planted.** Three variants of each text have words exchanged, any words, so that the Jaccard similarity of
the word 5-grams to the text lies between 0.5 and 1; one more differs from it in one run of digits only. Truth
is the exact similarity of all pairs of a text and its variants, and whether they say the same figures, which
is read here anew: every word with a digit, every number in words, and the scale or month beside either. An
exchange may hit such a word ("three", "March" beside a figure): then the pair differs in figures and must not
be merged. A pair is due
where the similarity is 0.8 and above and the figures are the same. Recall counts the pairs due, precision the
pairs found, and `figures_merged` the pairs found that differ in a figure.

With the defaults it takes about three minutes, most of them datatrove's.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data" / "corpora" / "fed_speeches.jsonl.gz"
OUT = ROOT / "bench" / "results" / "near_duplicates.json"
BANDS, ROWS = 14, 8


def speeches(path: Path, characters: int) -> list[str]:
    """Texts of the first so many characters."""
    texts = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            text = json.loads(line)["text"]
            if len(text) > 2_000:
                texts.append(text)
                characters -= len(text)
            if characters < 0:
                break
    return texts


def worker(side: str, path: Path, megabytes: float) -> None:
    """Sign the texts whenever a line is read, and answer with the CPU seconds."""
    texts = speeches(path, int(megabytes * 1e6))
    if side == "datatrove":
        from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
        from datatrove.utils.text import TextNormConfig

        step = MinhashDedupSignature(
            "unused",
            MinhashConfig(
                n_grams=5,
                num_buckets=BANDS,
                hashes_per_bucket=ROWS,
                norm_config=TextNormConfig(norm_numbers=False),
            ),
        )

        def sign(batch: list[str]) -> None:
            for text in batch:
                step.get_signature(step.get_shingles(text))
    else:
        from mintage.corpus.refine.signatures import signatures

        def sign(batch: list[str]) -> None:
            for start in range(0, len(batch), 32):
                signatures(batch[start : start + 32], BANDS * ROWS)

    sign(texts[:1])
    print(sum(len(text.encode()) for text in texts), flush=True)
    for _ in sys.stdin:
        begin = time.process_time()
        sign(texts)
        print(time.process_time() - begin, flush=True)


def throughput(peer: Path, data: Path, rounds: int, megabytes: float) -> dict:
    """Both sides' CPU seconds, round by round in turn."""
    processes = {
        side: subprocess.Popen(
            [python, __file__, "--worker", side, "--data", str(data), "--megabytes", str(megabytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for side, python in (("mintage", sys.executable), ("datatrove", str(peer)))
    }
    size = {side: int(process.stdout.readline()) for side, process in processes.items()}
    seconds: dict[str, list[float]] = {side: [] for side in processes}
    for number in range(rounds):
        for side in list(processes)[:: 1 if number % 2 else -1]:
            processes[side].stdin.write("go\n")
            processes[side].stdin.flush()
            seconds[side].append(float(processes[side].stdout.readline()))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    ratios = [theirs / ours for ours, theirs in zip(seconds["mintage"], seconds["datatrove"], strict=True)]
    assert size["mintage"] == size["datatrove"]
    return {
        "bytes": size["mintage"],
        "cpu_seconds": {side: [round(each, 3) for each in values] for side, values in seconds.items()},
        "megabytes_per_cpu_second": {
            side: round(size[side] / 1e6 / statistics.median(values), 2) for side, values in seconds.items()
        },
        "ratio": {"median": round(statistics.median(ratios), 1), "min": round(min(ratios), 1)},
    }


NUMBERS = (
    "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety half dozen "
    "second third fourth fifth sixth seventh eighth ninth tenth"
)
SCALES = "hundred thousand million billion trillion"
MONTHS = "january february march april june july august september october november december"  # and May
SHORT_MONTHS = "jan feb mar apr jun jul aug sep sept oct nov dec"
UNITS = {*SCALES.split(), *(f"{scale}s" for scale in SCALES.split()), "percent", "pct", "mn", "bn", "tn"}
UNITS |= {*MONTHS.split(), *SHORT_MONTHS.split()}


def figures(text: str) -> list[str]:
    """The figures that a text says, in its order, read without the code under test."""
    numbers = set(NUMBERS.split())
    words = re.findall(r"[^\W_]+(?:[.,](?=\d)[^\W_]+)*", text)
    figure = [any(map(str.isdigit, word)) or word.lower() in numbers for word in words]
    said = []
    for place, word in enumerate(words):
        beside = any(figure[max(0, place - 1) : place + 2])
        unit = word.lower() in UNITS or word in ("May", "MAY")
        if figure[place] or (beside and unit):
            said.append(word.lower().replace(",", ""))
    return said


def planted(data: Path, megabytes: float) -> dict:
    """Recall, precision and merged figures on planted pairs, and what finding them took."""
    from mintage.corpus import store
    from mintage.corpus.document import Document
    from mintage.corpus.refine.duplicates import refine
    from mintage.corpus.refine.near_duplicates import NEAR_DUPLICATE, near_duplicates
    from mintage.corpus.refine.settings import NearDuplicateSettings
    from mintage.corpus.refine.signatures import gram_set, jaccard
    from mintage.corpus.refine.words import words_of

    generator = random.Random(20091027)
    documents, truth, differing = [], {}, set()
    for number, text in enumerate(speeches(data, int(megabytes * 1e6))):
        variants = [text]
        pieces = re.split(r"(\s+)", text)
        plain = [place for place, piece in enumerate(pieces) if piece.isalpha() and len(piece) > 2]
        for _ in range(3):
            changed = list(pieces)
            for place in generator.sample(plain, max(1, int(len(plain) * generator.uniform(0.001, 0.05)))):
                changed[place] = pieces[generator.choice(plain)]
            variants.append("".join(changed))
        digits = list(re.finditer(r"\d+", text))
        if digits:
            one = generator.choice(digits)
            variants.append(text[: one.start()] + str(int(one[0]) + 1) + text[one.end() :])
        sets = [gram_set(words_of([variant]), 0) for variant in variants]
        said = [figures(variant) for variant in variants]
        for later in range(len(variants)):
            documents.append(
                Document.make(
                    source="planted",
                    native_id=f"{number}/{later}",
                    text=variants[later],
                    licence="bench",
                    use="local",
                )
            )
            for earlier in range(later):
                pair = frozenset((f"{number}/{earlier}", f"{number}/{later}"))
                truth[pair] = jaccard(sets[earlier], sets[later])
                if said[earlier] != said[later]:
                    differing.add(pair)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        store.write_documents(directory, documents)
        refine(directory)
        begin = time.process_time()
        report = near_duplicates(directory, NearDuplicateSettings())
        seconds = time.process_time() - begin
        names = {document.doc_id: document.native_id for document in documents}
        found = {
            frozenset((names[row["doc_id"]], names[twin["doc_id"]]))
            for batch in store.read_attribute(directory, NEAR_DUPLICATE)
            for row in batch.to_pylist()
            for twin in row["twins"]
        }
    alike = {pair for pair, similarity in truth.items() if similarity >= 0.8}
    due = alike - differing
    return {
        "documents": len(documents),
        "characters": sum(len(document.text) for document in documents),
        "pairs_due": len(due),
        "pairs_found": len(found),
        "recall": round(len(due & found) / len(due), 4),
        "precision": round(len(due & found) / len(found), 4),
        "figures_planted": len(alike & differing),
        "figures_merged": len(differing & found),
        "candidates": report.candidates,
        "cpu_seconds": round(seconds, 2),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Run both parts and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=float, default=12.0)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--worker", choices=["mintage", "datatrove"])
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.data, options.megabytes)
        return
    if options.peer is None:
        parser.error("--peer is missing: an interpreter with datatrove, spacy and tokenizers")
    results = {
        "machine": platform.processor() or platform.machine(),
        "signatures": throughput(options.peer, options.data, options.rounds, options.megabytes),
        "planted": planted(options.data, options.megabytes),
    }
    text = json.dumps(results, indent=1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
