"""Learning-rate schedules: pure functions of the step."""

from __future__ import annotations

import math

from mintage.train.settings import ScheduleSettings


def learning_rate_factor(step: int, steps: int, settings: ScheduleSettings) -> float:
    """The fraction of the peak learning rate with which step `step` (0 to steps - 1) is taken.

    The warm-up rises linearly and reaches the peak in its last step; WSD (Hu et al. 2024, MiniCPM) then stays
    and falls linearly; cosine (Loshchilov and Hutter 2017) falls from there. The step after the last would
    use `final_fraction`, so that a floor of zero wastes no step.
    """
    warmup = round(settings.warmup_fraction * steps)
    if step < warmup:
        return (step + 1) / warmup
    decay = steps - warmup
    if settings.name == "wsd":
        decay = min(decay, round(settings.decay_fraction * steps))
    remaining = steps - step
    if remaining > decay:
        return 1.0
    progress = 1 - remaining / (decay + 1)
    if settings.name == "cosine":
        shape = (1 + math.cos(math.pi * progress)) / 2
    else:
        shape = 1 - progress
    return settings.final_fraction + (1 - settings.final_fraction) * shape
