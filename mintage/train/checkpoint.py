"""Checkpoints: a complete Hugging Face directory, the state to go on from, and the proof that every byte is
there.

    checkpoint-1000/
      config.json, model.safetensors, tokenizer files   what other libraries open
      resume/                                           optimizer, random and logging state (safetensors)
      state.json                                        step, identity of the run, SHA-256 of every file

A snapshot on the host is written by a thread while training goes on. Of what several processes share, each
writes its rows into a file of its own in resume/, and any number of them reads these back.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import json
import os
import platform
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as distributed_checkpoint
from torch import Tensor
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.model.transformer import Transformer
from mintage.train.parallel import current
from mintage.workspace import (
    DiskFull,
    code_version,
    content_of,
    file_sha256,
    is_full,
    json_sha256,
    publish_directory,
    remove_leftovers,
)

STATE = "state.json"
RESUME = "resume"
NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Snapshot:
    """A moment of a run, copied to the host. `model` is whole, on the CPU, and only the first process's;
    `tensors` are this process's."""

    step: int
    model: Transformer | None
    tensors: dict[str, Tensor]
    state: dict[str, Any]
    tokenizer_directory: Path | None
    bytes: int


def snapshot(
    step: int,
    model: Transformer,
    tensors: dict[str, Tensor],
    state: dict[str, Any],
    tokenizer_directory: Path | None = None,
) -> Snapshot:
    """Copy what a checkpoint holds to the host; all processes call this together.

    Args:
        tensors: what `load` brings back, by name.
        state: JSON values kept in state.json beside the file hashes and versions.
    """
    processes = current()
    copies: dict[int, Tensor] = {}  # by parameter, as one may stand in two places
    weights: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if id(parameter) not in copies:
            everything = parameter.full_tensor() if isinstance(parameter, DTensor) else parameter.detach()
            # Of the others no view: it would keep what was gathered.
            copies[id(parameter)] = (
                everything.to("cpu", copy=True) if processes.first else everything.new_empty(0)
            )
        weights[name] = copies[id(parameter)]
    shell = None
    if processes.first:
        with torch.device("meta"):
            shell = Transformer(model.config)
        shell.load_state_dict(weights, assign=True)
        shell.easing = copy.deepcopy(model.easing).to("cpu") if model.easing else None
    size = sum(each.numel() * each.element_size() for each in [*model.parameters(), *tensors.values()])
    on_host = {name: to_host(tensor, processes.host_mesh) for name, tensor in tensors.items()}
    return Snapshot(step, shell, on_host, state, tokenizer_directory, size)


def to_host(tensor: Tensor, mesh: DeviceMesh | None) -> Tensor:
    """A copy on the CPU; of a DTensor, of this process's rows."""
    if not isinstance(tensor, DTensor):
        return tensor.detach().to("cpu", copy=True)
    local = tensor.to_local().detach().to("cpu", copy=True)
    shape, stride = tensor.shape, tensor.stride()
    return DTensor.from_local(local, mesh, tensor.placements, run_check=False, shape=shape, stride=stride)


def write(run_directory: Path, moment: Snapshot) -> Path:
    """Publish `checkpoint-<step>/` at once or not at all, and return its path; all processes call this
    together, and all fail where one does.

    Raises:
        DiskFull: there is no room; earlier checkpoints are as they were.
    """
    processes = current()
    target = run_directory / f"checkpoint-{moment.step}"
    failure: BaseException | None = None
    if not processes.first:
        if (directory := processes.tell(group=processes.writing)) is not None:
            with contextlib.suppress(CheckpointException):  # the first process knows and tells
                _write_tensors(moment.tensors, directory)
    else:
        told = False
        try:
            with publish_directory(target) as directory, _full_disk_as_os_error():
                told = processes.tell(directory, processes.writing) is not None
                _write_tensors(moment.tensors, directory)
                assert moment.model is not None
                huggingface.save(moment.model, directory, moment.tokenizer_directory)
                files = content_of(directory)[0]
                record = {"step": moment.step, **moment.state, "versions": versions(), "files": files}
                record["hash"] = json_sha256(record)
                (directory / STATE).write_text(json.dumps(record, indent=1))
        except (Exception, CheckpointException) as error:  # torch's is no Exception
            failure = error
        if not told:
            processes.tell(None, processes.writing)
    reason = None if failure is None else (is_full(failure), str(failure))
    reason = processes.tell(reason, processes.writing)
    if failure is not None:
        raise failure
    if reason is not None:
        full, text = reason
        raise DiskFull(text) if full else MintageError(text)
    return target


