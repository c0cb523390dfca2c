"""The server's tax: tokens per second through HTTP and server-sent events, divided by the bare engine's loop.

Both sides answer the same prompts greedily with the same model (random weights in the quickstart's shape) in
the process and with the same number of threads, in turns; the server's clients run in a process of their own.
Wall clocks on a busy machine say little, so tokens per second of processor time of the serving process are
reported too.

    OMP_NUM_THREADS=1 python bench/serve.py [--streams 1 4] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from mintage.generate.engine import Engine, load
from mintage.generate.sampling import Sampling
from mintage.model import huggingface
from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.serve.app import create_app
from mintage.serve.card import describe
from mintage.serve.run import running
from mintage.tokens.tokenizer import CONTROL_TOKENS, TokenizerSettings, train

TOKENS = 150
PROMPT = [{"role": "user", "content": "Revenue of Acme in 2019 was 1,234 million. What was revenue?"}]

CLIENT = """
import http.client, json, sys, threading
address, streams, body = sys.argv[1].removeprefix("http://"), int(sys.argv[2]), sys.argv[3]
def ask():
    connection = http.client.HTTPConnection(address)
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    assert b"[DONE]" in connection.getresponse().read()
print("ready", flush=True)
for _ in sys.stdin:
    threads = [threading.Thread(target=ask) for _ in range(streams)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print("done", flush=True)
"""


def small_model(directory: Path) -> Engine:
    """Random weights in about the quickstart's shape, without a preference for control tokens."""
    text = "Revenue of Acme was 1,234 million."
    tokenizer = train(TokenizerSettings(vocab_size=300, min_frequency=1), [text])
    tokenizer.save(directory)
    config = ModelConfig(
        vocab_size=4096,
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=32,
        tie_word_embeddings=False,
    )
    model = Transformer(config)
    initialize(model, 0)
    with torch.no_grad():
        model.lm_head.weight[: len(CONTROL_TOKENS)] = 0
    huggingface.save(model, directory, directory)
    return load(directory)


def bare(engine: Engine, streams: int) -> None:
    """The same answers without a server: one step of each stream in turn."""
    going = [engine.stream(PROMPT, Sampling(max_tokens=TOKENS)) for _ in range(streams)]
    while going:
        going = [stream for stream in going if next(stream, None) is not None]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "small"
        engine = small_model(directory)
        body = {"model": "small", "messages": PROMPT, "temperature": 0, "max_tokens": TOKENS, "stream": True}
        with running(create_app(engine, describe(engine, directory))) as address:
            for streams in arguments.streams:
                measure(engine, address, streams, arguments.rounds, json.dumps(body))


def measure(engine: Engine, address: str, streams: int, rounds: int, body: str) -> None:
    """Print both rates, medians of the rounds, and their ratios."""
    command = [sys.executable, "-c", CLIENT, address, str(streams), body]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None and client.stdout is not None
        client.stdout.readline()

        def served() -> None:
            assert client.stdin is not None and client.stdout is not None
            print("go", file=client.stdin, flush=True)
            client.stdout.readline()

        rates: dict[str, list[tuple[float, float]]] = {"bare": [], "served": []}
        for round_number in range(rounds + 1):
            for name, run in (("bare", lambda: bare(engine, streams)), ("served", served)):
                wall, processor = time.perf_counter(), time.process_time()
                run()
                spent = time.perf_counter() - wall, time.process_time() - processor
                if round_number:  # the first round warms up
                    rates[name].append((streams * TOKENS / spent[0], streams * TOKENS / spent[1]))
        client.stdin.close()
    for index, clock in enumerate(("wall clock", "processor time")):
        one, other = (statistics.median(rate[index] for rate in rates[name]) for name in ("bare", "served"))
        ratios = [s[index] / b[index] for s, b in zip(rates["served"], rates["bare"])]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(
            f"{streams} streams, {clock}: bare {one:.0f} tokens/s, served {other:.0f} tokens/s, "
            f"ratio {statistics.median(ratios):.2f} ({spread}, {rounds} rounds)"
        )


if __name__ == "__main__":
    main()
