"""The head's loss and gradients on an accelerator: few large products, and between them one kernel that reads
the logits and writes their gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

# Logits that exist at a time: 512 MiB in bfloat16. The gradient of the weights is added up once a chunk, in
# float32, so chunks of a few hundred rows would spend longer on that than on the products.
LOGITS = 1 << 28
FEWEST_ROWS = 512


def forward_and_gradients(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    z_loss: float,
    needed: tuple[bool, ...],
    dtype: torch.dtype,
    compiled: bool,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The summed loss of `next_token.linear_cross_entropy` and the gradients of hidden states and weights.

    Products are taken in `dtype`; the softmax, the loss and the sum of the weights' gradient in the weights'
    own precision. `compiled`: with torch.compile, which makes one kernel of the softmax, the loss and the
    gradient.
    """
    narrow_ND, head_VD = hidden_ND.to(dtype), weight_VD.to(dtype)
    hidden_gradient_ND = torch.empty_like(narrow_ND) if needed[0] else None
    weight_gradient_VD = torch.zeros_like(weight_VD) if needed[1] else None
    loss = torch.zeros((), dtype=weight_VD.dtype, device=weight_VD.device)
    size = rows_at_a_time(len(weight_VD))
    for start in range(0, len(narrow_ND), size):
        chunk_CD, targets_C = narrow_ND[start : start + size], targets_N[start : start + size]
        logits_CV = chunk_CD @ head_VD.T
        chunk_loss, gradient_CV = _differentiate(compiled)(logits_CV, targets_C, z_loss, weight_VD.dtype)
        loss += chunk_loss
        if hidden_gradient_ND is not None:
            torch.mm(gradient_CV, head_VD, out=hidden_gradient_ND[start : start + size])
        if weight_gradient_VD is not None:
            weight_gradient_VD += gradient_CV.T @ chunk_CD
    return loss, hidden_gradient_ND, weight_gradient_VD


def rows_at_a_time(vocabulary: int) -> int:
    """Rows of a chunk: the power of two whose logits come nearest to `LOGITS` from below, as batches are
    usually multiples of it."""
    return max(FEWEST_ROWS, 1 << (max(1, LOGITS // vocabulary).bit_length() - 1))


@cache
def _differentiate(compiled: bool) -> Callable[..., tuple[Tensor, Tensor]]:
    return torch.compile(loss_and_gradient) if compiled else loss_and_gradient


def loss_and_gradient(
    logits_CV: Tensor, targets_C: Tensor, z_loss: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The sum over rows of logsumexp - logit of the target + z_loss * logsumexp^2, computed in `dtype`, and
    its gradient in the logits' precision."""
    wide_CV = logits_CV.to(dtype)
    normalizer_C1 = wide_CV.logsumexp(1, keepdim=True)
    losses_C1 = normalizer_C1 - wide_CV.gather(1, targets_C[:, None]) + z_loss * normalizer_C1.square()
    is_target_CV = torch.arange(wide_CV.shape[1], device=wide_CV.device) == targets_C[:, None]
    p_CV = (wide_CV - normalizer_C1).exp()
    gradient_CV = p_CV * (1 + 2 * z_loss * normalizer_C1) - is_target_CV.to(dtype)
    return losses_C1.sum(), gradient_CV.to(logits_CV.dtype)
