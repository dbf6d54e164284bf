"""What a tool is, wherever it is carried out: the one form the server offers and the client gives.

Nothing here knows a protocol, so a source can be served, listed or called without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class ToolError(Exception):
    """A tool that was not carried out; the text says which and why, and quotes no argument."""


class UnknownTool(ToolError):
    """No source has a tool of this name."""


class BadArguments(ToolError):
    """The arguments do not fit the tool's schema; nothing was done."""


class ToolRefused(ToolError):
    """It could be done and will not be: the reason says who may."""


class ToolUnavailable(ToolError):
    """Whoever carries it out cannot be reached, has died or did not answer in time."""


@dataclass(frozen=True)
class Tool:
    """One tool as it is offered."""

    name: str
    description: str
    schema: Mapping[str, Any]
    """JSON schema of its arguments: an object."""
    read_only: bool = False
    destructive: bool = False
    """It may undo or endanger something: open a door, end a timer."""
    idempotent: bool = False
    """Twice is as once."""


@dataclass(frozen=True)
class ToolResult:
    """What became of a call."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs; JSON values only."""
    failed: bool = False
    """It was tried and did not come about, or only in part."""


class ToolSource(Protocol):
    """Tools and their execution; both may block, and may be called from any thread."""

    def tools(self) -> Sequence[Tool]:
        """What can be called now. Raises ToolUnavailable."""

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Carry one out. Raises ToolError."""


class Together:
    """Several sources as one; the first that has a name answers to it."""

    def __init__(self, *sources: ToolSource) -> None:
        self._sources = sources

    def tools(self) -> tuple[Tool, ...]:
        found: dict[str, Tool] = {}
        for source in self._sources:
            for tool in source.tools():
                found.setdefault(tool.name, tool)
        return tuple(found.values())

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        for source in self._sources:
            if any(tool.name == name for tool in source.tools()):
                return source.call(name, arguments)
        raise UnknownTool("there is no such tool")
