"""``linnet mcp`` as a desktop program starts it: the library's own client, and the raw stream."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from mcp import Client, StdioServerParameters

from services.exit_codes import ExitCode
from tests.support.mcp_servers import linnet_mcp
from tests.support.terminal import linnet, settings_file

T = TypeVar("T")
PATIENCE_S = 60.0

pytestmark = pytest.mark.slow


def with_client(talk: Callable[[Client], Awaitable[T]]) -> T:
    program, *arguments = linnet_mcp("--simulated")

    async def run() -> T:
        with anyio.fail_after(PATIENCE_S):
            async with Client(StdioServerParameters(command=program, args=arguments)) as client:
                return await talk(client)

    return anyio.run(run)


def test_a_client_finds_the_home_moves_a_device_and_is_refused_the_door() -> None:
    async def talk(client: Client) -> None:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert listed["get_home"].annotations is not None
        assert listed["get_home"].annotations.read_only_hint
        assert listed["HassTurnOff"].annotations is not None
        assert listed["HassTurnOff"].annotations.destructive_hint
        assert listed["HassLightSet"].input_schema["properties"]["brightness"]["maximum"] == 100

        home = await client.call_tool("get_home", {})
        assert "standing light" in {d["name"] for d in home.structured_content["devices"]}

        done = await client.call_tool("HassTurnOn", {"name": "standing light"})
        assert not done.is_error
        assert done.content[0].text == "the standing light is on"
        assert done.structured_content["devices"][0]["status"] == "confirmed"

        door = await client.call_tool("HassTurnOff", {"name": "front door"})
        assert door.is_error
        assert "refused" in door.content[0].text

        bright = {"name": "standing light", "brightness": 900}
        wrong = await client.call_tool("HassLightSet", bright)
        assert wrong.is_error
        assert "900" not in wrong.content[0].text
        assert (await client.call_tool("no_such_tool", {})).is_error

    with_client(talk)


def test_standard_output_carries_the_protocol_alone_whatever_is_logged(tmp_path: Path) -> None:
    config = settings_file(tmp_path, log={"level": "debug"})
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {},
                   "clientInfo": {"name": "raw", "version": "1"}},
    }  # fmt: skip
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    call = {
        "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": "HassTurnOn", "arguments": {"name": "standing light"}},
    }  # fmt: skip
    with subprocess.Popen(
        linnet_mcp("--simulated", "--config", config),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        answers = []
        for message in (hello, ready, call):
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            if "id" in message:
                answers.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        rest, log = process.stdout.read(), process.stderr.read()
    assert [answer["id"] for answer in answers] == [1, 2]
    assert answers[1]["result"]["structuredContent"]["error"] is None
    assert rest == ""
    assert "MQTT broker" in log, "it was logged, and elsewhere"
    assert "standing light" not in log


def test_the_terminal_lists_and_calls_tools_too(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    listed = linnet("mcp", "--simulated", "--list", "--config", config, cwd=tmp_path)
    assert listed.returncode == ExitCode.OK
    assert "get_home" in listed.stdout
    arguments = json.dumps({"name": "standing light"})
    called = linnet("mcp", "--simulated", "--call", "HassTurnOn", arguments, cwd=tmp_path)
    assert (called.returncode, called.stdout) == (ExitCode.OK, "the standing light is on\n")
    refused = linnet(
        "mcp", "--simulated", "--call", "HassTurnOff", '{"name": "front door"}', cwd=tmp_path
    )
    assert refused.returncode == ExitCode.CHECK_FAILED
    assert "refused" in refused.stderr
    nonsense = linnet("mcp", "--simulated", "--call", "get_home", "[]", cwd=tmp_path)
    assert nonsense.returncode == ExitCode.USAGE
