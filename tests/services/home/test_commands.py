from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.commands import Command, NotCommandable, Wish, command, proving_topics
from services.home.entities import Entity
from services.home.states import UNKNOWN, EntityState, read_state
from services.language.calls import Call
from services.language.functions import read_call
from tests.services.home.things import JSON_COLOR, entity


def told(platform: str, asked: Call, **body: object) -> Command:
    return command(entity(platform, command_topic="set", **body), asked)


@pytest.mark.parametrize(
    ("asked", "body", "expected"),
    [
        (Call.of("HassTurnOn"), {}, {"state": "ON"}),
        (Call.of("HassTurnOff"), {}, {"state": "OFF"}),
        (Call.of("HassLightSet", brightness=50), {}, {"state": "ON", "brightness": 128}),
        (Call.of("HassLightSet", brightness=50), {"brightness_scale": 100},
         {"state": "ON", "brightness": 50}),
        (Call.of("HassLightSet", brightness=1), {"brightness_scale": 10},
         {"state": "ON", "brightness": 1}),
        (Call.of("HassLightSet", brightness=0), {}, {"state": "OFF"}),
        (Call.of("HassLightSet", color="green"), {},
         {"state": "ON", "color": {"r": 0, "g": 255, "b": 0}}),
        (Call.of("HassLightSet", color="blue"), {"supported_color_modes": ["hs"]},
         {"state": "ON", "color": {"h": 240, "s": 100}}),
        (Call.of("HassLightSet", color="red"), {"supported_color_modes": ["xy", "color_temp"]},
         {"state": "ON", "color": {"x": 0.6401, "y": 0.33}}),
        (Call.of("HassLightSet", color="red"), {"supported_color_modes": ["rgbww"]},
         {"state": "ON", "color": {"r": 255, "g": 0, "b": 0, "c": 0, "w": 0}}),
    ],
)  # fmt: skip
def test_json_lights(asked: Call, body: dict[str, object], expected: dict[str, object]) -> None:
    ((topic, payload),) = told("light", asked, **{**JSON_COLOR, **body}).messages
    assert (topic, json.loads(payload)) == ("set", expected)


DIMMER = {"brightness_command_topic": "dim", "brightness_scale": 100}


@pytest.mark.parametrize(
    ("asked", "body", "messages"),
    [
        (Call.of("HassTurnOn"), {}, [("set", b"ON")]),
        (Call.of("HassTurnOff"), {"payload_off": "0"}, [("set", b"0")]),
        (Call.of("HassLightSet", brightness=40), DIMMER, [("dim", b"40"), ("set", b"ON")]),
        (Call.of("HassLightSet", brightness=40), {**DIMMER, "on_command_type": "first"},
         [("set", b"ON"), ("dim", b"40")]),
        (Call.of("HassTurnOn"), {**DIMMER, "on_command_type": "brightness"}, [("dim", b"100")]),
        (Call.of("HassTurnOff"), {**DIMMER, "on_command_type": "brightness"}, [("set", b"OFF")]),
        (Call.of("HassLightSet", color="red"), {"rgb_command_topic": "rgb"},
         [("rgb", b"255,0,0"), ("set", b"ON")]),
        (Call.of("HassLightSet", color="blue"), {"hs_command_topic": "hs"},
         [("hs", b"240,100"), ("set", b"ON")]),
    ],
)  # fmt: skip
def test_lights_with_a_topic_for_each_ability(
    asked: Call, body: dict[str, object], messages: list[tuple[str, bytes]]
) -> None:
    assert list(told("light", asked, **body).messages) == messages


def test_switches_and_locks() -> None:
    switch = told("switch", Call.of("HassTurnOn"), payload_on="1")
    assert switch == Command((("set", b"1"),), Wish("on"))
    lock = told("lock", Call.of("HassTurnOn"), payload_lock="CLOSE")
    assert lock == Command((("set", b"CLOSE"),), Wish("locked"))


