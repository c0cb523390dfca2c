"""The dial: our own models from 10M to 1B by one word, with the batch and the rates that go with the size.

Shapes are of the Qwen3 layout (RMSNorm, RoPE, SwiGLU, normalised queries and keys), tied, with inner widths
near 8/3 of the hidden width and grouped queries where the cache begins to weigh. Small models take small
vocabularies: at 10M an embedding of 32,768 entries would be larger than the whole rest (Tao et al. 2024,
arXiv 2407.13623, find the best vocabulary to grow slower than the model).

The numbers of training:

- tokens: 20 for each parameter (Hoffmann et al. 2022, arXiv 2203.15556), unless the recipe names `tokens`.
- tokens a step: 524,288 at 2.5 billion tokens (nanochat and modded-nanogpt at 124M), growing as D^0.383
  (Bergsma et al. 2025, arXiv 2505.13738). Below, D^0.825, which leads through our own best at 1.3 million
  tokens (1,024 a step; docs/log.md, quality per minute). Rounded to a power of two.
- Muon 0.02 (nanochat; 0.025 in modded-nanogpt), and 0.03 with 3 iterations at 10M, the best of trials on a
  CPU at 2M to 4M.
- AdamW for the rest: 0.006 at width 192 in those trials, times the root of 192/width as nanochat scales it.
- weight decay 0.1; warm-up 3%, the last half of the run falls to zero (modded-nanogpt: the last 50 to 70%).
- 10M reads 60% of its tokens in windows of 32 and begins from the look-up circuit: both were measured to pay
  on a CPU, at 2M with AdamW (docs/log.md). The larger sizes read windows of 2,048.
- a source is read at most 4 times (Muennighoff et al. 2023, arXiv 2305.16264: as good as new text, nearly);
  where the data at hand end before the tokens do, the run is shortened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mintage.model.config import ModelConfig

Size = Literal["10m", "50m", "125m", "350m", "1b"]
SIZES: tuple[Size, ...] = get_args(Size)
TOKENS_PER_PARAMETER = 20
REPETITION_CAP = 4
SHORT_SHARE = 0.6  # of the tokens, where a short context comes first


@dataclass(frozen=True)
class _Row:
    """One position of the dial; `contexts` in the order of their phases, `micro_batch` in sequences (of a
    card of 80 GB; of 24 GB a quarter)."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    key_value_heads: int
    head_dim: int
    contexts: tuple[int, ...]
    micro_batch: int
    muon_learning_rate: float = 0.02
    muon_iterations: int = 5
    lookup: bool = False


_ROWS: dict[Size, _Row] = {
    "10m": _Row(4_096, 384, 1_024, 5, 6, 6, 64, (32, 256), 128, 0.03, 3, lookup=True),
    "50m": _Row(16_384, 576, 1_536, 10, 9, 9, 64, (2_048,), 64),
    "125m": _Row(32_768, 768, 2_048, 14, 12, 12, 64, (2_048,), 32),
    "350m": _Row(32_768, 1_024, 2_816, 28, 16, 4, 64, (2_048,), 16),
    "1b": _Row(32_768, 2_048, 5_632, 21, 16, 4, 128, (2_048,), 8),
}


def shape_of(size: Size) -> ModelConfig:
    """The model of a size; its parameters are within 5% of its name."""
    row = _ROWS[size]
    return ModelConfig(
        vocab_size=row.vocab_size,
        layout="qwen3",
        hidden_size=row.hidden_size,
        intermediate_size=row.intermediate_size,
        num_hidden_layers=row.layers,
        num_attention_heads=row.heads,
        num_key_value_heads=row.key_value_heads,
        head_dim=row.head_dim,
        max_position_embeddings=max(512, *row.contexts),
        rope_theta=1e6,
        initialization="lookup" if row.lookup else "standard",
    )


def settings_of(size: Size, tokens: float | None = None) -> dict[str, Any]:
    """Everything that the size decides, under a recipe's keys.

    Args:
        tokens: of the whole run; None takes 20 for each parameter.
    """
    row, shape = _ROWS[size], shape_of(size)
    tokens = tokens or TOKENS_PER_PARAMETER * shape.parameter_count()
    step_tokens = batch_tokens(tokens)
    shares = (SHORT_SHARE, 1 - SHORT_SHARE) if len(row.contexts) == 2 else (1.0,)
    phases = [
        {
            "steps": max(1, round(share * tokens / step_tokens)),
            "context": context,
            "batch": max(1, step_tokens // context),
        }
        for context, share in zip(row.contexts, shares)
    ]
    model = {name: value for name, value in vars(shape).items() if name in _MODEL_KEYS}
    every = max(1, sum(phase["steps"] for phase in phases) // 20)
    return {
        "tokenizer": {"vocab_size": row.vocab_size},
        "model": model,
        "pretrain": {
            "plan": {"phases": phases, "repetition_cap": REPETITION_CAP, "over_cap": "shorten"},
            "train": {
                "optimizer": {
                    "name": "muon",
                    "learning_rate": round(0.006 * (192 / row.hidden_size) ** 0.5, 5),
                    "muon_learning_rate": row.muon_learning_rate,
                    "muon_iterations": row.muon_iterations,
                    "weight_decay": 0.1,
                },
                "schedule": {"name": "wsd", "warmup_fraction": 0.03, "decay_fraction": 0.5},
                "micro_batch": row.micro_batch,
                "compile": size != "10m",  # pays on a GPU; within the minutes of a CPU it does not
                "evaluate_every": every,
                "checkpoint_every": every,
            },
        },
    }


def batch_tokens(tokens: float) -> int:
    """Tokens of a step for a run of so many tokens: the nearest power of two, at least 1,024."""
    ratio = tokens / 2.5e9
    exact = 524_288 * ratio ** (0.383 if ratio > 1 else 0.825)
    return max(1_024, 2 ** round(math.log2(exact)))


_MODEL_KEYS = (
    "layout",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
    "rope_theta",
    "initialization",
)
