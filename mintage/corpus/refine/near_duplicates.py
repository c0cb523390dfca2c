"""Which texts are near duplicates of an earlier one; written as the attribute `near_duplicate`.

Two texts are near duplicates when the Jaccard similarity of their word 5-grams reaches the threshold and they
say the same figures in the same order. Locality-sensitive hashing finds the candidates: texts that agree in a
whole band of their signatures share a bucket. Each text of a bucket is compared with the first texts of it
and with those just before it, so a bucket of any size costs a bounded number of comparisons, and what came
later changes nothing. The comparison itself is exact.

The attribute is about texts alone. Which documents stay, given dates, licences and vintages, is decided in
`kept.py`. Signatures and sets lie in files; memory does not grow with the corpus.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import duckdb
import numpy as np
import pyarrow as pa

from mintage.corpus.refine.duplicates import FETCH_ROWS, create_view, write_keys
from mintage.corpus.refine.figures import figures_of
from mintage.corpus.refine.settings import NearDuplicateSettings
from mintage.corpus.refine.signatures import band_keys, gram_set, jaccard, signatures
from mintage.corpus.refine.words import words_of
from mintage.corpus.store import database, parquet_writer, quoted, read_documents, write_attribute

NEAR_DUPLICATE = "near_duplicate"

BATCH_CHARACTERS = 1 << 20
NEIGHBOURS = 8  # of a text in its bucket: so many from the bucket's beginning, and as many just before it

BAND_SCHEMA = pa.schema([("text", pa.int64()), ("band", pa.int16()), ("key", pa.uint64())])
TWIN_SCHEMA = pa.schema([("text", pa.int64()), ("twin", pa.int64()), ("jaccard", pa.float32())])
RECORD = np.dtype([("start", "<i8"), ("grams", "<i8"), ("figures", "<i8")])


@dataclass(frozen=True)
class NearDuplicateReport:
    """`texts` different texts were compared in `candidates` pairs: `pairs` are near duplicates, and
    `differing_figures` would be, but for a figure."""

    texts: int
    candidates: int
    pairs: int
    differing_figures: int


def near_duplicates(directory: Path, settings: NearDuplicateSettings) -> NearDuplicateReport:
    """Write the attribute `near_duplicate` of a corpus directory.

    `twins` lists the earlier texts that a document's text nearly repeats: the doc_id of the first document
    with that text, and the similarity. Of documents with the same text (white space aside), the first has the
    list and the others have none.
    """
    with tempfile.TemporaryDirectory(prefix=".near-", dir=directory) as temporary:
        scratch = Path(temporary)
        with database(scratch) as connection:
            write_keys(directory, scratch / "keys.parquet")
            create_view(connection, "keys", scratch / "keys.parquet")
            texts = name_texts(connection, scratch)
            write_bands(connection, directory, scratch, settings)
            candidates = find_candidates(connection, scratch, settings.bands)
            write_sets(connection, directory, scratch)
            pairs, differing = compare(connection, scratch, settings.jaccard)
            write_twins(connection, directory)
    return NearDuplicateReport(texts, candidates, pairs, differing)


def name_texts(connection: duckdb.DuckDBPyConnection, scratch: Path) -> int:
    """Number the different texts by their first documents, which stand for them; name them `texts`."""
    path = scratch / "texts.parquet"
    connection.execute(
        f"""
        copy (
            with firsts as (
                select position, doc_id, available_at from keys qualify row_number() over (
                    partition by text_hash order by available_at nulls last, doc_id
                ) = 1
            )
            select row_number() over (order by available_at nulls last, doc_id) - 1 as text, position, doc_id
            from firsts order by position
        ) to {quoted(path.as_posix())} (format parquet)
        """
    )
    create_view(connection, "texts", path)
    return count(connection, "texts")


def count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many rows a table has."""
    row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0


def chosen_texts(
    connection: duckdb.DuckDBPyConnection, directory: Path, query: str
) -> Iterator[tuple[list[int], list[str]]]:
    """The numbers and texts that a query of (number, position), ascending by position, asks for; in batches
    of about `BATCH_CHARACTERS`."""
    rows = connection.cursor().sql(query).to_arrow_reader(FETCH_ROWS)
    wanted = ((row["number"], row["position"]) for batch in rows for row in batch.to_pylist())
    number, position = next(wanted, (0, -1))
    before = 0
    numbers: list[int] = []
    texts: list[str] = []
    size = 0
    for documents in read_documents(directory, ["text"]):
        column = documents["text"]
        while before <= position < before + len(column):
            text = column[position - before].as_py()
            numbers.append(number)
            texts.append(text)
            size += len(text)
            if size >= BATCH_CHARACTERS:
                yield numbers, texts
                numbers, texts, size = [], [], 0
            number, position = next(wanted, (0, -1))
        before += len(column)
    if texts:
        yield numbers, texts


def write_bands(
    connection: duckdb.DuckDBPyConnection, directory: Path, scratch: Path, settings: NearDuplicateSettings
) -> None:
    """Write the bands of every text's signature; name them `bands`."""
    query = "select text as number, position from texts order by position"
    with parquet_writer(scratch / "bands.parquet", BAND_SCHEMA) as writer:
        for numbers, texts in chosen_texts(connection, directory, query):
            values, present = signatures(texts, settings.bands * settings.rows)
            keys = band_keys(values[present], settings.bands, settings.rows)
            signed = np.array(numbers, np.int64)[present]
            for band in range(settings.bands):
                columns = [signed, np.full(len(signed), band, np.int16), np.ascontiguousarray(keys[:, band])]
                writer.write_batch(
                    pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=BAND_SCHEMA)
                )
    create_view(connection, "bands", scratch / "bands.parquet")


