"""Benchmark sets as items: passages, tables, and the company and fiscal year that they are about.

Layouts are those in which the sets are published: FinQA and its rebuilt form (JSON or JSON lines), ConvFinQA
and TAT-QA (JSON), FinanceBench (JSON lines: questions, and the filings that they are about), Financial
PhraseBank (`Sentences_*.txt`, Latin-1), the gold headlines (CSV), FiQA (JSON).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mintage.errors import MintageError

Table = tuple[tuple[str, ...], ...]

COMPANY_YEAR = re.compile(r"(?:Single_|Double_)?([A-Z.]+)/(\d{4})/")


@dataclass(frozen=True)
class Item:
    """One item of a benchmark set.

    `sentences` are what the set asks about, word by word, however short; `questions` and `passages` are what
    it asks and the paragraphs it asks about; `tables` are rows of cells. `company` is a ticker,
    `company_name` a name, `year` a fiscal year and `document` what the set calls the filing, where it says.
    """

    benchmark: str
    id: str
    sentences: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    company: str | None = None
    company_name: str | None = None
    document: str | None = None
    year: int | None = None


def read_items(folder: Path, sets: Sequence[str]) -> list[Item]:
    """The items of the named sets under a folder.

    Raises:
        MintageError: a set is not there, or is not laid out as it is published.
    """
    items: list[Item] = []
    for name in sets:
        pattern, read = READERS[name]
        paths = sorted((folder / name).glob(pattern))
        if not paths:
            raise MintageError(
                f"{folder / name}: no {pattern}; put the {name} set there, or take it out of "
                "corpus.refine.decontaminate.sets"
            )
        for path in paths:
            try:
                items.extend(read(path))
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                raise MintageError(f"{path}: not laid out as {name} is published ({error!r})") from None
    return items


def read_finqa(path: Path) -> Iterator[Item]:
    """FinQA as published (pre_text, post_text, qa), or rebuilt with one context."""
    text = path.read_text(encoding="utf-8")
    rows = json.loads(text) if text.lstrip().startswith("[") else map(json.loads, text.splitlines())
    for number, row in enumerate(rows):
        if "qa" in row:
            passages, question = [*row["pre_text"], *row["post_text"]], row["qa"]["question"]
            identity = str(row["id"])
        else:
            passages, question = row["context"].split("\n"), row["question"]
            identity = f"{path.stem}/{row.get('idx', number)}"
        company, year = company_year(identity)
        yield Item(
            "finqa",
            identity,
            questions=(question,),
            passages=tuple(passages),
            tables=(as_table(row["table"]),),
            company=company,
            year=year,
        )


def read_convfinqa(path: Path) -> Iterator[Item]:
    """ConvFinQA: a page of a report, its table by column and row, and a dialogue."""
    for row in json.loads(path.read_text(encoding="utf-8")):
        columns: dict[str, dict[str, Any]] = row["doc"]["table"]
        labels = list(dict.fromkeys(label for column in columns.values() for label in column))
        table = [["", *columns]]
        table += [[label, *(str(column.get(label, "")) for column in columns.values())] for label in labels]
        company, year = company_year(row["id"])
        turns = " ".join(row["dialogue"]["conv_questions"])
        yield Item(
            "convfinqa",
            row["id"],
            questions=(turns,),
            passages=(row["doc"]["pre_text"], row["doc"]["post_text"]),
            tables=(as_table(table),),
            company=company,
            year=year,
        )


def read_tatqa(path: Path) -> Iterator[Item]:
    """TAT-QA: a table, the paragraphs around it, and questions."""
    for row in json.loads(path.read_text(encoding="utf-8")):
        paragraphs = [paragraph["text"] for paragraph in row["paragraphs"]]
        questions = [question["question"] for question in row["questions"]]
        yield Item(
            "tatqa",
            row["table"]["uid"],
            questions=tuple(questions),
            passages=tuple(paragraphs),
            tables=(as_table(row["table"]["table"]),),
        )


def read_financebench(path: Path) -> Iterator[Item]:
    """FinanceBench: a question with its evidence, or a filing, a line; merged, a line is both."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        year = row.get("doc_period")
        yield Item(
            "financebench",
            row.get("financebench_id") or row["doc_name"],
            questions=(row["question"],) if "question" in row else (),
            passages=tuple(
                paragraph
                for evidence in row.get("evidence", ())
                for paragraph in evidence["evidence_text"].split("\n")
            ),
            company_name=row["company"],
            document=row["doc_name"],
            year=int(year) if year is not None else None,
        )


def read_phrasebank(path: Path) -> Iterator[Item]:
    """Financial PhraseBank: a sentence and its label a line."""
    for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), 1):
        if line.strip():
            yield Item("phrasebank", f"{path.stem}/{number}", sentences=(line.rpartition("@")[0],))


def read_headlines(path: Path) -> Iterator[Item]:
    """The gold headlines."""
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            yield Item("headlines", f"{path.stem}/{number}", sentences=(row["News"],))


def read_fiqa(path: Path) -> Iterator[Item]:
    """FiQA, task 1."""
    for identity, row in json.loads(path.read_text(encoding="utf-8")).items():
        yield Item("fiqa", f"{path.stem}/{identity}", sentences=(row["sentence"],))


def as_table(rows: Sequence[Sequence[Any]]) -> Table:
    """Rows of cells as text."""
    return tuple(tuple(str(cell) for cell in row) for row in rows)


def company_year(identity: str) -> tuple[str | None, int | None]:
    """The ticker and the fiscal year in an id such as AAPL/2015/page_28.pdf."""
    found = COMPANY_YEAR.match(identity)
    return (found[1], int(found[2])) if found else (None, None)


READERS: dict[str, tuple[str, Callable[[Path], Iterator[Item]]]] = {
    "finqa": ("*.json*", read_finqa),
    "convfinqa": ("*.json", read_convfinqa),
    "tatqa": ("*.json", read_tatqa),
    "phrasebank": ("Sentences_*.txt", read_phrasebank),
    "headlines": ("*.csv", read_headlines),
    "fiqa": ("*.json", read_fiqa),
    "financebench": ("*.jsonl", read_financebench),
}
