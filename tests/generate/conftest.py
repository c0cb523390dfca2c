from __future__ import annotations

from pathlib import Path

import pytest
import torch

import mintage
from mintage.generate.engine import Engine
from mintage.model import huggingface
from mintage.tokens.tokenizer import Tokenizer, TokenizerSettings, train
from tests.model.models import LAYOUTS, random_model

TEXT = """Net sales of Acme rose 12% to 1,234 million in 2019. The Committee decided to keep its target range.
Inflation was above 2 percent; the naïve forecast said 3½ %. Cash flow from operations was €56 million. """


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return train(TokenizerSettings(vocab_size=330), [TEXT * 20])


@pytest.fixture(
    scope="session", params=["qwen3 tied", "llama grouped tied", "arcee gelu with biases", "gpt2 tanh"]
)
def model_directory(
    request: pytest.FixtureRequest, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    directory = tmp_path_factory.mktemp("models") / "small"
    tokenizer.save(directory)
    model = random_model(LAYOUTS[request.param].with_vocabulary(tokenizer.vocab_size))
    huggingface.save(model, directory, directory)
    return directory


@pytest.fixture(scope="session")
def engine(model_directory: Path) -> Engine:
    return mintage.load(model_directory)
