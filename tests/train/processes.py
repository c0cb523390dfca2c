"""Several real processes that train together, over gloo on the CPU."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import socket
from collections.abc import Callable
from typing import Any

import torch

LONGEST = 900  # seconds: on a busy machine blocks that no cache knows take minutes to compile


def member(rank: int, world: int, port: int, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    from mintage.train import parallel, plots

    faulthandler.enable()
    plots.draw = lambda *arguments: None
    torch.set_num_threads(1)
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()}, MASTER_ADDR="127.0.0.1")
    with parallel.joined():
        work(*arguments)


def start(world: int, work: Callable[..., None], *arguments: Any) -> list[Any]:
    """Start `world` processes that call `work`, a function of a module."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch._dynamo", "mintage.train.loop"])
    members = [
        context.Process(target=member, args=(rank, world, port, work, arguments)) for rank in range(world)
    ]
    for process in members:
        process.start()
    return members


def together(world: int, work: Callable[..., None], *arguments: Any) -> list[int | None]:
    """Let `world` processes call `work` and wait for them; their exit codes."""
    members = start(world, work, *arguments)
    for process in members:
        process.join(LONGEST)
    codes = [process.exitcode for process in members]
    for process in members:
        process.kill()
    return codes
