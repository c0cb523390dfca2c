"""Answers of any other shape: counted as bad, never an error of the program."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Response
from mintage.corpus.sources.macro import bls, ecb, fred, treasury, world_bank
from mintage.corpus.sources.macro.answers import refusing
from mintage.corpus.sources.macro.settings import (
    BlsSeries,
    EcbSeries,
    FredSeries,
    MacroSource,
    TreasuryTable,
    WorldBankIndicator,
)

from .hosts import NOON, Collected, as_json, response

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
TABLE = TreasuryTable("v2/accounting/od/rates", "avg_interest_rate_amt", "monthly", ("security_desc",))
SETTINGS = MacroSource(
    first_year=2000,
    bls=(BlsSeries("CES0000000001", "Employees", "thousand persons"),),
    treasury=(TABLE,),
    world_bank=(WorldBankIndicator("NY.GDP.MKTP.CD", ("DEU", "USA"), "USD"),),
    ecb=(EcbSeries("EXR", "D.USD.EUR.SP00.A"),),
    fred=FredSeries(("UNRATE",)),
)
STORED = [
    ("bls_payrolls.json", {"provider": "bls", "series": "CES0000000001"}),
    ("treasury_page_1.json", {"provider": "treasury", "table": treasury.identity(TABLE)}),
    ("world_bank_page_1.json", {"provider": "world_bank", "indicator": "NY.GDP.MKTP.CD"}),
    ("fred_series_unrate.json", {"provider": "fred", "series": "UNRATE", "kind": "seriess"}),
    ("fred_observations_unrate.json", {"provider": "fred", "series": "UNRATE", "kind": "observations"}),
]


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


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_an_answer_with_anything_at_any_place_never_breaks_the_parser(data: st.DataObject) -> None:
    broken = data.draw(st.sampled_from(range(len(STORED))))
    with tempfile.TemporaryDirectory() as folder:
        store = Collected(RawStore(Path(folder)))
        for number, (name, note) in enumerate(STORED):
            content = json.loads(response(name))
            if number == broken:
                content = replaced(content, data.draw(st.sampled_from(places(content))), data.draw(JSON))
            store.raw.add(Response(f"https://host/{name}", 200, {}, as_json(content), NOON), note)
        documents, _ = store.documents(SETTINGS)
    whole = {note["provider"] for number, (_, note) in enumerate(STORED) if number != broken}
    spoiled = STORED[broken][1]["provider"]
    assert {document.native_id.partition("/")[0] for document in documents} >= whole - {spoiled}


@settings(max_examples=40, deadline=None)
@given(JSON)
def test_an_answer_of_another_shape_is_refused_when_it_comes(content: Any) -> None:
    for rows_of in (bls.values_of, treasury.rows_of, world_bank.rows_of, ecb.rows_of):
        with pytest.raises(ValueError):
            refusing(rows_of)(as_json(content))
    for kind in ("seriess", "vintage_dates", "observations"):
        with pytest.raises(ValueError):
            fred.content_of(kind, as_json(content))


@given(st.binary(max_size=60))
def test_bytes_that_are_no_table_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        refusing(ecb.rows_of)(body)
