"""Tools of another MCP server, as a source like the home's own: listed by the owner, bounded.

The server is foreign: only tools that the owner listed can be called, what it says is text and
JSON and never anything else, and each answer is bounded in time and size. A connection that broke
is opened anew by the next call; a call is never repeated by itself.

Limits: a local program's single line is held whole before its size is known.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import anyio
import httpx2
import mcp_types as protocol
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from services.mcp.addresses import refusal
from services.mcp.bounded_http import BoundedTransport
from services.mcp.tools import Tool, ToolError, ToolResult, ToolUnavailable, UnknownTool

MAX_TOOLS = 64
MAX_PAGES = 8
MAX_CHARACTERS = 16 * 1024
"""Of an answer's text, of its data, and of a schema, each."""
MAX_DESCRIPTION = 1024
MAX_BODY_BYTES = 1024 * 1024

T = TypeVar("T")


@dataclass(frozen=True)
class RemoteServer:
    """Another server, as its owner named it."""

    name: str
    allowed: frozenset[str]
    """Its tools that may be called, by its own names."""
    command: tuple[str, ...] = ()
    url: str | None = None
    token: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0


class RemoteTools:
    """See ``tools.ToolSource``; its tools are called ``<server>__<tool>``. ``close`` it."""

    def __init__(self, server: RemoteServer) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._open: ExitStack | None = None
        self._portal: BlockingPortal | None = None
        self._client: Client | None = None
        self._listed: tuple[Tool, ...] | None = None

    def __enter__(self) -> RemoteTools:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the server; a local program is ended."""
        with self._lock:
            self._disconnect()

    def tools(self) -> tuple[Tool, ...]:
        with self._lock:
            if self._listed is None:
                self._listed = self._ask(self._list)
            return self._listed

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        prefix, _, own = name.partition("__")
        if prefix != self._server.name or own not in self._server.allowed:
            raise UnknownTool("there is no such tool")
        with self._lock:
            result = self._ask(lambda client: client.call_tool(own, dict(arguments)))
        return self._read(result)

    # --- the connection, under the lock ----------------------------------------------------------

    def _ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """Put one question to the server.

        Raises:
            ToolError: it answered that it cannot.
            ToolUnavailable: it did not answer; the connection is closed.
        """
        try:
            portal, client = self._connected()
            return portal.call(partial(self._in_time, question, client))
        except MCPError as error:
            if error.code not in (protocol.CONNECTION_CLOSED, protocol.REQUEST_TIMEOUT):
                raise ToolError(f"{self._name} refused the call (code {error.code})") from None
            raise self._gone(error) from None
        except ToolError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a foreign server's fault becomes
            raise self._gone(error) from None

    async def _in_time(self, question: Callable[[Client], Awaitable[T]], client: Client) -> T:
        with anyio.fail_after(self._server.timeout_s):
            return await question(client)

    def _gone(self, error: Exception) -> ToolUnavailable:
        self._disconnect()
        late = isinstance(error, TimeoutError) or (
            isinstance(error, MCPError) and error.code == protocol.REQUEST_TIMEOUT
        )
        if late:
            why = f"did not answer within {self._server.timeout_s:g} seconds"
        else:
            why = f"cannot be reached or has ended ({type(error).__name__})"
        return ToolUnavailable(f"{self._name} {why}")

    @property
    def _name(self) -> str:
        return f"the MCP server {self._server.name!r}"

    def _connected(self) -> tuple[BlockingPortal, Client]:
        if self._portal is not None and self._client is not None:
            return self._portal, self._client
        with ExitStack() as opened:
            portal = opened.enter_context(start_blocking_portal())
            session: AbstractContextManager[Client]
            session = portal.wrap_async_context_manager(_session(self._server))
            client = opened.enter_context(session)
            self._portal, self._client, self._open = portal, client, opened.pop_all()
        return portal, client

    def _disconnect(self) -> None:
        opened, self._open = self._open, None
        self._portal = self._client = self._listed = None
        if opened is not None:
            try:
                opened.close()
            except Exception:  # noqa: BLE001 - it is gone already, which is what we came for
                return

    # --- what it says ----------------------------------------------------------------------------

    async def _list(self, client: Client) -> tuple[Tool, ...]:
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            found += [self._offered(tool) for tool in page.tools if self._may(tool)]
            cursor = page.next_cursor
            if cursor is None or len(found) >= MAX_TOOLS:
                break
        return tuple(found[:MAX_TOOLS])

    def _may(self, tool: protocol.Tool) -> bool:
        return tool.name in self._server.allowed and _size(tool.input_schema) <= MAX_CHARACTERS

    def _offered(self, tool: protocol.Tool) -> Tool:
        hints = tool.annotations or protocol.ToolAnnotations()
        return Tool(
            f"{self._server.name}__{tool.name}",
            (tool.description or "")[:MAX_DESCRIPTION],
            tool.input_schema,
            read_only=bool(hints.read_only_hint),
            # As the protocol has it: what is not said to be harmless is not.
            destructive=hints.destructive_hint is not False and not hints.read_only_hint,
            idempotent=bool(hints.idempotent_hint),
        )

    def _read(self, result: protocol.CallToolResult) -> ToolResult:
        texts = [part.text for part in result.content if isinstance(part, protocol.TextContent)]
        text, data = "\n".join(texts), result.structured_content
        if len(text) > MAX_CHARACTERS or _size(data) > MAX_CHARACTERS:
            raise ToolError(f"{self._name} answered more than {MAX_CHARACTERS} characters")
        return ToolResult(text, data if isinstance(data, dict) else {}, result.is_error)


@asynccontextmanager
async def _session(server: RemoteServer) -> AsyncIterator[Client]:
    deadline = anyio.current_time() + server.timeout_s
    with anyio.CancelScope(deadline=deadline) as connecting:
        async with _http(server) as http, _client(server, http) as client:
            connecting.deadline = float("inf")
            yield client
    if connecting.cancelled_caught:
        raise TimeoutError


def _client(server: RemoteServer, http: httpx2.AsyncClient) -> Client:
    if server.url is None:
        program, *arguments = server.command
        return Client(StdioServerParameters(command=program, args=arguments), cache=None)
    why = refusal(server.url)
    if why is not None:
        raise ToolUnavailable(f"the URL of {server.name!r} {why}")
    return Client(streamable_http_client(server.url, http_client=http), cache=None)


def _http(server: RemoteServer) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {server.token}"} if server.token else {}
    return httpx2.AsyncClient(
        headers=headers,
        timeout=server.timeout_s,
        transport=BoundedTransport(MAX_BODY_BYTES),
        trust_env=False,  # a proxy of the environment would lead out of the house
    )


def _size(value: object) -> int:
    return len(json.dumps(value)) if value is not None else 0
