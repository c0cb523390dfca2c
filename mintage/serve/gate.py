"""What is checked before a request is read: where it is addressed to, its key, its kind and its size."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mintage.errors import MintageError
from mintage.serve.errors import ApiError

KEYS_VARIABLE = "MINTAGE_API_KEYS"
BODY_LIMIT = 1_000_000  # bytes
# What is over the limit is read and thrown away up to here, so that the client gets to read why it was
# refused.
DRAIN_LIMIT = 16_000_000
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


def read_api_keys(file: Path | None) -> frozenset[str]:
    """Keys from a file, one a line, and from the environment variable MINTAGE_API_KEYS, separated by commas.

    Raises:
        MintageError: the file cannot be read, or holds no key.
    """
    keys = {key.strip() for key in os.environ.get(KEYS_VARIABLE, "").split(",")}
    if file is not None:
        try:
            lines = [line.strip() for line in file.read_text().splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise MintageError(f"{file}: cannot read API keys: {error}") from error
        if not any(lines):
            raise MintageError(f"{file}: holds no API key; write one a line, or leave the file out")
        keys.update(lines)
    return frozenset(key for key in keys if key)


class Gate:
    """ASGI middleware in front of the whole app.

    With `loopback_only` the Host header must name this machine: otherwise a web page elsewhere could point
    its own name at 127.0.0.1 and have a visitor's browser read the answers (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, api_keys: frozenset[str], loopback_only: bool):
        self.app = app
        # Digests have equal lengths, so that comparing takes the same time for every wrong key.
        self.digests = [hashlib.sha256(key.encode()).digest() for key in api_keys]
        self.loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self.check(scope["path"], scope["method"], headers)
        except ApiError as error:
            await drain(receive)
            await error.response()(scope, receive, send)
            return
        await self.app(scope, limited(receive), send)

    def check(self, path: str, method: str, headers: Headers) -> None:
        """Raise ApiError where the request's head is reason enough to refuse it."""
        host = headers.get("host", "")
        name = host if host.endswith("]") else host.rsplit(":", 1)[0]
        if self.loopback_only and name.lower() not in LOOPBACK_HOSTS:
            message = (
                f"host '{host}' is not served here; use localhost or 127.0.0.1, or bind to another address"
            )
            raise ApiError(403, message, code="host_not_allowed")
        if self.digests and (path == "/v1" or path.startswith("/v1/")):
            self.check_key(headers.get("authorization", ""))
        if method == "POST":
            kind = headers.get("content-type", "").split(";")[0].strip().lower()
            if kind != "application/json":
                message = f"the Content-Type must be application/json, not '{kind}'"
                raise ApiError(415, message, code="unsupported_content_type")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > BODY_LIMIT:
            raise too_large()

    def check_key(self, authorization: str) -> None:
        """Raise ApiError unless the header carries one of the keys."""
        scheme, _, key = authorization.partition(" ")
        digest = hashlib.sha256(key.strip().encode()).digest()
        matches = [hmac.compare_digest(digest, known) for known in self.digests]
        if scheme.lower() != "bearer" or not any(matches):
            message = "a valid API key is needed, in the header 'Authorization: Bearer KEY'"
            headers = {"WWW-Authenticate": "Bearer"}
            raise ApiError(401, message, code="invalid_api_key", headers=headers)


def too_large() -> ApiError:
    """The refusal of a body over the limit."""
    return ApiError(413, f"the body is larger than {BODY_LIMIT:,} bytes", code="request_too_large")


async def drain(receive: Receive) -> None:
    """Read what is left of the body, up to a limit, and forget it."""
    size = 0
    while size <= DRAIN_LIMIT:
        message = await receive()
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


def limited(receive: Receive) -> Receive:
    """`receive` that refuses a body as soon as more than the limit has arrived (a body need not state its
    length)."""
    size = 0

    async def receive_counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > BODY_LIMIT:
            if message.get("more_body"):
                await drain(receive)
            error = too_large()
            # FastAPI lets only its own exceptions through while it reads a body.
            raise HTTPException(error.status, error.message)
        return message

    return receive_counted
