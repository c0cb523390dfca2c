"""Every rule against transformers' own processor, or where there is none against the definition (float64)."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from mintage.errors import MintageError
from mintage.generate import sampling as rules
from mintage.generate.sampling import Sampler, Sampling, SamplingError

processors = pytest.importorskip(
    "transformers.generation.logits_process", reason="transformers is not installed"
)

VOCABULARY = 97


def random_logits(seed: int) -> torch.Tensor:
    return torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 3


def theirs(processor, logits: torch.Tensor, tokens: list[int] | None = None) -> torch.Tensor:
    return processor(torch.tensor([tokens or [0]]), logits[None].clone())[0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 5, 50, 97, 1000])
def test_top_k(seed, k):
    logits = random_logits(seed)
    expected = theirs(processors.TopKLogitsWarper(min(k, VOCABULARY)), logits)
    assert torch.equal(rules.keep_top_k(logits, k), expected)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("p", [0.01, 0.3, 0.9, 0.999])
def test_top_p(seed, p):
    logits = random_logits(seed)
    assert torch.equal(rules.keep_top_p(logits, p), theirs(processors.TopPLogitsWarper(p), logits))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("min_p", [0.001, 0.05, 0.5, 1.0])
def test_min_p(seed, min_p):
    logits = random_logits(seed)
    assert torch.equal(rules.keep_min_p(logits, min_p), theirs(processors.MinPLogitsWarper(min_p), logits))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("penalty", [0.5, 1.2, 3.0])
def test_repetition_penalty(seed, penalty):
    logits = random_logits(seed)
    tokens = torch.randint(VOCABULARY, (30,), generator=torch.Generator().manual_seed(seed)).tolist()
    expected = theirs(processors.RepetitionPenaltyLogitsProcessor(penalty), logits, tokens)
    torch.testing.assert_close(rules.penalise_repetition(logits, tokens, penalty), expected)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [1, 2, 4, 40])
def test_no_repeat_ngram(seed, size, length):
    logits = random_logits(seed)
    tokens = torch.randint(4, (length,), generator=torch.Generator().manual_seed(seed)).tolist()
    expected = theirs(processors.NoRepeatNGramLogitsProcessor(size), logits, tokens)
    assert torch.equal(rules.forbid_repeated_ngrams(logits, tokens, size), expected)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("frequency", "presence"), [(0.7, 0.0), (0.0, 1.5), (-2.0, 0.3)])
def test_frequency_and_presence_penalties(seed, frequency, presence):
    """OpenAI: mu[j] -> mu[j] - c[j] * alpha_frequency - float(c[j] > 0) * alpha_presence."""
    logits = random_logits(seed)
    tokens = torch.randint(8, (30,), generator=torch.Generator().manual_seed(seed)).tolist()
    counts = np.bincount(tokens, minlength=VOCABULARY)
    expected = logits.double().numpy() - counts * frequency - (counts > 0) * presence
    ours = rules.penalise_frequency_and_presence(logits, Counter(tokens), frequency, presence)
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_rules_apply_in_the_order_of_transformers(seed):
    logits = random_logits(seed)
    sampling = Sampling(temperature=1.7, top_k=40, top_p=0.8, min_p=0.02)
    expected = logits
    for processor in (
        processors.TemperatureLogitsWarper(1.7),
        processors.TopKLogitsWarper(40),
        processors.TopPLogitsWarper(0.8),
        processors.MinPLogitsWarper(0.02),
    ):
        expected = theirs(processor, expected)
    ours = rules.candidate_probabilities(logits, sampling)
    torch.testing.assert_close(ours, expected.softmax(-1))


def test_draws_follow_the_distribution():
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    sampler = Sampler(Sampling(temperature=1.0, seed=3), [0], 4)
    draws = 4000
    counts = Counter(sampler.choose(logits)[0] for _ in range(draws))
    for token, probability in enumerate(logits.double().softmax(-1).tolist()):
        deviation = math.sqrt(draws * probability * (1 - probability))
        assert abs(counts[token] - draws * probability) < 4 * deviation


def test_greedy_takes_the_best_token_after_penalties():
    logits = torch.tensor([3.0, 2.9, 0.0])
    sampler = Sampler(Sampling(frequency_penalty=0.15), [0], 3)
    assert [sampler.choose(logits)[0] for _ in range(4)] == [0, 1, 0, 1]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_ids_that_pad_the_vocabulary_are_never_chosen_nor_reported(temperature):
    logits = torch.tensor([0.0, 1.0, 0.5, 50.0, 60.0])
    sampler = Sampler(Sampling(temperature=temperature, seed=0, logprobs=5), [0], 3)
    for _ in range(50):
        token, logprob = sampler.choose(logits)
        assert token < 3
        assert [candidate for candidate, _ in logprob.top] == [1, 2, 0]


def test_logprobs_are_the_models_own_before_penalties_and_temperature():
    logits = random_logits(0)
    sampler = Sampler(
        Sampling(temperature=0.5, top_k=3, repetition_penalty=2.0, seed=1, logprobs=4), [1, 2], 97
    )
    token, logprob = sampler.choose(logits)
    expected = logits.double() - torch.logsumexp(logits.double(), 0)
    assert logprob.token_id == token
    assert logprob.logprob == pytest.approx(float(expected[token]), abs=1e-5)
    best = sorted(range(97), key=lambda index: -expected[index])[:4]
    assert [index for index, _ in logprob.top] == best
    assert [value for _, value in logprob.top] == pytest.approx(expected[best].tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", math.nan),
        ("temperature", "hot"),
        ("top_k", -1),
        ("top_p", 0.0),
        ("top_p", 1.01),
        ("min_p", -0.1),
        ("min_p", 1.1),
        ("frequency_penalty", 2.5),
        ("presence_penalty", -2.5),
        ("repetition_penalty", 0.0),
        ("no_repeat_ngram_size", -1),
        ("stop", "a string"),
        ("stop", ("",)),
        ("seed", 2**63),
        ("logprobs", 21),
        ("logprobs", True),
    ],
)
def test_values_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(SamplingError, match=f"^{field}: ") as error:
        Sampling(**{field: value})
    assert isinstance(error.value, MintageError)
    assert error.value.field == field


def test_every_value_at_its_limit_is_accepted():
    Sampling(max_tokens=1, temperature=2, top_k=0, top_p=1, min_p=1, frequency_penalty=-2, presence_penalty=2)
    Sampling(repetition_penalty=10, no_repeat_ngram_size=0, seed=-(2**63), logprobs=0, stop=("a", "b"))
