"""The home as tools: what is offered, what is done, what is told, and what is refused."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.desk import Desk
from services.home.executor import Home
from services.home.functions import answer
from services.language.calls import Call
from services.language.functions import tools
from services.language.homeview import HomeView
from services.language.outcome import DeviceResult, Outcome
from services.mcp.home_tools import HomeTools
from services.mcp.tools import BadArguments, ToolError, ToolRefused, ToolResult, UnknownTool
from tests.support.homes import fifteen_devices


class Recorder:
    """A home that does everything, but asks before it unlocks or opens."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.agreed = self.withdrawn = 0
        self.desk = Desk(lambda chime: None)

    def view(self) -> HomeView:
        return fifteen_devices()

    def execute(self, call: Call, *, session: str | None = None) -> Outcome:
        self.calls.append(call)
        if call.args.get("name") == "front door" and call.name == "HassTurnOff":
            return Outcome(call, facts={"unlock": "front door"}, error="needs_confirmation")
        if call.args.get("name") == "everything":
            lamp = DeviceResult("light.lamp", "lamp", "confirmed")
            facts = {"unlock": "front door", "open": "garage door", "answer_s": 10}
            return Outcome(call, (lamp,), facts, "needs_confirmation")
        return answer(call, self.desk) or Outcome(call)

    def withdraw(self) -> None:
        self.withdrawn += 1

    def confirm(self, said: str, session: str) -> Outcome:
        self.agreed += 1
        door = DeviceResult("lock.front_door", "front door", "confirmed")
        return Outcome(self.calls[-1], (door,))


def test_every_tool_has_a_schema_that_is_one_and_a_description() -> None:
    for tool in HomeTools(Recorder(), rings=True).tools():
        jsonschema.Draft202012Validator.check_schema(dict(tool.schema))
        assert tool.schema["type"] == "object"
        assert tool.schema["additionalProperties"] is False
        assert tool.description


def test_hints_tell_looking_from_moving_and_moving_from_opening() -> None:
    tools = {tool.name: tool for tool in HomeTools(Recorder(), rings=True).tools()}
    looking = {name for name, tool in tools.items() if tool.read_only}
    assert looking == {
        "get_home", "HassGetState", "HassClimateGetTemperature", "HassTimerStatus",
        "LinnetAlarmStatus", "LinnetReminderStatus", "HassGetCurrentTime", "HassGetCurrentDate",
        "LinnetArithmetic",
    }  # fmt: skip
    assert not any(tools[name].destructive for name in looking)
    assert tools["HassTurnOff"].destructive, "it unlocks locks"
    assert tools["HassLightSet"].idempotent
    assert not tools["HassLightSet"].destructive
    assert not tools["HassStartTimer"].idempotent
    assert not tools["LinnetAdjust"].idempotent  # each is another step
    assert tools["LinnetAdjust"].destructive  # it can open a gate a little


def test_timers_are_offered_only_where_they_can_be_heard() -> None:
    silent = HomeTools(Recorder())
    assert "HassStartTimer" not in {tool.name for tool in silent.tools()}
    with pytest.raises(UnknownTool):
        silent.call("HassStartTimer", {"minutes": 5})
    assert HomeTools(Recorder(), rings=True).call("HassStartTimer", {"minutes": 5})


def test_a_device_moves_and_only_what_it_confirmed_is_told(tools: HomeTools, home: Home) -> None:
    result = tools.call("HassTurnOn", {"name": "Standing Light"})
    assert (result.text, result.failed) == ("the standing light is on", False)
    (device,) = result.data["devices"]
    assert (device["id"], device["status"]) == ("light.standing_light", "confirmed")
    state = tools.call("HassGetState", {"name": "standing light"})
    assert (state.text, state.data["devices"][0]["state"]) == ("the standing light is on", "on")


def test_what_does_not_exist_is_told_as_failed(tools: HomeTools) -> None:
    result = tools.call("HassTurnOn", {"name": "moon"})
    assert (result.failed, result.data["error"]) == (True, "no_device")


def test_unlocking_is_refused_by_the_home_and_locking_is_not(tools: HomeTools) -> None:
    with pytest.raises(ToolRefused, match=r"needs a yes spoken at the appliance.*mcp\.allow"):
        tools.call("HassTurnOff", {"name": "front door"})
    assert tools.call("HassTurnOn", {"name": "front door"}).text == "the front door is locked"


def test_a_risk_is_taken_only_if_the_owner_listed_it_and_every_one_with_it() -> None:
    home = Recorder()

    def tools(*risks: str) -> HomeTools:
        return HomeTools(home, allowed=risks)

    for allowed in ((), ("open",)):
        with pytest.raises(ToolRefused, match="unlock needs a yes"):
            tools(*allowed).call("HassTurnOff", {"name": "front door"})
    with pytest.raises(ToolRefused, match=r"open and unlock needs a yes.*1 other devices"):
        tools("unlock").call("HassTurnOff", {"name": "everything"})
    assert (home.agreed, home.withdrawn) == (0, 3), "no question stays open"
    result = tools("unlock").call("HassTurnOff", {"name": "front door"})
    assert (home.agreed, result.failed) == (1, False)
    assert result.data["devices"][0]["id"] == "lock.front_door"


def test_get_home_lists_names_and_abilities_but_no_topics(tools: HomeTools) -> None:
    result = tools.call("get_home", {})
    assert json.loads(result.text) == result.data
    lock = next(d for d in result.data["devices"] if d["id"] == "lock.front_door")
    assert (lock["name"], lock["kind"]) == ("front door", "lock")
    assert "topic" not in result.text


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("HassTurnOn", {}, "needs one of name, area"),
        ("HassTurnOn", {"name": 7}, "name: Input should be a valid string"),
        ("HassTurnOn", {"name": "x", "evil": "secret"}, "an argument it does not take"),
        ("HassLightSet", {"name": "x", "brightness": 101}, "brightness: Input should be less"),
        ("HassLightSet", {"name": "x", "brightness": "50"}, "brightness: Input should be a valid"),
        ("HassLightSet", {"name": "x", "color": "secret"}, "color: Input should be .white."),
        ("HassLightSet", {"name": "x"}, "needs one of brightness, color"),
        ("HassGetCurrentTime", {"zone": "secret"}, "an argument it does not take"),
    ],
)
def test_arguments_that_do_not_fit_are_named_and_not_repeated(
    name: str, arguments: dict[str, object], why: str
) -> None:
    home = Recorder()
    with pytest.raises(BadArguments, match=why) as caught:
        HomeTools(home).call(name, arguments)
    assert "secret" not in str(caught.value)
    assert home.calls == []


LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = LEAF | st.lists(LEAF, max_size=3) | st.dictionaries(st.text(max_size=4), LEAF, max_size=3)
KEYS = st.sampled_from(["name", "area", "domain", "brightness", "color", "minutes", "x"])


@given(st.sampled_from([t["function"]["name"] for t in tools()]), st.dictionaries(KEYS, JSON))
def test_any_arguments_end_in_a_result_or_a_reason(name: str, arguments: dict[str, object]) -> None:
    tools = HomeTools(Recorder(), rings=True)
    reason, result = "", None
    try:
        result = tools.call(name, arguments)
    except ToolError as error:
        reason = str(error)
    assert isinstance(result, ToolResult) or reason
