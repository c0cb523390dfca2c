"""A recipe's memory, time and money on a machine: the tables of `mintage estimate`."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from mintage.errors import MintageError
from mintage.model.config import ModelConfig
from mintage.pipeline.checks import check_processes, place_of
from mintage.pipeline.vocabulary import directory_of
from mintage.recipe import Recipe
from mintage.tokens.adopt import adopt
from mintage.tokens.tokenizer import TokenizerSettings
from mintage.train import hardware
from mintage.train.estimate import (
    AROUND,
    BYTES_PER_TOKEN,
    CHASSIS,
    COOLING,
    CUDA_CONTEXT,
    FRAGMENTS,
    KILOWATT_HOUR,
    LAUNCH,
    LOAD,
    PROCESS,
    STORED,
    Estimate,
    estimate,
)
from mintage.train.hardware import Device, Machine
from mintage.train.mend import gib, mend
from mintage.train.meter import measured_peak
from mintage.workspace import Workspace

GIGA = 1e9
CHARACTERS = 384  # of a vocabulary of characters: 262 control tokens and bytes, and those of English text
# What takes longer than computing, in words.
SLOWER = {
    "exchange": "the exchange between devices takes longer",
    "kernel starts": "starting the kernels takes longer",
}
WATTS_PER_CORE = 12.0  # of a server's processor and its share of the machine


@dataclass(frozen=True)
class Forecast:
    """The estimates of a recipe's gradient stages by their names, what to mend in each that does not fit, and
    why those would not begin whose rows do not divide among the devices."""

    recipe: str
    machine: Machine
    vocabulary: str
    stages: dict[str, Estimate]
    mends: dict[str, str]
    refusals: dict[str, str]
    dollars_per_hour: float | None

    @property
    def fits(self) -> bool:
        """Whether every stage fits."""
        return not any(self.mends.values())


def forecast(
    recipe: Recipe,
    workspace: Workspace,
    gpus: str | None = None,
    tokens: float | None = None,
    dollars_per_hour: float | None = None,
) -> Forecast:
    """Estimate a recipe's stages. Its data need not be there.

    Args:
        gpus: such as "8xA100-80GB"; None: this machine.
        tokens: of pretraining, in place of the plan's.
        dollars_per_hour: of one device, in place of the table's.
    """
    machine = hardware.parse(gpus) if gpus else this_machine()
    config, vocabulary = vocabulary_of(recipe, workspace)
    stages = {"pretrain": recipe.pretrain} | ({"tune": recipe.tune} if recipe.tune else {})
    estimates, mends, refusals = {}, {}, {}
    for name, stage in stages.items():
        length = tokens if name == "pretrain" else None
        estimates[name] = estimate(
            config, stage.train, stage.plan.phases, machine, tokens=length, dollars_per_hour=dollars_per_hour
        )
        mends[name] = mend(config, stage.train, stage.plan.phases, machine)
        try:
            with place_of(name):
                check_processes(stage.train, stage.plan.phases, machine.count)
        except MintageError as error:
            refusals[name] = str(error)
    return Forecast(recipe.name, machine, vocabulary, estimates, mends, refusals, dollars_per_hour)


def vocabulary_of(recipe: Recipe, workspace: Workspace) -> tuple[ModelConfig, str]:
    """The recipe's model with its vocabulary, and where its size is from: the tokenizer that was made, the
    base that is here, or what the recipe says, told apart from what is only assumed."""
    settings = recipe.tokenizer
    stated = settings.vocab_size != TokenizerSettings().vocab_size
    card = workspace.card("tokenizers", recipe.name)
    base = None if card or settings.base is None else base_vocabulary(settings, settings.base, workspace)
    if card:
        size, origin = card.figures["vocab_size"], "the tokenizer that was made"
    elif base:
        size, origin = base, f"{settings.base} with its control tokens"
    elif settings.base:
        size = settings.vocab_size
        origin = f"tokenizer.vocab_size of the recipe; {settings.base} is not here yet"
        if not stated:
            origin = f"assumed: {settings.base} is not here yet, and the recipe gives no tokenizer.vocab_size"
    elif settings.kind == "character":
        size = min(settings.vocab_size, CHARACTERS)
        origin = "assumed: control tokens, bytes and some 120 characters; there is an entry for each one seen"
    else:
        size = settings.vocab_size
        origin = (
            f"{'' if stated else 'assumed: the default of '}tokenizer.vocab_size; little text gives fewer"
        )
    config = recipe.model.with_vocabulary(size)
    return config, f"{config.vocab_size:,} entries, padded to a multiple of 64 ({origin})"


def base_vocabulary(settings: TokenizerSettings, base: str, workspace: Workspace) -> int | None:
    """Entries of a tokenizer from elsewhere with its control tokens; None where it is not here."""
    try:
        directory = directory_of(base, workspace)
    except MintageError:
        return None
    return adopt(settings, directory).vocab_size


def this_machine() -> Machine:
    """The GPUs of this machine; without one, the machine itself, its speed measured for a moment."""
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        memory = torch.cuda.get_device_properties(0).total_memory
        known = hardware.find(name)
        device = torch.device("cuda")
        if known is None:
            half, full = (measured_peak(device, dtype) for dtype in (torch.bfloat16, torch.float32))
            known = Device(name, memory, half, full, 0, copy_speed(device), 16 * GIGA, 300)
        return Machine(dataclasses.replace(known, memory=memory), torch.cuda.device_count())
    cpu, cores = torch.device("cpu"), torch.get_num_threads()
    full = measured_peak(cpu, torch.float32)
    memory = hardware.host_memory()
    watts = WATTS_PER_CORE * cores
    speed = copy_speed(cpu)
    return Machine(Device("this machine", memory, full, full, 0, speed, 0, watts, cores=cores))


def other_work() -> str:
    """How busy this machine is, for figures that were measured meanwhile."""
    return (
        f"{os.getloadavg()[0]:.1f} processes at work" if hasattr(os, "getloadavg") else "other work unknown"
    )


def copy_speed(device: torch.device) -> float:
    """Bytes a second that a device reads from its memory: half of what copying moves, the best of three."""
    source = torch.zeros(1 << 25, device=device)
    target = torch.empty_like(source)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        target.copy_(source)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return 2 * source.numel() * source.element_size() / min(seconds)


def answer(forecast: Forecast) -> list[str]:
    """The first lines: does it fit, how long does it take, what does it cost, and why it would not begin."""
    stages, machine = forecast.stages.values(), forecast.machine
    room = machine.device.memory
    each = "" if machine.count == 1 else " a device"
    most = max(estimate.needed for estimate in stages)
    if forecast.fits:
        first = f"fits: {gib(most)} of {gib(room)}{each}"
    else:
        first = "; ".join(f"{name} {what}" for name, what in forecast.mends.items() if what)
    seconds = sum(estimate.seconds for estimate in stages)
    tokens = sum(estimate.tokens for estimate in stages)
    takes, costs = ("takes", "costs") if forecast.fits else ("would take", "would cost")
    second = f"{takes} {duration(seconds)}: {amount(tokens)} tokens at {tokens / seconds:,.0f} tokens/s"
    bill = sum(estimate.energy_dollars for estimate in stages)
    power = f"{dollars(bill)} of energy ({energy(sum(estimate.kilowatt_hours for estimate in stages))})"
    rents = [estimate.rent for estimate in stages if estimate.rent is not None]
    buy = next(iter(stages)).buy
    rent = f"{dollars(sum(rents))} to rent; " if rents else ""
    own = f"{dollars(buy)} to buy and " if buy else ""
    third = f"{costs} {rent}{own}{power}"
    refused = [f"would not begin as it is: {why}" for why in forecast.refusals.values()]
    return [f"{forecast.recipe} on {machine.name}: {first}", second, third, *refused]


def show(forecast: Forecast) -> None:
    """Print the answer, the tables behind it and the assumptions."""
    console = Console(highlight=False, emoji=False)
    for line in answer(forecast):
        console.print(line, markup=False, soft_wrap=True)
    console.print()
    for title, rows in tables(forecast):
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("")
        for name in forecast.stages:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    console.print()
    _show_inference(console, next(iter(forecast.stages.values())))
    console.print("\n[bold]Assumptions[/bold]")
    for line in assumptions(forecast):
        console.print(f"- {line}", markup=False, soft_wrap=True)


def tables(forecast: Forecast) -> Iterable[tuple[str, list[tuple[str, ...]]]]:
    """The tables, a column for each stage."""
    stages = list(forecast.stages.values())

    def row(name: str, values: Iterable[str]) -> tuple[str, ...]:
        return (name, *values)

    exchange = row("exchange between devices, share of a step", (f"{e.communication:.0%}" for e in stages))
    yield (
        "work",
        [
            row("parameters", (f"{e.parameters:,}" for e in stages)),
            row("tokens", (amount(e.tokens) for e in stages)),
            row("steps", (f"{e.steps:,}" for e in stages)),
            row("sequences x context a step (fullest)", (f"{e.batch:,} x {e.context:,}" for e in stages)),
            row("floating-point operations", (f"{e.flops:.2e}" for e in stages)),
            row("share of peak", ("under 1%" if e.reached < 0.01 else f"{e.reached:.0%}" for e in stages)),
            row("limited by", (e.limit for e in stages)),
            row("tokens/s", (f"{e.tokens_per_second:,.0f}" for e in stages)),
            *([exchange] if forecast.machine.count > 1 else []),
            row("time", (duration(e.seconds) for e in stages)),
            row("energy", (energy(e.kilowatt_hours) for e in stages)),
        ],
    )
    parts = [e.footprint.parts() for e in stages]
    memory = [
        row(name, (gib(part[name]) for part in parts))
        for name in parts[0]
        if any(part[name] for part in parts)
    ]
    memory += [
        row("all tensors", (gib(e.footprint.total) for e in stages)),
        row("with what is not tensors", (gib(e.needed) for e in stages)),
        row("there is", (gib(e.machine.device.memory) for e in stages)),
        row("fullest in", (e.footprint.moment for e in stages)),
    ]
    yield f"memory of {'this machine' if forecast.machine.device.is_cpu else 'each device'}", memory
    around = []
    for title, values in (
        ("host memory", [e.host for e in stages]),
        ("disk", [e.disk for e in stages]),
        ("network", [e.network for e in stages]),
    ):
        around.append(row(title, (_gb(sum(value.values())) for value in values)))
        names = list(dict.fromkeys(name for value in values for name in value))
        around += [row(f"  {name}", (_gb(value.get(name)) for value in values)) for name in names]
    yield "around it", around


def _show_inference(console: Console, estimate: Estimate) -> None:
    inference = estimate.inference
    table = Table(title="answering, on one device", title_justify="left", title_style="bold")
    for name in ("weights in", "size", "tokens/s, one sequence, at most"):
        table.add_column(name, justify="left" if name == "weights in" else "right")
    for name, size in inference.weights.items():
        speed = inference.tokens_per_second[name]
        table.add_row(name, _gb(size), "does not fit" if speed is None else f"{speed:,.0f}")
    console.print(table)
    console.print(
        f"keys and values: {inference.cache_per_token:,} bytes a token, {_gb(inference.cache)} for "
        f"{estimate.config.max_position_embeddings:,} tokens; {inference.sequences:,} such sequences fit "
        "beside bfloat16 weights",
        soft_wrap=True,
    )


def assumptions(forecast: Forecast) -> list[str]:
    """What the figures rest on."""
    device = forecast.machine.device
    stages = forecast.stages
    lines = [f"vocabulary: {forecast.vocabulary}"]
    for name, e in stages.items():
        slower = f" while computing, {e.reached:.1%} in all as {SLOWER[e.limit]}" if e.limit in SLOWER else ""
        lines.append(f"{name}: {e.share:.1%} of peak{slower}; {e.share_source}")
    if device.is_cpu:
        lines.append(
            f"this machine: {device.float32 / GIGA:,.0f} GFLOP/s in a float32 product and "
            f"{device.bandwidth / GIGA:,.0f} GB/s, both measured just now with {other_work()}; "
            f"{device.watts:,.0f} W"
        )
        lines.append(
            "memory: the arithmetic of the uncompiled loop (docs/estimate.md), and "
            f"{PROCESS['cpu'] / GIGA:.1f} GB for Python and torch"
        )
    else:
        lines.append(
            f"{device.name}: {device.bfloat16 / 1e12:,.0f} TFLOP/s in bfloat16 (dense, data sheet), "
            f"{gib(device.memory)}, {device.bandwidth / GIGA:,.0f} GB/s, {device.watts:,.0f} W"
        )
        lines.append(
            f"memory: the arithmetic of the uncompiled loop, {FRAGMENTS:.0%} lost between tensors and "
            f"{CUDA_CONTEXT / GIGA:.1f} GB for CUDA (twice with NCCL); measured on a CPU and with tensors "
            "without contents (docs/estimate.md), not on a GPU; torch.compile needs less"
        )
        lines.append(
            f"a layer's kernels take at least {LAUNCH[False] * 1e3:.1f} ms to start, forward and backward, "
            f"{LAUNCH[True] * 1e3:.1f} ms compiled; the exchange between devices hides behind the work"
        )
        lines += _prices(forecast)
    lines.append(
        f"energy: {LOAD:.0%} of the rated watts, times {AROUND} for the machine around and {COOLING} for the "
        f"building's cooling, at ${KILOWATT_HOUR:.2f} a kWh"
    )
    lines.append(
        f"disk: every token is read once, {BYTES_PER_TOKEN} bytes of text a token, stored {STORED} times "
        "smaller (docs/scale.md); evaluations, checkpoints and waiting for data take no time"
    )
    if "tune" in stages:
        lines.append("tune: every row is as long as the context; chats are shorter, and take less")
    lines.append("answering: each token reads all weights and half a context of keys and values once")
    return lines


def _prices(forecast: Forecast) -> list[str]:
    device = forecast.machine.device
    lines = []
    if forecast.dollars_per_hour is not None:
        lines.append(f"rent: ${forecast.dollars_per_hour:,.2f} a device and hour, as given")
    elif device.rent:
        lines.append(
            f"rent: ${device.rent.dollars:,.2f} a device and hour ({device.rent.source}); "
            "--dollars-per-hour gives your own"
        )
    if device.buy:
        lines.append(
            f"price: ${device.buy.dollars:,.0f} a device ({device.buy.source}), times {CHASSIS} for the "
            "machine around"
        )
    return lines


def as_json(forecast: Forecast) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        "recipe": forecast.recipe,
        "machine": forecast.machine.name,
        "fits": forecast.fits,
        "mend": {name: what for name, what in forecast.mends.items() if what},
        "answer": answer(forecast),
        "stages": {
            name: {
                **{
                    field: value
                    for field, value in dataclasses.asdict(estimate).items()
                    if field not in ("settings", "machine", "footprint")
                },
                "fits": estimate.fits,
                "memory": {**estimate.footprint.parts(), "tensors": estimate.footprint.total},
                "fullest_in": estimate.footprint.moment,
            }
            for name, estimate in forecast.stages.items()
        },
        "assumptions": assumptions(forecast),
    }


def duration(seconds: float) -> str:
    """Such as 3.2 days, 5.1 hours or 12 minutes."""
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {name}"
    return f"{seconds:,.0f} seconds"


def amount(number: float) -> str:
    """Such as 1.5 M or 100 B."""
    for size, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:,.3g} {name}"
    return f"{number:,.0f}"


def dollars(value: float) -> str:
    """Cents where they count."""
    if 0 < value < 0.01:
        return "less than a cent"
    return f"${value:,.2f}" if value < 100 else f"${value:,.0f}"


def energy(kilowatt_hours: float) -> str:
    """Such as 150 kWh or 0.4 Wh."""
    if kilowatt_hours >= 100:
        return f"{kilowatt_hours:,.0f} kWh"
    return f"{kilowatt_hours:.3g} kWh" if kilowatt_hours >= 0.1 else f"{1000 * kilowatt_hours:.2g} Wh"


def _gb(size: float | None) -> str:
    if size is None:
        return ""
    return f"{size / GIGA:,.1f} GB" if size >= GIGA else f"{size / 1e6:,.1f} MB"
