"""The work of ``linnet mcp``: open the home, then serve, list or call.

Timers are not offered: this process has no loudspeaker, and ends with whoever started it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict

from services import logs
from services.commands.common import UsageError
from services.exit_codes import ExitCode
from services.home.embedded_broker import EmbeddedBroker
from services.home.simulated import SimulatedHome
from services.mcp import token
from services.mcp.home_tools import HomeTools
from services.mcp.listed import remote_tools
from services.mcp.remote import RemoteTools
from services.mcp.server import serve_stdio
from services.mcp.tools import Together, Tool, ToolError, ToolSource, ToolUnavailable
from services.mcp.web import HOST, PATH, listen, serve_http
from services.owner_map import with_owner_map
from services.settings import Settings
from services.wiring import at_broker, open_home, software_version

CONNECT_WAIT_S = 5.0


def main(args: argparse.Namespace) -> int:
    """Serve until the client leaves or a signal comes; or list, or call, and be done.

    Raises:
        SettingsError, BrokerError, TokenError, UsageError: it cannot begin.
    """
    settings = Settings.load(args.config)
    with ExitStack() as parts:
        if args.simulated:
            broker = parts.enter_context(EmbeddedBroker())
            parts.enter_context(SimulatedHome(broker.address))
            settings = at_broker(settings, broker.address)
        else:
            settings = with_owner_map(settings)
        home = parts.enter_context(open_home(settings, status_topic=None))
        home.wait_connected(CONNECT_WAIT_S)
        home.wait_quiet(CONNECT_WAIT_S)
        own = HomeTools(home, allowed=settings.mcp.allow, language=settings.home.language)
        if args.list or args.call:
            remote = [parts.enter_context(remote_tools(s)) for s in settings.mcp.servers]
            return _list(own, remote, args) if args.list else _call(own, remote, args)
        return _serve(own, settings, args)


def _serve(source: ToolSource, settings: Settings, args: argparse.Namespace) -> int:
    logs.configure(settings.log.level, settings.log.format)
    if args.http is None:
        serve_stdio(source, software_version())
        return ExitCode.OK
    secret = token.read_or_create(settings.mcp.token_file)
    try:
        listening = listen(args.http)
    except (OSError, OverflowError) as error:
        raise UsageError(f"--http {args.http}: cannot listen: {error}") from error
    port = listening.getsockname()[1]
    print(f"http://{HOST}:{port}{PATH}, token in {settings.mcp.token_file}", flush=True)
    serve_http(source, listening, secret, software_version())
    return ExitCode.OK


def _list(own: HomeTools, remote: Iterable[RemoteTools], args: argparse.Namespace) -> int:
    found: list[Tool] = [*own.tools()]
    faults: list[str] = []
    for source in remote:
        try:
            found += source.tools()
        except ToolUnavailable as error:
            faults.append(str(error))
    if args.json:
        print(json.dumps({"tools": [asdict(tool) for tool in found], "faults": faults}))
    else:
        for tool in found:
            print(f"{tool.name:24} {tool.description.splitlines()[0] if tool.description else ''}")
    for fault in faults:
        print(f"linnet mcp: {fault}", file=sys.stderr)
    return ExitCode.CHECK_FAILED if faults else ExitCode.OK


def _call(own: HomeTools, remote: Iterable[RemoteTools], args: argparse.Namespace) -> int:
    name, text = args.call
    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise UsageError("ARGUMENTS is not JSON") from error
    if not isinstance(arguments, dict):
        raise UsageError("ARGUMENTS is not a JSON object")
    try:
        result = Together(own, *remote).call(name, arguments)
    except ToolError as error:
        print(f"linnet mcp: {error}", file=sys.stderr)
        return ExitCode.CHECK_FAILED
    print(json.dumps(asdict(result)) if args.json else result.text)
    return ExitCode.CHECK_FAILED if result.failed else ExitCode.OK
