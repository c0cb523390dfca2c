"""Data sets of the Hugging Face Hub by their names: rows of the dataset viewer.

The viewer is asked because its answers are small (a hundred rows): a sample of a data set of terabytes costs
no more memory or disk than the sample, and comes through the same transport, raw store and replay as
everything else. Whole data sets are downloaded with the Hub's own tool and read by `folder`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from mintage import __version__
from mintage.corpus.collect.collect import Fetch
from mintage.corpus.collect.raw import Answer, RawStore
from mintage.corpus.collect.transport import Refused, Request
from mintage.corpus.document import Document
from mintage.corpus.sources.hub.presets import Preset, documents, preset_of
from mintage.corpus.sources.hub.settings import HubSource
from mintage.corpus.sources.report import RawFile, SourceReport
from mintage.corpus.sources.rows import BadRow, Row

INFORMATION = "https://huggingface.co/api/datasets"
VIEWER = "https://datasets-server.huggingface.co/rows"

RATES: dict[str, float] = {"huggingface.co": 1.0, "datasets-server.huggingface.co": 2.0}


def user_agent(settings: HubSource) -> str:
    """What the requests declare themselves to be."""
    return f"mintage/{__version__}"


def discover(settings: HubSource, fetch: Fetch) -> Iterator[Request]:
    """The pages of rows of a data set by its name, up to the limit.

    Raises:
        Refused: the data set is not there, or asks for a token.
    """
    assert settings.limit is not None  # the settings require one where there is no path
    preset = preset_of(settings)
    token = os.environ.get("HF_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    information = f"{INFORMATION}/{settings.dataset}"
    try:
        described = json.loads(
            fetch(Request(information, check=check_information, headers=headers, note=index_note(settings)))
        )
    except Refused as refusal:
        if "HTTP 401" in refusal.reason and token is None:
            reason = f"{refusal.reason}: the data set is not there, or asks for a token; set HF_TOKEN"
            raise Refused(refusal.url, reason) from None
        raise
    offset, total = 0, settings.limit
    while offset < total:
        query = {
            "dataset": settings.dataset,
            "config": preset.config,
            "split": settings.split,
            "offset": offset,
            "length": preset.rows,
        }
        note = page_note(settings, preset, described["sha"]) | {"offset": offset}
        request = Request(f"{VIEWER}?{urlencode(query)}", True, check_rows, note, headers)
        if offset == 0:
            total = min(total, json.loads(first_page(fetch, request))["num_rows_total"])
        else:
            yield request
        offset += preset.rows


def first_page(fetch: Fetch, request: Request) -> bytes:
    """The first page of rows, which says how many there are.

    Raises:
        Refused: the viewer does not have the data set.
    """
    try:
        return fetch(request)
    except Refused as refusal:
        mend = "correct `config` and `split`, or download the data set and give its `path`"
        raise Refused(refusal.url, f"{refusal.reason}; {mend}") from None


def index_note(settings: HubSource) -> dict[str, Any]:
    """The note of the answer that describes a data set."""
    return {"describes": settings.dataset}


def page_note(settings: HubSource, preset: Preset, revision: str) -> dict[str, Any]:
    """What the notes of a data set's pages have in common. The viewer has the newest revision only: when the
    data set has another one, every page is asked for again, and never do pages of two revisions mix."""
    return {
        "dataset": settings.dataset,
        "config": preset.config,
        "split": settings.split,
        "revision": revision,
    }


def check_information(body: bytes) -> None:
    """Raise ValueError where a body does not describe a data set."""
    if not isinstance(json.loads(body), dict) or not isinstance(json.loads(body).get("sha"), str):
        raise ValueError("no description of a data set")


def check_rows(body: bytes) -> None:
    """Raise ValueError where a body is not a page of rows."""
    page = json.loads(body)
    if not isinstance(page, dict) or "error" in page:
        raise ValueError(str(page.get("error") if isinstance(page, dict) else "not an object")[:200])
    if not isinstance(page.get("rows"), list) or not isinstance(page.get("num_rows_total"), int):
        raise ValueError("no rows")


def parse(settings: HubSource, raw: RawStore, report: SourceReport) -> Iterator[Document]:
    """The documents of the stored pages of the data set's newest revision, in the order of its rows, up to
    the limit."""
    preset = preset_of(settings)
    revision = None
    for answer in raw:
        if answer.note == index_note(settings):
            revision = json.loads(raw.body(answer))["sha"]
    if revision is None:
        return
    common = page_note(settings, preset, revision)
    pages = {
        answer.note["offset"]: answer
        for answer in raw
        if "offset" in answer.note and common.items() <= answer.note.items()
    }
    name = f"{settings.dataset}/{preset.config}/{settings.split}"
    every = (
        made
        for _, answer in sorted(pages.items())
        for made in documents(
            settings, preset, viewer_rows(raw, answer), RawFile(name, answer.sha256, answer.bytes), report
        )
    )
    yield from islice(every, settings.limit)


def viewer_rows(raw: RawStore, answer: Answer) -> Iterator[Row | BadRow]:
    """The rows of a page of the viewer; one with a cell that was cut short is a bad one."""
    for item in json.loads(raw.body(answer))["rows"]:
        line = item["row_idx"] + 1
        if item.get("truncated_cells"):
            cut = ", ".join(item["truncated_cells"])
            yield BadRow(line, f"the viewer cut {cut} short; download the data set and give its `path`")
        else:
            yield Row(line, item["row"])
