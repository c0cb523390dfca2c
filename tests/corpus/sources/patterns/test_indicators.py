"""Indicators agree with an independent library on real bars, and no value uses a later bar."""

import gzip
import json

import numpy as np
import pytest
from real_bars import bars_of, spy_source

from mintage.corpus.sources.patterns import indicators
from mintage.corpus.sources.patterns.crosses import cross_readings, indicators_of
from mintage.corpus.sources.patterns.phrases import PHRASES, TITLES
from mintage.corpus.sources.patterns.series import Series, series_of


@pytest.fixture(scope="module")
def spy(shared_data) -> Series:
    return series_of(bars_of(spy_source(shared_data)))


@pytest.fixture(scope="module")
def oracle(shared_data) -> dict[str, np.ndarray]:
    """The last 2,100 values of each of tulipy's indicators."""
    content = gzip.decompress((shared_data / "fixtures/ta/tulip/tulipy_oracle.json.gz").read_bytes())
    return {name: np.array(values) for name, values in json.loads(content)["arrays"].items()}


@pytest.fixture(scope="module")
def last_values(shared_data) -> dict[str, float]:
    """The last values of another library's indicators."""
    expected = json.loads((shared_data / "fixtures/ta/tulip/expected_values.json").read_text())
    groups = ("macd_12_26_9", "adx_14", "rsi_14", "atr_14", "vwap")
    return {name: each["last_value"] for group in groups for name, each in expected[group].items()}


def test_the_indicators_agree_with_tulip_on_spy(spy, oracle):
    bands = indicators.bollinger(spy.close)
    own = {
        "rsi": indicators.relative_strength_index(spy.close),
        "atr": indicators.average_true_range(spy.high, spy.low, spy.close),
        "bbands_lower": bands.lower,
        "bbands_mid": bands.middle,
        "bbands_upper": bands.upper,
        "sma": indicators.simple_average(spy.close, 20),
        "ema": indicators.exponential_average(spy.close, 20),
        "wilders": indicators.wilder_average(spy.close, 14),
        "typprice": indicators.typical_price(spy.high, spy.low, spy.close),
        # tulip's VWMA is a rolling VWAP of closes
        "vwma": indicators.rolling_vwap(spy.close, spy.volume, 20),
        # tulip computes MACD(12,26) with the rounded factors 0.15 and 0.075 of its inventor's first paper
        "macd": indicators.smoothed(spy.close, 12, 0.15) - indicators.smoothed(spy.close, 26, 0.075),
    }
    for name, values in own.items():
        expected = oracle[name]
        assert np.allclose(values[-len(expected) :], expected, rtol=1e-6, atol=1e-9), name


def test_dx_agrees_with_tulip_away_from_its_different_rule_for_ties(spy, oracle):
    """Where both moves are equal Wilder counts neither, tulip counts both; the averages forget that."""
    expected = oracle["dx"]
    own = indicators.average_directional_index(spy.high, spy.low, spy.close).directional_index
    up, down = np.diff(spy.high), -np.diff(spy.low)
    ties = np.flatnonzero((up == down) & (up > 0)) + 1
    assert len(ties) < 10
    first = len(spy) - len(expected)
    for bar in range(first, len(spy)):
        if not any(0 <= bar - tie < 200 for tie in ties):
            assert own[bar] == pytest.approx(expected[bar - first], rel=1e-6), bar


def test_macd_and_adx_agree_with_a_second_library(spy, last_values):
    found = indicators_of(spy)
    own = {
        "MACD_12_26_9": found.macd.line,
        "MACDs_12_26_9": found.macd.signal,
        "MACDh_12_26_9": found.macd.histogram,
        "ADX_14": found.directional.adx,
        "DMP_14": found.directional.plus,
        "DMN_14": found.directional.minus,
        "RSI_14": found.rsi,
        "ATRr_14": found.average_range,
    }
    for name, values in own.items():
        assert values[-1] == pytest.approx(last_values[name], rel=1e-6), name


