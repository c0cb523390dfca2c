"""The queue in front of the engine: turns, bounds, refusals, and clients that go away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest

from mintage.generate.engine import Delta, Engine
from tests.serve.conftest import Serve, connect

CHAT: dict[str, Any] = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Revenue?"}],
    "temperature": 0,  # a greedy answer of the test's model never ends by itself
}


class Paced(Engine):
    """An engine that makes a token only when told to; it counts tokens, and streams that were closed."""

    def __init__(self, engine: Engine):
        super().__init__(engine.model, engine.tokenizer, "tiny")
        self.allowed = threading.Semaphore(0)
        self.made = 0
        self.closed = 0

    def stream(self, *arguments: Any, **settings: Any) -> Iterator[Delta]:
        deltas = super().stream(*arguments, **settings)

        def paced() -> Iterator[Delta]:
            try:
                for delta in deltas:
                    self.allowed.acquire()
                    self.made += 1
                    yield delta
            finally:
                self.closed += 1

        return paced()


@pytest.fixture
def paced(engine: Engine) -> Paced:
    return Paced(engine)


@contextmanager
def serving(serve: Serve, paced: Paced, **limits: int) -> Iterator[tuple[str, openai.OpenAI]]:
    """A server and a client; in the end every token is allowed, so that the engine's thread can end."""
    with serve(paced, **limits) as address, connect(address) as client:
        try:
            yield address, client
        finally:
            paced.allowed.release(10_000)


def load_of(address: str) -> tuple[int, int]:
    health = httpx.get(f"{address}/health").json()
    return health["active"], health["waiting"]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def in_background(call: Callable[[], Any]) -> threading.Thread:
    def quietly() -> None:
        with pytest.raises((openai.APIError, httpx.HTTPError)):
            call()

    thread = threading.Thread(target=quietly)
    thread.start()
    return thread


def test_active_streams_take_turns(serve: Serve, paced: Paced) -> None:
    """The second stream is let in after the first one's first token; from then on each makes one in turn."""
    with serving(serve, paced, active_limit=2) as (address, client):
        ask = {**CHAT, "max_tokens": 5, "stream": True, "logprobs": True}
        streams = [client.chat.completions.create(**ask) for _ in range(2)]
        wait_until(lambda: load_of(address) == (1, 1))
        paced.allowed.release(7)
        wait_until(lambda: paced.made == 7)
        for stream, tokens in zip(streams, (4, 3)):
            chunks = iter(stream)
            got = 0
            while got < tokens:
                got += bool(next(chunks).choices[0].logprobs)


def test_what_finds_the_queue_full_is_refused_with_a_time_to_come_back(serve: Serve, paced: Paced) -> None:
    with serving(serve, paced, active_limit=1, waiting_limit=1) as (address, client):
        streams = [client.chat.completions.create(**CHAT, max_tokens=2, stream=True) for _ in range(2)]
        wait_until(lambda: load_of(address) == (1, 1))
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(**CHAT, max_tokens=2)
        assert caught.value.code == "queue_full"
        assert int(caught.value.response.headers["retry-after"]) >= 1
        paced.allowed.release(4)
        for stream in streams:
            assert [chunk.choices[0].finish_reason for chunk in stream][-1] == "length"
        paced.allowed.release(2)
        assert client.chat.completions.create(**CHAT, max_tokens=2).usage.completion_tokens == 2


def test_choices_are_admitted_together_or_not_at_all(serve: Serve, paced: Paced) -> None:
    with serving(serve, paced, active_limit=1, waiting_limit=2) as (address, client):
        stream = client.chat.completions.create(**CHAT, max_tokens=1, stream=True)
        wait_until(lambda: load_of(address) == (1, 0))
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(**CHAT, max_tokens=1, n=3)
        assert load_of(address) == (1, 0)
        with pytest.raises(openai.BadRequestError, match="at most 3"):
            client.chat.completions.create(**CHAT, max_tokens=1, n=4)
        paced.allowed.release(1)
        list(stream)


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
@pytest.mark.parametrize("streamed", [True, False])
def test_a_client_that_goes_away_frees_the_engine_within_a_token(
    serve: Serve, paced: Paced, path: str, streamed: bool
) -> None:
    body = {"model": "tiny", "stream": streamed, "max_tokens": 200, "temperature": 0}
    body |= {"messages": CHAT["messages"]} if path == "chat/completions" else {"prompt": "Revenue"}
    with serving(serve, paced) as (address, _):
        request = in_background(lambda: httpx.post(f"{address}/v1/{path}", json=body, timeout=0.5))
        wait_until(lambda: load_of(address) == (1, 0))
        paced.allowed.release(2)
        request.join()  # the client has given up and closed its connection
        made = paced.made
        time.sleep(0.2)
        paced.allowed.release(1)
        wait_until(lambda: load_of(address) == (0, 0))
        assert paced.closed == 1
        assert paced.made <= made + 1


def test_a_client_that_goes_away_while_it_waits_leaves_the_queue(serve: Serve, paced: Paced) -> None:
    with serving(serve, paced, active_limit=1) as (address, client):
        stream = client.chat.completions.create(**CHAT, max_tokens=2, stream=True)
        wait_until(lambda: load_of(address) == (1, 0))
        body = {**CHAT, "max_tokens": 2}
        in_background(lambda: httpx.post(f"{address}/v1/chat/completions", json=body, timeout=0.5)).join()
        wait_until(lambda: load_of(address) == (1, 0))
        paced.allowed.release(2)
        list(stream)
        assert paced.made == 2


def test_a_stream_that_its_reader_closes_ends_in_the_engine(serve: Serve, paced: Paced) -> None:
    with serving(serve, paced) as (address, client):
        stream = client.chat.completions.create(**CHAT, stream=True)
        paced.allowed.release(3)
        next(iter(stream))
        stream.close()
        time.sleep(0.2)
        paced.allowed.release(1)
        wait_until(lambda: load_of(address) == (0, 0))
        assert paced.made <= 4
