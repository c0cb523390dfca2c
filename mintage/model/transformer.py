"""The transformer: tokens in, hidden states out. Parameter names are those of the stock architectures.

Letters of the shapes: B batch, T tokens of this call, S tokens with their past, D hidden size, N query heads,
K key-value heads, H head dimension, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from mintage.errors import MintageError
from mintage.model.attention import Attention, Rotary, rotary_tables
from mintage.model.cache import KeyValueCache
from mintage.model.config import ModelConfig
from mintage.model.easing import Easing
from mintage.model.feed_forward import GatedFeedForward, PlainFeedForward
from mintage.model.gpt2 import GPT2Decoder
from mintage.model.isolation import Isolation, isolation_mask, positions_of
from mintage.model.norm import RMSNorm

if TYPE_CHECKING:
    from mintage.model.isolation import Mask


class Layer(nn.Module):
    """Attention and feed-forward, each behind its norm and added to the residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = PlainFeedForward(config) if config.layout == "arcee" else GatedFeedForward(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(
        self,
        x_BTD: Tensor,
        rotary: Rotary,
        mask_B1TS: Mask | None,
        cache: KeyValueCache | None,
        layer: int,
    ) -> Tensor:
        x_BTD = x_BTD + self.drop(
            self.self_attn(self.input_layernorm(x_BTD), rotary, mask_B1TS, cache, layer)
        )
        return x_BTD + self.drop(self.mlp(self.post_attention_layernorm(x_BTD)))


class Decoder(nn.Module):
    """Embedding, layers and final norm: Hugging Face's `model` inside a `ForCausalLM`."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Transformer(nn.Module):
    """A decoder-only language model in any layout of `ModelConfig`.

    Weights are arbitrary until `mintage.model.initialize.initialize` or `mintage.model.huggingface.load` sets
    them. With tied embeddings `lm_head.weight` is the same parameter as `embedding.weight`. The parameters
    lie in `model` (qwen3, llama, arcee) or `transformer` (gpt2), as in the stock architectures; `blocks`,
    `embedding` and `norm` find their parts in every layout.

    Attributes:
        isolation: how documents of one row are kept apart; set from outside to what is fastest on a device.
        easing: of a model cut out of a GPT-2, what it still has of learned positions.
    """

    isolation: Isolation = "mask"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.vocab_size < 1:
            raise ValueError("vocab_size is not known yet; see ModelConfig.with_vocabulary")
        self.config = config
        self.easing: Easing | None = None
        if config.layout == "gpt2":
            self.transformer = GPT2Decoder(config)
        else:
            self.model = Decoder(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self._derive()

    def _derive(self) -> None:
        """Set what follows from the configuration and from other parameters."""
        if self.config.layout != "gpt2":
            cos_SH, sin_SH = rotary_tables(self.config)
            self.cos_S1H = nn.Buffer(cos_SH[:, None], persistent=False)
            self.sin_S1H = nn.Buffer(sin_SH[:, None], persistent=False)
        if self.config.tie_word_embeddings:
            self.lm_head.weight = self.embedding.weight

    def materialize(self, device: torch.device | str) -> None:
        """Give a model that was built on the meta device its memory, in place. Large models are built so:
        no time goes into weights that are about to be replaced."""
        self.to_empty(device=device)
        with torch.device(device):
            self._derive()

    @property
    def blocks(self) -> nn.ModuleList:
        """The layers between the embedding and the final norm, in order."""
        return self.transformer.h if self.config.layout == "gpt2" else self.model.layers

    @property
    def embedding(self) -> nn.Embedding:
        """The table of token vectors, weight (V, D)."""
        return self.transformer.wte if self.config.layout == "gpt2" else self.model.embed_tokens

    @property
    def norm(self) -> nn.Module:
        """The norm behind the last layer."""
        return self.transformer.ln_f if self.config.layout == "gpt2" else self.model.norm

    def forward(
        self,
        tokens_BT: Tensor,
        positions_BT: Tensor | None = None,
        cache: KeyValueCache | None = None,
        documents_BT: Tensor | None = None,
    ) -> Tensor:
        """Hidden states (B, T, D) after the final norm.

        Token t of a row sees the tokens before it in its row, and those in the cache; so right padding needs
        no mask. Positions count from 0, or go on where the cache ends, unless `positions_BT` says otherwise.

        `documents_BT` (integers, no cache) names each token's document: a token sees the tokens before it in
        its own document only, and positions count from 0 in each. A document's tokens stand together.

        Raises:
            MintageError: more tokens than positions. `positions_BT` beyond `max_position_embeddings` are the
                caller's mistake (IndexError).
        """
        length = tokens_BT.shape[1]
        if positions_BT is None:
            past = 0 if cache is None else max(cache.lengths)
            try:
                self.config.check_context(past + length)
            except ValueError as error:
                raise MintageError(f"the model: {error}") from None
            if documents_BT is not None:
                positions_BT = positions_of(documents_BT)
            elif cache is not None:
                positions_BT = cache.positions(length)
        x_BTD, rotary = self._embed(tokens_BT, positions_BT)
        mask_B1TS: Mask | None = cache.mask(length) if cache is not None else None
        if documents_BT is not None:
            drops = self.training and self.config.dropout > 0  # which a mask by blocks does not allow
            mask_B1TS = isolation_mask(documents_BT, "mask" if drops else self.isolation)
        for index, layer in enumerate(self.blocks):
            x_BTD = layer(x_BTD, rotary, mask_B1TS, cache, index)
        if cache is not None:
            cache.advance(length)
        return self.norm(x_BTD)

    def _embed(self, tokens_BT: Tensor, positions_BT: Tensor | None) -> tuple[Tensor, Rotary | None]:
        """The tokens' vectors, and how attention turns them; without positions they count from 0."""
        chosen = slice(tokens_BT.shape[1]) if positions_BT is None else positions_BT
        x_BTD, rotary = self.embedding(tokens_BT), None
        if self.config.layout != "gpt2":
            rotary = self.cos_S1H[chosen], self.sin_S1H[chosen]
            if self.easing is not None:
                x_BTD = self.easing(x_BTD, chosen)
        elif positions_BT is None:
            x_BTD = x_BTD + self.transformer.wpe.weight[chosen]
        else:
            x_BTD = x_BTD + self.transformer.wpe(positions_BT)
        return functional.dropout(x_BTD, self.config.dropout, self.training), rotary

    def logits(self, hidden_BTD: Tensor) -> Tensor:
        """Unnormalised log-probabilities (..., V) of the next token, padding ids of the vocabulary
        included."""
        return self.lm_head(hidden_BTD)
