"""The sandbox's documents: the same for the same seed, of the volume asked for, varied, and blind to the
future."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from datetime import UTC, date, datetime

import pytest

from mintage.corpus.document import Document
from mintage.corpus.sources.sandbox.clock import eastern
from mintage.corpus.sources.sandbox.economy import generate
from mintage.corpus.sources.sandbox.sectors import SECTORS
from mintage.corpus.sources.sandbox.settings import SOURCES, SandboxSource
from mintage.corpus.sources.sandbox.simulation import simulate

TINY = SandboxSource(companies=4, years=1, megabytes=0.2)
SMALL = SandboxSource(companies=14, years=2, megabytes=1.4)


def digest(settings: SandboxSource) -> str:
    total = hashlib.sha256()
    for document in generate(settings):
        total.update(f"{document.doc_id} {document.available_at}".encode())
    return total.hexdigest()


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return list(generate(SMALL))


def test_the_same_seed_gives_the_same_documents_and_another_seed_gives_others() -> None:
    assert digest(TINY) == digest(TINY)
    assert digest(TINY) != digest(SandboxSource(companies=4, years=1, megabytes=0.2, seed=2))


def test_all_sources_are_written_and_every_document_is_dated_within_the_years() -> None:
    start, end = eastern(date(2012, 1, 1), 0, 0), eastern(date(2013, 1, 1), 0, 0)
    documents = list(generate(TINY))
    assert {document.source for document in documents} == set(SOURCES)
    assert len({document.doc_id for document in documents}) == len(documents)
    assert len({(one.source, one.native_id, one.vintage) for one in documents}) == len(documents)
    for document in documents:
        assert document.available_at is not None and start <= document.available_at < end
        assert document.available_at.tzinfo is UTC or document.available_at.utcoffset() is not None
        assert (document.licence, document.use, document.date_precision) == ("CC0-1.0", "ship", "second")


def test_a_longer_economy_has_the_same_documents_in_the_years_that_both_share() -> None:
    """Nothing in a document depends on what happens after it: the future can be cut off without a trace."""
    short = SandboxSource(companies=5, years=1, megabytes=0.25, drills=0.0)
    long = SandboxSource(companies=5, years=2, megabytes=0.5, drills=0.0)
    end = eastern(date(2013, 1, 1), 0, 0)
    expected = [
        document.doc_id
        for document in generate(long)
        if document.available_at and document.available_at < end
    ]
    assert [document.doc_id for document in generate(short)] == expected


def test_no_document_mentions_an_event_before_it_happens(documents: list[Document]) -> None:
    economy = simulate(SMALL)
    firsts = {}  # names that an event brings into the world, and when
    for event in economy.events:
        for role in ("successor", "target", "partner"):
            if role in event.names:
                name = event.names[role]
                firsts[name] = min(firsts.get(name, event.at), event.at)
    known = {one.first_chief for one in economy.companies.values()} | {
        one.finance_chief for one in economy.companies.values()
    }
    known |= {analyst for one in economy.companies.values() for analyst, _ in one.analysts}
    known |= {one.relations_chief for one in economy.companies.values()} | {
        one.name for one in economy.companies.values()
    }
    firsts = {name: at for name, at in firsts.items() if name not in known}
    assert len(firsts) > 20
    pattern = re.compile("|".join(re.escape(name) for name in firsts))
    mentions = 0
    for document in documents:
        if document.source in ("sandbox_drills", "sandbox_macro"):
            continue  # names at random; other people
        for name in pattern.findall(document.text):
            assert document.available_at and document.available_at >= firsts[name], (document.title, name)
            mentions += 1
    assert mentions > 100


def test_text_about_a_quarter_never_comes_before_its_results() -> None:
    economy = simulate(TINY)
    for document in generate(TINY):
        own = dict(document.entities).get("ticker")  # none of a question about a disguised company
        if document.period_end and own and document.source != "sandbox_macro":
            quarters = [
                quarter
                for (ticker, period), quarter in economy.quarters.items()
                if ticker == own and period.end == document.period_end
            ]
            assert document.available_at and document.available_at >= quarters[0].released_at


@pytest.mark.parametrize(
    "settings",
    [
        SandboxSource(companies=8, years=2, megabytes=0.8),
        SandboxSource(companies=8, years=2, megabytes=1.6, questions=0.5, drills=0.1),
        SandboxSource(companies=3, years=1, megabytes=0.2),
        SandboxSource(companies=16, years=2, megabytes=0.6, questions=0.4, drills=0.1),
    ],
)
def test_the_volume_is_what_was_asked_for(settings: SandboxSource) -> None:
    sizes: Counter[str] = Counter()
    for document in generate(settings):
        sizes[document.source] += len(document.text.encode())
    assert sum(sizes.values()) == pytest.approx(settings.megabytes * 1e6, rel=0.1)
    assert sizes["sandbox_questions"] == pytest.approx(
        settings.questions * settings.megabytes * 1e6, rel=0.05
    )
    assert sizes["sandbox_drills"] == pytest.approx(settings.drills * settings.megabytes * 1e6, rel=0.1)


def test_a_volume_that_the_economy_cannot_fill_is_refused() -> None:
    with pytest.raises(ValueError, match="fill"):
        SandboxSource(companies=48, years=8, megabytes=3)
    with pytest.raises(ValueError, match="together"):
        SandboxSource(questions=0.9, drills=0.2)


VOCABULARY = sorted(
    {
        variant
        for one in SECTORS
        for word in (
            *one.goods,
            *one.customers,
            *one.inputs,
            *one.risks,
            one.name,
            *(each.label for each in one.indicators),
        )
        for variant in (word, word[0].upper() + word[1:])
    },
    key=len,
    reverse=True,
)


def shapes(document: Document) -> set[str]:
    """The document's sentences without their names, figures, dates and the nouns of their sector."""
    result = set()
    text = document.text
    for word in VOCABULARY:
        text = text.replace(word, "noun")
    for line in text.split("\n"):
        if line.startswith(("|", "#")) or re.match(r"[A-Z][^.]{0,60}: \S+ \(", line):
            continue  # headings, tables and key-value lines are no sentences
        for sentence in re.split(r"(?<=[.?!])\"? (?=[A-Z\"])", re.sub(r"\bInc\.", "Inc", line)):
            if len(sentence.split()) >= 5:
                masked = re.sub(r"-?\$?\d[\d,]*(\.\d+)?%?( (million|thousand))?", "0", sentence)
                masked = re.sub(r"(?<!^)\b[A-Z]\w*|^[A-Z][a-z]+(?= [A-Z]|:)", "Name", masked)
                result.add(re.sub(r"Name(?:[ ,]+(?:and )?Name)+", "Name", masked).lower())
    return result


def test_there_are_thousands_of_sentence_shapes(documents: list[Document]) -> None:
    """One megabyte of ten companies is enough; the default size is larger."""
    found: set[str] = set()
    for document in documents:
        if document.source not in ("sandbox_questions", "sandbox_drills"):
            found |= shapes(document)
    assert len(found) >= 3_000


@pytest.mark.slow
def test_the_default_size_takes_less_than_a_minute_and_has_its_volume() -> None:
    start = time.process_time()
    size = sum(len(document.text.encode()) for document in generate(SandboxSource()))
    assert time.process_time() - start < 60
    assert size == pytest.approx(20e6, rel=0.1)


def test_prose_is_clean() -> None:
    for document in generate(TINY):
        if document.kind != "chat":
            assert not re.search(r" [.,;]|  |\.\.|[{}<>\[\]]|\ba [aeio]", document.text), document.text
            assert document.text == document.text.strip()


def test_documents_of_the_day_are_readable_at_a_plausible_hour() -> None:
    for document in generate(TINY):
        assert document.available_at is not None
        if document.source in ("sandbox_filings", "sandbox_macro"):
            assert datetime(2012, 1, 1, 10).hour <= document.available_at.hour <= 23
