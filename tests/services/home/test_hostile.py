"""What nobody should send: nothing crashes, nothing hangs, no command comes of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.abbreviations import ENTITY
from services.home.commands import NotCommandable, command
from services.home.discovery import DiscoveryError, parse
from services.home.entities import Entity, Registry
from services.home.platforms import LIGHTS, MODELS
from services.home.sources import Sources
from services.language.calls import Call

CALLS = {
    "HassTurnOn": {}, "HassTurnOff": {}, "HassLightSet": {"brightness": 5}, "HassStopMoving": {},
    "HassSetPosition": {"position": 5}, "HassClimateSetTemperature": {"temperature": 20},
    "HassClimateSetHvacMode": {"mode": "heat"}, "HassClimateSetFanMode": {"fan_mode": "low"},
    "HassFanSetSpeed": {"percentage": 50}, "HassHumidifierSetpoint": {"humidity": 40},
    "HassHumidifierMode": {"mode": "eco"}, "HassVacuumStart": {}, "HassVacuumReturnToBase": {},
    "LinnetSetNumber": {"value": 5}, "LinnetSelectOption": {"option": "a"},
    "LinnetSetText": {"value": "a"}, "LinnetArm": {"mode": "away"},
}  # fmt: skip

FIELDS = sorted({f for model in (*MODELS.values(), *LIGHTS.values()) for f in model.model_fields})
KEYS = st.sampled_from([*FIELDS, *ENTITY, "~", "schema", "components", "device"])
TEMPLATES = ["{{ value }}", "{{ value_json.state }}", "{{ value | float * 2 }}",
             "{% set a = value_json %}{{ a.x }}", "{{ value_json.a[9999999] }}", "{{ 1/0 }}",
             "{% for i in range(9) %}{% endfor %}", "{{ ''.__class__ }}",
             "{{ x.y.z }}", "{{ value * 99999999 }}", "{{ 9 ** 9 ** 9 }}",
             "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
             ]  # fmt: skip
WORDS = ["a/b", "a", "#", "+/x", "$SYS/x", "", "json", "template", "default", "online", "None",
         "NaN", "Infinity", "1e999", "-1", "\0", "é", "\ud800", *TEMPLATES]  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS)
    | st.just(10**400)
)  # fmt: skip
VALUES = (
    SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(KEYS, SCALARS, max_size=4)
    | st.lists(st.dictionaries(KEYS, SCALARS, max_size=3), max_size=2)
)  # fmt: skip
BODIES = st.dictionaries(KEYS, VALUES, max_size=12)
PLATFORMS = st.sampled_from([*MODELS, "light"])
STATES = st.sampled_from(
    [b"", b"ON", b"None", b"nan", b"-inf", b"1e999", b"9" * 5000, b"\xff\xfe", b"\0", b"null",
     b"[" * 5000, b'{"state": NaN}', b'{"state": {"state": []}}', b'{"brightness": 1e400}',
     b'{"color": {"r": NaN, "g": 1, "b": 2}}', b'{"color_temp": -1}', b'{"position": 1e9}']
) | st.binary(max_size=40)  # fmt: skip


HANG_S = 0.05
"""Longer than this no message may take on the appliance."""
SLACK = 10
"""Of the machine that tests, which collects garbage, too, and compiles templates anew."""


@contextlib.contextmanager
def swiftly() -> Iterator[None]:
    """What is done takes no longer than it may, in time of this thread's processor alone."""
    started_s = time.thread_time()
    try:
        yield
    finally:
        assert time.thread_time() - started_s < HANG_S * SLACK


def survives(home: Registry, payloads: list[bytes]) -> None:
    """Every thing hears everything, tells its state, and is asked for everything."""
    for topic in sorted(home.topics()):
        for payload in payloads:
            with swiftly():
                home.hear(topic, payload, 1.0)
    for entity in home.snapshot():
        assert entity.told is None or len(entity.told) < 5000
        assert entity.available(2.0) in (True, False)
        obeys_or_refuses(entity)
    home.view()


def obeys_or_refuses(entity: Entity) -> None:
    for name, args in CALLS.items():
        with contextlib.suppress(NotCommandable):
            for topic, payload in command(entity, Call.of(name, **args)).messages:
                assert topic
                assert not set(topic) & set("+#\0")
                assert not topic.startswith("$")
                assert len(payload) < 20_000


@given(PLATFORMS, BODIES, st.lists(STATES, max_size=4))
def test_whatever_is_announced_and_said_the_home_stands(
    platform: str, body: dict[str, object], said: list[bytes]
) -> None:
    home = Registry()
    body.setdefault("name", "Thing")
    for key in ("command_topic", "state_topic", "target_humidity_command_topic"):
        body.setdefault(key, "a/b")
    with contextlib.suppress(DiscoveryError):
        payload = json.dumps(body).encode()
        with swiftly():
            home.apply(parse(f"homeassistant/{platform}/x/config", payload))
    survives(home, said)


RECORDED = [
    announced
    for file in sorted(Path(__file__).parent.joinpath("payloads").glob("*.json"))
    for announced in json.loads(file.read_text())["announce"]
    if announced["topic"].startswith("homeassistant/")
]


@given(st.sampled_from(RECORDED), st.data(), st.lists(STATES, max_size=4))
def test_a_real_device_with_a_few_things_wrong_is_harmless(
    announced: dict[str, Any], data: st.DataObject, said: list[bytes]
) -> None:
    own = st.sampled_from(sorted(announced["payload"])) | KEYS
    wrong = data.draw(st.dictionaries(own, VALUES, max_size=2))
    home = Registry()
    with contextlib.suppress(DiscoveryError):
        payload = json.dumps({**announced["payload"], **wrong}).encode()
        with swiftly():
            home.apply(parse(announced["topic"], payload))
    survives(home, said)


