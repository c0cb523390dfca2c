"""Work is counted as torch counts it, and figures are those of the steps since the last reading."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mintage.model.flops import flops_per_token
from mintage.train import meter as module
from mintage.train.meter import Meter, measured_peak, peak_memory, peak_of

from .tiny import CONFIG, tiny_model


def test_a_step_is_counted_as_torch_counts_it() -> None:
    """With the attention that torch's counter knows; it also counts the small products of the norms."""
    model = tiny_model()
    tokens_BT = torch.zeros(2, 32, dtype=torch.long)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.logits(model(tokens_BT)).sum().backward()
    meter = Meter(model)
    meter.add(tokens_BT.numpy(), 64)
    assert meter.flops == 64 * flops_per_token(CONFIG, 32)
    assert counter.get_total_flops() == pytest.approx(meter.flops, rel=8e-3)


def test_places_without_a_target_cost_no_head() -> None:
    model = tiny_model()
    hidden_BTD = torch.zeros(2, 32, CONFIG.hidden_size, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        model.logits(hidden_BTD[:, :10]).sum().backward()
    full, part = Meter(model), Meter(model)
    full.add(np.zeros((2, 32)), 64)
    part.add(np.zeros((2, 32)), 20)
    head = 6 * CONFIG.vocab_size * CONFIG.hidden_size * 64
    assert full.flops - part.flops == head - counter.get_total_flops()
    without = Meter(model)
    without.add(np.zeros((2, 32)), 0)  # a step without any target does not go through the layers either
    assert without.flops == 0


def test_figures_are_of_the_steps_since_the_last_reading() -> None:
    meter = Meter(tiny_model())
    meter.add(np.zeros((4, 16)), 50)
    meter.add(np.zeros((4, 16)), 30)
    flops = meter.flops
    figures = meter.read(0.5)
    assert figures["tokens_per_second"] == 160
    assert figures["share_of_peak"] == round(flops / 0.5 / meter.peak.flops_per_second, 4)
    assert meter.read(1.0)["tokens_per_second"] == 0


def test_the_peak_of_several_devices_is_that_of_all() -> None:
    alone, four = Meter(tiny_model()), Meter(tiny_model(), devices=4)
    for meter in (alone, four):
        meter.peak = module.Peak(1e6, "made up")
        meter.add(np.zeros((4, 16)), 64)
    assert four.read(0.5)["share_of_peak"] == pytest.approx(alone.read(0.5)["share_of_peak"] / 4, abs=1e-4)


def test_the_measured_peak_is_plausible_and_leaves_random_numbers_alone() -> None:
    state = torch.get_rng_state()
    peak = measured_peak(torch.device("cpu"), torch.float32)
    assert torch.equal(torch.get_rng_state(), state)
    assert 1e8 < peak < 1e14  # from a slow core to a large server


def test_the_measured_peak_is_the_products_two_operations_a_multiplication(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = (tick / 100 for tick in range(1000))  # a hundredth of a second between any two looks
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    peak = measured_peak(torch.device("cpu"), torch.float32)
    assert peak == pytest.approx(2 * module.PROBE_SIZE["cpu"] ** 3 / 0.01)


@pytest.mark.parametrize(
    "name, tera",
    [
        ("NVIDIA H100 80GB HBM3", 989.4),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A10G", 70),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
    ],
)
def test_known_gpus_have_published_peaks(monkeypatch: pytest.MonkeyPatch, name: str, tera: float) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peak_of(torch.device("cuda")).flops_per_second == tera * 1e12


@pytest.mark.parametrize("name", ["NVIDIA RTX A1000", "NVIDIA GeForce RTX 4090 Laptop GPU"])
def test_other_gpus_are_measured(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    monkeypatch.setattr(module, "measured_peak", lambda device, dtype: 7e12)
    assert peak_of(torch.device("cuda")).flops_per_second == 7e12


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak this way")
def test_peak_memory_is_that_of_the_process() -> None:
    code = (
        "import torch; from mintage.train.meter import peak_memory; d = torch.device('cpu');"
        "a = peak_memory(d); x = torch.ones(2**26); del x; b = peak_memory(d); print(a, b)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, answer.stdout.split())
    assert 0.9 * 2**28 < after - before < 1.2 * 2**28
    assert peak_memory(torch.device("cpu")) > 5e7
