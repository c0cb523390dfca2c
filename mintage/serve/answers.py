"""From the engine's tokens to whole answers and to server-sent events; what chats and raw completions
share."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from mintage.generate.engine import Engine, TokenScore
from mintage.generate.sampling import Sampling, TokenLogprob
from mintage.serve.engine_thread import EngineThread, QueueFull, Ticket, Work
from mintage.serve.errors import ApiError, error_body

CLIENT_CLOSED_REQUEST = 499  # nginx's code; nobody is left to read it

Envelope = dict[str, Any]  # the fields that every chunk, and the whole answer, begin with


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of one choice: a token of the answer, the echo of the prompt, or the whole choice."""

    text: str = ""
    scores: tuple[TokenLogprob | TokenScore, ...] = ()
    tokens: int = 0  # of the answer
    finish_reason: str | None = None

    def __add__(self, other: Piece) -> Piece:
        return Piece(
            self.text + other.text,
            self.scores + other.scores,
            self.tokens + other.tokens,
            other.finish_reason or self.finish_reason,
        )


MakeChoice = Callable[[int, Piece], dict[str, Any]]


def generate(engine: Engine, prompt: Sequence[int], sampling: Sampling) -> Work[Piece]:
    """One choice, token by token."""
    for delta in engine.stream(prompt, sampling):
        yield Piece(delta.text, delta.logprobs or (), len(delta.token_ids), delta.finish_reason)


def submit(thread: EngineThread, works: Sequence[Work[Piece]]) -> Ticket[Piece]:
    """Hand the choices of one request to the engine.

    Raises:
        ApiError: there are more of them than the server takes, or no room for them now.
    """
    if len(works) > thread.capacity:
        message = f"the request asks for {len(works)} answers; this server makes at most {thread.capacity}"
        raise ApiError(400, message, param="n", code="too_many_answers")
    try:
        return thread.submit(works)
    except QueueFull as full:
        headers = {"Retry-After": str(full.retry_after)}
        raise ApiError(429, f"the server is busy: {full}", code="queue_full", headers=headers) from full


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """OpenAI's token counts."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def engine_failure(error: Exception) -> str:
    """What a client reads when the engine failed."""
    return f"the engine failed: {type(error).__name__}: {error}"


async def gather(request: Request, ticket: Ticket[Piece], choices: int) -> list[Piece]:
    """The whole answers of a request; gives the work up when the client goes away.

    Raises:
        ApiError: the engine failed, or nobody is there any more.
    """

    async def collect() -> list[Piece]:
        answers = [Piece()] * choices
        async for index, piece in ticket.results():
            answers[index] += piece
        return answers

    async def client_has_gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    collecting = asyncio.create_task(collect())
    leaving = asyncio.create_task(client_has_gone())
    try:
        await asyncio.wait({collecting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not collecting.done():
            raise ApiError(CLIENT_CLOSED_REQUEST, "the client closed the connection")
        return collecting.result()
    except ApiError:
        raise
    except Exception as error:
        raise ApiError(500, engine_failure(error)) from error
    finally:
        ticket.cancel()
        for task in (collecting, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


class EventStream(StreamingResponse):
    """Server-sent events; however the response ends, the engine's work for it ends too."""

    def __init__(self, events: AsyncIterator[str], ticket: Ticket[Piece]):
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self.ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.ticket.cancel()


async def stream(
    ticket: Ticket[Piece],
    envelope: Envelope,
    first_choices: list[dict[str, Any]],
    make_choice: MakeChoice,
    prompt_tokens: int,
    include_usage: bool,
) -> AsyncIterator[str]:
    """Events of an answer: `first_choices` one by one, a choice for each piece, token counts if asked for,
    `[DONE]`. If the engine fails midway, the last event is an error and there is no `[DONE]`."""
    if include_usage:
        envelope = {**envelope, "usage": None}
    completion_tokens = 0
    for choice in first_choices:
        yield event({**envelope, "choices": [choice]})
    try:
        async for index, piece in ticket.results():
            completion_tokens += piece.tokens
            if piece.text or piece.scores or piece.finish_reason:
                yield event({**envelope, "choices": [make_choice(index, piece)]})
    except Exception as error:
        yield event(error_body(500, engine_failure(error)))
        return
    if include_usage:
        yield event({**envelope, "choices": [], "usage": usage(prompt_tokens, completion_tokens)})
    yield "data: [DONE]\n\n"


def event(data: dict[str, Any]) -> str:
    """One event. The JSON is ASCII: some clients cut lines at separators that only Unicode knows."""
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n"
