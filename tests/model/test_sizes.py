"""The dial's models have the size of their names, and its numbers follow from the size."""

from __future__ import annotations

import pytest
import torch

from mintage.model.sizes import SIZES, batch_tokens, settings_of, shape_of
from mintage.model.transformer import Transformer

NAMED = {"10m": 10e6, "50m": 50e6, "125m": 125e6, "350m": 350e6, "1b": 1e9}


@pytest.mark.parametrize("size", SIZES)
def test_a_size_has_the_parameters_of_its_name(size: str) -> None:
    with torch.device("meta"):
        model = Transformer(shape_of(size))
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == shape_of(size).parameter_count()
    assert count == pytest.approx(NAMED[size], rel=0.05)


@pytest.mark.parametrize("size", SIZES)
def test_a_run_is_twenty_tokens_for_each_parameter_unless_it_says_otherwise(size: str) -> None:
    for asked, expected in ((None, 20 * shape_of(size).parameter_count()), (3e6, 3e6)):
        phases = settings_of(size, asked)["pretrain"]["plan"]["phases"]
        tokens = sum(phase["steps"] * phase["context"] * phase["batch"] for phase in phases)
        assert tokens == pytest.approx(expected, rel=0.01)


def test_the_batch_goes_through_the_two_points_that_it_is_fitted_to() -> None:
    assert batch_tokens(2.5e9) == 524_288
    assert batch_tokens(1.3e6) == 1_024
    assert batch_tokens(25e9) == 1_048_576  # 524,288 * 10^0.383 = 1.27 M
    sizes = [batch_tokens(10**power) for power in range(5, 13)]
    assert sizes == sorted(sizes)
