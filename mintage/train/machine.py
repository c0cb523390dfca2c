"""What a run asks of the machine before its first step, and what it says when the machine's memory is too
small."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import torch

from mintage.errors import MintageError
from mintage.model.config import ModelConfig
from mintage.train import hardware
from mintage.train.float8 import check_float8
from mintage.train.hardware import Device, Machine
from mintage.train.memory import keep_freed_memory
from mintage.train.mend import Stretch, gib, mend
from mintage.train.parallel import Processes, memory_of
from mintage.train.settings import TrainSettings


def prepare(device: torch.device, settings: TrainSettings) -> None:
    """Set torch up for a run: threads, memory, and whether only deterministic kernels may run.

    Raises:
        MintageError: the device does not multiply float8 and should.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    if device.type == "cpu":
        keep_freed_memory()
    if settings.float8:
        check_float8(device)
    if device.type == "cuda":  # read when CUDA first gives memory; batches of changing width fragment none
        os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when cuBLAS is first used
        torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(settings.deterministic)


@contextlib.contextmanager
def explain_out_of_memory(
    config: ModelConfig, settings: TrainSettings, batch: Any, step: int, processes: Processes
) -> Iterator[None]:
    """Turn a lack of memory into an error that says what to change, in the numbers of this very step: the
    first change with which the estimate fits, or where it fits as it is, a smaller step."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        rows, context = batch.inputs_BT.shape
        micro_batch = min(settings.micro_batch or rows, rows)
        machine = machine_of(processes)
        expected = mend(config, settings, [Stretch(1, context, rows)], machine)
        half = micro_batch // processes.world // 2 * processes.world
        if expected:
            advice = f"By the estimate it {expected}. Change that under `train`"
        elif half:
            advice = f"Try train.micro_batch: {half} (the batch stays the same)"
        else:
            advice = f"Try a context of {context // 2:,}, or a smaller model"
        if not expected:
            advice += f"; the estimate fits in {gib(machine.device.memory)}, so other programs may use some"
        raise MintageError(
            f"step {step + 1:,}: out of memory with micro_batch {micro_batch} x context {context:,}. "
            f"{advice}; then run the same command again"
        ) from error


def machine_of(processes: Processes) -> Machine:
    """The devices of a run as estimates see them. Of one that is not in the table only its memory is known;
    the other figures serve to compare one way of running with another."""
    device, memory = processes.device, memory_of(processes.device)
    cpu = device.type == "cpu"
    name = "this machine" if cpu else torch.cuda.get_device_name(device)
    cores = torch.get_num_threads() if cpu else 0
    some = Device(name, memory, 1e14, 1e14, 1e14, 1e12, 1e11, 1, cores=cores)
    known = None if cpu else hardware.find(name)
    return Machine(dataclasses.replace(known or some, memory=memory), processes.world)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left: Python's, torch's on a GPU, or torch's on a CPU."""
    text = str(error)
    on_cpu = "DefaultCPUAllocator" in text and ("not enough memory" in text or "can't allocate" in text)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or on_cpu
