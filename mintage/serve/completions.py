"""POST /v1/completions: OpenAI's shapes for continuations of raw prompts, with the prompt's own scores if
asked for."""

from __future__ import annotations

import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mintage.generate.engine import Engine
from mintage.serve.answers import EventStream, Piece, gather, generate, stream, submit, usage
from mintage.serve.engine_thread import EngineThread, Work
from mintage.serve.logprobs import CompletionLogprobs
from mintage.serve.prompts import raw_prompt
from mintage.serve.protocol import COMPLETION_MAX_TOKENS, CompletionRequest


async def completion(
    engine: Engine, thread: EngineThread, body: CompletionRequest, request: Request
) -> Response:
    """The response to one request, streamed or whole. Choices are numbered prompt by prompt.

    Raises:
        ApiError: a prompt does not fit, the queue is full, or the engine failed.
    """
    max_tokens = COMPLETION_MAX_TOKENS if body.max_tokens is None else body.max_tokens
    prompts = [raw_prompt(engine, prompt, max_tokens) for prompt in body.prompts()]
    works = [
        continue_prompt(engine, prompt, body, max_tokens, choice)
        for prompt in prompts
        for choice in range(body.n or 1)
    ]
    ticket = submit(thread, works)
    prompt_tokens = sum(len(prompt) for prompt in prompts)
    envelope = {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": engine.model_id,
    }
    logprobs = [CompletionLogprobs(engine.tokenizer) for _ in works]

    def choice_of(index: int, piece: Piece) -> dict[str, Any]:
        return {
            "index": index,
            "text": piece.text,
            "logprobs": None if body.logprobs is None else logprobs[index].add(piece.scores),
            "finish_reason": piece.finish_reason,
        }

    if body.stream:
        return EventStream(stream(ticket, envelope, [], choice_of, prompt_tokens, body.include_usage), ticket)
    answers = await gather(request, ticket, len(works))
    return JSONResponse(
        {
            **envelope,
            "choices": [choice_of(index, answer) for index, answer in enumerate(answers)],
            "usage": usage(prompt_tokens, sum(answer.tokens for answer in answers)),
        }
    )


def continue_prompt(
    engine: Engine, prompt: list[int], body: CompletionRequest, max_tokens: int, choice: int
) -> Work[Piece]:
    """One choice, token by token, the prompt before it where `echo` asks for it."""
    if body.echo:
        scores = () if body.logprobs is None else tuple(engine.score(prompt, body.logprobs))
        end = "length" if max_tokens == 0 else None
        yield Piece(engine.tokenizer.decode(prompt), scores, finish_reason=end)
    if max_tokens > 0:
        yield from generate(engine, prompt, body.sampling(max_tokens, body.logprobs, choice))
