"""Memory, time and money of a run before it is begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from mintage.errors import MintageError
from mintage.model.config import ModelConfig
from mintage.model.flops import flops_per_token
from mintage.train.footprint import FLOAT32, Footprint, footprint, matrices, optimizer_state
from mintage.train.hardware import Machine
from mintage.train.parallel import WHOLE_GRADIENTS
from mintage.train.settings import TrainSettings

GIGA = 1e9
DAY = 86_400

# Share of the device's peak that the forward and backward pass reach, by parameters: (number, share), a
# straight line between two. Where they come from is `SHARE_SOURCES`.
CPU_SHARES = ((1e6, 0.52), (1e7, 0.70), (5e7, 0.72))
A100_SHARES = ((1e7, 0.25), (1.2e8, 0.38), (1.1e9, 0.52))
H100_SHARES = ((1e7, 0.25), (5e7, 0.40), (8e9, 0.41))
OTHER_SHARES = ((1e7, 0.25), (1.2e8, 0.40))
SHARE_SOURCES = {
    "cpu": "measured here: 52% of a matrix product's speed at 0.9M, 70% at 10M, 72% at 51M parameters "
    "(bench/results/quickstart.json, train-10m.json, train-51m.json)",
    "A100": "52% at 1.1B (TinyLlama, compiled); smaller models are assumed to reach less",
    "H100": "40% at 50M and at 124M (autoresearch, nanochat), 41% at 8B (torchtitan), compiled",
    "other": "40% from 120M on, an assumption after the H100's; not measured",
}
# What float8 gains over bfloat16, by parameters: slower with it at 124M, 17% faster at 0.9B (nanochat,
# 8 H100), 28% at 8B (torchtitan, 8 H100, 6,667 to 8,532 tokens a second).
FLOAT8_GAINS = ((1.24e8, 1.0), (9e8, 1.17), (8e9, 1.28))
COMPILED_GAIN = 1.16  # torchtitan, 8B on 8 H100: 5,762 to 6,667 tokens a second
# Seconds that it takes to start the kernels of a layer, forward and backward: about 90, at 10 microseconds
# each from Python, less where they are fused. Small models on fast devices wait for this.
LAUNCH = {False: 1.0e-3, True: 0.4e-3}
HOP = 50 * GIGA  # bytes a second of a device to another machine: 400 Gbit/s
MACHINE = 8  # devices of one machine, at most
LIMITS = ("computing", "exchange", "kernel starts")  # of a step's time

CUDA_CONTEXT = 0.6 * GIGA  # what CUDA and its libraries take of the device; NCCL as much again
FRAGMENTS = 0.05  # of the tensors, lost between them
PROCESS = {"cpu": 0.4 * GIGA, "cuda": 2.5 * GIGA}  # of the host's memory: Python, torch, its libraries
LOAD = 0.85  # of the rated watts, on average
AROUND = 1.25  # watts of the machine around the devices
COOLING = 1.2  # of the building (PUE)
KILOWATT_HOUR = 0.15  # dollars
CHASSIS = 1.3  # the machine around the devices, as a share of their price
BYTES_PER_TOKEN, STORED = 4.78, 2.88  # of text, and how much smaller its store is (docs/scale.md)
INT4_BITS = 4.5  # with a scale for each 32 weights


class Phase(Protocol):
    """A stretch of a run: steps, each of `batch` sequences of `context` tokens."""

    @property
    def steps(self) -> int: ...

    @property
    def context(self) -> int: ...

    @property
    def batch(self) -> int: ...


@dataclass(frozen=True)
class Inference:
    """What answering with the model needs.

    Attributes:
        weights: bytes by precision.
        cache_per_token: bytes of keys and values in bfloat16; cache: of one sequence of the whole context.
        tokens_per_second: by precision, one sequence, bound by the bandwidth of one device, half the context
            behind it; None where the weights do not fit.
        sequences: of the whole context that fit beside bfloat16 weights on one device.
    """

    weights: dict[str, int]
    cache_per_token: int
    cache: int
    tokens_per_second: dict[str, float | None]
    sequences: int


@dataclass(frozen=True)
class Estimate:
    """One gradient stage on one machine.

    Attributes:
        footprint: of the fullest phase, bytes of one device; needed: with what CUDA and fragments take.
        flops: of all steps, with the optimizer's products and what is computed twice.
        tokens_per_second: mean over the run; seconds: of its steps.
        share: of the device's peak, assumed, while it computes; share_source: where from.
        limit: of LIMITS, what most of the time goes to; reached: the share of the peak over the whole time.
        communication: share of a step that the exchange between devices would take if it overlapped nothing.
        rent, energy_dollars, buy: dollars; None where there is no price.
        host: bytes by what they are for; disk, network: bytes by what they are for.
    """

    config: ModelConfig
    settings: TrainSettings
    machine: Machine
    parameters: int
    tokens: int
    steps: int
    batch: int
    context: int
    footprint: Footprint
    needed: int
    flops: float
    tokens_per_second: float
    seconds: float
    share: float
    share_source: str
    limit: str
    reached: float
    communication: float
    kilowatt_hours: float
    rent: float | None
    energy_dollars: float
    buy: float | None
    host: dict[str, int]
    disk: dict[str, int]
    network: dict[str, int]
    inference: Inference

    @property
    def fits(self) -> bool:
        """Whether one device holds its share."""
        return self.needed <= self.machine.device.memory


def estimate(
    config: ModelConfig,
    settings: TrainSettings,
    phases: Sequence[Phase],
    machine: Machine,
    *,
    tokens: float | None = None,
    dollars_per_hour: float | None = None,
) -> Estimate:
    """What a run takes.

    Args:
        config: with its vocabulary.
        tokens: of the whole run, in place of the phases' own; their proportions stay.
        dollars_per_hour: of one device, in place of the table's.
    """
    device = machine.device
    planned = sum(phase.steps * phase.batch * phase.context for phase in phases)
    longer = (tokens or planned) / planned
    fullest, held = fullest_phase(config, settings, phases, machine)
    share, source = share_of_peak(config, settings, machine)
    times = [step_times(config, settings, phase, machine) for phase in phases]
    flops = sum(longer * p.steps * step_flops(config, settings, p) for p in phases)
    seconds = sum(longer * p.steps * max(each) for p, each in zip(phases, times))
    computing, exchanging, _ = (
        sum(longer * p.steps * each[part] for p, each in zip(phases, times)) for part in range(len(LIMITS))
    )
    limited = dict.fromkeys(LIMITS, 0.0)
    for phase, each in zip(phases, times):
        limited[LIMITS[each.index(max(each))]] += phase.steps * max(each)
    steps = round(longer * sum(phase.steps for phase in phases))
    hours = seconds / 3600
    kilowatt_hours = device.watts * machine.count * LOAD * AROUND * COOLING * hours / 1000
    price = dollars_per_hour
    if price is None and device.rent is not None:
        price = device.rent.dollars
    return Estimate(
        config=config,
        settings=settings,
        machine=machine,
        parameters=config.parameter_count(),
        tokens=round(tokens or planned),
        steps=steps,
        batch=fullest.batch,
        context=fullest.context,
        footprint=held,
        needed=needed(held, machine),
        flops=flops,
        tokens_per_second=(tokens or planned) / seconds,
        seconds=seconds,
        share=share,
        share_source=source,
        limit=max(limited, key=limited.__getitem__),
        reached=share * computing / seconds,
        communication=exchanging / seconds,
        kilowatt_hours=kilowatt_hours,
        rent=None if price is None else price * machine.count * hours,
        energy_dollars=kilowatt_hours * KILOWATT_HOUR,
        buy=device.buy.dollars * machine.count * CHASSIS if device.buy else None,
        host=host_memory(config, settings, phases, machine),
        disk=disk(config, settings, tokens or planned, steps),
        network=network(config, settings, tokens or planned),
        inference=inference(config, machine),
    )


def step_times(
    config: ModelConfig, settings: TrainSettings, phase: Phase, machine: Machine
) -> tuple[float, float, float]:
    """Seconds of a step that each of LIMITS would take alone; they overlap, and the longest counts."""
    share, _ = share_of_peak(config, settings, machine)
    speed = peak(config, settings, machine) * share * machine.count
    computing = step_flops(config, settings, phase) / speed
    moving = exchanged(config, settings, phase, machine) / link(machine) if machine.count > 1 else 0.0
    return computing, moving, launching(config, settings, phase, machine)


def footprint_of(config: ModelConfig, settings: TrainSettings, phase: Phase, machine: Machine) -> Footprint:
    """The footprint of a phase's steps on one device of a machine."""
    device = machine.device
    return footprint(
        config,
        settings,
        phase.batch,
        phase.context,
        processes=machine.count,
        threads=settings.threads or device.cores or 1,
        cuda=not device.is_cpu,
        memory=device.memory,
    )


