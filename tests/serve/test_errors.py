"""Every refusal: the official client's exception, OpenAI's error object, and a message that names the
place."""

from __future__ import annotations

import itertools
import json
import math
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from mintage.generate.engine import Delta, Engine
from mintage.serve.gate import BODY_LIMIT
from tests.serve.conftest import Serve, connect

CHAT = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Revenue?"}],
    "max_tokens": 4,
    "temperature": 0,
}
RAW = {"model": "tiny", "prompt": "Revenue", "max_tokens": 4, "temperature": 0}


@pytest.fixture(scope="module")
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=30) as http:
        yield http


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": []}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logit_bias": {}}, "logit_bias"),
        ({"max_token": 5}, "max_token"),
        ({"messages": [{"role": "user", "content": "a", "name": "b"}]}, "messages[0].name"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}]},
            "messages[0].content[0].x",
        ),
        ({"stream": True, "stream_options": {"usage": True}}, "stream_options.usage"),
    ],
)
def test_an_unknown_field_is_refused_by_its_name(
    http: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    error = error_of(http.post("/v1/chat/completions", json=CHAT | fields), 400)
    assert (error["param"], error["code"]) == (param, "unknown_parameter")
    assert param in error["message"]


def test_a_misspelt_field_is_told_the_right_one(http: httpx.Client) -> None:
    error = error_of(http.post("/v1/chat/completions", json=CHAT | {"temprature": 1}), 400)
    assert "did you mean 'temperature'?" in error["message"]


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("chat/completions", {"temperature": "0.5"}, "temperature"),
        ("chat/completions", {"temperature": 2.5}, "temperature"),
        ("chat/completions", {"temperature": 1e-40}, "temperature"),
        ("chat/completions", {"temperature": math.nan}, "temperature"),
        ("chat/completions", {"top_p": 1e-320}, "top_p"),
        ("chat/completions", {"repetition_penalty": 1e-300}, "repetition_penalty"),
        ("chat/completions", {"max_tokens": 1.5}, "max_tokens"),
        ("chat/completions", {"max_tokens": True}, "max_tokens"),
        ("chat/completions", {"max_tokens": 0}, "max_tokens"),
        ("chat/completions", {"stream": "yes"}, "stream"),
        ("chat/completions", {"n": 9}, "n"),
        ("chat/completions", {"stop": [1]}, "stop"),
        ("chat/completions", {"stop": ""}, "stop"),
        ("chat/completions", {"top_p": 0}, "top_p"),
        ("chat/completions", {"seed": 2**63}, "seed"),
        ("chat/completions", {"metadata": {"a": 1}}, "metadata"),
        ("chat/completions", {"messages": []}, "messages"),
        ("chat/completions", {"messages": "hello"}, "messages"),
        ("chat/completions", {"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role"),
        ("chat/completions", {"messages": [{"role": "user"}]}, "messages[0].content"),
        ("chat/completions", {"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ("chat/completions", {"messages": [{"role": "assistant", "content": "a"}]}, "messages"),
        ("chat/completions", {"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content"),
        ("completions", {"prompt": [[1], "a"]}, "prompt"),
        ("completions", {"prompt": []}, "prompt"),
        ("completions", {"prompt": [-1]}, "prompt"),
        ("completions", {"prompt": [10**6]}, "prompt"),
        ("completions", {"prompt": [2**70]}, "prompt"),
        ("completions", {"logprobs": 21}, "logprobs"),
        ("completions", {"logprobs": True}, "logprobs"),
        ("completions", {"prompt": ["a"] * 64, "n": 8}, "n"),
    ],
)
def test_a_wrong_value_is_refused_by_its_place(
    http: httpx.Client, path: str, fields: dict[str, Any], param: str
) -> None:
    base = CHAT if path == "chat/completions" else RAW
    content = json.dumps(base | fields)
    response = http.post(f"/v1/{path}", content=content, headers={"Content-Type": "application/json"})
    error = error_of(response, 400)
    assert (error["param"] or "").startswith(param)
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("path", "fields", "names"),
    [
        ("chat/completions", {"top_logprobs": 2}, ("top_logprobs", "logprobs")),
        ("chat/completions", {"max_completion_tokens": 3}, ("max_tokens", "max_completion_tokens")),
        ("chat/completions", {"stream_options": {"include_usage": True}}, ("stream_options", "stream")),
        ("completions", {"max_tokens": 0}, ("max_tokens", "echo")),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    http: httpx.Client, path: str, fields: dict[str, Any], names: tuple[str, str]
) -> None:
    base = CHAT if path == "chat/completions" else RAW
    error = error_of(http.post(f"/v1/{path}", json=base | fields), 400)
    assert all(f"'{name}'" in error["message"] for name in names)
    assert error["param"] in names


@pytest.mark.parametrize("field", ["model", "messages"])
def test_a_missing_field_is_named(http: httpx.Client, field: str) -> None:
    body = {name: value for name, value in CHAT.items() if name != field}
    error = error_of(http.post("/v1/chat/completions", json=body), 400)
    assert (error["param"], error["code"]) == (field, "missing_required_parameter")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b"\xff\xfe", b"[" * 100_000, b'{"\\ud800": 1}'])
def test_what_is_not_a_json_object_is_refused(http: httpx.Client, content: bytes) -> None:
    response = http.post(
        "/v1/chat/completions", content=content, headers={"Content-Type": "application/json"}
    )
    error_of(response, 400)


def test_a_form_is_refused(http: httpx.Client) -> None:
    """A page elsewhere may send forms and plain text to this machine without asking; JSON it may not."""
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        response = http.post("/v1/chat/completions", content=json.dumps(CHAT), headers=headers)
        assert "application/json" in error_of(response, 415)["message"]


def test_user_and_metadata_are_taken_and_change_nothing(client: openai.OpenAI) -> None:
    plain = client.chat.completions.create(**CHAT)
    named = client.chat.completions.create(**CHAT, user="me", metadata={"case": "7"})
    assert plain.choices == named.choices


def test_null_is_the_default(http: httpx.Client) -> None:
    nulls = dict.fromkeys(("n", "stop", "top_p", "stream", "stream_options", "logprobs", "top_k", "trim"))
    plain, with_nulls = (http.post("/v1/chat/completions", json=CHAT | fields) for fields in ({}, nulls))
    assert plain.json()["choices"] == with_nulls.json()["choices"]


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    calls = [
        lambda: client.chat.completions.create(**CHAT | {"model": "gpt-4"}),
        lambda: client.completions.create(**RAW | {"model": "gpt-4"}),
        lambda: client.models.retrieve("gpt-4"),
    ]
    for call in calls:
        with pytest.raises(openai.NotFoundError, match="tiny") as caught:
            call()
        assert caught.value.code == "model_not_found"


def test_wrong_addresses_and_methods_are_refused_in_the_same_shape(http: httpx.Client) -> None:
    assert error_of(http.get("/v1/embeddings"), 404)["code"] == "not_found"
    assert error_of(http.get("/../../etc/passwd"), 404)["code"] == "not_found"
    assert error_of(http.get("/v1/chat/completions"), 405)["code"] == "method_not_allowed"
    assert http.get("/v1/chat/completions").headers["allow"] == "POST"
    error_of(http.delete("/v1/models/tiny"), 405)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(http: httpx.Client, chunked: bool) -> None:
    content = json.dumps(CHAT | {"user": "x" * BODY_LIMIT}).encode()
    parts = (content[start : start + 50_000] for start in range(0, len(content), 50_000))
    headers = {"Content-Type": "application/json"}
    response = http.post("/v1/chat/completions", content=parts if chunked else content, headers=headers)
    assert error_of(response, 413)["code"] == "request_too_large"


def test_another_host_name_is_refused_on_loopback_only(serve: Serve, http: httpx.Client) -> None:
    for host in ("localhost", "127.0.0.1:99", "[::1]:8080", "LOCALHOST:1"):
        assert http.get("/v1/models", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil:80", "[::2]"):
        assert error_of(http.get("/v1/models", headers={"Host": host}), 403)["code"] == "host_not_allowed"
    with serve(loopback_only=False) as address:
        assert httpx.get(f"{address}/v1/models", headers={"Host": "my.server"}).status_code == 200


def test_no_other_origin_is_allowed_to_read(http: httpx.Client) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for response in (
        http.get("/v1/models", headers=headers),
        http.options("/v1/chat/completions", headers=headers),
    ):
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_with_api_keys_the_api_wants_one_and_the_page_and_health_do_not(serve: Serve) -> None:
    with serve(api_keys=frozenset({"first", "second"})) as address:
        for key in ("first", "second"):
            with connect(address, api_key=key) as client:
                client.models.list()
        with connect(address, api_key="wrong") as client:
            for call in (client.models.list, lambda: client.chat.completions.create(**CHAT)):
                with pytest.raises(openai.AuthenticationError) as caught:
                    call()
                assert caught.value.code == "invalid_api_key"
        error_of(httpx.get(f"{address}/v1/models"), 401)
        basic = httpx.get(f"{address}/v1/models", headers={"Authorization": "Basic first"})
        assert error_of(basic, 401)["type"] == "authentication_error"
        assert httpx.get(f"{address}/health").status_code == 200
        assert httpx.get(f"{address}/").status_code != 401


class Failing(Engine):
    """An engine that breaks after three tokens."""

    def stream(self, *arguments: Any, **settings: Any) -> Iterator[Delta]:
        deltas = super().stream(*arguments, **settings)

        def broken() -> Iterator[Delta]:
            yield from itertools.islice(deltas, 3)
            if next(deltas, None):
                raise RuntimeError("out of memory")

        return broken()


def test_a_failure_midway_ends_a_stream_with_an_error_and_without_done(serve: Serve, engine: Engine) -> None:
    with serve(Failing(engine.model, engine.tokenizer, "tiny")) as address, connect(address) as client:
        received = []
        with pytest.raises(openai.APIError, match="out of memory"):
            for chunk in client.chat.completions.create(**CHAT | {"max_tokens": 9}, stream=True):
                received.append(chunk)
        assert received
        raw = httpx.post(f"{address}/v1/completions", json=RAW | {"max_tokens": 9, "stream": True}).text
        assert (
            json.loads(raw.strip().split("\n\n")[-1].removeprefix("data: "))["error"]["type"]
            == "server_error"
        )
        assert "[DONE]" not in raw
        with pytest.raises(openai.InternalServerError, match="out of memory"):
            client.completions.create(**RAW | {"max_tokens": 9})
        assert client.completions.create(**RAW | {"max_tokens": 2}).usage.completion_tokens == 2


@pytest.mark.parametrize(
    "extreme",
    [
        {"temperature": 1e-4, "repetition_penalty": 0.01},
        {"temperature": 2, "top_p": 1e-6, "min_p": 1e-320},
        {"temperature": 1e-4, "repetition_penalty": 10, "frequency_penalty": -2, "presence_penalty": -2},
        {"top_k": 2**70, "no_repeat_ngram_size": 1, "max_tokens": 200},
    ],
)
def test_the_extremes_of_what_is_allowed_give_an_answer(
    client: openai.OpenAI, extreme: dict[str, Any]
) -> None:
    answer = client.chat.completions.create(**CHAT | {"temperature": 1}, extra_body=extreme)
    assert answer.usage.completion_tokens >= 1


def test_garbage_on_the_socket_does_no_harm(http: httpx.Client) -> None:
    with socket.create_connection((http.base_url.host, http.base_url.port)) as connection:
        connection.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        connection.recv(1000)
    assert http.get("/health").json()["status"] == "ok"
