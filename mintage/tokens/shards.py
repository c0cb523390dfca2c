"""Token shards: a corpus as integers on disk, with an index that says which document each token belongs to.

    manifest.json             the tokenizer's hash and cutoff, counts, and every file's SHA-256; written last
    shard_00000.bin           token ids, little endian, uint16 or uint32; each document ends with
    <|endoftext|> shard_00000.docs.parquet  one row a document, see `INDEX_SCHEMA` shard_00000.mask
    one byte a token, 1 where the loss counts; only for shards that hold chats

Every admissible document is in the shards, whatever its date: the cutoff is a predicate on the index
(`Shards.view`), and never a rewrite. The index, not a scan for end-of-text tokens, says where documents begin
and end.

A shard holds documents of one part of the corpus, so parts are encoded each by itself, on as many processes
as there are, with the same bytes.
"""

from __future__ import annotations

import json
import mmap
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mintage.corpus import store
from mintage.corpus.document import CHAT, Document, Use, chat_messages
from mintage.corpus.parts import corpus_of_part
from mintage.corpus.tasks import Task, link, run_all
from mintage.errors import MintageError
from mintage.tokens.fast import Encode, encoder
from mintage.tokens.tokenizer import Tokenizer
from mintage.workspace import file_sha256, json_sha256

MANIFEST = "manifest.json"
MEND = "remove the shards' folder and build the shards again"
SHARD_TOKENS = 1 << 27  # a shard is closed by the document that reaches it: 256 MiB of uint16
BATCH_CHARACTERS = 2_000_000  # encoded at once: bounds the memory
BATCH_DOCUMENTS = 4096
INDEX_ROWS = 20_000  # of a row group