@given(st.integers(1, 100), st.integers(1, 65535))
def test_a_light_that_does_as_told_is_always_believed(percent: int, scale: int) -> None:
    lamp = entity("light", command_topic="set", **{**JSON_COLOR, "brightness_scale": scale})
    sent = command(lamp, Call.of("HassLightSet", brightness=percent))
    state = read_state(lamp.found.spec, "thing", sent.messages[0][1], UNKNOWN)
    assert state is not None
    assert sent.wish.met_by(state)


def test_a_wish_is_met_by_nothing_less() -> None:
    wish = Wish("on", 50, (0, 255, 0))
    assert wish.met_by(EntityState("on", 51, (10, 250, 10)))
    for state in (
        EntityState("off", 50, (0, 255, 0)),
        EntityState("on", 53, (0, 255, 0)),
        EntityState("on", None, (0, 255, 0)),
        EntityState("on", 50, (255, 0, 0)),
        EntityState("on", 50),
        UNKNOWN,
    ):
        assert not wish.met_by(state)


def obeyed(thing: Entity, asked: Call, topic: str = "thing") -> bool:
    """Whether the device is believed when it tells exactly what it was sent."""
    sent = command(thing, asked)
    state = read_state(thing.found.spec, topic, sent.messages[-1][1], UNKNOWN)
    assert state is not None
    assert proving_topics(thing.found.spec, sent.wish)
    return sent.wish.met_by(state)


@given(st.integers(0, 100), st.integers(-1000, 1000), st.integers(50, 1000), st.booleans())
def test_a_cover_that_does_as_told_is_always_believed(
    percent: int, start: int, span: int, turned: bool
) -> None:
    ends = {"position_closed": start, "position_open": start + span}
    if turned:
        ends = {"position_closed": start + span, "position_open": start}
    cover = entity(
        "cover", state_topic=None, position_topic="thing", set_position_topic="to", **ends
    )
    assert obeyed(cover, Call.of("HassSetPosition", position=percent))
    assert obeyed(cover, Call.of("HassTurnOn"))
    assert obeyed(cover, Call.of("HassTurnOff"))


@given(st.integers(1, 100), st.integers(1, 1000), st.integers(0, 1000))
def test_a_fan_that_does_as_told_is_always_believed(percent: int, low: int, more: int) -> None:
    fan = entity(
        "fan", state_topic=None, command_topic="set", percentage_command_topic="speed",
        percentage_state_topic="thing", speed_range_min=low, speed_range_max=low + more,
    )  # fmt: skip
    asked = Call.of("HassFanSetSpeed", percentage=percent)
    assert obeyed(fan, asked)
    told = command(fan, asked).wish.percentage
    assert told is not None
    assert told >= percent - 1, "never slower than asked, but for rounding"


@given(
    st.floats(5, 35), st.sampled_from([0.1, 0.5, 1.0, 2.0]), st.sampled_from(["C", None]),
)  # fmt: skip
def test_a_thermostat_that_does_as_told_is_always_believed(
    degrees: float, step: float, unit: str | None
) -> None:
    body = {"temperature_unit": unit} if unit else {}
    thermostat = entity(
        "climate", temperature_command_topic="set", temperature_state_topic="thing",
        state_topic=None, min_temp=5, max_temp=35, temp_step=step, **body,
    )  # fmt: skip
    asked = Call.of("HassClimateSetTemperature", temperature=f"{degrees:.2f}")
    assert obeyed(thermostat, asked)
    assert 5 <= float(command(thermostat, asked).messages[0][1]) <= 35


@given(st.floats(-50, 50), st.sampled_from([0.001, 0.25, 1, 7]))
def test_a_number_that_does_as_told_is_always_believed(value: float, step: float) -> None:
    number = entity("number", command_topic="set", min=-50, max=50, step=step)
    assert obeyed(number, Call.of("LinnetSetNumber", value=f"{value:.4f}"))


