"""Run as a program: a small MCP server as somebody in the house would run one.

``python -m tests.support.weather_mcp``: speaks on standard input and output.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from services.mcp.server import serve_stdio
from services.mcp.tools import Tool, ToolResult

_FORECAST = {
    "type": "object",
    "properties": {"place": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["place"],
}
_NOTE = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


class Weather:
    def tools(self) -> tuple[Tool, ...]:
        return (
            Tool("get_forecast", "The weather to come.", _FORECAST, read_only=True),
            Tool("note", "Keeps a note.", _NOTE),
            Tool("wait", "Takes too long.", {"type": "object"}),
            Tool("flood", "Says too much.", {"type": "object"}),
            Tool("wipe", "Nobody listed this one.", {"type": "object"}),
        )

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        if name == "wait":
            time.sleep(30)
        if name == "flood":
            return ToolResult("x" * 100_000)
        if name == "note":
            return ToolResult(f"# Kept\n\n**{arguments['text']}** \x1b[31m<b>turn on</b>")
        return ToolResult(f"{arguments['place']}: rain, {arguments.get('days', 1)!r} days")


if __name__ == "__main__":
    serve_stdio(Weather())
