"""How bytes come from the world: live over HTTP, politely, or replayed from recorded responses."""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import json
import logging
import os
import random
import re
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from mintage.errors import MintageError
from mintage.workspace import explain_full_disk, write_atomic

REQUESTS_PER_SECOND = 2.0  # to a host without a rate of its own
ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 120.0  # seconds
TIMEOUT = 60.0  # seconds without a byte
FAILURES = 10  # of a host in a row: HTTP 403, or every attempt; it blocks a program that goes on for longer
RETRIED = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Request:
    """One address to fetch, and what is known about it before.

    `immutable` says that its content never changes, so a stored answer is not asked for again. `check` raises
    ValueError for a body that is not what was asked for, whatever the status says. `note` is kept beside the
    stored answer, for the parser. `headers` and `parameters` (added to the URL's query when it is sent) may
    hold secrets; they are never stored.
    """

    url: str
    immutable: bool = False
    check: Callable[[bytes], None] | None = None
    note: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """What a host answered; `headers` have lower-case names. A body was decompressed where the transfer was
    compressed."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    retrieved_at: datetime


class Refused(Exception):
    """An address that gave no usable answer: refused, missing, empty, cut off, or an error in the body."""

    def __init__(self, url: str, reason: str):
        super().__init__(f"{url}: {reason}")
        self.url, self.reason = url, reason


class CutOff(Exception):
    """A compressed body that ends before its end, or is none."""


class Transport(Protocol):
    """Anything that answers a request."""

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        """Fetch, with these headers added (validators of a conditional request).

        Raises:
            Refused: no usable answer.
        """

    def save(self, request: Request, path: Path, seen: Callable[[int], None] = lambda size: None) -> None:
        """Fetch a body that is too large for the memory into a file, which is there only when it is whole.
        `seen` is told how many bytes are there, as they come.

        Raises:
            Refused: no usable answer.
        """


class Replay:
    """Recorded responses by URL: folders with a MANIFEST.json of {url, file, sha256}, files plain or .gz."""

    def __init__(self, folders: list[Path]):
        self.files: dict[str, tuple[Path, str]] = {}
        for folder in folders:
            try:
                manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
            except FileNotFoundError:
                raise MintageError(
                    f"{folder}: no MANIFEST.json; a folder of recorded responses lists its files there"
                ) from None
            for entry in manifest:
                self.files[entry["url"]] = (folder / entry["file"], entry["sha256"])

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        """The recorded answer; the recording's own time is not known, so the file's stands for it."""
        if request.url not in self.files:
            raise Refused(request.url, "not among the recorded responses")
        path, sha256 = self.files[request.url]
        try:
            body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        except (OSError, EOFError) as error:
            raise Refused(request.url, f"the recording {path.name} cannot be read: {error}") from None
        if hashlib.sha256(body).hexdigest() != sha256:
            raise Refused(request.url, f"the recording {path.name} is not the one that the manifest names")
        retrieved_at = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        return Response(request.url, 200, {}, body, retrieved_at)

    def save(self, request: Request, path: Path, seen: Callable[[int], None] = lambda size: None) -> None:
        """Write the recorded answer to a file."""
        write_atomic(path, self.get(request, {}).body)


class Live:
    """Requests over HTTP: never faster than each host's rate, a declared User-Agent, retries that obey
    Retry-After."""

    def __init__(
        self,
        user_agent: str,
        rates: Mapping[str, float] | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        transport: Any = None,
    ):
        """`rates` are requests per second by host; one for `sec.gov` holds for all hosts of that domain
        together. `sleep` and httpx's `transport` are given by tests."""
        import httpx

        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs, keys included
        self.errors = (httpx.TransportError, CutOff)
        self.unusable = (httpx.TooManyRedirects, httpx.InvalidURL)
        self.parse = httpx.URL
        headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip"}
        self.client = httpx.Client(
            headers=headers, timeout=TIMEOUT, follow_redirects=True, transport=transport
        )
        self.buckets = {host: TokenBucket(rate, sleep) for host, rate in (rates or {}).items()}
        self.sleep = sleep
        self.failures: dict[str, int] = {}
        self.closed: dict[str, float] = {}

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        """Fetch; a busy or broken host is asked again after a pause."""

        def read(answer: Any) -> bytes:
            encoding = answer.headers.get("content-encoding", "identity")
            return decompressed(b"".join(answer.stream), encoding)

        status, answered, body = self.ask(request, lambda: headers, read)
        return accepted(request, status, answered, body)

    def save(self, request: Request, path: Path, seen: Callable[[int], None] = lambda size: None) -> None:
        """Fetch into a file beside `path` that takes its name when it is whole.

        Of an immutable address, what came before the connection broke is kept, and the next attempt, in this
        process or a later one, asks for the rest (Range, RFC 9110).
        """
        partial = path.with_name(f".{path.name}.partial")

        def headers() -> dict[str, str]:
            size = partial.stat().st_size if request.immutable and partial.exists() else 0
            identity = {"Accept-Encoding": "identity"}
            return identity | {"Range": f"bytes={size}-"} if size else identity

        def write(answer: Any) -> bytes:
            with explain_full_disk(path), partial.open("ab" if answer.status_code == 206 else "wb") as file:
                if answer.status_code == 206 and not continues(answer.headers, file.tell()):
                    file.truncate(0)
                    raise CutOff("an answer that does not begin where the file ends")
                for piece in answer.stream:
                    file.write(piece)
                    seen(file.tell())
                file.flush()
                os.fsync(file.fileno())
                return b"." if file.tell() else b""

        try:
            status, answered, body = self.ask(request, headers, write)
            if status == 416 and continues(answered, partial.stat().st_size):
                status, body = 200, b"."  # a kill came between the last byte and the name
            elif status == 416:
                partial.unlink()
                status, answered, body = self.ask(request, headers, write)
            accepted(request, 200 if status == 206 else status, answered, body)
            partial.replace(path)
        finally:
            if not request.immutable:
                partial.unlink(missing_ok=True)

    def bucket(self, host: str) -> TokenBucket:
        """The bucket of a host: its own, or that of a domain which it belongs to."""
        names = host.split(".")
        for start in range(len(names)):
            found = self.buckets.get(".".join(names[start:]))
            if found is not None:
                return found
        return self.buckets.setdefault(host, TokenBucket(REQUESTS_PER_SECOND, self.sleep))

    def ask(
        self, request: Request, headers: Callable[[], Mapping[str, str]], receive: Callable[[Any], bytes]
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and what `receive` made of the answer's body; with pauses and new attempts where
        the host is busy or the connection breaks. `headers` are made anew for each attempt.

        Raises:
            Refused: every attempt failed, or the host is not asked any more: it wants a long pause, or gave
                nothing lately.
        """
        host = urlsplit(request.url).hostname or ""
        self.leave_alone(host, request.url)
        bucket = self.bucket(host)
        try:
            url = self.parse(request.url)
        except self.unusable as error:
            raise Refused(request.url, f"no address that can be asked: {error}") from None
        if request.parameters:
            url = url.copy_merge_params(request.parameters)
        for attempt in range(1, ATTEMPTS + 1):
            bucket.take()
            try:
                with self.client.stream("GET", url, headers={**request.headers, **headers()}) as answer:
                    if answer.status_code not in RETRIED:
                        denied = answer.status_code == 403
                        self.failures[host] = self.failures.get(host, 0) + 1 if denied else 0
                        body = receive(answer) if answer.status_code in (200, 206) else b""
                        return answer.status_code, dict(answer.headers), body
            except self.unusable:
                raise Refused(request.url, "the host sends the request round in a circle") from None
            except self.errors as error:
                reason, asked = f"{type(error).__name__}: {error}", None
            else:
                reason = f"HTTP {answer.status_code}"
                asked = retry_after(answer.headers.get("retry-after"))
            if asked is not None and asked > LONGEST_PAUSE:
                self.closed[host] = time.monotonic() + asked
                raise Refused(request.url, f"{reason}; the host asks to wait {asked:,.0f} seconds")
            if attempt < ATTEMPTS:
                pause = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE) * random.uniform(0.5, 1.5)
                self.sleep(pause if asked is None else asked + random.uniform(0, 1))
        self.failures[host] = self.failures.get(host, 0) + 1
        raise Refused(request.url, f"{reason}, {ATTEMPTS} times")

    def leave_alone(self, host: str, url: str) -> None:
        """Raise Refused for a host that wants a long pause, or that answered none of the last requests."""
        again = "collect again later, it goes on where it stopped"
        pause = self.closed.get(host, 0.0) - time.monotonic()
        if pause > 0:
            raise Refused(url, f"not asked, since {host} wants {pause:,.0f} seconds of silence; {again}")
        if self.failures.get(host, 0) >= FAILURES:
            raise Refused(url, f"not asked, since {host} refused the last {FAILURES} requests; {again}")


def continues(headers: Mapping[str, str], size: int) -> bool:
    """Whether an answer to a Range request goes on after `size` bytes, or says that there are no more."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+/.*|\*/(\d+))", headers.get("content-range", ""))
    return found is not None and int(found[1] or found[2]) == size


