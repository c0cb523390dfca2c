"""Answers of any other shape: counted as bad, never an error of the program."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Response
from mintage.corpus.sources.crypto.settings import CoinGecko, CryptoSource, OnChainChart

from .hosts import NOW, Collected, archive, as_json, response

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
SETTINGS = CryptoSource(
    first_month="2018-01",
    pairs=("BTC/USDT",),
    charts=(OnChainChart("n-transactions"),),
    protocols=("aave-v3",),
    coingecko=CoinGecko(("bitcoin",), accept_terms=True),
)
BINANCE = {"provider": "binance", "pair": "BTC/USDT", "interval": "1d"}
STORED = [
    ("klines_BTCUSDT_2025-02.json", {**BINANCE, "month": "2025-02"}),
    ("chart_n_transactions.json", {"provider": "blockchain", "chart": "n-transactions"}),
    ("protocol_aave_v3.json", {"provider": "defillama", "protocol": "aave-v3"}),
    ("market_chart_bitcoin.json", {"provider": "coingecko", "coin": "bitcoin", "currency": "usd"}),
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
            store.raw.add(Response(f"https://host/{name}", 200, {}, as_json(content), NOW), note)
        documents, _ = store.documents(SETTINGS)
    whole = {note["provider"] for number, (_, note) in enumerate(STORED) if number != broken}
    assert {document.native_id.partition("/")[0] for document in documents} >= whole


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_damaged_archive_is_a_bad_answer(data: st.DataObject) -> None:
    body = archive("BTCUSDT-1d-2024-12")["BTCUSDT-1d-2024-12.zip"]
    cut = data.draw(st.integers(2, len(body) - 1))
    place = data.draw(st.integers(2, len(body) - 1))
    flipped = bytearray(body)
    flipped[place] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as folder:
        store = Collected(RawStore(Path(folder)))
        for number, damaged in enumerate((body[:cut], bytes(flipped))):
            response_ = Response(f"https://host/{number}.zip", 200, {}, damaged, NOW)
            store.raw.add(response_, {**BINANCE, "month": "2024-12"})
        _, report = store.documents(CryptoSource(first_month="2018-01", pairs=("BTC/USDT",)))
        assert (
            report.bad_rows >= 1
        )  # the one that was cut off; a flipped byte may lie in a field nobody reads
