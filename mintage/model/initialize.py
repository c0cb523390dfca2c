"""Fresh weights, drawn from a seed."""

from __future__ import annotations

import math

import torch

from mintage.model.lookup import initialize_lookup
from mintage.model.transformer import Transformer

STANDARD_DEVIATION = 0.02
RESIDUAL = ("o_proj.weight", "down_proj.weight", "c_proj.weight")


def initialize(model: Transformer, seed: int) -> None:
    """Draw all weights anew, in place; the same seed gives the same weights, whatever else draws random
    numbers.

    "standard": matrices and embeddings normal with deviation 0.02, norms 1, biases 0. The two projections of
    each layer that write into the residual stream are zeros, so that every layer begins as the identity; in
    the gpt2 layout they are normal with 0.02 / sqrt(2 * layers) (Radford et al. 2019, section 2.3). "lookup":
    the first two layers begin as a circuit that copies from the context; see `mintage.model.lookup`.
    """
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    residual = 0.0
    if config.layout == "gpt2":
        residual = STANDARD_DEVIATION / math.sqrt(2 * config.num_hidden_layers)
    with torch.no_grad():
        if config.initialization == "lookup":
            initialize_lookup(model, generator)
            return
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.fill_(0.0 if name.endswith(".bias") else 1.0)
                continue
            deviation = residual if name.endswith(RESIDUAL) else STANDARD_DEVIATION
            if deviation:
                parameter.copy_(torch.normal(0.0, deviation, parameter.shape, generator=generator))
            else:
                parameter.zero_()
