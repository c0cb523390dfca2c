"""The shape of a model, in Hugging Face's field names, and the way to and from a stock config.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mintage.errors import MintageError

Layout = Literal["qwen3", "llama"]
ARCHITECTURES: dict[Layout, str] = {"qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}


@dataclass(frozen=True)
class ModelConfig:
    """Shape of a decoder-only transformer: RMSNorm, RoPE, SwiGLU, grouped-query attention (Llama), and with
    normalised queries and keys (Qwen3).

    `vocab_size` is the tokenizer's size padded to a multiple of 64; 0 stands for "not known yet" in a recipe,
    until `with_vocabulary` fills it in. `initialization` says how `mintage.model.initialize` draws fresh
    weights; it is no part of a trained model, and config.json does not carry it.
    """

    vocab_size: int = 0
    layout: Layout = "qwen3"
    hidden_size: int = 384
    intermediate_size: int = 1024
    num_hidden_layers: int = 6
    num_attention_heads: int = 6
    num_key_value_heads: int = 6
    head_dim: int = 64
    max_position_embeddings: int = 256
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = True
    initialization: Literal["standard", "lookup"] = "standard"

    def __post_init__(self) -> None:
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads ({self.num_attention_heads}) must be a multiple of num_key_value_heads "
                f"({self.num_key_value_heads})"
            )
        if self.head_dim % 2:
            raise ValueError(f"head_dim ({self.head_dim}) must be even: RoPE turns pairs of dimensions")
        if self.initialization == "lookup" and (
            self.layout != "qwen3"
            or self.num_key_value_heads != self.num_attention_heads
            or self.num_attention_heads < 2
            or self.num_hidden_layers < 2
            or not self.tie_word_embeddings
        ):
            raise ValueError(
                'initialization "lookup" needs the qwen3 layout, tied embeddings, at least two layers and '
                "two heads, and as many key-value heads as heads"
            )
        if self.layout == "llama" and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads}) in the llama layout; transformers opens no other"
            )

    def with_vocabulary(self, tokenizer_vocab_size: int) -> ModelConfig:
        """The same shape for a tokenizer of this size, padded to a multiple of 64 (whole cache lines and
        tiles)."""
        return dataclasses.replace(self, vocab_size=(tokenizer_vocab_size + 63) // 64 * 64)

    def parameter_count(self) -> int:
        """Number of trained parameters; a tied embedding counts once."""
        heads = self.num_attention_heads + self.num_key_value_heads
        attention = 2 * heads * self.head_dim * self.hidden_size
        if self.layout == "qwen3":
            attention += 2 * self.head_dim
        feed_forward = 3 * self.hidden_size * self.intermediate_size
        layers = self.num_hidden_layers * (attention + feed_forward + 2 * self.hidden_size)
        embeddings = self.vocab_size * self.hidden_size * (1 if self.tie_word_embeddings else 2)
        return layers + embeddings + self.hidden_size

    def to_huggingface(self) -> dict[str, Any]:
        """The contents of config.json for the stock architecture, for transformers 4 (rope_theta) and 5
        (rope_parameters)."""
        return {
            "architectures": [ARCHITECTURES[self.layout]],
            "model_type": self.layout,
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.max_position_embeddings,
            "rope_theta": self.rope_theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "rms_norm_eps": self.rms_norm_eps,
            "tie_word_embeddings": self.tie_word_embeddings,
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            # Absent, these take the defaults of Llama 2 and would point at ordinary tokens.
            "bos_token_id": None,
            "eos_token_id": None,
            "pad_token_id": None,
        }

    @staticmethod
    def from_huggingface(values: Mapping[str, Any]) -> ModelConfig:
        """Read a stock config.json; fields that it leaves out take transformers' defaults.

        Raises:
            MintageError: another architecture, or an option that this transformer does not compute.
        """
        layout = values.get("model_type")
        if layout not in ARCHITECTURES:
            raise MintageError(
                f"config.json: model_type {layout!r} is not supported; Mintage opens "
                f"{' and '.join(ARCHITECTURES)}"
            )
        architectures = values.get("architectures") or [ARCHITECTURES[layout]]
        if architectures != [ARCHITECTURES[layout]]:
            raise MintageError(
                f"config.json: architectures {architectures} is not a language model of Mintage; "
                f"{ARCHITECTURES[layout]} is expected"
            )
        _refuse_other_arithmetic(values)
        try:
            heads = values["num_attention_heads"]
            hidden = values["hidden_size"]
            head_dim = values.get("head_dim") or (128 if layout == "qwen3" else hidden // heads)
            return ModelConfig(
                layout=layout,
                vocab_size=values["vocab_size"],
                hidden_size=hidden,
                intermediate_size=values["intermediate_size"],
                num_hidden_layers=values["num_hidden_layers"],
                num_attention_heads=heads,
                num_key_value_heads=values.get("num_key_value_heads") or heads,
                head_dim=head_dim,
                max_position_embeddings=values["max_position_embeddings"],
                rope_theta=_rope_theta(values),
                rms_norm_eps=values.get("rms_norm_eps", 1e-6),
                tie_word_embeddings=values.get("tie_word_embeddings", False),
            )
        except KeyError as error:
            raise MintageError(f"config.json: the field {error} is missing") from error
        except ValueError as error:
            raise MintageError(f"config.json: {error}") from error


def _rope_theta(values: Mapping[str, Any]) -> float:
    """RoPE's base: transformers 5 keeps it in rope_parameters, older versions beside the other fields."""
    parameters = values.get("rope_parameters") or {}
    return float(parameters.get("rope_theta") or values.get("rope_theta") or 10000.0)


def _refuse_other_arithmetic(values: Mapping[str, Any]) -> None:
    rope = {**(values.get("rope_scaling") or {}), **(values.get("rope_parameters") or {})}
    rope_type = rope.get("rope_type", rope.get("type", "default"))
    sliding = "sliding_attention" in (values.get("layer_types") or []) or values.get("use_sliding_window")
    refused = {
        f"rope type {rope_type!r}": rope_type != "default",
        "partial rotary embeddings": rope.get("partial_rotary_factor", 1.0) != 1.0,
        f"hidden_act {values.get('hidden_act')!r}": values.get("hidden_act", "silu") not in ("silu", "swish"),
        "attention_bias": values.get("attention_bias"),
        "mlp_bias": values.get("mlp_bias"),
        "sliding-window attention": sliding,
        "quantized weights": values.get("quantization_config"),
    }
    for option, present in refused.items():
        if present:
            raise MintageError(
                f"config.json: {option} is not supported; Mintage computes plain RoPE, SiLU, full attention "
                "and no biases"
            )
