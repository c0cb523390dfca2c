"""Threads that share a batch: on a CPU, one core a piece of the rows does more than all cores for every
product.

Small products and everything between them leave cores idle when each operation is cut for all of them. Here
each thread takes its rows through the whole forward and backward pass with one core; the gradients are then
added in a fixed order, so that a run's bits depend on the number of threads and on nothing else.

A model with dropout is taken whole, by all cores: torch's generator is one for all threads, and which thread
draws first is chance.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from mintage.model.easing import ease
from mintage.model.transformer import Transformer
from mintage.train.blocks import compile_blocks, recompute_blocks

# (the model to use, a piece of a batch) -> (the summed loss of its valid targets, their number), and its
# gradients are added to that model's.
Pass = Callable[[Transformer, Any], tuple[Tensor, int]]


class Team:
    """A model and its replicas, one a thread. All share one set of weights; each has its own gradients."""

    def __init__(self, model: Transformer, threads: int):
        self.model, self.threads = model, threads
        pieces = 1 if model.config.dropout else threads
        self.replicas = [model, *(copy.deepcopy(model) for _ in range(pieces - 1))]
        for replica in self.replicas[1:]:
            for own, shared in zip(replica.parameters(), model.parameters()):
                own.data = shared.data
        for replica in self.replicas:
            replica.embedding.sparse = gathers_rows(model)
        self.parameters = [list(replica.parameters()) for replica in self.replicas]
        self.pool = ThreadPoolExecutor(pieces - 1, "mintage-train") if pieces > 1 else None

    def recompute(self) -> None:
        """Keep few activations, and compute the others again in the backward pass; before `compile`."""
        for replica in self.replicas:
            recompute_blocks(replica)

    def compile(self) -> None:
        """Compile every block, for the shapes that come."""
        for replica in self.replicas:
            compile_blocks(replica)

    def ease(self, share: float) -> None:
        """Bring every replica's positions this share of their way into RoPE."""
        for replica in self.replicas:
            ease(replica, share)

    def learn(self, both_ways: Pass, batch: Any) -> tuple[Tensor, int]:
        """Take a batch through the forward and backward pass, each thread its rows; gradients are added to
        the model's.

        Returns:
            the summed loss of the batch and the number of its valid targets.
        """
        pieces = cut(batch, len(self.replicas))
        if self.pool is None or len(pieces) == 1:
            return both_ways(self.model, batch)
        torch.set_num_threads(1)  # of each operation, in this thread and in those that begin now
        try:
            others = [
                self.pool.submit(both_ways, replica, piece)
                for replica, piece in zip(self.replicas[1:], pieces[1:])
            ]
            results = [both_ways(self.model, pieces[0])]
            results += [other.result() for other in others]
        finally:
            torch.set_num_threads(self.threads)
        for parameters in self.parameters[1 : len(pieces)]:
            self.take_gradients(parameters)
        return torch.stack([loss for loss, _ in results]).sum(), sum(count for _, count in results)

    def take_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Add a replica's gradients to the model's, and clear them."""
        sums: list[Tensor] = []
        terms: list[Tensor] = []
        for own, other in zip(self.parameters[0], parameters):
            if own.grad is None:
                own.grad = other.grad
            elif other.grad is not None:
                sums.append(own.grad)
                terms.append(other.grad)
            other.grad = None
        if sums:
            torch._foreach_add_(sums, terms)


def gathers_rows(model: Transformer) -> bool:
    """Whether the embedding's gradient is given as the rows of the tokens that came. A table that is the head
    as well has a gradient of its full size already, to which these rows are added: no second table of zeros
    is filled and added up (2% of a step with 50K entries). Not where there is an accelerator, to which the
    model has yet to go and which would have to be waited for; not where several processes share the table.
    """
    shared = dist.is_available() and dist.is_initialized()
    return model.config.tie_word_embeddings and not torch.cuda.is_available() and not shared


def cut(batch: Any, pieces: int) -> list[Any]:
    """A batch cut by rows into at most so many pieces of nearly equal size."""
    rows = len(batch.inputs_BT)
    pieces = min(pieces, rows)
    edges = [rows * piece // pieces for piece in range(pieces + 1)]
    return [rows_of(batch, start, stop) for start, stop in pairwise(edges)]


def rows_of(batch: Any, start: int, stop: int) -> Any:
    """Some rows of a batch; every field is cut alike, and one that is not there stays away."""
    fields = vars(batch).items()
    return type(batch)(**{name: None if value is None else value[start:stop] for name, value in fields})
