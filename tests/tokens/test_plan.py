"""The plan's promises, each against a count made the slow way."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mintage.corpus.document import Document, chat_text
from mintage.errors import MintageError
from mintage.tokens import shards as shards_module
from mintage.tokens.loader import Batch, Loader, documents
from mintage.tokens.mix import Cycle, weights
from mintage.tokens.permutation import permute
from mintage.tokens.plan import Phase, Plan, PlanSettings, ledger_root
from mintage.tokens.tokenizer import PAD_ID
from tests.tokens.small_corpus import CHARACTERS, build, characters, day, distinct_texts, document

QUICK = settings(max_examples=15)
keys = st.integers(0, 2**64 - 1)


def plan_settings(
    steps: int, context: int, batch: int, mix: dict[str, float] | None = None, **more
) -> PlanSettings:
    return PlanSettings(phases=(Phase(steps, context, batch, mix or {"a": 1.0}),), **more)


def all_train(folder: Path, lengths: list[int], source: str = "a") -> list[Document]:
    """Documents of distinct characters that all fall into the training split."""
    made = []
    for number, text in enumerate(distinct_texts(lengths)):
        attempt = 0
        while True:
            candidate = document(f"{source}{number}", text + "z" * attempt, number, source)
            if shards_module.split_of(candidate.content_hash, "text") == "train":
                break
            attempt += 1
        made.append(candidate)
    return made


def targets_of(batch: Batch) -> list[int]:
    return batch.targets_BT[batch.mask_BT].tolist()


# The permutation


@given(size=st.integers(1, 3000), key=keys)
@settings(max_examples=80)
def test_permutation_is_one_to_one(size: int, key: int) -> None:
    image = permute(np.arange(size), size, np.full(size, key, np.uint64))
    assert sorted(image.tolist()) == list(range(size))


@given(size=st.integers(1, 2**40), key=keys, data=st.data())
@settings(max_examples=50)
def test_permutation_of_one_index_needs_no_others(size: int, key: int, data: st.DataObject) -> None:
    index = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=5))
    together = permute(np.array(index), size, np.full(len(index), key, np.uint64))
    alone = [int(permute(np.array([each]), size, np.array([key], np.uint64))[0]) for each in index]
    assert together.tolist() == alone
    assert all(0 <= each < size for each in alone)
    assert len(set(alone)) == len(set(index))


def test_permutations_spread_every_index_evenly() -> None:
    size, trials = 50, 20_000
    key = np.random.default_rng(0).integers(0, 2**64, trials, dtype=np.uint64)
    for index in (0, 1, 49):
        counts = np.bincount(permute(np.full(trials, index), size, key), minlength=size)
        chi_squared = float(((counts - trials / size) ** 2 / (trials / size)).sum())
        assert chi_squared < 100  # 49 degrees of freedom: mean 49, one in 100,000 above 100
    pairs = permute(np.tile([3, 4], trials), size, np.repeat(key, 2)).reshape(-1, 2)
    neighbours = np.mean(np.abs(pairs[:, 0] - pairs[:, 1]) == 1)
    assert abs(neighbours - 2 / size) < 0.006


# The mix

mixes = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.001, 1000), min_size=1)


@given(mix=mixes)
@settings(max_examples=40)
def test_every_prefix_holds_each_source_within_one_of_its_share(mix: dict[str, float]) -> None:
    parts = weights(mix)
    assert sum(parts.values()) == 1000 and min(parts.values()) >= 1
    cycle = Cycle.make(list(parts.values()))
    slots = np.arange(2500)
    stream, nth = cycle.find(slots)
    taken_TS = np.cumsum(np.eye(len(parts), dtype=int)[stream], axis=0)
    assert np.array_equal(nth, taken_TS[slots, stream] - 1)
    share_S = np.array(list(parts.values())) / 1000
    assert np.abs(taken_TS - share_S * (slots[:, None] + 1)).max() < 1
    assert cycle.taken(2500).tolist() == taken_TS[-1].tolist()


def test_weights_are_rounded_to_the_nearest_thousandth() -> None:
    assert weights({"a": 1, "b": 2}) == {"a": 333, "b": 667}
    assert weights({"a": 0.6, "b": 0.15, "c": 0.25}) == {"a": 600, "b": 150, "c": 250}
    assert weights({"a": 1e6, "b": 1}) == {"a": 999, "b": 1}


# Batches


@given(
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    context=st.integers(1, 40),
    batch=st.integers(1, 5),
    layout=st.sampled_from(["windows", "documents"]),
    shard_tokens=st.sampled_from([30, 1 << 27]),
)
@example(lengths=[8, 16, 8, 24, 0], context=8, batch=2, layout="documents", shard_tokens=30)
@example(lengths=[23], context=8, batch=1, layout="windows", shard_tokens=30)
@QUICK
def test_each_pass_uses_every_token_exactly_once_as_a_target(
    lengths, context, batch, layout, shard_tokens
) -> None:
    """In windows, all but the stream's first; in rows of documents, all but each document's first. And the
    token before a target in its row is the token before it in the text."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards_module, "SHARD_TOKENS", shard_tokens)
        originals = all_train(Path(name), lengths)
        directory = build(Path(name), originals[::-1])
        tokenizer = characters()
        whole = {each.text for each in originals}  # empty texts are duplicates of one another
        ordered = [
            each for each in originals if each.text or each is next(e for e in originals if not e.text)
        ]
        encoded = [[*tokenizer.encode(each.text), tokenizer.end_of_text_id] for each in ordered]
        assert len(whole) == len(ordered)
        if layout == "windows":
            stream = [token for ids in encoded for token in ids]
            expected = list(itertools.pairwise(stream))
            units = -(-len(expected) // context)
            if len(stream) < context + 1:
                return
        else:
            expected = [pair for ids in encoded for pair in itertools.pairwise(ids)]
            units = sum(-(-(len(ids) - 1) // context) for ids in encoded)
            if not expected:
                return
        passes = 2
        steps = -(-units * passes // batch)
        plan = Plan.build(directory, plan_settings(steps, context, batch, layout=layout, seed=3), day(1000))
        loader = Loader(directory, plan)
        taken: list[Counter] = [Counter(), Counter()]
        row = 0
        for step in range(steps):
            got = loader.batch(step)
            assert got.inputs_BT.shape == got.targets_BT.shape == got.mask_BT.shape
            for inputs, targets, mask in zip(got.inputs_BT, got.targets_BT, got.mask_BT):
                assert mask[0] and mask[: mask.sum()].all() and (targets[~mask] == PAD_ID).all()
                if row < units * passes:
                    taken[row // units].update(zip(inputs[mask].tolist(), targets[mask].tolist()))
                row += 1
        assert taken[0] == taken[1] == Counter(expected)
        assert plan.describe()[0]["epochs"] == pytest.approx(steps * batch / units, abs=1e-4)


@given(lengths=st.lists(st.integers(1, 80), min_size=3, max_size=20), context=st.integers(1, 50))
@QUICK
def test_rows_of_documents_hold_one_document_each(lengths: list[int], context: int) -> None:
    with TemporaryDirectory() as name:
        originals = all_train(Path(name), lengths)
        directory = build(Path(name), originals)
        owner = {
            character: number
            for number, each in enumerate(originals)
            for character in each.text
            if character != "z"
        }
        plan = Plan.build(directory, plan_settings(20, context, 4, layout="documents"), None)
        loader = Loader(directory, plan)
        for step in range(20):
            got = loader.batch(step)
            width = got.inputs_BT.shape[1]
            longest = int(got.mask_BT.sum(1).max())
            assert width == min(context, -(-longest // 16) * 16)
            for inputs, targets, mask in zip(got.inputs_BT, got.targets_BT, got.mask_BT):
                text = characters().decode([*inputs[mask], *targets[mask]])
                assert len({owner[character] for character in text if character in owner}) <= 1


def test_loss_in_rows_of_chats_counts_the_answer_and_its_end(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "What was it?"}, {"role": "assistant", "content": "1,234."}]
    chats = [
        document(str(number), chat_text([*turns, {"role": "user", "content": str(number)}]), kind="chat")
        for number in range(20)
    ]
    directory = build(tmp_path, [document("t", "plain text", source="b"), *chats])
    plan = Plan.build(directory, plan_settings(2, 64, 4, layout="documents"), None)
    end = characters().end_of_turn_id
    for step in range(2):
        got = Loader(directory, plan).batch(step)
        for targets, mask in zip(got.targets_BT, got.mask_BT):
            assert targets[mask].tolist() == [*characters().encode("1,234."), end]
    windows = Loader(directory, Plan.build(directory, plan_settings(1, 64, 4), None)).batch(0)
    assert np.array_equal(windows.mask_BT, windows.targets_BT != PAD_ID)


def mixed_sources(folder: Path) -> Path:
    texts = distinct_texts([17, 40, 9, 33, 60, 12, 25, 41, 38])
    some = [document(str(n), text, n, "abc"[n % 3]) for n, text in enumerate(texts)]
    return build(
        folder,
        [*some, *(document(f"{n}", CHARACTERS[2000 + 20 * n :][:20], n, "abc"[n % 3]) for n in range(40))],
    )


TWO_PHASES = PlanSettings(
    phases=(
        Phase(30, 8, 4, {"a": 0.7, "b": 0.3}),
        Phase(25, 16, 2, {"b": 0.2, "c": 0.5, "a": 0.3}),
        Phase(10, 8, 3, {"a": 1.0}),
    )
)


def test_batches_are_the_same_in_any_order_and_after_reopening(tmp_path: Path) -> None:
    directory = mixed_sources(tmp_path)
    plan = Plan.build(directory, TWO_PHASES, day(500))
    assert plan.steps == 65
    loader = Loader(directory, plan)
    forward = [loader.batch(step) for step in range(plan.steps)]
    again = Loader(directory, Plan.build(directory, TWO_PHASES, day(500)))
    assert again.plan.hash == plan.hash
    for step in np.random.default_rng(0).permutation(plan.steps).tolist():
        for name in ("inputs_BT", "targets_BT", "mask_BT"):
            assert np.array_equal(getattr(again.batch(step), name), getattr(forward[step], name))
    assert forward[0].inputs_BT.shape == (4, 8) and forward[30].inputs_BT.shape == (2, 16)
    other = Plan.build(directory, PlanSettings(phases=TWO_PHASES.phases, seed=1), day(500))
    assert other.hash != plan.hash
    assert any(
        not np.array_equal(Loader(directory, other).batch(s).inputs_BT, forward[s].inputs_BT)
        for s in range(5)
    )


def test_batches_hold_the_mix_in_every_prefix(tmp_path: Path) -> None:
    directory = mixed_sources(tmp_path)
    plan = Plan.build(directory, TWO_PHASES, None)
    first = 0
    for phase in TWO_PHASES.phases:
        counts: Counter[str] = Counter()
        for step in range(first, first + phase.steps):
            for stream in plan.rows(step).stream_B.tolist():
                counts[plan.streams[stream].source] += 1
                total = sum(counts.values())
                for source, part in weights(phase.mix).items():
                    assert abs(counts[source] - total * part / 1000) < 1
        first += phase.steps


def test_a_later_phase_of_the_same_context_goes_on_with_the_pass(tmp_path: Path) -> None:
    directory = mixed_sources(tmp_path)
    one = Plan.build(directory, plan_settings(12, 8, 4), None)
    halves = PlanSettings(phases=(Phase(5, 8, 4, {"a": 1.0}), Phase(7, 8, 4, {"a": 2.0})))
    two = Plan.build(directory, halves, None)
    for step in range(12):
        assert np.array_equal(
            Loader(directory, one).batch(step).inputs_BT, Loader(directory, two).batch(step).inputs_BT
        )


@given(total=st.integers(1, 20), world=st.integers(1, 8))
def test_any_number_of_processes_sees_the_same_batch(total: int, world: int) -> None:
    rng = np.random.default_rng(total)
    batch = Batch(
        rng.integers(0, 9, (total, 3)), rng.integers(0, 9, (total, 3)), rng.random((total, 3)) < 0.5
    )
    parts = [batch.rows(rank, world) for rank in range(world)]
    for name in ("inputs_BT", "targets_BT", "mask_BT"):
        assert np.array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(batch, name))
    sizes = [len(part.inputs_BT) for part in parts]
    assert max(sizes) - min(sizes) <= 1


# As of


@st.composite
def stores(draw: st.DrawFn) -> list[Document]:
    """Documents of marked characters: other vintages, copies, undated ones, chats, of three sources."""
    made: list[Document] = []
    for number in range(draw(st.integers(4, 14))):
        text = CHARACTERS[60 * number :][: draw(st.integers(2, 60))]
        available = draw(st.one_of(st.none(), st.integers(0, 9)))
        source = draw(st.sampled_from("abc"))
        dated = [each for each in made if each.available_at is not None]
        kind = draw(st.sampled_from(["new", "new", "copy", "vintage", "chat"]))
        if kind == "copy" and made:
            text = draw(st.sampled_from(made)).text
        if kind == "chat":
            turns = [{"role": "user", "content": text}, {"role": "assistant", "content": text[:5]}]
            made.append(document(str(number), chat_text(turns), available, source, kind="chat"))
        elif kind == "vintage" and dated and available is not None:
            old = draw(st.sampled_from(dated))
            made.append(
                document(old.native_id, text, available, old.source, vintage=number, supersedes=old.doc_id)
            )
        else:
            made.append(document(str(number), text, available, source))
    return draw(st.permutations(made))


@given(
    store=stores(),
    moment=st.integers(0, 9),
    layout=st.sampled_from(["windows", "documents"]),
    shard_tokens=st.sampled_from([50, 1 << 27]),
)
@settings(max_examples=25)
def test_plan_as_of_a_day_is_the_plan_of_the_store_cut_at_that_day(
    store, moment, layout, shard_tokens
) -> None:
    """The same hash, ledger and batches; and no character of a later or replaced document in any of them."""
    public = [each for each in store if each.available_at is not None and each.available_at <= day(moment)]
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        full = build(Path(name) / "full", store)
        patch.setattr(shards_module, "SHARD_TOKENS", shard_tokens)
        if not public:
            return
        cut = build(Path(name) / "cut", public[::-1])
        alive = sorted({each.source for each in documents(full, "train", day(moment))})
        for source in alive or ["a"]:
            options = plan_settings(6, 5, 2, {source: 1.0}, layout=layout)
            try:
                plan = Plan.build(full, options, day(moment))
            except MintageError as error:
                with pytest.raises(MintageError, match="plan: ") as same:
                    Plan.build(cut, options, day(moment))
                assert not alive or str(same.value) == str(error)
                continue
            other = Plan.build(cut, options, day(moment))
            assert (plan.hash, plan.ledger, plan.ledger_root) == (other.hash, other.ledger, other.ledger_root)
            assert plan.knowledge_cutoff == day(moment)
            assert plan.describe() == other.describe()
            assert {leaf[0] for leaf in plan.ledger} <= {each.doc_id for each in public}
            known = set("".join(each.text for each in public))
            loaders = Loader(full, plan), Loader(cut, other)
            for step in range(6):
                one, two = (loader.batch(step) for loader in loaders)
                assert np.array_equal(one.inputs_BT, two.inputs_BT)
                assert np.array_equal(one.targets_BT, two.targets_BT)
                assert np.array_equal(one.mask_BT, two.mask_BT)
                assert set(characters().decode([*one.inputs_BT.flat, *one.targets_BT.flat])) <= known


def test_a_replaced_document_is_read_until_the_day_of_its_successor(tmp_path: Path) -> None:
    old, new = distinct_texts([50, 50])
    first = document("1", old, 1)
    second = document("1", new, 5, vintage=1, supersedes=first.doc_id)
    directory = build(tmp_path, [second, first])
    for moment, expected in ((1, old), (4, old), (5, new), (9, new)):
        plan = Plan.build(directory, plan_settings(10, 8, 2), day(moment))
        loader = Loader(directory, plan)
        assert [leaf[0] for leaf in plan.ledger] == [(first if expected == old else second).doc_id]
        seen = {token for step in range(10) for token in loader.batch(step).inputs_BT.flat}
        assert seen <= {*characters().encode(expected), 0, PAD_ID}


def test_a_copy_is_left_out(tmp_path: Path) -> None:
    text, other = distinct_texts([50, 30])
    first, copy, third = document("1", text, 1), document("2", text + " ", 2), document("3", other, 3)
    directory = build(tmp_path, [copy, third, first])
    for moment in (day(9), None):
        plan = Plan.build(directory, plan_settings(1, 8, 2), moment)
        assert {leaf[0] for leaf in plan.ledger} == {first.doc_id, third.doc_id}


def test_ledger_root_is_the_sha256_of_its_lines(tmp_path: Path) -> None:
    directory = build(tmp_path, [document("1", CHARACTERS[:30], 3), document("2", CHARACTERS[30:70], None)])
    plan = Plan.build(directory, plan_settings(1, 8, 1), None)
    lines = ""
    for doc_id, content_hash, available_at in sorted(plan.ledger, key=lambda leaf: leaf[0]):
        time = "unknown" if available_at is None else f"{available_at:%Y-%m-%dT%H:%M:%S}.000000+00:00"
        lines += f"{doc_id} {content_hash} {time}\n"
    assert len(plan.ledger) == 2 and "2020-01-04T00:00:00.000000+00:00" in lines
    assert plan.ledger_root == hashlib.sha256(lines.encode()).hexdigest()
    assert plan.knowledge_cutoff is None
    dated = Plan.build(directory, plan_settings(1, 8, 1), day(700))
    assert len(dated.ledger) == 1 and dated.knowledge_cutoff == day(700)


# Refusals


def test_each_bad_plan_is_one_clear_error(tmp_path: Path) -> None:
    texts = distinct_texts([40, 50])
    directory = build(
        tmp_path, [document("1", texts[0], 3), document("2", texts[1], 9, "b")], tokenizer_cutoff=day(2)
    )
    cases = [
        (plan_settings(1, 8, 1, {"c": 1}), day(9), "c, which the shards do not hold; they hold a, b"),
        (plan_settings(1, 8, 1, {"b": 1}), day(5), "b has no train documents as of 2020-01-06"),
        (plan_settings(1, 41, 1), day(9), "41 tokens, less than one window of 41"),
        (
            plan_settings(8, 8, 2, repetition_cap=3.0),
            day(9),
            "a would be read 3.20 times, and repetition_cap is 3",
        ),
        (plan_settings(1, 8, 1), day(1), "its tokenizer was trained on text up to 2020-01-03"),
    ]
    for options, moment, message in cases:
        with pytest.raises(MintageError, match=message.replace("(", r"\(")):
            Plan.build(directory, options, moment)
    assert Plan.build(directory, plan_settings(7, 8, 2, repetition_cap=3.0), day(9)).steps == 7
    undated = build(tmp_path / "undated", [document("1", texts[0], 3)], tokenizer_cutoff=None)
    with pytest.raises(MintageError, match="undated text"):
        Plan.build(undated, plan_settings(1, 8, 1), day(9))
    plan = Plan.build(undated, plan_settings(1, 8, 1), None)
    assert plan.knowledge_cutoff == day(3)
    with pytest.raises(MintageError, match="other shards"):
        Loader(directory, plan)


def test_settings_that_mean_nothing_are_refused() -> None:
    for bad in ({"steps": 0}, {"context": 0}, {"batch": 0}, {"mix": {"a": 0.0}}):
        with pytest.raises(ValueError):
            Phase(**{"steps": 1, "context": 1, "batch": 1, "mix": {"a": 1.0}, **bad})
    with pytest.raises(ValueError):
        PlanSettings(phases=())


def test_without_a_mix_every_source_is_read_in_proportion_to_its_tokens(tmp_path: Path) -> None:
    directory = build(tmp_path, all_train(tmp_path, [300, 200], "a") + all_train(tmp_path, [1000], "b"))
    plan = Plan.build(directory, PlanSettings(phases=(Phase(100, 10, 10),)), None)
    tokens = {stream.source: stream.tokens for stream in plan.streams}
    for row in plan.describe():
        assert row["share"] == pytest.approx(tokens[row["source"]] / sum(tokens.values()), abs=0.002)
        assert row["epochs"] == pytest.approx(100 * 100 / sum(tokens.values()), rel=0.02)


@pytest.mark.parametrize("layout", ["windows", "documents"])
def test_a_plan_may_be_shortened_to_its_repetition_cap(tmp_path: Path, layout: str) -> None:
    directory = build(
        tmp_path / "shards", all_train(tmp_path, [400, 150], "a") + all_train(tmp_path, [90], "b")
    )
    phases = (Phase(300, 8, 4, {"a": 1.0, "b": 1.0}), Phase(100, 16, 2, {"a": 1.0}))
    settings = PlanSettings(phases, layout, seed=3, repetition_cap=2.5, over_cap="shorten")
    plan = Plan.build(directory, settings, None)
    most = max(row["epochs"] for row in plan.describe())
    assert 2.4 < most <= 2.5
    first, second = (phase.steps for phase in plan.settings.phases)
    assert first / second == pytest.approx(3, rel=0.2)
    for _ in range(2):  # built, then opened
        kept = Plan.kept(tmp_path / "kept", directory, settings, None)
        assert (kept.hash, kept.settings, kept.steps) == (plan.hash, plan.settings, first + second)
    enough = dataclasses.replace(settings, repetition_cap=1000.0)
    assert Plan.build(directory, enough, None).steps == 400


@pytest.mark.parametrize("layout", ["windows", "documents"])
def test_a_kept_plan_gives_every_batch_of_the_built_one(
    tmp_path: Path, layout: Literal["windows", "documents"]
) -> None:
    some = [
        document(str(number), text, number % 9 if number % 5 else None, "ab"[number % 2])
        for number, text in enumerate(distinct_texts([7, 90, 33, 120, 41, 66, 18, 77] * 6))
    ]
    directory = build(tmp_path, some)
    settings = PlanSettings((Phase(9, 16, 3, {"a": 2.0, "b": 1.0}),), layout=layout)
    built = Plan.build(directory, settings, None)
    for _ in range(2):  # the first call builds and keeps, the second opens
        kept = Plan.kept(tmp_path / "kept", directory, settings, None)
        for name in ("hash", "ledger_root", "shards_hash", "knowledge_cutoff", "ledger"):
            assert getattr(kept, name) == getattr(built, name)
        assert kept.describe() == built.describe()
        batches = Loader(directory, kept), Loader(directory, built)
        for step in reversed(range(built.steps)):
            assert (batches[0].batch(step).inputs_BT == batches[1].batch(step).inputs_BT).all()
    assert built.ledger_root == ledger_root(built.ledger)
    assert len(list((tmp_path / "kept").iterdir())) == 1
    other = Plan.kept(tmp_path / "kept", directory, PlanSettings(settings.phases, layout, seed=1), None)
    assert other.hash != built.hash and len(list((tmp_path / "kept").iterdir())) == 2
