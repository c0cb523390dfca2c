"""Every layout trains in the one loop: it learns, goes on bit by bit after a cut, and its checkpoints open
elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from mintage.errors import MintageError
from mintage.model import huggingface
from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.train.loop import TrainResult, train
from mintage.train.monitor import METRICS, read_metrics

from .tiny import CONFIG, SETTINGS, Batch, Plan, TinyLoader

MODELS = {
    "llama with biases": dataclasses.replace(CONFIG, layout="llama", attention_bias=True, mlp_bias=True),
    "arcee": dataclasses.replace(CONFIG, layout="arcee", hidden_act="relu2", dropout=0.1),
    "gpt2": dataclasses.replace(
        CONFIG, layout="gpt2", hidden_act="gelu_new", num_key_value_heads=2, dropout=0.1
    ),
}


@pytest.fixture(autouse=True)
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mintage.train.plots.draw", lambda *arguments: None)


class CutLoader(TinyLoader):
    """Ends like a machine that is switched off."""

    def prefetch(self, start: int, stop: int) -> Iterator[Batch]:
        for step in range(start, 8):
            yield self.batch(step)
        raise ConnectionAbortedError


def learn(folder: Path, config: ModelConfig, loader: TinyLoader) -> TrainResult:
    model = Transformer(config)
    initialize(model, 0)
    return train(model, loader, SETTINGS, folder, progress=False)


@pytest.mark.parametrize("name", MODELS)
def test_a_layout_learns_and_goes_on_after_a_cut_with_the_same_bits(name: str, tmp_path: Path) -> None:
    config, plan = MODELS[name], Plan(20)
    uncut = learn(tmp_path / "uncut", config, TinyLoader(plan))
    with pytest.raises(ConnectionAbortedError):
        learn(tmp_path / "cut", config, CutLoader(plan))
    resumed = learn(tmp_path / "cut", config, TinyLoader(plan))
    assert resumed.resumed_from == 5
    files = [result.checkpoint / "model.safetensors" for result in (uncut, resumed)]
    assert files[0].read_bytes() == files[1].read_bytes()
    losses = [row["loss"] for row in read_metrics(tmp_path / "uncut" / METRICS) if "loss" in row]
    assert losses[-1] < 0.8 * losses[0]
    assert huggingface.read_config(uncut.checkpoint) == config
    pytest.importorskip("transformers")
    assert huggingface.compare_with_transformers(uncut.checkpoint) < 1e-5


def test_a_run_of_another_layout_is_not_gone_on_with(tmp_path: Path) -> None:
    learn(tmp_path, MODELS["gpt2"], TinyLoader(Plan(5)))
    with pytest.raises(MintageError, match=r"checkpoint-5: .*layout gpt2 against arcee"):
        learn(tmp_path, MODELS["arcee"], TinyLoader(Plan(5)))
