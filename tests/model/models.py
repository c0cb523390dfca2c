"""Small random models of every layout, whose logits differ enough to show a mistake, and published shapes."""

from __future__ import annotations

import torch

from mintage.model.config import ModelConfig, RopeScaling
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
GPT2 = {
    "vocab_size": 128,
    "layout": "gpt2",
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "num_key_value_heads": 3,
    "head_dim": 16,
    "max_position_embeddings": 64,
    "layer_norm_epsilon": 1e-4,
}
LLAMA_7B = ModelConfig(  # Llama 2
    vocab_size=32_000,
    layout="llama",
    hidden_size=4096,
    intermediate_size=11_008,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=32,
    head_dim=128,
    max_position_embeddings=4096,
    tie_word_embeddings=False,
)
GPT2_124M = ModelConfig(
    vocab_size=50_257,
    layout="gpt2",
    hidden_size=768,
    intermediate_size=3072,
    num_hidden_layers=12,
    num_attention_heads=12,
    num_key_value_heads=12,
    head_dim=64,
    max_position_embeddings=1024,
    hidden_act="gelu_new",
)
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
    "llama stretched with biases": ModelConfig(
        **{**SMALL, "rope_theta": 10000.0},
        layout="llama",
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=12,
        attention_bias=True,
        mlp_bias=True,
        rope_scaling=RopeScaling(8.0, 1.0, 4.0, 32),
    ),
    "arcee relu2": ModelConfig(
        **SMALL,
        layout="arcee",
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=12,
        hidden_act="relu2",
        tie_word_embeddings=False,
    ),
    "arcee gelu with biases": ModelConfig(
        **SMALL,
        layout="arcee",
        num_attention_heads=3,
        num_key_value_heads=3,
        head_dim=16,
        hidden_act="gelu",
        attention_bias=True,
        mlp_bias=True,
        dropout=0.1,
    ),
    "gpt2 tanh": ModelConfig(**GPT2, hidden_act="gelu_new", dropout=0.1),
    "gpt2 relu untied": ModelConfig(**GPT2, hidden_act="relu", tie_word_embeddings=False),
    "gpt2 erf": ModelConfig(**GPT2, hidden_act="gelu"),
}


def random_model(config: ModelConfig, seed: int = 0) -> Transformer:
    """Weights far from any initialization: every matrix and every norm matters."""
    model = Transformer(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            mean, deviation = (1.0, 0.2) if parameter.dim() == 1 else (0.0, 0.12)
            if name.endswith(".bias"):
                mean = 0.0
            parameter.copy_(torch.normal(mean, deviation, parameter.shape, generator=generator))
    return model.eval()


def random_tokens(*shape: int, seed: int = 0, vocab_size: int = 128) -> torch.Tensor:
    """Token ids drawn from a seed."""
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))