def find_candidates(connection: duckdb.DuckDBPyConnection, scratch: Path, bands: int) -> int:
    """Write the pairs of texts worth comparing, and the texts in them; name them `candidates` and
    `members`."""
    earlier = [f"lag(text, {number}) over bucket" for number in range(1, NEIGHBOURS + 1)]
    earlier += [f"nth_value(text, {number}) over before" for number in range(1, NEIGHBOURS + 1)]
    for band in range(bands):
        path = quoted((scratch / f"candidates-{band:05d}.parquet").as_posix())
        connection.execute(
            f"""
            copy (
                with full_buckets as (
                    select key, text from bands where band = {band} and key in (
                        select key from bands where band = {band} group by key having count(*) > 1
                    )
                )
                select text, unnest(list_distinct([{", ".join(earlier)}])) as twin from full_buckets
                window bucket as (partition by key order by text), before as (
                    partition by key order by text rows between unbounded preceding and 1 preceding
                )
            ) to {path} (format parquet)
            """
        )
    files = quoted((scratch / "candidates-*.parquet").as_posix())
    pairs = scratch / "pairs.parquet"
    connection.execute(
        f"""
        copy (select distinct text, twin from read_parquet({files}) order by text, twin)
        to {quoted(pairs.as_posix())} (format parquet)
        """
    )
    create_view(connection, "candidates", pairs)
    members = scratch / "members.parquet"
    connection.execute(
        f"""
        copy (
            with named as (select text from candidates union select twin from candidates)
            select row_number() over (order by position) - 1 as number, text, position
            from named join texts using (text) order by position
        ) to {quoted(members.as_posix())} (format parquet)
        """
    )
    create_view(connection, "members", members)
    return count(connection, "candidates")


def write_sets(connection: duckdb.DuckDBPyConnection, directory: Path, scratch: Path) -> None:
    """Write the 5-grams and the figures of every candidate to one file, and where each begins to another."""
    records = np.memmap(scratch / "records.bin", RECORD, "w+", shape=max(count(connection, "members"), 1))
    start = 0
    with (scratch / "sets.bin").open("wb") as file:
        query = "select number, position from members order by position"
        for numbers, texts in chosen_texts(connection, directory, query):
            for number, text in zip(numbers, texts, strict=True):
                words = words_of([text])
                grams, figures = gram_set(words, 0), figures_of(words)
                records[number] = (start, len(grams), len(figures))
                for part in (grams, figures):
                    start += file.write(part.astype("<u8").tobytes())
    records.flush()


def read_set(file: BinaryIO, record: np.void) -> tuple[np.ndarray, np.ndarray]:
    """The 5-grams and the figures of a candidate."""
    file.seek(record["start"])
    grams, figures = int(record["grams"]), int(record["figures"])
    data = np.frombuffer(file.read(8 * (grams + figures)), "<u8")
    return data[:grams], data[grams:]


def compare(connection: duckdb.DuckDBPyConnection, scratch: Path, threshold: float) -> tuple[int, int]:
    """Compare the candidates exactly, and write those that are near duplicates; name them `twins`.

    Returns:
        how many are, and how many would be but for their figures.
    """
    rows = connection.cursor().sql(
        """
        select candidates.text, twin, later.number as later_number, earlier.number as earlier_number
        from candidates join members as later on candidates.text = later.text
            join members as earlier on candidates.twin = earlier.text
        order by candidates.text, twin
        """
    )
    records = np.memmap(scratch / "records.bin", RECORD, "r")
    pairs = differing = 0
    text, grams, figures = -1, np.empty(0, np.uint64), np.empty(0, np.uint64)
    with (
        (scratch / "sets.bin").open("rb") as file,
        parquet_writer(scratch / "twins.parquet", TWIN_SCHEMA) as writer,
    ):
        for batch in rows.to_arrow_reader(FETCH_ROWS):
            found = []
            for row in batch.to_pylist():
                mine, other = records[row["later_number"]], records[row["earlier_number"]]
                sizes = sorted((int(mine["grams"]), int(other["grams"])))
                if sizes[0] < threshold * sizes[1]:
                    continue
                if row["text"] != text:
                    text = row["text"]
                    grams, figures = read_set(file, mine)
                twin_grams, twin_figures = read_set(file, other)
                similarity = jaccard(grams, twin_grams)
                if similarity < threshold:
                    continue
                if np.array_equal(figures, twin_figures):
                    found.append({"text": text, "twin": row["twin"], "jaccard": similarity})
                else:
                    differing += 1
            pairs += len(found)
            writer.write_batch(pa.RecordBatch.from_pylist(found, schema=TWIN_SCHEMA))
    create_view(connection, "twins", scratch / "twins.parquet")
    return pairs, differing


def write_twins(connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
    """Write the attribute."""
    rows = connection.sql(
        """
        with lists as (
            select twins.text, list(
                {'doc_id': texts.doc_id, 'jaccard': twins.jaccard} order by twins.jaccard desc, texts.text
            ) as twins
            from twins join texts on twins.twin = texts.text group by twins.text
        ), named as (select position, lists.twins from lists join texts using (text))
        select doc_id, coalesce(named.twins, []) as twins
        from keys left join named using (position) order by position
        """
    )
    write_attribute(directory, NEAR_DUPLICATE, rows.to_arrow_reader(FETCH_ROWS))
