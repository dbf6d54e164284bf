"""The tools of other servers that the owner listed, asked for by typed lines.

For a process that may reach the house's network; the one that hears never opens this. Nothing is
started before a line names its server. What a tool says comes back as plain text and is never
carried out. A call is bounded by its server's ``timeout_s``, its line and its answer in size.

A typed line that names tool and server is the owner's own word, so there is no question before it,
whatever the tool says of itself; ``mcp.servers`` is where the owner rules tools out. A line that
names no server may still mean a tool: it is asked about first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from services.language.calls import Call
from services.mcp import token
from services.mcp.asked import Asked, arguments, asked, named
from services.mcp.meant import may_be_meant, meant, typed_values
from services.mcp.plain import plain
from services.mcp.remote import RemoteServer, RemoteTools
from services.mcp.tools import Tool, ToolError, ToolResult, ToolSource, ToolUnavailable
from services.settings import McpServer

MAX_MEANT = 8
"""Calls that one line is taken to allow."""


def remote_tools(server: McpServer) -> RemoteTools:
    """The tools of a server of the settings. Raises TokenError."""
    shown = token.read(server.token_file) if server.token_file is not None else None
    return RemoteTools(
        RemoteServer(
            server.name, frozenset(server.tools), server.command, server.url, shown,
            server.timeout_s,
        )
    )  # fmt: skip


class ListedTools:
    """Sources by the owner's names for their servers."""

    def __init__(
        self, sources: Mapping[str, ToolSource], names: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """
        Args:
            names: the tools that the owner listed, by server: what a line may mean is told by
                them, before any server is asked.
        """
        self._sources, self._names = dict(sources), dict(names or {})

    def tools(self) -> Sequence[Tool]:
        """All that can be called now; a server that cannot be reached has none."""
        found: list[Tool] = []
        for server in self._sources:
            found += self._offered(server)
        return found

    def answer(self, line: str) -> str | None:
        """What a line's tool says, or why it does not; None where the line names no server."""
        wanted = asked(line, self._sources)
        if wanted is None:
            return None
        try:
            return _told(wanted, self._call(wanted))
        except ToolUnavailable as error:
            return str(error)
        except ToolError as error:
            return f"{wanted.server}: {error}"

    def meant(self, line: str) -> tuple[Call, ...]:
        """Calls that the words of a line allow, though it names no server; see ``meant``."""
        found: list[Call] = []
        for server, names in self._names.items():
            called = {f"{server}__{name}" for name in names if may_be_meant(line, name)}
            if called:
                calls = (meant(line, t) for t in self._offered(server) if t.name in called)
                found += [call for call in calls if call is not None]
        return tuple(found[:MAX_MEANT])

    def carried_out(self, call: Call) -> str:
        """What the tool of such a call says, or why it does not."""
        server, _, name = call.name.partition("__")
        wanted = Asked(server, name)
        try:
            tool = next((t for t in self._sources[server].tools() if t.name == call.name), None)
            if tool is None:
                raise ToolError("there is no such tool any more")
            return _told(wanted, self._sources[server].call(call.name, typed_values(call, tool)))
        except ToolUnavailable as error:
            return str(error)
        except ToolError as error:
            return f"{server}: {error}"

    def _offered(self, server: str) -> Sequence[Tool]:
        try:
            return self._sources[server].tools()
        except ToolError:
            return ()

    def _call(self, wanted: Asked) -> ToolResult:
        source = self._sources[wanted.server]
        prefix = f"{wanted.server}__"
        offered = {tool.name[len(prefix) :]: tool for tool in source.tools()}
        name = named(wanted.tool, tuple(offered))
        if name is None:
            raise ToolError(f"there is no such tool; there is {_some(offered)}")
        return source.call(prefix + name, arguments(wanted.given, offered[name].schema))


def open_listed(servers: Sequence[McpServer], parts: ExitStack) -> ListedTools:
    """The tools of the settings' servers; they are left when ``parts`` is closed.

    Raises:
        TokenError: a server's token cannot be read.
    """
    listed = [server for server in servers if server.tools]
    return ListedTools(
        {server.name: parts.enter_context(remote_tools(server)) for server in listed},
        {server.name: server.tools for server in listed},
    )


def _told(wanted: Asked, result: ToolResult) -> str:
    words = plain(result.text)
    if not words and result.data:
        words = plain(json.dumps(result.data, ensure_ascii=False))
    if result.failed:
        return f"{wanted.server} could not do that" + (f": {words}" if words else "")
    return words or f"{wanted.server} is done and says nothing"


def _some(names: Mapping[str, object]) -> str:
    return plain(", ".join(sorted(names)[:20])) or "none that you listed"
