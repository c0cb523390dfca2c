"""Time, money and what to mend, against figures worked out by hand."""

from __future__ import annotations

import dataclasses

import pytest

from mintage.errors import MintageError
from mintage.pipeline.checks import check_processes
from mintage.tokens.plan import Phase
from mintage.train import hardware
from mintage.train.estimate import estimate, fullest_phase, muon_flops, needed
from mintage.train.hardware import GIBIBYTE
from mintage.train.mend import changes, mend
from mintage.train.settings import OptimizerSettings, TrainSettings
from tests.model.models import GPT2_124M, LLAMA_7B

TRAIN = TrainSettings(micro_batch=1, compile=True)


def phases(steps: int = 1000, context: int = 1024, batch: int = 512) -> list[Phase]:
    return [Phase(steps, context, batch, {"a": 1})]


def test_published_sizes() -> None:
    assert estimate(LLAMA_7B, TRAIN, phases(), hardware.parse("8xA100-80GB")).parameters == 6_738_415_616
    assert estimate(GPT2_124M, TRAIN, phases(), hardware.parse("A100-80GB")).parameters == 124_439_808


def test_time_energy_and_money_by_hand() -> None:
    machine = hardware.parse("8xA100-80GB")
    training = dataclasses.replace(TRAIN, micro_batch=64)
    found = estimate(LLAMA_7B, training, phases(context=4096), machine, dollars_per_hour=2)
    matrices = 6_738_415_616 - 32_000 * 4096 - 65 * 4096
    flops = 1000 * 512 * 4096 * (6 * matrices + 12 * 32 * 4096 * 4096)
    assert found.flops == pytest.approx(flops)
    assert found.seconds == pytest.approx(flops / (8 * 312e12 * 0.52))
    assert found.tokens_per_second == pytest.approx(1000 * 512 * 4096 / found.seconds)
    hours = found.seconds / 3600
    assert found.rent == pytest.approx(8 * 2 * hours)
    assert found.kilowatt_hours == pytest.approx(8 * 0.4 * hours * 0.85 * 1.25 * 1.2)


def test_another_length_changes_time_and_not_memory() -> None:
    machine = hardware.parse("8xH100")
    training = dataclasses.replace(TRAIN, micro_batch=8)
    planned = estimate(LLAMA_7B, training, phases(), machine)
    longer = estimate(LLAMA_7B, training, phases(), machine, tokens=3 * planned.tokens)
    assert longer.steps == 3 * planned.steps
    assert longer.seconds == pytest.approx(3 * planned.seconds)
    assert longer.needed == planned.needed


def test_answering_with_7b_by_hand() -> None:
    answering = estimate(LLAMA_7B, TRAIN, phases(), hardware.parse("RTX-4090")).inference
    assert answering.weights["bfloat16"] == 2 * 6_738_415_616
    assert answering.cache_per_token == 2 * 32 * 4096 * 2  # keys and values, 32 layers, 2 bytes
    assert answering.cache == 2 * GIBIBYTE
    assert answering.tokens_per_second["bfloat16"] == pytest.approx(1008e9 / (2 * 6_738_415_616 + 2**30))
    small = estimate(LLAMA_7B, TRAIN, phases(), hardware.parse("T4")).inference
    assert small.tokens_per_second["int4"] is not None
    assert small.tokens_per_second["bfloat16"] == pytest.approx(320e9 / (2 * 6_738_415_616 + 2**30))
    large = estimate(LLAMA_7B, TRAIN, phases(), hardware.parse("A100-80GB")).inference
    assert large.sequences == int(0.9 * (80 * GIBIBYTE - 2 * 6_738_415_616) / (2 * GIBIBYTE))
    grouped = dataclasses.replace(LLAMA_7B, num_key_value_heads=8)
    assert estimate(grouped, TRAIN, phases(), hardware.parse("L4")).inference.cache == GIBIBYTE // 2
    tight = hardware.Machine(dataclasses.replace(hardware.parse("T4").device, memory=8 * GIBIBYTE))
    tight_speeds = estimate(LLAMA_7B, TRAIN, phases(), tight).inference
    assert tight_speeds.tokens_per_second["bfloat16"] is None and tight_speeds.sequences == 0
    assert tight_speeds.tokens_per_second["int4"] == pytest.approx(
        320e9 / (4.5 / 8 * 6_738_415_616 + 2**30), rel=1e-6
    )


