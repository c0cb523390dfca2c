"""Errors in OpenAI's shape, `{"error": {"message", "type", "param", "code"}}`, whatever went wrong."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response


class ApiError(Exception):
    """A request that is refused, with the HTTP status and the four fields of OpenAI's error object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers

    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return error_body(self.status, self.message, self.param, self.code)

    def response(self) -> Response:
        """The HTTP response."""
        # json.dumps escapes what UTF-8 cannot hold, such as half a surrogate pair in a field's name.
        headers = {"Content-Type": "application/json", **(self.headers or {})}
        return Response(json.dumps(self.body()), self.status, headers)


TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_body(
    status: int, message: str, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """OpenAI's error object; its type follows from the HTTP status."""
    kind = "server_error" if status >= 500 else TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def add_error_handlers(app: FastAPI, field_names: frozenset[str]) -> None:
    """Give every error of the app OpenAI's shape. `field_names` are the names of all request fields; what
    else occurs in a validation error's place is a name of pydantic's for a branch of a union, which means
    nothing to a client."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return error.response()

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return explain(error.errors(), field_names).response()

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        place = f"{request.method} {request.url.path}"
        messages = {404: f"{place}: no such address", 405: f"{place}: this method is not allowed here"}
        codes = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}
        status = error.status_code
        message = messages.get(status, str(error.detail))
        return ApiError(status, message, code=codes.get(status), headers=error.headers).response()

    async def failed(_: Request, error: Exception) -> Response:
        return ApiError(500, f"the server failed: {type(error).__name__}; its log says more").response()

    app.add_exception_handler(ApiError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, failed)


def explain(problems: Any, field_names: frozenset[str]) -> ApiError:
    """One ApiError for the first of pydantic's problems, an unknown field before anything else."""
    first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    place = list(first["loc"][1:])
    if first["type"] == "json_invalid":
        return ApiError(400, f"the body is not valid JSON: {first['ctx']['error']}", code="invalid_json")
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(place[-1]), sorted(field_names), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        param = dotted(place[:-1], field_names, str(place[-1]))
        message = f"unknown or unsupported field '{param}'{hint}"
        return ApiError(400, message, param=param, code="unknown_parameter")
    if first["type"] == "contradiction":
        return ApiError(400, first["msg"], param=first["ctx"]["param"], code="invalid_value")
    param = dotted(place, field_names)
    if not param:
        return ApiError(400, "the body must be a JSON object", code="invalid_type")
    at_place = [problem for problem in problems if dotted(list(problem["loc"][1:]), field_names) == param]
    wishes = list(dict.fromkeys(problem["msg"].removeprefix("Value error, ") for problem in at_place))
    message = f"'{param}': {' or: '.join(wish[:1].lower() + wish[1:] for wish in wishes)}"
    code = "missing_required_parameter" if first["type"] == "missing" else "invalid_value"
    return ApiError(400, message, param=param, code=code)


def dotted(place: list[Any], field_names: frozenset[str], last: str | None = None) -> str | None:
    """`messages[0].content` for ("messages", 0, "content", "str"); None for an empty place."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part in field_names:
            text += f".{part}" if text else part
    if last is not None:
        text += f".{last}" if text else last
    return text or None
