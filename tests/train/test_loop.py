import dataclasses
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mintage.train.loop import train
from mintage.train.monitor import METRICS, Monitor, read_metrics
from mintage.train.optimizers import build_optimizers
from mintage.train.settings import OptimizerSettings, ScheduleSettings, TrainSettings
from mintage.train.step import WINDOW, micro_batches, take_step
from mintage.train.team import Team

from .tiny import SETTINGS, Batch, Plan, TinyLoader, evaluate, run, tiny_model


@pytest.fixture
def no_plots(monkeypatch):
    monkeypatch.setattr("mintage.train.plots.draw", lambda *arguments: None)


def weights_after_a_step(batch, settings, dtype=torch.float64):
    model = tiny_model().to(dtype)
    optimizers = build_optimizers(model, settings.optimizer)
    window = torch.zeros(WINDOW, dtype=dtype)
    take_step(Team(model, 1), optimizers, batch, settings, 0, 1.0, window)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]), window


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_micro_batches_make_the_step_of_the_whole_batch(name, rows):
    batch = TinyLoader(Plan(9)).batch(0)
    batch.mask_BT[2] = False  # a row, and with rows=1 a micro-batch, without a target
    batch.mask_BT[3, 4:] = False
    whole = TrainSettings(OptimizerSettings(name), gradient_clip=0.3)
    expected, expected_window = weights_after_a_step(batch, whole)
    actual, window = weights_after_a_step(batch, dataclasses.replace(whole, micro_batch=rows))
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(window, expected_window)


def test_a_step_equals_torch_written_out(no_plots):
    """Mean loss over valid targets, clip_grad_norm_, AdamW: written with torch's own functions."""
    batch = TinyLoader(Plan(9)).batch(0)
    settings = TrainSettings(gradient_clip=0.3, z_loss=0.01)
    model = tiny_model().double()
    logits_NV = model.logits(model(torch.from_numpy(batch.inputs_BT))).flatten(0, 1)
    valid_N = torch.from_numpy(batch.mask_BT.ravel())
    targets_N = torch.from_numpy(batch.targets_BT.ravel())[valid_N]
    penalty = logits_NV[valid_N].logsumexp(1).square().mean()
    (F.cross_entropy(logits_NV[valid_N], targets_N) + 0.01 * penalty).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.3)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95)).step()
    expected = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    actual, window = weights_after_a_step(batch, settings)
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-7)
    assert window[1] == batch.mask_BT.sum() and np.isclose(window[2], norm)


def test_a_batch_without_targets_changes_nothing():
    batch = TinyLoader(Plan(9)).batch(0)
    batch.mask_BT[:] = False
    actual, window = weights_after_a_step(batch, TrainSettings())
    expected = torch.cat([parameter.detach().flatten() for parameter in tiny_model().double().parameters()])
    assert torch.equal(actual, expected) and window.tolist() == [0] * WINDOW


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_step_that_is_not_finite_is_skipped_and_reported(tmp_path, capsys, no_plots, name):
    def objective(model, batch, settings):
        from mintage.train.objectives import next_token

        loss, count = next_token.objective(model, batch, settings)
        calls.append(1)
        return (loss * float("nan") if len(calls) == 2 else loss), count

    calls = []
    model = tiny_model()
    settings = TrainSettings(OptimizerSettings(name), log_every=4, threads=1)
    result = train(model, TinyLoader(Plan(8)), settings, tmp_path, objective=objective)
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    rows = read_metrics(tmp_path / METRICS)
    assert [row.get("skipped", 0) for row in rows] == [1, 0]
    assert np.isfinite(result.final_loss)
    assert "skipped steps: 1 (spikes: 0, loss or gradient not finite: 1)" in capsys.readouterr().out


def test_the_loss_falls_and_metrics_say_what_happened(tmp_path, capsys):
    settings = dataclasses.replace(SETTINGS, schedule=ScheduleSettings("cosine", 0.1))
    samples = []

    def sample(model):
        assert not model.training and not torch.is_grad_enabled()
        samples.append(1)
        return ["text"]

    loader = TinyLoader(Plan(30))
    result = train(tiny_model(), loader, settings, tmp_path, evaluate=evaluate, sample=sample)
    rows = read_metrics(tmp_path / METRICS)
    losses = [row for row in rows if "loss" in row]
    assert losses[0]["loss"] > 3.5 and losses[-1]["loss"] < 2
    assert set(losses[0]) == {
        "step", "loss", "learning_rate", "gradient_norm", "tokens", "tokens_per_second", "share_of_peak",
        "peak_memory_bytes", "seconds"
    }  # fmt: skip
    assert (
        losses[-1]["tokens"] == sum(loader.batch(step).mask_BT.sum() for step in range(30)) == result.tokens
    )
    assert losses[0]["learning_rate"] == 0.01
    assert [row["step"] for row in rows if "evaluation" in row] == [4, 8, 12, 16, 20, 24, 28, 30]
    assert len(samples) == 8 and rows[-1] == {"step": 30, "samples": ["text"]}
    assert result.evaluation == rows[-2]["evaluation"] and result.step == 30
    picture = (tmp_path / "plots" / "training.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 10_000
    out = capsys.readouterr().out
    assert "step 30/30" in out and "bits/byte" in out and "tokens/s" in out and "left" in out


def test_rows_are_cut_without_loss_or_repetition():
    batch = TinyLoader(Plan(9), rows=7).batch(0)
    pieces = list(micro_batches(batch, 3))
    assert [len(piece.inputs_BT) for piece in pieces] == [3, 3, 1]
    for field in ("inputs_BT", "targets_BT", "mask_BT"):
        assert np.array_equal(np.concatenate([getattr(p, field) for p in pieces]), getattr(batch, field))
    assert isinstance(pieces[0], Batch)


def test_metrics_after_the_checkpoint_are_cut_away(tmp_path):
    lines = [json.dumps({"step": step, "loss": 1.0}) for step in range(1, 6)]
    (tmp_path / METRICS).write_text("\n".join(lines) + '\n{"step": 6, "lo')
    with Monitor(tmp_path, 3, 10, show=False) as monitor:
        monitor.record({"step": 4, "loss": 2.0})
    rows = read_metrics(tmp_path / METRICS)
    assert [(row["step"], row["loss"]) for row in rows] == [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0)]


def test_bfloat16_on_request_keeps_float32_weights(tmp_path, no_plots):
    model = tiny_model()
    settings = TrainSettings(precision="bfloat16", threads=1)
    result = train(model, TinyLoader(Plan(4)), settings, tmp_path, progress=False)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert np.isfinite(result.final_loss)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # compilation takes minutes where other work fills the cores
def test_compiled_blocks_learn_the_same(tmp_path, no_plots):
    settings = dataclasses.replace(SETTINGS, micro_batch=None)
    plain = run(tmp_path / "plain", 12, settings)
    compiled = run(tmp_path / "compiled", 12, dataclasses.replace(settings, compile=True))
    assert abs(plain.final_loss - compiled.final_loss) < 1e-3