def test_muons_products_by_hand() -> None:
    config = dataclasses.replace(GPT2_124M, num_hidden_layers=1)
    square, thrice, four = 768**3, 3 * 768**3, 4 * 768**3
    by_hand = sum(5 * (4 * each + 2 * square) for each in (square, thrice, four, four))
    assert muon_flops(config, 5) == by_hand


def test_muons_products_count_in_a_run() -> None:
    machine = hardware.parse("A100-80GB")
    muon = dataclasses.replace(TRAIN, optimizer=OptimizerSettings("muon", muon_iterations=3))
    plain, found = (estimate(GPT2_124M, training, phases(), machine) for training in (TRAIN, muon))
    assert found.flops - plain.flops == pytest.approx(1000 * muon_flops(GPT2_124M, 3))
    assert found.seconds > plain.seconds


def test_blocks_that_are_not_compiled_are_slower_by_what_was_measured() -> None:
    machine, whole = hardware.parse("A100-80GB"), dataclasses.replace(TRAIN, micro_batch=8)
    fast = estimate(LLAMA_7B, whole, phases(), machine)
    slow = estimate(LLAMA_7B, dataclasses.replace(whole, compile=False), phases(), machine)
    assert slow.seconds / fast.seconds == pytest.approx(6667 / 5762, rel=0.01)  # torchtitan, 8B
    assert "without train.compile" in slow.share_source


def test_disk_network_and_host_by_hand() -> None:
    """7B with AdamW: 4 bytes of weights and 8 of moments a parameter in a checkpoint."""
    parameters, tokens = 6_738_415_616, 1000 * 512 * 1024
    training = dataclasses.replace(TRAIN, keep_last=2, keep_every=250, checkpoint_every=100)
    found = estimate(LLAMA_7B, training, phases(), hardware.parse("8xA100-80GB"))
    # Two, one that is being written, and those of steps 250, 500, 750 and 1000.
    assert found.disk["checkpoints (7 of 80.86 GB)"] == 7 * 12 * parameters
    assert found.disk["shards"] == found.network["shards in"] == 2 * tokens
    assert found.network["a checkpoint out"] == 12 * parameters
    assert found.network["the model out"] == 4 * parameters
    wide = dataclasses.replace(LLAMA_7B, vocab_size=128_256)
    assert estimate(wide, training, phases(), hardware.parse("A100")).disk["shards"] == 4 * tokens
    # Each of 8 processes makes the whole model; one alone needs more for the snapshot of a checkpoint.
    model = "the model as it begins, later snapshots for checkpoints"
    assert found.host[model] == 8 * 4 * parameters
    assert estimate(LLAMA_7B, training, phases(), hardware.parse("A100")).host[model] == 12 * parameters


def test_several_devices_hold_their_libraries_twice() -> None:
    """NCCL takes as much of each device again as CUDA does."""
    one, two = hardware.parse("A100-80GB"), hardware.parse("2xA100-80GB")
    held = fullest_phase(GPT2_124M, TRAIN, phases(), one)[1]
    assert needed(held, one) == pytest.approx(1.05 * held.total + 0.6e9)
    assert needed(held, two) == pytest.approx(1.05 * held.total + 1.2e9)


def test_small_steps_wait_for_their_kernels() -> None:
    heads = {"num_attention_heads": 1, "num_key_value_heads": 1}
    tiny = dataclasses.replace(GPT2_124M, vocab_size=64, hidden_size=64, intermediate_size=64, **heads)
    found = estimate(tiny, TrainSettings(), phases(100, 16, 1), hardware.parse("H200"))
    assert found.seconds == pytest.approx(100 * 12 * 1e-3)
    assert found.limit == "kernel starts"
    work = found.flops / found.machine.device.bfloat16 / found.seconds
    assert found.reached == pytest.approx(work) and found.reached < found.share


def test_the_exchange_counts_where_it_is_slower_than_the_work() -> None:
    fast, slow = hardware.parse("8xA100-80GB"), hardware.parse("8xA100-80GB")
    slow = dataclasses.replace(slow, device=dataclasses.replace(slow.device, link=1e9))
    few = phases(10, 1024, 8)
    training = dataclasses.replace(TRAIN, micro_batch=8)
    quick = estimate(LLAMA_7B, training, few, fast)
    waiting = estimate(LLAMA_7B, training, few, slow)
    assert waiting.communication == pytest.approx(1)
    assert waiting.seconds == pytest.approx(10 * 3 * 4 * 6_738_415_616 * 7 / 8 / 1e9)
    assert quick.seconds < waiting.seconds
    assert (quick.limit, waiting.limit) == ("computing", "exchange")
    assert quick.reached == pytest.approx(quick.share)
    assert waiting.reached == pytest.approx(quick.share * quick.seconds / waiting.seconds)
    longer = estimate(LLAMA_7B, training, few, slow, tokens=1e9)
    assert (longer.limit, longer.reached) == (waiting.limit, pytest.approx(waiting.reached))


