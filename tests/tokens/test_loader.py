"""Prefetching changes nothing but the waiting, and its thread ends with it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from mintage.tokens.loader import Batch, Loader
from mintage.tokens.plan import Phase, Plan, PlanSettings
from tests.tokens.small_corpus import build, distinct_texts, document


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    directory = build(tmp_path, [document("1", distinct_texts([200])[0])])
    return Loader(directory, Plan.build(directory, PlanSettings((Phase(20, 8, 2, {"a": 1.0}),)), None))


def loader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mintage-loader"]


def test_prefetched_batches_are_the_batches_in_order(loader: Loader) -> None:
    ahead = list(loader.prefetch(3, 20))
    assert len(ahead) == 17
    for step, batch in enumerate(ahead, start=3):
        assert np.array_equal(batch.inputs_BT, loader.batch(step).inputs_BT)
    assert not loader_threads()


def test_leaving_early_ends_the_thread(loader: Loader) -> None:
    batches = loader.prefetch(0, 20)
    next(batches)
    assert loader_threads()
    batches.close()
    assert not loader_threads()


def test_an_error_in_the_thread_reaches_the_caller(loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    good = loader.batch

    def fail(step: int) -> Batch:
        if step == 2:
            raise OSError("the disk went away")
        return good(step)

    monkeypatch.setattr(loader, "batch", fail)
    seen = 0
    with pytest.raises(OSError, match="went away"):
        for _ in loader.prefetch(0, 20):
            seen += 1
    assert seen == 2
    assert not loader_threads()
