"""Learning-rate schedules: pure functions of the step."""

from __future__ import annotations

import math

from mintage.train.settings import ScheduleSettings

EASING = 0.3  # of the steps, over which learned positions of a cut model become RoPE


def eased_share(step: int, steps: int) -> float:
    """How far learned positions have become RoPE before step `step`: from 0 to 1, in a straight line."""
    return min(1.0, step / (EASING * steps))


def learning_rate_factor(step: int, steps: int, settings: ScheduleSettings) -> float:
    """The fraction of the peak learning rate with which step `step` (0 to steps - 1) is taken.

    The warm-up rises linearly and reaches the peak in its last step; WSD (Hu et al. 2024, MiniCPM) then stays
    and falls linearly; cosine (Loshchilov and Hutter 2017) and linear fall from there. One-cycle (Smith and
    Topin 2018, as torch's OneCycleLR) also rises along a cosine. The step after the last would use
    `final_fraction`, so that a floor of zero wastes no step.
    """
    asked = settings.warmup_fraction * steps if settings.warmup_steps is None else settings.warmup_steps
    warmup = min(round(asked), steps)
    if step < warmup:
        if settings.name == "onecycle":
            risen = step / (warmup - 1) if warmup > 1 else 1.0
            return 1 - (1 - settings.initial_fraction) * _cosine(risen)
        return (step + 1) / warmup
    decay = steps - warmup
    if settings.name == "wsd":
        decay = min(decay, round(settings.decay_fraction * steps))
    remaining = steps - step
    if remaining > decay:
        return 1.0
    progress = 1 - remaining / (decay + 1)
    shape = 1 - progress if settings.name in ("wsd", "linear") else _cosine(progress)
    return settings.final_fraction + (1 - settings.final_fraction) * shape


def _cosine(progress: float) -> float:
    """From 1 to 0 along half a wave."""
    return (1 + math.cos(math.pi * progress)) / 2
