"""The transformer: tokens in, hidden states out. Parameter names are those of the stock architectures.

Letters of the shapes: B batch, T tokens of this call, S tokens with their past, D hidden size, N query heads,
K key-value heads, H head dimension, V vocabulary.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from mintage.model.attention import Attention, rotary_tables
from mintage.model.cache import KeyValueCache
from mintage.model.config import ModelConfig
from mintage.model.norm import RMSNorm


class FeedForward(nn.Module):
    """SwiGLU (arXiv:2002.05202): x_BTD -> (B, T, D)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x_BTD)) * self.up_proj(x_BTD))


class Layer(nn.Module):
    """Attention and feed-forward, each behind its norm and added to the residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = FeedForward(config)

    def forward(
        self,
        x_BTD: Tensor,
        cos_T1H: Tensor,
        sin_T1H: Tensor,
        mask_B1TS: Tensor | None,
        cache: KeyValueCache | None,
        layer: int,
    ) -> Tensor:
        x_BTD = x_BTD + self.self_attn(self.input_layernorm(x_BTD), cos_T1H, sin_T1H, mask_B1TS, cache, layer)
        return x_BTD + self.mlp(self.post_attention_layernorm(x_BTD))


class Decoder(nn.Module):
    """Embedding, layers and final norm: Hugging Face's `model` inside a `ForCausalLM`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Transformer(nn.Module):
    """A decoder-only language model in the Llama or Qwen3 layout.

    Weights are arbitrary until `mintage.model.initialize.initialize` or `mintage.model.huggingface.load` sets
    them. With tied embeddings `lm_head.weight` is the same parameter as `model.embed_tokens.weight`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.vocab_size < 1:
            raise ValueError("vocab_size is not known yet; see ModelConfig.with_vocabulary")
        self.config = config
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        cos_SH, sin_SH = rotary_tables(config)
        self.cos_S1H = nn.Buffer(cos_SH[:, None], persistent=False)
        self.sin_S1H = nn.Buffer(sin_SH[:, None], persistent=False)

    @property
    def blocks(self) -> nn.ModuleList:
        """The layers between the embedding and the final norm, in order."""
        return self.model.layers

    @property
    def embedding(self) -> nn.Embedding:
        """The table of token vectors, weight (V, D)."""
        return self.model.embed_tokens

    def forward(
        self, tokens_BT: Tensor, positions_BT: Tensor | None = None, cache: KeyValueCache | None = None
    ) -> Tensor:
        """Hidden states (B, T, D) after the final norm.

        Token t of a row sees the tokens before it in its row, and those in the cache; so right padding needs
        no mask. Positions count from 0, or go on where the cache ends, unless `positions_BT` says otherwise.
        Positions beyond `max_position_embeddings` are the caller's mistake (IndexError or a shape error).
        """
        length = tokens_BT.shape[1]
        if positions_BT is None and cache is not None:
            positions_BT = cache.positions(length)
        if positions_BT is None:
            cos_T1H, sin_T1H = self.cos_S1H[:length], self.sin_S1H[:length]
        else:
            cos_T1H, sin_T1H = self.cos_S1H[positions_BT], self.sin_S1H[positions_BT]
        mask_B1TS = cache.mask(length) if cache is not None else None
        x_BTD = self.embedding(tokens_BT)
        for index, layer in enumerate(self.blocks):
            x_BTD = layer(x_BTD, cos_T1H, sin_T1H, mask_B1TS, cache, index)
        if cache is not None:
            cache.advance(length)
        return self.model.norm(x_BTD)

    def logits(self, hidden_BTD: Tensor) -> Tensor:
        """Unnormalised log-probabilities (..., V) of the next token, padding ids of the vocabulary
        included."""
        return self.lm_head(hidden_BTD)
