from __future__ import annotations

import pytest
import torch

from mintage.model.config import ModelConfig
from tests.model.models import LAYOUTS


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS.keys())
def config(request: pytest.FixtureRequest) -> ModelConfig:
    return request.param


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
