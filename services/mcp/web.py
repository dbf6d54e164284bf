"""The MCP server over HTTP: this machine only, and only for who shows the token.

A web page in a browser on this machine must not reach it either: requests that name another host
(DNS rebinding) or come from a page are refused before the protocol sees them.
"""

from __future__ import annotations

import hmac
import socket

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.mcp.server import make_server
from services.mcp.tools import ToolSource

HOST = "127.0.0.1"
PATH = "/mcp"
MAX_BODY_BYTES = 64 * 1024
MAX_CONNECTIONS = 32
STOP_S = 2


class Bearer:
    """Lets a request pass that carries the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._wanted = b"Bearer " + token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Beside requests there is only the start and end of the server itself: no web sockets.
        if scope["type"] == "http" and not self._shown(scope):
            answer = PlainTextResponse(
                "a bearer token is wanted\n", 401, {"WWW-Authenticate": "Bearer"}
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _shown(self, scope: Scope) -> bool:
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(shown) == 1 and hmac.compare_digest(shown[0], self._wanted)


def make_app(source: ToolSource, port: int, token: str, version: str = "") -> ASGIApp:
    """The whole web application."""
    hosts = [f"{HOST}:{port}", f"localhost:{port}"]
    app = make_server(source, version).streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MAX_BODY_BYTES,
        transport_security=TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[]),
    )
    return Bearer(app, token)


def serve_http(source: ToolSource, listening: socket.socket, token: str, version: str = "") -> None:
    """Serve on a socket of ``listen`` until SIGINT or SIGTERM."""
    port = int(listening.getsockname()[1])
    config = uvicorn.Config(
        make_app(source, port, token, version),
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=STOP_S,
        lifespan="on",
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listening])


def listen(port: int) -> socket.socket:
    """A loopback socket; 0 takes a free port. Raises OSError when the port is taken."""
    return socket.create_server((HOST, port))
