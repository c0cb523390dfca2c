import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from mintage.train.objectives.next_token import CHUNK, linear_cross_entropy, objective, token_losses
from mintage.train.settings import TrainSettings
from tests.model.models import random_model

from .tiny import CONFIG, Plan, TinyLoader, tiny_model

SHAPES = [(1, 7), (CHUNK, 33), (2 * CHUNK + 3, 101)]


def case(rows, vocabulary, dtype=torch.float64):
    torch.manual_seed(rows)
    hidden_ND = torch.randn(rows, 16, dtype=dtype, requires_grad=True)
    weight_VD = torch.randn(vocabulary, 16, dtype=dtype, requires_grad=True)
    return hidden_ND, weight_VD, torch.randint(0, vocabulary, (rows,))


def reference(hidden_ND, weight_VD, targets_N, z_loss):
    logits_NV = hidden_ND @ weight_VD.T
    penalty = z_loss * logits_NV.logsumexp(1).square().sum()
    return F.cross_entropy(logits_NV, targets_N, reduction="sum") + penalty


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("z_loss", [0.0, 0.03])
@pytest.mark.parametrize("upstream", [1.0, 0.37])
def test_equals_torch_with_gradients(shape, z_loss, upstream):
    hidden_ND, weight_VD, targets_N = case(*shape)
    expected = reference(hidden_ND, weight_VD, targets_N, z_loss)
    expected_gradients = torch.autograd.grad(upstream * expected, (hidden_ND, weight_VD))
    loss = linear_cross_entropy(hidden_ND, weight_VD, targets_N, z_loss)
    gradients = torch.autograd.grad(upstream * loss, (hidden_ND, weight_VD))
    torch.testing.assert_close(loss, expected, rtol=1e-13, atol=1e-12)
    for gradient, expected_gradient in zip(gradients, expected_gradients):
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-11, atol=1e-12)


def test_tied_head_adds_both_gradients():
    _, weight_VD, targets_N = case(40, 64)
    tokens_N = torch.arange(40)
    (gradient,) = torch.autograd.grad(
        linear_cross_entropy(weight_VD[tokens_N].tanh(), weight_VD, targets_N), weight_VD
    )
    (expected,) = torch.autograd.grad(
        reference(weight_VD[tokens_N].tanh(), weight_VD, targets_N, 0), weight_VD
    )
    torch.testing.assert_close(gradient, expected, rtol=1e-11, atol=1e-12)


def test_frozen_head_still_teaches_the_layers_below():
    hidden_ND, weight_VD, targets_N = case(20, 11)
    (expected,) = torch.autograd.grad(reference(hidden_ND, weight_VD, targets_N, 0), hidden_ND)
    loss = linear_cross_entropy(hidden_ND, weight_VD.detach(), targets_N)
    torch.testing.assert_close(torch.autograd.grad(loss, hidden_ND)[0], expected)


def test_hopeless_targets_keep_right_gradients_in_float32():
    hidden_ND = torch.tensor([[1.0]], requires_grad=True)
    weight_VD = torch.tensor([[200.0], [-200.0]], requires_grad=True)
    loss = linear_cross_entropy(hidden_ND, weight_VD, torch.tensor([1]))
    loss.backward()
    assert 80 < loss.item() < 400
    assert weight_VD.grad.tolist() == [[1.0], [-1.0]] and hidden_ND.grad.tolist() == [[400.0]]


def test_bfloat16_hidden_states_come_near_float32():
    hidden_ND, weight_VD, targets_N = case(700, 50, torch.float32)
    expected = torch.autograd.grad(reference(hidden_ND, weight_VD, targets_N, 0.01), (hidden_ND, weight_VD))
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(hidden_ND.bfloat16(), weight_VD, targets_N, 0.01)
    gradients = torch.autograd.grad(loss, (hidden_ND, weight_VD))
    for gradient, exact in zip(gradients, expected):
        assert (gradient - exact).norm() / exact.norm() < 0.02


class LargestTensor(TorchDispatchMode):
    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.size = max(self.size, result.numel())
        return result


