"""Matrix products in float8 (arXiv:2209.05433) through torchao: faster on GPUs that multiply it, for models
of about 1B parameters and more."""

from __future__ import annotations

import importlib.util

import torch
from torch import nn

from mintage.errors import MintageError
from mintage.model.transformer import Transformer

SMALLEST_CAPABILITY = (8, 9)  # Ada; Hopper is 9.0
MULTIPLE = 16  # of both sides of a matrix, as the kernels ask


def check_float8(device: torch.device) -> None:
    """Refuse a device that does not multiply float8, and a machine without torchao.

    Raises:
        MintageError: so it is.
    """
    if device.type != "cuda":
        raise MintageError(
            f"train.float8: float8 needs an NVIDIA GPU of compute capability 8.9 (Ada, Hopper) or newer, and "
            f"this run is on {device.type}; set train.float8: false"
        )
    capability = torch.cuda.get_device_capability(device)
    if capability < SMALLEST_CAPABILITY:
        name, (major, minor) = torch.cuda.get_device_name(device), capability
        raise MintageError(
            f"train.float8: {name} has compute capability {major}.{minor}, and float8 needs 8.9 (Ada, "
            "Hopper) or newer; set train.float8: false"
        )
    if importlib.util.find_spec("torchao") is None:
        raise MintageError("train.float8: torchao is not installed; pip install 'mintage[float8]'")


def convert_to_float8(model: Transformer, emulate: bool = False) -> list[str]:
    """Let the linear maps inside the blocks multiply in float8, each tensor scaled by its largest value as it
    comes; weights and their gradients stay what they are. The names of the maps that do.

    Args:
        emulate: round to float8 and multiply in float32, on any device: for tests.

    Raises:
        MintageError: no map of the model can.
    """
    from torchao.float8 import Float8LinearConfig, convert_to_float8_training

    converted = []

    def fits(module: nn.Module, name: str) -> bool:
        fits = isinstance(module, nn.Linear) and not any(size % MULTIPLE for size in module.weight.shape)
        if fits:
            converted.append(name)
        return fits

    config = Float8LinearConfig(emulate=emulate)
    convert_to_float8_training(model.blocks, module_filter_fn=fits, config=config)
    if not converted:
        raise MintageError(
            f"train.float8: no matrix in the blocks of the {model.config.layout} layout can be multiplied in "
            f"float8; sides must be multiples of {MULTIPLE} and the layout not gpt2; set train.float8: false"
        )
    return converted
