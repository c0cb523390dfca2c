"""Filters: SQL expressions of the recipe over the quality signals; what they remove is written as the
attribute `filtered`, and reported with examples."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from mintage.corpus.refine.duplicates import FETCH_ROWS, create_view
from mintage.corpus.refine.quality import QUALITY
from mintage.corpus.refine.settings import Filter
from mintage.corpus.store import create_views, database, parts, quoted, write_attribute
from mintage.errors import MintageError

FILTERED = "filtered"

LABELS = (
    "source",
    "kind",
    "title",
    "native_id",
    "available_at",
    "date_precision",
    "period_end",
    "licence",
    "use",
)
EXAMPLES = 3
EXCERPT_CHARACTERS = 160


@dataclass(frozen=True)
class Example:
    """A document that a filter removed: who it is, and how its text begins."""

    doc_id: str
    native_id: str
    title: str
    excerpt: str


@dataclass(frozen=True)
class Removed:
    """What one filter removed from one source that no filter before it had removed."""

    filter: str
    source: str
    documents: int
    characters: int
    examples: tuple[Example, ...]


def apply_filters(directory: Path, filters: Sequence[Filter]) -> tuple[Removed, ...]:
    """Write the attribute `filtered` of a corpus directory: the name of the first filter that a document
    fails, or null. It needs the attribute `quality`.

    Returns:
        what each filter removed, by source; the three examples are those with the smallest doc_id, which is
        a hash, so they are picked blindly and always alike.

    Raises:
        MintageError: an expression is not a Boolean one over the columns, or a source is not there.
    """
    if not parts(directory, f"attributes/{QUALITY}"):
        raise MintageError(f"{directory}: no quality signals; run `mintage corpus tag` first")
    with (
        tempfile.TemporaryDirectory(prefix=".filter-", dir=directory) as scratch,
        database(Path(scratch)) as connection,
    ):
        create_views(connection, directory)
        labels = ", ".join(f'"{name}"' for name in LABELS)
        connection.execute(
            f"""
            create view signals as
            select * from quality positional join (select {labels} from documents) as labels
            """
        )
        for each in filters:
            check(connection, each)
        names = {row[0] for row in connection.execute("select distinct source from documents").fetchall()}
        for each in filters:
            for name in each.sources:
                if name not in names:
                    raise MintageError(
                        f"corpus.refine.filters: {each.name} names the source {name}, which the corpus does "
                        f"not have; it has {', '.join(sorted(names))}"
                    )
        failing = "".join(f" when {failed(each)} then {quoted(each.name)}" for each in filters)
        verdict = f"case{failing} end" if filters else "null"
        rows = connection.sql(f"select doc_id, ({verdict})::varchar as filter from signals")
        write_attribute(directory, FILTERED, rows.to_arrow_reader(FETCH_ROWS))
        create_view(connection, FILTERED, directory / "attributes" / FILTERED / "part-*.parquet")
        return report(connection, filters)


def failed(each: Filter) -> str:
    """An expression that is true of the documents which a filter removes."""
    removes = f"(({each.keep}\n) is not true)"
    if not each.sources:
        return removes
    return f"(source in ({', '.join(map(quoted, each.sources))}) and {removes})"


def check(connection: duckdb.DuckDBPyConnection, each: Filter) -> None:
    """Refuse what is not one Boolean expression over the columns, or depends on more than the row."""
    place = f"corpus.refine.filters: {each.name}"
    query = f"select ({each.keep}\n) as keep from signals"
    row = connection.execute("select json_serialize_sql(?)", [query]).fetchone()
    parsed = json.loads(row[0]) if row else {}
    if parsed.get("error"):
        raise MintageError(f"{place}: {parsed['error_message']} in {each.keep!r}")
    node = parsed["statements"][0]["node"]
    if len(parsed["statements"]) != 1 or not is_plain(node):
        raise MintageError(f"{place}: {each.keep!r} is not one expression; write a condition over columns")
    for expression in walk(node["select_list"]):
        kind = expression.get("class")
        if kind in ("SUBQUERY", "WINDOW", "STAR"):
            raise MintageError(
                f"{place}: {kind.lower()} expressions look beyond the document; leave them out"
            )
        if kind == "FUNCTION" and not is_steady(connection, expression["function_name"]):
            name = expression["function_name"]
            raise MintageError(f"{place}: {name}() does not depend on the document alone; leave it out")
    try:
        connection.execute(f"explain select 1 from signals where ({each.keep}\n)")
        described = connection.execute(f"describe {query}").fetchone()
    except duckdb.Error as error:
        raise MintageError(
            f"{place}: {str(error).splitlines()[0]}; the columns are {known(connection)}"
        ) from None
    if described is None or described[1] != "BOOLEAN":
        raise MintageError(f"{place}: {each.keep!r} is neither true nor false; compare it with something")


def is_plain(node: dict[str, Any]) -> bool:
    """Whether a parsed SELECT is one expression over the view, and nothing around it."""
    return (
        node.get("type") == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"].get("table_name") == "signals"
        and node["where_clause"] is None
        and not node["group_expressions"]
        and node["having"] is None
        and not node["modifiers"]
    )


def is_steady(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether a function gives the same for the same arguments, at any time."""
    rows = connection.execute(
        "select distinct stability from duckdb_functions() where function_name = ?", [name]
    ).fetchall()
    return all(row[0] in (None, "CONSISTENT") for row in rows)


def walk(node: Any) -> list[dict[str, Any]]:
    """Every object inside a parsed expression."""
    if isinstance(node, list):
        return [inner for each in node for inner in walk(each)]
    if isinstance(node, dict):
        return [node, *(inner for each in node.values() for inner in walk(each))]
    return []


def known(connection: duckdb.DuckDBPyConnection) -> str:
    """The columns that an expression may use."""
    columns = connection.execute("describe signals").fetchall()
    return ", ".join(row[0] for row in columns if row[0] != "doc_id")


def report(connection: duckdb.DuckDBPyConnection, filters: Sequence[Filter]) -> tuple[Removed, ...]:
    """What each filter removed, in the order of the filters."""
    rows = connection.execute(
        f"""
        with removed as (
            select filter, source, doc_id, characters,
                row_number() over (partition by filter, source order by doc_id) as place
            from {FILTERED} join signals using (doc_id) where filter is not null
        )
        select filter, source, count(*), sum(characters)::bigint,
            list(doc_id order by doc_id) filter (place <= {EXAMPLES})
        from removed group by filter, source order by filter, source
        """
    ).fetchall()
    order = {each.name: place for place, each in enumerate(filters)}
    rows.sort(key=lambda row: (order[row[0]], row[1]))
    wanted = [doc_id for row in rows for doc_id in row[4]]
    examples = {
        row[0]: Example(row[0], row[1], row[2], " ".join(row[3].split())[:EXCERPT_CHARACTERS])
        for row in connection.execute(
            f"""
            select doc_id, native_id, title, text[:{4 * EXCERPT_CHARACTERS}] from documents
            where doc_id in (select unnest(?::varchar[]))
            """,
            [wanted],
        ).fetchall()
    }
    return tuple(
        Removed(name, source, documents, characters, tuple(examples[doc_id] for doc_id in doc_ids))
        for name, source, documents, characters, doc_ids in rows
    )
