"""Collecting by yfinance, up to the package: answers in its CSV layout, written here and not recorded."""

import time
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from mintage.corpus.collect.collect import collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Refused, Request, Response
from mintage.corpus.sources.markets.settings import MarketsSource
from mintage.corpus.sources.markets.source import files, read
from mintage.corpus.sources.markets.yahoo import discover, parse
from mintage.corpus.sources.report import SourceReport

HEADER = "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"


def history(until: date, base: float = 50.0) -> bytes:
    """Weekdays from 2023-12-29 on, in the layout of yfinance with auto_adjust=False."""
    lines, day, number = [], date(2023, 12, 29), 0
    while day <= until:
        if day.weekday() < 5:
            close = base + number % 7
            offset = "-05:00" if day < date(2024, 3, 10) else "-04:00"
            lines.append(
                f"{day} 00:00:00{offset},{close},{close + 1},{close - 1},{close},{close},1000,0.0,0.0\n"
            )
            number += 1
        day += timedelta(days=1)
    return (HEADER + "".join(lines)).encode()


class Answers:
    """Answers by symbol, at a moment; refuses the others."""

    def __init__(self, bodies: dict[str, bytes], moment: datetime):
        self.bodies, self.moment = bodies, moment

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        symbol = request.note["symbol"]
        if symbol not in self.bodies:
            raise Refused(request.url, "YFPricesMissingError: possibly delisted")
        return Response(request.url, 200, {}, self.bodies[symbol], self.moment)


def source_of(tmp_path) -> MarketsSource:
    universe = tmp_path / "universe.csv"
    universe.write_text("symbol,name\nAAA,Alpha Inc.\n^IDX,An Index\nGONE,Gone Corp.\n")
    return MarketsSource(licence="Yahoo, personal use", universe=str(universe), yfinance=True)


def test_symbols_are_collected_once_each_and_read_as_files_would_be(tmp_path):
    source = source_of(tmp_path)
    body = history(date(2024, 4, 30))
    moment = datetime(2024, 5, 1, 1, 0, tzinfo=UTC)
    raw = RawStore(tmp_path / "raw")
    account = collect(discover, source, raw, Answers({"AAA": body, "^IDX": body}, moment))
    assert (account.fetched, account.refused) == (2, 1) and "GONE" in account.refusals[0]
    report = SourceReport()
    documents = list(parse(source, RawStore(tmp_path / "raw"), report))
    assert report.bad_rows == 0
    assert documents[0].url == "https://finance.yahoo.com/quote/AAA/history"
    assert {each.raw_sha256 for each in documents} == {answer.sha256 for answer in raw}

    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "AAA.csv").write_bytes(body)
    (folder / "^IDX.csv").write_bytes(body)
    by_files = MarketsSource(path=str(folder), licence="own", universe=source.universe)
    assert [each.text for each in documents] == [each.text for each in read(by_files, SourceReport())]
    assert [name for _, name in files(source)] == ["universe.csv"]


def test_a_session_that_was_not_over_when_it_was_fetched_is_left_out(tmp_path):
    source = source_of(tmp_path)
    during = datetime(2024, 4, 30, 17, 0, tzinfo=UTC)  # 13:00 in New York on the last session of April
    collect(
        discover, source, RawStore(tmp_path / "raw"), Answers({"AAA": history(date(2024, 4, 30))}, during)
    )
    labels = {each.native_id for each in parse(source, RawStore(tmp_path / "raw"), SourceReport())}
    assert "AAA/2024-03" in labels and "AAA/2024-04" not in labels


def test_the_newest_answer_is_read_and_an_empty_one_is_refused(tmp_path):
    source = source_of(tmp_path)
    raw = RawStore(tmp_path / "raw")
    for month, base in ((3, 50.0), (4, 60.0)):
        moment = datetime(2024, month + 1, 1, 1, 0, tzinfo=UTC)
        body = history(date(2024, month + 1, 1) - timedelta(days=1), base)
        collect(discover, source, raw, Answers({"AAA": body}, moment))
    account = collect(discover, source, raw, Answers({"AAA": HEADER.encode()}, moment))
    assert account.refused == 3
    texts = {each.native_id: each.text for each in parse(source, raw, SourceReport())}
    assert "AAA/2024-04" in texts and "6" in texts["AAA/2024-01"] and "50.00" not in texts["AAA/2024-01"]


def test_reading_a_universe_of_thousands_needs_no_time(tmp_path):
    universe = tmp_path / "universe.csv"
    rows = "".join(
        f"S{number},Company {number},Sector {number % 11},USD,NYSE,,,\n" for number in range(6_000)
    )
    universe.write_text("symbol,name,sector,currency,exchange,zone,close,listed\n" + rows)
    source = MarketsSource(licence="own", universe=str(universe), yfinance=True)
    start = time.process_time()
    account = collect(discover, source, RawStore(tmp_path / "raw"), Answers({}, datetime.now(UTC)))
    assert account.refused == 6_000 and time.process_time() - start < 5