def _write_tensors(tensors: dict[str, Tensor], directory: Path) -> None:
    processes = current()
    several = processes.world > 1
    writer = HuggingFaceStorageWriter(str(directory / RESUME), save_distributed=several)
    with _quiet():
        distributed_checkpoint.save(
            tensors, storage_writer=writer, process_group=processes.writing, no_dist=not several
        )


def newest(run_directory: Path, say: Callable[[str], None]) -> tuple[Path, dict[str, Any]] | None:
    """The newest whole checkpoint, with its state; a newer one that is not whole is named through `say`."""
    for path in run_directory.glob(".checkpoint-*.tmp"):
        if found := NAME.search(path.name):
            remove_leftovers(run_directory / found.group())
    present = sorted(steps(run_directory))
    while present:
        path = run_directory / f"checkpoint-{present.pop()}"
        fault = damage(path)
        if fault is None:
            return path, json.loads((path / STATE).read_text())
        then = "going back to the checkpoint before it" if present else "no other is left: beginning anew"
        say(f"{path}: skipped, {fault}; {then}")
    return None


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint's files, in words, or None where every byte is as it was written."""
    try:
        record = json.loads((path / STATE).read_text())
        expected = record.pop("hash")
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return f"{STATE} is missing or damaged"
    if json_sha256(record) != expected:
        return f"{STATE} is damaged"
    for name, sha256 in record["files"].items():
        if not (path / name).is_file():
            return f"{name} is missing"
        if file_sha256(path / name) != sha256:
            return f"{name} is damaged"
    return None


def load(path: Path, model: Transformer, tensors: dict[str, Tensor]) -> None:
    """Bring a checkpoint's weights and tensors back, in place and bit by bit; all processes call this
    together, and each reads what it holds."""
    processes = current()
    weights: dict[str, Any] = dict(model.named_parameters())
    with _quiet(), torch.no_grad():
        for values, directory in ((weights, path), (tensors, path / RESUME)):
            reader = HuggingFaceStorageReader(str(directory))
            distributed_checkpoint.load(
                values,
                storage_reader=reader,
                process_group=processes.control,
                no_dist=processes.world == 1,
            )


class Writer:
    """Writes checkpoints behind the training's back, one at a time, and removes those that are old."""

    def __init__(self, run_directory: Path, keep_last: int, keep_every: int | None):
        self.run_directory, self.keep_last, self.keep_every = run_directory, keep_last, keep_every
        self.newest: Path | None = None  # the last one that was written whole
        self.moment: Snapshot | None = None  # what is being written, or could not be
        self._pool = ThreadPoolExecutor(1, "mintage-checkpoint")
        self._result: Future[Path] | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def begin(self, moment: Snapshot) -> None:
        """Begin to write; nothing else is being written."""
        self.moment = moment
        self._result = self._pool.submit(self._write, moment)

    def failed(self) -> bool:
        """Whether the writing has ended, and not well."""
        return self._result is not None and self._result.done() and self._result.exception() is not None

    def finish(self) -> None:
        """Wait until what is being written is whole.

        Raises:
            DiskFull: there was no room; `moment` may be written again.
        """
        if self._result is not None:
            result, self._result = self._result, None
            self.newest = result.result()
            self.moment = None

    def _write(self, moment: Snapshot) -> Path:
        path = write(self.run_directory, moment)
        if current().first:
            prune(self.run_directory, moment.step, self.keep_last, self.keep_every)
        return path


def prune(run_directory: Path, last: int, keep_last: int, keep_every: int | None) -> None:
    """Of the checkpoints up to step `last`, which is whole, keep the newest `keep_last` and those at
    multiples of `keep_every`. Later ones are damaged, and the run will replace them."""
    for step in sorted(step for step in steps(run_directory) if step <= last)[:-keep_last]:
        if keep_every is None or step % keep_every:
            path = run_directory / f"checkpoint-{step}"
            # Renamed first: a kill leaves no half of a checkpoint, only a leftover for `newest` to remove.
            doomed = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            path.rename(doomed)
            shutil.rmtree(doomed)


def steps(run_directory: Path) -> list[int]:
    """The steps of a run's published checkpoints."""
    found = (NAME.fullmatch(path.name) for path in run_directory.glob("checkpoint-*") if path.is_dir())
    return [int(match.group(1)) for match in found if match]


def versions() -> dict[str, str]:
    """What can change the bits of a run besides its settings."""
    return {
        "mintage": code_version(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's remark that a single process saves for itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


@contextlib.contextmanager
def _full_disk_as_os_error() -> Iterator[None]:
    """safetensors and torch wrap "no space left" in errors of their own without its number; give it back."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, OSError | MintageError) and os.strerror(errno.ENOSPC) in repr(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise
