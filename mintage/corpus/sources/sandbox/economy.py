"""The documents of the sandbox: `generate` simulates the economy and writes it out, in the order of what
happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from mintage.corpus.document import Document
from mintage.corpus.sources.sandbox import calls, drills, filings, macro, notes, questions, releases
from mintage.corpus.sources.sandbox.clock import Period, eastern
from mintage.corpus.sources.sandbox.prose import Pacer
from mintage.corpus.sources.sandbox.settings import SandboxSource
from mintage.corpus.sources.sandbox.simulation import simulate
from mintage.corpus.sources.sandbox.tables import Company, Economy, Event, Meeting, Quarter

# Shares of the prose; market notes take what these leave, and so keep the whole at its volume.
SHARES = {"filings": 0.47, "calls": 0.24, "releases": 0.11, "macro": 0.04}
# Weights of a company's year, or for macro releases of a year: what one document's share is measured by.
EVENTS_PER_YEAR = 2.6
WEIGHTS = {
    "filings": 3 + filings.ANNUAL_WEIGHT,
    "calls": 4.0,
    "releases": 4 + EVENTS_PER_YEAR * releases.EVENT_WEIGHT,
    "macro": 44 + 8 * macro.MINUTES_WEIGHT,
}
# With less room than this, a document is left out and its room kept for the next one; macro releases never
# are.
LEAST_ROOM = {
    "filings": 1_000.0,
    "calls": 1_500.0,
    "releases": 250.0,
    "macro": float("-inf"),
    "notes": 500.0,
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One thing to write: when it can be read, a name that orders entries of the same moment, how long it is
    against others of its family, and the writer, which gets the room in bytes and the document that this one
    replaces."""

    at: datetime
    name: str
    family: str
    weight: float
    write: Callable[[float, Document | None], Document]
    replaces: str | None = None  # native_id
    filing: Quarter | None = None  # for the report of a quarter: questions follow


def generate(settings: SandboxSource) -> Iterator[Document]:
    """The documents of the sandbox, one by one; each becomes available between the first and the last day of
    its years.

    A document depends on nothing that happens after its `available_at`: an economy that runs on for more
    years (with as many megabytes a year) has the same documents in the years that both share, drills apart.
    """
    seed, economy, volume = settings.seed, simulate(settings), settings.megabytes * 1e6
    company_years = settings.companies * settings.years
    text = volume * (1 - settings.questions - settings.drills)
    prose = Pacer(text / (365.25 * settings.years))  # a day
    families = {
        family: Pacer(
            text * share / WEIGHTS[family] / (settings.years if family == "macro" else company_years)
        )
        for family, share in SHARES.items()
    }
    asked = Pacer(volume * settings.questions / company_years / WEIGHTS["calls"])  # a filing
    start = eastern(date(settings.first_year, 1, 1), 0, 0)
    end = eastern(date(settings.first_year + settings.years, 1, 1), 0, 0)
    yield from drills.write_drills(seed, round(volume * settings.drills), start)
    latest: dict[str, Document] = {}  # documents that may be replaced, by native_id
    granted = start
    for entry in sorted(_agenda(seed, economy, start, end), key=lambda entry: (entry.at, entry.name)):
        prose.grant((entry.at - granted).total_seconds() / 86_400)
        granted = entry.at
        room = notes.NOTE_LENGTH if entry.family == "notes" else families[entry.family].grant(entry.weight)
        replaced = latest.get(entry.replaces) if entry.replaces else None
        if entry.family == "filings" and entry.replaces:
            due = replaced is not None  # an amended report comes whenever the original one came
        else:
            due = (prose.balance if entry.family == "notes" else room) >= LEAST_ROOM[entry.family]
        if due:
            document = entry.write(room, replaced)
            prose.wrote(document.text)
            if entry.family != "notes":
                families[entry.family].wrote(document.text)
            if entry.family in ("filings", "macro"):
                latest[document.native_id] = document
            yield document
        if entry.filing is not None:
            yield from questions.write_questions(seed, economy, entry.filing, asked)


def _agenda(seed: int, economy: Economy, start: datetime, end: datetime) -> Iterator[_Entry]:
    """Everything that could be written between two moments."""
    entries: list[_Entry] = []
    for quarter in economy.quarters.values():
        if quarter.period.year >= economy.first_year - 1:
            entries += _of_quarter(seed, economy, quarter, start)
    for event in economy.events:
        entries += _of_event(seed, economy, economy.companies[event.ticker], event)
    for month in economy.macro.inflation:
        entries += _of_month(seed, economy, month)
    for period in economy.macro.growth:
        entries += [_growth(seed, economy, period, vintage) for vintage in (0, 1, 2)]
    for meeting in economy.macro.meetings:
        entries += _of_meeting(seed, economy, meeting)
    friday = start.date() + timedelta(days=(4 - start.date().weekday()) % 7)
    while friday < end.date():
        entries += _of_week(seed, economy, friday)
        friday += timedelta(days=7)
    return (entry for entry in entries if start <= entry.at < end)


