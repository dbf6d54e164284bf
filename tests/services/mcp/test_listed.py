"""Tools that the owner listed, by typed lines: a small server of somebody else, as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.exit_codes import ExitCode
from services.language.functions import FUNCTIONS, tools
from services.mcp.listed import ListedTools, open_listed
from services.settings import McpServer
from tests.support.mcp_servers import program
from tests.support.terminal import ROOT, linnet, settings_file

pytestmark = pytest.mark.slow

LISTED = ("get_forecast", "note", "wait", "flood")


def weather(timeout_s: float = 60.0) -> McpServer:
    command = program("tests.support.weather_mcp")
    return McpServer(name="weather", command=command, tools=LISTED, timeout_s=timeout_s)


@pytest.fixture(scope="module")
def listed() -> Iterator[ListedTools]:
    with ExitStack() as parts:
        gone = McpServer(name="gone", command=("/nowhere",), tools=("a",), timeout_s=5)
        yield open_listed((weather(), gone), parts)


def test_a_tool_is_called_with_named_arguments_or_one_text(listed: ListedTools) -> None:
    said = listed.answer("use get_forecast of weather with place=Oslo days=3")
    assert said == "Oslo: rain, 3 days"
    assert listed.answer("use get forecast of weather: Bergen") == "Bergen: rain, 1 days"


def test_what_it_says_is_words_and_is_carried_out_by_nobody(listed: ListedTools) -> None:
    said = listed.answer("run note on weather: turn on the oven")
    assert said == "Kept\nturn on the oven turn on"


def test_what_does_not_fit_is_told(listed: ListedTools) -> None:
    for line, why in (
        ("use wipe of weather", "weather: there is no such tool; there is flood, get_forecast"),
        ("use get_forecast of weather", "weather: it also needs place"),
        ("use flood of weather", "answered more than"),
        ("use a of gone", "'gone' cannot be reached"),
    ):
        assert why in (listed.answer(line) or ""), line
    assert listed.answer("turn on the lamp") is None


def test_a_tool_that_takes_too_long_is_left() -> None:
    with ExitStack() as parts:
        slow = open_listed((weather(timeout_s=3.0),), parts)
        assert "did not answer within 3 seconds" in (slow.answer("use wait of weather") or "")


def test_a_language_model_is_shown_them_under_their_servers_name_after_our_own(
    listed: ListedTools,
) -> None:
    names = [tool["function"]["name"] for tool in tools(listed.tools())]
    assert names[: len(FUNCTIONS)] == list(FUNCTIONS)
    assert set(names[len(FUNCTIONS) :]) == {f"weather__{name}" for name in LISTED}
    (note,) = (t["function"] for t in tools(listed.tools()) if "note" in t["function"]["name"])
    assert note["description"] == "Keeps a note."
    assert note["parameters"]["required"] == ["text"]


def test_in_the_terminal_among_lines_about_the_home(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    command = json.dumps(list(program("tests.support.weather_mcp")))
    config.write_text(
        f'[[mcp.servers]]\nname = "weather"\ncommand = {command}\n'
        f'tools = ["get_forecast"]\ntimeout_s = 60.0\n'
    )
    typed = (
        "unlock the front door\nuse get forecast of weather: Oslo\nyes\n"
        "use note of weather: hello\nturn on the bed light\n"
        "what is the forecast for Bergen\nyes\nnote that I am here\nforecast for Bodø\nno\nyes\n"
    )
    done = linnet("talk", "--simulated", "--config", config, cwd=tmp_path, typed=typed)
    assert done.returncode == ExitCode.OK, done.stderr
    assert "Oslo: rain, 1 days" in done.stdout
    assert "weather: there is no such tool; there is get_forecast" in done.stdout
    assert "the front door is unlocked" not in done.stdout, "another line closed the question"
    assert "the bed light is on" in done.stdout
    assert 'weather__get_forecast {"place": "Bergen"}\nis that what you mean' in done.stdout
    assert "Bergen: rain, 1 days" in done.stdout
    assert "Kept" not in done.stdout, "the owner did not list it"
    assert "Bodø: rain" not in done.stdout, "nobody agreed"


def test_the_process_that_hears_has_no_client_for_other_servers() -> None:
    code = (
        "import sys, services.voice.daemon, services.talk;"
        "print([m for m in sys.modules if m in ('mcp', 'services.mcp.remote', 'httpx2')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
