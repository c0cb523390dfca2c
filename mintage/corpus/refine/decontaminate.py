"""Which documents hold items of a benchmark set; written as the attribute `decontamination`.

An item is cut into units: a question, a passage with a figure in it, a sentence, a table read by rows or by
columns, the rows of a table, its columns. A unit is a set of grams: runs of 13 words, or of figures. A
document holds a unit when it holds the share of its grams that the settings ask for, and an item when it
holds one of its units. Shorter passages are one gram each, those of a few words only where they stand alone
in a line or sentence, for "gold prices fall" inside a sentence is nobody's item. Grams of figures know
nothing of words, so a table is found however it is laid out; years and small counts, of which labels are
full, are left out of them.

Numbers are never folded: a passage of another year's report, with other figures, is not the item.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mintage.corpus.document import CHAT, chat_messages
from mintage.corpus.refine.benchmarks import Item, Table, read_items
from mintage.corpus.refine.companies import (
    Known,
    company_name,
    company_years,
    entity_key,
    learn,
    read_list,
    ticker_key,
)
from mintage.corpus.refine.settings import DecontaminateSettings
from mintage.corpus.refine.words import Words, grams, whole_grams, words_of
from mintage.corpus.store import read_documents, write_attribute

DECONTAMINATION = "decontamination"
TEXT, TABLE, DOCUMENT, COMPANY_YEAR = "text", "table", "document", "company-year"
MATCH_SCHEMA = pa.struct(
    [("benchmark", pa.string()), ("item", pa.string()), ("kind", pa.string()), ("share", pa.float32())]
)
DECONTAMINATION_SCHEMA = pa.schema([("doc_id", pa.string()), ("matches", pa.list_(MATCH_SCHEMA))])

GRAM_WORDS = 13
LEAST_WORDS = 8  # of a passage that counts wherever it stands
LEAST_TOGETHER = 40  # of passages without a figure
LEAST_ALONE = 4  # of a sentence that counts where it stands alone; a shorter one must be the whole document
GRAM_FIGURES = 5
LEAST_FIGURES = 3
LEAST_DIGITS = 12  # of a figure gram, all figures together
BATCH_CHARACTERS = 1 << 20
BITS = 22

ANYWHERE, ALONE, WHOLE = 0, 1, 2

FIGURE = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
STOPS = np.zeros(256, bool)
STOPS[list(b'\n\r.!?|;:"')] = True


@dataclass(frozen=True)
class Unit:
    """A part of an item by which it is recognised: `grams` of it count, and `need` of them are enough.
    `place` says where it must stand."""

    item: int
    kind: str
    grams: int
    need: int
    place: int


@dataclass(frozen=True)
class Lookup:
    """Grams of one length: ascending hashes, and whose they are. The units of gram i are
    `units[bounds[i]:bounds[i + 1]]`; `bits` is false where no gram can be."""

    length: int
    hashes: np.ndarray
    bounds: np.ndarray
    units: np.ndarray
    bits: np.ndarray


@dataclass(frozen=True)
class Index:
    """The benchmark sets, ready to be looked for."""

    items: list[Item]
    units: list[Unit]
    words: list[Lookup]
    figures: list[Lookup]
    figure_ids: dict[str, int]
    documents: dict[str, list[Item]]
    company_years: dict[tuple[str, int], list[Item]]


def decontaminate(directory: Path, settings: DecontaminateSettings) -> dict[str, dict[str, int]]:
    """Write the attribute `decontamination` of a corpus directory.

    `matches` lists the items found in a document: benchmark, item, kind ("text", "table", "document" or
    "company-year"), and the share of the unit's grams that is there.

    Returns:
        for each benchmark: how many of its items were found, in how many documents.

    Raises:
        MintageError: a set cannot be read.
    """
    items_of_sets = read_items(Path(settings.path), settings.sets)
    known: Known = {}
    if settings.company_years:
        known = learn(directory, read_list(Path(settings.companies)) if settings.companies else {})
    index = build_index(items_of_sets, settings, known)
    items: dict[str, set[str]] = {name: set() for name in settings.sets}
    documents = dict.fromkeys(settings.sets, 0)

    def rows() -> Iterator[pa.RecordBatch]:
        columns = ["doc_id", "native_id", "kind", "text", "entities", "period_end"]
        for batch in read_documents(directory, columns):
            found = find_all(index, batch.to_pylist(), known)
            for matches in found:
                for name in {match["benchmark"] for match in matches}:
                    documents[name] += 1
                for match in matches:
                    items[match["benchmark"]].add(match["item"])
            lists = pa.array(found, pa.list_(MATCH_SCHEMA))
            yield pa.RecordBatch.from_arrays([batch["doc_id"], lists], schema=DECONTAMINATION_SCHEMA)

    reader = pa.RecordBatchReader.from_batches(DECONTAMINATION_SCHEMA, rows())
    write_attribute(directory, DECONTAMINATION, reader)
    return {name: {"items": len(items[name]), "documents": documents[name]} for name in settings.sets}


def find_all(index: Index, rows: Sequence[dict[str, Any]], known: Known) -> list[list[dict[str, Any]]]:
    """The matches of each document, in batches of about `BATCH_CHARACTERS`."""
    found: list[list[dict[str, Any]]] = []
    batch: list[str] = []
    size = 0
    for row in rows:
        text = row["text"]
        if row["kind"] == CHAT:
            text = "\n".join(message["content"] for message in chat_messages(text))
        batch.append(text)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            found += find(index, batch)
            batch, size = [], 0
    found += find(index, batch)
    for row, matches in zip(rows, found, strict=True):
        about = {
            (item.benchmark, item.id): (item, COMPANY_YEAR)
            for company_year in company_years(row["entities"], row["period_end"], known)
            for item in index.company_years.get(company_year, ())
        }
        for item in index.documents.get(row["native_id"], ()):
            about[item.benchmark, item.id] = (item, DOCUMENT)
        matches += [
            {"benchmark": item.benchmark, "item": item.id, "kind": kind, "share": 1.0}
            for item, kind in about.values()
        ]
    return found


def build_index(items: Sequence[Item], settings: DecontaminateSettings, known: Known | None = None) -> Index:
    """Cut items into units and gather their grams. `known` are the tickers of companies that a set names."""
    figure_ids: dict[str, int] = {}
    units: list[Unit] = []
    word_grams: dict[int, list[tuple[np.ndarray, int]]] = {}
    figure_grams: dict[int, list[tuple[np.ndarray, int]]] = {}

    def add(
        gathered: dict[int, list[tuple[np.ndarray, int]]],
        item: int,
        kind: str,
        by_length: dict[int, np.ndarray],
        place: int = ANYWHERE,
    ) -> None:
        count = sum(map(len, by_length.values()))
        if not count:
            return
        for length, hashes in by_length.items():
            gathered.setdefault(length, []).append((hashes, len(units)))
        units.append(Unit(item, kind, count, int(np.ceil(settings.share * count)), place))

    for number, item in enumerate(items):
        for text, kind in recognisable(item):
            add(word_grams, number, kind, passage_grams(words_of([text]).hashes))
        for sentence in item.sentences:
            hashes = words_of([sentence]).hashes
            place = ANYWHERE
            if len(hashes) < LEAST_WORDS:
                place = ALONE if len(hashes) >= LEAST_ALONE else WHOLE
            if len(hashes):
                add(word_grams, number, TEXT, passage_grams(hashes), place)
        for table in item.tables:
            for by_length in table_grams(table, figure_ids):
                add(figure_grams, number, TABLE, by_length)
    documents: dict[str, list[Item]] = {}
    years: dict[tuple[str, int], list[Item]] = {}
    for item in items:
        if item.document is not None:
            documents.setdefault(item.document, []).append(item)
        if settings.company_years and item.year is not None:
            for company in companies_of(item, known or {}):
                years.setdefault((company, item.year), []).append(item)
    return Index(list(items), units, lookups(word_grams), lookups(figure_grams), figure_ids, documents, years)


def companies_of(item: Item, known: Known) -> set[str]:
    """The company that an item is about, by ticker and by name, as `company_years` writes them."""
    companies = {ticker_key(item.company)} if item.company is not None else set()
    if item.company_name is not None:
        companies.add(company_name(item.company_name))
        companies |= known.get(entity_key("company", item.company_name), set())
    return companies


def recognisable(item: Item) -> Iterator[tuple[str, str]]:
    """The texts of an item, and their kind, that nobody else writes: questions, passages with a figure, all
    passages together, and tables. A heading or a legal phrase alone stands in every annual report."""
    for question in item.questions:
        if len(question.split()) >= LEAST_WORDS:
            yield question, TEXT
    for passage in item.passages:
        if len(passage.split()) >= LEAST_WORDS and telling_figures(passage):
            yield passage, TEXT
    together = " ".join(item.passages)
    if len(together.split()) >= LEAST_TOGETHER:
        yield together, TEXT
    for table in item.tables:
        for text in table_texts(table):
            if len(text.split()) >= LEAST_WORDS:
                yield text, TABLE


def passage_grams(hashes: np.ndarray) -> dict[int, np.ndarray]:
    """The 13-grams of a passage, or the whole of a shorter one, by length."""
    length = min(GRAM_WORDS, len(hashes))
    return {length: np.unique(grams(hashes, length))}


def table_texts(table: Table) -> list[str]:
    """A table in words: row by row, column by column, and each cell behind its row's and column's label."""
    columns = columns_of(table)
    pairs = [
        " ".join([row[0], *(f"{label} {cell}" for label, cell in zip(table[0][1:], row[1:]))])
        for row in table[1:]
    ]
    return [
        " ".join(" ".join(row) for row in table),
        " ".join(" ".join(column) for column in columns),
        " ".join(pairs),
    ]


def table_grams(table: Table, figure_ids: dict[str, int]) -> list[dict[int, np.ndarray]]:
    """The figure grams by which a table is recognised, by length: of the whole read by rows and by columns,
    with and without the first row or column; of its rows; of its columns."""
    columns = columns_of(table)
    found = []
    for reading in (table, columns, table[1:], columns[1:]):
        stream = [figure for line in reading for cell in line for figure in telling_figures(cell)]
        found.append(runs([stream], figure_ids))
    for lines in (table, columns):
        separate = [[figure for cell in line[1:] for figure in telling_figures(cell)] for line in lines[1:]]
        by_length = runs(separate, figure_ids)
        if sum(map(len, by_length.values())) > 1:
            found.append(by_length)
    return found


def columns_of(table: Table) -> Table:
    """The columns of a table, short rows filled up with empty cells."""
    return tuple(itertools.zip_longest(*table, fillvalue=""))


def runs(streams: Sequence[Sequence[str]], figure_ids: dict[str, int]) -> dict[int, np.ndarray]:
    """The runs of `GRAM_FIGURES` neighbours in streams of figures, or of all of a shorter stream, by length;
    those of `LEAST_DIGITS` and more. A figure that is repeated at once counts once: "-168 ( 168 )"."""
    gathered: dict[int, list[np.ndarray]] = {}
    for repeating in streams:
        stream = [figure for figure, _ in itertools.groupby(repeating)]
        length = min(len(stream), GRAM_FIGURES)
        if length < LEAST_FIGURES:
            continue
        ids = np.array([identify(figure, figure_ids) for figure in stream], np.uint64)
        digits = np.array([len(figure.replace(".", "")) for figure in stream])
        enough = np.convolve(digits, np.ones(length, np.int64), "valid") >= LEAST_DIGITS
        gathered.setdefault(length, []).append(grams(ids, length)[enough])
    return {length: np.unique(np.concatenate(parts)) for length, parts in gathered.items()}


def telling_figures(text: str) -> list[str]:
    """The figures of a text but for years and counts below 100, which labels are full of; without sign,
    grouping and closing zeros, so that 1,234.50 and 1234.5 are the same."""
    return [figure for found in FIGURE.findall(text) if is_telling(figure := plain(found))]


def plain(figure: str) -> str:
    """A figure without grouping, leading zeros and zeros that close its decimals."""
    figure = figure.replace(",", "")
    if "." in figure:
        figure = figure.rstrip("0").rstrip(".")
    return figure.lstrip("0") or "0"


def is_telling(figure: str) -> bool:
    """Whether a figure is neither a year nor a count of at most 100."""
    if "." in figure or len(figure) > 4:
        return True
    return len(figure) > 2 and figure != "100" and not ("1900" <= figure <= "2100" and len(figure) == 4)


def identify(figure: str, figure_ids: dict[str, int]) -> int:
    """A number (64 bits, not 0) that stands for a figure; noted in `figure_ids`."""
    if figure not in figure_ids:
        digest = hashlib.blake2b(figure.encode(), digest_size=8).digest()
        figure_ids[figure] = int.from_bytes(digest, "little") | 1
    return figure_ids[figure]


def lookups(gathered: dict[int, list[tuple[np.ndarray, int]]]) -> list[Lookup]:
    """A lookup for each length of gram."""
    result = []
    for length, parts in sorted(gathered.items()):
        every = np.concatenate([hashes for hashes, _ in parts])
        owners = np.concatenate([np.full(len(hashes), unit, np.int64) for hashes, unit in parts])
        order = np.argsort(every, kind="stable")
        hashes, starts = np.unique(every[order], return_index=True)
        bits = np.zeros(1 << BITS, bool)
        bits[hashes >> np.uint64(64 - BITS)] = True
        result.append(Lookup(length, hashes, np.append(starts, len(every)), owners[order], bits))
    return result


def find(index: Index, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The matches of each text: at most one for an item and kind, with the largest share."""
    if not texts:
        return []
    words = words_of(texts)
    text_of_word = words.text_of_word()
    hits = [
        hit
        for lookup in index.words
        for hit in look_up(index, lookup, words.hashes, words.bounds, text_of_word, words)
    ]
    streams = [
        [index.figure_ids.get(figure, 0) for figure, _ in itertools.groupby(telling_figures(text))]
        for text in texts
    ]
    bounds = np.cumsum([0, *map(len, streams)])
    figures = np.array([figure for stream in streams for figure in stream], np.uint64)
    text_of_figure = np.repeat(np.arange(len(texts)), np.diff(bounds))
    for lookup in index.figures:
        hits += look_up(index, lookup, figures, bounds, text_of_figure, None)
    counts: dict[tuple[int, int], int] = {}
    for text, unit, count in hits:
        counts[text, unit] = counts.get((text, unit), 0) + count
    best: list[dict[tuple[int, str], float]] = [{} for _ in texts]
    for (text, number), count in counts.items():
        found = index.units[number]
        if count >= found.need:
            share = max(count / found.grams, best[text].get((found.item, found.kind), 0.0))
            best[text][found.item, found.kind] = share
    return [
        [
            {
                "benchmark": index.items[item].benchmark,
                "item": index.items[item].id,
                "kind": kind,
                "share": share,
            }
            for (item, kind), share in sorted(matches.items())
        ]
        for matches in best
    ]


