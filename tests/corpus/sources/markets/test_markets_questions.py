"""Questions about closes of real price files: exact answers on closes that stand in the context."""

from __future__ import annotations

import csv
import itertools
import re
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from mintage.corpus.document import Document, chat_messages
from mintage.corpus.extract.figures import number
from mintage.corpus.extract.price_questions import Month, Split
from mintage.corpus.extract.series_questions import Value
from mintage.corpus.sources.markets.settings import Columns, MarketsSource
from mintage.corpus.sources.markets.source import read
from mintage.corpus.sources.report import SourceReport
from tests.corpus.extract.programs import result_of

FILES = ["CALM-1d-no-bad-divs.csv", "ADIG-L-1d-bad-div-fixed.csv", "ABDP-L-1d-bad-div-fixed.csv"]


def questions(path: Path) -> list[Document]:
    settings = MarketsSource(
        path=str(path),
        licence="tests",
        columns=Columns(date="Datetime"),
        periods=(),
        since_listing=False,
        questions=True,
    )
    every = list(read(settings, SourceReport()))
    assert {document.source for document in every} == {"markets_questions"}
    return every


def closes_of(context: str) -> dict[str, Decimal]:
    """The closes of a context by day, whichever of the three forms it has."""
    found: dict[str, str] = {}
    for pattern in (r"\| ([\d-]{10}) \| (\S+) \|", r"(?m)^([\d-]{10}): (\S+)$"):
        found |= dict(re.findall(pattern, context))
    found |= {day: close for close, day in re.findall(r"(-?[\d,.]*\d) on ([\d-]{10})", context)}
    return {day: Decimal(close.replace(",", "")) for day, close in found.items()}


@pytest.mark.parametrize("name", FILES)
def test_every_answer_is_what_its_program_gives_on_closes_of_the_file(shared_data: Path, name: str) -> None:
    path = shared_data / "fixtures" / "markets" / name
    with path.open() as file:
        rows = {row["Datetime"][:10]: row for row in csv.DictReader(file)}
    later_splits = Decimal(1)
    traded: dict[str, Decimal] = {}
    for day in sorted(rows, reverse=True):  # the file is adjusted by later splits; a text has what was traded
        if rows[day]["Close"]:
            close = Decimal(rows[day]["Close"]) * later_splits
            traded[day] = close.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
        later_splits *= Decimal(rows[day]["Stock Splits"] or 0) or 1
    kinds = set()
    made = questions(path)
    for document in made:
        about = dict(document.entities)
        prompt, reply = (message["content"] for message in chat_messages(document.text))
        closes = closes_of(prompt.rsplit("\n\n", 1)[0])
        assert closes and all(traded[day] == close for day, close in closes.items())
        result, operands = result_of(about["program"])
        factors = {Decimal(one.replace(",", "")) for one in re.findall(r": (\S+) new for 1 old", prompt)}
        assert set(operands) <= set(closes.values()) | factors | {Decimal(100)}
        said = re.match(r"-?[\d,.]*\d", about["answer"])
        assert said and Fraction(said[0].replace(",", "")) == result
        assert about["answer"] in reply
        if document.title == "highest_close":
            (day,) = re.findall(r"on (\S+)\.$", reply)
            assert day[:7] == document.native_id.split("/")[1]
            assert closes[day] == max(close for when, close in closes.items() if when[:7] == day[:7])
        if document.title in ("return", "split_return"):
            assert (" rose by " if result > 0 else " fell by ") in reply and " by -" not in reply
            before, now = re.findall(r"\d{4}-\d\d-\d\d", reply)[:2]
            grown = closes[now] * (factors.pop() if document.title == "split_return" else 1)
            assert round(Fraction(grown - closes[before]) / Fraction(closes[before]) * 100 - result) == 0
        kinds.add(document.title)
        assert document.period_end and max(closes) == document.period_end.isoformat()
    assert {"return", "highest_close"} <= kinds
    print(name, len(made), sorted(kinds))


def test_a_split_is_taken_into_account(tmp_path: Path) -> None:
    lines = ["Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits"]
    for day in range(1, 32):
        close = Decimal(400 + day) if day < 16 else Decimal(100 + day)
        split = "4.0" if day == 16 else "0.0"
        lines.append(f"2023-05-{day:02d},{close},{close},{close},{close},{close},10,0.0,{split}")
    path = tmp_path / "ACME.csv"
    path.write_text("\n".join(lines) + "\n")
    settings = MarketsSource(
        path=str(path),
        licence="tests",
        columns=Columns(adjusted_close=None),
        adjusted="none",
        periods=(),
        since_listing=False,
        questions=True,
    )
    made = {document.title: document for document in read(settings, SourceReport())}
    assert set(made) == {"split_return", "split_adjusted"}
    program = dict(made["split_return"].entities)["program"]
    found = re.fullmatch(r"round\(\((\d+\.?\d*) \* 4(?:\.0)? - (\d+\.?\d*)\) / \2 \* 100, 2\)", program)
    assert found, program
    assert "Split on 2023-05-16" in made["split_return"].text
    adjusted = dict(made["split_adjusted"].entities)
    assert re.fullmatch(r"round\(4\d\d(\.0+)? / 4(\.0)?, 4\)", adjusted["program"]), adjusted
    value = Decimal(number(Decimal(adjusted["answer"].split()[0])))
    assert Decimal(100) < value < Decimal(104)


def test_a_split_lies_between_two_closes_from_its_own_day_on() -> None:
    closes = [Value(Decimal(1), f"2023-05-{day}", "") for day in (14, 15, 16, 17)]
    month = Month("ACME", "USD", "2023-05", closes, [Split("2023-05-16", Decimal(4))])
    pairs = itertools.combinations(range(4), 2)
    factors = {pair: month.factor(closes[pair[0]], closes[pair[1]]) for pair in pairs}
    assert factors == {(0, 1): 1, (0, 2): 4, (0, 3): 4, (1, 2): 4, (1, 3): 4, (2, 3): 1}
