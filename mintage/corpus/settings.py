"""Settings of a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mintage.corpus.sources.files import FilesSource
from mintage.corpus.sources.sandbox.settings import SandboxSource


@dataclass(frozen=True)
class CorpusSettings:
    """Where the documents come from, and the gate: the strictest `use` that may still be trained on.

    Documents that do not pass the gate stay in the store, where a view with a wider gate finds them.
    """

    sources: tuple[FilesSource | SandboxSource, ...]
    use: Literal["ship", "local", "evaluate", "none"] = "local"
