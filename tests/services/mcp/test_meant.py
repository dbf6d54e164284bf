"""Lines that name no server and yet mean one of the tools that the owner listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.language.calls import Call
from services.mcp.listed import ListedTools
from services.mcp.meant import MAX_CHARS, may_be_meant, meant, typed_values
from services.mcp.tools import Tool, ToolResult, ToolUnavailable


def tool(
    name: str, required: tuple[str, ...] = (), read_only: bool = True, **kinds: object
) -> Tool:
    properties = {
        key: {"type": "string", "enum": kind} if isinstance(kind, list) else {"type": kind}
        for key, kind in kinds.items()
    }
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return Tool(f"web__{name}", "A tool.", schema, read_only=read_only)


FORECAST = tool("get_forecast", ("place",), place="string", days="integer")
NOTE = tool("addNote", ("text",), read_only=False, text="string")
RADIO = tool("play_radio", ("station",), read_only=False, station=["jazz", "news"])
BREW = tool("brew", (), read_only=False, litres="number")


@pytest.mark.parametrize(
    ("line", "what", "arguments"),
    [
        ("what is the forecast for Oslo", FORECAST, {"place": "Oslo"}),
        ("forecast for New York for 3 days", FORECAST, {"place": "New York", "days": 3}),
        ("the forecast in Oslo for two days, please", FORECAST, {"place": "Oslo", "days": 2}),
        ("take a note: buy milk for grandma", NOTE, {"text": "buy milk for grandma"}),
        ("play the radio with jazz", RADIO, {"station": "jazz"}),
        ("brew 1.5 litres", BREW, {"litres": "1.5"}),
        ("brew", BREW, {}),
    ],
)
def test_a_call_is_made_of_what_was_typed(
    line: str, what: Tool, arguments: Mapping[str, str | int]
) -> None:
    assert meant(line, what) == Call.of(what.name, **arguments)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("turn on the lamp", FORECAST),  # not its name
        ("what is the forecast", FORECAST),  # an argument is missing
        ("play the radio with birdsong", RADIO),  # not one of its choices
        ("brew coffee", BREW),  # a word that has no place
        ("brew 3 litres 4 times", BREW),  # a number that has none
        ("forecast for Oslo for 1.5 days", FORECAST),  # no whole number
        ("do not take a note: hello", NOTE),
        ("brew 2 litres tomorrow", BREW),
        ("forecast for " + "x" * MAX_CHARS, FORECAST),
    ],
)
def test_what_lacks_something_or_leaves_something_over_means_no_tool(line: str, what: Tool) -> None:
    assert meant(line, what) is None


def test_only_what_reads_may_be_meant_by_a_line_about_later() -> None:
    asked = meant("forecast for Oslo tomorrow", FORECAST)
    assert asked == Call.of("web__get_forecast", place="Oslo tomorrow")


def test_numbers_are_given_in_the_kind_the_tool_wants() -> None:
    call = meant("brew 2 litres", BREW)
    assert call is not None
    assert typed_values(call, BREW) == {"litres": 2.0}
    assert isinstance(typed_values(call, BREW)["litres"], float)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "enum", "properties", "required", "a"]), inner, max_size=3
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.text(max_size=60), JSON)
def test_no_line_and_no_schema_does_harm(line: str, schema: object) -> None:
    body = schema if isinstance(schema, dict) else {"properties": schema, "required": schema}
    found = meant(f"brew {line}", Tool("web__brew", "", body))
    if found is not None:
        assert found.name == "web__brew"
        assert all(isinstance(value, str | int) for value in found.args.values())


class Web:
    """A server of somebody else, which remembers whether it was asked."""

    def __init__(self, *tools: Tool, gone: bool = False) -> None:
        self.offered, self.gone = tools, gone
        self.asked = 0
        self.called: list[tuple[str, Mapping[str, Any]]] = []

    def tools(self) -> tuple[Tool, ...]:
        self.asked += 1
        if self.gone:
            raise ToolUnavailable("the MCP server 'web' cannot be reached")
        return self.offered

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        self.called.append((name, arguments))
        return ToolResult("**done**")


def test_a_server_is_asked_only_when_a_listed_tool_is_spoken_of() -> None:
    web = Web(FORECAST, BREW)
    listed = ListedTools({"web": web}, {"web": ("get_forecast",)})
    assert listed.meant("turn on the lamp") == ()
    assert listed.meant("brew") == (), "the owner did not list it"
    assert web.asked == 0
    (call,) = listed.meant("forecast for Oslo")
    assert web.called == []
    assert listed.carried_out(call) == "done"
    assert web.called == [("web__get_forecast", {"place": "Oslo"})]


def test_a_server_that_is_gone_means_nothing_and_says_so_when_it_is_called() -> None:
    listed = ListedTools({"web": Web(gone=True)}, {"web": ("brew",)})
    assert listed.meant("brew") == ()
    assert "cannot be reached" in listed.carried_out(Call.of("web__brew"))


def test_a_tool_that_was_withdrawn_between_question_and_yes_is_not_called() -> None:
    web = Web()
    listed = ListedTools({"web": web}, {"web": ("brew",)})
    assert listed.carried_out(Call.of("web__brew")) == "web: there is no such tool any more"
    assert web.called == []


def test_a_name_is_spoken_of_by_all_its_words() -> None:
    assert may_be_meant("play some radio", "play_radio")
    assert may_be_meant("take a note", "addNote")
    assert not may_be_meant("play a song", "play_radio")
    assert not may_be_meant("anything", "")
