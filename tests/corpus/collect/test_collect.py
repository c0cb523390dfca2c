"""Whatever happens while answers are stored, none is lost and none is counted twice."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mintage.corpus.collect.collect import Account, Fetch, collect
from mintage.corpus.collect.raw import JOURNAL, RawStore
from mintage.corpus.collect.transport import Refused, Request, Response
from mintage.errors import MintageError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOST = "https://example.org"


class World:
    """A host with pages, which remembers what it was asked."""

    def __init__(self, pages: dict[str, bytes], headers: dict[str, str] | None = None):
        self.pages, self.headers = pages, headers or {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        self.asked.append((request.url, dict(headers)))
        if request.url not in self.pages:
            raise Refused(request.url, "HTTP 404")
        if "etag" in self.headers and headers.get("If-None-Match") == self.headers["etag"]:
            return Response(request.url, 304, self.headers, b"", NOW)
        return Response(request.url, 200, self.headers, self.pages[request.url], NOW)

    def save(self, request: Request, path: Path) -> None:
        path.write_bytes(self.get(request, {}).body)


def pages(count: int) -> dict[str, bytes]:
    return {f"{HOST}/{number}": f"page {number}\n".encode() * (number + 1) for number in range(count)}


def every(settings: Any, fetch: Fetch) -> Iterator[Request]:
    for url in settings:
        yield Request(url, immutable=True, note={"page": url[-1]})


def contents(raw: RawStore) -> dict[str, bytes]:
    assert len(raw.answers) == len(raw.newest)  # nothing twice
    return {answer.url: raw.body(answer) for answer in raw}


def test_what_was_fetched_is_there_again_with_its_note_and_headers(tmp_path: Path) -> None:
    headers = {"etag": '"1"', "content-type": "text/plain", "last-modified": "yesterday", "server": "a"}
    world = World(pages(3), headers | {"set-cookie": "session=secret"})
    account = collect(every, list(world.pages), RawStore(tmp_path), world)
    assert account == Account(fetched=3, bytes=sum(len(body) for body in world.pages.values()))
    raw = RawStore(tmp_path)
    assert contents(raw) == world.pages
    answer = raw.newest[f"{HOST}/2"]
    assert (answer.etag, answer.last_modified, answer.content_type) == ('"1"', "yesterday", "text/plain")
    assert answer.headers == headers  # all of them but what is a secret of this session
    assert answer.note == {"page": "2"}
    assert answer.moment == NOW


def test_a_store_made_before_all_headers_were_kept_is_read_as_it_is(tmp_path: Path) -> None:
    world = World(pages(1), {"etag": '"1"'})
    collect(every, list(world.pages), RawStore(tmp_path), world)
    record = json.loads((tmp_path / JOURNAL).read_text())
    del record["headers"]
    record |= {"content_type": None, "etag": '"1"', "last_modified": None}
    (tmp_path / JOURNAL).write_text(json.dumps(record) + "\n")
    assert contents(RawStore(tmp_path)) == world.pages
    assert RawStore(tmp_path).answers[0].headers == {"etag": '"1"'}


def test_a_journal_cut_at_any_byte_loses_nothing_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a thousand stores, too slow with it
    world = World(pages(2))
    collect(every, list(world.pages), RawStore(tmp_path), world)
    journal = (tmp_path / JOURNAL).read_bytes()
    for length in range(len(journal) + 1):
        (tmp_path / JOURNAL).write_bytes(journal[:length])
        kept = journal[:length].count(b"\n")
        raw = RawStore(tmp_path)
        assert len(raw.answers) == kept
        account = collect(every, list(world.pages), raw, world)
        assert (account.fetched, account.unchanged) == (2 - kept, kept)
        assert contents(RawStore(tmp_path)) == world.pages
        assert (tmp_path / JOURNAL).read_bytes() == journal


@pytest.mark.parametrize("fails", ["replace", "fsync"])
def test_a_kill_before_any_write_is_done_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """Each rename, and each flush to the disk, in turn is where a run dies; a second run completes it."""

    class Killed(BaseException):
        pass

    world = World(pages(2))
    owner: Any = Path if fails == "replace" else os
    real = getattr(owner, fails)
    for allowed in range(100):
        left = allowed

        def dying(*arguments: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return real(*arguments)

        folder = tmp_path / str(allowed)
        with monkeypatch.context() as patch:
            patch.setattr(owner, fails, dying)
            try:
                collect(every, list(world.pages), RawStore(folder), world)
                break
            except Killed:
                pass
        collect(every, list(world.pages), RawStore(folder), world)
        assert contents(RawStore(folder)) == world.pages
    assert allowed >= 2  # it died at least once for each page


def test_a_full_disk_is_one_clear_message_and_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(pages(3))
    collect(every, [f"{HOST}/0"], RawStore(tmp_path), world)
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(MintageError, match="disk is full"):
            collect(every, list(world.pages), RawStore(tmp_path), world)
    assert contents(RawStore(tmp_path)) == {f"{HOST}/0": world.pages[f"{HOST}/0"]}
    collect(every, list(world.pages), RawStore(tmp_path), world)
    assert contents(RawStore(tmp_path)) == world.pages
    assert [path.name for path in tmp_path.rglob("*.tmp")] == []


def test_a_line_that_no_longer_fits_on_the_disk_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(pages(2))
    raw = RawStore(tmp_path)
    collect(every, [f"{HOST}/0"], raw, world)
    before = (tmp_path / JOURNAL).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mintage.corpus.collect.raw.write_atomic", lambda path, body: path.write_bytes(body))
        patch.setattr(os, "fsync", full)
        with pytest.raises(MintageError, match="disk is full"):
            collect(every, list(world.pages), raw, world)
    assert (tmp_path / JOURNAL).read_bytes() == before
    collect(every, list(world.pages), raw, world)
    assert contents(RawStore(tmp_path)) == world.pages


def test_a_damaged_body_is_named_and_not_used(tmp_path: Path) -> None:
    world = World(pages(1))
    raw = RawStore(tmp_path)
    collect(every, list(world.pages), raw, world)
    path = raw.object(raw.answers[0].sha256)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(MintageError, match="damaged"):
        raw.body(raw.answers[0])


def test_a_page_that_may_change_is_asked_for_with_its_validator_and_kept_where_it_has_not(
    tmp_path: Path,
) -> None:
    world = World({f"{HOST}/0": b"text"}, {"etag": '"1"'})
    fetch = Fetch(RawStore(tmp_path), world, Account())
    assert fetch(Request(f"{HOST}/0")) == b"text"
    assert fetch(Request(f"{HOST}/0")) == b"text"
    assert world.asked[1] == (f"{HOST}/0", {"If-None-Match": '"1"'})
    assert (fetch.account.fetched, fetch.account.unchanged) == (1, 1)
    world = World({f"{HOST}/1": b"text"}, {"last-modified": "Wed, 21 Oct 2015 07:28:00 GMT"})
    fetch = Fetch(RawStore(tmp_path), world, Account())
    fetch(Request(f"{HOST}/1"))
    fetch(Request(f"{HOST}/1"))
    assert world.asked[1] == (f"{HOST}/1", {"If-Modified-Since": "Wed, 21 Oct 2015 07:28:00 GMT"})


def test_a_page_asked_for_with_a_new_note_is_stored_with_it(tmp_path: Path) -> None:
    world = World({f"{HOST}/0": b"text"}, {"etag": '"1"'})
    fetch = Fetch(RawStore(tmp_path), world, Account())
    fetch.answer(Request(f"{HOST}/0", note={"series": "A"}))
    assert fetch.answer(Request(f"{HOST}/0", note={"series": "B"})).note == {"series": "B"}
    assert RawStore(tmp_path).newest[f"{HOST}/0"].note == {"series": "B"}
    last = fetch.answer(Request(f"{HOST}/0", immutable=True, note={"series": "C"}))
    assert last.note == {"series": "C"}


def test_a_page_that_changed_is_kept_in_both_states_and_the_newest_is_the_last(tmp_path: Path) -> None:
    world = World({f"{HOST}/0": b"first"})
    fetch = Fetch(RawStore(tmp_path), world, Account())
    for body in (b"first", b"second", b"second", b"first"):
        world.pages[f"{HOST}/0"] = body
        assert fetch(Request(f"{HOST}/0")) == body
    raw = RawStore(tmp_path)
    assert [raw.body(answer) for answer in raw] == [b"first", b"second", b"first"]
    assert (fetch.account.fetched, fetch.account.unchanged) == (3, 1)


def test_a_304_for_a_page_that_was_never_stored_is_refused(tmp_path: Path) -> None:
    class Confused(World):
        def get(self, request: Request, headers: Mapping[str, str]) -> Response:
            return Response(request.url, 304, {}, b"", NOW)

    fetch = Fetch(RawStore(tmp_path), Confused({}), Account())
    with pytest.raises(Refused, match="never stored"):
        fetch(Request(f"{HOST}/0"))


def test_an_answer_that_fails_its_check_is_not_stored_and_the_rest_goes_on(tmp_path: Path) -> None:
    def no_errors(body: bytes) -> None:
        if b"error" in body:
            raise ValueError("an error page")

    def discover(settings: Any, fetch: Fetch) -> Iterator[Request]:
        for url in world.pages:
            yield Request(url, check=no_errors)

    world = World({f"{HOST}/0": b"text", f"{HOST}/1": b"error 1015", f"{HOST}/2": b"more"})
    account = collect(discover, None, RawStore(tmp_path), world)
    assert (account.fetched, account.refused) == (2, 1)
    assert account.refusals == [f"{HOST}/1: the answer is not what was asked for: an error page"]
    assert set(RawStore(tmp_path).newest) == {f"{HOST}/0", f"{HOST}/2"}


def test_refusals_are_counted_with_examples_and_a_refused_index_ends_discovery(tmp_path: Path) -> None:
    def discover(settings: Any, fetch: Fetch) -> Iterator[Request]:
        yield Request(f"{HOST}/missing")
        yield Request(f"{HOST}/0")
        fetch(Request(f"{HOST}/index"))
        yield Request(f"{HOST}/never")

    world = World(pages(1))
    account = collect(discover, None, RawStore(tmp_path), world)
    assert (account.fetched, account.refused) == (1, 2)
    assert account.refusals == [f"{HOST}/missing: HTTP 404", f"{HOST}/index: HTTP 404"]


def test_headers_of_a_request_are_never_stored(tmp_path: Path) -> None:
    world = World(pages(1))
    fetch = Fetch(RawStore(tmp_path), world, Account())
    fetch.answer(Request(f"{HOST}/0", headers={"X-Key": "secret"}, parameters={"key": "secret"}))
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"secret" not in path.read_bytes()
    assert json.loads((tmp_path / JOURNAL).read_text())["url"] == f"{HOST}/0"
