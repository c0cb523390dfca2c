"""What each token passes through on its own, in a layer's second half."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from mintage.model.config import Activation, ModelConfig


def squared_relu(x: Tensor) -> Tensor:
    """max(x, 0) squared (Primer, arXiv:2109.08668)."""
    return functional.relu(x).square()


def tanh_gelu(x: Tensor) -> Tensor:
    """GELU by its tanh approximation, as in GPT-2 (arXiv:1606.08415, section 2)."""
    return functional.gelu(x, approximate="tanh")


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu_new": tanh_gelu,
    "relu": functional.relu,
    "relu2": squared_relu,
}


class GatedFeedForward(nn.Module):
    """SwiGLU (arXiv:2002.05202): x_BTD -> (B, T, D)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        hidden, inner, bias = config.hidden_size, config.intermediate_size, config.mlp_bias
        self.gate_proj = nn.Linear(hidden, inner, bias=bias)
        self.up_proj = nn.Linear(hidden, inner, bias=bias)
        self.down_proj = nn.Linear(inner, hidden, bias=bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x_BTD)) * self.up_proj(x_BTD))


class PlainFeedForward(nn.Module):
    """Two matrices with an activation between them: x_BTD -> (B, T, D)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        hidden, inner, bias = config.hidden_size, config.intermediate_size, config.mlp_bias
        self.up_proj = nn.Linear(hidden, inner, bias=bias)
        self.down_proj = nn.Linear(inner, hidden, bias=bias)
        self.activation = ACTIVATIONS[config.hidden_act]

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down_proj(self.activation(self.up_proj(x_BTD)))
