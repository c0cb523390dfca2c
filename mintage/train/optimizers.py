"""AdamW, and Muon for the matrices between the embedding and the head.

Both read the two attributes that torch's own fused optimizers read, on the device and without waiting for it:
`grad_scale`, by which gradients are divided, and `found_inf`, 1 where the step must change nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from mintage.model.gpt2 import Conv1D
from mintage.model.transformer import Transformer
from mintage.train.parallel import current
from mintage.train.settings import OptimizerSettings
from mintage.train.sharding import as_shared, held, over_whole_matrices, whole

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
# Numbers of the matrices that a process orthogonalises at a time (512 MiB): enough for large products, and
# the memory of an update does not grow with the depth.
STACKED = 1 << 27


def orthogonalize(matrices_KRC: Tensor, iterations: int) -> Tensor:
    """Bring the singular values of K matrices near 1 by Newton-Schulz iterations (Jordan et al. 2024, Muon).

    Each iteration maps every singular value s to a*s + b*s^3 + c*s^5; the vectors stay. Computed in the
    matrices' own precision, on CUDA in bfloat16.
    """
    tall = matrices_KRC.shape[-2] > matrices_KRC.shape[-1]
    x_KRC = matrices_KRC.mT if tall else matrices_KRC
    if x_KRC.is_cuda:
        x_KRC = x_KRC.bfloat16()
    x_KRC = x_KRC / torch.linalg.matrix_norm(x_KRC, keepdim=True).clamp_min(1e-30)  # a gradient may be zero
    a, b, c = NEWTON_SCHULZ
    for _ in range(iterations):
        gram_KRR = x_KRC @ x_KRC.mT
        polynomial_KRR = torch.baddbmm(gram_KRR, gram_KRR, gram_KRR, beta=b, alpha=c)
        x_KRC = torch.baddbmm(x_KRC, polynomial_KRR, x_KRC, beta=a)
    return (x_KRC.mT if tall else x_KRC).to(matrices_KRC.dtype)


def orthogonalize_together(matrices: list[Tensor], iterations: int) -> list[Tensor]:
    """Orthogonalise matrices of one shape, some of them lying on their side, in one batch."""
    stacked_KRC = torch.stack([m.mT if m.shape[0] > m.shape[1] else m for m in matrices])
    stacked_KRC = orthogonalize(stacked_KRC, iterations)
    return [x.mT if m.shape[0] > m.shape[1] else x for x, m in zip(stacked_KRC, matrices)]


def matrices_at_a_time(numbers: int, processes: int) -> int:
    """How many matrices of so many numbers are stacked, over all processes that share them."""
    return max(1, STACKED // numbers) * processes


class Muon(Optimizer):
    """Momentum, orthogonalised (Jordan et al. 2024): Nesterov momentum, update scaled by sqrt(max(1,
    outputs/inputs)).

    A matrix has as many rows as outputs; in a group with `stored_transposed` it has as many columns.
    Buffers are kept per parameter, so that a state can be saved, inspected and sharded by name; matrices of
    equal shape are stacked only inside the step, where one batched product serves many. Of matrices that
    several processes share, each holds some rows, and orthogonalises some of the matrices (sharding.py).
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        iterations: int = 5,
    ):
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "iterations": iterations}
        super().__init__(parameters, {**defaults, "stored_transposed": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # no loss is read
        """Take one step with the gradients at hand; parameters without one are left alone."""
        assert closure is None, "Muon takes no closure"
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[tuple(sorted(whole(parameter).shape))].append(parameter)
            for shape, parameters in by_shape.items():
                size = matrices_at_a_time(math.prod(shape), current().world)
                for start in range(0, len(parameters), size):
                    self._step_together(parameters[start : start + size], group)

    def _step_together(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients: tuple[Tensor, ...] | list[Tensor] = [p.grad for p in parameters if p.grad is not None]
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        buffers = [self.state[parameter]["momentum_buffer"] for parameter in parameters]
        scale = getattr(self, "grad_scale", None)
        skip = getattr(self, "found_inf", None)
        if scale is not None:
            gradients = torch._foreach_div(gradients, scale)
        if skip is not None:  # a buffer interpolated with itself stays, whatever the gradient was
            gradients = [torch.where(skip > 0, m, g) for g, m in zip(gradients, buffers)]
        torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
        nesterov = torch._foreach_lerp(gradients, buffers, group["momentum"])
        together = partial(orthogonalize_together, iterations=group["iterations"])
        updates = over_whole_matrices(together, list(nesterov), parameters)
        taken = 1.0 if skip is None else 1 - skip
        for parameter, update_RC in zip(parameters, updates):
            rows, columns = whole(parameter).shape
            ratio = columns / rows if group["stored_transposed"] else rows / columns
            rate = group["lr"] * max(1, ratio) ** 0.5
            parameter.mul_(1 - group["lr"] * group["weight_decay"] * taken)
            parameter.sub_(update_RC * (rate * taken))


def build_optimizers(model: Transformer, settings: OptimizerSettings) -> list[Optimizer]:
    """The optimizers of a model, their state laid out at zero so that a checkpoint always has the same
    tensors.

    Weight decay touches matrices only. Every group keeps its peak rate as `peak_lr`.
    """
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    between = {id(parameter) for parameter in model.blocks.parameters()}
    inner = [
        parameter
        for _, parameter in named
        if settings.name == "muon" and parameter.ndim == 2 and id(parameter) in between
    ]
    taken = {id(parameter) for parameter in inner}
    rest = [parameter for _, parameter in named if id(parameter) not in taken]
    groups = [
        {"params": [held(p) for p in rest if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [held(p) for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizers: list[Optimizer] = [
        AdamW(
            [group for group in groups if group["params"]],
            lr=settings.learning_rate,
            betas=settings.betas,
            eps=settings.epsilon,
            fused=True,
        )
    ]
    for parameter in map(held, rest):
        optimizers[0].state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    if inner:
        transposed = {id(module.weight) for module in model.blocks.modules() if isinstance(module, Conv1D)}
        muon_groups = [
            {
                "params": [held(p) for p in inner if (id(p) in transposed) == stored],
                "stored_transposed": stored,
            }
            for stored in (False, True)
        ]
        muon = Muon(
            [group for group in muon_groups if group["params"]],
            settings.muon_learning_rate,
            settings.muon_momentum,
            settings.weight_decay,
            settings.muon_iterations,
        )
        for parameter in map(held, inner):
            muon.state[parameter] = {"momentum_buffer": torch.zeros_like(parameter)}
        optimizers.append(muon)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return optimizers


def set_learning_rate(optimizers: list[Optimizer], factor: float) -> None:
    """Set every group's rate to this fraction of its peak."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak_lr"] * factor


def state_tensors(model: nn.Module, optimizers: list[Optimizer]) -> dict[str, Tensor]:
    """Every tensor of the optimizers' state, the live ones, by the name of its parameter; those of a
    parameter that several processes share as DTensors."""
    states = {id(p): state for optimizer in optimizers for p, state in optimizer.state.items()}
    return {
        f"optimizer.{name}.{key}": as_shared(value, parameter)
        for name, parameter in model.named_parameters()
        for key, value in states.get(id(held(parameter)), {}).items()
    }
