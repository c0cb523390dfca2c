"""The shape of a model, in Hugging Face's field names, and the way to and from a stock config.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from mintage.errors import MintageError

Layout = Literal["qwen3", "llama", "gpt2", "arcee"]
Activation = Literal["silu", "gelu", "gelu_new", "relu", "relu2"]

ARCHITECTURES: dict[Layout, str] = {
    "qwen3": "Qwen3ForCausalLM",
    "llama": "LlamaForCausalLM",
    "gpt2": "GPT2LMHeadModel",
    "arcee": "ArceeForCausalLM",
}
ACTIVATIONS: dict[Layout, tuple[Activation, ...]] = {
    "qwen3": ("silu",),
    "llama": ("silu",),
    "gpt2": ("gelu", "gelu_new", "relu"),
    "arcee": ("gelu", "gelu_new", "relu", "relu2"),
}
# Other names of the same functions in config.json.
SYNONYMS: dict[str, Activation] = {"swish": "silu", "gelu_pytorch_tanh": "gelu_new"}


@dataclass(frozen=True)
class RopeScaling:
    """RoPE stretched to longer contexts as in Llama 3.1 and later (transformers' rope_type "llama3").

    Frequencies that turn less than `low_freq_factor` times within `original_max_position_embeddings` tokens
    are divided by `factor`; those that turn more than `high_freq_factor` times stay; between the two the
    divisor passes smoothly from one to the other.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise ValueError(f"factor is {self.factor}; it stretches a context and must be at least 1")
        if not 0 < self.low_freq_factor < self.high_freq_factor:
            raise ValueError(
                f"low_freq_factor ({self.low_freq_factor}) must lie between 0 and high_freq_factor "
                f"({self.high_freq_factor})"
            )


@dataclass(frozen=True)
class ModelConfig:
    """Shape of a decoder-only transformer in one of four stock layouts (docs/models.md has the table):

    - "llama": RMSNorm, RoPE, SwiGLU, grouped-query attention;
    - "qwen3": the same with normalised queries and keys;
    - "arcee": as llama, with a plain feed-forward of two matrices around `hidden_act`;
    - "gpt2": LayerNorm, learned positions, a plain feed-forward, and biases everywhere.

    Attributes:
        vocab_size: the tokenizer's size padded to a multiple of 64; 0 stands for "not known yet" in a recipe,
            until `with_vocabulary` fills it in.
        max_position_embeddings: the longest context, in tokens. In the gpt2 layout each position has a
            learned vector.
        hidden_act: between the matrices of the feed-forward: "silu" (qwen3, llama), "gelu" (erf), "gelu_new"
            (tanh), "relu", and in arcee also "relu2" (its square).
        attention_bias, mlp_bias: biases in the attention's and the feed-forward's projections; the gpt2
            layout always has them, qwen3 has no mlp_bias.
        dropout: share of the embeddings, of the attention weights and of what both halves of a layer add to
            the residual stream that is dropped in training mode.
        rope_theta, rope_scaling: RoPE's base and its stretching; no part of the gpt2 layout.
        rms_norm_eps: of RMSNorm; layer_norm_epsilon: of LayerNorm (gpt2).
        initialization: how `mintage.model.initialize` draws fresh weights; it is no part of a trained model,
            and config.json does not carry it.
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
    hidden_act: Activation = "silu"
    attention_bias: bool = False
    mlp_bias: bool = False
    dropout: float = 0.0
    rope_theta: float = 10000.0
    rope_scaling: RopeScaling | None = None
    rms_norm_eps: float = 1e-6
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = True
    initialization: Literal["standard", "lookup"] = "standard"

    def __post_init__(self) -> None:
        for name in (
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "max_position_embeddings",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it is a share, at least 0 and below 1")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads ({self.num_attention_heads}) must be a multiple of num_key_value_heads "
                f"({self.num_key_value_heads})"
            )
        if self.hidden_act not in ACTIVATIONS[self.layout]:
            raise ValueError(
                f"hidden_act {self.hidden_act!r} is not computed in the {self.layout} layout; set "
                f"{' or '.join(ACTIVATIONS[self.layout])}"
            )
        if self.layout == "gpt2":
            self._check_gpt2()
        elif self.head_dim % 2:
            raise ValueError(f"head_dim ({self.head_dim}) must be even: RoPE turns pairs of dimensions")
        if self.layout == "qwen3" and self.mlp_bias:
            raise ValueError("mlp_bias: the qwen3 layout has none; leave it out, or set layout to llama")
        if self.initialization == "lookup" and (
            self.layout != "qwen3"
            or self.num_key_value_heads != self.num_attention_heads
            or self.num_attention_heads < 2
            or self.num_hidden_layers < 2
            or not self.tie_word_embeddings
            or self.attention_bias
        ):
            raise ValueError(
                'initialization "lookup" needs the qwen3 layout without biases, tied embeddings, at least '
                "two layers and two heads, and as many key-value heads as heads"
            )
        if self.layout in ("llama", "arcee") and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be a multiple of num_attention_heads "
                f"({self.num_attention_heads}) in the {self.layout} layout; transformers opens no other"
            )

    def _check_gpt2(self) -> None:
        heads = self.num_attention_heads
        if self.hidden_size != heads * self.head_dim:
            raise ValueError(
                f"hidden_size ({self.hidden_size}) must be num_attention_heads ({heads}) times head_dim "
                f"({self.head_dim}) in the gpt2 layout"
            )
        if self.num_key_value_heads != heads:
            raise ValueError(
                f"num_key_value_heads ({self.num_key_value_heads}) must be num_attention_heads ({heads}): "
                "the gpt2 layout has no grouped queries"
            )
        if self.attention_bias or self.mlp_bias:
            raise ValueError("attention_bias and mlp_bias: the gpt2 layout always has biases; leave both out")
        if self.rope_scaling is not None:
            raise ValueError("rope_scaling: the gpt2 layout has learned positions and no RoPE; leave it out")

    def with_vocabulary(self, tokenizer_vocab_size: int) -> ModelConfig:
        """The same shape for a tokenizer of this size, padded to a multiple of 64 (whole cache lines and
        tiles)."""
        return dataclasses.replace(self, vocab_size=(tokenizer_vocab_size + 63) // 64 * 64)

    def parameter_count(self) -> int:
        """Number of trained parameters; a tied embedding counts once."""
        hidden, inner = self.hidden_size, self.intermediate_size
        gpt2 = self.layout == "gpt2"
        queries, keys = self.num_attention_heads * self.head_dim, self.num_key_value_heads * self.head_dim
        attention = 2 * (queries + keys) * hidden
        if gpt2 or self.attention_bias:
            attention += queries + 2 * keys + hidden
        if self.layout == "qwen3":
            attention += 2 * self.head_dim
        gated = self.layout in ("qwen3", "llama")
        feed_forward = (3 if gated else 2) * hidden * inner
        if gpt2 or self.mlp_bias:
            feed_forward += (2 if gated else 1) * inner + hidden
        norm = 2 * hidden if gpt2 else hidden
        layers = self.num_hidden_layers * (attention + feed_forward + 2 * norm)
        embeddings = self.vocab_size * hidden * (1 if self.tie_word_embeddings else 2)
        positions = self.max_position_embeddings * hidden if gpt2 else 0
        return layers + embeddings + positions + norm

    def check_context(self, context: int) -> None:
        """Whether a model of this shape can read so many tokens at once.

        Raises:
            ValueError: it cannot; the message says what to set.
        """
        most = self.max_position_embeddings
        if context > most and self.layout == "gpt2":
            raise ValueError(
                f"a context of {context:,} tokens does not fit {most:,} learned positions, and learned "
                f"positions cannot be extended: set the context to at most {most:,}, or train fresh weights "
                f"with max_position_embeddings of {context:,}"
            )
        if context > most:
            raise ValueError(
                f"a context of {context:,} tokens is longer than the model's {most:,} positions: set the "
                f"context to at most {most:,}, or max_position_embeddings to at least {context:,}"
            )

    def differences(self, other: ModelConfig) -> str:
        """How a model of this shape differs from another one, in words, e.g. "layout qwen3 against gpt2";
        empty where their weights have the same names and shapes and mean the same."""
        if self.layout != other.layout:
            return f"layout {self.layout} against {other.layout}"
        mine, theirs = self.to_huggingface(), other.to_huggingface()
        repeated = {"rope_parameters", "n_ctx"}
        return ", ".join(
            f"{name} {mine.get(name)} against {theirs.get(name)}"
            for name in sorted(mine.keys() | theirs.keys())
            if mine.get(name) != theirs.get(name)
            and name not in repeated
            and not name.endswith(("dropout", "pdrop"))  # training only
        )

    def to_huggingface(self) -> dict[str, Any]:
        """The contents of config.json for the stock architecture, for transformers 4 (rope_theta,
        rope_scaling) and 5 (rope_parameters)."""
        shared = {
            "architectures": [ARCHITECTURES[self.layout]],
            "model_type": self.layout,
            "vocab_size": self.vocab_size,
            "tie_word_embeddings": self.tie_word_embeddings,
            # Absent, these take the defaults of the original models and would point at ordinary tokens.
            "bos_token_id": None,
            "eos_token_id": None,
            "pad_token_id": None,
        }
        return shared | (self._gpt2_fields() if self.layout == "gpt2" else self._rotary_fields())

    def _rotary_fields(self) -> dict[str, Any]:
        scaling: dict[str, Any] = {"rope_type": "default"}
        if self.rope_scaling is not None:
            scaling = {"rope_type": "llama3", **dataclasses.asdict(self.rope_scaling)}
        fields = {
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.max_position_embeddings,
            "rope_theta": self.rope_theta,
            "rope_parameters": {**scaling, "rope_theta": self.rope_theta},
            "rms_norm_eps": self.rms_norm_eps,
            "hidden_act": self.hidden_act,
            "attention_bias": self.attention_bias,
            "attention_dropout": self.dropout,
        }
        if self.layout != "qwen3":
            fields["mlp_bias"] = self.mlp_bias
        if self.rope_scaling is not None:
            fields["rope_scaling"] = scaling
        return fields

    def _gpt2_fields(self) -> dict[str, Any]:
        return {
            "n_embd": self.hidden_size,
            "n_inner": self.intermediate_size,
            "n_layer": self.num_hidden_layers,
            "n_head": self.num_attention_heads,
            "n_positions": self.max_position_embeddings,
            "n_ctx": self.max_position_embeddings,
            "activation_function": self.hidden_act,
            "embd_pdrop": self.dropout,
            "attn_pdrop": self.dropout,
            "resid_pdrop": self.dropout,
            "layer_norm_epsilon": self.layer_norm_epsilon,
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
                f"{', '.join(ARCHITECTURES)}"
            )
        architectures = values.get("architectures") or [ARCHITECTURES[layout]]
        if architectures != [ARCHITECTURES[layout]]:
            raise MintageError(
                f"config.json: architectures {architectures} is not a language model of Mintage; "
                f"{ARCHITECTURES[layout]} is expected"
            )
        try:
            return _read_gpt2(values) if layout == "gpt2" else _read_rotary(layout, values)
        except KeyError as error:
            raise MintageError(f"config.json: the field {error} is missing") from error
        except ValueError as error:
            raise MintageError(f"config.json: {error}") from error


def _read_rotary(layout: Layout, values: Mapping[str, Any]) -> ModelConfig:
    # transformers 5 keeps RoPE's settings in rope_parameters, older versions in rope_theta and rope_scaling.
    rope = {**(values.get("rope_scaling") or {}), **(values.get("rope_parameters") or {})}
    rope_type = rope.get("rope_type", rope.get("type", "default"))
    partial = rope.get("partial_rotary_factor", values.get("partial_rotary_factor"))
    sliding = "sliding_attention" in (values.get("layer_types") or []) or values.get("use_sliding_window")
    _refuse(
        {
            f"rope type {rope_type!r}": rope_type not in ("default", "llama3"),
            "partial rotary embeddings": partial not in (None, 1.0),
            "sliding-window attention": sliding,
            "quantized weights": values.get("quantization_config"),
        }
    )
    heads, hidden = values["num_attention_heads"], values["hidden_size"]
    scaling = None
    if rope_type == "llama3":
        scaling = RopeScaling(**{field.name: rope[field.name] for field in dataclasses.fields(RopeScaling)})
    return ModelConfig(
        layout=layout,
        vocab_size=values["vocab_size"],
        hidden_size=hidden,
        intermediate_size=values["intermediate_size"],
        num_hidden_layers=values["num_hidden_layers"],
        num_attention_heads=heads,
        num_key_value_heads=values.get("num_key_value_heads") or heads,
        head_dim=values.get("head_dim") or (128 if layout == "qwen3" else hidden // heads),
        max_position_embeddings=values["max_position_embeddings"],
        hidden_act=_activation(values.get("hidden_act", "relu2" if layout == "arcee" else "silu")),
        attention_bias=bool(values.get("attention_bias")),
        mlp_bias=bool(values.get("mlp_bias")),
        dropout=float(values.get("attention_dropout") or 0.0),
        rope_theta=float(rope.get("rope_theta") or values.get("rope_theta") or 10000.0),
        rope_scaling=scaling,
        rms_norm_eps=values.get("rms_norm_eps", 1e-5 if layout == "arcee" else 1e-6),
        tie_word_embeddings=values.get("tie_word_embeddings", False),
    )


def _read_gpt2(values: Mapping[str, Any]) -> ModelConfig:
    shares = {values.get(name, 0.1) for name in ("embd_pdrop", "attn_pdrop", "resid_pdrop")}
    _refuse(
        {
            "attention without scaling": not values.get("scale_attn_weights", True),
            "attention scaled by the layer's index": values.get("scale_attn_by_inverse_layer_idx"),
            "cross-attention": values.get("add_cross_attention"),
            "quantized weights": values.get("quantization_config"),
        }
    )
    if len(shares) > 1:
        raise ValueError(
            "embd_pdrop, attn_pdrop and resid_pdrop differ, and Mintage has one dropout for all; they act in "
            "training only: set the three to one value"
        )
    heads, hidden = values["n_head"], values["n_embd"]
    return ModelConfig(
        layout="gpt2",
        vocab_size=values["vocab_size"],
        hidden_size=hidden,
        intermediate_size=values.get("n_inner") or 4 * hidden,
        num_hidden_layers=values["n_layer"],
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=hidden // heads,
        max_position_embeddings=values["n_positions"],
        hidden_act=_activation(values.get("activation_function", "gelu_new")),
        dropout=float(shares.pop()),
        layer_norm_epsilon=values.get("layer_norm_epsilon", 1e-5),
        tie_word_embeddings=values.get("tie_word_embeddings", True),
    )


def _activation(name: str) -> Activation:
    """The name of an activation among ours; a name that is none of them is left for ModelConfig to refuse."""
    return SYNONYMS.get(name, cast(Activation, name))


def _refuse(options: Mapping[str, Any]) -> None:
    for option, present in options.items():
        if present:
            raise ValueError(
                f"{option} is not supported; Mintage computes plain full attention (docs/models.md)"
            )
