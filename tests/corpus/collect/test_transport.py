"""How answers come: live, with pauses and limits, and replayed."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from mintage.corpus.collect import transport
from mintage.corpus.collect.transport import ATTEMPTS, Live, Refused, Replay, Request
from mintage.errors import MintageError

URL = "https://www.example.org/page"


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.pauses = 1000.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


def live(clock: Clock, answer: Callable[[httpx.Request], httpx.Response], rate: float = 1000.0) -> Live:
    return Live(
        "tests me@example.org",
        {"example.org": rate},
        sleep=clock.sleep,
        transport=httpx.MockTransport(answer),
    )


def in_turn(*answers: httpx.Response | Exception) -> Callable[[httpx.Request], httpx.Response]:
    left = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        one = next(left)
        if isinstance(one, Exception):
            raise one
        return one

    return answer


def test_a_request_carries_the_user_agent_and_its_own_headers_and_gives_the_body(clock: Clock) -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, content=b"text", headers={"ETag": '"1"', "Content-Type": "text/plain"})

    response = live(clock, answer).get(Request(URL, headers={"X-Key": "secret"}), {"If-None-Match": '"0"'})
    assert response.body == b"text"
    assert response.headers["etag"] == '"1"'
    assert seen[0]["user-agent"] == "tests me@example.org"
    assert seen[0]["x-key"] == "secret"
    assert seen[0]["if-none-match"] == '"0"'
    assert abs(datetime.now(UTC) - response.retrieved_at) < timedelta(minutes=1)


def test_secret_parameters_are_sent_and_stand_in_no_answer_and_no_log(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, content=b"text")

    response = live(clock, answer).get(Request(f"{URL}?a=1", parameters={"key": "secret"}), {})
    assert asked == [f"{URL}?a=1&key=secret"]
    assert response.url == f"{URL}?a=1"
    assert "secret" not in caplog.text


@pytest.mark.parametrize("status", [400, 401, 404, 410, 501])
def test_other_statuses_are_refused_at_once(clock: Clock, status: int) -> None:
    with pytest.raises(Refused, match=f"HTTP {status}"):
        live(clock, in_turn(httpx.Response(status, content=b"no"))).get(Request(URL), {})
    assert clock.pauses == []


@pytest.mark.parametrize("status", [408, 425, 500, 502, 504])
def test_a_host_in_trouble_is_asked_again_at_its_rate(clock: Clock, status: int) -> None:
    times = []

    def answer(request: httpx.Request) -> httpx.Response:
        times.append(clock.now)
        return httpx.Response(status if len(times) == 1 else 200, content=b"text")

    assert live(clock, answer, rate=0.1).get(Request(URL), {}).body == b"text"
    assert times[1] - times[0] >= 10


def test_an_address_that_moved_is_followed_and_kept_under_its_own_name(clock: Clock) -> None:
    moved = httpx.Response(301, headers={"Location": "https://www.example.org/new"})
    response = live(clock, in_turn(moved, httpx.Response(200, content=b"text"))).get(Request(URL), {})
    assert (response.url, response.body) == (URL, b"text")


def test_an_address_that_leads_in_a_circle_is_refused_and_the_host_asked_on(clock: Clock) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/other":
            return httpx.Response(200, content=b"text")
        return httpx.Response(302, headers={"Location": str(request.url)})

    one = live(clock, answer)
    with pytest.raises(Refused, match="in a circle"):
        one.get(Request(URL), {})
    with pytest.raises(Refused, match="no address that can be asked: Invalid port"):
        one.get(Request("https://www.example.org:port/"), {})
    assert clock.pauses == []
    assert one.get(Request("https://www.example.org/other"), {}).body == b"text"


def test_a_403_says_what_to_mend(clock: Clock) -> None:
    with pytest.raises(Refused, match="check the contact"):
        live(clock, in_turn(httpx.Response(403))).get(Request(URL), {})


def test_a_host_that_denies_everything_is_not_asked_for_ever(clock: Clock) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(403 if request.url.path.startswith("/denied") else 404)

    one = live(clock, answer)
    for number in range(transport.FAILURES - 1):
        with pytest.raises(Refused):
            one.get(Request(f"https://www.example.org/denied/{number}"), {})
    with pytest.raises(Refused, match="404"):  # another answer in between: it does not deny everything
        one.get(Request("https://www.example.org/missing"), {})
    for number in range(3 * transport.FAILURES):
        with pytest.raises(Refused, match="HTTP 403" if number < transport.FAILURES else "not asked, since"):
            one.get(Request(f"https://www.example.org/denied/{number}"), {})
    assert len(asked) == 2 * transport.FAILURES
    with pytest.raises(Refused, match="HTTP 403: the host refuses"):
        one.get(Request("https://data.example.org/denied"), {})  # other hosts are still asked


def test_an_empty_body_is_refused(clock: Clock) -> None:
    with pytest.raises(Refused, match="empty"):
        live(clock, in_turn(httpx.Response(200, content=b""))).get(Request(URL), {})


def test_a_429_with_seconds_is_obeyed(clock: Clock) -> None:
    busy = httpx.Response(429, headers={"Retry-After": "7"})
    response = live(clock, in_turn(busy, httpx.Response(200, content=b"text"))).get(Request(URL), {})
    assert response.body == b"text"
    assert 7 <= clock.pauses[0] <= 8


def test_a_429_with_a_date_is_obeyed(clock: Clock) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    busy = httpx.Response(503, headers={"Retry-After": until})
    live(clock, in_turn(busy, httpx.Response(200, content=b"text"))).get(Request(URL), {})
    assert 55 <= clock.pauses[0] <= 62


def test_a_429_without_a_time_is_asked_again_after_growing_pauses_and_then_refused(clock: Clock) -> None:
    answers = [httpx.Response(429) for _ in range(ATTEMPTS)]
    with pytest.raises(Refused, match=f"HTTP 429, {ATTEMPTS} times"):
        live(clock, in_turn(*answers)).get(Request(URL), {})
    pauses = [pause for pause in clock.pauses if pause > 0.1]  # without those of the rate
    assert len(pauses) == ATTEMPTS - 1
    assert all(2**n * 0.5 <= pause <= 2**n * 1.5 for n, pause in enumerate(pauses))


def test_a_host_that_asks_for_a_long_pause_is_left_alone(clock: Clock) -> None:
    long = httpx.Response(429, headers={"Retry-After": "3600"})
    one = live(clock, in_turn(long, httpx.Response(200, content=b"text")))
    with pytest.raises(Refused, match="asks to wait 3,600 seconds"):
        one.get(Request(URL), {})
    with pytest.raises(Refused, match=r"not asked, since www\.example\.org wants 3,600 seconds"):
        one.get(Request(f"{URL}/2"), {})
    assert clock.pauses == []
    clock.now += 3600
    assert one.get(Request(f"{URL}/2"), {}).body == b"text"


def test_a_host_that_is_down_is_not_waited_for_at_every_address(clock: Clock) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        raise httpx.ConnectError("no route to host")

    one = live(clock, answer)
    for number in range(3 * transport.FAILURES):
        with pytest.raises(Refused, match="no route" if number < transport.FAILURES else "not asked, since"):
            one.get(Request(f"{URL}/{number}"), {})
    assert len(asked) == ATTEMPTS * transport.FAILURES


def test_an_unreadable_retry_after_counts_as_none(clock: Clock) -> None:
    busy = httpx.Response(429, headers={"Retry-After": "soon"})
    live(clock, in_turn(busy, httpx.Response(200, content=b"text"))).get(Request(URL), {})
    assert 0.5 <= clock.pauses[0] <= 1.5


def test_a_cut_connection_is_tried_again(clock: Clock) -> None:
    broken = httpx.RemoteProtocolError("peer closed connection without sending complete message body")
    response = live(clock, in_turn(broken, httpx.Response(200, content=b"text"))).get(Request(URL), {})
    assert response.body == b"text"


def test_a_connection_that_is_cut_while_the_body_comes_is_tried_again_and_then_refused(clock: Clock) -> None:
    def cut() -> Iterator[bytes]:
        yield b"the first ha"
        raise httpx.ReadError("connection reset")

    with pytest.raises(Refused, match="ReadError"):
        live(clock, lambda request: httpx.Response(200, content=cut())).get(Request(URL), {})


def test_a_gzip_body_is_decompressed_and_a_truncated_one_is_no_answer(clock: Clock) -> None:
    body = gzip.compress(b"a long text " * 100)
    compressed = {"Content-Encoding": "gzip"}
    half = httpx.Response(200, headers=compressed, content=body[: len(body) // 2])
    whole = httpx.Response(200, headers=compressed, content=body)
    assert live(clock, in_turn(half, whole)).get(Request(URL), {}).body == b"a long text " * 100
    halves = [
        httpx.Response(200, headers=compressed, content=body[: len(body) // 2]) for _ in range(ATTEMPTS)
    ]
    with pytest.raises(Refused, match="cannot be decompressed"):
        live(clock, in_turn(*halves)).get(Request(URL), {})


def test_requests_keep_the_rate_of_their_domain_over_all_of_its_hosts(clock: Clock) -> None:
    times = []

    def answer(request: httpx.Request) -> httpx.Response:
        times.append(clock.now)
        return httpx.Response(200, content=b"text")

    both = live(clock, answer, rate=5.0)
    for number in range(20):
        both.get(Request(f"https://{'data' if number % 2 else 'www'}.example.org/{number}"), {})
    assert times[-1] - times[0] == pytest.approx(19 / 5)
    assert min(after - before for before, after in pairwise(times)) >= 0.2 - 1e-9


def test_a_host_without_a_rate_gets_the_modest_one(clock: Clock) -> None:
    start = clock.now
    one = live(clock, lambda request: httpx.Response(200, content=b"text"))
    for _ in range(5):
        one.get(Request("https://elsewhere.test/"), {})
    assert clock.now - start == pytest.approx(4 / transport.REQUESTS_PER_SECOND)


def test_a_saved_file_is_there_only_when_it_is_whole(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"

    def cut() -> Iterator[bytes]:
        yield b"x" * 1000
        raise httpx.ReadError("connection reset")

    with pytest.raises(Refused):
        live(clock, lambda request: httpx.Response(200, content=cut())).save(Request(URL), path)
    with pytest.raises(Refused, match="empty"):
        live(clock, lambda request: httpx.Response(200, content=b"")).save(Request(URL), path)
    assert list(tmp_path.iterdir()) == []
    live(clock, lambda request: httpx.Response(200, content=b"y" * 3_000_000)).save(Request(URL), path)
    assert path.read_bytes() == b"y" * 3_000_000
    assert list(tmp_path.iterdir()) == [path]


def ranged(body: bytes, pieces: list[int]) -> Callable[[httpx.Request], httpx.Response]:
    """A host that gives ranges of a body, and breaks the connection after as many bytes as `pieces` says."""

    def answer(request: httpx.Request) -> httpx.Response:
        start = int(request.headers.get("range", "bytes=0-")[6:-1])
        if start >= len(body):
            return httpx.Response(416, headers={"Content-Range": f"bytes */{len(body)}"})
        rest, cut = body[start:], pieces.pop(0) if pieces else None

        def content() -> Iterator[bytes]:
            yield rest[:cut]
            if cut is not None:
                raise httpx.ReadError("connection reset")

        between = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return httpx.Response(206 if start else 200, headers=between if start else {}, content=content())

    return answer


def test_a_file_that_never_changes_is_fetched_on_where_it_broke(clock: Clock, tmp_path: Path) -> None:
    path, body = tmp_path / "weights", bytes(range(256)) * 40
    asked = list[int]()
    host = live(clock, ranged(body, [100] * ATTEMPTS))
    with pytest.raises(Refused):
        host.save(Request(URL, immutable=True), path, asked.append)
    assert asked == [100, 200, 300, 400, 500]
    assert not path.exists()
    live(clock, ranged(body, [])).save(Request(URL, immutable=True), path)
    assert path.read_bytes() == body
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_between_the_last_byte_and_the_name_loses_nothing(clock: Clock, tmp_path: Path) -> None:
    path, body = tmp_path / "weights", b"whole" * 100
    (tmp_path / ".weights.partial").write_bytes(body)
    asked = list[int]()
    live(clock, ranged(body, [])).save(Request(URL, immutable=True), path, asked.append)
    assert path.read_bytes() == body
    assert asked == []  # nothing came a second time
    (tmp_path / ".weights.partial").write_bytes(body + b"more than there is")
    live(clock, ranged(body, [])).save(Request(URL, immutable=True), path)
    assert path.read_bytes() == body


def test_a_host_that_knows_no_ranges_sends_all_again(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    (tmp_path / ".weights.partial").write_bytes(b"old")
    live(clock, lambda request: httpx.Response(200, content=b"all of it")).save(
        Request(URL, immutable=True), path
    )
    assert path.read_bytes() == b"all of it"
    wrong = {"Content-Range": "bytes 7-8/9"}
    answers = in_turn(httpx.Response(206, headers=wrong, content=b"it"), httpx.Response(200, content=b"all"))
    (tmp_path / ".weights.partial").write_bytes(b"old")
    live(clock, answers).save(Request(URL, immutable=True), path)
    assert path.read_bytes() == b"all"


def write_recording(folder: Path, name: str, body: bytes, sha256: str | None = None) -> None:
    entry = {"url": URL, "file": name, "sha256": sha256 or hashlib.sha256(body).hexdigest()}
    (folder / "MANIFEST.json").write_text(json.dumps([entry]))
    (folder / name).write_bytes(gzip.compress(body) if name.endswith(".gz") else body)


def test_a_recording_is_replayed_by_url(tmp_path: Path) -> None:
    write_recording(tmp_path, "page.gz", b"text")
    replay = Replay([tmp_path])
    os.utime(tmp_path / "page.gz", (1, 1_700_000_000))
    response = replay.get(Request(URL), {})
    assert response.body == b"text"
    assert response.retrieved_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)  # the same in every run
    with pytest.raises(Refused, match="not among the recorded responses"):
        replay.get(Request(URL + "/other"), {})


def test_a_recording_that_is_damaged_or_missing_is_refused(tmp_path: Path) -> None:
    write_recording(tmp_path, "page.gz", b"text", sha256="0" * 64)
    with pytest.raises(Refused, match="not the one that the manifest names"):
        Replay([tmp_path]).get(Request(URL), {})
    (tmp_path / "page.gz").write_bytes(gzip.compress(b"text")[:-9])
    with pytest.raises(Refused, match="cannot be read"):
        Replay([tmp_path]).get(Request(URL), {})
    (tmp_path / "page.gz").unlink()
    with pytest.raises(Refused, match="cannot be read"):
        Replay([tmp_path]).get(Request(URL), {})
    (tmp_path / "MANIFEST.json").unlink()
    with pytest.raises(MintageError, match=r"no MANIFEST\.json"):
        Replay([tmp_path])
