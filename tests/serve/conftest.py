"""A real model with random weights, small enough to serve in a test, and a server in front of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import openai
import pytest
import torch

from mintage.generate.engine import Engine, load
from mintage.model import huggingface
from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.serve.app import create_app
from mintage.serve.card import describe
from mintage.serve.run import running
from mintage.tokens.tokenizer import CONTROL_TOKENS, TokenizerSettings, train

SENTENCES = [
    "Revenue rose to 1,234 million in the second quarter, and net income fell to 56 million.",
    "The committee decided to keep the policy rate unchanged at 2.5 percent.",
    "Die Bilanzsumme stieg auf € 12,3 Mrd. – das Geschäftsjahr 2019 war für Zürich günstig.",
]
CONTEXT = 256

Serve = Callable[..., AbstractContextManager[str]]


def random_model(vocab_size: int, context: int) -> Transformer:
    """A model whose weights are all random, so that it says ever new things; greedy, it never ends by
    itself, because the logits of control tokens are 0 while hundreds of others are drawn around 0."""
    config = ModelConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=context,
        tie_word_embeddings=False,
    ).with_vocabulary(vocab_size)
    model = Transformer(config)
    initialize(model, seed=0)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(0, 0.5, generator=generator)
        model.lm_head.weight[: len(CONTROL_TOKENS)] = 0
    return model


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    directory = tmp_path_factory.mktemp("models") / "tiny"
    tokenizer = train(TokenizerSettings(vocab_size=400, min_frequency=1), SENTENCES)
    tokenizer.save(directory)
    huggingface.save(random_model(tokenizer.vocab_size, CONTEXT), directory, directory)
    (directory / "examples.json").write_text(
        json.dumps(["What was revenue?", {"title": "Rate", "prompt": "Why?"}])
    )
    return directory


@pytest.fixture(scope="session")
def engine(model_directory: Path) -> Engine:
    return load(model_directory)


@pytest.fixture(scope="session")
def serve(engine: Engine, model_directory: Path) -> Serve:
    """A function that serves the model, or another engine, with other settings."""

    def start(other: Engine | None = None, **settings: Any) -> AbstractContextManager[str]:
        served = other or engine
        return running(create_app(served, describe(served, model_directory), **settings))

    return start


@pytest.fixture(scope="session")
def address(serve: Serve) -> Iterator[str]:
    with serve() as address:
        yield address


@pytest.fixture(scope="session")
def client(address: str) -> Iterator[openai.OpenAI]:
    with connect(address) as client:
        yield client


def connect(address: str, **settings: Any) -> openai.OpenAI:
    """The official client, without its retries."""
    defaults = {"base_url": f"{address}/v1", "api_key": "none", "max_retries": 0, "timeout": 30}
    return openai.OpenAI(**defaults | settings)