EXPOSES = st.fixed_dictionaries(
    {"type": st.sampled_from(["light", "switch", "lock", "cover", "fan", "climate", "binary",
                              "numeric", "enum", "text", "list", "composite", ""])},
    optional={
        "name": st.sampled_from(["state", "brightness", "position", "mode", "contact", "x"]),
        "property": st.sampled_from(["state", "a\"] }} {{ value[\"", "x y", "#", ""]),
        "access": SCALARS, "value_on": VALUES, "value_off": SCALARS, "value_min": SCALARS,
        "value_max": SCALARS, "value_step": SCALARS, "values": VALUES, "unit": SCALARS,
        "endpoint": st.sampled_from(["l1", "left", "+"]),
        "features": st.lists(
            st.fixed_dictionaries(
                {"type": st.just("binary"), "property": st.sampled_from(["state", "p", "'"]),
                 "name": st.sampled_from(["state", "brightness", "color_temp", "position", "mode",
                                          "speed", "occupied_heating_setpoint", "system_mode"])},
                optional={"value_on": SCALARS, "value_max": SCALARS, "values": VALUES,
                          "access": st.just(7), "value_min": SCALARS, "value_step": SCALARS},
            ), max_size=4),
    },
)  # fmt: skip
BRIDGE_DEVICES = st.lists(
    st.fixed_dictionaries(
        {"ieee_address": st.sampled_from(["0x1", "0x2", ""]),
         "friendly_name": st.sampled_from(["A", "B/C", "+", "x/#", "", "\0"])},
        optional={"definition": st.fixed_dictionaries({"exposes": st.lists(EXPOSES, max_size=4)})
                  | VALUES, "type": SCALARS, "endpoints": VALUES, "disabled": SCALARS},
    ) | VALUES, max_size=3,
)  # fmt: skip


@given(BRIDGE_DEVICES, VALUES, VALUES, st.lists(STATES, max_size=3))
def test_whatever_a_bridge_says_the_home_stands(
    devices: object, groups: object, info: object, said: list[bytes]
) -> None:
    home, sources = Registry(), Sources()
    for table, body in (("devices", devices), ("groups", groups), ("info", info)):
        with contextlib.suppress(DiscoveryError), swiftly():
            for one in sources.read(f"zigbee2mqtt/bridge/{table}", json.dumps(body).encode()):
                home.apply(one)
    survives(home, said)


TASMOTA = {
    "dn": "Lamp", "fn": ["Lamp"], "hn": "h", "mac": "AABBCCDDEEFF", "ofln": "Offline",
    "onln": "Online", "state": ["OFF", "ON"], "t": "lamp", "ft": "%prefix%/%topic%/",
    "tp": ["cmnd", "stat", "tele"], "rl": [2], "lt_st": 5, "ver": 1,
}  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from([*TASMOTA, "so", "lk", "if", "ty", "sho", "swc", "swn"]),
        VALUES,
        max_size=4,
    ),
    VALUES,
    st.lists(STATES, max_size=3),
)
def test_whatever_a_tasmota_says_the_home_stands(
    changes: dict[str, object], telemetry: object, said: list[bytes]
) -> None:
    home, sources = Registry(), Sources()
    topic = "tasmota/discovery/AABBCCDDEEFF/config"
    with contextlib.suppress(DiscoveryError):
        measured = json.dumps({"sn": telemetry}).encode()
        with swiftly():
            for one in sources.read("tasmota/discovery/AABBCCDDEEFF/sensors", measured):
                home.apply(one)
    with contextlib.suppress(DiscoveryError), swiftly():
        for one in sources.read(topic, json.dumps({**TASMOTA, **changes}).encode()):
            home.apply(one)
    survives(home, said)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("zigbee2mqtt/bridge/devices", b'{"a": 1}'),
        ("zigbee2mqtt/bridge/devices", b"[" * 100_000),
        ("zigbee2mqtt/bridge/devices", b"\xff\xfe"),
        ("zigbee2mqtt/bridge/devices", b"[" + b"1," * 5000 + b"1]"),
        ("zigbee2mqtt/bridge/groups", b'"secret"'),
        ("tasmota/discovery/AABBCCDDEEFF/config", b"secret"),
        ("tasmota/discovery/AABBCCDDEEFF/config", b'{"ver": 2, "t": "secret"}'),
        ("tasmota/discovery/000000000000/config", json.dumps(TASMOTA).encode()),
    ],
)
def test_tables_that_are_none_give_one_reason(topic: str, payload: bytes) -> None:
    with pytest.raises(DiscoveryError) as caught:
        Sources().read(topic, payload)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_deep_exposes_are_refused_and_the_rest_is_read() -> None:
    deep: dict[str, object] = {"type": "light"}
    for _ in range(400):
        deep = {"type": "composite", "features": [deep]}
    good = {"type": "numeric", "name": "temperature", "property": "temperature", "access": 1}
    body = [
        {"ieee_address": "0x1", "friendly_name": "Deep", "definition": {"exposes": [deep]}},
        {"ieee_address": "0x2", "friendly_name": "Good", "definition": {"exposes": [good]}},
    ]
    first, _ = Sources().read("zigbee2mqtt/bridge/devices", json.dumps(body).encode())
    assert [found.name for found in first.entities] == ["Good temperature"]
    assert len(first.problems) == 1


def test_a_full_topic_with_wildcards_is_no_device() -> None:
    body = json.dumps({**TASMOTA, "ft": "%prefix%/#/%topic%/", "swc": [1]}).encode()
    for one in Sources().read("tasmota/discovery/AABBCCDDEEFF/config", body):
        assert one.entities == ()
        assert one.questions == ()
        assert one.problems
