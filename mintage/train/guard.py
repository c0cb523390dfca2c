"""The guard against loss spikes: a step whose loss or gradient is far from those before it changes nothing.

The idea is that of OLMo's SkipStepOptimizer (arXiv:2501.00656). All is decided on the device; the history is
part of the state to resume from.
"""

from __future__ import annotations

import torch
from torch import Tensor

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