def test_never_builds_the_logits_of_a_whole_batch():
    hidden_ND, weight_VD, targets_N = case(4 * CHUNK, 600, torch.float32)
    with LargestTensor() as largest:
        linear_cross_entropy(hidden_ND, weight_VD, targets_N, 1e-4).backward()
    assert largest.size == CHUNK * 600


def test_token_losses_equal_torch():
    hidden_ND, weight_VD, targets_N = case(2 * CHUNK + 3, 101, torch.float32)
    expected_N = F.cross_entropy(hidden_ND @ weight_VD.T, targets_N, reduction="none")
    torch.testing.assert_close(token_losses(hidden_ND, weight_VD, targets_N), expected_N)


def test_token_losses_in_bfloat16_are_taken_in_float32():
    """Held-out figures sum millions of them."""
    hidden_ND, weight_VD, targets_N = (t.detach() for t in case(64, 5000, torch.float32))
    hidden_ND, weight_VD = hidden_ND.bfloat16(), weight_VD.bfloat16()
    got_N = token_losses(hidden_ND, weight_VD, targets_N)
    expected_N = F.cross_entropy((hidden_ND @ weight_VD.T).double(), targets_N, reduction="none")
    assert got_N.dtype == torch.float32
    torch.testing.assert_close(got_N.double(), expected_N, rtol=1e-5, atol=1e-5)


def test_without_rows_loss_and_gradients_are_zero():
    """The share of a process may hold no target."""
    hidden_ND, weight_VD = torch.empty(0, 16, requires_grad=True), torch.randn(11, 16, requires_grad=True)
    torch.use_deterministic_algorithms(True)  # fresh memory is then full of NaN
    try:
        loss = linear_cross_entropy(hidden_ND, weight_VD, torch.empty(0, dtype=torch.long), 0.01)
        loss.backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert loss.item() == 0 and torch.equal(weight_VD.grad, torch.zeros(11, 16))


def test_isolated_documents_have_the_loss_that_each_has_alone():
    batch, model, settings = TinyLoader(Plan(9)).batch(0), random_model(CONFIG), TrainSettings(z_loss=0.02)
    documents_BT = np.repeat([[0, 1]], [6, 10], axis=1).repeat(8, axis=0).astype(np.int32)
    packed, count = objective(model, dataclasses.replace(batch, documents_BT=documents_BT), settings)
    parts = [rows_of_columns(batch, columns) for columns in (slice(0, 6), slice(6, 16))]
    losses, counts = zip(*(objective(model, part, settings) for part in parts))
    torch.testing.assert_close(packed, sum(losses))
    assert count == sum(counts)
    together, _ = objective(model, batch, settings)
    assert abs(together - packed) > 0.01


def rows_of_columns(batch, columns):
    return dataclasses.replace(
        batch,
        inputs_BT=batch.inputs_BT[:, columns],
        targets_BT=batch.targets_BT[:, columns],
        mask_BT=batch.mask_BT[:, columns],
    )


def test_masked_targets_change_neither_loss_nor_gradients():
    batch = TinyLoader(Plan(1)).batch(0)
    settings = TrainSettings()
    results = []
    for filler in (0, 1):
        targets_BT = np.where(batch.mask_BT, batch.targets_BT, filler)
        model = tiny_model()
        loss, count = objective(model, dataclasses.replace(batch, targets_BT=targets_BT), settings)
        loss.backward()
        results.append([loss.detach()] + [parameter.grad for parameter in model.parameters()])
        assert count == batch.mask_BT.sum()
    for one, other in zip(*results):
        assert torch.equal(one, other)
    model = tiny_model()
    logits_NV = model.logits(model(torch.from_numpy(batch.inputs_BT))).flatten(0, 1)
    losses_N = F.cross_entropy(logits_NV, torch.from_numpy(batch.targets_BT.ravel()), reduction="none")
    expected = losses_N[torch.from_numpy(batch.mask_BT.ravel())].sum()
    torch.testing.assert_close(results[0][0], expected.detach())
