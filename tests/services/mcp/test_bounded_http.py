"""A server of the house that means harm: bodies without end, compressed ones, ways out."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import httpx2
import pytest

from services.mcp.bounded_http import BoundedTransport, TooLarge
from services.mcp.remote import RemoteServer, RemoteTools
from services.mcp.tools import ToolUnavailable

BOUND = 10_000
Answer = Callable[[BaseHTTPRequestHandler], None]


def small(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "5")
    request.end_headers()
    request.wfile.write(b"short")


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.end_headers()
    with suppress(OSError):
        while True:
            request.wfile.write(b" " * 4096)


def compressed(request: BaseHTTPRequestHandler) -> None:
    body = gzip.compress(b" " * 10_000_000)
    request.send_response(200)
    request.send_header("Content-Encoding", "gzip")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def way_out(request: BaseHTTPRequestHandler) -> None:
    request.send_response(307)
    request.send_header("Location", "http://192.0.2.1/mcp")
    request.send_header("Content-Length", "0")
    request.end_headers()


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer(self)

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_address[1]}/mcp"
        finally:
            serving.shutdown()
            thread.join()


def fetched(url: str) -> bytes:
    async def fetch() -> bytes:
        transport = BoundedTransport(BOUND)
        async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
            return (await client.get(url)).content

    return anyio.run(fetch)


def test_what_fits_comes_through() -> None:
    with server(small) as url:
        assert fetched(url) == b"short"


@pytest.mark.parametrize("answer", [endless, compressed])
def test_what_does_not_fit_breaks_off(answer: Answer) -> None:
    with server(answer) as url, pytest.raises(TooLarge):
        fetched(url)


@pytest.mark.parametrize("answer", [endless, compressed, way_out, small])
def test_a_server_like_that_is_only_unavailable(answer: Answer) -> None:
    with server(answer) as url:
        remote = RemoteServer("bad", frozenset({"a"}), url=url, timeout_s=20)
        with RemoteTools(remote) as tools, pytest.raises(ToolUnavailable, match="'bad'"):
            tools.tools()
