"""The accelerators' way through the head, computed here on a CPU, against torch's own cross-entropy."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mintage.train.objectives import accelerated, next_token


def case(rows: int, vocabulary: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(rows)
    hidden_ND = torch.randn(rows, 16, dtype=dtype, requires_grad=True)
    weight_VD = torch.randn(vocabulary, 16, dtype=dtype, requires_grad=True)
    return hidden_ND, weight_VD, torch.randint(0, vocabulary, (rows,))


def reference(hidden_ND, weight_VD, targets_N, z_loss):
    logits_NV = hidden_ND @ weight_VD.T
    loss = F.cross_entropy(logits_NV, targets_N, reduction="sum")
    loss = loss + z_loss * logits_NV.logsumexp(1).square().sum()
    return loss.detach(), *torch.autograd.grad(loss, (hidden_ND, weight_VD))


@pytest.mark.parametrize("z_loss", [0.0, 0.03])
@pytest.mark.parametrize("rows", [1, 512, 1100])
def test_equals_torch_with_gradients(rows: int, z_loss: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerated, "LOGITS", 1)  # chunks of the fewest rows
    hidden_ND, weight_VD, targets_N = case(rows, 71, torch.float64)
    got = accelerated.forward_and_gradients(
        hidden_ND.detach(), weight_VD.detach(), targets_N, z_loss, (True, True), torch.float64, False
    )
    for value, expected in zip(got, reference(hidden_ND, weight_VD, targets_N, z_loss)):
        torch.testing.assert_close(value, expected, rtol=1e-11, atol=1e-12)


def test_products_in_bfloat16_come_near_float64() -> None:
    hidden_ND, weight_VD, targets_N = case(300, 500, torch.float64)
    expected = reference(hidden_ND, weight_VD, targets_N, 0.01)
    got = accelerated.forward_and_gradients(
        hidden_ND.detach().float(), weight_VD.detach().float(), targets_N, 0.01, (True, True),
        torch.bfloat16, False,
    )  # fmt: skip
    assert got[2] is not None and got[2].dtype == torch.float32
    for value, right in zip(got, expected):
        assert value is not None and (value.double() - right).norm() / right.norm() < 0.01


def test_a_frozen_head_or_a_frozen_body_costs_nothing() -> None:
    hidden_ND, weight_VD, targets_N = (tensor.detach() for tensor in case(20, 11, torch.float32))
    arguments = (hidden_ND, weight_VD, targets_N, 0.0)
    assert accelerated.forward_and_gradients(*arguments, (True, False), torch.float32, False)[2] is None
    assert accelerated.forward_and_gradients(*arguments, (False, True), torch.float32, False)[1] is None


def test_chunks_hold_half_a_gibibyte_of_bfloat16_logits_at_most() -> None:
    for vocabulary in (4096, 49152, 50304, 128256):
        rows = accelerated.rows_at_a_time(vocabulary)
        assert accelerated.LOGITS / 2 < rows * vocabulary <= accelerated.LOGITS and rows & (rows - 1) == 0


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_on_a_gpu_autocast_multiplies_in_bfloat16_and_agrees(compiled: bool) -> None:
    hidden_ND, weight_VD, targets_N = case(5000, 4096, torch.float64)
    expected = reference(hidden_ND, weight_VD, targets_N, 0.01)
    leaves = [t.detach().float().cuda().requires_grad_() for t in (hidden_ND, weight_VD)]
    with torch.autocast("cuda", torch.bfloat16):
        loss = next_token.linear_cross_entropy(*leaves, targets_N.cuda(), 0.01, compiled)
    loss.backward()
    for value, right in zip((loss, *(leaf.grad for leaf in leaves)), expected):
        assert (value.double().cpu() - right).norm() / right.norm() < 0.01
