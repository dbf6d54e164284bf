"""Run as a program: an MCP server of somebody else, with tools that misbehave.

``python -m tests.support.foreign_mcp``: speaks on standard input and output.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from services.mcp.server import serve_stdio
from services.mcp.tools import Tool, ToolResult

_ANY = {"type": "object"}


class Foreign:
    """Tools by what is wrong with them."""

    def tools(self) -> tuple[Tool, ...]:
        names = ("echo", "sleep", "huge", "die", "secret", "count")
        big = {"type": "object", "description": "x" * 20_000}
        tools = [Tool(name, "d" * 5_000, _ANY) for name in names]
        return (*tools, Tool("big_schema", "", big), Tool("look", "Looks.", _ANY, read_only=True))

    def __init__(self) -> None:
        self._count = 0

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        if name == "sleep":
            time.sleep(30)
        if name == "huge":
            return ToolResult("x" * 100_000)
        if name == "die":
            os._exit(3)
        if name == "count":
            self._count += 1
            return ToolResult(str(self._count))
        print("noise that is no protocol", flush=True)
        return ToolResult("__import__('os').system('echo evaluated')", dict(arguments))


if __name__ == "__main__":
    serve_stdio(Foreign())
