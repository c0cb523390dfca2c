"""The plan: what fixes every batch of a run. The batch of step s is a pure function of (plan, s).

Each source is a stream: the documents that the view admits, end to end, by (available_at, doc_id). A pass
over a stream uses every token exactly once as a target (but the first, which nothing precedes) in windows, or
in rows of one document each, whose order is a keyed permutation. Which source a slot of the run takes is a
fixed cycle in which every prefix holds each source within one of its share. So any batch is found in O(1), by
any number of processes.

The plan knows only the documents admitted at T. The shards' layout and documents that came later change
nothing.

Building a plan sorts the index, which takes minutes for billions of tokens. `Plan.kept` does it once and
keeps the result as arrays that are mapped and not read, so that a run of any length resumes in a moment.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mintage.errors import MintageError
from mintage.tokens.mix import PARTS, Cycle, weights
from mintage.tokens.permutation import GOLDEN, mix64, permute
from mintage.tokens.shards import Shards
from mintage.workspace import content_of, json_sha256, publish_directory

KEPT = "plan.json"
KEPT_FORMAT = 2  # raise it when `build` gives other plans for the same settings
PIECE_ARRAYS = ("shard", "start", "end")
Leaf = tuple[str, str, datetime | None]  # doc_id, content_hash, available_at


@dataclass(frozen=True)
class Phase:
    """A stretch of a run: `steps` optimizer steps, each of `batch` sequences of `context` tokens, with the
    sources in the proportions of `mix` (weights of sequences; only their ratios matter, rounded to 1/1,000).
    Without a mix, every source is read in proportion to its tokens."""

    steps: int
    context: int
    batch: int
    mix: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.steps, self.context, self.batch) < 1:
            raise ValueError("steps, context and batch must be at least 1")
        if self.mix and min(self.mix.values()) <= 0:
            raise ValueError("mix must give each source a weight above 0")
        if len(self.mix) > PARTS:
            raise ValueError(f"mix can name at most {PARTS} sources")


@dataclass(frozen=True)
class PlanSettings:
    """What a run reads.

    `layout` "windows" cuts the streams into windows of the phase's context, across documents, and the loss
    counts every token. "documents" gives each document rows of its own (as many as its length needs), so that
    documents cannot see one another, and the loss counts what the shards' mask counts. `isolate_documents`
    keeps the documents of a window apart: each token sees its own document only. A plan that sees a source
    more than `repetition_cap` times is refused, or, where `over_cap` is "shorten", has fewer steps, in every
    phase by the same part.
    """

    phases: tuple[Phase, ...]
    layout: Literal["windows", "documents"] = "windows"
    isolate_documents: bool = False
    seed: int = 0
    repetition_cap: float | None = None
    over_cap: Literal["refuse", "shorten"] = "refuse"

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("phases must hold at least one phase")
        if self.isolate_documents and self.layout == "documents":
            raise ValueError('isolate_documents is for the layout "windows"; "documents" isolates by itself')


@dataclass(frozen=True)
class Stream:
    """The documents of one source, end to end: N pieces that lie in the shards one by one.

    A piece is one document in the layout "documents" and where documents are isolated; else neighbours that
    also touch in the shard are one piece.
    """

    source: str
    documents: int
    shard_N: np.ndarray
    start_N: np.ndarray  # of the piece in its shard
    end_N: np.ndarray  # of the piece in the stream: running sum of the lengths

    @property
    def tokens(self) -> int:
        """Length of the stream."""
        return int(self.end_N[-1])


@dataclass(frozen=True)
class Rows:
    """The B sequences of a step: `count_B` tokens from place `begin_B` of stream number `stream_B`. The last
    count-1 of them are targets."""

    context: int
    stream_B: np.ndarray
    begin_B: np.ndarray
    count_B: np.ndarray


@dataclass(frozen=True)
class Plan:
    """Every batch of a run, fixed; made by `Plan.build`.

    `hash` covers all that decides a batch: the admitted documents (by the ledger's root), the tokenizer, and
    the settings. In `settings` every phase has its mix, and the steps are those of the shortened run.
    `knowledge_cutoff` is `as_of` where it was given, else the latest document's `available_at`, and None
    where an undated document was admitted. `shards_hash` names the files that the places in the streams refer
    to.
    """

    settings: PlanSettings
    as_of: datetime | None
    streams: tuple[Stream, ...]
    leaves: pa.Table = field(repr=False)
    ledger_root: str
    knowledge_cutoff: datetime | None
    hash: str
    shards_hash: str

    @staticmethod
    def build(
        shards_directory: Path, settings: PlanSettings, as_of: datetime | None, split: str = "train"
    ) -> Plan:
        """Plan a run over the documents of a split that were public at `as_of` (an aware time; None: all).

        Raises:
            MintageError: a source of the mix has no documents in the view, the text is shorter than one
            window, the repetition cap is exceeded, or the tokenizer knows more than `as_of` allows.
        """
        shards = Shards.open(shards_directory)
        _refuse_late_tokenizer(shards, as_of)
        view = shards.view(split, as_of)
        names = sorted({name for phase in settings.phases for name in phase.mix})
        if not all(phase.mix for phase in settings.phases):
            names = sorted(set(names) | set(pc.unique(view["source"]).to_pylist()))
        streams, tables = [], []
        for name in names:
            table = view.filter(pc.equal(view["source"], name))
            if not len(table):
                raise MintageError(_no_documents(shards, name, split, as_of))
            merge = settings.layout == "windows" and not settings.isolate_documents
            streams.append(_stream(name, table, merge))
            tables.append(table.select(["doc_id", "content_hash", "available_at"]))
        if not tables:
            raise MintageError(f"plan: the shards hold no {split} documents{_as_of(as_of)}")
        natural = {stream.source: float(stream.tokens) for stream in streams}
        settings = _with_phases(
            settings, [dataclasses.replace(phase, mix=phase.mix or natural) for phase in settings.phases]
        )
        leaves = pa.concat_tables(tables).sort_by("doc_id")
        root = _ledger_root(leaves)
        available = leaves["available_at"]
        latest = None if available.null_count else pc.max(available).as_py()
        plan = Plan(
            settings=settings,
            as_of=as_of,
            streams=tuple(streams),
            leaves=leaves,
            ledger_root=root,
            knowledge_cutoff=as_of or latest,
            hash="",
            shards_hash=shards.hash,
        )._within_cap()
        plan._check()
        phases = [
            [phase.steps, phase.context, phase.batch, weights(phase.mix)] for phase in plan.settings.phases
        ]
        decisive = {
            "phases": phases,
            "layout": settings.layout,
            "seed": settings.seed,
            "as_of": as_of.astimezone(UTC).isoformat() if as_of else None,
            "split": split,
            "tokenizer": shards.manifest["tokenizer_hash"],
            "ledger_root": root,
            # Named only where it is on, so that plans made before it was known keep their hash.
            **({"isolate_documents": True} if settings.isolate_documents else {}),
        }
        return dataclasses.replace(plan, hash=json_sha256(decisive))

    @staticmethod
    def kept(
        folder: Path,
        shards_directory: Path,
        settings: PlanSettings,
        as_of: datetime | None,
        split: str = "train",
    ) -> Plan:
        """The plan of `build`, kept in `folder`: built the first time, and opened from there afterwards. One
        whose files are not those that were written is built again.

        Raises:
            MintageError: as `build`.
        """
        shards = Shards.open(shards_directory)
        _refuse_late_tokenizer(shards, as_of)
        time = as_of.astimezone(UTC).isoformat() if as_of else None
        key = json_sha256([KEPT_FORMAT, shards.hash, dataclasses.asdict(settings), time, split])
        directory = folder / key[:16]
        record = _kept_record(directory)
        if record is None:
            plan = Plan.build(shards_directory, settings, as_of, split)
            with publish_directory(directory) as temporary:
                plan._save(temporary)
            return plan
        cutoff = record["knowledge_cutoff"]
        return Plan(
            settings=_with_phases(settings, [Phase(**phase) for phase in record["phases"]]),
            as_of=as_of,
            streams=tuple(
                Stream(
                    name, documents, *(_mapped(directory / f"{number}.{part}.npy") for part in PIECE_ARRAYS)
                )
                for number, (name, documents) in enumerate(record["streams"])
            ),
            leaves=pa.ipc.open_file(pa.memory_map(str(directory / "leaves.arrow"))).read_all(),
            ledger_root=record["ledger_root"],
            knowledge_cutoff=datetime.fromisoformat(cutoff) if cutoff else None,
            hash=record["hash"],
            shards_hash=shards.hash,
        )

    def _save(self, directory: Path) -> None:
        """Write what `kept` opens."""
        for number, stream in enumerate(self.streams):
            for part, array in zip(PIECE_ARRAYS, (stream.shard_N, stream.start_N, stream.end_N)):
                np.save(directory / f"{number}.{part}.npy", array)
        with pa.ipc.new_file(str(directory / "leaves.arrow"), self.leaves.schema) as file:
            file.write_table(self.leaves)
        record = {
            "phases": [dataclasses.asdict(phase) for phase in self.settings.phases],
            "streams": [[stream.source, stream.documents] for stream in self.streams],
            "ledger_root": self.ledger_root,
            "knowledge_cutoff": self.knowledge_cutoff.isoformat() if self.knowledge_cutoff else None,
            "hash": self.hash,
        }
        record["files"] = content_of(directory)[0]
        record["record_hash"] = json_sha256(record)
        (directory / KEPT).write_text(json.dumps(record), encoding="utf-8")

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return sum(phase.steps for phase in self.settings.phases)

    @property
    def ledger(self) -> list[Leaf]:
        """The documents that a batch can reach, sorted by doc_id."""
        return list(_leaves(self.leaves))

    def describe(self) -> list[dict[str, Any]]:
        """For each source: documents, tokens, share of the run's sequences, and how often it is read."""
        used = self._used
        total = sum(phase.steps * phase.batch for phase in self.settings.phases)
        return [
            {
                "source": stream.source,
                "documents": stream.documents,
                "tokens": stream.tokens,
                "share": round(sum(int(counts[number]) for counts in used) / total, 4),
                "epochs": round(self._epochs(number), 4),
            }
            for number, stream in enumerate(self.streams)
        ]

    def rows(self, step: int) -> Rows:
        """Where the sequences of a step are; O(batch), whatever the length of the run."""
        number = int(np.searchsorted(self._phase_ends, step, side="right"))
        phase = self.settings.phases[number]
        first_step = int(self._phase_ends[number]) - phase.steps
        slot_B = (step - first_step) * phase.batch + np.arange(phase.batch)
        stream_B, nth_B = self._cycles[number].find(slot_B)
        begin_B = np.empty(phase.batch, np.int64)
        count_B = np.empty(phase.batch, np.int64)
        for stream in np.unique(stream_B):
            chosen = np.flatnonzero(stream_B == stream)
            nth = nth_B[chosen] + self._first_unit(number, int(stream))
            begin_B[chosen], count_B[chosen] = self._unit(int(stream), phase.context, nth)
        return Rows(phase.context, stream_B, begin_B, count_B)

    def _unit(self, number: int, context: int, nth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Place and count of tokens of the nth windows (or rows) that a run takes from a stream."""
        stream = self.streams[number]
        units = self._units(number, context)
        identity = f"{self.settings.seed}|{self.settings.layout}|{context}|{stream.source}"
        base = int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest(), "big")
        passes, place = np.divmod(nth, units)
        key = mix64(np.full(len(nth), base, np.uint64) + GOLDEN * passes.astype(np.uint64))
        unit = permute(place, units, key)
        if self.settings.layout == "windows":
            begin = unit * context
            return begin, np.minimum(context + 1, stream.tokens - begin)
        row_ends = self._row_ends[number, context]
        document = np.searchsorted(row_ends, unit, side="right")
        is_first = document == 0
        row = unit - np.where(is_first, 0, row_ends[document - 1])
        begin = np.where(is_first, 0, stream.end_N[document - 1]) + row * context
        return begin, np.minimum(context + 1, stream.end_N[document] - begin)

    def _units(self, number: int, context: int) -> int:
        """Windows (or rows) of one pass over a stream."""
        if self.settings.layout == "windows":
            return -(-(self.streams[number].tokens - 1) // context)
        return int(self._row_ends[number, context][-1])

    def _first_unit(self, phase_number: int, stream: int) -> int:
        """Windows that earlier phases of the same context took: a later phase goes on where they ended."""
        context = self.settings.phases[phase_number].context
        earlier = zip(self.settings.phases[:phase_number], self._used)
        return sum(int(counts[stream]) for phase, counts in earlier if phase.context == context)

    def _epochs(self, number: int) -> float:
        """How many times a stream is read, over all phases."""
        phases = zip(self.settings.phases, self._used)
        return float(sum(counts[number] / self._units(number, phase.context) for phase, counts in phases))

    @cached_property
    def _phase_ends(self) -> np.ndarray:
        return np.cumsum([phase.steps for phase in self.settings.phases])

    @cached_property
    def _cycles(self) -> list[Cycle]:
        names = [stream.source for stream in self.streams]
        parts = [weights(phase.mix) for phase in self.settings.phases]
        return [Cycle.make([part.get(name, 0) for name in names]) for part in parts]

    @cached_property
    def _used(self) -> list[np.ndarray]:
        """For each phase, the windows that it takes from each stream."""
        return [
            cycle.taken(phase.steps * phase.batch) for phase, cycle in zip(self.settings.phases, self._cycles)
        ]

    @cached_property
    def _row_ends(self) -> dict[tuple[int, int], np.ndarray]:
        """For each stream and context of the layout "documents", the running sum of the documents' rows."""
        ends = {}
        for context in {phase.context for phase in self.settings.phases}:
            for number, stream in enumerate(self.streams):
                length_N = np.diff(stream.end_N, prepend=0)
                ends[number, context] = np.cumsum(-(-(length_N - 1) // context))
        return ends

    def _within_cap(self) -> Plan:
        """The plan itself, or one with fewer steps where it may be shortened to keep the repetition cap."""
        cap, phases = self.settings.repetition_cap, self.settings.phases
        most = max(map(self._epochs, range(len(self.streams))))
        longest = max(phase.steps for phase in phases)
        if self.settings.over_cap == "refuse" or cap is None or most <= cap or longest == 1:
            return self
        shorter = [
            dataclasses.replace(phase, steps=max(1, int(phase.steps * cap / most))) for phase in phases
        ]
        return dataclasses.replace(self, settings=_with_phases(self.settings, shorter))._within_cap()

    def _check(self) -> None:
        """Refuse what cannot be trained on, or was not meant."""
        for phase in self.settings.phases:
            chosen = [number for number, stream in enumerate(self.streams) if stream.source in phase.mix]
            tokens = sum(self.streams[number].tokens for number in chosen)
            if self.settings.layout == "windows" and tokens < phase.context + 1:
                raise MintageError(
                    f"plan: the text holds {tokens:,} tokens, less than one window of "
                    f"{phase.context:,} and its last target; give more text, or a shorter context"
                )
            for number in chosen:
                if not self._units(number, phase.context):
                    raise MintageError(
                        f"plan: {self.streams[number].source} holds no text; take it out of the mix"
                    )
        cap = self.settings.repetition_cap
        for number, stream in enumerate(self.streams):
            epochs = self._epochs(number)
            if cap is not None and epochs > cap:
                raise MintageError(
                    f"plan: {stream.source} would be read {epochs:.2f} times, and repetition_cap is {cap:g}; "
                    "lower its weight in the mix, take fewer steps, or raise the cap"
                )


def ledger_root(leaves: Iterable[Leaf]) -> str:
    """The hash of a ledger: SHA-256 over a line for each leaf (doc_id, content_hash, available_at), sorted.

    The time is in UTC with microseconds, `2019-07-31T18:00:00.000000+00:00`, or `unknown`; a space stands
    between the fields and a newline ends each line, so `sha256sum` of such a text file gives the same.
    """
    digest = hashlib.sha256()
    for doc_id, content_hash, available_at in leaves:
        time = available_at.astimezone(UTC).isoformat(timespec="microseconds") if available_at else "unknown"
        digest.update(f"{doc_id} {content_hash} {time}\n".encode())
    return digest.hexdigest()


def _ledger_root(leaves: pa.Table) -> str:
    """`ledger_root` of a table that is sorted, without a Python object for each leaf."""
    digest = hashlib.sha256()
    for batch in leaves.to_batches(max_chunksize=100_000):
        time = pc.fill_null(pc.strftime(batch["available_at"], "%Y-%m-%dT%H:%M:%S+00:00"), "unknown")
        lines = pc.binary_join_element_wise(batch["doc_id"], batch["content_hash"], time, " ")
        lines = pc.binary_join_element_wise(lines, "", "\n")
        digest.update(pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "")[0].as_buffer())
    return digest.hexdigest()


def _mapped(path: Path) -> np.ndarray:
    """An array on disk, mapped and not read."""
    return np.load(path, mmap_mode="r").view(np.ndarray)


def _leaves(table: pa.Table) -> Iterable[Leaf]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns))


def _with_phases(settings: PlanSettings, phases: Iterable[Phase]) -> PlanSettings:
    return dataclasses.replace(settings, phases=tuple(phases))


def _as_of(as_of: datetime | None) -> str:
    return f" as of {as_of.isoformat()}" if as_of else ""


def _kept_record(directory: Path) -> dict[str, Any] | None:
    """What plan.json of a kept plan says, where every file is as it was written."""
    try:
        record: dict[str, Any] = json.loads((directory / KEPT).read_text(encoding="utf-8"))
        expected = record.pop("record_hash")
    except (OSError, ValueError, KeyError):
        return None
    files = content_of(directory)[0]
    del files[KEPT]
    return record if json_sha256(record) == expected and files == record["files"] else None


def _stream(name: str, table: pa.Table, merge: bool) -> Stream:
    shard = table["shard"].to_numpy()
    start = table["start"].to_numpy()
    length = table["length"].to_numpy()
    end = np.cumsum(length)
    if merge:
        touches = (shard[1:] == shard[:-1]) & (start[1:] == start[:-1] + length[:-1])
        first = np.concatenate([[True], ~touches])
        last = np.concatenate([~touches, [True]])
        shard, start, end = shard[first], start[first], end[last]
    return Stream(name, len(table), shard, start, end)


def _refuse_late_tokenizer(shards: Shards, as_of: datetime | None) -> None:
    cutoff = shards.tokenizer_cutoff
    if as_of is not None and (cutoff is None or cutoff > as_of):
        known = f"text up to {cutoff.isoformat()}" if cutoff else "undated text"
        raise MintageError(
            f"{shards.directory}: its tokenizer was trained on {known}, which is not public by "
            f"{as_of.isoformat()}; train it as of the same moment and build the shards again"
        )


def _no_documents(shards: Shards, name: str, split: str, as_of: datetime | None) -> str:
    known = ", ".join(shards.manifest["sources"])
    if name not in shards.manifest["sources"]:
        return f"plan: the mix names {name}, which the shards do not hold; they hold {known}"
    where = f"plan: {name} has no {split} documents{_as_of(as_of)}"
    return f"{where}; take it out of the mix, or choose a later moment"
