"""Which attention kernel a run uses, found by running each at the run's own shape: what a library says that
it supports, what works on this driver, and what is fastest are three things."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from mintage.errors import MintageError
from mintage.model.attention import attend
from mintage.model.config import ModelConfig
from mintage.model.isolation import Isolation, isolation_mask
from mintage.model.transformer import Transformer
from mintage.train.parallel import current
from mintage.train.settings import TrainSettings
from mintage.train.step import Batch, micro_batches, uses_bfloat16

RUNS = 5
TOLERANCE = 0.03  # of the largest value; bfloat16 has steps of 0.008, and a wrong mask is off by all of it
# The plain one builds all weights, so it is tried only where no other works.
BACKENDS = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
}
PLAIN = SDPBackend.MATH

Run = Callable[[], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Choice:
    """The fastest of some ways, the seconds of all that work, and why the others do not."""

    name: str
    seconds: Mapping[str, float]
    failures: Mapping[str, str]

    def __str__(self) -> str:
        """One line, the fastest first."""
        worked = sorted(self.seconds.items(), key=lambda item: item[1])
        parts = [f"{name} {seconds * 1e3:.2f} ms" for name, seconds in worked]
        parts += [f"{name} not: {reason}" for name, reason in self.failures.items()]
        return "; ".join(parts)


def fastest(candidates: Mapping[str, Run], expected: tuple[Tensor, ...], runs: int = RUNS) -> Choice:
    """Run every candidate, keep those whose values are right, and choose the one with the least time.

    Args:
        expected: what a run must return, within `TOLERANCE` of each tensor's largest value. Where these have
            fewer rows than a run returns, its first rows are compared.

    Raises:
        MintageError: none works.
    """
    seconds: dict[str, float] = {}
    failures: dict[str, str] = {}
    for name, run in candidates.items():
        try:
            wrong = _difference(run(), expected)
            if wrong > TOLERANCE:
                failures[name] = f"its values are off by {wrong:.0%}"
                continue
            times = []
            for _ in range(runs):
                start = time.perf_counter()
                _wait(run())
                times.append(time.perf_counter() - start)
            seconds[name] = min(times)
        except (RuntimeError, ValueError, NotImplementedError) as error:  # the kernel's own refusal
            failures[name] = str(error).strip().split("\n")[0][:200] or type(error).__name__
    if not seconds:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        raise MintageError(f"attention: no kernel works on this device. {reasons}")
    return Choice(min(seconds, key=seconds.__getitem__), seconds, failures)


def _difference(values: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
    """The largest difference, as a share of the largest expected value; not finite counts as infinite."""
    shares = []
    for value, right in zip(values, expected):
        difference = (value[: len(right)].float() - right.float()).abs().max() / right.float().abs().max()
        shares.append(difference.nan_to_num(float("inf")))
    return max(float(share) for share in shares)


def _wait(values: tuple[Tensor, ...]) -> None:
    if values[0].is_cuda:
        torch.cuda.synchronize(values[0].device)


def attention_choice(
    config: ModelConfig, rows: int, context: int, device: torch.device, dtype: torch.dtype
) -> Choice:
    """The fastest of torch's own kernels for causal attention, forward and backward."""
    q_BTNH, k_BKSH, v_BKSH = heads = _heads(config, rows, context, device, dtype)
    expected = _both_ways(partial(_forced, PLAIN, None), tuple(x[:1].float() for x in heads))
    candidates: dict[str, Run] = {
        name: partial(_both_ways, partial(_forced, backend, None), (q_BTNH, k_BKSH, v_BKSH))
        for name, backend in BACKENDS.items()
    }
    try:
        return fastest(candidates, expected)
    except MintageError as error:
        plain = fastest({"plain": partial(_both_ways, partial(_forced, PLAIN, None), heads)}, expected)
        return Choice(plain.name, plain.seconds, {"others": str(error)})


def isolation_choice(
    config: ModelConfig, rows: int, context: int, device: torch.device, dtype: torch.dtype
) -> Choice:
    """The faster way to keep documents of a row apart, forward and backward, the mask's making included."""
    heads = _heads(config, rows, context, device, dtype)
    begins_BT = torch.rand(rows, context, generator=torch.Generator().manual_seed(1)) < 8 / context
    documents_BT = begins_BT.cumsum(1).int().to(device)  # about eight documents a row

    def isolated(isolation: Isolation, q_BTNH: Tensor, k_BKSH: Tensor, v_BKSH: Tensor) -> Tensor:
        mask = isolation_mask(documents_BT[: len(q_BTNH)], isolation)
        return attend(q_BTNH, k_BKSH, v_BKSH, mask)

    expected = _both_ways(partial(isolated, "mask"), tuple(x[:1].float() for x in heads))
    ways: tuple[Isolation, ...] = ("flex", "mask") if not config.dropout else ("mask",)
    return fastest({way: partial(_both_ways, partial(isolated, way), heads) for way in ways}, expected)


def _heads(
    config: ModelConfig, rows: int, context: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (B, T, N, H), keys and values (B, K, T, H), in memory as the model's projections lay them."""
    generator = torch.Generator().manual_seed(0)
    counts = (config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads)
    q, k, v = (
        torch.randn(rows, context, count, config.head_dim, generator=generator).to(device, dtype)
        for count in counts
    )
    return q, k.transpose(1, 2), v.transpose(1, 2)


def _forced(
    backend: SDPBackend, mask: Tensor | None, q_BTNH: Tensor, k_BKSH: Tensor, v_BKSH: Tensor
) -> Tensor:
    with sdpa_kernel(backend):
        return attend(q_BTNH, k_BKSH, v_BKSH, mask)


def _both_ways(forward: Callable[..., Tensor], heads: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What attention gives, and the gradients of its heads."""
    leaves = [head.detach().requires_grad_() for head in heads]
    attended = forward(*leaves)
    return attended.detach(), *torch.autograd.grad(attended.float().square().mean(dim=(1, 2)).sum(), leaves)


@contextlib.contextmanager
def fastest_attention(
    model: Transformer, first_batch: Callable[[], Batch], settings: TrainSettings, say: Callable[[str], None]
) -> Iterator[None]:
    """While it is open, attention on CUDA tries the kernel first that is fastest for the run's micro-batches,
    and the others for what that one cannot do; documents that share rows are kept apart in the faster way.
    What was found is said. On other devices torch has one kernel, and nothing happens."""
    device = model.lm_head.weight.device
    if device.type != "cuda":
        yield
        return
    batch = current().rows(next(micro_batches(first_batch(), settings.micro_batch)))
    rows, context = batch.inputs_BT.shape
    dtype = torch.bfloat16 if uses_bfloat16(settings, device) else torch.float32
    choice = attention_choice(model.config, rows, context, device, dtype)
    say(f"attention: {choice}")
    if batch.documents_BT is not None:
        isolation = isolation_choice(model.config, rows, context, device, dtype)
        model.isolation = "flex" if isolation.name == "flex" else "mask"
        say(f"isolation of documents: {isolation}")
    with preferring(choice):
        yield


def preferring(choice: Choice) -> contextlib.AbstractContextManager[Any]:
    """While it is open, torch's attention tries the chosen kernel first and then the others. A compiled block
    keeps the kernel that it was compiled under."""
    first = BACKENDS.get(choice.name, PLAIN)
    order = [first, *(backend for backend in (*BACKENDS.values(), PLAIN) if backend is not first)]
    return sdpa_kernel(order, set_priority=True)
