"""What is done to a model's blocks from outside: their activations computed twice instead of kept, and their
compilation, one by one."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mintage.model.transformer import Transformer


def recompute_blocks(model: Transformer) -> None:
    """Keep only each block's input during the forward pass, and compute the rest again during the backward
    pass (arXiv:1604.06174): a third more work for activations that grow with one block instead of with all.

    The gradients are the same bits. Dropout draws the same numbers again. To be done before `compile_blocks`.
    """
    for block in model.blocks:
        kind: Any = type(block)
        block.__class__ = _recomputed(kind)


@cache
def _recomputed(kind: Any) -> Any:
    """A class of blocks that differs in nothing but this. A class, and not a wrapper, so that parameters keep
    their names, copies are copies, and all blocks still share one compiled graph."""

    def forward(self: nn.Module, *arguments: Any) -> Tensor:
        if not self.training:
            return kind.forward(self, *arguments)
        return checkpoint(kind.forward, self, *arguments, use_reentrant=False)

    return type(f"Recomputed{kind.__name__}", (kind,), {"forward": forward})


def compile_blocks(model: Transformer) -> None:
    """Compile the blocks where they stand, for the shapes that come. Blocks of the same kind share one graph,
    so that it takes as long as one block does, whatever the depth. Kernels are kept from run to run."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_directory()))
    for block in model.blocks:
        block.compile(dynamic=False)


def cache_directory() -> Path:
    """Where compiled kernels outlive a run, unless TORCHINDUCTOR_CACHE_DIR says otherwise. torch's own choice
    is the folder for temporary files, which many machines empty when they start."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mintage" / "torchinductor"
