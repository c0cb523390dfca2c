"""Which documents repeat an earlier one, and which were replaced by a later vintage; both written as
attributes.

A document is an exact duplicate when an earlier document, by (available_at, doc_id) with undated ones last,
has the same text up to white space, passes the same licence gate, and had not been replaced when this one
came out. Every word of that looks back in time only, so a view at T does not depend on anything that came
after T. Texts that differ in a figure, or in the case of a letter, are different texts.

DuckDB sorts hashes and spills to disk; memory does not grow with the corpus.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mintage.corpus.document import SCHEMA, USES
from mintage.corpus.store import (
    EXACT_DUPLICATE,
    SUPERSEDED,
    database,
    parquet_writer,
    parts,
    quoted,
    read_documents,
    row_group_batches,
    write_attribute,
)

FOREVER = datetime.max.replace(tzinfo=UTC)
LAST_MOMENT = FOREVER - timedelta(microseconds=1)

KEY_SCHEMA = pa.schema(
    [
        ("position", pa.int64()),
        ("doc_id", pa.string()),
        ("source", pa.string()),
        ("available_at", pa.timestamp("us", tz="UTC")),
        ("supersedes", pa.string()),
        ("use", pa.string()),
        ("text_hash", pa.binary(16)),
    ]
)
DECISION_SCHEMA = pa.schema(
    [("position", pa.int64()), ("duplicate_of", pa.string()), ("duplicate_use", pa.string())]
)
FETCH_ROWS = 10_000


def refine(directory: Path) -> dict[str, int]:
    """Write the attributes `exact_duplicate` and `superseded` of a corpus directory.

    `exact_duplicate` has duplicate_of (an earlier document of the same text, or null) and duplicate_use: the
    freest `use` among such earlier documents, so the document is a duplicate at every gate which that use
    passes. `superseded` has superseded_at and superseded_by: the earliest dated document that replaces this
    one, or null.

    A doc_id that occurs again (the same row twice in a source) is first removed from the documents, the
    earliest kept.

    Returns:
        how many repeated rows were removed, by source.
    """
    with tempfile.TemporaryDirectory(prefix=".refine-", dir=directory) as temporary:
        scratch = Path(temporary)
        with database(scratch) as connection:
            write_keys(directory, scratch / "keys.parquet")
            create_view(connection, "keys", scratch / "keys.parquet")
            repeated = find_repeated(connection, scratch)
            if repeated:
                reader = connection.sql("select position from repeated").to_arrow_reader(FETCH_ROWS)
                drop_rows(
                    directory, (position for batch in reader for position in batch["position"].to_pylist())
                )
                write_keys(directory, scratch / "keys.parquet")
            write_superseded(connection, directory, scratch)
            write_duplicates(connection, directory, scratch)
    return repeated


def normalised_hash(text: str) -> bytes:
    """16 bytes that stand for a text up to white space; figures, case and punctuation all count."""
    return hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest()


def write_keys(directory: Path, path: Path) -> None:
    """Write what the decisions are made from, one row a document in the order of the store."""
    columns = ["doc_id", "source", "available_at", "supersedes", "use", "text"]
    position = 0
    with parquet_writer(path, KEY_SCHEMA) as writer:
        for batch in read_documents(directory, columns):
            numbers = pa.array(range(position, position + batch.num_rows), pa.int64())
            hashes = pa.array([normalised_hash(text.as_py()) for text in batch["text"]], pa.binary(16))
            keys = [batch[name] for name in KEY_SCHEMA.names[1:-1]]
            writer.write_batch(pa.RecordBatch.from_arrays([numbers, *keys, hashes], schema=KEY_SCHEMA))
            position += batch.num_rows


def create_view(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> None:
    """Name a Parquet file in the database."""
    file = quoted(path.as_posix())
    connection.execute(f"create or replace view {name} as select * from read_parquet({file})")


def find_repeated(connection: duckdb.DuckDBPyConnection, scratch: Path) -> dict[str, int]:
    """Find the rows whose doc_id has an earlier row; name them `repeated`, and count them by source."""
    path = scratch / "repeated.parquet"
    connection.execute(
        f"""
        copy (
            select position, source from keys
            where doc_id in (select doc_id from keys group by doc_id having count(*) > 1)
            qualify row_number() over (partition by doc_id order by available_at nulls last, position) > 1
            order by position
        ) to {quoted(path.as_posix())} (format parquet)
        """
    )
    create_view(connection, "repeated", path)
    return dict(connection.execute("select source, count(*) from repeated group by source").fetchall())


def drop_rows(directory: Path, positions: Iterator[int]) -> None:
    """Rewrite the documents without the rows at these positions, which ascend."""
    before = 0
    position = next(positions, None)
    for path in parts(directory, "documents"):
        end = before + pq.read_metadata(path).num_rows
        if position is None or position >= end:
            before = end
            continue
        replacement = path.with_suffix(".new")
        with parquet_writer(replacement, SCHEMA) as writer:
            for batch in row_group_batches(path):
                kept = np.ones(batch.num_rows, dtype=bool)
                while position is not None and position < before + batch.num_rows:
                    kept[position - before] = False
                    position = next(positions, None)
                before += batch.num_rows
                if kept.any():
                    writer.write_batch(batch.filter(pa.array(kept)))
        replacement.replace(path)


def write_superseded(connection: duckdb.DuckDBPyConnection, directory: Path, scratch: Path) -> None:
    """Write the attribute `superseded`, and keep the pairs for `write_duplicates`."""
    path = scratch / "superseded.parquet"
    connection.execute(
        f"""
        copy (
            select supersedes as doc_id, min(available_at) as superseded_at,
                first(doc_id order by available_at, doc_id) as superseded_by
            from keys where supersedes is not null and available_at is not null group by supersedes
        ) to {quoted(path.as_posix())} (format parquet)
        """
    )
    create_view(connection, "superseded", path)
    rows = connection.sql(
        """
        select doc_id, superseded_at, superseded_by
        from keys left join superseded using (doc_id) order by position
        """
    )
    write_attribute(directory, SUPERSEDED, rows.to_arrow_reader(FETCH_ROWS))


def write_duplicates(connection: duckdb.DuckDBPyConnection, directory: Path, scratch: Path) -> None:
    """Write the attribute `exact_duplicate`."""
    decisions = scratch / "duplicates.parquet"
    groups = connection.sql(
        """
        select text_hash, position, doc_id, available_at, use, superseded_at
        from keys left join superseded using (doc_id)
        where text_hash in (select text_hash from keys group by text_hash having count(*) > 1)
        order by text_hash, available_at nulls last, doc_id
        """
    )
    with parquet_writer(decisions, DECISION_SCHEMA) as writer:
        for batch in decide(groups.to_arrow_reader(FETCH_ROWS)):
            writer.write_batch(batch)
    create_view(connection, "decisions", decisions)
    rows = connection.sql(
        """
        select doc_id, duplicate_of, duplicate_use
        from keys left join decisions using (position) order by position
        """
    )
    write_attribute(directory, EXACT_DUPLICATE, rows.to_arrow_reader(FETCH_ROWS))


def decide(groups: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Find, for rows sorted by (text_hash, available_at, doc_id), the earlier twin that still stood."""
    text_hash: bytes | None = None
    longest: dict[str, tuple[datetime, str]] = {}  # by use: the twin that stands longest, and until when
    for batch in groups:
        decisions = []
        for row in batch.to_pylist():
            if row["text_hash"] != text_hash:
                text_hash, longest = row["text_hash"], {}
            # an undated document is compared with what stands in the end
            came = row["available_at"] or LAST_MOMENT
            standing = [use for use in USES if use in longest and longest[use][0] > came]
            if standing:
                freest = standing[0]
                decisions.append(
                    {"position": row["position"], "duplicate_of": longest[freest][1], "duplicate_use": freest}
                )
            stands_until = row["superseded_at"] or FOREVER
            if row["use"] not in longest or stands_until > longest[row["use"]][0]:
                longest[row["use"]] = (stands_until, row["doc_id"])
        yield pa.RecordBatch.from_pylist(decisions, schema=DECISION_SCHEMA)
