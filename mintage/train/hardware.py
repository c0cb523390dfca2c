"""Devices to train on: what they can do, hold, draw and cost, each figure with its day and source.

Peaks, memory, bandwidth and watts are those of NVIDIA's data sheets: dense products (sheets that print twice
as much count a sparsity that training does not have), summed in float32; memory is what `nvidia-smi` shows.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass

from mintage.errors import MintageError

MEBIBYTE, GIBIBYTE = 1 << 20, 1 << 30
TERA, GIGA = 1e12, 1e9


@dataclass(frozen=True)
class Price:
    """An amount in US dollars, and where and when it was read."""

    dollars: float
    source: str


@dataclass(frozen=True)
class Device:
    """One accelerator, or a whole machine without one.

    Attributes:
        memory: bytes.
        bfloat16, float32, float8: peak floating-point operations a second of a matrix product; 0
            where the device has none of the kind.
        bandwidth: bytes a second between its memory and its cores.
        link: bytes a second from one device of a machine to the others, in one direction.
        watts: at full load.
        rent: for an hour; buy: the device alone. None: nothing to pay for, or not known.
        cores: threads that share a batch, of a machine without an accelerator.
    """

    name: str
    memory: int
    bfloat16: float
    float32: float
    float8: float
    bandwidth: float
    link: float
    watts: float
    rent: Price | None = None
    buy: Price | None = None
    cores: int = 0

    @property
    def is_cpu(self) -> bool:
        """Whether this is a machine without an accelerator."""
        return self.cores > 0


RUNPOD = "runpod.io, secure cloud, 2026-11-09"


def _gpu(
    name: str,
    memory_mib: int,
    *,
    bfloat16: float,
    float32: float,
    bandwidth: float,
    link: float,
    watts: float,
    rent: Price | None = None,
    buy: Price | None = None,
    float8: float = 0,
) -> Device:
    """Peaks in 10^12 operations a second, bandwidths in 10^9 bytes a second."""
    return Device(
        name,
        memory_mib * MEBIBYTE,
        bfloat16=bfloat16 * TERA,
        float32=float32 * TERA,
        float8=float8 * TERA,
        bandwidth=bandwidth * GIGA,
        link=link * GIGA,
        watts=watts,
        rent=rent,
        buy=buy,
    )


DEVICES = (
    _gpu(
        "A100-40GB",
        40_960,
        bfloat16=312,
        float32=19.5,
        bandwidth=1_555,
        link=300,
        watts=400,
        rent=Price(1.99, "lambda.ai, on demand, 2026-11-16"),
        buy=Price(7_000, "used, an estimate, 2026"),
    ),
    _gpu(
        "A100-80GB",
        81_920,
        bfloat16=312,
        float32=19.5,
        bandwidth=2_039,
        link=300,
        watts=400,
        rent=Price(1.79, RUNPOD),
        buy=Price(11_500, "middle of $8,000 to $15,000, mercatus-ai.com, 2026"),
    ),
    _gpu(
        "H100-SXM",
        81_559,
        bfloat16=989.4,
        float8=1_978.9,
        float32=66.9,
        bandwidth=3_350,
        link=450,
        watts=700,
        rent=Price(3.99, RUNPOD),
        buy=Price(27_500, "middle of $25,000 to $30,000, data-gate.ch, 2026"),
    ),
    _gpu(
        "H100-PCIe",
        81_559,
        bfloat16=756,
        float8=1_513,
        float32=51.2,
        bandwidth=2_000,
        link=64,
        watts=350,
        rent=Price(2.89, RUNPOD),
        buy=Price(25_000, "an estimate, 2026"),
    ),
    _gpu(
        "H200",
        143_771,
        bfloat16=989.4,
        float8=1_978.9,
        float32=66.9,
        bandwidth=4_800,
        link=450,
        watts=700,
        rent=Price(4.59, "runpod.io, 2026-10-07"),
        buy=Price(32_000, "an estimate, 2026"),
    ),
    _gpu(
        "L4",
        23_034,
        bfloat16=121,
        float8=242,
        float32=30.3,
        bandwidth=300,
        link=32,
        watts=72,
        rent=Price(0.71, "an estimate after Google Cloud's list, 2025"),
        buy=Price(2_700, "an estimate, 2025"),
    ),
    _gpu(
        "L40S",
        46_068,
        bfloat16=362,
        float8=733,
        float32=91.6,
        bandwidth=864,
        link=32,
        watts=350,
        rent=Price(0.94, "verda.com, spot, 2026-10-29"),
        buy=Price(8_000, "an estimate, 2025"),
    ),
    _gpu(
        "A10",
        23_028,
        bfloat16=125,
        float32=31.2,
        bandwidth=600,
        link=32,
        watts=150,
        rent=Price(0.75, "an estimate after Lambda's list, 2025"),
        buy=Price(2_500, "an estimate, 2025"),
    ),
    _gpu(
        "RTX-3090",
        24_576,
        bfloat16=71,
        float32=35.6,
        bandwidth=936,
        link=16,
        watts=350,
        rent=Price(0.18, "openrelay.inc, 2026-09-20"),
        buy=Price(1_499, "price at launch; about half of it used"),
    ),
    _gpu(
        "RTX-4090",
        24_564,
        bfloat16=165.2,
        float8=330.3,
        float32=82.6,
        bandwidth=1_008,
        link=32,
        watts=450,
        rent=Price(0.29, "openrelay.inc, 2026-09-20"),
        buy=Price(1_599, "price at launch"),
    ),
    _gpu(
        "RTX-5090",
        32_607,
        bfloat16=209.5,
        float8=419,
        float32=104.8,
        bandwidth=1_792,
        link=64,
        watts=575,
        rent=Price(0.89, "an estimate after RunPod's list, 2025"),
        buy=Price(1_999, "price at launch"),
    ),
    _gpu(
        "T4",
        15_360,
        bfloat16=0,
        float32=8.1,
        bandwidth=320,
        link=16,
        watts=70,
        rent=Price(0.35, "an estimate after Google Cloud's list, 2025"),
        buy=Price(700, "used, an estimate, 2025"),
    ),
    # Of these no price is kept (--dollars-per-hour gives one), and no sheet was read for their figures.
    _gpu(
        "B200",
        183_359,
        bfloat16=2_250,
        float8=4_500,
        float32=75,
        bandwidth=8_000,
        link=900,
        watts=1_000,
    ),
    _gpu(
        "GB200",
        189_471,
        bfloat16=2_500,
        float8=5_000,
        float32=80,
        bandwidth=8_000,
        link=900,
        watts=1_200,
    ),
    _gpu(
        "H100-NVL",
        95_830,
        bfloat16=835,
        float8=1_671,
        float32=60,
        bandwidth=3_900,
        link=300,
        watts=400,
    ),
    _gpu(
        "H800",
        81_559,
        bfloat16=989.4,
        float8=1_979,
        float32=66.9,
        bandwidth=3_350,
        link=200,
        watts=700,
    ),
    _gpu(
        "GH200",
        97_871,
        bfloat16=989.4,
        float8=1_979,
        float32=66.9,
        bandwidth=4_000,
        link=450,
        watts=900,
    ),
    _gpu(
        "A800",
        81_920,
        bfloat16=312,
        float32=19.5,
        bandwidth=2_039,
        link=200,
        watts=400,
    ),
    _gpu(
        "L40",
        46_068,
        bfloat16=181,
        float8=362,
        float32=90.5,
        bandwidth=864,
        link=32,
        watts=300,
    ),
    _gpu(
        "A10G",
        23_028,
        bfloat16=70,
        float32=35,
        bandwidth=600,
        link=32,
        watts=300,
    ),
    _gpu(
        "RTX-6000-Ada",
        49_140,
        bfloat16=364.2,
        float8=728,
        float32=91.1,
        bandwidth=960,
        link=32,
        watts=300,
    ),
    _gpu(
        "RTX-A6000",
        49_140,
        bfloat16=154.8,
        float32=38.7,
        bandwidth=768,
        link=56,
        watts=300,
    ),
)
SYNONYMS = {"A100": "A100-80GB", "H100": "H100-SXM", "H100-80GB": "H100-SXM", "H200-141GB": "H200"}


@dataclass(frozen=True)
class Machine:
    """Equal devices that train one model, a process each."""

    device: Device
    count: int = 1

    @property
    def name(self) -> str:
        """Such as 8xA100-80GB."""
        return self.device.name if self.device.is_cpu else f"{self.count}x{self.device.name}"


def parse(text: str) -> Machine:
    """The machine that `8xA100-80GB` or `RTX-4090` names; case, spaces and "NVIDIA" do not matter.

    Raises:
        MintageError: no such device; the message names the nearest, or all.
    """
    match = re.fullmatch(r"(?:(\d+)\s*[xX*]\s*)?(.+)", text.strip())
    count, name = (match[1], match[2]) if match else (None, text)
    if count is not None and int(count) < 1:
        raise MintageError(f"--gpus {text}: at least one device is needed")
    device = find(name)
    if device is None:
        known = [device.name for device in DEVICES]
        nearest = difflib.get_close_matches(_key(name), map(_key, known), n=1)
        meant = next((each for each in known if nearest and _key(each) == nearest[0]), None)
        mend = f"did you mean {meant}?" if meant else f"known: {', '.join(known)}"
        raise MintageError(f"--gpus {text}: no such device, {mend}")
    return Machine(device, int(count or 1))


def find(name: str) -> Device | None:
    """The device of a name such as `a100-80gb`, or as torch gives it (`NVIDIA A100-SXM4-80GB`)."""
    keys = {_key(device.name): device for device in DEVICES}
    keys |= {_key(synonym): keys[_key(full)] for synonym, full in SYNONYMS.items()}
    key = _key(name)
    if key in keys:
        return keys[key]
    # The name that torch gives has more in it, such as the form factor: every part of ours must be there.
    parts = set(re.split(r"[\s_-]+", name.lower()))
    if "laptop" in parts:  # the same name for a smaller device
        return None
    fitting = [
        d for d in DEVICES if set(d.name.lower().split("-")) <= parts | {"sxm" if "hbm3" in parts else ""}
    ]
    return max(fitting, key=lambda device: len(device.name), default=None)


def _key(name: str) -> str:
    return re.sub(r"nvidia|geforce|[^a-z0-9]", "", name.lower())


def host_memory() -> int:
    """Bytes of this machine's memory; 16 GiB where the system does not say."""
    if not hasattr(os, "sysconf"):
        return 16 * GIBIBYTE
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
