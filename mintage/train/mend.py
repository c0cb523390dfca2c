"""What to change where a run does not fit into a device's memory, cheapest first, in the run's numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mintage.model.config import ModelConfig
from mintage.train.estimate import Phase, fullest_phase, needed, step_times
from mintage.train.hardware import GIBIBYTE, MEBIBYTE, Machine
from mintage.train.settings import TrainSettings

MOST = 64  # devices that are thought of


@dataclass(frozen=True)
class Stretch:
    """A phase with the little that memory depends on."""

    steps: int
    context: int
    batch: int


@dataclass(frozen=True)
class Change:
    """Another way to run the same thing, and its name in words."""

    words: str
    settings: TrainSettings
    phases: Sequence[Phase]
    machine: Machine


def mend(config: ModelConfig, settings: TrainSettings, phases: Sequence[Phase], machine: Machine) -> str:
    """One sentence: what does not fit, and the first change that does; empty where the run fits.

    Example: "does not fit in 24.0 GiB: needs 31.2 GiB, most of all in the loss; with micro_batch 4: 18.1 GiB"
    """
    _, held = fullest_phase(config, settings, phases, machine)
    before = needed(held, machine)
    if before <= machine.device.memory:
        return ""
    problem = (
        f"does not fit in {gib(machine.device.memory)}: needs {gib(before)}, most of all in {held.moment}"
    )
    least = before
    for change in changes(config, settings, phases, machine):
        _, held = fullest_phase(config, change.settings, change.phases, change.machine)
        after = needed(held, change.machine)
        if after <= machine.device.memory:
            return f"{problem}; with {change.words}: {gib(after)}"
        least = min(least, after)
    return (
        f"{problem}; no setting makes it fit (the least is {gib(least)}): take a smaller model, or devices "
        "with more memory"
    )


def changes(
    config: ModelConfig, settings: TrainSettings, phases: Sequence[Phase], machine: Machine
) -> Iterator[Change]:
    """What can be changed, cheapest first: smaller micro-batches (the same work in smaller products) and
    activations computed twice, whichever costs less time, AdamW in place of Muon, whose update takes more
    memory, more devices, among which the state is cut, and half the context."""
    yield from (change for change in in_place(config, settings, phases, machine) if change.words)
    smallest = min(max(phase.batch for phase in phases), machine.count)
    least = dataclasses.replace(settings, micro_batch=smallest, activation_checkpointing=True)
    words = f"micro_batch {smallest}, activation_checkpointing"
    if settings.optimizer.name == "muon":
        adamw = dataclasses.replace(settings.optimizer, name="adamw")
        changed = dataclasses.replace(least, optimizer=adamw)
        yield Change(f"{words} and optimizer.name adamw", changed, phases, machine)
    count = 2 * machine.count
    while not machine.device.is_cpu and count <= MOST:
        more = dataclasses.replace(machine, count=count)
        if all(phase.batch % count == 0 for phase in phases):
            for change in in_place(config, settings, phases, more):
                words_of_both = " and ".join(filter(None, (more.name, change.words)))
                yield dataclasses.replace(change, words=words_of_both)
        count *= 2
    halved = [Stretch(phase.steps, max(1, phase.context // 2), phase.batch) for phase in phases]
    yield Change(f"{words} and half the context", least, halved, machine)


def in_place(
    config: ModelConfig, settings: TrainSettings, phases: Sequence[Phase], machine: Machine
) -> list[Change]:
    """Smaller micro-batches, activations computed twice, or both, by the time that the run would take; the
    settings as they are, without words, where their micro-batch divides among the devices."""
    largest = max(phase.batch for phase in phases)
    micro_batch = min(settings.micro_batch or largest, largest)
    count = machine.count
    sizes = [-(-micro_batch // count) * count]
    while sizes[-1] > count:
        sizes.append(max(count, sizes[-1] // 2 // count * count))
    found = []
    for again in sorted({settings.activation_checkpointing, True}):
        for size in sizes:
            parts = [f"micro_batch {size}"] if size != micro_batch else []
            parts += ["activation_checkpointing"] if again and not settings.activation_checkpointing else []
            changed = settings
            if parts:
                changed = dataclasses.replace(settings, micro_batch=size, activation_checkpointing=again)
            found.append(Change(" and ".join(parts), changed, phases, machine))

    def seconds(change: Change) -> float:
        return sum(p.steps * max(step_times(config, change.settings, p, machine)) for p in phases)

    return sorted(found, key=seconds)


def gib(size: float) -> str:
    """Bytes as GiB, or as MiB where it is less than a tenth of one."""
    return f"{size / GIBIBYTE:,.1f} GiB" if size >= GIBIBYTE / 10 else f"{size / MEBIBYTE:,.1f} MiB"
