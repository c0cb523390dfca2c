"""What makes a run this run and no other: a checkpoint of another one is never gone on from."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Protocol

import torch

from mintage.errors import MintageError
from mintage.train.settings import TrainSettings
from mintage.workspace import json_sha256

# The settings that change a run's weights; a resumed run may differ in the others.
ARITHMETIC = (
    "optimizer",
    "schedule",
    "gradient_clip",
    "z_loss",
    "micro_batch",
    "compile",
    "float8",
    "precision",
    "spike_sigma",
    "deterministic",
    "seed",
)


class Plan(Protocol):
    """What fixes every batch of a run."""

    @property
    def hash(self) -> str: ...

    @property
    def steps(self) -> int: ...

    @property
    def ledger_root(self) -> str: ...

    @property
    def knowledge_cutoff(self) -> Any: ...


def identity_of(plan: Plan, settings: TrainSettings, processes: int) -> dict[str, Any]:
    """What state.json keeps of a run to know it again."""
    values = dataclasses.asdict(settings)
    return {
        "plan_hash": plan.hash,
        "settings_hash": json_sha256({name: values[name] for name in ARITHMETIC}),
        "ledger_root": plan.ledger_root,
        "knowledge_cutoff": plan.knowledge_cutoff and str(plan.knowledge_cutoff),
        "seed": settings.seed,
        "threads": torch.get_num_threads(),
        "processes": processes,
    }


def check_identity(path: Path, state: dict[str, Any], identity: dict[str, Any]) -> list[str]:
    """Refuse to go on with another plan or other settings; say what else could change the bits.

    Raises:
        MintageError: the checkpoint is of another run; it says which part differs.
    """
    differences = {
        "plan_hash": "another plan (documents, mix, steps)",
        "settings_hash": "other settings",
    }
    for name, what in differences.items():
        if state.get(name) != identity[name]:
            raise MintageError(
                f"{path}: this run was begun with {what}. Use the same, or train into another directory"
            )
    warnings = []
    then = f"{state['processes']} processes of {state['threads']} CPU threads"
    now = f"{identity['processes']} of {identity['threads']}"
    if (state["processes"], state["threads"]) != (identity["processes"], identity["threads"]):
        warnings.append(
            f"warning: the run used {then} and goes on with {now}; "
            "the last bits of the weights will differ from those of an uncut run"
        )
    if state["versions"]["torch"] != torch.__version__:
        warnings.append(
            f"warning: the run used torch {state['versions']['torch']} and goes on with {torch.__version__}; "
            "the last bits of the weights can differ"
        )
    return warnings