def test_the_limit_is_that_of_most_of_the_time() -> None:
    """Of two phases, a short one of long steps and one of many steps that wait for their kernels."""
    machine = hardware.parse("H200")
    few, many = phases(1, 1024, 512), phases(10_000, 16, 1)
    assert estimate(GPT2_124M, TrainSettings(), few + many, machine).limit == "kernel starts"
    assert estimate(GPT2_124M, TrainSettings(), few + phases(1, 16, 1), machine).limit == "computing"


def test_machines_exchange_whole_matrices_for_muon_over_their_network() -> None:
    """Weights twice and gradients once, a 16th of each there already; momentum to one process and back; 50
    GB/s between machines, however fast the link is within one."""
    muon = TrainSettings(OptimizerSettings("muon"), micro_batch=16, compile=True)
    found = estimate(LLAMA_7B, muon, phases(10, 1024, 16), hardware.parse("16xA100-80GB"))
    assert found.communication == pytest.approx(1)
    moved = 4 * 6_738_415_616 * 15 / 16 * (3 + 2 / 16)
    assert found.seconds == pytest.approx(10 * moved / 50e9)


def test_what_does_not_fit_is_mended_by_the_first_change_that_does() -> None:
    machine = hardware.parse("RTX-4090")
    training = TrainSettings(micro_batch=64)
    said = mend(GPT2_124M, training, phases(), machine)
    assert said.startswith("does not fit in 24.0 GiB: needs ")
    size = int(said.split("micro_batch ")[1].split(":")[0])

    def fits(micro_batch: int) -> bool:
        changed = dataclasses.replace(training, micro_batch=micro_batch)
        return (
            needed(fullest_phase(GPT2_124M, changed, phases(), machine)[1], machine) <= machine.device.memory
        )

    assert fits(size) and not fits(2 * size)
    assert not mend(GPT2_124M, dataclasses.replace(training, micro_batch=size), phases(), machine)


def test_a_model_too_large_for_one_card_takes_more_of_them() -> None:
    training = dataclasses.replace(TRAIN, activation_checkpointing=True)
    billion = dataclasses.replace(LLAMA_7B, hidden_size=2048, num_attention_heads=16, num_key_value_heads=16)
    said = mend(billion, training, phases(), hardware.parse("RTX-4090"))
    assert "with 4xRTX-4090 and micro_batch 4: " in said
    assert not mend(LLAMA_7B, TRAIN, phases(context=4096), hardware.parse("8xA100-80GB"))


def test_nothing_to_mend_where_no_change_fits() -> None:
    machine = hardware.Machine(dataclasses.replace(hardware.parse("T4").device, memory=GIBIBYTE))
    said = mend(LLAMA_7B, TrainSettings(), phases(batch=4), machine)
    least = min(
        needed(fullest_phase(LLAMA_7B, each.settings, each.phases, each.machine)[1], each.machine)
        for each in changes(LLAMA_7B, TrainSettings(), phases(batch=4), machine)
    )
    assert f"no setting makes it fit (the least is {least / GIBIBYTE:.1f} GiB)" in said


@pytest.mark.parametrize("gpus", ["L4", "2xL4", "6xL4", "8xL4"])
@pytest.mark.parametrize("micro_batch", [None, 1, 24])
@pytest.mark.parametrize("batch", [24, 192])
def test_what_is_advised_can_be_run(gpus: str, micro_batch: int | None, batch: int) -> None:
    """The processes of a run want equal shares of every batch and micro-batch, and say so if not."""
    few, machine = phases(batch=batch), hardware.parse(gpus)
    training = TrainSettings(micro_batch=micro_batch)
    found = list(changes(GPT2_124M, training, few, machine))
    for change in found:
        assert change.words and "adamw" not in change.words
        check_processes(change.settings, tuple(change.phases), change.machine.count)
        assert f"micro_batch {change.settings.micro_batch}" in change.words or (
            change.settings.micro_batch in (micro_batch, batch)
        )
        assert ("activation_checkpointing" in change.words) is change.settings.activation_checkpointing
    counts = {change.machine.count for change in found}
    assert counts == {n for n in (machine.count * 2**k for k in range(9)) if batch % n == 0 and n <= 64}
    for count in counts:  # the least that it can do, on each
        on_it = [change.settings for change in found if change.machine.count == count]
        assert any(s.micro_batch == count and s.activation_checkpointing for s in on_it)
    assert [phase.context for phase in found[-1].phases] == [512]


