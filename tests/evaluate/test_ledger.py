"""The ledger's root can be recomputed with tools that know nothing of Mintage."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mintage.errors import MintageError
from mintage.evaluate import ledger

LEAVES = [
    ("b" * 32, "2" * 64, datetime(2019, 7, 31, 18, tzinfo=UTC)),
    ("a" * 32, "1" * 64, datetime(2018, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
    ("c" * 32, "3" * 64, None),
]
LINES = (
    f"{'a' * 32} {'1' * 64} 2018-01-02T03:04:05.000006+00:00\n"
    f"{'b' * 32} {'2' * 64} 2019-07-31T18:00:00.000000+00:00\n"
    f"{'c' * 32} {'3' * 64} unknown\n"
)


def test_root_is_the_sha256_of_a_plain_text_list(tmp_path: Path) -> None:
    assert ledger.write(LEAVES, tmp_path / "ledger.parquet") == hashlib.sha256(LINES.encode()).hexdigest()


def test_round_trip_sorted_and_once(tmp_path: Path) -> None:
    ledger.write([*LEAVES, *LEAVES], tmp_path / "ledger.parquet")
    leaves = ledger.read(tmp_path / "ledger.parquet")
    assert leaves == sorted(LEAVES)
    assert ledger.root_of(reversed(leaves)) == ledger.root_of(leaves)


def test_late_and_undated_leaves_are_found() -> None:
    assert ledger.later_than(LEAVES, "2018-12-31T23:59:59+00:00") == [LEAVES[0], LEAVES[2]]
    assert ledger.later_than(LEAVES[:2], "2019-07-31T18:00:00+00:00") == []
    assert ledger.months(LEAVES) == {"2018-01": 1, "2019-07": 1, "undated": 1}


def test_missing_ledger_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MintageError, match="no ledger"):
        ledger.read(tmp_path / "ledger.parquet")
