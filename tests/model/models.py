"""Small random models of every layout, whose logits differ enough to show a mistake."""

from __future__ import annotations

import torch

from mintage.model.config import ModelConfig
from mintage.model.transformer import Transformer

SMALL = {
    "vocab_size": 128,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "max_position_embeddings": 64,
    "rope_theta": 500.0,
    "rms_norm_eps": 1e-5,
}
LAYOUTS = {
    "qwen3 tied": ModelConfig(**SMALL, num_attention_heads=3, num_key_value_heads=3, head_dim=16),
    "qwen3 grouped untied wide heads": ModelConfig(
        **SMALL, num_attention_heads=4, num_key_value_heads=2, head_dim=20, tie_word_embeddings=False
    ),
    "llama grouped tied": ModelConfig(
        **SMALL, layout="llama", num_attention_heads=4, num_key_value_heads=2, head_dim=12
    ),
    "llama untied narrow heads": ModelConfig(
        **SMALL,
        layout="llama",
        num_attention_heads=3,
        num_key_value_heads=1,
        head_dim=8,
        tie_word_embeddings=False,
    ),
}


def random_model(config: ModelConfig, seed: int = 0) -> Transformer:
    """Weights far from any initialization: every matrix and every norm matters."""
    model = Transformer(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            mean, deviation = (1.0, 0.2) if parameter.dim() == 1 else (0.0, 0.12)
            parameter.copy_(torch.normal(mean, deviation, parameter.shape, generator=generator))
    return model.eval()


def random_tokens(*shape: int, seed: int = 0, vocab_size: int = 128) -> torch.Tensor:
    """Token ids drawn from a seed."""
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))
