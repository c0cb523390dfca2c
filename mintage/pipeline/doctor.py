"""What this machine can do for training and serving, found by trying it, and what to install for more."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

import mintage
from mintage.model.config import ModelConfig
from mintage.train.kernels import attention_choice

EXTRAS = {"transformers": ("interop", "opens every model in another library as a proof")}
GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` is a command or an advice, empty where all is well."""

    what: str
    found: str
    mend: str = ""


def findings() -> Iterator[Finding]:
    """Everything that training and serving depend on."""
    yield Finding(
        "mintage", f"{mintage.__version__} on Python {platform.python_version()}, {platform.platform()}"
    )
    threads = torch.get_num_threads()
    spin = os.environ["OMP_WAIT_POLICY"]
    yield Finding(
        "processor",
        f"{os.cpu_count()} cores, torch {torch.__version__} uses {threads} threads, waiting {spin}",
    )
    for dtype in (torch.float32, torch.bfloat16):
        yield Finding(
            f"cpu {str(dtype).removeprefix('torch.')}",
            f"{matmul_speed('cpu', dtype):,.0f} GFLOP/s in a matrix product",
        )
    yield accelerator()
    yield attention()
    yield compiler()
    for package, (extra, purpose) in EXTRAS.items():
        try:
            yield Finding(package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(package, f"absent; {purpose}", f"pip install 'mintage[{extra}]'")
    free = shutil.disk_usage(Path.cwd()).free
    mend = "" if free > 5 * GIBIBYTE else "free some space: checkpoints of a 10M model take 0.1 GiB each"
    yield Finding("disk here", f"{free / GIBIBYTE:,.0f} GiB free", mend)


def matmul_speed(device: str, dtype: torch.dtype, size: int = 1024) -> float:
    """Billions of floating-point operations a second in a square matrix product, the best of five."""
    left = torch.randn(size, size, device=device).to(dtype)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        left @ left
        if device != "cpu":
            torch.accelerator.synchronize()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds) / 1e9


def accelerator() -> Finding:
    """The device that training would use besides the processor."""
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        speed = matmul_speed("cuda", torch.bfloat16, 8192) / 1000
        memory = properties.total_memory / GIBIBYTE
        return Finding("gpu", f"{properties.name}, {memory:.0f} GiB, bfloat16 at {speed:,.0f} TFLOP/s")
    if torch.backends.mps.is_available():
        return Finding(
            "gpu", f"Apple MPS, float32 at {matmul_speed('mps', torch.float32, 2048):,.0f} GFLOP/s"
        )
    if shutil.which("nvidia-smi"):
        return Finding("gpu", "an NVIDIA driver, but this torch is a CPU build", "make clean && make demo")
    return Finding("gpu", "none; models up to about 10M parameters train well on the processor")


def attention() -> Finding:
    """Which of torch's attention kernels is fastest at the shape of a 125M model."""
    if not torch.cuda.is_available():
        return Finding("attention", "torch's own kernel for the processor")
    shape = ModelConfig(vocab_size=1, num_attention_heads=12, num_key_value_heads=12, head_dim=64)
    choice = attention_choice(shape, 8, 2048, torch.device("cuda"), torch.bfloat16)
    return Finding("attention", f"8 x 2,048 tokens, 12 heads, there and back: {choice}")


def compiler() -> Finding:
    """Whether torch.compile could run here."""
    names = ("cl",) if os.name == "nt" else ("g++", "clang++")
    found = next((name for name in names if shutil.which(name)), None)
    if found:
        return Finding("compiler", f"{found}: torch.compile can be used (train.compile: true)")
    return Finding("compiler", "none; everything runs without torch.compile", "install g++ or clang++")


def run() -> None:
    """Print the findings as a table."""
    table = Table("what", "found", "to mend or to gain")
    for finding in findings():
        table.add_row(finding.what, finding.found, finding.mend)
    console = Console(emoji=False)
    console.print(table)
    console.print("next: mintage quickstart")
