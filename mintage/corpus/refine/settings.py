"""Settings of the refinement of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

BenchmarkSet = Literal["finqa", "convfinqa", "tatqa", "phrasebank", "headlines", "fiqa", "financebench"]
PersonalKind = Literal["email", "phone", "ssn", "iban", "card", "ip"]


@dataclass(frozen=True)
class Filter:
    """What a document must satisfy to be kept: a Boolean SQL expression over its signals and labels.

    `keep` may use the columns of the attribute `quality`, and source, kind, title, native_id, available_at,
    date_precision, period_end, licence and use. A document stays where it is true. With `sources` the filter
    concerns these sources only; empty means all. `name` is what reports call it.
    """

    name: str
    keep: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class NearDuplicateSettings:
    """What counts as a near duplicate: a Jaccard similarity of the word 5-grams of at least `jaccard`, and
    the same figures.

    Candidates share all `rows` values of one of `bands` bands of a MinHash signature; a pair of similarity s
    is found with the probability 1 - (1 - s^rows)^bands. Every candidate is then compared exactly.
    """

    jaccard: float = 0.8
    bands: int = 20
    rows: int = 6

    def __post_init__(self) -> None:
        if not 0.5 <= self.jaccard <= 1:
            raise ValueError("jaccard must lie between 0.5 and 1")
        if self.bands < 1 or self.rows < 1:
            raise ValueError("bands and rows must be at least 1")


@dataclass(frozen=True)
class DecontaminateSettings:
    """Which benchmark sets the corpus must not contain.

    `path` is a folder with a folder for each set, laid out as the sets are published (docs/refine.md). A
    document is contaminated when it holds at least `share` of the 13-grams of a question, a paragraph or a
    sentence of a set (the whole of it where it is shorter), or of the figure tuples of a table; when a set
    asks about a filing of that name (its native_id); or, with `company_years`, when it is about a company and
    a fiscal year whose report a set asks about. `companies` is the SEC's list of tickers, CIK numbers and
    names (its company_tickers.json), for documents that name their company otherwise than the sets do.
    """

    path: str
    sets: tuple[BenchmarkSet, ...] = ("finqa", "convfinqa", "tatqa", "phrasebank", "headlines", "fiqa")
    share: float = 0.5
    company_years: bool = True
    companies: str | None = None

    def __post_init__(self) -> None:
        if not self.sets:
            raise ValueError("sets must name at least one benchmark")
        if not 0 < self.share <= 1:
            raise ValueError("share must be above 0 and at most 1")


@dataclass(frozen=True)
class ScrubSettings:
    """Which personal data is masked when a document is read.

    A match that stands near one of `keep_near` (letter case aside), or an e-mail address whose part before
    the @ is one of `keep_mailboxes`, is a company's public contact and stays. Names are never masked.
    """

    kinds: tuple[PersonalKind, ...] = ("email", "phone", "ssn", "iban", "card", "ip")
    keep_near: tuple[str, ...] = (
        "registrant's telephone",
        "registrant’s telephone",
        "investor relations",
        "investor contact",
        "our telephone number",
        "media relations",
        "media contact",
        "media inquiries",
        "press contact",
        "press office",
        "agent for service",
        "principal executive offices",
    )
    keep_mailboxes: tuple[str, ...] = (
        "contact",
        "info",
        "investor",
        "investor.relations",
        "investorrelations",
        "investors",
        "ir",
        "media",
        "news",
        "press",
        "publicinfo",
    )


@dataclass(frozen=True)
class Component:
    """A part of a mix: the documents of these sources and kinds (empty: of any) that became public on or
    after the day `since` and before the day `until` (UTC). `weight` is its part of what is read; only the
    ratios of weights matter."""

    name: str
    weight: float
    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError("weight must be above 0")


@dataclass(frozen=True)
class MixSettings:
    """The parts of a corpus and their weights. A document belongs to the first component that takes it. No
    component may be read more than `repetition_cap` times."""

    components: tuple[Component, ...]
    repetition_cap: float = 4.0

    def __post_init__(self) -> None:
        names = [each.name for each in self.components]
        if not names or len(set(names)) < len(names):
            raise ValueError("components must hold at least one, each with a name of its own")
        if self.repetition_cap <= 0:
            raise ValueError("repetition_cap must be above 0")


@dataclass(frozen=True)
class RefineSettings:
    """How a corpus is refined beyond exact duplicates and replaced vintages.

    Quality signals are always written once this is set. `filters` remove documents by them.
    `near_duplicates`, `decontaminate`, `scrub` and `mix` are done where their settings are given; null leaves
    them out.
    """

    filters: tuple[Filter, ...] = ()
    near_duplicates: NearDuplicateSettings | None = field(default_factory=NearDuplicateSettings)
    decontaminate: DecontaminateSettings | None = None
    scrub: ScrubSettings | None = field(default_factory=ScrubSettings)
    mix: MixSettings | None = None

    def __post_init__(self) -> None:
        names = [each.name for each in self.filters]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two filters are called {name}; each needs a name of its own")