def fullest_phase(
    config: ModelConfig, settings: TrainSettings, phases: Sequence[Phase], machine: Machine
) -> tuple[Phase, Footprint]:
    """The phase that takes the most memory, and its footprint."""
    held = [(phase, footprint_of(config, settings, phase, machine)) for phase in phases]
    return max(held, key=lambda pair: pair[1].total)


def needed(held: Footprint, machine: Machine) -> int:
    """Bytes of a device's memory that a footprint takes: its tensors, what is lost between them, and what
    CUDA and its libraries, or on a CPU the process itself, take."""
    if machine.device.is_cpu:
        return round(held.total + PROCESS["cpu"])
    return round(held.total * (1 + FRAGMENTS) + CUDA_CONTEXT * (1 if machine.count == 1 else 2))


def peak(config: ModelConfig, settings: TrainSettings, machine: Machine) -> float:
    """Operations a second of one device in the run's precision; float8's is bfloat16's, by as much higher as
    whole runs were measured to be faster.

    Raises:
        MintageError: the device does not multiply float8 and should.
    """
    device = machine.device
    if settings.float8:
        if not device.float8:
            raise MintageError(
                f"train.float8: {device.name} does not multiply float8 (Ada, Hopper and newer do); set "
                "train.float8: false, or name another device with --gpus"
            )
        return device.bfloat16 * _between(FLOAT8_GAINS, config.parameter_count())
    if settings.precision == "float32" or (device.is_cpu and settings.precision == "auto"):
        return device.float32
    return device.bfloat16 or device.float32


