from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home import colors
from services.home.states import UNKNOWN, EntityState, read_state
from tests.services.home.things import JSON_COLOR, entity


def read(platform: str, payload: object, **body: object) -> EntityState | None:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read_state(entity(platform, **body).found.spec, "thing", raw, UNKNOWN)


@pytest.mark.parametrize(
    ("platform", "body", "payload", "value"),
    [
        ("switch", {"command_topic": "c"}, b"ON", "on"),
        ("switch", {"command_topic": "c", "state_off": "0"}, b"0", "off"),
        ("lock", {"command_topic": "c"}, b"UNLOCKING", "unlocking"),
        ("lock", {"command_topic": "c", "state_locked": "LOCK"}, b"LOCK", "locked"),
        ("cover", {}, b"opening", "opening"),
        ("binary_sensor", {"device_class": "window"}, b"ON", "open"),
        ("binary_sensor", {"device_class": "lock"}, b"OFF", "locked"),
        ("binary_sensor", {}, b"OFF", "off"),
        ("sensor", {"unit_of_measurement": "°C"}, b"21.46", "21.5 degrees"),
        ("sensor", {"unit_of_measurement": "%"}, b"54", "54 percent"),
        ("sensor", {"unit_of_measurement": "furlongs"}, b"-3.0", "-3 furlongs"),
        ("sensor", {}, b"Raining cats & dogs", "raining cats and dogs"),
    ],
)
def test_what_a_device_says_becomes_what_can_be_told(
    platform: str, body: dict[str, object], payload: bytes, value: str
) -> None:
    assert read(platform, payload, **body) == EntityState(value)


@pytest.mark.parametrize("payload", [b"", b"nan", b"inf", b"unavailable", b"None", b"\xff"])
def test_a_sensor_that_says_nothing_says_nothing(payload: bytes) -> None:
    assert read("sensor", payload, unit_of_measurement="W") is None


@pytest.mark.parametrize(
    ("payload", "state"),
    [
        ({"state": "ON", "brightness": 127}, EntityState("on", 50)),
        ({"state": "OFF"}, EntityState("off")),
        ({"state": "ON", "brightness": 1}, EntityState("on", 1)),
        ({"state": "ON", "color": {"r": 0, "g": 9, "b": 0}}, EntityState("on", None, (0, 9, 0))),
        ({"state": "ON", "color": {"h": 240, "s": 100}}, EntityState("on", None, (0, 0, 255))),
        ({"state": "ON", "color": {"x": 0.64, "y": 0.33}}, EntityState("on", None, (255, 0, 0))),
        ({"state": "ON", "brightness": "lots", "color": 7}, EntityState("on")),
        ({"state": "ON", "brightness": 900}, EntityState("on")),
        ({"state": "ON", "color": {"r": 999, "g": 0, "b": 0}}, EntityState("on")),
        ({"state": ["ON"], "brightness": 255}, EntityState(None, 100)),
        ({"linkquality": 9, "state": 1}, None),
        ({"state": None}, UNKNOWN),
        ([1], None),
        (b"ON", None),
    ],
)
def test_json_lights(payload: object, state: EntityState | None) -> None:
    assert read("light", payload, schema="json", command_topic="c") == state


def test_a_light_with_a_topic_for_each_ability_is_pieced_together() -> None:
    spec = entity(
        "light", command_topic="c", brightness_command_topic="bc", brightness_state_topic="b",
        brightness_scale=100, rgb_command_topic="rc", rgb_state_topic="r",
    ).found.spec  # fmt: skip
    state: EntityState | None = UNKNOWN
    for topic, payload in (("thing", b"ON"), ("b", b"40"), ("r", b"255,0,0")):
        assert state is not None
        state = read_state(spec, topic, payload, state)
    assert state is not None
    for topic, payload in (("thing", b"yes"), ("b", b"101"), ("b", b"-1"), ("r", b"1,2")):
        assert read_state(spec, topic, payload, state) is None
    assert state == EntityState("on", 40, (255, 0, 0))


SPECS = [
    entity("light", schema="json", command_topic="c").found.spec,
    entity("light", command_topic="c", rgb_command_topic="d", rgb_state_topic="thing").found.spec,
    entity("switch", command_topic="c", value_template="{{ value_json.state }}").found.spec,
    entity("lock", command_topic="c").found.spec,
    entity("cover", position_topic="thing", state_topic=None).found.spec,
    entity("sensor").found.spec,
    entity("binary_sensor").found.spec,
]
WORDS = st.sampled_from(
    [b"ON", b"1,2,3", b'{"state":"ON","brightness":1e999}', b'{"state":[1]}', b"-1", b"1e400",
     b'{"color":{"x":1,"y":1e-300}}', b'{"color":{"h":-1e300,"s":-5}}']
)  # fmt: skip


@given(st.sampled_from(SPECS), WORDS | st.binary(max_size=60))
def test_any_bytes_are_a_state_or_nothing(spec: object, payload: bytes) -> None:
    state = read_state(spec, "thing", payload, UNKNOWN)
    if state is not None and state.color is not None:
        assert all(0 <= part <= 255 for part in state.color)
    if state is not None and state.brightness is not None:
        assert 0 <= state.brightness <= 100


@given(st.sampled_from(sorted(colors.NAMES)))
def test_every_named_colour_survives_every_colour_space(name: str) -> None:
    color = colors.NAMES[name]
    assert colors.alike(colors.from_hs(*colors.to_hs(color)), color)
    assert colors.alike(colors.from_xy(*colors.to_xy(color)), color)


def test_colours_that_differ_are_not_alike() -> None:
    assert not colors.alike(colors.NAMES["red"], colors.NAMES["green"])
    assert not colors.alike(colors.NAMES["red"], colors.NAMES["white"])
    assert colors.alike(colors.from_hs(2, 99), colors.from_hs(358, 100))


def test_a_zigbee_lamp_that_tells_one_step_too_much_shines_fully() -> None:
    spec = entity("light", command_topic="c", **{**JSON_COLOR, "brightness_scale": 254}).found.spec
    for level, percent in (("254", 100), ("255", 100), ("127", 50), ("256", None)):
        body = f'{{"state": "ON", "brightness": {level}}}'
        state = read_state(spec, "thing", body.encode(), UNKNOWN)
        assert state is not None
        assert state.brightness == percent
