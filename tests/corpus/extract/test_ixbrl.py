"""Inline facts: their values agree with the figures the regulator extracted from the same filing."""

from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from mintage.corpus.extract.ixbrl import InlineFact, facts

HEADER = """
<ix:header><ix:resources>
<xbrli:context id="year"><xbrli:entity><xbrli:segment>
<xbrldi:explicitMember dimension="us-gaap:StatementBusinessSegmentsAxis">acme:CloudMember
</xbrldi:explicitMember>
</xbrli:segment></xbrli:entity><xbrli:period><xbrli:startDate>2024-01-01</xbrli:startDate>
<xbrli:endDate>2024-12-31</xbrli:endDate></xbrli:period></xbrli:context>
<xbrli:context id="day"><xbrli:period><xbrli:instant>2024-12-31</xbrli:instant></xbrli:period></xbrli:context>
<xbrli:unit id="u"><xbrli:divide>
<xbrli:unitNumerator><xbrli:measure>iso4217:USD</xbrli:measure></xbrli:unitNumerator>
<xbrli:unitDenominator><xbrli:measure>xbrli:shares</xbrli:measure></xbrli:unitDenominator>
</xbrli:divide></xbrli:unit>
</ix:resources></ix:header>
"""


def fact(text: str, attributes: str) -> InlineFact:
    html = f'{HEADER}<p><ix:nonFraction name="acme:X" {attributes}>{text}</ix:nonFraction></p>'
    return facts(html)[0]


@pytest.mark.parametrize(
    ("text", "attributes", "value"),
    [
        ("17,729", 'scale="6" sign="-" format="ixt:num-dot-decimal"', Decimal(-17_729_000_000)),
        ("2.5", 'scale="-2" format="ixt:num-dot-decimal"', Decimal("0.025")),
        ("1.234,5", 'format="ixt:num-comma-decimal"', Decimal("1234.5")),
        ("1.234,5", 'format="ixt:numdotcomma"', Decimal("1234.5")),
        ("1,234.5", 'format="ixt:numcommadot"', Decimal("1234.5")),
        ("—", 'scale="6" format="ixt:fixed-zero"', Decimal(0)),
        ("four", 'format="ixt-sec:numwordsen"', None),
        ("", 'xsi:nil="true"', None),
        ("5", 'xsi:nil="true"', None),
        ("NaN", "", None),
    ],
)
def test_the_value_follows_transformation_scale_and_sign(
    text: str, attributes: str, value: Decimal | None
) -> None:
    assert fact(text, attributes).value == value


def test_period_unit_and_dimensions_come_from_the_header() -> None:
    year = fact("1", 'contextRef="year" unitRef="u" decimals="2"')
    assert (year.start, year.end) == (date(2024, 1, 1), date(2024, 12, 31))
    assert year.dimensions == (("us-gaap:StatementBusinessSegmentsAxis", "acme:CloudMember"),)
    assert (year.unit, year.decimals) == ("USD/shares", "2")
    typed = HEADER.replace("explicitMember", "typedMember").replace("2024-01-01<", " 2024-01-01\n<")
    (one,) = facts(typed + '<p><ix:nonFraction name="acme:X" contextRef="year">1</ix:nonFraction></p>')
    assert (one.start, one.dimensions) == (year.start, year.dimensions)
    day = fact("1", 'contextRef="day"')
    assert (day.start, day.end) == (None, date(2024, 12, 31))


def test_missing_contexts_and_odd_attributes_do_not_raise() -> None:
    lost = fact("x", 'contextRef="none" scale="six"')
    assert (lost.end, lost.unit, lost.scale, lost.value) == (None, "", 0, None)


@pytest.mark.parametrize(
    ("filing", "accession_filed"),
    [("nvda-10-q-2025-08-27", "2025-08-27"), ("nvda-10-k-2025-02-26", "2025-02-26")],
)
def test_values_agree_with_companyfacts(shared_data: Path, filing: str, accession_filed: str) -> None:
    fixtures = shared_data / "fixtures"
    recording = fixtures / "sec_edgar_recordings" / "data.sec.gov_api_xbrl_companyfacts_CIK0001045810.json.gz"
    concepts = json.loads(gzip.decompress(recording.read_bytes()), parse_float=Decimal)["facts"]["us-gaap"]
    known: dict[tuple[str, str, str | None, str], set[Decimal]] = {}
    for tag, concept in concepts.items():
        for unit, values in concept["units"].items():
            for row in values:
                if row["filed"] == accession_filed:
                    key = (f"us-gaap:{tag}", unit, row.get("start"), row["end"])
                    known.setdefault(key, set()).add(Decimal(row["val"]))
    compared = 0
    for found in facts(gzip.decompress((fixtures / "sec_html" / "nvda" / f"{filing}.html.gz").read_bytes())):
        start = found.start.isoformat() if found.start else None
        values = known.get((found.name, found.unit, start, found.end.isoformat() if found.end else ""))
        if values and not found.dimensions and found.value is not None:
            compared += 1
            rounding = Decimal(0) if found.decimals == "INF" else Decimal(1).scaleb(-int(found.decimals)) / 2
            assert min(abs(found.value - value) for value in values) <= rounding, found
    assert compared > 200
