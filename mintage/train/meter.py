"""How fast a run goes, what share of the machine's peak that is, and how much memory it takes."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mintage.model.flops import flops_per_token
from mintage.model.transformer import Transformer
from mintage.train import hardware

PROBE_SECONDS = 0.15
PROBE_SIZE = {"cpu": 768, "cuda": 4096}


@dataclass(frozen=True)
class Peak:
    """Floating-point operations that a device can do in a second, and where the figure comes from."""

    flops_per_second: float
    source: str


class Meter:
    """Counts the work of a run's steps, on `devices` alike, and turns it into the figures of a log row."""

    def __init__(self, model: Transformer, devices: int = 1) -> None:
        self.config, self.devices = model.config, devices
        self.device = next(model.parameters()).device
        self.peak = peak_of(self.device)
        self.tokens = self.flops = 0

    def facts(self) -> dict[str, Any]:
        """What run.json keeps of the machine and of the size of the work."""
        cuda = self.device.type == "cuda"
        return {
            "parameters": self.config.parameter_count(),
            "devices": self.devices,
            "device": torch.cuda.get_device_name(self.device) if cuda else self.device.type,
            "threads": torch.get_num_threads(),
            "peak_flops_per_second": float(f"{self.peak.flops_per_second:.4g}"),
            "peak_source": self.peak.source,
        }

    def add(self, inputs_BT: np.ndarray, targets: int) -> None:
        """Count a step over these inputs, with `targets` tokens that were learned from; without any, nothing
        was computed."""
        if not targets:
            return
        rows, context = inputs_BT.shape
        self.tokens += targets
        self.flops += rows * context * flops_per_token(self.config, context)
        head = self.config.vocab_size * self.config.hidden_size
        self.flops -= 6 * head * (rows * context - targets)  # a place without a target costs no head

    def read(self, seconds: float) -> dict[str, Any]:
        """The figures of the steps counted since the last reading, which took `seconds`."""
        figures = {
            "tokens_per_second": round(self.tokens / seconds, 1),
            "share_of_peak": round(self.flops / seconds / self.peak.flops_per_second / self.devices, 4),
            "peak_memory_bytes": peak_memory(self.device),
        }
        self.tokens = self.flops = 0
        return figures


def peak_of(device: torch.device) -> Peak:
    """The published bfloat16 peak of a known GPU; of any other device what a large product reaches, in
    float32 on a CPU and bfloat16 elsewhere."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        known = hardware.find(name)
        if known is not None and known.bfloat16:
            return Peak(known.bfloat16, f"published bfloat16 peak of {name}")
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    return Peak(measured_peak(device, dtype), f"measured {str(dtype).removeprefix('torch.')} product")


def measured_peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOPs per second of the best of several square products, within PROBE_SECONDS."""
    size = PROBE_SIZE.get(device.type, 2048)
    generator = torch.Generator(device).manual_seed(0)  # the run's own random numbers stay as they are
    left, right = (torch.randn(size, size, generator=generator, device=device).to(dtype) for _ in range(2))
    product = left @ right
    best, begun = float("inf"), time.perf_counter()
    while time.perf_counter() - begun < PROBE_SECONDS:
        _wait(device)
        start = time.perf_counter()
        torch.mm(left, right, out=product)
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def peak_memory(device: torch.device) -> int | None:
    """Most bytes that were in use at a time: of the GPU by tensors, of a CPU by the whole process; None where
    the system does not say."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would begin with the peak of the process that started this one
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(found[1]) * 1024 if found else None
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
