"""Macro releases: prices, jobs and growth from the statistics office, decisions and minutes of the central
bank."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from mintage.corpus.document import Document
from mintage.corpus.sources.sandbox.clock import MONTHS, Period, local_day, long_date
from mintage.corpus.sources.sandbox.facts import hundredths, quarter_words, tenths
from mintage.corpus.sources.sandbox.macro_simulation import INFLATION_TARGET
from mintage.corpus.sources.sandbox.prose import LICENCE, Section, Voice, compose
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.sectors import SECTORS
from mintage.corpus.sources.sandbox.tables import Economy, Macro, Meeting, Print

ESTIMATES = ("advance", "second", "third")
MINUTES_WEIGHT = 2.0  # minutes against another macro release of weight 1


class _Slots(dict[str, str]):
    """Slots with the stream that the prose helpers expect beside them."""

    def __init__(self, stream: Stream, **texts: str) -> None:
        super().__init__(texts)
        self.stream = stream


def month_words(month: tuple[int, int]) -> str:
    """ "March 2014"."""
    return f"{MONTHS[month[1] - 1]} {month[0]}"


def month_before(month: tuple[int, int]) -> tuple[int, int]:
    """The month before."""
    return (month[0] - 1, 12) if month[1] == 1 else (month[0], month[1] - 1)


def _known(prints: list[Print], at: datetime) -> int:
    """The last value published by a moment."""
    return [one.value for one in prints if one.at <= at][-1]


def _economy(stream: Stream, macro: Macro, at: datetime) -> _Slots:
    """The economy as known at a moment."""
    inflation_month, inflation = macro.latest(macro.inflation, at)
    quarter, growth = macro.latest(macro.growth, at)
    number = [one.at <= at for one in macro.growth[quarter]].count(True) - 1
    parts = {name: tenths(value)[:-1] for name, value in macro.contributions[quarter][number].items()}
    distance = inflation - 10 * INFLATION_TARGET
    return _Slots(
        stream,
        inflation=tenths(inflation),
        inflation_month=month_words(inflation_month),
        core=tenths(_known(macro.core_inflation[inflation_month], at)),
        energy=tenths(_known(macro.energy_inflation[inflation_month], at)),
        food=tenths(_known(macro.food_inflation[inflation_month], at)),
        unemployment=tenths(macro.latest(macro.unemployment, at)[1]),
        payrolls=f"{macro.latest(macro.payrolls, at)[1]:,}",
        policy_rate=hundredths(macro.rate_at(at)),
        growth=tenths(growth),
        growth_quarter=quarter_words(quarter),
        goal="above" if distance > 0 else "below" if distance < 0 else "at",
        trend="above" if growth > 22 else "below" if growth < 22 else "at",
        hiring=stream.pick(SECTORS).name,
        **parts,
    )


def write_prices(seed: int, economy: Economy, month: tuple[int, int], room: float) -> Document:
    """The consumer prices of a month."""
    macro, at = economy.macro, economy.macro.inflation[month][0].at
    before = month_before(month)
    slots = _economy(Stream(seed, "prices", month), macro, at)
    slots |= {
        "month": month_words(month),
        "month_before": month_words(before),
        "inflation_before": tenths(_known(macro.inflation[before], at)),
        "core_before": tenths(_known(macro.core_inflation[before], at)),
    }
    voice = Voice("macro")
    required = [voice.say("prices", slots)]
    revision = [one for one in macro.inflation[before] if one.vintage == 1 and one.at == at]
    if revision:
        slots |= {
            "revised_month": month_words(before),
            "revised": tenths(revision[0].value),
            "first_print": tenths(macro.inflation[before][0].value),
        }
        required.append(voice.say("revised", slots))
    lines = (("Inflation", "inflation"), ("Core inflation", "core"), ("Energy", "energy"), ("Food", "food"))
    required.append("\n".join(f"{label}, {month_words(month)}: {slots[name]}" for label, name in lines))
    more = [lambda: voice.say("prices more", slots)] * 4
    return _release(
        f"prices-{month[0]}-{month[1]:02d}",
        voice.say("title prices", slots),
        required,
        more,
        slots,
        at,
        room,
        _month_end(month),
    )


def write_jobs(seed: int, economy: Economy, month: tuple[int, int], room: float) -> Document:
    """Unemployment and payrolls of a month."""
    macro, at = economy.macro, economy.macro.unemployment[month][0].at
    before = month_before(month)
    slots = _economy(Stream(seed, "jobs", month), macro, at)
    payrolls = macro.payrolls[before]
    slots |= {
        "month": month_words(month),
        "month_before": month_words(before),
        "unemployment_before": tenths(_known(macro.unemployment[before], at)),
        "payrolls_revised": f"{payrolls[1].value:,}",
        "payrolls_first": f"{payrolls[0].value:,}",
    }
    voice = Voice("macro")
    required = [voice.say("jobs", slots)]
    revision = [one for one in macro.unemployment[before] if one.vintage == 1 and one.at == at]
    if revision:
        slots |= {
            "revised_month": month_words(before),
            "revised": tenths(revision[0].value),
            "first_print": tenths(macro.unemployment[before][0].value),
        }
        required.append(voice.say("jobs revised", slots))
    more = [lambda: voice.say("jobs more", slots)] * 3
    return _release(
        f"jobs-{month[0]}-{month[1]:02d}",
        voice.say("title jobs", slots),
        required,
        more,
        slots,
        at,
        room,
        _month_end(month),
    )


def growth_id(period: Period) -> str:
    """The name of a quarter's growth release, the same for its three estimates."""
    return f"growth-{period.label.replace(' ', '-')}"


