"""A batch that threads share makes the step of the whole batch, and the same bits every time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy

from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.train.objectives.next_token import objective
from mintage.train.optimizers import build_optimizers
from mintage.train.settings import OptimizerSettings, TrainSettings
from mintage.train.step import WINDOW, take_step
from mintage.train.team import Team, cut, gathers_rows

from .tiny import CONFIG, Batch, Plan, TinyLoader, tiny_model


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def train(
    threads: int, steps: int = 6, dtype: torch.dtype = torch.float64, config: ModelConfig = CONFIG
) -> torch.Tensor:
    model = Transformer(config).to(dtype)
    initialize(model, 0)
    model.train()
    settings = TrainSettings(OptimizerSettings("muon"), gradient_clip=0.3)
    optimizers = build_optimizers(model, settings.optimizer)
    team, loader, window = Team(model, threads), TinyLoader(Plan(steps)), torch.zeros(WINDOW, dtype=dtype)
    for step in range(steps):
        take_step(team, optimizers, loader.batch(step), settings, step, 1.0, window)
    weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    return torch.cat([weights, window.to(dtype)])


@pytest.mark.parametrize("threads", [2, 3, 11])  # 11: more than rows
def test_threads_make_the_step_of_the_whole_batch(threads: int) -> None:
    torch.testing.assert_close(train(threads), train(1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("rows", [slice(0, 4), slice(4, 8)], ids=["first", "second"])
def test_a_thread_without_a_target_loses_nothing_of_the_others(rows: slice) -> None:
    batch = TinyLoader(Plan(9)).batch(0)
    batch.mask_BT[rows] = False
    results = []
    for threads in (1, 2):
        model = Transformer(CONFIG).double()
        initialize(model, 0)
        settings, window = TrainSettings(), torch.zeros(WINDOW, dtype=torch.float64)
        take_step(
            Team(model, threads),
            build_optimizers(model, OptimizerSettings()),
            batch,
            settings,
            0,
            1.0,
            window,
        )
        results.append(
            torch.cat([window, *(parameter.detach().flatten() for parameter in model.parameters())])
        )
    torch.testing.assert_close(results[1], results[0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("threads", [2, 4])
def test_the_same_threads_give_the_same_bits(threads: int) -> None:
    first = train(threads, dtype=torch.float32)
    assert all(torch.equal(first, train(threads, dtype=torch.float32)) for _ in range(5))


@pytest.mark.parametrize("layout", ["gpt2", "arcee"])
def test_dropout_gives_the_same_bits_with_threads(layout: str) -> None:
    dropping = dataclasses.replace(
        CONFIG, layout=layout, hidden_act="relu", num_key_value_heads=2, dropout=0.2
    )
    first = train(2, dtype=torch.float32, config=dropping)
    assert all(torch.equal(first, train(2, dtype=torch.float32, config=dropping)) for _ in range(5))
    torch.testing.assert_close(first, train(1, dtype=torch.float32, config=dropping), rtol=1e-3, atol=1e-4)
    whole = train(2, dtype=torch.float32, config=dataclasses.replace(dropping, dropout=0.0))
    assert (first - whole).abs().max() > 1e-2  # it does drop


@pytest.mark.parametrize("tied", [True, False])
def test_a_table_that_is_the_head_too_gets_the_gradient_of_both(tied: bool) -> None:
    model = Transformer(dataclasses.replace(CONFIG, tie_word_embeddings=tied)).double()
    initialize(model, 0)
    batch, settings = TinyLoader(Plan(1)).batch(0), TrainSettings()
    logits_BTV = model.logits(model(torch.from_numpy(batch.inputs_BT)))
    targets_BT = torch.from_numpy(batch.targets_BT).masked_fill(~torch.from_numpy(batch.mask_BT), -100)
    cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten(), reduction="sum").backward()
    expected = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad()

    def both_ways(replica: Transformer, piece: Batch) -> tuple[torch.Tensor, int]:
        loss, count = objective(replica, piece, settings)
        loss.backward()
        return loss.detach(), count

    Team(model, 2).learn(both_ways, batch)
    for name, parameter in model.named_parameters():
        assert not parameter.grad.is_sparse
        torch.testing.assert_close(parameter.grad, expected[name])


def test_only_a_tied_table_on_a_processor_of_one_process_takes_the_rows_of_the_tokens_that_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tied = dataclasses.replace(CONFIG, tie_word_embeddings=True)
    assert all(replica.embedding.sparse for replica in Team(Transformer(tied), 2).replicas)
    untied = dataclasses.replace(CONFIG, tie_word_embeddings=False)  # its optimizer takes no rows
    assert not any(replica.embedding.sparse for replica in Team(Transformer(untied), 2).replicas)
    with monkeypatch.context() as with_gpu:
        with_gpu.setattr(torch.cuda, "is_available", lambda: True)
        assert not gathers_rows(Transformer(tied))  # the model is still on the CPU when this is asked
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        assert not gathers_rows(Transformer(tied))
    finally:
        dist.destroy_process_group()
    assert gathers_rows(Transformer(tied))


def test_an_error_in_a_thread_is_raised_and_the_number_of_threads_stays() -> None:
    def fails(model: object, piece: Batch) -> tuple[torch.Tensor, int]:
        raise ArithmeticError

    torch.set_num_threads(2)
    with pytest.raises(ArithmeticError):
        Team(tiny_model(), 2).learn(fails, TinyLoader(Plan(9)).batch(0))
    assert torch.get_num_threads() == 2


def test_a_batch_is_cut_into_rows_that_make_it_whole() -> None:
    batch = TinyLoader(Plan(9)).batch(0)
    batch = dataclasses.replace(batch, documents_BT=batch.inputs_BT // 7)
    pieces = cut(batch, 3)
    assert [len(piece.inputs_BT) for piece in pieces] == [2, 3, 3]
    for field in ("inputs_BT", "targets_BT", "mask_BT", "documents_BT"):
        assert np.array_equal(np.concatenate([getattr(p, field) for p in pieces]), getattr(batch, field))
