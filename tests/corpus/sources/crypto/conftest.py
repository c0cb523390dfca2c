"""An empty raw store for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from mintage.corpus.collect.raw import RawStore

from .hosts import Collected


@pytest.fixture
def store(tmp_path: Path) -> Collected:
    """An empty raw store."""
    return Collected(RawStore(tmp_path))
