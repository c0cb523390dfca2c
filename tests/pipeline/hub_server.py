"""A small server that speaks the Hugging Face hub's API: listing, files, redirects to a second host, ranges,
gates."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 2_000  # bytes from which a file is stored elsewhere, as the hub does with its large ones


@dataclass
class Hub:
    """One repository, `owner/name`, and how its hub behaves. `asked` lists every request of a file: the host
    ("hub" or "store"), the file, its Range, and its token."""

    files: dict[str, bytes]
    licence: str | None = "apache-2.0"
    revisions: dict[str, str] = field(default_factory=lambda: {"v1.0": COMMIT})
    token: str | None = None  # files are given only to who brings it
    cut_after: dict[str, list[int]] = field(default_factory=dict)  # by file: bytes before each break
    altered: dict[str, bytes] = field(default_factory=dict)  # what is sent in place of the file
    asked: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    store: str = ""
    commit: str = COMMIT

    def description(self) -> bytes:
        """The answer of /api/models/owner/name."""
        siblings = []
        for name, body in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
            entry: dict[str, object] = {"rfilename": name, "size": len(body), "blobId": blob}
            if len(body) >= LARGE:
                sha256 = hashlib.sha256(body).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(body), "pointerSize": 130}
            siblings.append(entry)
        card = {"license": self.licence} if self.licence else {}
        return json.dumps(
            {"id": "owner/name", "sha": self.commit, "siblings": siblings, "cardData": card}
        ).encode()


def handler(hub: Hub, host: str) -> type[BaseHTTPRequestHandler]:
    """The handler of the hub itself, or of the store that it redirects to."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *values: object) -> None:
            """Nothing: the tests' output is theirs."""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if host == "hub" and path.startswith("/api/models/"):
                self.describe(path.removeprefix("/api/models/"))
            else:
                self.send(path)

        def describe(self, path: str) -> None:
            name, _, revision = path.partition("/revision/")
            if name != "owner/name":
                self.answer(401, b"", {"X-Error-Code": "RepoNotFound"})
            elif revision and revision not in (hub.commit, "main", *hub.revisions):
                self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
            else:
                self.answer(200, hub.description())

        def send(self, path: str) -> None:
            name = path.removeprefix(f"/owner/name/resolve/{hub.commit}/").removeprefix("/blob/")
            bearer = self.headers.get("Authorization")
            hub.asked.append((host, name, self.headers.get("Range"), bearer))
            if name not in hub.files:
                return self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
            if host == "hub" and hub.token and bearer != f"Bearer {hub.token}":
                return self.answer(403 if bearer else 401, b"", {"X-Error-Code": "GatedRepo"})
            body = hub.altered.get(name, hub.files[name])
            if host == "hub" and len(body) >= LARGE:
                return self.answer(302, b"", {"Location": f"{hub.store}/blob/{name}"})
            start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            if start >= len(body):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            ranged = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
            breaks = hub.cut_after.get(name)
            self.answer(206 if start else 200, body[start:], ranged, breaks.pop(0) if breaks else None)

        def answer(
            self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: int | None = None
        ) -> None:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:cut])
            self.close_connection = cut is not None

    return Handler


@contextmanager
def running(hub: Hub) -> Iterator[str]:
    """Serve the hub and its store on two ports of this machine; the hub's address."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler(hub, host)) for host in ("hub", "store")]
    addresses = [f"http://127.0.0.1:{server.server_port}" for server in servers]
    hub.store = addresses[1]
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield addresses[0]
    finally:
        for server, thread in zip(servers, threads):
            server.shutdown()
            server.server_close()
            thread.join()
