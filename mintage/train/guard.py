"""The guards of a run: a step whose loss or gradient is far from those before it changes nothing, and a run
that takes no step any more ends.

The idea of the first is that of OLMo's SkipStepOptimizer (arXiv:2501.00656). It decides on the device; its
history is part of the state to resume from. The second reads the rows of metrics.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mintage.errors import MintageError

STEPS = 128  # that the history holds
ENOUGH = STEPS // 2  # steps before the guard acts


def new_history(device: torch.device) -> Tensor:
    """The losses and the gradient norms of the last steps, none yet: (2, STEPS), NaN where there is none."""
    return torch.full((2, STEPS), torch.nan, device=device)


def is_spike(history_2S: Tensor, latest_2: Tensor, sigma: float) -> Tensor:
    """Whether the latest loss or gradient norm lies more than `sigma` standard deviations above the mean of
    the history: a boolean scalar, false while there are too few steps."""
    known_2S = ~history_2S.isnan()
    count_2 = known_2S.sum(1)
    mean_2 = history_2S.nansum(1) / count_2
    deviations_2S = torch.where(known_2S, history_2S - mean_2[:, None], 0)
    sigma_2 = (deviations_2S.square().sum(1) / (count_2 - 1)).sqrt()
    return ((count_2 >= ENOUGH) & (latest_2 > mean_2 + sigma * sigma_2)).any()


def remember(history_2S: Tensor, latest_2: Tensor, step: int) -> None:
    """Put a step's loss and gradient norm in the place of those that are oldest, unless one is not finite.

    A spike is remembered too: it widens the history, so that a level that has truly changed is accepted after
    a few steps.
    """
    place_2 = history_2S[:, step % STEPS]
    place_2.copy_(torch.where(latest_2.isfinite().all(), latest_2, place_2))


def lost_steps(lost: int, row: dict[str, Any], steps: int) -> int:
    """How many steps in a row were not finite, with those of a new row of metrics: `lost` is the number until
    then, `steps` the length of the run.

    Raises:
        MintageError: they are STEPS, or half of a shorter run: nothing will be learned any more.
    """
    not_finite = row.get("skipped", 0) - row.get("spikes", 0)
    lost = lost + not_finite if row["loss"] is None else 0
    if lost >= min(STEPS, max(1, steps // 2)):
        raise MintageError(
            f"step {row['step']:,}: none of the last {lost:,} steps had a finite loss and gradient, so "
            "nothing is learned any more. Lower train.optimizer's learning rates, or look at the weights "
            "that the run began with"
        )
    return lost
