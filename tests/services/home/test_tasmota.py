"""Tasmota's own discovery: what its two-letter keys come to."""

from __future__ import annotations

import json

import pytest

from services.home.commands import command
from services.home.discovery import DiscoveryError
from services.home.entities import Entity, Registry
from services.home.tasmota import is_config_topic, read
from services.language.calls import Call

TOPIC = "tasmota/discovery/AABBCCDDEEFF/config"
PLUG: dict[str, object] = {
    "dn": "Lamp", "fn": ["Lamp", None], "hn": "lamp-1", "mac": "AABBCCDDEEFF", "ofln": "Gone",
    "onln": "Here", "state": ["OFF", "ON", "TOGGLE", "HOLD"], "t": "lamp",
    "ft": "%prefix%/%topic%/", "tp": ["cmnd", "stat", "tele"], "rl": [1, 0, 0, 0], "lt_st": 0,
    "so": {"30": 0, "68": 0, "82": 0}, "lk": 1, "ty": 0, "if": 0, "ver": 1, "unknown": {"a": 1},
}  # fmt: skip


def home(**changes: object) -> Registry:
    registry = Registry()
    registry.apply(read(TOPIC, json.dumps({**PLUG, **changes}).encode()))
    return registry


def things(**changes: object) -> dict[str, Entity]:
    return {e.name: e for e in home(**changes).snapshot()}


def topics(entity: Entity, asked: Call) -> list[str]:
    return [topic for topic, _ in command(entity, asked).messages]


ON = Call.of("HassTurnOn")
DIM = Call.of("HassLightSet", brightness=40)


@pytest.mark.parametrize(
    ("pattern", "topic"),
    [
        ("%prefix%/%topic%/", "cmnd/lamp/POWER1"),
        ("%topic%/%prefix%/", "lamp/cmnd/POWER1"),
        ("home/%hostname%/%id%/%prefix%/", "home/lamp-1/DDEEFF/cmnd/POWER1"),
    ],
)
def test_topics_follow_the_owners_pattern(pattern: str, topic: str) -> None:
    (plug,) = things(ft=pattern).values()
    assert topics(plug, ON) == [topic]


def test_the_last_will_says_in_the_owners_words_whether_it_is_there() -> None:
    registry = home()
    for word, there in ((b"Here", True), (b"Gone", False)):
        registry.hear("tele/lamp/LWT", word, 0.0)
        (plug,) = registry.snapshot()
        assert plug.available(0.0) is there


def test_one_relay_has_the_devices_name_and_several_have_numbers_or_names() -> None:
    assert list(things(fn=[None])) == ["lamp"]
    assert list(things(rl=[1, 1, 1], fn=["Lamp", "Heater", None])) == [
        "lamp", "lamp heater", "lamp three",
    ]  # fmt: skip


def test_powers_are_read_with_and_without_their_number() -> None:
    registry = home(rl=[1, 1])
    registry.hear("stat/lamp/RESULT", b'{"POWER1": "ON", "POWER2": "OFF"}', 0.0)
    assert [e.state.value for e in registry.snapshot()] == ["on", "off"]
    single = home()
    single.hear("tele/lamp/STATE", b'{"POWER": "ON"}', 0.0)
    single.hear("stat/lamp/RESULT", b'{"Dimmer": 3}', 0.0)
    assert [e.state.value for e in single.snapshot()] == ["on"]


@pytest.mark.parametrize(
    ("kind", "features"),
    [
        (0, set()), (1, {"brightness"}), (2, {"brightness", "color_temp"}),
        (3, {"brightness", "color"}), (4, {"brightness", "color"}),
        (5, {"brightness", "color", "color_temp"}),
    ],
)  # fmt: skip
def test_light_kinds(kind: int, features: set[str]) -> None:
    (lamp,) = things(rl=[2], lt_st=kind).values()
    assert lamp.features == features


def test_a_light_that_is_two_is_a_colour_and_a_white() -> None:
    colour, white = things(rl=[2, 2], lt_st=5, lk=0).values()
    assert colour.features == {"brightness", "color"}
    assert white.features == {"brightness", "color_temp"}
    assert topics(colour, DIM)[0] == "cmnd/lamp/Dimmer1"
    assert topics(white, DIM)[0] == "cmnd/lamp/Dimmer2"


def test_channels_and_foreign_processors_have_dimmers_of_their_own() -> None:
    first, second = things(rl=[2, 2], lt_st=5, so={"68": 1}).values()
    assert topics(second, DIM) == ["cmnd/lamp/Channel2", "cmnd/lamp/POWER2"]
    assert first.features == {"brightness"}
    (tuya,) = things(rl=[2], lt_st=1, ty=1).values()
    assert topics(tuya, DIM)[0] == "cmnd/lamp/Dimmer3"


def test_a_narrow_range_of_whites_is_kept_to() -> None:
    (lamp,) = things(rl=[2], lt_st=2, so={"82": 1}).values()
    (_, payload), *_ = command(lamp, Call.of("HassLightSet", temperature=2000)).messages
    assert payload == b"380"


def test_a_relay_may_be_meant_as_a_light() -> None:
    (lamp,) = things(so={"30": 1}).values()
    assert lamp.domain == "light"


def test_half_a_shutter_is_none() -> None:
    assert things(rl=[3]) == {}


def test_it_is_asked_for_its_state_since_it_leaves_none_with_the_broker() -> None:
    assert read(TOPIC, json.dumps(PLUG).encode()).questions == (("cmnd/lamp/STATE", b""),)
    assert read(TOPIC, json.dumps({**PLUG, "rl": []}).encode()).questions == ()


def test_an_empty_payload_takes_it_back() -> None:
    registry = home()
    registry.apply(read(TOPIC, b""))
    assert registry.snapshot() == ()


@pytest.mark.parametrize(
    "changes",
    [{"ver": 2}, {"mac": "112233445566"}, {"rl": "1"}, {"tp": ["cmnd"]}, {"state": []}, {"t": None},
     {"rl": [1] * 33}, {"lt_st": 9}, {"ft": 7}],
)  # fmt: skip
def test_what_is_no_configuration_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DiscoveryError):
        read(TOPIC, json.dumps({**PLUG, **changes}).encode())


def test_only_configurations_are_read() -> None:
    assert is_config_topic(TOPIC)
    for topic in ("tasmota/discovery/AABB/sensors", "tasmota/discovery/a b/config", "tasmota/x"):
        assert not is_config_topic(topic)
