"""Typed lines that name a tool of another server, and what they give it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mcp.asked import MAX_CHARS, Asked, arguments, asked, named
from services.mcp.tools import BadArguments

SERVERS = ("weather", "garden_hose")
FORECAST = {
    "type": "object",
    "properties": {
        "place": {"type": "string"},
        "days": {"type": ["integer", "null"]},
        "scale": {"type": "string", "enum": ["C", "F"]},
        "wet": {"type": "boolean"},
        "above": {"type": "number"},
        "hours": {"type": "array"},
    },
    "required": ["place"],
}
NOTE = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("use forecast of weather", Asked("weather", "forecast")),
        ("Please use the tool get forecast of weather: oslo",
         Asked("weather", "get forecast", "oslo")),
        ("run start on garden hose with minutes=5", Asked("garden_hose", "start", "minutes=5")),
        ("call note from weather buy milk of the farm",
         Asked("weather", "note", "buy milk of the farm")),
        ("use forecast of weather without end", Asked("weather", "forecast", "without end")),
    ],
)  # fmt: skip
def test_a_line_names_a_tool_and_its_server(line: str, meant: Asked) -> None:
    assert asked(line, SERVERS) == meant


@pytest.mark.parametrize(
    "line",
    [
        "use the lamp of the hall",
        "turn on the lamp of weather",
        "use forecast of weatherman",
        "use of weather",
        "what can weather do",
        "don't use forecast of weather",
        "use a of weather " + "x" * MAX_CHARS,
    ],
)
def test_what_names_no_server_of_the_owner_is_about_the_home(line: str) -> None:
    assert asked(line, SERVERS) is None


def test_a_tool_is_known_by_its_name_as_one_would_say_it() -> None:
    assert named("Get Forecast", ("get_forecast", "get")) == "get_forecast"
    assert named("get-it", ("get_it", "get-it")) == "get-it"
    assert named("get it", ("get_it", "get-it")) is None, "either may be meant"
    assert named("other", ("get_it",)) is None


def test_values_are_read_by_the_schema() -> None:
    given_ = "place='san jose' days=3 scale=C wet=no above=-1.5"
    assert arguments(given_, FORECAST) == {
        "place": "san jose", "days": 3, "scale": "C", "wet": False, "above": -1.5,
    }  # fmt: skip
    assert arguments("a=1", {"type": "object"}) == {"a": "1"}, "a schema that says nothing"


def test_plain_text_is_for_the_one_text_that_is_needed() -> None:
    assert arguments("oslo, next week's rain", FORECAST) == {"place": "oslo, next week's rain"}
    assert arguments("a=b and more", NOTE) == {"text": "a=b and more"}


@pytest.mark.parametrize(
    ("given_", "schema", "why"),
    [
        ("", FORECAST, "also needs place"),
        ("days=1", FORECAST, "also needs place"),
        ("place=a colour=red", FORECAST, "no argument colour"),
        ("place=a place=b", FORECAST, "given twice"),
        ("place=a days=many", FORECAST, "days must be of the kind integer"),
        ("place=a wet=maybe", FORECAST, "wet must be of the kind boolean"),
        ("place=a above=nan", FORECAST, "above must be of the kind number"),
        ("place=a scale=K", FORECAST, "scale is not one of its choices"),
        ("place=a hours=[1]", FORECAST, "hours cannot be typed"),
        ("some words", {"type": "object"}, "takes no plain text"),
    ],
)
def test_what_does_not_fit_is_named_and_never_quoted(
    given_: str, schema: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadArguments, match=why):
        arguments(given_, schema)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
SCHEMAS = st.fixed_dictionaries({}, optional={
    "properties": JSON | st.dictionaries(st.sampled_from("ab"), st.fixed_dictionaries(
        {"type": st.sampled_from(["string", "integer", "array", ["null"], 3])})),
    "required": JSON | st.lists(st.sampled_from("abc")),
    "additionalProperties": JSON,
})  # fmt: skip


@given(st.text(alphabet="ab=1 '\"\\\n", max_size=20), SCHEMAS)
def test_any_line_and_any_foreign_schema_give_arguments_or_a_reason(
    line: str, schema: dict[str, Any]
) -> None:
    with contextlib.suppress(BadArguments):
        assert all(isinstance(key, str) for key in arguments(line, schema))


@given(st.text(max_size=80))
def test_any_line_is_read(line: str) -> None:
    found = asked("use " + line, SERVERS)
    assert found is None or found.server in SERVERS
