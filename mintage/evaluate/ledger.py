"""The ledger of a model: every document that its training could see, and the proof of its knowledge cutoff."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
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
    """Write the leaves (doc_id, content_hash, available_at), sorted and without repetition; the root is returned."""
    ordered = sorted(set(leaves), key=lambda leaf: leaf[0])
    columns = list(zip(*ordered)) if ordered else [(), (), ()]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), path, compression="zstd")
    return ledger_root(ordered)
