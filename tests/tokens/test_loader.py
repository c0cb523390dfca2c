"""Prefetching changes nothing but the waiting, and its thread ends with it."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from mintage.tokens.loader import Batch, Loader
from mintage.tokens.plan import Phase, Plan, PlanSettings
from tests.tokens.small_corpus import build, characters, distinct_texts, document


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    directory = build(tmp_path, [document("1", distinct_texts([200])[0])])
    return Loader(directory, Plan.build(directory, PlanSettings((Phase(20, 8, 2, {"a": 1.0}),)), None))


LENGTHS = [1, 30, 2, 7, 65, 3, 3, 12, 40, 5]


@pytest.fixture
def isolated(tmp_path: Path) -> Loader:
    texts = distinct_texts(LENGTHS)
    directory = build(tmp_path, [document(str(n), text, available=n) for n, text in enumerate(texts)])
    settings = PlanSettings((Phase(9, 16, 3, {"a": 1.0}),), isolate_documents=True)
    return Loader(directory, Plan.build(directory, settings, None))


def test_an_inputs_document_is_the_one_that_its_target_is_in(isolated: Loader) -> None:
    texts = distinct_texts(LENGTHS)
    document_of = {token: number for number, text in enumerate(texts) for token in characters().encode(text)}
    changes = 0
    for step in range(9):
        batch = isolated.batch(step)
        assert batch.documents_BT is not None and batch.documents_BT.dtype == np.int32
        for inputs_T, targets_T, mask_T, documents_T in zip(
            batch.inputs_BT, batch.targets_BT, batch.mask_BT, batch.documents_BT
        ):
            kept = mask_T.nonzero()[0]
            # A target's text says which document it is in; an end of text is in that of its input.
            owner = [
                document_of.get(target, document_of.get(given))
                for given, target in zip(inputs_T[kept].tolist(), targets_T[kept].tolist())
            ]
            assert None not in owner
            same_owner = np.equal.outer(owner, owner)
            assert (same_owner == np.equal.outer(documents_T[kept], documents_T[kept])).all()
            assert (np.diff(documents_T) >= 0).all()
            assert not set(documents_T[~mask_T].tolist()) & set(documents_T[kept].tolist())
            changes += len(set(documents_T[kept].tolist())) - 1
            for place in np.flatnonzero(np.diff(documents_T[kept])) + 1:
                assert inputs_T[place] == characters().end_of_text_id  # what opens a document
    assert changes > 10


def test_isolation_changes_no_token_and_names_itself_in_the_plan(isolated: Loader, tmp_path: Path) -> None:
    settings = dataclasses.replace(isolated.plan.settings, isolate_documents=False)
    plain = Loader(tmp_path / "shards", Plan.build(tmp_path / "shards", settings, None))
    assert plain.plan.hash != isolated.plan.hash
    assert plain.plan.ledger_root == isolated.plan.ledger_root
    for step in range(9):
        with_ids, without = isolated.batch(step), plain.batch(step)
        assert without.documents_BT is None
        for field in ("inputs_BT", "targets_BT", "mask_BT"):
            assert np.array_equal(getattr(with_ids, field), getattr(without, field))
        rows = with_ids.rows(1, 2)
        assert rows.documents_BT is not None and np.array_equal(rows.documents_BT, with_ids.documents_BT[1:])


def test_isolation_of_documents_that_have_rows_of_their_own_is_refused() -> None:
    with pytest.raises(ValueError, match="isolates by itself"):
        PlanSettings((Phase(9, 16, 3, {"a": 1.0}),), layout="documents", isolate_documents=True)


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
