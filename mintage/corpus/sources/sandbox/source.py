"""The sandbox as a source: its documents are simulated, so no file stands behind them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mintage.corpus.document import Document
from mintage.corpus.sources.report import SourceReport
from mintage.corpus.sources.sandbox.settings import SandboxSource


def files(settings: SandboxSource) -> list[tuple[Path, str]]:
    """No files."""
    return []


def read(settings: SandboxSource, report: SourceReport) -> Iterator[Document]:
    """The documents of the simulated economy."""
    from mintage.corpus.sources.sandbox.economy import generate  # a simulator that few corpora need

    return generate(settings)
