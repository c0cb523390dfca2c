"""DefiLlama: what a protocol is, where its value is locked, and how much of it there was day by day.

Format: https://defillama.com/docs/api (/protocol/{name}; times are Unix seconds, values US dollars, the
amounts of funding rounds millions of US dollars). The history of the value locked is computed anew when
DefiLlama learns more, so its values are dated by their retrieval. Emission schedules are not in the free API.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Request
from mintage.corpus.document import Document
from mintage.corpus.extract.figures import EXACT, Form, form_of, number
from mintage.corpus.sources.crypto.bars_text import plain
from mintage.corpus.sources.crypto.daily import daily_point, instant
from mintage.corpus.sources.crypto.settings import CryptoSource
from mintage.corpus.sources.macro.answers import (
    MALFORMED,
    answers_of,
    each_row,
    exact,
    file_name,
    load_json,
    one_line,
    reason,
    refusing,
)
from mintage.corpus.sources.macro.questions import documents
from mintage.corpus.sources.macro.series import Point, first_seen
from mintage.corpus.sources.macro.text import Series
from mintage.corpus.sources.report import SourceReport

API = "https://api.llama.fi/protocol"
PROVIDER = "DefiLlama"
LICENCE = "DefiLlama terms of use"
MILLION = 10**6

Facts = tuple[tuple[str, str], ...]


def requests(settings: CryptoSource) -> Iterator[Request]:
    """One request a protocol."""
    for protocol in settings.protocols:
        note = {"provider": "defillama", "protocol": protocol}
        yield Request(f"{API}/{protocol}", check=refusing(rows_of), note=note)


def rows_of(body: bytes) -> tuple[Mapping[str, Any], list[Any]]:
    """A protocol and the history of the value locked in it.

    Raises:
        ValueError: it is not a protocol.
    """
    content = load_json(body)
    if not isinstance(content, dict) or not isinstance(content.get("name"), str):
        message = content.get("message") if isinstance(content, dict) else None
        raise ValueError(f"not a protocol: {message or 'no name'}")
    history = content.get("tvl")
    if not isinstance(history, list):
        raise ValueError("the protocol has no history of the value locked")
    return content, history


def read(settings: CryptoSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the named protocols: the states of what is said of them, then the value locked."""
    for protocol in settings.protocols:
        answers = list(answers_of(raw, provider="defillama", protocol=protocol))
        yield from states(settings, raw, report, protocol, answers)
        rows = [
            (one_line(content["name"]), point)
            for content, point in each_row(raw, answers, rows_of, partial(point_of, settings), report)
        ]
        if rows:
            title = f"Total value locked in {rows[-1][0]}"
            series = Series("defillama", f"{protocol}/tvl", PROVIDER, title, "USD", "daily")
            readings = first_seen(series, [point for _, point in rows], None)
            yield from documents(readings, settings.name, LICENCE, settings.use, settings.questions)


def point_of(settings: CryptoSource, content: object, row: Mapping[str, Any], answer: Answer) -> Point | None:
    """The value locked at the beginning of a day."""
    return daily_point(settings, answer, row["date"], row["totalLiquidityUSD"])


def states(
    settings: CryptoSource, raw: RawStore, report: SourceReport, protocol: str, answers: list[Answer]
) -> Iterator[Document]:
    """A document for every answer in which something about the protocol changed, dated by its retrieval."""
    known: Facts = ()
    previous: Document | None = None
    for answer in answers:
        try:
            content, _ = rows_of(raw.body(answer))
            facts = tuple(facts_of(content, answer))
        except MALFORMED as error:
            report.bad(file_name(answer), 1, reason(error))
            continue
        if facts == known:
            continue
        identity = f"defillama/{protocol}"
        name, day = one_line(content["name"]), answer.moment.date()
        previous = Document.make(
            source=settings.name,
            native_id=identity,
            kind="protocol",
            title=f"{name}: facts of the protocol",
            text=facts_text(name, facts, day.isoformat(), form_of(identity)),
            available_at=answer.moment,
            date_precision="bound",
            vintage=0 if previous is None else previous.vintage + 1,
            supersedes=None if previous is None else previous.doc_id,
            entities=[("defillama", protocol)],
            url=answer.url,
            raw_sha256=answer.sha256,
            raw_file=file_name(answer),
            licence=LICENCE,
            use=settings.use,
        )
        known = facts
        yield previous


def facts_of(content: Mapping[str, Any], answer: Answer) -> Iterator[tuple[str, str]]:
    """What an answer says of a protocol, name by name; what it leaves empty is left out."""
    words = (
        ("Category", "category"),
        ("Token", "symbol"),
        ("Description", "description"),
        ("Website", "url"),
    )
    for label, key in words:
        if content.get(key) and content[key] != "-":
            yield label, one_line(str(content[key]))
    if content.get("chains"):
        yield "Chains", ", ".join(one_line(str(chain)) for chain in content["chains"])
    if content.get("listedAt"):
        yield "Listed by DefiLlama", instant(content["listedAt"]).date().isoformat()
    if content.get("audits"):
        yield "Audits", number(exact(content["audits"]))
    if content.get("mcap") is not None:
        yield "Market value of the token", dollars(content["mcap"])
    for chain, value in sorted((content.get("currentChainTvls") or {}).items()):
        yield f"Value locked, {one_line(chain)}", dollars(value)
    for entry in sorted(content.get("raises") or [], key=lambda entry: int(exact(entry["date"]))):
        yield f"Funding of {past_day(entry['date'], answer)}", funding(entry)
    for seconds, event in (mark[:2] for mark in content.get("hallmarks") or []):
        if not isinstance(seconds, list):
            yield f"Event of {past_day(seconds, answer)}", one_line(str(event))


def dollars(value: Any) -> str:
    """An amount in US dollars."""
    return f"{plain(exact(value))} US dollars"


def past_day(seconds: Any, answer: Answer) -> str:
    """The day of something that has happened.

    Raises:
        ValueError: it lies after the retrieval.
    """
    moment = instant(seconds)
    if moment > answer.moment:
        raise ValueError(f"{moment.date().isoformat()} lies after the retrieval")
    return moment.date().isoformat()


def funding(entry: Mapping[str, Any]) -> str:
    """A funding round in a line."""
    parts = [one_line(str(entry["round"]))] if entry.get("round") else []
    if entry.get("amount") is not None:
        parts.append(dollars(EXACT.multiply(exact(entry["amount"]), MILLION)))
    if entry.get("leadInvestors"):
        parts.append(f"led by {', '.join(map(one_line, entry['leadInvestors']))}")
    return "; ".join(parts) or "no details given"


def facts_text(name: str, facts: Facts, day: str, form: Form) -> str:
    """The facts of a protocol as a table, as key-value lines or as sentences."""
    head = f"{name}, a protocol of decentralised finance, by {PROVIDER} as of {day}"
    if form == "table":
        rows = [f"| {label} | {value.replace('|', '/')} |" for label, value in facts]
        return "\n".join([f"# {head}", "", "| Fact | Value |", "|---|---|", *rows]) + "\n"
    if form == "key_value":
        return "\n".join([head, *(f"{label}: {value}" for label, value in facts)]) + "\n"
    said = [f"{label}: {value.rstrip('.')}." for label, value in facts]
    return " ".join([f"This is what {PROVIDER} says of the protocol {name} as of {day}.", *said]) + "\n"
