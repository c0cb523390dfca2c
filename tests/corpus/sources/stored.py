"""What the tests of several sources share: a host that answers from a table of URLs, a store collected from
it and parsed, and answers with anything at any place."""

from __future__ import annotations

import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from mintage.corpus.collect.collect import Account, Fetch, collect
from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Refused, Request, Response
from mintage.corpus.document import Document
from mintage.corpus.sources.report import SourceReport

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def as_json(content: object) -> bytes:
    """JSON as a host sends it."""
    return json.dumps(content).encode()


@dataclass
class TableHost:
    """Answers a URL by the first key that stands in it; `asked` are the requests as they came."""

    bodies: dict[str, bytes]
    now: datetime
    asked: list[Request] = field(default_factory=list)

    def get(self, request: Request, headers: Mapping[str, str]) -> Response:
        self.asked.append(request)
        for part, body in self.bodies.items():
            if part in request.url:
                return Response(request.url, 200, {}, body, self.now)
        raise Refused(request.url, "HTTP 404")


@dataclass
class Store(ABC):
    """A raw store that collections go into, one after the other, each on its host's day."""

    raw: RawStore

    @abstractmethod
    def requests(self, settings: Any, fetch: Fetch, host: Any) -> Iterator[Request]:
        """What a source asks of a host."""

    @abstractmethod
    def parse(self, settings: Any, report: SourceReport) -> Iterator[Document]:
        """What a source makes of the stored answers."""

    def collect(self, settings: Any, host: Any) -> Account:
        return collect(lambda asked, fetch: self.requests(asked, fetch, host), settings, self.raw, host)

    def documents(self, settings: Any) -> tuple[list[Document], SourceReport]:
        self.raw, report = RawStore(self.raw.directory), SourceReport()
        return list(self.parse(settings, report)), report


def places(content: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the values of a JSON document stand."""
    found = [at] if at else []
    if isinstance(content, dict | list):
        for key in content if isinstance(content, dict) else range(len(content)):
            found += places(content[key], (*at, key))
    return found


def replaced(content: Any, at: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place."""
    inner = content
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return content


def providers_beside_a_broken_answer(
    data: st.DataObject,
    answers: Sequence[tuple[bytes, dict[str, Any]]],
    store_in: Callable[[RawStore], Store],
    settings: Any,
    now: datetime,
) -> tuple[set[str], set[str], str]:
    """Put anything at any place of one of some stored answers (bodies and notes) and read them all.

    Returns:
        The providers of which there are documents, those of the whole answers, and that of the broken one.
    """
    broken = data.draw(st.sampled_from(range(len(answers))))
    with tempfile.TemporaryDirectory() as folder:
        store = store_in(RawStore(Path(folder)))
        for number, (body, note) in enumerate(answers):
            content = json.loads(body)
            if number == broken:
                content = replaced(content, data.draw(st.sampled_from(places(content))), data.draw(JSON))
            store.raw.add(Response(f"https://host/{number}", 200, {}, as_json(content), now), note)
        documents, _ = store.documents(settings)
    whole = {note["provider"] for number, (_, note) in enumerate(answers) if number != broken}
    return (
        {document.native_id.partition("/")[0] for document in documents},
        whole,
        answers[broken][1]["provider"],
    )