@pytest.mark.parametrize(
    ("platform", "body", "asked"),
    [
        ("climate", {"temperature_command_topic": "t", "min_temp": 7, "max_temp": 30},
         Call.of("HassClimateSetTemperature", temperature=31)),
        ("climate", {"temperature_command_topic": "t"},
         Call.of("HassClimateSetTemperature", temperature="warm")),
        ("climate", {}, Call.of("HassClimateSetTemperature", temperature=20)),
        ("climate", {"mode_command_topic": "m", "modes": ["heat"]}, Call.of("HassTurnOff")),
        ("climate", {"mode_command_topic": "m"}, Call.of("HassClimateSetHvacMode", mode="eco")),
        ("cover", {"command_topic": "c"}, Call.of("HassSetPosition", position=5)),
        ("cover", {"command_topic": "c", "payload_stop": None}, Call.of("HassStopMoving")),
        ("cover", {"command_topic": "c", "payload_open": None}, Call.of("HassTurnOn")),
        ("cover", {"set_position_topic": "c"}, Call.of("HassSetPosition", position=101)),
        ("valve", {}, Call.of("HassTurnOn")),
        ("fan", {"command_topic": "c"}, Call.of("HassFanSetSpeed", percentage=50)),
        ("light", {"command_topic": "c"}, Call.of("HassLightSet", brightness=50)),
        ("light", {"command_topic": "c"}, Call.of("HassLightSet", temperature=3000)),
        ("light", {"command_topic": "c"}, Call.of("HassLightSet", color="red")),
        ("light", {"command_topic": "c"}, Call.of("HassLightSet", color="ultraviolet")),
        ("lock", {"command_topic": "c", "code_format": "^[0-9]{4}$"}, Call.of("HassTurnOff")),
        ("button", {"command_topic": "c"}, Call.of("HassTurnOff")),
        ("scene", {"command_topic": "c"}, Call.of("HassTurnOff")),
        ("vacuum", {"command_topic": "c", "supported_features": ["stop"]},
         Call.of("HassVacuumStart")),
        ("alarm_control_panel", {"command_topic": "c", "code": "1234"},
         Call.of("LinnetArm", mode="home")),
        ("alarm_control_panel", {"command_topic": "c"}, Call.of("HassTurnOff")),
        ("select", {"command_topic": "c", "options": ["a"]},
         Call.of("LinnetSelectOption", option="b")),
        ("text", {"command_topic": "c", "max": 3}, Call.of("LinnetSetText", value="long")),
        ("text", {"command_topic": "c", "mode": "password"}, Call.of("LinnetSetText", value="a")),
        ("number", {"command_topic": "c"}, Call.of("LinnetSetNumber", value=0)),
        ("humidifier", {"command_topic": "c", "target_humidity_command_topic": "h",
                        "max_humidity": 60}, Call.of("HassHumidifierSetpoint", humidity=70)),
        ("sensor", {}, Call.of("HassTurnOn")),
        ("siren", {}, Call.of("HassTurnOn")),
    ],
)  # fmt: skip
def test_what_a_device_cannot_do_is_refused_and_nothing_is_sent(
    platform: str, body: dict[str, object], asked: Call
) -> None:
    with pytest.raises(NotCommandable):
        command(entity(platform, **body), asked)


def test_a_text_is_set_by_the_argument_that_the_table_of_functions_names() -> None:
    call = read_call("LinnetSetText", {"name": "sign", "value": "back soon"})
    assert told("text", call).messages == (("set", b"back soon"),)


def test_the_code_of_an_alarm_is_not_kept() -> None:
    panel = entity("alarm_control_panel", command_topic="c", code="4711")
    assert "4711" not in repr(panel)


def test_nothing_disarms_an_alarm() -> None:
    panel = entity("alarm_control_panel", command_topic="c", code_arm_required=False)
    for name in ("HassTurnOff", "LinnetArm", "LinnetDisarm", "HassTurnOn"):
        for mode in ("disarm", "off", ""):
            with pytest.raises(NotCommandable):
                command(panel, Call.of(name, mode=mode))
