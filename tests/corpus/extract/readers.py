"""Read generated texts back without the code that wrote them, and answers of companyfacts as they stand."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mintage.corpus.document import Document
from mintage.corpus.extract.figures import Form, form_of, read, unit_words
from mintage.corpus.extract.topics import in_sentence, label_of

CIKS = ("0000320193", "0001045810", "0001652044", "0001835632")
MONTHS = {
    "month": 1,
    "three months": 3,
    "six months": 6,
    "nine months": 9,
    "twelve months": 12,
    "fiscal year": 12,
}
SCALED = {"thousands of ": 10**3, "millions of ": 10**6}


@cache
def recording(shared_data: Path, cik: str) -> bytes:
    name = f"data.sec.gov_api_xbrl_companyfacts_CIK{cik}.json.gz"
    return gzip.decompress((shared_data / "fixtures" / "sec_edgar_recordings" / name).read_bytes())


class Raw(NamedTuple):
    """An entry of the answer as it stands there."""

    taxonomy: str
    label: str
    unit: str
    start: date | None
    end: date
    value: Decimal
    accession: str
    filed: str
    tag: str


def raw_facts(body: bytes) -> list[Raw]:
    """All entries, read without the code under test; periods that end after they were filed are left out."""
    found = []
    for taxonomy, tags in json.loads(body, parse_float=Decimal)["facts"].items():
        for tag, about in tags.items():
            label = re.sub(r"\s*\(Deprecated [^)]*\)", "", about["label"] or "").strip()
            label = label or label_of(tag, None)
            for unit, entries in about["units"].items():
                for one in entries:
                    start = date.fromisoformat(one["start"]) if "start" in one else None
                    end, value = date.fromisoformat(one["end"]), Decimal(one["val"])
                    if one["end"] <= one["filed"]:
                        found.append(
                            Raw(taxonomy, label, unit, start, end, value, one["accn"], one["filed"], tag)
                        )
    return sorted(found, key=lambda raw: (raw.filed, raw.accession))


class Read(NamedTuple):
    """A figure that was read in a text; `start` is the period's length in months where the text says that."""

    label: str
    unit: str
    start: date | int | None
    end: date
    value: Decimal


def period_of(words: str) -> tuple[date | int | None, date]:
    """A period as any of the forms writes it."""
    if match := re.fullmatch(r"(?:at )?(\d{4}-\d\d-\d\d)", words):
        return None, date.fromisoformat(match[1])
    if match := re.fullmatch(r"(?:the period from |From )?(\S{10}) to (\S{10})", words):
        return date.fromisoformat(match[1]), date.fromisoformat(match[2])
    match = re.fullmatch(r"the (.+) ended (\S{10})", words)
    assert match is not None, words
    return MONTHS[match[1]], date.fromisoformat(match[2])


def read_tables(text: str, units: list[str]) -> Iterator[Read]:
    """The cells of the Markdown tables."""
    codes = {unit_words(unit): unit for unit in units}
    for block in re.finditer(r"^(In .+|As plain numbers):\n\n((?:\|.*\|\n?)+)", text, re.MULTILINE):
        scale, words = 1, block[1].removeprefix("In ")
        for name, size in SCALED.items():
            if words.startswith(name):
                scale, words = size, words.removeprefix(name)
        unit = "pure" if words == "As plain numbers" else codes[words]
        head, _, *lines = [line[2:-2].split(" | ") for line in block[2].splitlines()]
        for line in lines:
            assert len(line) == len(head)
            for period, figure in zip(head[1:], line[1:], strict=True):
                start, end = period_of(period)
                yield Read(line[0], unit, start, end, read(figure).value * scale)


def read_lines(text: str, units: list[str]) -> Iterator[Read]:
    """The key-value lines under their headings."""
    for block in re.finditer(r"^(At|From) (.+):\n((?:- .*\n?)+)", text, re.MULTILINE):
        start, end = period_of(block[2])
        for line in block[3].splitlines():
            label, figure = re.fullmatch(r"- (.+): (.+)", line).groups()
            back = read(figure, units)
            yield Read(label, back.unit, start, end, back.value)


def read_prose(text: str, units: list[str], labels: dict[str, str], name: str) -> Iterator[Read]:
    """The figures of prose. Between two figures there is nothing but a label, or the reading fails."""
    words = {words for unit in units for one in (True, False) if (words := unit_words(unit, one))}
    unit = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    figure = re.compile(
        r" (?:of|came to|amounted to|equaled|stood at) "
        rf"(-?\d[\d,]*(?:\.\d+)?(?: (?:thousand|million|billion))?(?: (?:{unit})\b)?)(?=, | and |\. |\.$)"
    )
    start_of_clause = re.compile(
        r"^(?:, |\. |and | and )?(?:(?:The company|It) (?:reported|disclosed|recorded|showed) )?"
    )
    opening = re.compile(rf"(?:At|As of|On|In|For|Over|During) (.+?), {re.escape(name)} \w+ ")
    for paragraph in text.split("\n\n"):
        begun = opening.match(paragraph)
        if begun is None:
            assert re.search(r"CIK|Form|As of|These are", paragraph), paragraph[:200]
            continue
        start, end = period_of(begun[1])
        at = begun.end()
        for found in figure.finditer(paragraph, at):
            said = start_of_clause.sub("", paragraph[at : found.start()])
            label = labels.get(
                said, labels.get(said[0].lower() + said[1:], labels.get(said[0].upper() + said[1:]))
            )
            if label is not None:
                back = read(found[1], units)
                yield Read(label, back.unit, start, end, back.value)
                at = found.end()
        assert paragraph[at:] == ".", paragraph[at:][:300]


def read_changes(text: str, units: list[str]) -> Iterator[tuple[Read, Read]]:
    """The lines on what a filing changed: now, and before."""
    for line in re.finditer(
        r"^- (.+) \(([^()]+)\): (.+), before that (.+) \(form \S+ filed \S+\)$", text, re.MULTILINE
    ):
        start, end = period_of(line[2])
        now, before = (read(figure, units) for figure in (line[3], line[4]))
        yield (
            Read(line[1], now.unit, start, end, now.value),
            Read(line[1], before.unit, start, end, before.value),
        )


def prose_labels(raws: list[Raw]) -> dict[str, str]:
    """The labels by what they are inside a sentence."""
    written = {label for raw in raws for label in (raw.label, f"{raw.label} [{raw.tag}]")}
    return {in_sentence(label): label for label in written}


def figures_of(document: Document, units: list[str], labels: dict[str, str]) -> list[Read]:
    """Every figure of a document of companyfacts, what it changed left out."""
    body = document.text.split("Changed by this filing:")[0].strip()
    name = document.title.split(":")[0]
    return list(read_form(form_of(document.native_id), body, units, labels, name))


def read_form(form: Form, text: str, units: list[str], labels: dict[str, str], name: str) -> Iterator[Read]:
    """The figures of a text in one of the three forms."""
    if form == "table":
        return read_tables(text, units)
    if form == "key_value":
        return read_lines(text, units)
    return read_prose(text, units, labels, name)


def fits(start: date | int | None, end: date, said: date | int | None) -> bool:
    """Whether a period that began then (or is so many months long) is the one that a text means."""
    if isinstance(said, int) and isinstance(start, date):
        return abs((end - start).days + 1 - said * 30.4375) <= 7
    return start == said
