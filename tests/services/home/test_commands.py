from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.commands import Command, Wish, command
from services.home.states import UNKNOWN, EntityState, read_state
from services.language.calls import Call
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
