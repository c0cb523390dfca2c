"""Run the server: take the port, load the model, answer until told to stop."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from mintage.errors import MintageError
from mintage.generate.engine import load
from mintage.serve.app import create_app
from mintage.serve.card import describe
from mintage.serve.gate import KEYS_VARIABLE, read_api_keys

DRAIN_SECONDS = 10  # how long answers in progress may go on after the order to stop


def serve(
    directory: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    api_keys_file: Path | None = None,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve a model until Ctrl-C or SIGTERM; answers in progress then have ten seconds to end.

    The port is taken before the model is loaded, so a port in use is reported at once; requests that come
    during the loading wait. Port 0 takes a free one. `announce` is given the lines that a user should read.

    Raises:
        MintageError: the port is in use or not allowed, the host is unknown, or the directory is not a model.
    """
    with listen(host, port) as listener, end_cleanly_on_sigterm():
        api_keys = read_api_keys(api_keys_file)
        engine = load(directory)
        loopback = is_loopback(listener)
        app = create_app(engine, describe(engine, Path(directory)), api_keys=api_keys, loopback_only=loopback)
        address = address_of(listener)
        announce(f"Chat page   {address}")
        announce(f"OpenAI API  {address}/v1   model: {engine.model_id}")
        if not loopback and not api_keys:
            announce(f"Anyone who can reach this machine can use it: set {KEYS_VARIABLE} to ask for a key")
        announce("Ctrl-C stops the server")
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(configure(app)).run(sockets=[listener])


def configure(app: FastAPI) -> uvicorn.Config:
    """How uvicorn runs the app: quiet, and with a bounded wait at the end."""
    return uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=DRAIN_SECONDS)


@contextlib.contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serve an app from a thread on a free port of this machine while the block runs; yields the address."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(configure(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="mintage-server")
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            yield address_of(listener)
        finally:
            server.should_exit = True
            thread.join()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address.

    Raises:
        MintageError: the port is in use or not allowed, or the host is not an address of this machine.
    """
    try:
        if not 0 <= port < 65536:
            raise OverflowError("a port is a number from 0 to 65535")
        kind = socket.SOCK_STREAM
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, OverflowError) as error:
        place = f"{host}:{port}: not an address to listen on"
        raise MintageError(f"{place} ({error}); try --host 127.0.0.1 --port 8080") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform == "win32":  # there, SO_REUSEADDR would let two servers share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        other = f"choose another with --port N, such as --port {port + 1 if 1024 <= port < 65535 else 8080}"
        if error.errno == errno.EADDRINUSE:
            raise MintageError(f"port {port} is in use; end what uses it, or {other}") from error
        if error.errno == errno.EACCES:
            raise MintageError(f"port {port} needs more rights than this user has; {other}") from error
        raise MintageError(
            f"{host}:{port}: cannot listen there ({error.strerror}); try --host 127.0.0.1"
        ) from error
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach the socket."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def address_of(listener: socket.socket) -> str:
    """The address to type into a browser of this machine."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.contextmanager
def end_cleanly_on_sigterm() -> Iterator[None]:
    """Make SIGTERM end the process with code 0. Once its own shutdown is done, uvicorn raises the signal
    anew, which would otherwise kill the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
