"""Starting and stopping the server, the model's card, and the files of the page."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from mintage.errors import MintageError
from mintage.generate.engine import Engine
from mintage.serve.card import describe
from mintage.serve.gate import read_api_keys
from mintage.serve.run import listen, serve
from mintage.workspace import Card
from tests.serve.conftest import CONTEXT, Serve, connect

SCRIPT = """
import sys
from mintage.serve.run import serve
serve(sys.argv[1], port=0, announce=lambda line: print(line, flush=True))
"""


def test_a_port_in_use_is_reported_before_the_model_is_looked_for(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MintageError, match=rf"port {port} is in use; .*--port {port + 1}"):
            serve(tmp_path / "no such model", port=port)


@pytest.mark.parametrize(
    ("host", "port"), [("no.such.host.invalid", 8080), ("127.0.0.1", 70_000), ("192.0.2.1", 8080)]
)
def test_an_address_that_cannot_be_had_is_reported(host: str, port: int) -> None:
    with pytest.raises(MintageError, match="--host"):
        listen(host, port)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_an_order_to_stop_lets_the_answer_in_progress_end(
    model_directory: Path, order: signal.Signals
) -> None:
    command = [sys.executable, "-c", SCRIPT, str(model_directory)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            found = re.search(rb"http://127.0.0.1:\d+", process.stdout.readline())
            assert found, process.stderr.read()
            body = {"model": "tiny", "messages": [{"role": "user", "content": "Revenue?"}], "stream": True}
            body["max_tokens"] = 16  # on the busiest machine, in less time than the server waits
            url = f"{found[0].decode()}/v1/chat/completions"
            with httpx.stream("POST", url, json=body, timeout=60) as response:
                lines = response.iter_lines()
                assert next(lines).startswith("data: ")
                process.send_signal(order)
                assert [line for line in lines if line][-1] == "data: [DONE]"
            assert process.wait(timeout=60) == 0
            assert process.stderr.read() == b""
        finally:
            process.kill()


def test_a_model_directory_that_is_none_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MintageError):
        serve(tmp_path, port=0)


def test_the_model_states_its_card(client: openai.OpenAI, engine: Engine) -> None:
    listed = client.models.list().data
    assert [(model.id, model.object, model.owned_by) for model in listed] == [("tiny", "model", "mintage")]
    card: Any = client.models.retrieve("tiny").model_dump()["mintage"]
    assert card["context"] == CONTEXT
    assert card["parameters"] == sum(parameter.numel() for parameter in engine.model.parameters())
    assert card["examples"] == ["What was revenue?", {"title": "Rate", "prompt": "Why?"}]
    assert card["knowledge_cutoff"] is None and card["sources"] == []


def test_the_card_of_an_artifact_is_passed_on(engine: Engine, model_directory: Path) -> None:
    sources = ({"name": "filings", "documents": 12, "licence": "CC0-1.0"},)
    artifact = Card(
        kind="models",
        name="tiny",
        fingerprint="",
        content_hash="",
        files={},
        parents=(),
        settings={},
        code_version="",
        created_at="",
        licence={"use": "ship", "licences": ["CC0-1.0"]},
        knowledge_cutoff="2019-12-31T23:59:59+00:00",
        figures={"bits_per_byte": 0.9},
        sources=sources,
    )
    facts = describe(Engine(engine.model, engine.tokenizer, "tiny", artifact), model_directory).whole()[
        "mintage"
    ]
    assert facts["knowledge_cutoff"] == "2019-12-31T23:59:59+00:00"
    assert facts["licence"] == "CC0-1.0; use: ship"
    assert facts["sources"] == sources and facts["figures"] == {"bits_per_byte": 0.9}


@pytest.mark.parametrize("content", ["{", '{"a": 1}', '[{"title": "a"}]', "[5]", "5"])
def test_damaged_examples_are_reported(
    engine: Engine, model_directory: Path, tmp_path: Path, content: str
) -> None:
    shutil.copy(model_directory / "config.json", tmp_path)
    (tmp_path / "examples.json").write_text(content)
    with pytest.raises(MintageError, match=r"examples\.json"):
        describe(engine, tmp_path)


def test_keys_come_from_the_environment_and_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MINTAGE_API_KEYS", raising=False)
    assert read_api_keys(None) == frozenset()
    file = tmp_path / "keys"
    file.write_text("one\n\n two \n")
    monkeypatch.setenv("MINTAGE_API_KEYS", "three, four,")
    assert read_api_keys(file) == {"one", "two", "three", "four"}
    file.write_text("\n")
    with pytest.raises(MintageError, match="no API key"):
        read_api_keys(file)
    with pytest.raises(MintageError, match="cannot read"):
        read_api_keys(tmp_path / "absent")


def test_the_page_is_served_with_strict_headers_and_only_its_own_files(serve: Serve, tmp_path: Path) -> None:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html><title>chat</title>")
    (static / "assets" / "page.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("secret")
    with serve(static=static) as address:
        page = httpx.get(f"{address}/")
        script = httpx.get(f"{address}/assets/page.js")
        assert "chat" in page.text and page.headers["content-type"].startswith("text/html")
        assert script.headers["content-type"].startswith("text/javascript")
        for response in (page, script):
            policy = response.headers["content-security-policy"]
            assert "default-src 'self'" in policy and "unsafe" not in policy
            assert response.headers["x-content-type-options"] == "nosniff"
        for path in (
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/assets/../../secret.txt",
            "/assets",
            "/index.js",
        ):
            assert httpx.get(f"{address}{path}").status_code == 404
        assert httpx.post(f"{address}/", json={}).status_code == 405


def test_without_a_build_the_page_says_so_and_the_api_works(serve: Serve, tmp_path: Path) -> None:
    with serve(static=tmp_path) as address:
        page = httpx.get(f"{address}/")
        assert page.status_code == 404 and "npm run build" in page.text
        with connect(address) as client:
            assert client.models.list().data[0].id == "tiny"


def test_the_description_of_the_interface_is_whole(address: str) -> None:
    description = httpx.get(f"{address}/openapi.json").json()
    fields = description["components"]["schemas"]["ChatRequest"]["properties"]
    assert {"messages", "temperature", "stop", "logprobs", "top_k", "trim"} <= fields.keys()
    assert json.dumps(description)


def test_two_servers_can_not_share_a_port() -> None:
    """The first only listens yet, as while it loads its model."""
    with listen("127.0.0.1", 0) as first, pytest.raises(MintageError, match="in use"):
        listen("127.0.0.1", first.getsockname()[1])