TIME = pa.timestamp("us", tz="UTC")
INDEX_SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),  # in tokens, within the shard
        pa.field("length", pa.int64(), nullable=False),  # in tokens, end of text included
        pa.field("bytes", pa.int64(), nullable=False),  # of the text in UTF-8; of a chat, of its contents
        pa.field("available_at", TIME),
        pa.field("superseded_at", TIME),
        pa.field("duplicate", pa.bool_(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)

# Shares of training and development text; the rest is for tests. Chats are few and small, so more are held
# out.
SPLITS = {False: (0.96, 0.02), True: (0.90, 0.05)}

Admissible = tuple[Document, datetime | None, bool]  # with superseded_at and whether it is a duplicate
Progress = Callable[[int, int | None], object]


def build(
    corpus_directory: Path,
    tokenizer: Tokenizer,
    directory: Path,
    use: Use,
    *,
    tokenizer_cutoff: datetime | None,
    corpus_hash: str,
    scratch: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Encode every document that passes the licence gate `use`; memory does not grow with the corpus.

    Args:
        directory: an empty directory, or one to be made. It is a set of shards once `manifest.json` is there.
        tokenizer_cutoff: the knowledge cutoff of the text that the tokenizer was trained on; None is not
            known.
        corpus_hash: the content hash of the corpus, kept for the lineage.
        scratch: where parts that are done outlive a killed build; the caller removes it. None: none do.
        jobs: how many processes; 1 is this one, with as many threads as there are cores.
        progress: called with the documents done and the documents in the corpus.

    Returns:
        the manifest.

    Raises:
        MintageError: no document passes the gate.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tasks-", dir=directory) as temporary:
        paths = store.parts(corpus_directory, "documents")
        total = sum(pq.read_metadata(path).num_rows for path in paths)
        done = 0

        def written(documents: int) -> None:
            nonlocal done
            done += documents
            if progress:
                progress(done, total)

        # What is told of each batch cannot be sent to another process; several tell of whole parts.
        place = scratch or Path(temporary)
        pieces = tasks(corpus_directory, tokenizer, use, place, written if jobs == 1 else None)
        share = total // max(1, len(paths))
        counted = run_all(pieces, jobs, None if jobs == 1 else lambda *_: written(share))
        number = 0
        for piece in pieces:
            for shard in sorted(piece.directory.glob("shard_*.bin")):
                for file in sorted(piece.directory.glob(f"{shard.stem}.*")):
                    link(file, directory / file.name.replace(shard.stem, f"shard_{number:05d}"))
                number += 1
    sources: dict[str, dict[str, int]] = defaultdict(lambda: {"documents": 0, "tokens": 0, "bytes": 0})
    for counts in counted:
        for name, numbers in counts.items():
            for key, value in numbers.items():
                sources[name][key] += value
    if not number:
        raise MintageError(
            f'{corpus_directory}: no document may be used for "{use}"; widen `use`, or add sources'
        )
    manifest = {
        "tokenizer_hash": tokenizer.hash,
        "tokenizer_cutoff": tokenizer_cutoff.isoformat() if tokenizer_cutoff else None,
        "vocab_size": tokenizer.vocab_size,
        "dtype": dtype_of(tokenizer).str,
        "use": use,
        "corpus_hash": corpus_hash,
        **{
            key: sum(numbers[key] for numbers in sources.values()) for key in ("documents", "tokens", "bytes")
        },
        "sources": dict(sorted(sources.items())),
        "shards": number,
        "files": {path.name: file_sha256(path) for path in sorted(directory.glob("shard_*"))},
    }
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


def tasks(
    corpus_directory: Path,
    tokenizer: Tokenizer,
    use: Use,
    scratch: Path,
    written: Callable[[int], None] | None = None,
) -> list[Task]:
    """A task for each part of the corpus; the tokenizer is put into `scratch` for the workers. `written` is
    told how many documents were added, and keeps the tasks in this process."""
    tokenizer.save(scratch / "tokenizer")
    count = len(store.parts(corpus_directory, "documents"))
    arguments = (scratch / "tokenizer", use, written)
    return [
        Task(scratch / f"part-{number:05d}", encode_part, (corpus_directory, number, *arguments))
        for number in range(count)
    ]


def encode_part(
    directory: Path,
    corpus_directory: Path,
    number: int,
    tokenizer_directory: Path,
    use: Use,
    written: Callable[[int], None] | None,
) -> dict[str, dict[str, int]]:
    """Write the shards of one part of the corpus, numbered from 0, and return the counts by source; the
    task's function."""
    writer = ShardWriter(directory, *tokenizer_and_encoder(tokenizer_directory))
    with tempfile.TemporaryDirectory(prefix=".part-", dir=directory) as temporary:
        part = corpus_of_part(corpus_directory, number, Path(temporary))
        for batch in _batches(store.admissible(part, use)):
            writer.write(batch)
            if written:
                written(len(batch))
    writer.close()
    return writer.sources


@lru_cache(maxsize=1)
def tokenizer_and_encoder(directory: Path) -> tuple[Tokenizer, Encode]:
    """The tokenizer of a directory and the way to encode with it: made once for all parts of a worker."""
    tokenizer = Tokenizer.load(directory)
    return tokenizer, encoder(tokenizer)


def dtype_of(tokenizer: Tokenizer) -> np.dtype:
    """The smallest type that holds every token id."""
    return np.dtype("<u2" if tokenizer.vocab_size <= 1 << 16 else "<u4")


def split_of(content_hash: str, kind: str) -> str:
    """train, development or test: decided by the content alone, so that a text is in the same split
    everywhere."""
    train, development = SPLITS[kind == CHAT]
    place = int(content_hash[:13], 16) / 16**13
    if place < train:
        return "train"
    return "development" if place < train + development else "test"


class ShardWriter:
    """Appends encoded documents to shards, and begins a new shard when one is full."""

    def __init__(self, directory: Path, tokenizer: Tokenizer, encode: Encode):
        self.directory = directory
        self.tokenizer = tokenizer
        self.dtype = dtype_of(tokenizer)
        self.sources: dict[str, dict[str, int]] = {}
        self.number = 0  # of shards closed
        self._encode = encode
        self._bin: BinaryIO | None = None
        self._mask: BinaryIO | None = None
        self._index: pq.ParquetWriter | None = None
        self._rows: list[pa.RecordBatch] = []
        self._tokens = 0  # in the open shard

    def write(self, batch: list[Admissible]) -> None:
        """Encode documents and append them in their order."""
        ids_N, length_D, mask_N = self._tokens_of([document for document, _, _ in batch])
        end_D = np.cumsum(length_D)
        first, taken = 0, 0
        while first < len(batch):
            # The document that reaches the limit is the last one of its shard.
            reaches = np.searchsorted(end_D, SHARD_TOKENS - self._tokens + taken)
            last = min(int(reaches) + 1, len(batch))
            end = int(end_D[last - 1])
            mask = mask_N[taken:end] if mask_N is not None else None
            self._append(batch[first:last], ids_N[taken:end], length_D[first:last], mask)
            first, taken = last, end
            if self._tokens >= SHARD_TOKENS:
                self.close()

    def close(self) -> None:
        """End the open shard, if there is one."""
        if self._bin is None or self._index is None:
            return
        self._flush_index()
        for file in (self._bin, self._mask, self._index):
            if file is not None:
                file.close()
        self._bin = self._mask = self._index = None
        self._tokens = 0
        self.number += 1

    def _tokens_of(self, documents: list[Document]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """N tokens, ends of text included; how many are of each of the D documents; the loss mask (uint8)
        where there are chats."""
        chats = [number for number, document in enumerate(documents) if document.kind == CHAT]
        text_ids_N, text_length_T = self._encode([each.text for each in documents if each.kind != CHAT])
        end = self.tokenizer.end_of_text_id
        if not chats:
            with_ends = np.insert(text_ids_N.astype(self.dtype), np.cumsum(text_length_T), end)
            return with_ends, text_length_T + 1, None
        encoded = self.tokenizer.encode_chats([chat_messages(documents[number].text) for number in chats])
        texts = iter(np.split(text_ids_N, np.cumsum(text_length_T)[:-1]))
        ids, masks = [], []
        chat = iter(encoded)
        for document in documents:
            if document.kind == CHAT:
                tokens, mask = next(chat)
                ids.append(np.array([*tokens, end], self.dtype))
                masks.append(np.array([*mask, 0], np.uint8))
            else:
                ids.append(np.append(next(texts).astype(self.dtype), self.dtype.type(end)))
                masks.append(np.ones(len(ids[-1]), np.uint8))
        length_D = np.fromiter(map(len, ids), np.int64, len(ids))
        return np.concatenate(ids), length_D, np.concatenate(masks)

    def _append(
        self, batch: list[Admissible], ids_N: np.ndarray, length_D: np.ndarray, mask_N: np.ndarray | None
    ) -> None:
        """Add documents to the open shard, or to a new one."""
        if self._bin is None:
            self._bin = self._path("bin").open("wb")
            self._index = pq.ParquetWriter(self._path("docs.parquet"), INDEX_SCHEMA, compression="zstd")
        # A shard has a mask from its first chat on; whether it has one depends on what it holds, and not on
        # how its documents came in batches.
        if any(document.kind == CHAT for document, _, _ in batch) and self._mask is None:
            self._mask = self._path("mask").open("wb")
            for start in range(0, self._tokens, 1 << 20):
                self._mask.write(b"\1" * min(1 << 20, self._tokens - start))
        self._bin.write(ids_N.data)
        if self._mask is not None:
            self._mask.write(b"\1" * len(ids_N) if mask_N is None else mask_N.tobytes())
        documents = [document for document, _, _ in batch]
        sizes = [size_of(document) for document in documents]
        columns: dict[str, Any] = {
            name: [getattr(document, name) for document in documents]
            for name in ("doc_id", "content_hash", "source", "kind", "title", "available_at")
        }
        columns["start"] = self._tokens + np.cumsum(length_D) - length_D
        columns["length"] = length_D
        columns["bytes"] = sizes
        columns["superseded_at"] = [superseded_at for _, superseded_at, _ in batch]
        columns["duplicate"] = [duplicate for _, _, duplicate in batch]
        columns["split"] = [split_of(document.content_hash, document.kind) for document in documents]
        rows = [pa.array(columns[field.name], field.type) for field in INDEX_SCHEMA]
        self._rows.append(pa.RecordBatch.from_arrays(rows, schema=INDEX_SCHEMA))
        self._tokens += len(ids_N)
        for document, tokens, size in zip(documents, length_D.tolist(), sizes):
            counts = self.sources.setdefault(document.source, {"documents": 0, "tokens": 0, "bytes": 0})
            counts["documents"] += 1
            counts["tokens"] += tokens
            counts["bytes"] += size
        if sum(rows.num_rows for rows in self._rows) >= INDEX_ROWS:
            self._flush_index()

    def _flush_index(self) -> None:
        assert self._index is not None
        if self._rows:
            self._index.write_table(pa.Table.from_batches(self._rows), row_group_size=INDEX_ROWS)
        self._rows = []

    def _path(self, suffix: str) -> Path:
        return self.directory / f"shard_{self.number:05d}.{suffix}"


def size_of(document: Document) -> int:
    """Bytes of the text in UTF-8; of a chat, of its contents."""
    if document.kind == CHAT:
        return sum(len(message["content"].encode()) for message in chat_messages(document.text))
    return len(document.text.encode())


@dataclass(frozen=True)
class Shards:
    """A directory of shards, opened for reading."""

    directory: Path
    manifest: dict[str, Any]

    @staticmethod
    def open(directory: Path) -> Shards:
        """Read the manifest.

        Raises:
            MintageError: there is none, so the directory is not a whole set of shards.
        """
        path = directory / MANIFEST
        if not path.exists():
            raise MintageError(f"{directory}: no {MANIFEST}; build the shards with `mintage shards`")
        return Shards(directory, json.loads(path.read_text(encoding="utf-8")))

    @property
    def hash(self) -> str:
        """What identifies these very files."""
        return json_sha256(self.manifest)

    @property
    def tokenizer_cutoff(self) -> datetime | None:
        """Until when the tokenizer's training text knew the world; None is not known."""
        text = self.manifest["tokenizer_cutoff"]
        return datetime.fromisoformat(text) if text else None

    def require_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Refuse a tokenizer that did not make these shards.

        Raises:
            MintageError: the hashes differ; both are named.
        """
        made_by = self.manifest["tokenizer_hash"]
        if tokenizer.hash != made_by:
            raise MintageError(
                f"{self.directory}: encoded by tokenizer {made_by[:16]}, but the tokenizer given is "
                f"{tokenizer.hash[:16]}; use the tokenizer of these shards, or build the shards again"
            )

    def require_sizes(self) -> None:
        """Refuse shards that are cut off: as many tokens in the files as the manifest counts.

        Raises:
            MintageError: a file is missing, or there are fewer or more.
        """
        sizes = []
        for name in self.manifest["files"]:
            path = self.directory / name
            if not path.exists():
                raise MintageError(f"{path}: the manifest lists this file and it is not there; {MEND}")
            if name.endswith(".bin"):
                sizes.append(path.stat().st_size)
        found = sum(sizes) // np.dtype(self.manifest["dtype"]).itemsize
        if found != self.manifest["tokens"]:
            raise MintageError(
                f"{self.directory}: holds {found:,} tokens "
                f"and the manifest says {self.manifest['tokens']:,}; "
                f"{MEND}"
            )

    def index(self) -> pa.Table:
        """All documents: `INDEX_SCHEMA` and `shard`, the number of the shard."""
        tables = []
        for number in range(self.manifest["shards"]):
            table = pq.read_table(self._path(number, "docs.parquet"), schema=INDEX_SCHEMA)
            tables.append(table.append_column("shard", pa.array(np.full(len(table), number, np.int32))))
        return pa.concat_tables(tables)

    def view(self, split: str, as_of: datetime | None) -> pa.Table:
        """The index as it stood at a moment: what was public and not yet replaced, each text once; one split.

        Ordered by (source, available_at, doc_id), undated documents last. It depends on the documents that it
        admits and on nothing else, but for the columns that say where in the shards they are. `as_of` None
        means now, and lets undated documents in; the rule is that of `mintage.corpus.store.view`.
        """
        table = self.index()
        admitted = pc.and_(pc.equal(table["split"], split), pc.invert(table["duplicate"]))
        if as_of is None:
            admitted = pc.and_(admitted, pc.is_null(table["superseded_at"]))
        else:
            moment = pa.scalar(as_of, TIME)
            public = pc.less_equal(table["available_at"], moment)
            standing = pc.fill_null(pc.greater(table["superseded_at"], moment), True)
            admitted = pc.and_(admitted, pc.and_(pc.fill_null(public, False), standing))
        table = table.filter(admitted)
        order = [(key, "ascending") for key in ("source", "available_at", "doc_id")]
        return table.take(pc.sort_indices(table, sort_keys=order))

    def tokens(self, shard: int, scattered: bool = False) -> np.ndarray:
        """The token ids of a shard, mapped and not read. `scattered`: they will be read a few at a time, here
        and there, so that the system should not read ahead."""
        with self._path(shard, "bin").open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if scattered and hasattr(mmap, "MADV_RANDOM"):  # Windows has no such advice
            mapped.madvise(mmap.MADV_RANDOM)
        return np.frombuffer(mapped, self.manifest["dtype"])

    def mask(self, shard: int) -> np.ndarray | None:
        """The loss mask of a shard (uint8), mapped and not read; None where every token counts."""
        path = self._path(shard, "mask")
        return (
            np.memmap(path, np.uint8, "r").view(np.ndarray) if path.name in self.manifest["files"] else None
        )

    def _path(self, shard: int, suffix: str) -> Path:
        return self.directory / f"shard_{shard:05d}.{suffix}"


def verify(directory: Path) -> None:
    """Check every file of the shards against the manifest.

    Raises:
        MintageError: a file is missing, or its bytes are not those that were written.
    """
    for name, expected in Shards.open(directory).manifest["files"].items():
        path = directory / name
        if not path.exists():
            raise MintageError(f"{path}: the manifest lists this file and it is not there; {MEND}")
        if file_sha256(path) != expected:
            raise MintageError(f"{path}: its bytes are not those of the manifest; {MEND}")


def _batches(documents: Iterable[Admissible]) -> Iterator[list[Admissible]]:
    """Consecutive documents in lists of about `BATCH_CHARACTERS`, at most `BATCH_DOCUMENTS`."""
    batch: list[Admissible] = []
    size = 0
    for admissible in documents:
        batch.append(admissible)
        size += len(admissible[0].text)
        if size >= BATCH_CHARACTERS or len(batch) >= BATCH_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
