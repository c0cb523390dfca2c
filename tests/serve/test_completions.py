"""POST /v1/completions through the official client: prompts, echo, and scores as lm-eval asks for them."""

from __future__ import annotations

import math
from typing import Any

import openai
import pytest
import torch

from mintage.generate.engine import Engine
from mintage.generate.sampling import Sampling
from tests.serve.conftest import CONTEXT

PROMPT = "Die Bilanzsumme stieg auf € 12,3 Mrd."


def complete(client: openai.OpenAI, **fields: Any) -> Any:
    return client.completions.create(**{"model": "tiny", "prompt": PROMPT, "temperature": 0} | fields)


def test_a_completion_is_the_engines_own_and_has_openais_default_length(
    client: openai.OpenAI, engine: Engine
) -> None:
    answer = complete(client)
    assert answer.choices[0].text == engine.complete(PROMPT, Sampling(max_tokens=16)).text
    assert answer.usage.completion_tokens == 16
    assert answer.usage.prompt_tokens == len(engine.tokenizer.encode(PROMPT))


def test_token_ids_and_their_text_give_the_same(client: openai.OpenAI, engine: Engine) -> None:
    by_ids = complete(client, prompt=engine.tokenizer.encode(PROMPT))
    assert by_ids.choices[0].text == complete(client).choices[0].text


@pytest.mark.parametrize("as_ids", [False, True])
def test_many_prompts_are_answered_in_order(client: openai.OpenAI, engine: Engine, as_ids: bool) -> None:
    prompts = ["Revenue", "", "The committee"]
    given: Any = [engine.tokenizer.encode(prompt) or [0] for prompt in prompts] if as_ids else prompts
    answer = complete(client, prompt=given, n=2, seed=4, temperature=1, max_tokens=6)
    assert [choice.index for choice in answer.choices] == list(range(6))
    for number, prompt in enumerate(prompts):
        for choice in range(2):
            alone = engine.complete(prompt, Sampling(max_tokens=6, temperature=1, seed=4 + choice))
            assert answer.choices[2 * number + choice].text == alone.text


def test_a_streamed_completion_is_the_whole_one(client: openai.OpenAI) -> None:
    fields = {"echo": True, "logprobs": 2, "max_tokens": 30, "n": 2, "temperature": 1, "seed": 8}
    whole = complete(client, **fields)
    chunks = list(complete(client, **fields, stream=True, stream_options={"include_usage": True}))
    for index in range(2):
        choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
        assert "".join(choice.text for choice in choices) == whole.choices[index].text
        for field in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
            streamed = [value for choice in choices for value in getattr(choice.logprobs, field)]
            assert streamed == getattr(whole.choices[index].logprobs, field)
    assert chunks[-1].usage == whole.usage


def test_echo_with_no_new_token_scores_the_prompt(client: openai.OpenAI, engine: Engine) -> None:
    """The reference is one plain forward over the prompt."""
    ids = engine.tokenizer.encode(PROMPT)
    with torch.no_grad():
        logprobs_TV = engine.model.logits(engine.model(torch.tensor([ids])))[0].log_softmax(-1)
    answer = complete(client, echo=True, logprobs=2, max_tokens=0)
    logprobs = answer.choices[0].logprobs
    assert answer.choices[0].text == PROMPT
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 0
    assert logprobs.token_logprobs[0] is None and logprobs.top_logprobs[0] is None
    expected = logprobs_TV[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].tolist()
    assert logprobs.token_logprobs[1:] == pytest.approx(expected, abs=1e-5)
    best = logprobs_TV[:-1, : engine.tokenizer.vocab_size].max(-1).values.tolist()
    assert [max(top.values()) for top in logprobs.top_logprobs[1:]] == pytest.approx(best, abs=1e-5)
    for token, offset in zip(logprobs.tokens, logprobs.text_offset):
        assert token.startswith("bytes:") or PROMPT[offset:].startswith(token)


def test_lm_evals_request_gives_the_likelihood_of_a_continuation(
    client: openai.OpenAI, engine: Engine
) -> None:
    """lm-eval sends context and continuation as ids with echo and one new token, sums the scores from the
    context's length up to the last but one, and calls a token greedy where its score is the best of its
    alternatives."""
    tokenizer = engine.tokenizer
    context = tokenizer.encode("Revenue rose to")
    greedy = list(engine.complete(context, Sampling(max_tokens=5)).token_ids)
    other = tokenizer.encode(" 1,234 million")
    prompts = [context + greedy, context + other]
    answer = complete(client, prompt=prompts, echo=True, logprobs=1, max_tokens=1, seed=1234)
    for choice, continuation, is_greedy in zip(answer.choices, (greedy, other), (True, False)):
        scores = choice.logprobs.token_logprobs[len(context) : -1]
        tops = choice.logprobs.top_logprobs[len(context) : -1]
        ids = context + continuation
        with torch.no_grad():
            logprobs_TV = engine.model.logits(engine.model(torch.tensor([ids])))[0].log_softmax(-1)
        reference = sum(
            logprobs_TV[len(context) - 1 + n, token].item() for n, token in enumerate(continuation)
        )
        assert sum(scores) == pytest.approx(reference, abs=1e-4)
        assert all(score == max(top.values()) for score, top in zip(scores, tops)) == is_greedy


def test_the_chosen_token_is_among_its_alternatives(client: openai.OpenAI) -> None:
    logprobs = complete(client, temperature=1.5, seed=2, logprobs=0).choices[0].logprobs
    for token, score, top in zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs):
        assert top == {token: score} and math.isfinite(score)


def test_a_prompt_may_fill_the_context_only_where_nothing_shall_follow(client: openai.OpenAI) -> None:
    full = [10] * CONTEXT
    scored = complete(client, prompt=full, echo=True, logprobs=0, max_tokens=0)
    assert len(scored.choices[0].logprobs.tokens) == CONTEXT
    for prompt in (full, "Revenue rose. " * 300):
        with pytest.raises(openai.BadRequestError, match=str(CONTEXT)) as caught:
            complete(client, prompt=prompt)
        assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "prompt")
