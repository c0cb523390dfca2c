"""How the next token is chosen: penalties, limits on the candidates, and the draw.

The order is that of vLLM and transformers: penalties on the raw logits, then temperature, top-k, top-p,
min-p.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mintage.errors import MintageError


class SamplingError(MintageError):
    """A sampling value out of range; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


@dataclass(frozen=True)
class Sampling:
    """How to generate. Temperature 0 is greedy; every other default leaves the model's distribution as it is.

    `frequency_penalty` and `presence_penalty` follow OpenAI's definition over the generated tokens;
    `repetition_penalty` (arXiv:1909.05858) and `no_repeat_ngram_size` (0: off) follow transformers and count
    the prompt too. `stop`: strings that end the text and are not part of it. `stop_token_ids` come on top of
    the end of text and, in a chat, the end of a turn. The same `seed` gives the same text; None draws a new
    one. `logprobs`: how many alternatives to report beside each chosen token (0: the chosen one only; None:
    no log-probabilities).

    Raises:
        SamplingError: a value is out of range.
    """

    max_tokens: int = 128
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    seed: int | None = None
    logprobs: int | None = None

    def __post_init__(self) -> None:
        _check_number("max_tokens", self.max_tokens, 1, math.inf)
        _check_number("temperature", self.temperature, 0.0, 2.0)
        if 0 < self.temperature < 1e-4:  # a logit divided by almost nothing is no number in single precision
            raise SamplingError("temperature", "0, which is greedy, or at least 0.0001 is expected")
        _check_number("top_k", self.top_k, 0, math.inf)
        _check_number("top_p", self.top_p, 0.0, 1.0, above=True)
        _check_number("min_p", self.min_p, 0.0, 1.0)
        _check_number("frequency_penalty", self.frequency_penalty, -2.0, 2.0)
        _check_number("presence_penalty", self.presence_penalty, -2.0, 2.0)
        _check_number("repetition_penalty", self.repetition_penalty, 0.0, 10.0, above=True)
        _check_number("no_repeat_ngram_size", self.no_repeat_ngram_size, 0, math.inf)
        if self.seed is not None:
            _check_number("seed", self.seed, -(2**63), 2**63 - 1)
        if self.logprobs is not None:
            _check_number("logprobs", self.logprobs, 0, 20)
        if isinstance(self.stop, str) or any(not isinstance(stop, str) or not stop for stop in self.stop):
            raise SamplingError("stop", "a tuple of strings, none of them empty, is expected")


def _check_number(field: str, value: float, low: float, high: float, above: bool = False) -> None:
    """Whole-number fields are those whose `low` is an int."""
    kinds = (int,) if isinstance(low, int) else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise SamplingError(field, f"{value!r} is not a {'whole ' if isinstance(low, int) else ''}number")
    if not (low < value <= high if above else low <= value <= high):
        lower = f"more than {low}" if above else f"at least {low}"
        upper = "" if high == math.inf else f" and at most {high}"
        raise SamplingError(field, f"{value} is out of range; it must be {lower}{upper}")


@dataclass(frozen=True)
class TokenLogprob:
    """The natural log-probability of a chosen token under the model itself (before penalties and
    temperature), and the most likely tokens in its place as (id, log-probability), best first."""

    token_id: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


