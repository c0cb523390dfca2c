"""Cross-entropy of the next token, straight from the hidden states: the logits of a batch never exist at
once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mintage.model.transformer import Transformer
from mintage.train.objectives import accelerated
from mintage.train.settings import TrainSettings

if TYPE_CHECKING:
    from mintage.train.step import Batch

# Rows whose logits exist at a time. Measured on a CPU: best or near it from 2K to 50K entries, and never
# behind logits built whole.
CHUNK = 512


def objective(model: Transformer, batch: Batch, settings: TrainSettings) -> tuple[Tensor, int]:
    """The summed loss of a batch's valid targets, in nats, and their number. Rows without a target cost no
    head."""
    device = model.lm_head.weight.device
    documents_BT = None if batch.documents_BT is None else on(device, batch.documents_BT)
    hidden_ND = model(on(device, batch.inputs_BT), documents_BT=documents_BT).flatten(0, 1)
    targets_N = batch.targets_BT.reshape(-1)
    valid_N = np.flatnonzero(batch.mask_BT)
    if len(valid_N) < len(targets_N):
        hidden_ND = hidden_ND[on(device, valid_N)]
        targets_N = targets_N[valid_N]
    targets = on(device, targets_N)
    weight_VD, compiled = model.lm_head.weight, settings.compile
    return linear_cross_entropy(hidden_ND, weight_VD, targets, settings.z_loss, compiled), len(valid_N)


def on(device: torch.device, array: np.ndarray) -> Tensor:
    """An array as a tensor on a device, without waiting for the device: from pinned memory the copy queues up
    behind its work."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def linear_cross_entropy(
    hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, z_loss: float = 0.0, compiled: bool = False
) -> Tensor:
    """Sum over rows of -log softmax(hidden @ weight.T)[target], plus z_loss * logsumexp^2: a scalar.

    Gradients are computed in the forward pass, chunk by chunk, on one reused buffer that holds logits, then
    probabilities, then the gradient of the logits. On a CPU float32 losses saturate at 87 nats a token, where
    a probability underflows; gradients stay right. `compiled` is for accelerators (see accelerated.py), which
    multiply in autocast's precision.
    """
    return _LinearCrossEntropy.apply(hidden_ND, weight_VD, targets_N, z_loss, compiled)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, z_loss: float, compiled: bool
    ) -> Tensor:
        device, needed = hidden_ND.device.type, ctx.needs_input_grad
        autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight_VD.dtype
        with torch.autocast(device, enabled=False):
            if device == "cpu":
                loss, *gradients = _forward_and_gradients(hidden_ND, weight_VD, targets_N, z_loss, needed)
            else:
                loss, *gradients = accelerated.forward_and_gradients(
                    hidden_ND, weight_VD, targets_N, z_loss, needed, autocast, compiled
                )
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        gradients = ctx.saved_tensors
        if upstream.device.type != "cpu" or upstream.item() != 1:  # asking an accelerator would wait for it
            gradients = tuple(None if g is None else g.mul_(upstream) for g in gradients)
        return gradients[0], gradients[1], None, None, None


def _forward_and_gradients(
    hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, z_loss: float, needed: tuple[bool, ...]
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    rows, vocabulary = hidden_ND.shape[0], weight_VD.shape[0]
    narrow = hidden_ND.dtype if hidden_ND.dtype.itemsize < weight_VD.dtype.itemsize else weight_VD.dtype
    hidden_ND, head_VD = hidden_ND.to(narrow), weight_VD.to(narrow)
    hidden_gradient_ND = torch.empty_like(hidden_ND) if needed[0] else None
    empty = torch.empty_like if rows else torch.zeros_like  # without rows nothing is written into it
    weight_gradient_VD = empty(weight_VD) if needed[1] else None
    buffer_CV = _buffer(min(CHUNK, rows), vocabulary, hidden_ND)
    losses_N = torch.empty(rows, dtype=weight_VD.dtype, device=weight_VD.device)
    tiny = torch.finfo(weight_VD.dtype).tiny
    for start in range(0, rows, CHUNK):
        chunk_CD = hidden_ND[start : start + CHUNK]
        target_C1 = targets_N[start : start + CHUNK, None]
        logits_CV = torch.mm(chunk_CD, head_VD.T, out=buffer_CV[: chunk_CD.shape[0]]).to(weight_VD.dtype)
        target_logit_C1 = logits_CV.gather(1, target_C1)
        p_CV = torch.softmax(logits_CV, 1, out=logits_CV)
        loss_C1 = -p_CV.gather(1, target_C1).clamp_min(tiny).log()
        normalizer_C1 = target_logit_C1 + loss_C1
        losses_N[start : start + CHUNK] = (loss_C1 + z_loss * normalizer_C1.square()).squeeze(1)
        # d loss / d logits = p * (1 + 2 * z_loss * normalizer) - onehot(target). The factor of each row is
        # applied to the narrow sides of the two products instead of to the wide p.
        factor_C1 = 1 + 2 * z_loss * normalizer_C1
        p_CV.scatter_add_(1, target_C1, -1 / factor_C1)
        p_CV = p_CV.to(narrow)
        if hidden_gradient_ND is not None:
            gradient_CD = torch.mm(p_CV, head_VD, out=hidden_gradient_ND[start : start + CHUNK])
            if z_loss:
                gradient_CD.mul_(factor_C1)
        if weight_gradient_VD is not None:
            scaled_CD = (chunk_CD * factor_C1).to(narrow) if z_loss else chunk_CD
            if narrow == weight_VD.dtype:
                weight_gradient_VD.addmm_(p_CV.T, scaled_CD, beta=0 if start == 0 else 1)
            elif start == 0:
                weight_gradient_VD.copy_(p_CV.T @ scaled_CD)
            else:
                weight_gradient_VD += p_CV.T @ scaled_CD
    return losses_N.sum(), hidden_gradient_ND, weight_gradient_VD


_kept = threading.local()


def _buffer(rows: int, columns: int, like: Tensor) -> Tensor:
    """Uninitialised memory that each thread keeps from step to step: fresh memory costs a page fault every 4
    KiB, some 3% of the whole head with 50K entries."""
    name = f"{like.device} {like.dtype}"
    kept = getattr(_kept, name, None)
    if kept is None or kept.numel() < rows * columns:
        kept = like.new_empty(rows * columns)
        setattr(_kept, name, kept)
    buffer: Tensor = kept[: rows * columns].view(rows, columns)
    return buffer


def token_losses(hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor) -> Tensor:
    """-log softmax(hidden @ weight.T)[target] of every row, in nats, without gradients and without whole
    logits."""
    with torch.no_grad():
        chunks = zip(hidden_ND.split(CHUNK), targets_N.split(CHUNK))
        return torch.cat([F.cross_entropy((h @ weight_VD.T).float(), t, reduction="none") for h, t in chunks])
