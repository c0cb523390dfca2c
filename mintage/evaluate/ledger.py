"""The ledger of a model: every document that its training could see, and the proof of its knowledge
cutoff."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mintage.errors import MintageError
from mintage.tokens.plan import Leaf, ledger_root

LEDGER = "ledger.parquet"
SCHEMA = pa.schema(
    [("doc_id", pa.string()), ("content_hash", pa.string()), ("available_at", pa.timestamp("us", tz="UTC"))]
)


def write(leaves: Iterable[Leaf], path: Path) -> str:
    """Write the leaves (doc_id, content_hash, available_at), sorted and without repetition; the root is
    returned."""
    ordered = sorted_once(leaves)
    columns = list(zip(*ordered)) if ordered else [(), (), ()]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), path, compression="zstd")
    return root_of(ordered)


def sorted_once(leaves: Iterable[Leaf]) -> list[Leaf]:
    """Leaves in the ledger's order, each once."""
    return sorted(set(leaves), key=lambda leaf: leaf[0])


def root_of(leaves: Iterable[Leaf]) -> str:
    """The root over leaves in any order."""
    return ledger_root(sorted_once(leaves))


def read(path: Path) -> list[Leaf]:
    """The leaves of a ledger file.

    Raises:
        MintageError: the file is missing.
    """
    if not path.exists():
        raise MintageError(
            f"{path}: the model has no ledger; it was not published by `mintage pretrain` or `mintage tune`"
        )
    table = pq.read_table(path)
    columns = [table[name].to_pylist() for name in SCHEMA.names]
    return list(zip(*columns))


def months(leaves: Iterable[Leaf]) -> dict[str, int]:
    """Documents by month of publication, `2019-07`, in order; undated ones under `undated`."""
    counts = Counter(f"{leaf[2]:%Y-%m}" if leaf[2] else "undated" for leaf in leaves)
    return dict(sorted(counts.items()))


def later_than(leaves: Iterable[Leaf], knowledge_cutoff: str) -> list[Leaf]:
    """The leaves that a cutoff should have kept out: published after it, or at an unknown time."""
    cutoff = datetime.fromisoformat(knowledge_cutoff)
    return [leaf for leaf in leaves if leaf[2] is None or leaf[2] > cutoff]