def write_growth(
    seed: int, economy: Economy, period: Period, vintage: int, room: float, earlier: Document | None
) -> Document:
    """One of the three estimates of a quarter's growth; the second and third supersede the one before."""
    macro = economy.macro
    one = macro.growth[period][vintage]
    slots = _economy(Stream(seed, "growth", period.label, vintage), macro, one.at)
    parts = {name: tenths(value)[:-1] for name, value in macro.contributions[period][vintage].items()}
    slots |= {
        "quarter": quarter_words(period),
        "estimate": ESTIMATES[vintage],
        "growth": tenths(one.value),
        "growth_before": tenths(_known(macro.growth[period.previous()], one.at)),
        **parts,
    }
    voice = Voice("macro")
    required = [voice.say("growth", slots)]
    if vintage:
        slots["growth_earlier"] = tenths(macro.growth[period][vintage - 1].value)
        required[0] += " " + voice.say("growth revised", slots)
    required.append(voice.say("growth parts", slots))
    more = [lambda: voice.say("growth more", slots)] * 3
    title = voice.say("title growth", slots)
    return _release(
        growth_id(period), title, required, more, slots, one.at, room, period.end, vintage, earlier
    )


def write_decision(seed: int, economy: Economy, meeting: Meeting, room: float) -> Document:
    """The statement after a meeting of the central bank."""
    voice, slots, direction = _meeting(seed, economy, meeting, meeting.at, "decision")
    required = [voice.say(f"decision {direction}", slots), voice.say("economy", slots)]
    more: list[Callable[[], str]] = [lambda: voice.say("economy", slots)] * 4
    more += [lambda: voice.say(f"stance {direction}", slots)] * 2 + [lambda: voice.say("governor", slots)] * 2
    if meeting.votes[1]:
        required.append(voice.say("dissent", slots))
    title = voice.say("title decision", slots)
    return _release(f"decision-{local_day(meeting.at)}", title, required, more, slots, meeting.at, room, None)


def write_minutes(seed: int, economy: Economy, meeting: Meeting, room: float) -> Document:
    """The minutes of a meeting, three weeks later; they speak of what was known at the meeting."""
    voice, slots, direction = _meeting(seed, economy, meeting, meeting.at, "minutes")
    required = [voice.say("minutes", slots), voice.say(f"decision {direction}", slots)]
    more: list[Callable[[], str]] = [lambda: voice.say("minutes", slots)] * 9
    more += [lambda: voice.say("economy", slots)] * 4 + [lambda: voice.say(f"stance {direction}", slots)] * 2
    if meeting.votes[1]:
        required.append(voice.say("dissent", slots))
    title = voice.say("title minutes", slots)
    return _release(
        f"minutes-{local_day(meeting.at)}", title, required, more, slots, meeting.minutes_at, room, None
    )


def _meeting(
    seed: int, economy: Economy, meeting: Meeting, at: datetime, kind: str
) -> tuple[Voice, _Slots, str]:
    slots = _economy(Stream(seed, kind, meeting.at), economy.macro, at)
    slots |= {
        "day": long_date(local_day(meeting.at)),
        "step": str(abs(meeting.after - meeting.before)),
        "rate": hundredths(meeting.after),
        "rate_before": hundredths(meeting.before),
        "votes": f"{meeting.votes[0]} to {meeting.votes[1]}",
        "dissenter": meeting.dissenter,
        "governor": meeting.governor,
    }
    direction = (
        "still" if meeting.after == meeting.before else "up" if meeting.after > meeting.before else "down"
    )
    return Voice("macro"), slots, direction


def _month_end(month: tuple[int, int]) -> date:
    following = date(month[0] + month[1] // 12, month[1] % 12 + 1, 1)
    return date.fromordinal(following.toordinal() - 1)


def _release(
    name: str,
    title: str,
    required: list[str],
    optional: list[Callable[[], str]],
    slots: _Slots,
    at: datetime,
    room: float,
    period_end: date | None,
    vintage: int = 0,
    earlier: Document | None = None,
) -> Document:
    return Document.make(
        source="sandbox_macro",
        native_id=name,
        text=compose([Section(f"# {title}", required, optional)], room, slots),
        licence=LICENCE,
        use="ship",
        kind="macro_release",
        title=title,
        available_at=at,
        date_precision="second",
        published_at=at,
        period_end=period_end,
        vintage=vintage,
        supersedes=earlier.doc_id if earlier else None,
    )
