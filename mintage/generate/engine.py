"""Text out of a model: one request after another, each with its own key-value cache and its own random
numbers."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor

from mintage.corpus.document import Message
from mintage.errors import MintageError
from mintage.generate.sampling import Sampler, Sampling, SamplingError, TokenLogprob
from mintage.generate.stopping import StopMatcher
from mintage.model import huggingface
from mintage.model.cache import KeyValueCache
from mintage.model.transformer import Transformer
from mintage.tokens.tokenizer import Tokenizer
from mintage.workspace import CARD, Card

Prompt = str | Sequence[int] | Sequence[Message]
FinishReason = Literal["stop", "length"]

BATCH = 64  # rows of a batch: enough to keep a small model's matrix products busy, little beside its weights


class PromptTooLong(MintageError):
    """The prompt leaves no room for a single new token."""


@dataclass(frozen=True)
class Delta:
    """One step of a generation: the token chosen, and the text that became certain with it (empty while a
    character is incomplete or a stop string may be under way). The last one has a `finish_reason`. As a
    string it is its text.
    """

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...] | None = None
    finish_reason: FinishReason | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Completion:
    """A whole generation. `token_ids` holds every generated token, an end token and those of a stop string
    too; `text` is without them."""

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    logprobs: tuple[TokenLogprob, ...] | None = None


@dataclass(frozen=True)
class TokenScore:
    """A token of a given text, its natural log-probability after the tokens before it (None for the first
    one, as in OpenAI's interface), and the most likely tokens in its place as (id, log-probability), best
    first."""

    token_id: int
    text: str
    logprob: float | None
    top: tuple[tuple[int, float], ...] = ()


class Engine:
    """A model with its tokenizer, ready to generate. Safe to use from several threads: steps take turns,
    streams share nothing.

    `prompt` is a text to continue (a str, or its token ids), or a chat (messages with "role" and "content").
    `card` is the model's card, where it has one.
    """

    def __init__(
        self, model: Transformer, tokenizer: Tokenizer, model_id: str = "model", card: Card | None = None
    ) -> None:
        if tokenizer.vocab_size > model.config.vocab_size:
            raise MintageError(
                f"{model_id}: the tokenizer has {tokenizer.vocab_size} entries and the model "
                f"{model.config.vocab_size}; they do not belong together"
            )
        self.model = model
        self.tokenizer = tokenizer
        self.model_id = model_id
        self.card = card
        self._lock = threading.Lock()

    @property
    def context(self) -> int:
        """Most tokens of prompt and completion together."""
        return self.model.config.max_position_embeddings

    def generate(self, prompt: Prompt, *, trim: bool = False, **settings: Any) -> str:
        """The text that follows a prompt. `settings` are the fields of `Sampling`, such as `temperature=0.8`.

        Raises:
            MintageError: an unknown field or value, or a prompt that is too long.
        """
        return self.complete(prompt, _with_settings(Sampling(), settings), trim=trim).text

    def complete(self, prompt: Prompt, sampling: Sampling | None = None, *, trim: bool = False) -> Completion:
        """The whole generation after a prompt; arguments and errors of `stream`."""
        sampling = sampling or Sampling()
        sequence = _Sequence(
            self, self.encode_prompt(prompt, sampling, trim=trim), sampling, _is_chat(prompt)
        )
        return _join(list(self._steps(sequence)), len(sequence.prompt))

    def stream(
        self, prompt: Prompt, sampling: Sampling | None = None, *, trim: bool = False, **settings: Any
    ) -> Iterator[Delta]:
        """The generation after a prompt, token by token; closing the iterator ends it.

        The deltas' texts join to the text of `complete`. `settings` are fields of `Sampling`, as for
        `generate`. A text or chat that is longer than the context is refused, or with `trim` cut to its end:
        of a chat the oldest turns are dropped, its system message stays.

        Raises:
            MintageError: an unknown field or value. PromptTooLong: no room is left for a new token.
        """
        sampling = _with_settings(sampling or Sampling(), settings)
        tokens = self.encode_prompt(prompt, sampling, trim=trim)
        return self._steps(_Sequence(self, tokens, sampling, _is_chat(prompt)))

    def complete_batch(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        """Generations after many prompts, many at a time; each is what `complete` gives, up to floating-point
        rounding.

        Raises:
            PromptTooLong: a prompt leaves no room for a new token.
        """
        sequences = [
            _Sequence(self, self.encode_prompt(prompt, sampling), sampling, _is_chat(prompt))
            for prompt in prompts
        ]
        by_length = sorted(sequences, key=lambda sequence: len(sequence.prompt))
        for start in range(0, len(by_length), BATCH):
            self._finish_together(by_length[start : start + BATCH])
        return [_join(sequence.deltas, len(sequence.prompt)) for sequence in sequences]

    def score(self, text: str | Sequence[int], top: int = 0) -> list[TokenScore]:
        """How likely the model finds each token of a text (or of token ids), and the `top` likeliest in its
        place.

        Raises:
            PromptTooLong: the text is longer than the context.
        """
        tokens = self._encode_text(text)
        if len(tokens) > self.context:
            raise PromptTooLong(f"the text has {len(tokens)} tokens; this model reads at most {self.context}")
        if not tokens:
            return []
        with self._lock, torch.inference_mode():
            tokens_BT = torch.tensor([tokens], device=self._device)
            logprobs_TV = self.model.logits(self.model(tokens_BT))[0].float().cpu().log_softmax(-1)
        scores = [TokenScore(tokens[0], self.tokenizer.decode(tokens[:1]), None)]
        for token_id, logprobs_V in zip(tokens[1:], logprobs_TV):
            best = logprobs_V[: self.tokenizer.vocab_size].topk(top)
            pairs = tuple(zip(best.indices.tolist(), best.values.tolist()))
            scores.append(
                TokenScore(token_id, self.tokenizer.decode([token_id]), float(logprobs_V[token_id]), pairs)
            )
        return scores

    def encode_prompt(self, prompt: Prompt, sampling: Sampling, *, trim: bool = False) -> list[int]:
        """The tokens that the model reads for a prompt. An empty text stands for the beginning of a document.

        Raises:
            PromptTooLong: no room is left for a new token (with `trim`: not even for a chat's last turn).
        """
        tokens = self._encode(prompt)
        if trim and len(tokens) >= self.context:
            # What is kept leaves room for the answer, but never less than three quarters of the context.
            budget = self.context - min(sampling.max_tokens, self.context // 4)
            messages = _messages(prompt)
            if messages is None:
                tokens = tokens[-budget:]
            while messages is not None and len(tokens) > budget:
                messages = _without_oldest_turn(messages)
                tokens = tokens if messages is None else self._encode(messages)
        if len(tokens) >= self.context:
            raise PromptTooLong(
                f"the prompt has {len(tokens)} tokens; this model's context is {self.context}, prompt and "
                "answer together. Shorten the prompt"
            )
        return tokens

    def _encode(self, prompt: Prompt) -> list[int]:
        messages = _messages(prompt)
        if messages is not None:
            tokens, _ = self.tokenizer.encode_chat(messages, add_generation_prompt=True)
        else:
            tokens = self._encode_text(cast(str | Sequence[int], prompt))
        return tokens or [self.tokenizer.end_of_text_id]

    def _encode_text(self, text: str | Sequence[int]) -> list[int]:
        if isinstance(text, str):
            return self.tokenizer.encode(text)
        if any(not 0 <= token < self.tokenizer.vocab_size for token in text):
            raise MintageError(f"prompt: token ids must be from 0 to {self.tokenizer.vocab_size - 1}")
        return list(text)

    @property
    def _device(self) -> torch.device:
        return self.model.lm_head.weight.device

    def _cache(self, batch: int, capacity: int) -> KeyValueCache:
        dtype = self.model.lm_head.weight.dtype
        return KeyValueCache(self.model.config, batch, capacity, device=self._device, dtype=dtype)

    def _steps(self, sequence: _Sequence) -> Iterator[Delta]:
        cache = self._cache(1, len(sequence.prompt) + sequence.limit)
        tokens = sequence.prompt
        while sequence.finish_reason is None:
            with self._lock, torch.inference_mode():
                hidden_BTD = self.model(torch.tensor([tokens], device=self._device), cache=cache)
                delta = sequence.take(self.model.logits(hidden_BTD[0, -1]))
            yield delta
            tokens = list(delta.token_ids)

    @torch.inference_mode()
    def _finish_together(self, sequences: list[_Sequence]) -> None:
        """Generate to the end for sequences as rows of one batch. Prompts are padded on the right, where
        nothing that counts can see the padding; the cache then forgets it."""
        lengths = [len(sequence.prompt) for sequence in sequences]
        longest = max(lengths)
        cache = self._cache(len(sequences), longest + max(sequence.limit for sequence in sequences))
        padded = [sequence.prompt + [0] * (longest - len(sequence.prompt)) for sequence in sequences]
        with self._lock:
            hidden_BTD = self.model(torch.tensor(padded, device=self._device), cache=cache)
            last_BD = hidden_BTD[torch.arange(len(lengths)), torch.tensor(lengths) - 1]
            cache.truncate(lengths)
            self._take(sequences, last_BD)
            while True:
                going = [row for row, sequence in enumerate(sequences) if sequence.finish_reason is None]
                if not going:
                    return
                if len(going) < len(sequences):
                    sequences = [sequences[row] for row in going]
                    cache.keep(going)
                tokens_B1 = torch.tensor([sequence.deltas[-1].token_ids for sequence in sequences])
                self._take(sequences, self.model(tokens_B1.to(self._device), cache=cache)[:, -1])

    def _take(self, sequences: list[_Sequence], hidden_BD: Tensor) -> None:
        for sequence, logits_V in zip(sequences, self.model.logits(hidden_BD)):
            sequence.take(logits_V)


class _Sequence:
    """One generation under way: what it read, how it chooses, and what it has said."""

    def __init__(self, engine: Engine, prompt: list[int], sampling: Sampling, is_chat: bool) -> None:
        tokenizer = engine.tokenizer
        self.prompt = prompt
        self.limit = min(sampling.max_tokens, engine.context - len(prompt))
        self.ends = {tokenizer.end_of_text_id, *sampling.stop_token_ids}
        if is_chat:
            self.ends.add(tokenizer.end_of_turn_id)
        self.sampler = Sampler(sampling, prompt, tokenizer.vocab_size)
        self.decoder = tokenizer.decode_stream()
        self.matcher = StopMatcher(sampling.stop)
        self.deltas: list[Delta] = []
        self.finish_reason: FinishReason | None = None

    def take(self, logits_V: Tensor) -> Delta:
        """Choose the next token and say what text that makes certain."""
        token_id, logprob = self.sampler.choose(logits_V)
        ended = token_id in self.ends
        text = "" if ended else self.matcher.push(self.decoder.step(token_id))
        if ended or self.matcher.stopped:
            self.finish_reason = "stop"
        elif len(self.deltas) + 1 == self.limit:
            self.finish_reason = "length"
        if self.finish_reason and not self.matcher.stopped:
            text += self.matcher.push(self.decoder.finish())
            if not self.matcher.stopped:
                text += self.matcher.finish()
        logprobs = None if logprob is None else (logprob,)
        delta = Delta(text, (token_id,), logprobs, self.finish_reason)
        self.deltas.append(delta)
        return delta


def load(directory: str | Path) -> Engine:
    """Open a model directory: weights, tokenizer, and its card where there is one.

    Raises:
        MintageError: the directory does not hold a model and its tokenizer, or they do not belong together.
    """
    directory = Path(directory)
    model = huggingface.load(directory)
    return Engine(model, Tokenizer.load(directory), directory.resolve().name, _card(directory))


def _card(directory: Path) -> Card | None:
    if not (directory / CARD).exists():
        return None
    try:
        return Card.read(directory)
    except (ValueError, KeyError, TypeError) as error:
        raise MintageError(f"{directory / CARD}: damaged ({error!r}); make the model again") from error


def _with_settings(sampling: Sampling, settings: dict[str, Any]) -> Sampling:
    known = {field.name for field in dataclasses.fields(Sampling)}
    for name in settings:
        if name not in known:
            raise SamplingError(name, f"no such setting; there are {', '.join(sorted(known))}")
    return dataclasses.replace(sampling, **settings)


def _messages(prompt: Prompt) -> list[Message] | None:
    """The messages of a chat; None where the prompt is a text or token ids."""
    if isinstance(prompt, str) or not prompt or isinstance(prompt[0], int):
        return None
    return cast(list[Message], list(prompt))


def _is_chat(prompt: Prompt) -> bool:
    return _messages(prompt) is not None


def _without_oldest_turn(messages: list[Message]) -> list[Message] | None:
    """The chat without the first message that is not the system's and its answer; None if only the last turn
    is left."""
    system = [message for message in messages[:1] if message["role"] == "system"]
    turns = messages[len(system) :]
    later = next((index for index, message in enumerate(turns[1:], 1) if message["role"] == "user"), None)
    return None if later is None else system + turns[later:]


def _join(deltas: list[Delta], prompt_tokens: int) -> Completion:
    token_ids = tuple(token_id for delta in deltas for token_id in delta.token_ids)
    logprobs = tuple(logprob for delta in deltas for logprob in delta.logprobs or ())
    reason = deltas[-1].finish_reason
    assert reason is not None
    return Completion(
        text="".join(delta.text for delta in deltas),
        token_ids=token_ids,
        finish_reason=reason,
        prompt_tokens=prompt_tokens,
        completion_tokens=len(token_ids),
        logprobs=logprobs if deltas[-1].logprobs is not None else None,
    )
