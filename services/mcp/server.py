"""A source of tools as an MCP server, over whatever transport; and over standard input and output.

A tool that fails is an answer, not a protocol error, so that whoever called can read why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import mcp_types as protocol
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from services.mcp.tools import Tool, ToolError, ToolResult, ToolSource

NAME = "linnet"
INSTRUCTIONS = (
    "Controls a home. get_home lists the names of devices and rooms; the other tools take them. "
    "A result says what the devices confirmed: tell nothing else as done."
)
AT_ONCE = 4
"""Calls carried out at the same time; more wait."""


def make_server(source: ToolSource, version: str = "") -> Server[Any]:
    """The server; calls of the source run on threads."""
    limiter: list[anyio.CapacityLimiter] = []

    async def in_thread(work: Callable[[], Any]) -> Any:
        if not limiter:  # needs a running event loop
            limiter.append(anyio.CapacityLimiter(AT_ONCE))
        return await anyio.to_thread.run_sync(work, limiter=limiter[0])

    async def list_tools(
        context: ServerRequestContext[Any], params: protocol.PaginatedRequestParams | None
    ) -> protocol.ListToolsResult:
        found = await in_thread(source.tools)
        return protocol.ListToolsResult(tools=[_offered(tool) for tool in found])

    async def call_tool(
        context: ServerRequestContext[Any], params: protocol.CallToolRequestParams
    ) -> protocol.CallToolResult:
        try:
            work = partial(source.call, params.name, params.arguments or {})
            result: ToolResult = await in_thread(work)
        except ToolError as error:
            return _answer(str(error), None, failed=True)
        return _answer(result.text, dict(result.data), failed=result.failed)

    # The library's own log names what clients send.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    return Server(
        NAME,
        version=version,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def serve_stdio(source: ToolSource, version: str = "") -> None:
    """Serve one client on standard input and output until it closes them.

    While it lasts nothing but the protocol reaches standard output: what is printed by mistake
    goes to standard error.
    """

    async def serve() -> None:
        server = make_server(source, version)
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    anyio.run(serve)


def _offered(tool: Tool) -> protocol.Tool:
    return protocol.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=dict(tool.schema),
        annotations=protocol.ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=False,
        ),
    )


def _answer(text: str, data: dict[str, Any] | None, *, failed: bool) -> protocol.CallToolResult:
    content: list[protocol.ContentBlock] = [protocol.TextContent(type="text", text=text)]
    return protocol.CallToolResult(content=content, structured_content=data, is_error=failed)
