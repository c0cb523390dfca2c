"""A run is known again by its plan and by every setting that changes its weights, and by no other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from mintage.errors import MintageError
from mintage.train.identity import check_identity, identity_of
from mintage.train.settings import OptimizerSettings, ScheduleSettings, TrainSettings

from .tiny import Plan

PLAIN = TrainSettings()
# What a run may go on with, each with another value than PLAIN's; it changes no bit of the weights.
MAY_CHANGE = {
    "activation_checkpointing": True,
    "evaluate_every": 7,
    "checkpoint_every": 7,
    "keep_last": 7,
    "keep_every": 7,
    "log_every": 7,
    "threads": 1,
    "trackers": ("tensorboard",),
}
MAY_NOT = {
    "optimizer": OptimizerSettings("muon"),
    "schedule": ScheduleSettings("cosine"),
    "gradient_clip": 0.5,
    "z_loss": 0.5,
    "micro_batch": 7,
    "compile": True,
    "float8": True,
    "precision": "bfloat16",
    "spike_sigma": None,
    "deterministic": True,
    "seed": 7,
}


def state_of(settings: TrainSettings, processes: int = 1) -> dict:
    """What state.json of a run keeps."""
    return identity_of(Plan(4), settings, processes) | {"versions": {"torch": torch.__version__}}


def test_every_setting_is_known_to_change_the_weights_or_not_to() -> None:
    assert {field.name for field in dataclasses.fields(TrainSettings)} == MAY_CHANGE.keys() | MAY_NOT.keys()


@pytest.mark.parametrize(("name", "value"), list((MAY_CHANGE | MAY_NOT).items()))
def test_a_setting_that_changes_the_weights_makes_another_run(name: str, value: object) -> None:
    changed = dataclasses.replace(PLAIN, **{name: value})
    assert changed != PLAIN
    begun, goes_on = state_of(PLAIN), identity_of(Plan(4), changed, 1)
    if name in MAY_CHANGE:
        assert check_identity(Path("run"), begun, goes_on) == []
    else:
        with pytest.raises(MintageError, match="begun with other settings"):
            check_identity(Path("run"), begun, goes_on)


def test_another_plan_is_another_run_even_over_the_same_documents() -> None:
    with pytest.raises(MintageError, match="begun with another plan"):
        check_identity(Path("run"), state_of(PLAIN), identity_of(Plan(4, hash="other"), PLAIN, 1))
    same_batches = identity_of(Plan(4, ledger_root="other"), PLAIN, 1)
    assert check_identity(Path("run"), state_of(PLAIN), same_batches) == []


def test_what_may_change_the_last_bits_is_said() -> None:
    begun, goes_on = state_of(PLAIN, processes=2), identity_of(Plan(4), PLAIN, 1)
    threads = goes_on["threads"]
    (said,) = check_identity(Path("run"), begun, goes_on)
    assert f"used 2 processes of {threads} CPU threads and goes on with 1 of {threads};" in said
    (said,) = check_identity(Path("run"), state_of(PLAIN), goes_on | {"threads": threads + 1})
    assert f"used 1 processes of {threads} CPU threads and goes on with 1 of {threads + 1};" in said
    (said,) = check_identity(Path("run"), state_of(PLAIN) | {"versions": {"torch": "1.0"}}, goes_on)
    assert f"used torch 1.0 and goes on with {torch.__version__};" in said