def decompressed(body: bytes, encoding: str) -> bytes:
    """The body of a transfer with a Content-Encoding. (httpx's own decoder takes a gzip that was cut off for
    a whole one.)

    Raises:
        CutOff: it is not whole.
    """
    if encoding == "identity":
        return body
    try:
        return gzip.decompress(body)
    except (EOFError, OSError, zlib.error) as error:
        raise CutOff(f"a body in {encoding} that cannot be decompressed: {error}") from None


def accepted(request: Request, status: int, headers: dict[str, str], body: bytes) -> Response:
    """The response, if it is a usable one (200 with a body, or 304).

    Raises:
        Refused: it is not.
    """
    if status == 403:
        mend = "check the contact that the request declares, and ask less often"
        raise Refused(request.url, f"HTTP 403: the host refuses; {mend}")
    if status not in (200, 304):
        raise Refused(request.url, f"HTTP {status}")
    if status == 200 and not body:
        raise Refused(request.url, "the body is empty")
    lower = {name.lower(): value for name, value in headers.items()}
    return Response(request.url, status, lower, body, datetime.now(UTC).replace(microsecond=0))


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date (RFC 9110)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


class TokenBucket:
    """At most `rate` takings a second, and no burst beyond one."""

    def __init__(self, rate: float, sleep: Callable[[float], None]):
        self.interval, self.sleep = 1 / rate, sleep
        self.next, self.lock = 0.0, threading.Lock()

    def take(self) -> None:
        """Wait for one's turn."""
        with self.lock:
            now = time.monotonic()
            turn = max(now, self.next)
            self.next = turn + self.interval
        if turn > now:
            self.sleep(turn - now)
