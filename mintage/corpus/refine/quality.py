"""Quality signals of each document, as columns; written as the attribute `quality`.

The signals on repetition and on the shape of lines are those of Rae et al., "Scaling Language Models:
Methods, Analysis & Insights from Training Gopher" (2021), table A1, measured in characters of words. Each
signal is a function of one text, so none looks at other documents, earlier or later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mintage.corpus.document import CHAT, chat_messages
from mintage.corpus.refine.language import common_word_shares, language_of
from mintage.corpus.refine.words import LETTER, Words, grams, words_of
from mintage.corpus.store import parts, read_documents, write_attribute

QUALITY = "quality"

TOP_GRAMS = (2, 3, 4)
DUPLICATE_GRAMS = (5, 6, 7, 8, 9, 10)
SHARES = (
    "digit_share",
    "letter_word_share",
    "table_share",
    "boilerplate_share",
    "bullet_line_share",
    "ellipsis_line_share",
    "symbol_word_share",
    "duplicate_line_share",
    "duplicate_line_character_share",
    "duplicate_paragraph_share",
    "duplicate_paragraph_character_share",
    *(f"top_{length}_gram_share" for length in TOP_GRAMS),
    *(f"duplicate_{length}_gram_share" for length in DUPLICATE_GRAMS),
    "stop_word_share",
)
QUALITY_SCHEMA = pa.schema(
    [
        ("doc_id", pa.string()),
        ("characters", pa.int64()),
        ("words", pa.int64()),
        ("lines", pa.int64()),
        ("mean_word_length", pa.float32()),
        *((name, pa.float32()) for name in SHARES),
        ("language", pa.string()),
    ]
)

FIGURE = re.compile(r"\d[\d,.]*")
LABEL_WORD = re.compile(r"[^\W\d_]{2,}")
ROW_ENDS = frozenset("0123456789%)]—–-")
BULLETS = ("•", "-", "*", "●", "▪", "◦", "‣", "·", "■")
ELLIPSES = ("...", "…")
SYMBOLS = ("#", "...", "…")
PARAGRAPH = re.compile(r"\n\s*\n")
BOILERPLATE = (
    "forward-looking statement",
    "forward looking statement",
    "safe harbor",
    "private securities litigation reform",
    "actual results may differ",
    "actual results could differ",
    "actual results might differ",
    "actual results to differ",
    "undertake no obligation",
    "undertakes no obligation",
    "no obligation to update",
    "no obligation to publicly update",
    "all rights reserved",
    "copyright",
    "©",
    "pursuant to the requirements of the securities",
    "indicate by check mark",
    "incorporated by reference",
    "incorporated herein by reference",
    "not be deemed to be",
    "securities and exchange commission file",
    "washington, d.c. 20549",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "accept cookies",
    "accept all cookies",
    "enable javascript",
    "not an offer",
    "solicitation of an offer",
    "past performance is no",
    "views expressed here",
    "views expressed are",
    "views expressed in this",
    "return to top",
    "back to top",
    "related content",
    "media contact",
    "table of contents",
)
SENTENCE_ENDS = ("\n", ". ", "! ", "? ")  # a line's end is near, and bounds the search for the others


def tag(directory: Path) -> int:
    """Write the attribute `quality` of a corpus directory and return how many documents it describes."""
    rows = pa.RecordBatchReader.from_batches(QUALITY_SCHEMA, signals(directory))
    write_attribute(directory, QUALITY, rows)
    return sum(pq.read_metadata(path).num_rows for path in parts(directory, f"attributes/{QUALITY}"))


def signals(directory: Path) -> Iterator[pa.RecordBatch]:
    """The rows of the attribute, in the order of the store."""
    for batch in read_documents(directory, ["doc_id", "kind", "text"]):
        rows = [{"doc_id": row["doc_id"], **quality(row["text"], row["kind"])} for row in batch.to_pylist()]
        yield pa.RecordBatch.from_pylist(rows, schema=QUALITY_SCHEMA)


def quality(text: str, kind: str = "text") -> dict[str, Any]:
    """The signals of a text by column name; of a chat, those of what its messages say."""
    if kind == CHAT:
        text = "\n\n".join(message["content"] for message in chat_messages(text))
    words = words_of([text])
    lines = [line for part in text.split("\n") if (line := part.strip())]
    paragraphs = [paragraph for part in PARAGRAPH.split(text) if (paragraph := part.strip())]
    count = len(words.hashes)
    lengths = words.ends - words.starts
    common = common_word_shares(words)
    return {
        "characters": len(text),
        "words": count,
        "lines": len(lines),
        "mean_word_length": float(lengths.mean()) if count else 0.0,
        "digit_share": digit_share(words),
        "letter_word_share": letter_word_share(words),
        "table_share": line_share(lines, is_table_row),
        "boilerplate_share": boilerplate_share(text),
        "bullet_line_share": share(sum(line.startswith(BULLETS) for line in lines), len(lines)),
        "ellipsis_line_share": share(sum(line.endswith(ELLIPSES) for line in lines), len(lines)),
        "symbol_word_share": share(sum(text.count(symbol) for symbol in SYMBOLS), count),
        "duplicate_line_share": repeated_share(lines, by_characters=False),
        "duplicate_line_character_share": repeated_share(lines, by_characters=True),
        "duplicate_paragraph_share": repeated_share(paragraphs, by_characters=False),
        "duplicate_paragraph_character_share": repeated_share(paragraphs, by_characters=True),
        **gram_shares(words.hashes, lengths),
        "stop_word_share": common["en"],
        "language": language_of(text, common),
    }


def share(part: int, whole: int) -> float:
    """A part of a whole; 0 of nothing."""
    return part / whole if whole else 0.0


def digit_share(words: Words) -> float:
    """The share of digits among the bytes that are not white space."""
    visible = int(np.count_nonzero(words.data > ord(" ")))
    return share(int(np.count_nonzero((words.data >= ord("0")) & (words.data <= ord("9")))), visible)


def letter_word_share(words: Words) -> float:
    """The share of words that hold a letter."""
    letters = np.zeros(len(words.data) + 1, np.int64)
    np.cumsum(words.kinds == LETTER, out=letters[1:])
    return share(int(np.count_nonzero(letters[words.ends] > letters[words.starts])), len(words.hashes))


def line_share(lines: list[str], chosen: Callable[[str], bool]) -> float:
    """The share of characters in the lines that are chosen."""
    return share(sum(len(line) for line in lines if chosen(line)), sum(map(len, lines)))


def is_table_row(line: str) -> bool:
    """Whether a line is a row of a table: cells between bars or tabs, figures alone, or a short label and
    at least two figures, with a figure at the end."""
    if line.count("|") >= 2 or line.count("\t") >= 2:
        return True
    if line[-1] not in ROW_ENDS:
        return False
    figures = len(FIGURE.findall(line))
    labels = len(LABEL_WORD.findall(line))
    return figures >= 1 and (labels == 0 or (figures >= 2 and labels <= 3 * figures))


def boilerplate_share(text: str) -> float:
    """The share of characters in the sentences that speak as legal and web boilerplate does."""
    lowered = text.lower()
    places = []
    for phrase in BOILERPLATE:
        place = lowered.find(phrase)
        while place >= 0:
            places.append(place)
            place = lowered.find(phrase, place + len(phrase))
    boilerplate = end = 0
    for place in sorted(places):
        if place < end:
            continue
        start, last = end, len(lowered) - 1
        for mark in SENTENCE_ENDS:
            start = max(start, lowered.rfind(mark, start, place) + 1)
            found = lowered.find(mark, place, last + len(mark))
            last = found if found >= 0 else last
        end = last + 1
        boilerplate += end - start
    return share(boilerplate, len(lowered))


def repeated_share(pieces: list[str], by_characters: bool) -> float:
    """The share of pieces, or of their characters, that occurred before in the text."""
    seen: set[str] = set()
    repeated = 0
    for piece in pieces:
        if piece in seen:
            repeated += len(piece) if by_characters else 1
        seen.add(piece)
    return share(repeated, sum(map(len, pieces)) if by_characters else len(pieces))


def gram_shares(hashes: np.ndarray, lengths: np.ndarray) -> dict[str, float]:
    """The shares of the characters of words that lie in the commonest n-gram, where it occurs more than once,
    and in n-grams that occurred before."""
    shares: dict[str, float] = {}
    total = int(lengths.sum())
    ends = np.concatenate([[0], np.cumsum(lengths)])
    # a longer gram occurs again only where the shorter one that it begins with does
    repeating = np.arange(len(hashes))
    for length in (*TOP_GRAMS, *DUPLICATE_GRAMS):
        repeating = repeating[repeating <= len(hashes) - length]
        grammed = grams(hashes, length)[repeating]
        _, firsts, inverse, counts = np.unique(
            grammed, return_index=True, return_inverse=True, return_counts=True
        )
        occurrences = counts[inverse]
        if length in TOP_GRAMS:
            sizes = ends[repeating[firsts] + length] - ends[repeating[firsts]]
            often = counts > 1
            most = int(counts.max(initial=0))
            top = int((counts * sizes)[often & (counts == most)].max(initial=0))
            shares[f"top_{length}_gram_share"] = min(share(top, total), 1.0)
        else:
            again = np.ones(len(repeating), bool)
            again[firsts] = False
            marks = np.zeros(len(hashes) + 1, np.int64)
            np.add.at(marks, repeating[again], 1)
            np.add.at(marks, repeating[again] + length, -1)
            covered = np.cumsum(marks[:-1]) > 0
            shares[f"duplicate_{length}_gram_share"] = share(int(lengths[covered].sum()), total)
        repeating = repeating[occurrences > 1]
    return shares
