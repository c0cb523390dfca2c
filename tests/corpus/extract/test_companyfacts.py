"""Companyfacts as documents: every figure of every text is in the source, and what a text says was known."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mintage.corpus.document import Document
from mintage.corpus.extract.companyfacts import documents
from mintage.corpus.extract.figures import FORMS, form_of
from mintage.corpus.extract.topics import in_sentence
from mintage.corpus.extract.vintages import (
    Answer,
    FormerName,
    Item,
    Release,
    as_of,
    histories,
    name_at,
    read_company,
)
from mintage.corpus.sources.report import SourceReport

from .readers import CIKS, Raw, Read, figures_of, fits, prose_labels, raw_facts, read_changes, recording

NEW_YORK = ZoneInfo("America/New_York")


@cache
def recorded_documents(shared_data: Path, cik: str) -> list[Document]:
    return made(recording(shared_data, cik))


def made(
    body: bytes,
    acceptance: dict[str, Release] | None = None,
    report: SourceReport | None = None,
    **more: Any,
) -> list[Document]:
    url = "https://data.sec.gov/api/xbrl/companyfacts/CIK.json"
    answer = Answer(body, url, "0" * 64, "US public domain", "ship", acceptance or {}, **more)
    return list(documents(answer, "edgar_facts", report))


class Brute:
    """The as-of store by brute force over all entries."""

    def __init__(self, raws: list[Raw]):
        self.by_label: dict[tuple[str, str, date], list[Raw]] = defaultdict(list)
        for raw in raws:
            for label in (raw.label, f"{raw.label} [{raw.tag}]"):
                self.by_label[label, raw.unit, raw.end].append(raw)

    def values(self, figure: Read, filed: str, accession: str) -> set[Decimal]:
        """What a figure may be: the last values filed until then with its label, unit and period."""
        unit, times = ("pure", 100) if figure.unit == "percent" else (figure.unit, 1)
        stood: dict[tuple[str, date | None], Decimal] = {}
        for raw in self.by_label[figure.label, unit, figure.end]:
            public = (raw.filed, raw.accession) <= (filed, accession)
            if public and fits(raw.start, raw.end, figure.start):
                stood[raw.taxonomy + raw.tag, raw.start] = raw.value * times
        return set(stood.values())


def accession_of(document: Document) -> str:
    """The accession of the filing that a document came with."""
    return dict(document.entities)["accession"]


@pytest.mark.parametrize("cik", CIKS)
def test_every_figure_of_every_text_is_what_the_source_knew_then(shared_data: Path, cik: str) -> None:
    body = recording(shared_data, cik)
    raws = raw_facts(body)
    brute = Brute(raws)
    checked, forms, changes = 0, defaultdict(int), 0
    newest: dict[str, int] = {}
    days = {raw.accession: raw.filed for raw in raws}
    units = sorted({raw.unit for raw in raws} | {"percent"})
    labels = prose_labels(raws)
    for document in recorded_documents(shared_data, cik):
        accession = accession_of(document)
        filed = days[accession]
        figures = figures_of(document, units, labels)
        assert document.period_end == max(figure.end for figure in figures)
        for figure in figures:
            assert figure.value in brute.values(figure, filed, accession), (document.native_id, figure)
        for now, before in read_changes(document.text, units):
            assert now.value in brute.values(now, filed, accession)
            known = {
                raw.value
                for raw in brute.by_label[before.label, before.unit, before.end]
                if raw.filed <= filed and raw.accession != accession
            }
            assert before.unit == "percent" or before.value in known
            changes += 1
        checked += len(figures)
        forms[form_of(document.native_id)] += 1
        newest[document.native_id] = len(figures)
    items = {(raw.taxonomy, raw.tag, raw.unit, raw.start, raw.end) for raw in raws}
    assert sum(newest.values()) == len(items)  # nothing left out, nothing said twice
    assert changes > 200 and set(forms) == set(FORMS)
    print(cik, f"{checked:,} figures read back, {changes:,} changes, forms {dict(forms)}")


@pytest.mark.parametrize("cik", CIKS)
def test_the_store_agrees_with_brute_force_at_every_turn(shared_data: Path, cik: str) -> None:
    body = recording(shared_data, cik)
    company = read_company(body, {}, SourceReport(), "facts.json")
    assert company is not None
    store = histories(company.facts)
    entries: dict[Item, list[Raw]] = defaultdict(list)
    for raw in raw_facts(body):
        entries[Item(raw.taxonomy, raw.tag, raw.unit, raw.start, raw.end)].append(raw)
    assert len(store) == len(entries)
    changed = 0
    for item, facts in store.items():
        own = entries[item]
        changed += len({fact.value for fact in facts}) > 1
        assert as_of(store, item, facts[0].filing.available_at - timedelta(microseconds=1)) is None
        for day in {raw.filed for raw in own}:
            moment = datetime.combine(
                date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), NEW_YORK
            )
            found = as_of(store, item, moment.astimezone(UTC))
            last = max((raw.filed, raw.accession, raw.value) for raw in own if raw.filed <= day)
            assert found is not None and (found.filing.accession, found.value) == last[1:]
    measured = {"0000320193": 425, "0001045810": 986, "0001652044": 245, "0001835632": 467}
    assert changed == measured[cik]


def test_accrued_liabilities_of_apple_are_known_as_first_filed_and_as_restated(shared_data: Path) -> None:
    company = read_company(recording(shared_data, "0000320193"), {}, SourceReport(), "facts.json")
    assert company is not None
    store = histories(company.facts)
    item = Item("us-gaap", "AccruedLiabilitiesCurrent", "USD", None, date(2008, 9, 27))
    if item not in store:
        item = item._replace(tag="AccruedLiabilities")

    def known(day: str) -> Decimal | None:
        fact = as_of(store, item, datetime.fromisoformat(f"{day}T23:59:59.999999").replace(tzinfo=NEW_YORK))
        return fact and fact.value

    first = [fact for fact in store[item] if fact.value == 3_719_000_000]
    assert known("2009-10-27") == known("2010-01-24") == 3_719_000_000
    assert known("2010-01-25") == 4_224_000_000
    assert first[-1].filing.filed == date(2009, 10, 27)


@pytest.mark.parametrize("cik", ["0001652044", "0001835632"])
def test_what_was_filed_later_changes_no_document(shared_data: Path, cik: str) -> None:
    body = recording(shared_data, cik)
    everything = recorded_documents(shared_data, cik)
    days = sorted({raw.filed for raw in raw_facts(body)})
    for day in (days[len(days) // 3], days[len(days) * 4 // 5]):
        answer = json.loads(body, parse_float=str)
        for tags in answer["facts"].values():
            for about in tags.values():
                for unit, entries in about["units"].items():
                    about["units"][unit] = [one for one in entries if one["filed"] <= day]
        cut = json.dumps(answer).encode()
        cut = re.sub(rb'"val": "(-?[\d.]+(?:[eE][-+]?\d+)?)"', rb'"val": \1', cut)
        end = datetime.combine(date.fromisoformat(day), datetime.max.time(), NEW_YORK)
        assert made(cut) == [one for one in everything if one.available_at and one.available_at <= end]


def test_a_changed_fact_makes_a_document_that_supersedes_the_old_one(shared_data: Path) -> None:
    by_id: dict[str, Document] = {}
    last: dict[str, Document] = {}
    for document in recorded_documents(shared_data, "0001045810"):
        before = last.get(document.native_id)
        assert document.doc_id not in by_id
        assert (
            (document.vintage, document.supersedes) == (before.vintage + 1, before.doc_id)
            if before
            else (0, None)
        )
        assert before is None or "Changed by this filing:" in document.text
        assert document.available_at and document.period_end
        assert before is None or document.available_at > before.available_at
        assert document.date_precision == "bound" and document.published_at is None
        by_id[document.doc_id] = last[document.native_id] = document
    assert max(document.vintage for document in last.values()) > 1


def small(*entries: dict[str, Any], name: str = "Acme Inc.", tag: str = "Assets", unit: str = "USD") -> bytes:
    facts = {"us-gaap": {tag: {"label": tag, "description": "", "units": {unit: list(entries)}}}}
    return json.dumps({"cik": 7, "entityName": name, "facts": facts}).encode()


def entry(value: Any = 5_000_000, serial: int = 1, filed: str = "2020-02-01", **more: Any) -> dict[str, Any]:
    accession = f"0000000007-20-{serial:06d}"
    return {"end": "2019-12-31", "val": value, "accn": accession, "form": "10-K", "filed": filed, **more}


def test_a_document_is_available_from_the_acceptance_or_else_from_the_end_of_the_day() -> None:
    accepted = datetime(2020, 2, 1, 21, 30, 15, tzinfo=UTC)
    first, second = made(
        small(entry(), entry(6_000_000, 2, "2020-07-01")), {"0000000007-20-000001": (accepted, "second")}
    )
    assert (first.available_at, first.date_precision, first.published_at) == (accepted, "second", accepted)
    assert second.available_at == datetime(2020, 7, 2, 3, 59, 59, 999999, tzinfo=UTC)
    assert (second.date_precision, second.supersedes) == ("bound", first.doc_id)
    assert (
        "6 million US dollars, before that 5 million US dollars (form 10-K filed 2020-02-01)" in second.text
    )
    assert "0000000007-20-000001" in second.text and "0000000007-20-000002" in second.text  # both filings
    assert second.title.endswith("form 10-K filed 2020-07-01")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("Property, Plant and Equipment, Net", "property, plant and equipment (net)"),
        ("Selling, General and Administrative Expense", "selling, general and administrative expense"),
        (
            "Deferred Tax Assets, Property, Plant and Equipment",
            "deferred tax assets (property, plant and equipment)",
        ),
        (
            "Debt Securities, Available-for-sale, Amortized Cost",
            "debt securities (available-for-sale, amortized cost)",
        ),
        ("OCI, Debt Securities, Gain (Loss)", "OCI - debt securities, gain (loss)"),
    ],
)
def test_a_label_in_a_sentence_keeps_its_enumeration(label: str, said: str) -> None:
    assert in_sentence(label) == said


def test_entries_that_cannot_be_are_counted_and_the_others_go_on() -> None:
    good = entry()
    bad = [
        entry(serial=2, end="2019-13-31"),
        entry(serial=3, end="2031-12-31"),
        entry(serial=4, start="2020-01-01"),
        entry(None, serial=5),
        entry("12", serial=6),
        entry(True, serial=7),
        entry(float("nan"), serial=8),
        {key: value for key, value in entry(serial=9).items() if key != "end"},
        entry(serial=10, accn="../../etc"),
        entry(7_000_000),
        entry(serial=11, filed="soon"),
    ]
    report = SourceReport()
    found = made(small(good, *bad), report=report)
    assert [document.vintage for document in found] == [0]
    assert report.bad_rows == len(bad)
    for body in (b"", b"<html>", b"[]", b'{"cik": 7}', b'{"cik": 7, "entityName": "A", "facts": {"x": [1]}}'):
        report = SourceReport()
        assert made(body, report=report) == [] and report.bad_rows == 1


def test_no_text_bears_a_name_that_the_company_took_later() -> None:
    # Apple's, as EDGAR lists them; under the last of them it filed on a single day
    former = [
        FormerName("APPLE INC", date(2007, 1, 10), date(2019, 8, 5)),
        FormerName("APPLE COMPUTER INC", date(1994, 1, 26), date(2007, 1, 4)),
        FormerName("APPLE COMPUTER INC/ FA", date(1997, 7, 28), date(1997, 7, 28)),
    ]
    for day, name in {
        date(1993, 1, 1): "APPLE COMPUTER INC",
        date(1996, 1, 1): "APPLE COMPUTER INC",
        date(1997, 7, 28): "APPLE COMPUTER INC/ FA",
        date(2007, 1, 4): "APPLE COMPUTER INC",
        date(2007, 1, 8): "APPLE COMPUTER INC",
        date(2007, 1, 10): "APPLE INC",
        date(2019, 8, 5): "APPLE INC",
        date(2019, 8, 6): "Apple Inc.",
    }.items():
        assert name_at("Apple Inc.", former, day) == name, day
    old = [FormerName("Old Corp", date(2005, 1, 1), date(2020, 3, 1))]
    body = small(entry(), entry(6_000_000, 2, "2020-07-01"), name="New Inc.")
    first, second = made(body, former_names=old)
    assert "Old Corp" in first.text and "New Inc." not in first.text + first.title
    assert "New Inc." in second.text


def test_two_tags_of_one_label_are_told_apart_and_a_later_third_changes_nothing() -> None:
    def answer(**tags: dict[str, Any]) -> bytes:
        facts = {tag: {"label": "Other Assets", "units": {"USD": [one]}} for tag, one in tags.items()}
        return json.dumps({"cik": 7, "entityName": "Acme Inc.", "facts": {"us-gaap": facts}}).encode()

    (both,) = made(answer(OtherGains=entry(5_000_000), OtherLosses=entry(6_000_000)))
    assert "[OtherGains]" in both.text and "[OtherLosses]" in both.text
    (alone,) = made(answer(OtherGains=entry(5_000_000)))
    assert "[" not in alone.text
    later = entry(6_000_000, 2, "2020-07-01")
    assert made(answer(OtherGains=entry(5_000_000), OtherLosses=later))[0] == alone


def test_two_periods_of_one_length_and_end_are_told_apart() -> None:
    spans = [entry(5, start="2019-01-01"), entry(6, start="2018-12-31")]
    for serial in range(12):  # until each of the three forms was drawn
        accession = f"0000000007-20-{serial:06d}"
        (document,) = made(small(*({**one, "accn": accession} for one in spans), tag="GrossProfit"))
        assert "2019-01-01" in document.text and "2018-12-31" in document.text


def test_a_share_is_written_in_percent_and_only_a_share() -> None:
    (share,) = made(small(entry(0.312), tag="EffectiveIncomeTaxRateContinuingOperations", unit="pure"))
    (more,) = made(small(entry(3.85), tag="LeaseDiscountRatePercent", unit="pure"))
    (ratio,) = made(small(entry(0.5), tag="ConversionRatio", unit="pure"))
    assert "31.2" in share.text and "ercent" in share.text
    assert "3.85" in more.text and "385" not in more.text
    assert "0.5" in ratio.text and "percent" not in ratio.text


@pytest.mark.parametrize(("form", "words"), [("10-K", "fiscal year"), ("10-Q", "twelve months")])
def test_twelve_months_are_a_fiscal_year_in_annual_reports_only(form: str, words: str) -> None:
    texts = ""
    for serial in range(12):  # until each of the three forms was drawn
        texts += made(small(entry(5, serial, start="2019-01-01", form=form), tag="GrossProfit"))[0].text
    assert f"the {words} ended 2019-12-31" in texts
    assert ("fiscal year" in texts) is (form == "10-K")
