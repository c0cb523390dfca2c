"""Answers of any other shape: counted as bad, never an error of the program."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from tests.corpus.sources.stored import JSON, as_json, providers_beside_a_broken_answer

from .hosts import NOON, Collected, response

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


@settings(max_examples=40)
@given(st.data())
def test_an_answer_with_anything_at_any_place_never_breaks_the_parser(data: st.DataObject) -> None:
    answers = [(response(name), note) for name, note in STORED]
    found, whole, spoiled = providers_beside_a_broken_answer(data, answers, Collected, SETTINGS, NOON)
    assert found >= whole - {spoiled}  # a provider of two answers


@settings(max_examples=40)
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
