"""Tools of other servers: ours plays the foreign one, and one that misbehaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.exit_codes import ExitCode
from services.home.embedded_broker import free_port
from services.mcp.remote import MAX_CHARACTERS, MAX_DESCRIPTION, RemoteServer, RemoteTools
from services.mcp.token import read
from services.mcp.tools import Together, ToolError, ToolUnavailable, UnknownTool
from tests.support.mcp_servers import linnet_mcp, program, served_over_http
from tests.support.terminal import linnet, settings_file

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0
FOREIGN = RemoteServer(
    "foreign",
    frozenset({"echo", "sleep", "huge", "die", "big_schema", "look", "count"}),
    program("tests.support.foreign_mcp"),
    timeout_s=PATIENCE_S,
)


@pytest.fixture
def foreign() -> Iterator[RemoteTools]:
    with RemoteTools(FOREIGN) as tools:
        yield tools


def test_our_own_server_is_a_source_like_any_other() -> None:
    allowed = frozenset({"HassTurnOn", "get_home"})
    command = linnet_mcp("--simulated")
    with RemoteTools(RemoteServer("den", allowed, command, timeout_s=PATIENCE_S)) as den:
        tools = {tool.name: tool for tool in den.tools()}
        assert set(tools) == {"den__HassTurnOn", "den__get_home"}
        assert tools["den__get_home"].read_only
        assert not tools["den__get_home"].destructive
        result = Together(den).call("den__HassTurnOn", {"name": "standing light"})
        assert (result.text, result.failed) == ("the standing light is on", False)
        assert result.data["devices"][0]["status"] == "confirmed"
        with pytest.raises(UnknownTool):
            den.call("den__HassTurnOff", {"name": "standing light"})


def test_over_http_with_its_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    config = settings_file(tmp_path, mcp={"token_file": file})
    with served_over_http(config) as url:
        server = RemoteServer(
            "den", frozenset({"get_home"}), url=url, token=read(file), timeout_s=PATIENCE_S
        )
        with RemoteTools(server) as den:
            assert den.call("den__get_home", {}).data["devices"]
        stranger = RemoteTools(replace(server, token="x" * 43))
        with stranger, pytest.raises(ToolError, match="the MCP server 'den'"):
            stranger.tools()
        assert read(file) not in repr(server)


def test_only_listed_tools_exist_and_what_they_say_of_themselves_is_bounded(
    foreign: RemoteTools,
) -> None:
    tools = {tool.name: tool for tool in foreign.tools()}
    assert "foreign__secret" not in tools, "the owner did not list it"
    assert "foreign__big_schema" not in tools
    assert len(tools["foreign__echo"].description) == MAX_DESCRIPTION
    assert tools["foreign__look"].read_only
    for name in ("foreign__secret", "secret", "other__echo", ""):
        with pytest.raises(UnknownTool):
            foreign.call(name, {})


def test_an_answer_is_text_and_is_never_evaluated(
    foreign: RemoteTools, capfd: pytest.CaptureFixture[str]
) -> None:
    result = foreign.call("foreign__echo", {"a": [1, {"b": None}]})
    assert result.text.startswith("__import__")
    assert result.data == {"a": [1, {"b": None}]}
    assert "evaluated" not in capfd.readouterr().out


def test_an_answer_without_end_is_refused_and_the_next_is_heard(foreign: RemoteTools) -> None:
    with pytest.raises(ToolError, match=f"more than {MAX_CHARACTERS} characters"):
        foreign.call("foreign__huge", {})
    assert foreign.call("foreign__echo", {}).text


def test_a_server_that_does_not_answer_is_left() -> None:
    with RemoteTools(FOREIGN) as patient:
        patient.tools()  # starting a program takes longer than answering
        patient._server = replace(FOREIGN, timeout_s=0.5)
        with pytest.raises(ToolUnavailable, match=r"did not answer within 0\.5 seconds"):
            patient.call("foreign__sleep", {})


def test_a_server_that_dies_is_told_and_started_anew_but_its_call_is_not_repeated(
    foreign: RemoteTools,
) -> None:
    assert foreign.call("foreign__count", {}).text == "1"
    with pytest.raises(ToolUnavailable, match="'foreign' cannot be reached or has ended"):
        foreign.call("foreign__die", {})
    assert foreign.call("foreign__count", {}).text == "1", "another process"


def test_a_server_that_cannot_be_started_or_reached_is_named(tmp_path: Path) -> None:
    nothing = RemoteServer("gone", frozenset({"a"}), (str(tmp_path / "none"),), timeout_s=5)
    nobody = RemoteServer(
        "gone", frozenset({"a"}), url=f"http://127.0.0.1:{free_port()}/mcp", timeout_s=5
    )
    for server in (nothing, nobody):
        with RemoteTools(server) as tools, pytest.raises(ToolUnavailable, match="'gone'"):
            tools.tools()


def test_a_url_beyond_the_house_is_not_called_even_if_it_got_past_the_settings() -> None:
    server = RemoteServer("far", frozenset({"a"}), url="http://192.0.2.1/mcp")
    with RemoteTools(server) as tools, pytest.raises(ToolError, match="leads out of the house"):
        tools.tools()


def test_the_terminal_lists_foreign_tools_and_names_what_fails(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    command = json.dumps(list(program("tests.support.foreign_mcp")))
    config.write_text(
        f'[[mcp.servers]]\nname = "foreign"\ncommand = {command}\ntools = ["echo"]\n'
        f"timeout_s = 60.0\n"
        '[[mcp.servers]]\nname = "gone"\ncommand = ["/nowhere"]\ntools = ["a"]\n'
    )
    listed = linnet("mcp", "--simulated", "--list", "--config", config, cwd=tmp_path)
    assert listed.returncode == ExitCode.CHECK_FAILED
    assert "foreign__echo" in listed.stdout
    assert "the MCP server 'gone' cannot be reached" in listed.stderr