class Sampler:
    """Chooses the tokens of one sequence; holds its own random numbers and what it has seen, so that other
    sequences do not matter."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int], vocab_size: int) -> None:
        self.sampling = sampling
        self.vocab_size = vocab_size
        self.tokens = list(prompt)
        self.generated: Counter[int] = Counter()
        self.generator = torch.Generator()
        if sampling.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(sampling.seed)

    def choose(self, logits_V: Tensor) -> tuple[int, TokenLogprob | None]:
        """The next token of the logits (V), with its log-probability where asked for. Ids that only pad the
        vocabulary are never chosen."""
        model_logits_V = logits_V.float().cpu()
        candidates_V = self._penalised(model_logits_V[: self.vocab_size])
        if self.sampling.temperature == 0.0:
            token_id = int(candidates_V.argmax())
        else:
            probabilities_V = candidate_probabilities(candidates_V, self.sampling)
            token_id = int(torch.multinomial(probabilities_V, 1, generator=self.generator))
        self.tokens.append(token_id)
        self.generated[token_id] += 1
        return token_id, self._logprob(model_logits_V, token_id)

    def _penalised(self, logits_V: Tensor) -> Tensor:
        sampling = self.sampling
        if sampling.repetition_penalty != 1.0:
            logits_V = penalise_repetition(logits_V, self.tokens, sampling.repetition_penalty)
        if sampling.frequency_penalty or sampling.presence_penalty:
            logits_V = penalise_frequency_and_presence(
                logits_V, self.generated, sampling.frequency_penalty, sampling.presence_penalty
            )
        if sampling.no_repeat_ngram_size:
            logits_V = forbid_repeated_ngrams(logits_V, self.tokens, sampling.no_repeat_ngram_size)
        return logits_V

    def _logprob(self, model_logits_V: Tensor, token_id: int) -> TokenLogprob | None:
        if self.sampling.logprobs is None:
            return None
        logprobs_V = model_logits_V.log_softmax(-1)
        top = logprobs_V[: self.vocab_size].topk(min(self.sampling.logprobs, self.vocab_size))
        pairs = tuple(zip(top.indices.tolist(), top.values.tolist()))
        return TokenLogprob(token_id, float(logprobs_V[token_id]), pairs)


def candidate_probabilities(logits_V: Tensor, sampling: Sampling) -> Tensor:
    """The distribution (V) to draw from: temperature, then top-k, top-p and min-p, each over what the one
    before it left."""
    logits_V = logits_V / sampling.temperature
    if sampling.top_k:
        logits_V = keep_top_k(logits_V, sampling.top_k)
    if sampling.top_p < 1.0:
        logits_V = keep_top_p(logits_V, sampling.top_p)
    if sampling.min_p > 0.0:
        logits_V = keep_min_p(logits_V, sampling.min_p)
    return logits_V.softmax(-1)


def keep_top_k(logits_V: Tensor, k: int) -> Tensor:
    """Only the k most likely tokens (and those equal to the k-th)."""
    kth = logits_V.topk(min(k, len(logits_V))).values[-1]
    return logits_V.masked_fill(logits_V < kth, -math.inf)


def keep_top_p(logits_V: Tensor, p: float) -> Tensor:
    """Only the smallest set of most likely tokens whose probabilities reach p (arXiv:1904.09751)."""
    sorted_V, order_V = logits_V.sort(descending=True, stable=True)
    probabilities_V = sorted_V.softmax(-1)
    reached_before_V = probabilities_V.cumsum(-1) - probabilities_V
    removed_V = torch.empty_like(order_V, dtype=torch.bool)
    removed_V[order_V] = reached_before_V >= p
    return logits_V.masked_fill(removed_V, -math.inf)


def keep_min_p(logits_V: Tensor, min_p: float) -> Tensor:
    """Only tokens at least `min_p` times as likely as the most likely one (arXiv:2407.01082)."""
    return logits_V.masked_fill(logits_V < logits_V.max() + math.log(min_p), -math.inf)


def penalise_repetition(logits_V: Tensor, tokens: Sequence[int], penalty: float) -> Tensor:
    """Divide the positive and multiply the negative logits of tokens already seen by `penalty`
    (arXiv:1909.05858)."""
    seen = torch.tensor(sorted(set(tokens)))
    seen_logits = logits_V[seen]
    penalised_V = logits_V.clone()
    penalised_V[seen] = torch.where(seen_logits < 0, seen_logits * penalty, seen_logits / penalty)
    return penalised_V


def penalise_frequency_and_presence(
    logits_V: Tensor, counts: Counter[int], frequency: float, presence: float
) -> Tensor:
    """Subtract count x `frequency`, and `presence` once, from the logit of each token already generated
    (OpenAI's API reference, "parameter details")."""
    penalised_V = logits_V.clone()
    for token_id, count in counts.items():
        penalised_V[token_id] -= count * frequency + presence
    return penalised_V


def forbid_repeated_ngrams(logits_V: Tensor, tokens: Sequence[int], size: int) -> Tensor:
    """Rule out each token that would complete an n-gram of `size` tokens that the sequence already holds."""
    start = len(tokens) - size + 1
    if start < 0:
        return logits_V
    prefix = list(tokens[start:])
    repeated = [
        tokens[index + size - 1]
        for index in range(len(tokens) - size + 1)
        if list(tokens[index : index + size - 1]) == prefix
    ]
    forbidden_V = logits_V.clone()
    forbidden_V[repeated] = -math.inf
    return forbidden_V
