"""The web application: routes, the gate in front of them, and the engine's thread behind them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from mintage import __version__
from mintage.generate.engine import Engine
from mintage.serve.card import ModelCard
from mintage.serve.chat import chat_completion
from mintage.serve.completions import completion
from mintage.serve.engine_thread import EngineThread
from mintage.serve.errors import ApiError, add_error_handlers
from mintage.serve.gate import Gate
from mintage.serve.page import STATIC, add_page
from mintage.serve.protocol import FIELD_NAMES, ChatRequest, CompletionRequest

ACTIVE_LIMIT = 8
WAITING_LIMIT = 64


def create_app(
    engine: Engine,
    card: ModelCard,
    *,
    api_keys: frozenset[str] = frozenset(),
    loopback_only: bool = True,
    active_limit: int = ACTIVE_LIMIT,
    waiting_limit: int = WAITING_LIMIT,
    static: Path = STATIC,
) -> FastAPI:
    """The application that serves one engine.

    `active_limit` answers are made in turns, `waiting_limit` more wait; what comes then is refused with 429.
    With `api_keys`, every address under /v1 asks for one of them. `loopback_only` refuses requests that are
    not addressed to this machine by one of its own names.
    """
    thread = EngineThread(active_limit, waiting_limit)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        thread.start()
        yield
        thread.close()

    # FastAPI's own documentation pages load scripts from elsewhere; /openapi.json says the same.
    app = FastAPI(title="Mintage", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(Gate, api_keys=api_keys, loopback_only=loopback_only)
    add_error_handlers(app, FIELD_NAMES)

    def check_model(name: str) -> None:
        if name != engine.model_id:
            message = f"the model '{name}' is not served here; the one that is: '{engine.model_id}'"
            raise ApiError(404, message, param="model", code="model_not_found")

    @app.get("/health")
    async def health() -> Response:
        """Whether the engine works, and how much it has to do."""
        active, waiting = thread.load()
        alive = thread.alive()
        status = {"status": "ok" if alive else "failed", "active": active, "waiting": waiting}
        return JSONResponse(status, 200 if alive else 503)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        """The served model, as a list of one."""
        return {"object": "list", "data": [card.summary()]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        """The served model with its card."""
        check_model(name)
        return card.whole()

    @app.post("/v1/chat/completions", response_model=None)
    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        """An answer to a chat, in OpenAI's shape."""
        check_model(body.model)
        return await chat_completion(engine, thread, body, request)

    @app.post("/v1/completions", response_model=None)
    async def completions(body: CompletionRequest, request: Request) -> Response:
        """Continuations of raw prompts, in OpenAI's shape."""
        check_model(body.model)
        return await completion(engine, thread, body, request)

    add_page(app, static)
    return app
