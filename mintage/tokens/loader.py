"""Batches of a plan out of the shards, and whole documents for evaluation. Nothing is read before it is asked
for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mintage.corpus.document import CHAT
from mintage.errors import MintageError
from mintage.tokens.plan import Plan, Stream
from mintage.tokens.shards import TIME, Shards
from mintage.tokens.tokenizer import PAD_ID

WIDTH_MULTIPLE = 16
PREFETCHED = 2


@dataclass(frozen=True)
class Batch:
    """B sequences of a step: tokens, the token that follows each (int64), and which of these the loss counts
    (bool).

    Where the mask is false at a row's end, the tokens are padding.

    Where documents are isolated, `documents_BT` (int32, rising in each row) numbers the document of each
    input: the one its target is in. So an end of text opens the document that follows it, as it does when the
    model is evaluated and asked, and no token is predicted from another document.
    """

    inputs_BT: np.ndarray
    targets_BT: np.ndarray
    mask_BT: np.ndarray
    documents_BT: np.ndarray | None = None

    def rows(self, rank: int, world: int) -> Batch:
        """The rows of one process of `world`; together, in the order of the ranks, they are the batch."""
        total = len(self.inputs_BT)
        chosen = slice(rank * total // world, (rank + 1) * total // world)
        documents_BT = None if self.documents_BT is None else self.documents_BT[chosen]
        return Batch(self.inputs_BT[chosen], self.targets_BT[chosen], self.mask_BT[chosen], documents_BT)


class Loader:
    """The batches of a plan, over the shards that it was built on.

    Raises:
        MintageError: these are other shards.
    """

    def __init__(self, shards_directory: Path, plan: Plan):
        shards = Shards.open(shards_directory)
        if shards.hash != plan.shards_hash:
            raise MintageError(
                f"{shards_directory}: the plan was built on other shards; build it again on these"
            )
        self.plan = plan
        self._tokens = [shards.tokens(number, scattered=True) for number in range(shards.manifest["shards"])]
        self._masks: list[np.ndarray | None] = [None] * len(self._tokens)
        if plan.settings.layout == "documents":
            self._masks = [shards.mask(number) for number in range(len(self._tokens))]

    def batch(self, step: int) -> Batch:
        """The batch of a step, 0 to `plan.steps` - 1; the same whenever, and in any order, it is asked."""
        rows = self.plan.rows(step)
        width = rows.context
        if self.plan.settings.layout == "documents":
            longest = int(rows.count_B.max()) - 1
            width = min(width, -(-longest // WIDTH_MULTIPLE) * WIDTH_MULTIPLE)
        tokens_BT = np.full((len(rows.count_B), width + 1), PAD_ID, np.int64)
        mask_BT = np.zeros(tokens_BT.shape, bool)
        isolated = self.plan.settings.isolate_documents
        pieces_BT = (
            np.full(tokens_BT.shape, width + 1, np.int32) if isolated else None
        )  # of padding: the last
        for number in np.unique(rows.stream_B):
            stream = self.plan.streams[number]
            chosen = np.flatnonzero(rows.stream_B == number)
            begins, counts = rows.begin_B[chosen], rows.count_B[chosen]
            pieces = np.searchsorted(stream.end_N, begins, side="right")
            for row, piece, begin, count in zip(
                chosen.tolist(), pieces.tolist(), begins.tolist(), counts.tolist()
            ):
                self._copy(stream, piece, begin, tokens_BT[row, :count], mask_BT[row, :count])
                if pieces_BT is not None:
                    ends_N = stream.end_N[piece : piece + count]
                    places_T = np.arange(begin, begin + count)
                    pieces_BT[row, :count] = np.searchsorted(ends_N, places_T, side="right")
        documents_BT = None if pieces_BT is None else pieces_BT[:, 1:]
        return Batch(tokens_BT[:, :-1], tokens_BT[:, 1:], mask_BT[:, 1:], documents_BT)

    def prefetch(self, start: int, stop: int) -> Iterator[Batch]:
        """The batches of steps start to stop - 1, made ahead by a thread that ends with the iterator."""
        ready: queue.Queue[Batch | BaseException] = queue.Queue(PREFETCHED)
        closed = threading.Event()

        def put(item: Batch | BaseException) -> None:
            while not closed.is_set():
                try:
                    return ready.put(item, timeout=0.1)
                except queue.Full:
                    continue

        def work() -> None:
            try:
                for step in range(start, stop):
                    if closed.is_set():
                        return
                    put(self.batch(step))
            except BaseException as error:  # raised again where the batch is waited for
                put(error)

        thread = threading.Thread(target=work, name="mintage-loader", daemon=True)
        thread.start()
        try:
            for _ in range(start, stop):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            closed.set()
            thread.join()

    def _copy(self, stream: Stream, piece: int, begin: int, tokens_T: np.ndarray, mask_T: np.ndarray) -> None:
        """Fill a row with the tokens of a stream from place `begin`, which lies in piece number `piece`."""
        filled = 0
        while filled < len(tokens_T):
            end = int(stream.end_N[piece])
            taken = min(end - begin, len(tokens_T) - filled)
            # A piece begins in its shard at start_N and in the stream at the end of the piece before it.
            offset = begin - (int(stream.end_N[piece - 1]) if piece else 0)
            shard = int(stream.shard_N[piece])
            place = slice(int(stream.start_N[piece]) + offset, int(stream.start_N[piece]) + offset + taken)
            tokens_T[filled : filled + taken] = self._tokens[shard][place]
            mask = self._masks[shard]
            mask_T[filled : filled + taken] = True if mask is None else mask[place]
            filled += taken
            begin += taken
            piece += 1


@dataclass(frozen=True)
class DocumentTokens:
    """One document as tokens, end of text included. `mask` is 1 where a chat's loss counts; None: everywhere.
    `bytes` is the size of its text in UTF-8 (of a chat, of its contents)."""

    doc_id: str
    source: str
    kind: str
    title: str
    available_at: datetime | None
    ids: np.ndarray
    mask: np.ndarray | None
    bytes: int


def documents(
    shards_directory: Path,
    split: str,
    as_of: datetime | None,
    source: str | None = None,
    after: datetime | None = None,
) -> Iterator[DocumentTokens]:
    """The documents of a split that were public at `as_of` (None: all), by (source, available_at, doc_id).

    Args:
        source: only this one.
        after: only documents that came out after this moment.
    """
    shards = Shards.open(shards_directory)
    view = shards.view(split, as_of)
    if source is not None:
        view = view.filter(pc.equal(view["source"], source))
    if after is not None:
        view = view.filter(pc.fill_null(pc.greater(view["available_at"], pa.scalar(after, TIME)), False))
    tokens = [shards.tokens(number) for number in range(shards.manifest["shards"])]
    masks = [shards.mask(number) for number in range(shards.manifest["shards"])]
    for batch in view.to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            place = slice(row["start"], row["start"] + row["length"])
            mask = masks[row["shard"]] if row["kind"] == CHAT else None
            yield DocumentTokens(
                doc_id=row["doc_id"],
                source=row["source"],
                kind=row["kind"],
                title=row["title"],
                available_at=row["available_at"],
                ids=tokens[row["shard"]][place],
                mask=None if mask is None else mask[place],
                bytes=row["bytes"],
            )
