"""What a run asks of the machine before its first step, and what it says when the machine's memory is too
small."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch

from mintage.errors import MintageError
from mintage.train.float8 import check_float8
from mintage.train.memory import keep_freed_memory
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
    settings: TrainSettings, batch: Any, step: int, processes: int = 1
) -> Iterator[None]:
    """Turn a lack of memory into an error that says what to lower, in the numbers of this very step."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not lacks_memory(error):
            raise
        rows, context = batch.inputs_BT.shape
        micro_batch = min(settings.micro_batch or rows, rows)
        half = micro_batch // processes // 2 * processes
        if half:
            mend = f"train.micro_batch: {half} (the batch stays the same)"
        else:
            mend = f"a context of {context // 2:,}, or a smaller model"
        raise MintageError(
            f"step {step + 1:,}: out of memory with micro_batch {micro_batch} x context {context:,}. "
            f"Try {mend}, and run the same command again"
        ) from error


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left: Python's, torch's on a GPU, or torch's on a CPU."""
    text = str(error)
    on_cpu = "DefaultCPUAllocator" in text and ("not enough memory" in text or "can't allocate" in text)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or on_cpu