def share_of_peak(config: ModelConfig, settings: TrainSettings, machine: Machine) -> tuple[float, str]:
    """The share of a device's peak that a model of this size is assumed to reach, and where from."""
    parameters, device = config.parameter_count(), machine.device
    if device.is_cpu:
        return _between(CPU_SHARES, parameters), SHARE_SOURCES["cpu"]
    kinds = {"A100": A100_SHARES, "H100": H100_SHARES, "H200": H100_SHARES}
    kind = device.name.split("-")[0]
    share = _between(kinds.get(kind, OTHER_SHARES), parameters)
    source = SHARE_SOURCES["H100" if kind == "H200" else kind if kind in kinds else "other"]
    if not settings.compile:
        share, source = share / COMPILED_GAIN, f"{source}; divided by {COMPILED_GAIN} without train.compile"
    return share, source


def _between(points: Sequence[tuple[float, float]], parameters: float) -> float:
    """The line through the points at a number of parameters; flat outside of them."""
    if parameters <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if parameters <= x1:
            return y0 + (y1 - y0) * (parameters - x0) / (x1 - x0)
    return points[-1][1]


def step_flops(config: ModelConfig, settings: TrainSettings, phase: Phase) -> float:
    """Operations of one step: forward and backward pass, the layers' forward pass again where activations are
    computed twice, and Muon's products."""
    per_token = flops_per_token(config, phase.context)
    if settings.activation_checkpointing:
        per_token += (per_token - 6 * config.vocab_size * config.hidden_size) // 3
    flops = float(phase.batch * phase.context * per_token)
    if settings.optimizer.name == "muon":
        flops += muon_flops(config, settings.optimizer.muon_iterations)
    return flops


def muon_flops(config: ModelConfig, iterations: int) -> int:
    """Operations of one step of Muon: of each matrix and iteration, two products with its short side's square
    and the square of that."""
    small = ((min(shape), max(shape), number) for shape, number in matrices(config).items())
    return sum(number * iterations * (4 * r * r * c + 2 * r**3) for r, c, number in small)


