"""The table of functions: what it takes, what it refuses, and how it is shown to a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.colors import NAMES
from services.language.arguments import Color
from services.language.calls import Call
from services.language.functions import FUNCTIONS, CallError, checked, read_call, tools


@pytest.mark.parametrize(
    ("name", "given_", "call"),
    [
        ("HassTurnOn", {"name": "bed light"}, Call.of("HassTurnOn", name="bed light")),
        ("HassLightSet", {"domain": ["light"], "brightness": 50},
         Call.of("HassLightSet", domain="light", brightness=50)),
        ("HassClimateSetTemperature", {"temperature": 21.5},
         Call.of("HassClimateSetTemperature", temperature="21.5")),
        ("HassClimateSetTemperature", {"temperature": 21.0},
         Call.of("HassClimateSetTemperature", temperature=21)),
        ("LinnetArithmetic", {"left": "2.50", "operator": "plus", "right": -3},
         Call.of("LinnetArithmetic", left="2.5", operator="plus", right=-3)),
        ("LinnetSetText", {"name": "sign", "value": "42"},
         Call.of("LinnetSetText", name="sign", value="42")),
        ("LinnetSetAlarm", {"time": "07:30", "days": "mon,tue"},
         Call.of("LinnetSetAlarm", time="07:30", days="mon,tue")),
        ("HassNevermind", {}, Call.of("HassNevermind")),
    ],
)  # fmt: skip
def test_a_call_is_read_into_its_canonical_form(
    name: str, given_: dict[str, object], call: Call
) -> None:
    assert read_call(name, given_) == call
    assert checked(call) == call


@pytest.mark.parametrize(
    ("name", "given_", "why"),
    [
        ("HassDance", {}, "no such function"),
        ("HassTurnOn", {}, "needs one of"),
        ("HassTurnOn", {"name": 3}, "name: "),
        ("HassTurnOn", {"entity_id": "light.x"}, "an argument it does not take"),
        ("HassTurnOn", {"domain": "spaceship"}, "domain: "),
        ("HassLightSet", {"name": "lamp"}, "needs one of brightness"),
        ("HassLightSet", {"name": "lamp", "brightness": 101}, "brightness: "),
        ("HassLightSet", {"name": "lamp", "brightness": "50"}, "brightness: "),
        ("HassLightSet", {"name": "lamp", "brightness": True}, "brightness: "),
        ("HassLightSet", {"name": "lamp", "color": "loud"}, "color: "),
        ("HassClimateSetTemperature", {"temperature": True}, "temperature: "),
        ("HassClimateSetTemperature", {"temperature": float("nan")}, "temperature: "),
        ("HassStartTimer", {}, "needs hours"),
        ("LinnetArm", {"mode": "disarm"}, "mode: "),
        ("LinnetSetAlarm", {"time": "25:00"}, "time: "),
        ("LinnetReminder", {"text": "tea", "time": "07:30", "minutes": 3}, "needs either"),
    ],
)
def test_what_no_function_takes_is_refused_with_the_reason(
    name: str, given_: dict[str, object], why: str
) -> None:
    with pytest.raises(CallError, match=why):
        read_call(name, given_)


SECRET = "xyzzy-what-somebody-said"


@given(
    st.sampled_from([*FUNCTIONS, SECRET]),
    st.dictionaries(
        st.sampled_from(["name", "domain", "brightness", "time", "mode", SECRET]),
        st.sampled_from([SECRET, [SECRET], {SECRET: SECRET}, 1e300, -1, None]),
        min_size=1,
    ),
)
def test_an_error_never_quotes_what_was_given(name: str, given_: dict[str, object]) -> None:
    told = ""
    try:
        read_call(name, given_)
    except CallError as error:
        told = str(error)
    assert SECRET not in told


def test_an_argument_given_twice_is_refused() -> None:
    with pytest.raises(CallError, match="twice"):
        checked(Call("HassTurnOn", (("name", "a"), ("name", "b"))))


def test_every_function_is_a_tool_that_a_model_can_be_shown() -> None:
    shown = {tool["function"]["name"]: tool["function"] for tool in tools()}
    assert shown.keys() == FUNCTIONS.keys()
    for tool in shown.values():
        jsonschema.Draft202012Validator.check_schema(tool["parameters"])
        assert tool["description"]
    assert "null" not in json.dumps(shown)
    light = shown["HassLightSet"]["parameters"]
    assert light["properties"]["brightness"]["maximum"] == 100
    jsonschema.validate({"name": "lamp", "brightness": 50}, light)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "lamp", "volume": 50}, light)


def test_the_colours_of_the_table_are_those_lights_can_be_given() -> None:
    assert set(get_args(Color)) == set(NAMES)


def test_tools_of_others_follow_ours_and_can_never_stand_for_one() -> None:
    @dataclass(frozen=True)
    class Other:
        name: str
        description: str = "d"
        schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})

    ours = tools()
    others = [Other(n) for n in ("HassTurnOn", "a__b", "a__b", "a b__c", "plain", "a__" + "x" * 64)]
    shown = tools(others)
    assert shown[: len(ours)] == ours
    assert [t["function"]["name"] for t in shown[len(ours) :]] == ["a__b"]
