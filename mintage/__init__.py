"""Mintage mints finance language models, from the filing to the chat window."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from mintage.generate.engine import Engine

__version__ = "0.1.0"

# Spinning OpenMP threads make a small model up to ten times slower when a neighbour uses one core; the
# runtime reads this once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def load(directory: str | Path) -> Engine:
    """Open a model directory for `generate`, `stream` and `score`.

    Raises:
        MintageError: the directory is not a model that Mintage can open.
    """
    from mintage.generate.engine import load as load_engine

    return load_engine(directory)
