"""Fresh weights, drawn from a seed."""

from __future__ import annotations

import torch
from torch import nn

from mintage.model.lookup import initialize_lookup
from mintage.model.transformer import Transformer

STANDARD_DEVIATION = 0.02


def initialize(model: Transformer, seed: int) -> None:
    """Draw all weights anew, in place; the same seed gives the same weights, whatever else draws random
    numbers.

    "standard": normal with deviation 0.02 (GPT-2), norms 1, and zeros in the two projections that write into
    the residual stream, so that every layer begins as the identity. "lookup": the first two layers begin as a
    circuit that copies from the context; see `mintage.model.lookup`.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        if model.config.initialization == "lookup":
            initialize_lookup(model, generator)
            return
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                nn.init.ones_(parameter)
            elif name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.zeros_(parameter)
            else:
                parameter.copy_(torch.normal(0.0, STANDARD_DEVIATION, parameter.shape, generator=generator))
