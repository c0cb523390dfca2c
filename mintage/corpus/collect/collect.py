"""Fetch what a source names into its raw store: discovered, checked, stored, and never asked for twice in
vain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Refused, Request, Response, Transport


@dataclass
class Account:
    """What a collection did: answers that are new or changed, those that stood already, and refusals."""

    fetched: int = 0
    unchanged: int = 0
    bytes: int = 0
    refusals: list[str] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """How many addresses gave nothing."""
        return len(self.refusals)

    def refuse(self, refusal: Refused) -> None:
        """Note an address that gave nothing, and why."""
        self.refusals.append(str(refusal))


class Fetch:
    """What discovery is given: a way to get an index page. The page is stored like everything else."""

    def __init__(self, raw: RawStore, transport: Transport, account: Account):
        self.raw, self.transport, self.account = raw, transport, account

    def __call__(self, request: Request) -> bytes:
        """The body of a request.

        Raises:
            Refused: there is no usable answer.
        """
        return self.raw.body(self.answer(request))

    def answer(self, request: Request) -> Answer:
        """The stored answer of a request: fetched, or kept where it is immutable or the host says that it has
        not changed."""
        stored = self.raw.newest.get(request.url)
        if stored is not None and request.immutable and stored.note == request.note:
            self.account.unchanged += 1
            return stored
        validators = {}
        same = stored is not None and stored.note == request.note  # a new note has to be stored with a body
        if stored is not None and same and stored.etag:
            validators["If-None-Match"] = stored.etag
        if stored is not None and same and stored.last_modified:
            validators["If-Modified-Since"] = stored.last_modified
        response = self.transport.get(request, validators)
        if response.status == 304:
            if stored is None:
                raise Refused(request.url, "HTTP 304 for a page that was never stored")
            self.account.unchanged += 1
            return stored
        if request.check is not None:
            try:
                request.check(response.body)
            except ValueError as error:
                raise Refused(request.url, f"the answer is not what was asked for: {error}") from None
        return self.keep(response, request.note)

    def keep(self, response: Response, note: Mapping[str, Any]) -> Answer:
        """Store an answer and count it: as fetched, or as unchanged where it is the one that stood."""
        before = self.raw.newest.get(response.url)
        answer = self.raw.add(response, note)
        if answer is before:
            self.account.unchanged += 1
        else:
            self.account.fetched += 1
            self.account.bytes += answer.bytes
        return answer


class Discover(Protocol):
    """A source's discovery: the requests for its documents, found in index pages that it fetches itself."""

    def __call__(self, settings: Any, fetch: Fetch) -> Iterator[Request]:
        """Raises Refused where an index that everything else depends on cannot be had."""


Progress = Callable[[Account], None]


def collect(
    discover: Discover, settings: Any, raw: RawStore, transport: Transport, progress: Progress | None = None
) -> Account:
    """Fetch every document that a source names. What is refused is counted, and the rest goes on; running it
    again asks only for what is missing or may have changed."""
    account = Account()
    fetch = Fetch(raw, transport, account)
    try:
        for request in discover(settings, fetch):
            try:
                fetch.answer(request)
            except Refused as refusal:
                account.refuse(refusal)
            if progress:
                progress(account)
    except Refused as refusal:
        account.refuse(refusal)
    return account
