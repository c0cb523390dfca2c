"""The chat page: static files of the package, from this origin only."""

from __future__ import annotations

import functools
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

STATIC = Path(__file__).parent / "static"
ABSENT = """The chat page has not been built into this copy of Mintage. The API works: see /v1/models.
To build the page: cd web && npm ci && npm run build
"""

# Written out, because the types that a machine's registry gives for .js differ.
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def add_page(app: FastAPI, static: Path = STATIC) -> None:
    """Serve index.html at / and every other file of `static` at its own path. No other file can be
    reached."""
    for file in sorted(path for path in static.rglob("*") if path.suffix in TYPES):
        address = file.relative_to(static).as_posix()
        send = functools.partial(send_file, file=file)
        app.add_route("/" if address == "index.html" else f"/{address}", send, include_in_schema=False)
    if not (static / "index.html").is_file():
        app.add_route("/", explain_absence, include_in_schema=False)


async def send_file(_: Request, file: Path) -> Response:
    """One static file. Names do not change from build to build, so a browser asks each time."""
    return FileResponse(file, media_type=TYPES[file.suffix], headers={**HEADERS, "Cache-Control": "no-cache"})


async def explain_absence(_: Request) -> Response:
    """What a visitor reads where the page is not built."""
    return PlainTextResponse(ABSENT, 404, HEADERS)
