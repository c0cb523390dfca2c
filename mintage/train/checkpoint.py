"""Checkpoints: a complete Hugging Face directory, the state to go on from, and the proof that every byte is
there.

    checkpoint-1000/
      config.json, model.safetensors, tokenizer files   what other libraries open
      resume/                                           optimizer, random and logging state (safetensors)
      state.json                                        step, identity of the run, SHA-256 of every file
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as distributed_checkpoint
from torch import Tensor
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.model.transformer import Transformer
from mintage.workspace import (
    code_version,
    content_of,
    file_sha256,
    json_sha256,
    publish_directory,
    remove_leftovers,
)

STATE = "state.json"
RESUME = "resume"
NAME = re.compile(r"checkpoint-(\d+)")


def save(
    run_directory: Path,
    step: int,
    model: Transformer,
    tensors: dict[str, Tensor],
    state: dict[str, Any],
    tokenizer_directory: Path | None,
) -> Path:
    """Publish `checkpoint-<step>/` at once or not at all, and return its path.

    Args:
        tensors: what `load` brings back, by name.
        state: JSON values kept in state.json beside the file hashes and versions.

    Raises:
        MintageError: the disk is full; earlier checkpoints are as they were.
    """
    target = run_directory / f"checkpoint-{step}"
    with publish_directory(target) as directory, _full_disk_as_os_error(), _quiet():
        huggingface.save(model, directory, tokenizer_directory)
        distributed_checkpoint.save(
            tensors, storage_writer=HuggingFaceStorageWriter(str(directory / RESUME)), no_dist=True
        )
        record = {"step": step, **state, "versions": versions(), "files": content_of(directory)[0]}
        record["hash"] = json_sha256(record)
        (directory / STATE).write_text(json.dumps(record, indent=1))
    return target


def newest(run_directory: Path, say: Callable[[str], None]) -> tuple[Path, dict[str, Any]] | None:
    """The newest whole checkpoint, with its state; a newer one that is not whole is named through `say`."""
    for path in run_directory.glob(".checkpoint-*.tmp"):
        if found := NAME.search(path.name):
            remove_leftovers(run_directory / found.group())
    for step in sorted(steps(run_directory), reverse=True):
        path = run_directory / f"checkpoint-{step}"
        fault = damage(path)
        if fault is None:
            return path, json.loads((path / STATE).read_text())
        say(f"{path}: skipped, {fault}; going back to the checkpoint before it")
    return None


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint's files, in words, or None where every byte is as it was written."""
    try:
        record = json.loads((path / STATE).read_text())
        expected = record.pop("hash")
    except (OSError, ValueError, KeyError, AttributeError):
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
    """Bring a checkpoint's weights and tensors back, in place and bit by bit."""
    huggingface.load_weights(path, model)
    with _quiet():
        reader = HuggingFaceStorageReader(str(path / RESUME))
        distributed_checkpoint.load(tensors, storage_reader=reader, no_dist=True)


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
        text = f"{error!r} {getattr(error, 'failures', '')!r}"
        if not isinstance(error, OSError | MintageError) and os.strerror(errno.ENOSPC) in text:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise
