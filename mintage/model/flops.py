"""Arithmetic of a training step: floating-point operations a token."""

from __future__ import annotations

from mintage.model.config import ModelConfig


def matrix_parameters(config: ModelConfig) -> int:
    """Weights that every token is multiplied with: the layers' matrices and the head. Tables that tokens are
    looked up in, norms and biases are left out."""
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    gated = config.layout in ("qwen3", "llama")
    feed_forward = (3 if gated else 2) * config.intermediate_size
    layer = (2 * (queries + keys) + feed_forward) * config.hidden_size
    return config.num_hidden_layers * layer + config.vocab_size * config.hidden_size


def flops_per_token(config: ModelConfig, context: int) -> int:
    """Operations of a forward and a backward pass, a token: 6 for each weight of a matrix, and 12 a layer,
    head, head dimension and token of context for attention (PaLM, arXiv:2204.02311, appendix B, which
    counts the masked half of attention as well; shares of a device's peak are compared by this measure)."""
    queries = config.num_attention_heads * config.head_dim
    return 6 * matrix_parameters(config) + 12 * config.num_hidden_layers * queries * context
