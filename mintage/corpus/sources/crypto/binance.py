"""Binance's public market data: bars of a pair, month by month.

Formats: https://github.com/binance/binance-public-data (monthly archives, each with a SHA-256 in a file
beside it; times are in milliseconds, from 2025-01-01 on in microseconds) and
https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints (klines, for the
months without an archive: the running one, and the last one in its first days).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from functools import partial
from itertools import groupby
from typing import Any

from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Refused, Request
from mintage.corpus.document import CHAT, DatePrecision, Document
from mintage.corpus.extract.figures import EXACT, chosen, form_of
from mintage.corpus.extract.price_questions import Month
from mintage.corpus.extract.series_questions import Value
from mintage.corpus.sources.crypto.bars_text import Day, month_text
from mintage.corpus.sources.crypto.settings import CryptoSource, months
from mintage.corpus.sources.macro.answers import answers_of, each_row, exact, file_name, load_json
from mintage.corpus.sources.macro.periods import Period, part_of_year
from mintage.corpus.sources.report import SourceReport

ARCHIVES = "https://data.binance.vision/data/spot/monthly/klines"
API = "https://data-api.binance.vision/api/v3/klines"
LICENCE = "Binance terms of use"
BARS = 1000  # the most of an answer; a month of hours has 744
MICROSECONDS = 10**14  # a larger time is one: in milliseconds it would lie after the year 5000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHECKSUM = re.compile(r"([0-9a-f]{64})\s+\*?(\S+)\s*")


@dataclass(frozen=True, order=True)
class Bar:
    """Prices and volumes from `start` to before `end` (UTC)."""

    start: datetime
    end: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal
    trades: int


def requests(settings: CryptoSource, fetch: Fetch, today: date) -> Iterator[Request]:
    """For every pair and month the archive, by the checksum that is published with it, or the bars themselves
    where there is no archive."""
    for pair in settings.pairs:
        for month in months(settings, today):
            try:
                if month == f"{today:%Y-%m}":
                    raise Refused(pair, "a running month has no archive")
                yield archive_request(settings, fetch, pair, month)
            except Refused:
                yield bars_request(settings, pair, month)


def archive_request(settings: CryptoSource, fetch: Fetch, pair: str, month: str) -> Request:
    """The request of a month's archive; it is asked for again only if its published checksum changed.

    Raises:
        Refused: there is no archive.
    """
    symbol = pair.replace("/", "")
    name = f"{symbol}-{settings.interval}-{month}.zip"
    url = f"{ARCHIVES}/{symbol}/{settings.interval}/{name}"
    checksum = Request(f"{url}.CHECKSUM", check=partial(check_checksum, name), note={"provider": "binance"})
    digest = digest_of(name, fetch(checksum))
    note = {**note_of(settings, pair, month), "sha256": digest}
    return Request(url, immutable=True, check=partial(check_archive, digest), note=note)


def note_of(settings: CryptoSource, pair: str, month: str) -> dict[str, str]:
    """What the parser needs to know of an answer."""
    return {"provider": "binance", "pair": pair, "interval": settings.interval, "month": month}


def digest_of(name: str, body: bytes) -> str:
    """The SHA-256 in a checksum file.

    Raises:
        ValueError: it is not the checksum of the file of this name.
    """
    match = CHECKSUM.fullmatch(body.decode())
    if match is None or match[2] != name:
        raise ValueError(f"not the checksum of {name}")
    return match[1]


def check_checksum(name: str, body: bytes) -> None:
    """Refuse what is not the checksum of a file."""
    digest_of(name, body)


def check_archive(digest: str, body: bytes) -> None:
    """Refuse an archive that is not the one that was published."""
    if hashlib.sha256(body).hexdigest() != digest:
        raise ValueError("the archive does not have the checksum that is published with it")


def bars_request(settings: CryptoSource, pair: str, month: str) -> Request:
    """The request of a month's bars."""
    period = month_period(month)
    first, last = datetime.combine(period.start, EPOCH.timetz()), datetime.combine(period.end, EPOCH.timetz())
    start, end = int(first.timestamp()) * 1000, int((last + timedelta(days=1)).timestamp()) * 1000 - 1
    symbol = pair.replace("/", "")
    query = f"symbol={symbol}&interval={settings.interval}&startTime={start}&endTime={end}&limit={BARS}"
    return Request(f"{API}?{query}", check=check_bars, note=note_of(settings, pair, month))


