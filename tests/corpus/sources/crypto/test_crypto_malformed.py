"""Answers of any other shape: counted as bad, never an error of the program."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mintage.corpus.collect.raw import RawStore
from mintage.corpus.collect.transport import Response
from mintage.corpus.sources.crypto.settings import CoinGecko, CryptoSource, OnChainChart
from tests.corpus.sources.stored import providers_beside_a_broken_answer

from .hosts import NOW, Collected, archive, response

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


@settings(max_examples=40)
@given(st.data())
def test_an_answer_with_anything_at_any_place_never_breaks_the_parser(data: st.DataObject) -> None:
    answers = [(response(name), note) for name, note in STORED]
    found, whole, _ = providers_beside_a_broken_answer(data, answers, Collected, SETTINGS, NOW)
    assert found >= whole


@settings(max_examples=20)
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
