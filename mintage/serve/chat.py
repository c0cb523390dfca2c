"""POST /v1/chat/completions: OpenAI's shapes for an answer to a chat."""

from __future__ import annotations

import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mintage.generate.engine import Engine
from mintage.serve.answers import EventStream, Piece, gather, generate, stream, submit, usage
from mintage.serve.engine_thread import EngineThread
from mintage.serve.logprobs import chat_logprobs
from mintage.serve.prompts import chat_prompt
from mintage.serve.protocol import ChatRequest


async def chat_completion(
    engine: Engine, thread: EngineThread, body: ChatRequest, request: Request
) -> Response:
    """The response to one request, streamed or whole.

    Raises:
        ApiError: the prompt does not fit, the queue is full, or the engine failed.
    """
    max_tokens = body.max_tokens or body.max_completion_tokens or engine.context
    prompt = chat_prompt(engine, body, max_tokens)
    logprobs = (body.top_logprobs or 0) if body.logprobs else None
    choices = body.n or 1
    ends = (engine.tokenizer.end_of_turn_id,)
    samplings = [body.sampling(max_tokens, logprobs, choice, ends) for choice in range(choices)]
    ticket = submit(thread, [generate(engine, prompt, sampling) for sampling in samplings])
    envelope = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": engine.model_id}

    def logprobs_of(piece: Piece) -> dict[str, Any] | None:
        return chat_logprobs(engine.tokenizer, piece.scores) if body.logprobs else None

    def choice_of(index: int, piece: Piece) -> dict[str, Any]:
        return {
            "index": index,
            "delta": {"content": piece.text} if piece.text else {},
            "logprobs": logprobs_of(piece),
            "finish_reason": piece.finish_reason,
        }

    if body.stream:
        envelope["object"] = "chat.completion.chunk"
        first = [
            {
                "index": index,
                "delta": {"role": "assistant", "content": ""},
                "logprobs": None,
                "finish_reason": None,
            }
            for index in range(choices)
        ]
        events = stream(ticket, envelope, first, choice_of, len(prompt), body.include_usage)
        return EventStream(events, ticket)
    answers = await gather(request, ticket, choices)
    return JSONResponse(
        {
            **envelope,
            "object": "chat.completion",
            "choices": [
                {
                    "index": index,
                    "message": {"role": "assistant", "content": answer.text},
                    "logprobs": logprobs_of(answer),
                    "finish_reason": answer.finish_reason,
                }
                for index, answer in enumerate(answers)
            ],
            "usage": usage(len(prompt), sum(answer.tokens for answer in answers)),
        }
    )
