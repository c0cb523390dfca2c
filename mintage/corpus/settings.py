"""Settings of a corpus, and the kinds of sources there are."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from mintage.corpus.refine.settings import RefineSettings
from mintage.corpus.sources.crypto.settings import CryptoSource
from mintage.corpus.sources.edgar.settings import EdgarSource
from mintage.corpus.sources.education.settings import EducationSource
from mintage.corpus.sources.files import FilesSource
from mintage.corpus.sources.hub.settings import HubSource
from mintage.corpus.sources.macro.settings import MacroSource
from mintage.corpus.sources.markets.settings import MarketsSource
from mintage.corpus.sources.news.settings import NewsSource
from mintage.corpus.sources.papers.settings import PapersSource
from mintage.corpus.sources.patterns.settings import PatternsSource
from mintage.corpus.sources.sandbox.settings import SandboxSource

Source = (
    FilesSource
    | SandboxSource
    | EdgarSource
    | MacroSource
    | MarketsSource
    | CryptoSource
    | NewsSource
    | PatternsSource
    | EducationSource
    | PapersSource
    | HubSource
)

# Each kind's module does the work and is imported when it is needed. One that is collected from the world has
# discover, parse, user_agent and RATES; one that reads what is here already has read and files.
MODULES: dict[type, str] = {
    FilesSource: "files",
    SandboxSource: "sandbox.source",
    EdgarSource: "edgar.source",
    MacroSource: "macro.source",
    MarketsSource: "markets.source",
    CryptoSource: "crypto.source",
    NewsSource: "news.source",
    PatternsSource: "patterns.source",
    EducationSource: "education.source",
    PapersSource: "papers.source",
    HubSource: "hub.source",
}


@dataclass(frozen=True)
class CorpusSettings:
    """Where the documents come from, and the gate: the strictest `use` that may still be trained on.

    Documents that do not pass the gate stay in the store, where a view with a wider gate finds them; so do
    those that `refine` leaves out.
    """

    sources: tuple[Source, ...]
    use: Literal["ship", "local", "evaluate", "none"] = "local"
    refine: RefineSettings | None = None


def source_module(source: Source) -> ModuleType:
    """The module of a source's kind."""
    name = MODULES[type(source)]
    if isinstance(source, HubSource) and source.path is not None:
        name = "hub.folder"
    if isinstance(source, MarketsSource) and source.yfinance:
        name = "markets.yahoo"
    return importlib.import_module(f"mintage.corpus.sources.{name}")


def is_collected(source: Source) -> bool:
    """Whether a source is fetched from the world before it is read."""
    return hasattr(source_module(source), "discover")


def rates(source: Source) -> dict[str, float]:
    """How many requests a second each host of a source is asked."""
    module = source_module(source)
    found: dict[str, float] = module.rates(source) if hasattr(module, "rates") else module.RATES
    return found
