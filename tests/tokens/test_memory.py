"""Training a tokenizer and building shards stay below 1 GiB, and ten times the text takes little more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="peak memory is read by getrusage, which Windows lacks")

SCRIPT = """
import gzip, json, resource, sys
from pathlib import Path
from mintage.corpus import store
from mintage.corpus.document import Document
from mintage.corpus.refine.duplicates import refine
from mintage.tokens import shards, tokenizer

stage, times, source, work = sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])

def documents():
    for copy in range(times):
        with gzip.open(source, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                name, text = f"{copy}-{number}", f"{copy} " + json.loads(line)["text"]
                yield Document.make(source="s", native_id=name, text=text, licence="", use="ship")

if stage == "corpus":
    store.write_documents(work / "corpus", documents())
    refine(work / "corpus")
elif stage == "tokenizer":
    view = store.view(work / "corpus", None, "ship")
    tokenizer.train(tokenizer.TokenizerSettings(), tokenizer.training_texts(view)).save(work / "tokenizer")
else:
    trained = tokenizer.Tokenizer.load(work / "tokenizer")
    shards.build(work / "corpus", trained, work / "shards", "ship", tokenizer_cutoff=None, corpus_hash="")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak / (2**20 if sys.platform == "darwin" else 2**10))
"""


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_memory_of_training_and_building_does_not_grow_with_the_text(
    shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "corpora" / "fed_speeches.jsonl.gz"
    peaks: dict[tuple[str, int], float] = {}
    for times in (1, 10):
        for stage in ("corpus", "tokenizer", "shards"):
            work = tmp_path / str(times)
            work.mkdir(exist_ok=True)
            command = [sys.executable, "-c", SCRIPT, stage, str(times), str(source), str(work)]
            peaks[stage, times] = float(
                subprocess.run(command, capture_output=True, text=True, check=True).stdout
            )
    print({f"{stage} {times}x": f"{peak:.0f} MiB" for (stage, times), peak in peaks.items()})
    assert max(peaks.values()) < 1024
    assert peaks["shards", 10] < peaks["shards", 1] + 128
