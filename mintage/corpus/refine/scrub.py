"""Personal data in a text: where it stands, written as the attribute `personal_data`, and what is read in its
place.

E-mail and IP addresses, phone numbers, US social security numbers, bank accounts (IBAN) and payment cards;
those that bear a check digit count only when it agrees. What only looks like a figure is never touched: a
phone number needs its punctuation, and a card the first digits of an issuer. Names stay, officers' names in
filings among them; so do the public contacts of a company (`ScrubSettings.keep_near`, `keep_mailboxes`).

The text in the store is not changed. `store.masked` puts the mask in where a document is read.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from mintage.corpus.refine.settings import PersonalKind, ScrubSettings
from mintage.corpus.store import PERSONAL_DATA, read_documents, write_attribute

SPAN = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("kind", pa.string())])
PERSONAL_DATA_SCHEMA = pa.schema([("doc_id", pa.string()), ("spans", pa.list_(SPAN))])

NEAR_CHARACTERS = 200

EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w@])"
)
# Patterns begin with the characters that can come first, and look at what stands before these after them:
# the search then skips from one such character to the next, several times as fast.
PHONE = re.compile(
    r"""
    [+(1-9](?<![\w.,$€£(+-].)
    (?:
        # +44 20 7946 0958, (212) 555-0142, 212-555-0142
        (?<=\+)\d{1,3}[ .-]?(?:\(0\)[ ]?)?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]\d{2,4}){1,4}
        | (?:(?<=1)[ .-]\(|(?<=\())[2-9]\d{2}\)[ ]?[2-9]\d{2}[-.–]\d{4}
        | (?:(?<=1)[-.][2-9]|(?<=[2-9]))\d{2}([-.])[2-9]\d{2}\1\d{4}
    )
    (?![\w%]|[.,-]\d)
    """,
    re.VERBOSE,
)
SSN = re.compile(r"\d(?<![\w-].)(?<!9)(?<!0(?=00))(?<!6(?=66))\d{2}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
IBAN = re.compile(r"[A-Z](?<!\w.)[A-Z]\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?(?!\w)")
CARD = re.compile(
    r"[3-6](?<![\w.,-].)(?:\d{3}([ -])\d{4}\1\d{4}\1\d{4}|(?<=3)\d{3}([ -])\d{6}\2\d{5}|\d{12,15})"
    r"(?![\w-]|[.,]\d)"
)
IPV4 = re.compile(r"\d(?<![\w.$-].)\d{0,2}(?:\.\d{1,3}){3}(?![\w%-]|\.\d)")
COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:")
IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){3,7}(?![\w:])")
NUMBERED = re.compile(
    r"(?:section|sec|§|item|exhibit|version|v|release|chapter|rule|no)\.?\s*$", re.IGNORECASE
)
CLAUSES = 32
ISSUERS = re.compile(r"4|5[1-5]|2[2-7]|3[47]|6(?:011|4[4-9]|5)|3(?:0[0-5]|[689])|35")

# Lengths of an IBAN by country, ISO 13616 registry.
IBAN_LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO",
        "16": "BE",
        "18": "DK FI FO GL NL",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU XK",
        "21": "CH HR LI LV",
        "22": "BG BH CR DE GB GE IE ME RS",
        "23": "AE GI IL IQ",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT",
        "26": "IS TR",
        "27": "FR GR IT MC SM",
        "28": "AL AZ BY CY DO GT HU LB PL SV",
        "29": "BR PS QA UA",
        "30": "JO KW MU",
        "31": "MT SC",
        "32": "LC",
    }.items()
    for country in countries.split()
}


class Span(NamedTuple):
    """A piece of personal data: from `start` up to `end`, in characters of the text."""

    start: int
    end: int
    kind: PersonalKind


@dataclass(frozen=True)
class ScrubReport:
    """What was found, by source: `masked` by kind, and `kept` by kind because it is a public contact;
    `documents` have something masked."""

    documents: dict[str, int]
    masked: dict[str, dict[str, int]]
    kept: dict[str, dict[str, int]]


def scrub(directory: Path, settings: ScrubSettings) -> ScrubReport:
    """Write the attribute `personal_data` of a corpus directory: the spans of each text to mask, in order."""
    report = ScrubReport({}, {}, {})

    def rows() -> Iterator[pa.RecordBatch]:
        for batch in read_documents(directory, ["doc_id", "source", "text"]):
            lists = []
            for row in batch.to_pylist():
                masks, kept = find(row["text"], settings)
                for counts, spans in ((report.masked, masks), (report.kept, kept)):
                    for span in spans:
                        kinds = counts.setdefault(row["source"], {})
                        kinds[span.kind] = kinds.get(span.kind, 0) + 1
                if masks:
                    report.documents[row["source"]] = report.documents.get(row["source"], 0) + 1
                lists.append([span._asdict() for span in masks])
            spans_of = pa.array(lists, pa.list_(SPAN))
            yield pa.RecordBatch.from_arrays([batch["doc_id"], spans_of], schema=PERSONAL_DATA_SCHEMA)

    reader = pa.RecordBatchReader.from_batches(PERSONAL_DATA_SCHEMA, rows())
    write_attribute(directory, PERSONAL_DATA, reader)
    return report


def find(text: str, settings: ScrubSettings) -> tuple[list[Span], list[Span]]:
    """The personal data of a text: what to mask, and what stays as a public contact. Both in order, and
    without overlaps."""
    found: list[Span] = []
    end = 0
    for span in sorted(candidates(text, settings.kinds)):
        if span.start >= end:
            found.append(span)
            end = span.end
    masks: list[Span] = []
    kept: list[Span] = []
    for span in found:
        (kept if is_public(text, span, settings) else masks).append(span)
    return masks, kept


def candidates(text: str, kinds: tuple[PersonalKind, ...]) -> Iterator[Span]:
    """Everything that looks like personal data of these kinds, and passes the checks that its kind has."""
    if "email" in kinds and "@" in text:
        yield from (Span(*match.span(), "email") for match in EMAIL.finditer(text))
    if "phone" in kinds:
        yield from (
            Span(*match.span(), "phone")
            for match in PHONE.finditer(text)
            if 7 <= sum(character.isdigit() for character in match[0]) <= 15
        )
    if "ssn" in kinds:
        yield from (Span(*match.span(), "ssn") for match in SSN.finditer(text))
    if "iban" in kinds:
        for match in IBAN.finditer(text):
            length = iban_length(match[0])
            if length:
                yield Span(match.start(), match.start() + length, "iban")
    if "card" in kinds:
        yield from (Span(*match.span(), "card") for match in CARD.finditer(text) if is_card(match[0]))
    if "ip" in kinds:
        yield from (Span(*match.span(), "ip") for match in IPV4.finditer(text) if is_address(text, match))
        if COLONS.search(text):
            yield from (Span(*match.span(), "ip") for match in IPV6.finditer(text) if is_address(text, match))


def is_public(text: str, span: Span, settings: ScrubSettings) -> bool:
    """Whether an e-mail address or phone number is a company's public contact."""
    if span.kind not in ("email", "phone"):
        return False
    if (
        span.kind == "email"
        and text[span.start : span.end].partition("@")[0].lower() in settings.keep_mailboxes
    ):
        return True
    near = text[max(span.start - NEAR_CHARACTERS, 0) : span.end + NEAR_CHARACTERS].lower()
    near = " ".join(near.split())
    return any(phrase.lower() in near for phrase in settings.keep_near)


def iban_length(text: str) -> int:
    """How many characters of a text are an IBAN: right length for its country, remainder 1 of 97 (ISO 7064);
    0 where none are. A word may follow that looks like one more group."""
    wanted = IBAN_LENGTHS.get(text[:2])
    if wanted is None:
        return 0
    digits = ""
    for place, character in enumerate(text):
        if character != " ":
            digits += character
        if len(digits) == wanted:
            rest = text[place + 1 : place + 2]
            number = int("".join(str(int(each, 36)) for each in digits[4:] + digits[:4]))
            return place + 1 if number % 97 == 1 and (not rest or rest == " ") else 0
    return 0


def is_card(text: str) -> bool:
    """Whether a number begins as an issuer's does and ends with the right check digit (Luhn, ISO/IEC
    7812)."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    issuer = ISSUERS.match("".join(map(str, digits)))
    return issuer is not None and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_address(text: str, match: re.Match[str]) -> bool:
    """Whether a match is an IP address of the public internet and not the number of a section or version;
    four numbers below `CLAUSES` are that of a clause (2.2.1.13), whatever stands before it."""
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return False
    if address.version == 4 and max(address.packed) < CLAUSES:
        return False
    return address.is_global and NUMBERED.search(text[max(match.start() - 12, 0) : match.start()]) is None
