import pytest
import torch
from torch import nn

from mintage.model.transformer import Transformer
from mintage.train import optimizers as module
from mintage.train.optimizers import Muon, build_optimizers, orthogonalize, set_learning_rate, state_tensors
from mintage.train.settings import OptimizerSettings
from tests.model.models import LAYOUTS

from .tiny import tiny_model

SHAPES = [(8, 8), (8, 8), (20, 8), (8, 20), (20, 8)]


def singular_value_reference(matrix, iterations):
    """The Newton-Schulz polynomial applied to each singular value of a float64 matrix."""
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    s = s / s.norm()
    for _ in range(iterations):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return u @ torch.diag(s) @ v


def muon_reference(weight, gradients, rate, momentum, decay, iterations):
    weight, buffer = weight.double(), torch.zeros_like(weight, dtype=torch.float64)
    for gradient in gradients:
        gradient = gradient.double()
        buffer = momentum * buffer + (1 - momentum) * gradient
        update = (1 - momentum) * gradient + momentum * buffer
        scale = max(1, weight.shape[0] / weight.shape[1]) ** 0.5
        weight = weight * (1 - rate * decay)
        weight = weight - rate * scale * singular_value_reference(update, iterations)
    return weight


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_muon_follows_the_float64_reference(dtype, tolerance):
    torch.manual_seed(0)
    weights = [torch.randn(shape, dtype=dtype) for shape in SHAPES]
    gradients = [[torch.randn(shape, dtype=dtype) for _ in range(4)] for shape in SHAPES]
    parameters = [nn.Parameter(weight.clone()) for weight in weights]
    optimizer = Muon(parameters, lr=0.1, momentum=0.9, weight_decay=0.2, iterations=5)
    for step in range(4):
        for parameter, own in zip(parameters, gradients):
            parameter.grad = own[step].clone()
        optimizer.step()
    for parameter, weight, own in zip(parameters, weights, gradients):
        expected = muon_reference(weight, own, 0.1, 0.9, 0.2, 5)
        error = (parameter.double() - expected).norm() / (expected - weight.double()).norm()
        assert error < tolerance


def test_matrices_stacked_a_few_at_a_time_take_the_same_step(monkeypatch):
    def stepped():
        generator = torch.Generator().manual_seed(0)
        parameters = [nn.Parameter(torch.randn(6, 4, generator=generator)) for _ in range(5)]
        optimizer = Muon(parameters, lr=0.1)
        for parameter in parameters:
            parameter.grad = torch.randn(6, 4, generator=generator)
        optimizer.step()
        return parameters

    sizes = []

    def counting(matrices, iterations):
        sizes.append(len(matrices))
        return together(matrices, iterations)

    together = module.orthogonalize_together
    monkeypatch.setattr(module, "orthogonalize_together", counting)
    at_once = stepped()
    monkeypatch.setattr(module, "STACKED", 2 * 24)
    torch.testing.assert_close(stepped(), at_once)
    assert sizes == [5, 2, 2, 1]
    assert (module.matrices_at_a_time(49, 1), module.matrices_at_a_time(24, 4)) == (1, 8)


def test_every_setting_reaches_its_optimizer():
    """Three steps of each optimizer written out in float64, with settings that are nobody's default."""
    settings = OptimizerSettings(
        "muon",
        learning_rate=0.01,
        betas=(0.7, 0.8),
        epsilon=0.1,
        weight_decay=0.3,
        muon_learning_rate=0.05,
        muon_momentum=0.6,
        muon_iterations=2,
    )
    model = tiny_model().double()
    optimizers = build_optimizers(model, settings)
    torch.manual_seed(0)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    gradients = {name: torch.randn(3, *weight.shape).double() for name, weight in before.items()}
    for step in range(3):
        for name, parameter in model.named_parameters():
            parameter.grad = gradients[name][step].clone()
        for optimizer in optimizers:
            optimizer.step()
    for name, parameter in model.named_parameters():
        if "proj" in name:
            expected = muon_reference(before[name], gradients[name], 0.05, 0.6, 0.3, 2)
        else:
            expected = adamw_reference(before[name], gradients[name], 0.01, (0.7, 0.8), 0.1, 0.3)
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-9, atol=1e-9)


def adamw_reference(weight, gradients, rate, betas, epsilon, decay):
    """Loshchilov and Hutter 2019, algorithm 2; vectors do not decay."""
    first = second = torch.zeros_like(weight)
    for step, gradient in enumerate(gradients, 1):
        weight = weight * (1 - rate * decay) if weight.ndim == 2 else weight
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        corrected = (second / (1 - betas[1] ** step)).sqrt() + epsilon
        weight = weight - rate * first / (1 - betas[0] ** step) / corrected
    return weight