def look_up(
    index: Index,
    lookup: Lookup,
    hashes: np.ndarray,
    bounds: np.ndarray,
    text_of: np.ndarray,
    words: Words | None,
) -> list[tuple[int, int, int]]:
    """Of the texts' grams of one length those that are somebody's: (text, unit, how many different ones)."""
    grammed = grams(hashes, lookup.length)
    possible = lookup.bits[grammed >> np.uint64(64 - BITS)] & whole_grams(bounds, lookup.length)
    places = np.flatnonzero(possible)
    ranks = np.minimum(np.searchsorted(lookup.hashes, grammed[places]), len(lookup.hashes) - 1)
    same = lookup.hashes[ranks] == grammed[places]
    seen: set[tuple[int, int, int]] = set()
    counts: dict[tuple[int, int], int] = {}
    for place, rank in zip(places[same].tolist(), ranks[same].tolist(), strict=True):
        text = int(text_of[place])
        for unit in lookup.units[lookup.bounds[rank] : lookup.bounds[rank + 1]].tolist():
            if (text, unit, rank) in seen:
                continue
            if words is not None and not stands(words, place, lookup.length, text, index.units[unit].place):
                continue
            seen.add((text, unit, rank))
            counts[text, unit] = counts.get((text, unit), 0) + 1
    return [(text, unit, count) for (text, unit), count in counts.items()]


def stands(words: Words, first: int, length: int, text: int, place: int) -> bool:
    """Whether a run of words stands where its unit must: anywhere, alone between line and sentence ends, or
    as the whole of its text."""
    if place == ANYWHERE:
        return True
    last = first + length - 1
    begins, ends = first == words.bounds[text], last == words.bounds[text + 1] - 1
    if place == WHOLE:
        return bool(begins and ends)
    begins = begins or STOPS[words.data[words.ends[first - 1] : words.starts[first]]].any()
    ends = ends or STOPS[words.data[words.ends[last] : words.starts[last + 1]]].any()
    return bool(begins and ends)