def _of_quarter(seed: int, economy: Economy, quarter: Quarter, start: datetime) -> Iterator[_Entry]:
    name, company = f"{quarter.company.ticker} {quarter.period.label}", quarter.company
    yield _Entry(
        notes.preview_time(seed, quarter), f"preview {name}", "notes", 0,
        lambda room, _: notes.write_preview(seed, economy, quarter, room),
    )  # fmt: skip
    yield _Entry(
        quarter.released_at, f"results {name}", "releases", 1,
        lambda room, _: releases.write_results(seed, economy, quarter, room),
    )  # fmt: skip
    yield _Entry(
        quarter.call_at,
        f"call {name}",
        "calls",
        1,
        lambda room, _: calls.write_call(seed, economy, quarter, room),
    )
    yield _Entry(
        quarter.filed_at, f"filing {name}", "filings",
        filings.ANNUAL_WEIGHT if quarter.period.quarter == 4 else 1,
        lambda room, _: filings.write_filing(seed, economy, quarter, room, None), filing=quarter,
    )  # fmt: skip
    moment = quarter.released_at
    yield _Entry(
        notes.mover_time(seed, company, moment), f"mover {name}", "notes", 0,
        lambda room, _: notes.write_mover(seed, economy, company, quarter, room),
    )  # fmt: skip
    restatement = quarter.restatement
    if restatement is not None and quarter.filed_at >= start:
        yield _Entry(
            restatement.announced_at, f"notice {name}", "releases", releases.EVENT_WEIGHT,
            lambda room, _: releases.write_restatement_notice(seed, economy, quarter, room),
        )  # fmt: skip
        yield _Entry(
            restatement.amended_at, f"amended {name}", "filings", 0.5,
            lambda room, original: filings.write_filing(seed, economy, quarter, room, original),
            replaces=filings.native_id(company, filings.reported_period(quarter)),
        )  # fmt: skip


def _of_event(seed: int, economy: Economy, company: Company, event: Event) -> Iterator[_Entry]:
    name = f"{event.ticker} {event.kind}"
    yield _Entry(
        event.at, f"event {name}", "releases", releases.EVENT_WEIGHT,
        lambda room, _: releases.write_event(seed, economy, event, room),
    )  # fmt: skip
    yield _Entry(
        notes.mover_time(seed, company, event.at), f"mover {name}", "notes", 0,
        lambda room, _: notes.write_mover(seed, economy, company, event, room),
    )  # fmt: skip


def _of_month(seed: int, economy: Economy, month: tuple[int, int]) -> Iterator[_Entry]:
    series = economy.macro
    yield _Entry(
        series.inflation[month][0].at,
        "prices",
        "macro",
        1,
        lambda room, _: macro.write_prices(seed, economy, month, room),
    )
    yield _Entry(
        series.unemployment[month][0].at,
        "jobs",
        "macro",
        1,
        lambda room, _: macro.write_jobs(seed, economy, month, room),
    )


def _growth(seed: int, economy: Economy, period: Period, vintage: int) -> _Entry:
    return _Entry(
        economy.macro.growth[period][vintage].at, f"growth {period.label}", "macro", 1,
        lambda room, earlier: macro.write_growth(seed, economy, period, vintage, room, earlier),
        replaces=macro.growth_id(period),
    )  # fmt: skip


def _of_meeting(seed: int, economy: Economy, meeting: Meeting) -> Iterator[_Entry]:
    yield _Entry(
        meeting.at, "decision", "macro", 1, lambda room, _: macro.write_decision(seed, economy, meeting, room)
    )
    yield _Entry(
        meeting.minutes_at, "minutes", "macro", macro.MINUTES_WEIGHT,
        lambda room, _: macro.write_minutes(seed, economy, meeting, room),
    )  # fmt: skip


def _of_week(seed: int, economy: Economy, friday: date) -> Iterator[_Entry]:
    day = notes.trading_day_before(friday + timedelta(days=1))
    yield _Entry(
        notes.week_time(seed, day),
        "week",
        "notes",
        0,
        lambda room, _: notes.write_week(seed, economy, day, room),
    )
    # Sector notes come last in the week, and only where the week's news has left room.
    for number, sector in enumerate(notes.sectors_in_turn(seed, economy, day)):
        at = notes.sector_time(day, number)
        yield _Entry(at, f"sector {number:03d}", "notes", 0, _sector(seed, economy, sector, at))


def _sector(
    seed: int, economy: Economy, sector: str, at: datetime
) -> Callable[[float, Document | None], Document]:
    return lambda room, _: notes.write_sector(seed, economy, sector, at, room)