def exchanged(config: ModelConfig, settings: TrainSettings, phase: Phase, machine: Machine) -> float:
    """Bytes that a device receives from the others in a step: weights before use, gradients after, and the
    whole matrices that Muon works on."""
    whole = FLOAT32 * config.parameter_count()
    keeps = whole <= machine.device.memory * WHOLE_GRADIENTS
    times = 2 if keeps else 3 * micro_batches(settings, phase)
    muon = 2 if settings.optimizer.name == "muon" else 0
    return (times + muon / machine.count) * whole * (machine.count - 1) / machine.count


def micro_batches(settings: TrainSettings, phase: Phase) -> int:
    """Forward and backward passes of a device in a step; a micro-batch is shared by all devices."""
    return -(-phase.batch // min(settings.micro_batch or phase.batch, phase.batch))


def launching(config: ModelConfig, settings: TrainSettings, phase: Phase, machine: Machine) -> float:
    """Seconds of a step that go into starting a GPU's kernels, however small they are."""
    if machine.device.is_cpu:
        return 0.0
    passes = 4 / 3 if settings.activation_checkpointing else 1
    return passes * micro_batches(settings, phase) * config.num_hidden_layers * LAUNCH[settings.compile]


def link(machine: Machine) -> float:
    """Bytes a second between the devices: within a machine, or between machines where there are several."""
    return machine.device.link if machine.count <= MACHINE else min(machine.device.link, HOP)


def host_memory(
    config: ModelConfig, settings: TrainSettings, phases: Sequence[Phase], machine: Machine
) -> dict[str, int]:
    """Bytes of the host's memory, all processes of the run together."""
    kind = "cpu" if machine.device.is_cpu else "cuda"
    rows = max(phase.batch * (phase.context + 1) for phase in phases)
    snapshot = FLOAT32 * config.parameter_count() + optimizer_state(config, settings)
    # Each process makes the whole model on the host before it keeps its rows of it on its GPU.
    beginning = 0 if machine.device.is_cpu else FLOAT32 * config.parameter_count() * machine.count
    held = {
        "processes": round(PROCESS[kind] * machine.count),
        "batches ahead": 3 * rows * (8 + 1) * machine.count,
        "the model as it begins, later snapshots for checkpoints": max(beginning, snapshot),
    }
    return held


def disk(config: ModelConfig, settings: TrainSettings, tokens: float, steps: int) -> dict[str, int]:
    """Bytes on disk where every token is read once."""
    one = FLOAT32 * config.parameter_count() + optimizer_state(config, settings)
    kept = settings.keep_last + 1  # one more while it is written
    if settings.keep_every:
        kept += steps // settings.keep_every
    saved = steps // settings.checkpoint_every + 1 if settings.checkpoint_every else 1
    return {
        "corpus": round(tokens * BYTES_PER_TOKEN / STORED),
        "shards": round(tokens * token_bytes(config)),
        f"checkpoints ({min(kept, saved)} of {one / GIGA:,.2f} GB)": one * min(kept, saved),
    }


def token_bytes(config: ModelConfig) -> int:
    """Bytes of a token in the shards."""
    return 2 if config.vocab_size <= 1 << 16 else 4


def network(config: ModelConfig, settings: TrainSettings, tokens: float) -> dict[str, int]:
    """Bytes that move to and from the machine once."""
    checkpoint = FLOAT32 * config.parameter_count() + optimizer_state(config, settings)
    return {
        "shards in": round(tokens * token_bytes(config)),
        "a checkpoint out": checkpoint,
        "the model out": FLOAT32 * config.parameter_count(),
    }


def inference(config: ModelConfig, machine: Machine) -> Inference:
    """What answering needs, on one device."""
    parameters = config.parameter_count()
    cache_per_token = 2 * 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    cache = cache_per_token * config.max_position_embeddings
    bits = {"bfloat16": 16.0, "int8": 8.0, "int4": INT4_BITS}
    weights = {name: round(parameters * each / 8) for name, each in bits.items()}
    device = machine.device
    speeds = {
        name: device.bandwidth / (size + cache / 2) if size + cache <= device.memory else None
        for name, size in weights.items()
    }
    free = device.memory - weights["bfloat16"]
    return Inference(weights, cache_per_token, cache, speeds, max(0, int(0.9 * free // cache)))
