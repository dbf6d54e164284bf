"""What Tasmota devices measure: telemetry and switches, in whichever order they are announced."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.home.discovery import DiscoveryError
from services.home.entities import Entity, Registry
from services.home.sources import Sources
from services.home.tasmota_sensors import MAX_DEVICES, MAX_SENSORS, TasmotaSensors
from tests.services.home.test_tasmota import PLUG, TOPIC

SENSORS = TOPIC.replace("/config", "/sensors")
TELEMETRY = {
    "Time": "2026-03-03T00:00:00",
    "AM2301": {"Temperature": 20.5, "Humidity": 41.0, "DewPoint": 6.9},
    "ENERGY": {"TotalStartTime": "2025-11-23T15:33:47", "Total": 12.017, "Today": 0.2,
               "Power": [41, 0], "Voltage": 230},
    "ESP32": {"Temperature": 53.3},
    "TempUnit": "C",
}  # fmt: skip


def announced(*messages: tuple[str, object]) -> Registry:
    sources, registry = Sources(), Registry()
    for topic, body in messages:
        assert sources.speaks_on(topic)
        for announcement in sources.read(topic, json.dumps(body).encode() if body else b""):
            assert announcement.problems == ()
            registry.apply(announcement)
    return registry


def by_name(registry: Registry) -> dict[str, Entity]:
    return {entity.name: entity for entity in registry.snapshot()}


def config(**changes: object) -> tuple[str, object]:
    return TOPIC, {**PLUG, **changes}


def sensors(**telemetry: object) -> tuple[str, object]:
    return SENSORS, {"sn": telemetry or TELEMETRY, "ver": 1}


@pytest.mark.parametrize("messages", [(config(), sensors()), (sensors(), config())])
def test_both_messages_together_make_the_sensors(messages: Iterable[tuple[str, object]]) -> None:
    registry = announced(*messages)
    assert set(by_name(registry)) == {
        "lamp", "lamp temperature", "lamp humidity", "lamp dew point", "lamp energy",
        "lamp energy today", "lamp power", "lamp voltage",
    }  # fmt: skip
    assert by_name(registry)["lamp temperature"].device_class == "temperature"


@pytest.mark.parametrize(
    ("topic", "body"),
    [("tele/lamp/SENSOR", TELEMETRY), ("stat/lamp/STATUS10", {"StatusSNS": TELEMETRY})],
)
def test_values_are_read_from_telemetry_and_from_the_answer_to_a_question(
    topic: str, body: object
) -> None:
    registry = announced(config(), sensors())
    registry.hear("tele/lamp/LWT", b"Here", 0.0)
    registry.hear(topic, json.dumps(body).encode(), 1.0)
    told = {name: entity.told for name, entity in by_name(registry).items()}
    assert told["lamp temperature"] == "20.5 degrees"
    assert told["lamp humidity"] == "41 percent"
    assert told["lamp power"] == "41 watts"
    assert told["lamp energy"] == "12 kilowatt hours"
    assert all(entity.available(1.0) for entity in registry.snapshot())
    registry.hear("tele/lamp/LWT", b"Gone", 2.0)
    assert not any(entity.available(2.0) for entity in registry.snapshot())


def test_what_a_message_leaves_out_stays_as_it_was() -> None:
    registry = announced(config(), sensors())
    registry.hear("tele/lamp/SENSOR", json.dumps(TELEMETRY).encode(), 0.0)
    registry.hear("tele/lamp/SENSOR", b'{"Switch1": "ON"}', 1.0)
    assert by_name(registry)["lamp temperature"].told == "20.5 degrees"


def test_two_thermometers_are_numbered() -> None:
    two = sensors(AM2301={"Temperature": 20}, DS18B20={"Temperature": 30})
    assert set(by_name(announced(config(), two))) == {
        "lamp", "lamp temperature one", "lamp temperature two",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("stat/lamp/RESULT", {"Switch1": {"Action": "ON"}}),
        ("tele/lamp/SENSOR", {"Time": "2026-03-03T00:00:00", "Switch1": "ON"}),
        ("stat/lamp/STATUS10", {"StatusSNS": {"Switch1": "ON"}}),
    ],
)
def test_a_wall_switch_is_on_however_it_is_told(topic: str, body: object) -> None:
    registry = announced(config(swc=[1, 0, 13, -1], swn=[None, None, None, None]))
    assert set(by_name(registry)) == {"lamp", "lamp switch one"}
    registry.hear(topic, json.dumps(body).encode(), 0.0)
    assert by_name(registry)["lamp switch one"].told == "on"


def test_a_switch_has_the_name_its_owner_gave_it() -> None:
    registry = announced(config(swc=[2], swn=["Window"]))
    registry.hear("tele/lamp/SENSOR", b'{"Window": "OFF"}', 0.0)
    assert by_name(registry)["lamp window"].told == "off"


def test_values_are_asked_for_since_they_come_only_every_few_minutes() -> None:
    sources = Sources()
    topic, body = config()
    sources.read(topic, json.dumps(body).encode())
    topic, body = sensors()
    (announcement,) = sources.read(topic, json.dumps(body).encode())
    assert announcement.questions == (("cmnd/lamp/STATUS", b"10"),)


@pytest.mark.parametrize("gone", [(SENSORS, None), (SENSORS, {"sn": {}, "ver": 1})])
def test_sensors_that_are_taken_back_are_gone_and_the_device_stays(
    gone: tuple[str, object],
) -> None:
    assert set(by_name(announced(config(), sensors(), gone))) == {"lamp"}


def test_a_device_that_is_taken_back_takes_its_sensors_along() -> None:
    assert announced(config(), sensors(), (TOPIC, None)).snapshot() == ()


@pytest.mark.parametrize(
    "telemetry",
    [{"A'] }} {{ 7 * 7": {"Temperature": 1}}, {"x" * 40: {"Power": 1}}, {"A": {"Card": "WSW"}},
     {"A": [1]}, {"A": {"Temp\'erature": 1}}],
)  # fmt: skip
def test_keys_that_are_not_plain_or_not_known_make_nothing(telemetry: dict[str, object]) -> None:
    assert set(by_name(announced(config(), sensors(**telemetry)))) == {"lamp"}


@pytest.mark.parametrize("payload", [b"[]", b"{}", b'{"sn": []}', b"\xff", b"{"])
def test_what_is_no_table_of_sensors_is_refused(payload: bytes) -> None:
    with pytest.raises(DiscoveryError):
        TasmotaSensors().sensed(SENSORS, payload)


def test_neither_many_sensors_nor_many_devices_fill_the_memory() -> None:
    many = {f"AM{n}": {"Temperature": 1.0, "Humidity": 2.0} for n in range(MAX_SENSORS)}
    assert len(announced(config(), sensors(**many)).snapshot()) == 1 + MAX_SENSORS
    seen = TasmotaSensors()
    payload = json.dumps({"sn": {"A": {"Power": 1}}}).encode()
    for n in range(MAX_DEVICES + 5):
        seen.sensed(f"tasmota/discovery/{n:012X}/sensors", payload)
    assert len(seen._measured) == MAX_DEVICES


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
        ),
        max_leaves=9,
    )
)
def test_telemetry_of_any_shape_is_read_or_refused(telemetry: object) -> None:
    seen = TasmotaSensors()
    try:
        seen.sensed(SENSORS, json.dumps({"sn": telemetry}).encode())
    except DiscoveryError:
        return
    assert seen.configured(TOPIC, json.dumps(PLUG).encode()).problems == ()