def test_a_machine_without_a_card_is_not_told_to_take_several() -> None:
    device = dataclasses.replace(hardware.parse("L4").device, cores=4)
    found = changes(GPT2_124M, TrainSettings(), phases(batch=8), hardware.Machine(device))
    assert {change.machine.count for change in found} == {1}


def test_muon_may_give_way_to_adamw() -> None:
    muon = TrainSettings(optimizer=OptimizerSettings("muon"), activation_checkpointing=True)
    words = [change.words for change in changes(GPT2_124M, muon, phases(batch=4), hardware.parse("L4"))]
    assert words[:2] == ["micro_batch 2", "micro_batch 1"]
    assert words[2] == "micro_batch 1, activation_checkpointing and optimizer.name adamw"


def test_computing_activations_twice_is_the_first_advice_where_it_costs_less_than_small_steps() -> None:
    """At 64 tokens a sequence a GPU waits for kernels, however few tokens there are; on long sequences small
    micro-batches cost nothing."""
    machine = hardware.parse("RTX-4090")
    training = TrainSettings(micro_batch=64)
    short, long = (
        [change.words for change in changes(GPT2_124M, training, phases(context=context), machine)]
        for context in (16, 1024)
    )
    assert short[0] == "activation_checkpointing"
    assert long[:2] == ["micro_batch 32", "micro_batch 16"] and "activation_checkpointing" in long


def test_what_is_computed_twice_takes_a_third_more_time_and_less_memory() -> None:
    machine = hardware.parse("A100-80GB")
    once = estimate(LLAMA_7B, dataclasses.replace(TRAIN, micro_batch=8), phases(context=4096), machine)
    training = dataclasses.replace(TRAIN, micro_batch=8, activation_checkpointing=True)
    twice = estimate(LLAMA_7B, training, phases(context=4096), machine)
    head = 1000 * 512 * 4096 * 6 * 32_000 * 4096
    assert twice.flops - head == pytest.approx(4 / 3 * (once.flops - head))
    assert twice.seconds == pytest.approx(once.seconds * twice.flops / once.flops)
    assert once.footprint.activations > 8 * twice.footprint.activations


def test_float8_counts_on_cards_that_have_it_and_is_refused_on_others() -> None:
    narrow = dataclasses.replace(TRAIN, float8=True)
    hopper = hardware.parse("H100")
    plain = estimate(LLAMA_7B, TRAIN, phases(), hopper)
    assert 1.2 < plain.seconds / estimate(LLAMA_7B, narrow, phases(), hopper).seconds < 1.28
    assert (
        estimate(GPT2_124M, narrow, phases(), hopper).seconds
        == estimate(GPT2_124M, TRAIN, phases(), hopper).seconds
    )
    with pytest.raises(MintageError, match="A100-80GB does not multiply float8"):
        estimate(LLAMA_7B, narrow, phases(), hardware.parse("A100"))


@pytest.mark.parametrize(
    ("text", "name", "count"),
    [
        ("8xA100-80GB", "A100-80GB", 8),
        ("rtx 4090", "RTX-4090", 1),
        ("2 x NVIDIA H100 80GB HBM3", "H100-SXM", 2),
        ("NVIDIA A100-SXM4-40GB", "A100-40GB", 1),
        ("NVIDIA H100 PCIe", "H100-PCIe", 1),
        ("NVIDIA GeForce RTX 3090", "RTX-3090", 1),
        ("Tesla T4", "T4", 1),
        ("NVIDIA L40S", "L40S", 1),
        ("H200", "H200", 1),
        ("NVIDIA RTX 6000 Ada Generation", "RTX-6000-Ada", 1),
        ("NVIDIA GH200 480GB", "GH200", 1),
    ],
)
def test_devices_are_found_by_the_names_that_people_and_torch_give(text: str, name: str, count: int) -> None:
    machine = hardware.parse(text)
    assert (machine.device.name, machine.count) == (name, count)


@pytest.mark.parametrize(
    ("text", "mend"), [("8xA100-90GB", "A100-80GB"), ("0xL4", "at least one"), ("x", "known")]
)
def test_unknown_devices_are_refused(text: str, mend: str) -> None:
    with pytest.raises(MintageError, match=mend):
        hardware.parse(text)
