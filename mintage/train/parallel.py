"""Several processes that train one model: FSDP2 (arXiv:2304.11277) over the rows of every parameter.

`torchrun` or `--nproc` starts the processes; `joined` makes one of them a member. Everything else asks
`current()`, which in a single process answers "the first of one" and costs nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard

from mintage.errors import MintageError
from mintage.model.transformer import Transformer
from mintage.train.signals import Interrupted
from mintage.train.team import rows_of

PATIENCE = timedelta(days=7)  # how long processes wait for the first one's word: data stages take hours
GRACE = 5.0  # seconds
# Below this share of a device's memory the whole gradient is kept on each process while micro-batches add to
# it, and the weights with it: one gathering and one reduction a step, instead of one a micro-batch.
WHOLE_GRADIENTS = 1 / 8


@dataclass(frozen=True)
class Processes:
    """This process among those that train one model.

    Attributes:
        rank, world: its number, from 0, and how many there are.
        device: where its share of the model lives.
        mesh, host_mesh: over all processes, on their devices and on their CPUs; None in a single one.
        control, writing: groups on the CPU, for the first process's word and for the checkpoint's writer.
    """

    rank: int
    world: int
    device: torch.device
    mesh: DeviceMesh | None = None
    host_mesh: DeviceMesh | None = None
    control: dist.ProcessGroup | None = None
    writing: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that shows, logs and publishes."""
        return self.rank == 0

    def rows(self, batch: Any) -> Any:
        """The rows of a batch that are this process's."""
        if self.world == 1:
            return batch
        total = len(batch.inputs_BT)
        return rows_of(batch, self.rank * total // self.world, (self.rank + 1) * total // self.world)

    def add(self, sums: Tensor) -> Tensor:
        """Add a tensor up over all processes, in place."""
        if self.world > 1:
            dist.all_reduce(sums)
        return sums

    def add_up(self, number: int) -> int:
        """The sum of a number over all processes, through their CPUs."""
        if self.world == 1:
            return number
        total = torch.tensor(number)
        dist.all_reduce(total, group=self.control)
        return int(total)

    def highest(self, *numbers: int) -> list[int]:
        """The highest of each number over all processes: what they agree on."""
        if self.world == 1:
            return list(numbers)
        agreed = torch.tensor(numbers)
        dist.all_reduce(agreed, dist.ReduceOp.MAX, group=self.control)
        return agreed.tolist()

    def tell(self, word: Any = None, group: dist.ProcessGroup | None = None) -> Any:
        """The first process's word, to all: JSON values, paths and errors."""
        if self.world == 1:
            return word
        words = [word]
        dist.broadcast_object_list(words, src=0, group=group or self.control)
        return words[0]


def own_device() -> torch.device:
    """The GPU of this process, where there is one, or the CPU."""
    return (
        torch.device("cuda", torch.cuda.current_device())
        if torch.cuda.is_available()
        else torch.device("cpu")
    )


_joined: list[Processes] = []


def current() -> Processes:
    """This process among those that it has joined; the first of one where it has joined none."""
    return _joined[-1] if _joined else Processes(0, 1, own_device())


@contextlib.contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that `torchrun` or `--nproc` started, by the environment that they were given.

    Raises:
        MintageError: there are more processes on this machine than GPUs.
    """
    if _joined or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield current()
        return
    local = int(os.environ["LOCAL_RANK"])
    cuda = torch.cuda.is_available()
    if cuda and local >= torch.cuda.device_count():
        raise MintageError(
            f"process {local} has no GPU: this machine has {torch.cuda.device_count()}; "
            "start as many processes as there are GPUs"
        )
    if cuda:
        torch.cuda.set_device(local)
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    host_mesh = init_device_mesh("cpu", (world,))
    mesh = init_device_mesh("cuda", (world,)) if cuda else host_mesh
    control, writing = (dist.new_group(backend="gloo", timeout=PATIENCE) for _ in range(2))
    _joined.append(Processes(rank, world, own_device(), mesh, host_mesh, control, writing))
    try:
        yield _joined[-1]
    except Interrupted as error:
        dist.destroy_process_group()
        if rank > 0:  # the first one says it
            raise SystemExit(error.exit_code) from None
        raise
    except MintageError as error:
        if rank > 0:
            raise MintageError(f"process {rank}: {error}") from error
        raise
    except RuntimeError as error:
        if rank > 0 and "closed by peer" in str(error):
            time.sleep(GRACE)  # who started us sees first how the other one ended, and ends us
            raise MintageError(f"process {rank}: another process is gone ({error})") from error
        raise
    else:
        dist.destroy_process_group()
    finally:
        _joined.pop()


def parallelize(model: Transformer, processes: Processes) -> Transformer:
    """Put a model where it is trained: on the device, or, cut by rows, on the devices of all processes.

    Applied last, after activation checkpointing and compilation of the blocks. Gradients are sums over the
    processes, not means: the optimizers divide once, by the number of valid targets.
    """
    if processes.mesh is None:
        return model.to(processes.device)
    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    keeps = size <= memory_of(processes.device) * WHOLE_GRADIENTS
    for block in model.blocks:
        fully_shard(block, mesh=processes.mesh, reshard_after_forward=not keeps)
    fully_shard(model, mesh=processes.mesh)
    for module in shards_of(model):
        module.set_gradient_divide_factor(1.0)
        module.set_force_sum_reduction_for_comms(True)
    vars(model)["keeps_whole_gradients"] = keeps
    return model


def memory_of(device: torch.device) -> int:
    """Bytes of memory of a device; of a CPU's machine, where it is not known, a guess of 16 GiB."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 16 << 30


def last_micro_batch(model: Transformer, last: bool) -> None:
    """Tell a model cut by rows whether gradients are complete after the next backward pass."""
    if isinstance(model, FSDPModule) and vars(model)["keeps_whole_gradients"]:
        model.set_requires_gradient_sync(last)
        model.set_reshard_after_backward(last)


def give_rows_back(model: Transformer) -> None:
    """After a forward pass without a backward pass, let go of the rows of other processes."""
    for module in shards_of(model):
        module.reshard()


def shards_of(model: Transformer) -> list[FSDPModule]:
    """The modules that gather their parameters together; none in a single process."""
    return [module for module in model.modules() if isinstance(module, FSDPModule)]
