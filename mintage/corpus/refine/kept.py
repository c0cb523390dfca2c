"""Which documents stay: one decision from filters, benchmarks, duplicates, dates, licences and vintages;
written as the attribute `kept`, the only one that views and shards read.

Documents are taken in the order in which they became public, (available_at, doc_id), undated ones last. One
that a filter or a benchmark removes is out at every licence gate. Of the others, a document is out at a gate
when a document that is in at that gate, came earlier and had not been replaced when this one came, has the
same text or nearly the same. So whatever is left out has a twin that is in, at every gate; and every word of
this looks back in time only, so a view at T does not depend on anything that came after T.
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from mintage.corpus.document import USES
from mintage.corpus.refine.decontaminate import DECONTAMINATION
from mintage.corpus.refine.duplicates import FETCH_ROWS, FOREVER, LAST_MOMENT, create_view, write_keys
from mintage.corpus.refine.filters import FILTERED
from mintage.corpus.refine.near_duplicates import NEAR_DUPLICATE, count
from mintage.corpus.store import KEPT, SUPERSEDED, database, parquet_writer, parts, quoted, write_attribute

DECISION_SCHEMA = pa.schema(
    [
        ("position", pa.int64()),
        ("dropped_at", pa.list_(pa.string())),
        ("reason", pa.string()),
        ("duplicate_of", pa.int64()),
    ]
)
SCANNED_ROWS = 2_000
STATE = np.dtype([("until", "<i8", (len(USES),)), ("holder", "<i8", (len(USES),))])


def decide(directory: Path) -> dict[str, dict[str, int]]:
    """Write the attribute `kept` of a corpus directory from the attributes that are there: `superseded`, and
    where they exist `filtered`, `decontamination` and `near_duplicate`.

    `dropped_at` lists the licence gates (`USES`) at which a document that passes them is left out; null and
    empty mean that it stays. `reason` is "filter NAME", "benchmark NAME", "same text" or "nearly the same
    text", and `duplicate_of` the earlier document that stays in its place, at the freest of those gates.

    Returns:
        by source and reason, how many documents are left out at some gate.
    """
    with tempfile.TemporaryDirectory(prefix=".kept-", dir=directory) as temporary:
        scratch = Path(temporary)
        with database(scratch) as connection:
            write_keys(directory, scratch / "keys.parquet")
            create_view(connection, "keys", scratch / "keys.parquet")
            for name in (SUPERSEDED, FILTERED, DECONTAMINATION, NEAR_DUPLICATE):
                if parts(directory, f"attributes/{name}"):
                    create_view(connection, name, directory / "attributes" / name / "part-*.parquet")
            name_removed(connection, directory)
            name_graph(connection, directory, scratch)
            scan(connection, scratch)
            rows = connection.sql(
                """
                select keys.doc_id, dropped_at, reason, holders.doc_id as duplicate_of
                from keys left join decisions using (position)
                    left join keys as holders on decisions.duplicate_of = holders.position
                order by keys.position
                """
            )
            write_attribute(directory, KEPT, rows.to_arrow_reader(FETCH_ROWS))
            counts = connection.sql(
                """
                select source, reason, count(*) from decisions join keys using (position)
                group by all order by all
                """
            ).fetchall()
    report: dict[str, dict[str, int]] = {}
    for source, reason, documents in counts:
        report.setdefault(source, {})[reason] = documents
    return report


def name_removed(connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
    """Name `removed` (doc_id, reason) what a filter or a benchmark takes out whatever the date and gate."""
    removed = ["select null::varchar as doc_id, null::varchar as reason where false"]
    if parts(directory, f"attributes/{FILTERED}"):
        removed.append(f"select doc_id, 'filter ' || filter from {FILTERED} where filter is not null")
    if parts(directory, f"attributes/{DECONTAMINATION}"):
        first = "select doc_id, 'benchmark ' || matches[1].benchmark from " + DECONTAMINATION
        removed.append(f"{first} where len(matches) > 0")
    connection.execute(
        f"""
        create view removed as
        select doc_id, min(reason) as reason from ({" union all ".join(removed)}) group by doc_id
        """
    )


def name_graph(connection: duckdb.DuckDBPyConnection, directory: Path, scratch: Path) -> None:
    """Write the texts that more than one document has, or that resemble another, and their neighbours: each
    text itself first, then what it resembles; name them `graph`."""
    edges = "select null::blob as text_hash, null::blob as other where false"
    if parts(directory, f"attributes/{NEAR_DUPLICATE}"):
        edges = f"""
            with pairs as (select doc_id, unnest(twins).doc_id as twin from {NEAR_DUPLICATE})
            select mine.text_hash, twins.text_hash as other
            from pairs join keys as mine on pairs.doc_id = mine.doc_id
                join keys as twins on pairs.twin = twins.doc_id
            """
    path = scratch / "edges.parquet"
    connection.execute(f"copy ({edges}) to {quoted(path.as_posix())} (format parquet)")
    create_view(connection, "edges", path)
    path = scratch / "numbers.parquet"
    connection.execute(
        f"""
        copy (
            with named as (
                select text_hash from edges union select other from edges
                union (select text_hash from keys group by text_hash having count(*) > 1)
            )
            select text_hash, row_number() over (order by text_hash) - 1 as number from named
        ) to {quoted(path.as_posix())} (format parquet)
        """
    )
    create_view(connection, "numbers", path)
    path = scratch / "graph.parquet"
    connection.execute(
        f"""
        copy (
            with both_ways as (
                select text_hash, other from edges union select other, text_hash from edges
            ), others as (
                select both_ways.text_hash, list(numbers.number order by numbers.number) as others
                from both_ways join numbers on both_ways.other = numbers.text_hash
                group by both_ways.text_hash
            )
            select text_hash, number, list_prepend(number, coalesce(others, [])) as neighbours
            from numbers left join others using (text_hash)
        ) to {quoted(path.as_posix())} (format parquet)
        """
    )
    create_view(connection, "graph", path)


def scan(connection: duckdb.DuckDBPyConnection, scratch: Path) -> None:
    """Decide about each document in the order of time; name the decisions to leave out `decisions`."""
    state = np.memmap(scratch / "state.bin", STATE, "w+", shape=max(count(connection, "numbers"), 1))
    state["until"] = np.iinfo(np.int64).min
    rows = connection.cursor().sql(
        f"""
        select position, number, neighbours, "use", reason,
            epoch_us(coalesce(available_at, {timestamp(LAST_MOMENT)})) as came,
            epoch_us(coalesce(superseded_at, {timestamp(FOREVER)})) as stands_until
        from keys join superseded using (doc_id) left join graph using (text_hash)
            left join removed using (doc_id)
        where graph.number is not null or reason is not null
        order by available_at nulls last, doc_id
        """
    )
    with parquet_writer(scratch / "decisions.parquet", DECISION_SCHEMA) as writer:
        for batch in rows.to_arrow_reader(SCANNED_ROWS):
            decisions = [decision for row in batch.to_pylist() if (decision := decide_one(state, row))]
            writer.write_batch(pa.RecordBatch.from_pylist(decisions, schema=DECISION_SCHEMA))
    create_view(connection, "decisions", scratch / "decisions.parquet")


def decide_one(state: np.ndarray, row: dict[str, Any]) -> dict[str, Any] | None:
    """Whether a document is left out, given who is in before it; one that stays is put into the state.

    For each text and gate the state holds the position of the last document that was let in (`holder`), and
    when it is replaced (`until`).
    """
    strictest = USES.index(row["use"])
    if row["reason"] is not None:
        gates = list(USES[strictest:])
        return {
            "position": row["position"],
            "dropped_at": gates,
            "reason": row["reason"],
            "duplicate_of": None,
        }
    neighbours = state[row["neighbours"]]
    standing = neighbours["until"] > row["came"]
    blocked = standing.any(axis=0)
    blocked[:strictest] = False
    stays = ~blocked
    stays[:strictest] = False
    mine = state[row["number"]]
    mine["until"][stays] = row["stands_until"]
    mine["holder"][stays] = row["position"]
    if not blocked.any():
        return None
    freest = int(np.flatnonzero(blocked)[0])
    nearest = int(np.flatnonzero(standing[:, freest])[0])
    return {
        "position": row["position"],
        "dropped_at": [use for use, out in zip(USES, blocked, strict=True) if out],
        "reason": "nearly the same text" if nearest else "same text",
        "duplicate_of": int(neighbours["holder"][nearest, freest]),
    }


def timestamp(moment: datetime) -> str:
    """A moment as an SQL literal."""
    return f"timestamptz '{moment.isoformat()}'"