def check_bars(body: bytes) -> None:
    """Refuse an error that comes with status 200, and a month without bars."""
    rows = load_json(body)
    if not isinstance(rows, list):
        raise ValueError(str(rows.get("msg")) if isinstance(rows, dict) else "not a list of bars")
    if not rows:
        raise ValueError("no bars in this month")


def month_period(month: str) -> Period:
    """A month such as 2024-03."""
    return part_of_year(int(month[:4]), int(month[5:]), "monthly")


def rows_of(body: bytes) -> tuple[None, list[Any]]:
    """The rows of an archive, or of an answer of the API.

    Raises:
        ValueError: it is neither.
    """
    if not body.startswith(b"PK"):
        rows: list[Any] = load_json(body)
        return None, rows
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            (name,) = archive.namelist()
            return None, list(csv.reader(io.StringIO(archive.read(name).decode())))
    except (zipfile.BadZipFile, zlib.error, csv.Error, ValueError) as error:
        raise ValueError(f"not an archive of one table: {error}") from None


def read(settings: CryptoSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the named pairs, month by month; a month is superseded as bars come."""
    for pair in settings.pairs:
        stored: dict[str, list[Answer]] = {}
        for answer in answers_of(raw, provider="binance", pair=pair, interval=settings.interval):
            stored.setdefault(answer.note["month"], []).append(answer)
        for month in sorted(stored):
            if settings.first_month <= month <= (settings.last_month or month):
                yield from month_documents(settings, raw, report, pair, stored[month])


def month_documents(
    settings: CryptoSource, raw: RawStore, report: SourceReport, pair: str, answers: list[Answer]
) -> Iterator[Document]:
    """The states of a month of a pair, one for every answer that says something new.

    A state is public at the end of its last bar, which the exchange shows at once. Where bars that were known
    already have changed, it is dated by its retrieval.
    """
    known: dict[datetime, Bar] = {}
    previous: Document | None = None
    questions: list[Document] = []
    month = answers[0].note["month"]
    for answer in answers:
        bars: dict[datetime, Bar] = {}
        for _, bar in each_row(raw, [answer], rows_of, partial(bar_of, month), report):
            if bar.start in bars:
                report.bad(file_name(answer), 1, f"a second bar of {bar.start.isoformat()}")
                continue
            bars[bar.start] = bar
        if not bars or bars == known:
            continue
        release: tuple[datetime, DatePrecision] = max(bar.end for bar in bars.values()), "second"
        if any(bars.get(start) != bar for start, bar in known.items()):
            release = answer.moment, "bound"
        previous = month_document(settings, pair, month, bars, answer, release, previous)
        yield previous
        if settings.questions and not questions:
            questions = list(question_documents(settings, pair, month, bars, answer))
            yield from questions
        known = bars


def bar_of(month: str, content: object, row: list[Any], answer: Answer) -> Bar | None:
    """A bar of the month; None for one that had not ended when it was retrieved.

    Raises:
        ValueError, IndexError: it is not a bar, contradicts itself, or lies elsewhere in time.
    """
    start, end = instant(row[0]), instant(row[6], after=True)
    prices = [exact(value) for value in row[1:5]]
    volume, turnover, trades = exact(row[5]), exact(row[7]), int(exact(row[8]))
    if f"{start:%Y-%m}" != month:
        raise ValueError(f"a bar of {start.isoformat()}, outside {month}")
    if start > answer.moment:
        raise ValueError(f"a bar of {start.isoformat()}, after the retrieval")
    opened, high, low, close = prices
    if not (0 < low <= min(opened, close) and max(opened, close) <= high and volume >= 0 and end > start):
        raise ValueError(f"the bar of {start.isoformat()} contradicts itself")
    if end > answer.moment:
        return None
    return Bar(start, end, opened, high, low, close, volume, turnover, trades)


def instant(time: Any, after: bool = False) -> datetime:
    """A time in milliseconds or microseconds; `after` gives the first moment after it.

    Raises:
        ValueError: it is not one.
    """
    units = int(exact(time)) + after
    try:
        return EPOCH + timedelta(microseconds=units if units >= MICROSECONDS else units * 1000)
    except OverflowError:
        raise ValueError(f"{time!r} is not a time") from None


def month_document(
    settings: CryptoSource,
    pair: str,
    month: str,
    bars: Mapping[datetime, Bar],
    answer: Answer,
    release: tuple[datetime, DatePrecision],
    previous: Document | None,
) -> Document:
    """The document of a month's bars."""
    moment, precision = release
    days = days_of([bars[start] for start in sorted(bars)])
    identity = f"binance/{pair}/{settings.interval}/{month}"
    return Document.make(
        source=settings.name,
        native_id=identity,
        kind="bars",
        title=f"{pair} on Binance, {month}",
        text=month_text(pair, settings.interval, month_period(month), days, moment, form_of(identity)),
        available_at=moment,
        date_precision=precision,
        period_end=max(days).day,
        vintage=0 if previous is None else previous.vintage + 1,
        supersedes=None if previous is None else previous.doc_id,
        entities=[("binance", pair.replace("/", ""))],
        url=answer.url,
        raw_sha256=answer.sha256,
        raw_file=file_name(answer),
        licence=LICENCE,
        use=settings.use,
    )


def question_documents(
    settings: CryptoSource, pair: str, month: str, bars: Mapping[datetime, Bar], answer: Answer
) -> Iterator[Document]:
    """Questions about a month's closes, of a month whose bars are all there."""
    days = days_of([bars[start] for start in sorted(bars)])
    if max(days).day != month_period(month).end or len(days) < max(days).day.day:
        return
    closes = [close_of(day) for day in days]
    about = Month(f"{pair} on Binance", pair.partition("/")[2], month, closes)
    for question in about.questions():
        identity = f"binance/{pair}/{settings.interval}/{month}/{question.kind}"
        asked = chosen(identity, question.templates).format(**question.slots)
        yield Document.make(
            source=f"{settings.name}_questions",
            native_id=identity,
            kind=CHAT,
            title=question.kind,
            text=question.chat(about.context(identity), asked),
            available_at=max(bar.end for bar in bars.values()),
            date_precision="second",
            period_end=max(days).day,
            entities=[("binance", pair.replace("/", "")), *question.entities],
            url=answer.url,
            raw_sha256=answer.sha256,
            raw_file=file_name(answer),
            licence=LICENCE,
            use=settings.use,
        )


def close_of(day: Day) -> Value:
    """A day's close, for a question."""
    label = day.day.isoformat()
    return Value(Decimal(format(day.close.normalize(EXACT), "f")), label, f"on {label}")


def days_of(bars: list[Bar]) -> list[Day]:
    """Bars in order, put together to days."""
    with localcontext(EXACT):
        return [day_of(day, list(of_day)) for day, of_day in groupby(bars, key=lambda bar: bar.start.date())]


def day_of(day: date, bars: list[Bar]) -> Day:
    """The bars of a day as one."""
    return Day(
        day=day,
        open=bars[0].open,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume=sum((bar.volume for bar in bars), Decimal()),
        turnover=sum((bar.turnover for bar in bars), Decimal()),
        trades=sum(bar.trades for bar in bars),
        bars=len(bars),
    )
