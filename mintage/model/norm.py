"""RMSNorm whose backward is quick on a CPU, too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class RMSNorm(nn.Module):
    """Divide the last dimension by its root mean square and multiply by a weight (arXiv:1910.07467)."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        # PyTorch has no native backward for it on the CPU: its chain of small steps takes five times as long
        # (13.3 ms against 2.6 ms for 8 x 256 x 384 on one thread), 9% of a 10M model's step. A compiler fuses
        # the chain itself.
        if x.device.type == "cpu" and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return _RMSNormFunction.apply(x, self.weight, self.eps)
        return functional.rms_norm(x, self.weight.shape, self.weight, self.eps)


class _RMSNormFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        size = x.shape[-1]
        inverse = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(size).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        return (x * inverse).mul_(weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, inverse = ctx.saved_tensors
        products = (gradient * x).flatten(0, -2)
        weight_gradient = inverse.flatten() @ products
        along_x = (products @ weight).view(inverse.shape).mul_(inverse.pow(3)).div_(x.shape[-1])
        x_gradient = (gradient * weight).mul_(inverse).addcmul_(x, along_x, value=-1)
        return x_gradient, weight_gradient, None
