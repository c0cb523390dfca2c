"""One optimizer step: micro-batches forward and backward, one normalisation, guards, optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from mintage.model.transformer import Transformer
from mintage.train import guard
from mintage.train.objectives import next_token
from mintage.train.optimizers import set_learning_rate
from mintage.train.parallel import current, last_micro_batch
from mintage.train.settings import TrainSettings
from mintage.train.sharding import take_gradients
from mintage.train.team import Team, rows_of

WINDOW = 6  # sums since the last row: loss, tokens, gradient norm, steps taken, steps not finite, spikes


class Batch(Protocol):
    """Rows of tokens, their next tokens, which of these count, and where documents are isolated, each input's
    document."""

    inputs_BT: np.ndarray
    targets_BT: np.ndarray
    mask_BT: np.ndarray
    documents_BT: np.ndarray | None


# (model, a micro-batch, settings) -> (sum of losses over valid targets in nats, their number)
Objective = Callable[[Transformer, Batch, TrainSettings], tuple[Tensor, int]]


def take_step(
    team: Team,
    optimizers: list[Optimizer],
    batch: Batch,
    settings: TrainSettings,
    step: int,
    factor: float,
    window: Tensor,
    objective: Objective | None = None,
    history_2S: Tensor | None = None,
) -> int:
    """One optimizer step over a batch, micro-batch by micro-batch; returns the number of valid targets.

    Gradients are those of the summed loss, and are divided once, inside the optimizers, by the number of
    valid targets of the whole batch and by what clipping asks for. A step whose loss or gradient is not
    finite, or is a spike beside those of `history_2S` (see guard.py), changes nothing, nor does a batch
    without a valid target. The device is never asked for a value; the sums of `window` are added to on it.
    """
    objective = objective or next_token.objective
    device = window.device
    processes = current()

    def both_ways(model: Transformer, piece: Batch) -> tuple[Tensor, int]:
        if processes.world == 1 and not piece.mask_BT.any():  # several pass all alike, lest one waits
            return torch.zeros((), device=device), 0
        # A pass reads each weight once; narrow copies kept for another time would outlive the layer's work.
        narrow = uses_bfloat16(settings, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=narrow, cache_enabled=False):
            loss, count = objective(model, piece, settings)
            loss.backward()
        return loss.detach(), count

    total = torch.zeros((), device=device)
    count = 0
    pieces = [
        (n, piece)
        for n, piece in enumerate(micro_batches(batch, settings.micro_batch))
        if piece.mask_BT.any()
    ]
    for index, micro_batch in pieces:
        seeds = np.random.SeedSequence((settings.seed, step, index, processes.rank))
        torch.manual_seed(int(seeds.generate_state(1, np.uint64)[0]))
        last_micro_batch(team.model, index == pieces[-1][0])
        loss, valid = team.learn(both_ways, processes.rows(micro_batch))
        total += loss
        count += valid
    count = processes.add_up(count)
    if count == 0:
        return 0
    norm = torch.nn.utils.get_total_norm(take_gradients(team.model), foreach=True)
    if processes.world > 1:
        total, square = processes.add(torch.stack((total, norm.square())))
        norm = square.sqrt()
    norm = norm / count
    finite = torch.isfinite(norm) & torch.isfinite(total)
    spike = torch.zeros_like(finite)
    if history_2S is not None and settings.spike_sigma is not None:
        latest_2 = torch.stack((total / count, norm)).to(history_2S.dtype)
        spike = finite & guard.is_spike(history_2S, latest_2, settings.spike_sigma)
        guard.remember(history_2S, latest_2, step)
    taken = finite & ~spike
    scale = torch.full_like(norm, count, dtype=torch.float32)  # as torch's fused kernels read it
    if settings.gradient_clip:
        scale *= (norm / settings.gradient_clip).clamp_min(1)
    set_learning_rate(optimizers, factor)
    for optimizer in optimizers:
        vars(optimizer).update(grad_scale=scale, found_inf=(~taken).float())  # see optimizers.py
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    figures = torch.stack((total, torch.full_like(total, count), norm, torch.ones_like(total)))
    window[:4] += torch.where(taken, figures, torch.zeros_like(figures))
    window[4:] += torch.stack((~finite, spike))
    return count


def micro_batches(batch: Batch, rows: int | None) -> Iterator[Any]:
    """A batch cut into pieces of at most `rows` rows."""
    total = len(batch.inputs_BT)
    for start in range(0, total, rows or total):
        yield rows_of(batch, start, start + (rows or total))


def log_row(step: int, window: list[float], tokens: int, learning_rate: float) -> dict[str, Any]:
    """The metrics of the steps since the last row: means over the steps that were taken, and how many were
    skipped, `spikes` of them as spikes and the others because something was not finite."""
    loss, counted, norm, taken, not_finite, spikes = window
    row = {
        "step": step,
        "loss": round(loss / counted, 6) if counted else None,
        "learning_rate": learning_rate,
        "gradient_norm": round(norm / taken, 6) if taken else None,
        "tokens": tokens,
    }
    skipped = {"skipped": int(not_finite + spikes), "spikes": int(spikes)}
    return row | {name: number for name, number in skipped.items() if number}


def uses_bfloat16(settings: TrainSettings, device: torch.device) -> bool:
    """Whether products are taken in bfloat16 (weights and their updates stay in float32)."""
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return settings.precision == "bfloat16" or (settings.precision == "auto" and fast)