def test_orthogonalised_singular_values_are_near_one():
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalize(torch.randn(3, 24, 64), 5))
    assert values.min() > 0.6 and values.max() < 1.3


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_gradient_scale_divides_and_a_flag_skips_the_whole_step(name):
    plain, scaled = tiny_model(), tiny_model()
    for model, factors in ((plain, (1.0, 1.0, 1.0)), (scaled, (8.0, 8.0, 0.5))):  # a step has its own
        optimizers = build_optimizers(model, OptimizerSettings(name))
        steps = ((1.0, False), (float("nan"), True), (1.0, False))
        for seed, (factor, (gradient_factor, broken)) in enumerate(zip(factors, steps)):
            torch.manual_seed(seed)
            for parameter in model.parameters():
                parameter.grad = torch.randn_like(parameter) * factor * gradient_factor
            for optimizer in optimizers:
                optimizer.grad_scale = torch.tensor(factor)
                optimizer.found_inf = torch.tensor(float(broken))
                before = {k: v.clone() for k, v in state_tensors(model, optimizers).items()}
                weights = [parameter.clone() for parameter in model.parameters()]
                optimizer.step()
                if broken:
                    assert all(map(torch.equal, weights, model.parameters()))
                    after = state_tensors(model, optimizers)
                    assert all(torch.equal(before[key], after[key]) for key in before)
    for one, other in zip(plain.parameters(), scaled.parameters()):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_muon_scales_by_outputs_over_inputs_whichever_way_a_matrix_is_stored():
    """The same map stored (out, in) and (in, out) takes the same step."""
    torch.manual_seed(0)
    for outputs, inputs in ((24, 8), (8, 24)):
        weight, gradient = torch.randn(outputs, inputs), torch.randn(outputs, inputs)
        rows, columns = nn.Parameter(weight.clone()), nn.Parameter(weight.T.clone())
        optimizer = Muon([{"params": [rows]}, {"params": [columns], "stored_transposed": True}], lr=0.1)
        rows.grad, columns.grad = gradient, gradient.T.clone()
        optimizer.step()
        torch.testing.assert_close(rows.T, columns)
        assert (
            torch.linalg.svdvals(weight - rows.detach()).max() > 0.1 * max(1, outputs / inputs) ** 0.5 * 0.6
        )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_in_every_layout_muon_has_the_layers_matrices_and_neither_biases_nor_tables_do(layout):
    model = Transformer(LAYOUTS[layout])
    optimizers = build_optimizers(model, OptimizerSettings("muon", weight_decay=0.5))
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    decaying = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    stored = {
        id(p): group["stored_transposed"] for group in optimizers[1].param_groups for p in group["params"]
    }
    for name, parameter in model.named_parameters():
        is_matrix = name.endswith(("proj.weight", "c_attn.weight", "c_fc.weight"))
        assert (id(parameter) in stored) is is_matrix, name
        assert (id(parameter) in decaying) is (parameter.ndim == 2), name
        if is_matrix:
            assert stored[id(parameter)] is name.startswith("transformer."), name


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_each_parameter_has_one_optimizer_and_only_matrices_decay(name):
    model = tiny_model()
    optimizers = build_optimizers(model, OptimizerSettings(name, weight_decay=0.5))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    seen = {}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                assert id(parameter) not in seen
                seen[id(parameter)] = type(optimizer).__name__
                assert group["weight_decay"] == (0.5 if parameter.ndim == 2 else 0)
    assert seen.keys() == names.keys()
    of_muon = {names[key] for key, kind in seen.items() if kind == "Muon"}
    projections = {key for key in names.values() if "proj" in key}
    assert of_muon == (projections if name == "muon" else set())


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_fresh_state_has_the_tensors_of_a_used_one(name):
    model = tiny_model()
    optimizers = build_optimizers(model, OptimizerSettings(name))
    fresh = {key: (value.shape, value.dtype) for key, value in state_tensors(model, optimizers).items()}
    for factor in (0.1, 0.5):  # of the peak, not of what it was
        set_learning_rate(optimizers, factor)
    assert {group["lr"] / group["peak_lr"] for each in optimizers for group in each.param_groups} == {0.5}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    for optimizer in optimizers:
        optimizer.step()
    assert fresh == {key: (v.shape, v.dtype) for key, v in state_tensors(model, optimizers).items()}