def test_the_session_vwap_of_one_bar_a_session_is_its_typical_price(spy, last_values):
    price = indicators.typical_price(spy.high, spy.low, spy.close)
    own = indicators.session_vwap(price, spy.volume, spy.session)
    assert np.allclose(own, price, rtol=1e-12)
    assert own[-1] == pytest.approx(last_values["VWAP_D"], rel=1e-6)


def test_the_session_vwap_is_the_traded_value_over_the_traded_volume_of_the_day_so_far():
    price, volume = np.array([10.0, 20.0, 30.0, 40.0]), np.array([1.0, 3.0, 0.0, 2.0])
    own = indicators.session_vwap(price, volume, np.array([1, 1, 2, 2]))
    assert own[:2].tolist() == [10.0, 17.5]
    assert np.isnan(own[2]) and own[3] == 40.0


def test_no_indicator_uses_a_later_bar(spy):
    def columns(series: Series) -> dict[str, np.ndarray]:
        found = indicators_of(series)
        return {
            "rsi": found.rsi,
            **{f"macd {number}": each for number, each in enumerate(found.macd)},
            **{f"bands {number}": each for number, each in enumerate(found.bands)},
            "atr": found.average_range,
            **{f"adx {number}": each for number, each in enumerate(found.directional)},
            "vwap": found.vwap,
            **{f"average {period}": each for period, each in found.averages.items()},
        }

    whole = columns(spy)
    for count in [*range(2, 60), 199, 200, 201, 1_000, 3_333]:
        for name, values in columns(spy.until(count)).items():
            assert np.array_equal(values, whole[name][:count], equal_nan=True), (name, count)


def test_a_market_that_does_not_move_has_an_rsi_of_50_and_no_trend():
    flat = np.full(60, 5.0)
    assert indicators.relative_strength_index(flat)[-1] == 50
    assert np.isnan(indicators.average_directional_index(flat, flat, flat).plus[-1])


CROSSINGS = {
    "rsi_above": "rsi > 70",
    "rsi_below": "rsi < 30",
    "macd_up": "macd > signal",
    "macd_down": "macd < signal",
    "band_above": "close > upper",
    "band_below": "close < lower",
    "adx_above": "adx > 25",
    "average_20_50_up": "mean20 > mean50",
    "average_20_50_down": "mean20 < mean50",
    "average_50_200_up": "mean50 > mean200",
    "average_50_200_down": "mean50 < mean200",
    "vwap_up": "close > vwap",
    "vwap_down": "close < vwap",
}


def test_a_crossing_is_of_the_lines_and_to_the_side_that_its_name_and_its_words_say(spy):
    found = indicators_of(spy)
    columns = {
        "close": spy.close,
        "rsi": found.rsi,
        "macd": found.macd.line,
        "signal": found.macd.signal,
        "lower": found.bands.lower,
        "upper": found.bands.upper,
        "adx": found.directional.adx,
        "vwap": found.vwap,
        **{f"mean{period}": found.averages[period] for period in (20, 50, 200)},
    }
    readings = cross_readings(spy, found)
    assert {reading.kind for reading in readings} == CROSSINGS.keys()
    for kind, words in CROSSINGS.items():
        left, sign, right = words.split()
        one, other = (
            columns[name] if name in columns else np.full(len(spy), float(name)) for name in (left, right)
        )
        gap = (one - other) * (1 if sign == ">" else -1)
        bars = [bar for bar in range(1, len(spy)) if gap[bar] > 0 and gap[bar - 1] <= 0]
        own = [reading for reading in readings if reading.kind == kind]
        assert [reading.known for reading in own] == bars and bars
        for reading in own:
            sides = [line[reading.known] for name, line in ((left, one), (right, other)) if name in columns]
            assert set(sides) <= {value.value for value in reading.values} | {spy.close[reading.known]}
        assert all(("below" in said) is (sign == "<") for said in (*PHRASES[kind], TITLES[kind]))
