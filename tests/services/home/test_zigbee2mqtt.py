"""The tables of a zigbee2mqtt bridge: who is there, and what they can do together."""

from __future__ import annotations

import json

from services.home.entities import Entity, Registry
from services.home.zigbee2mqtt import Zigbee2mqtt

BRIDGE = "zigbee2mqtt/bridge"


def numeric(name: str, access: int = 7, **more: object) -> dict[str, object]:
    return {"type": "numeric", "name": name, "property": name, "access": access, **more}


def light(*parts: dict[str, object]) -> dict[str, object]:
    power = {"type": "binary", "name": "state", "property": "state", "access": 7,
             "value_on": "ON", "value_off": "OFF"}  # fmt: skip
    return {"type": "light", "features": [power, numeric("brightness", value_max=254), *parts]}


WHITE = numeric("color_temp", value_min=150, value_max=500)
COLOR = {"type": "composite", "name": "color_xy", "property": "color", "access": 7}


def device(number: int, name: str, *exposes: object, **more: object) -> dict[str, object]:
    return {"ieee_address": f"0x{number}", "friendly_name": name, "type": "Router",
            "definition": {"exposes": list(exposes)}, **more}  # fmt: skip


def group(name: str, *members: int) -> dict[str, object]:
    return {"id": 1, "friendly_name": name,
            "members": [{"ieee_address": f"0x{m}", "endpoint": 1} for m in members]}  # fmt: skip


class Bridge:
    def __init__(self, base: str = "zigbee2mqtt") -> None:
        self.base = base
        self.reads = Zigbee2mqtt(base)
        self.home = Registry()

    def says(self, table: str, body: object) -> None:
        topic = f"{self.base}/bridge/{table}"
        for announcement in self.reads.read(topic, json.dumps(body).encode()):
            self.home.apply(announcement)

    @property
    def things(self) -> dict[str, Entity]:
        return {e.entity_id: e for e in self.home.snapshot()}


def test_without_availability_a_device_is_there_while_its_bridge_is() -> None:
    bridge = Bridge()
    bridge.says("devices", [device(1, "Lamp", light())])
    for payload, there in ((b"online", True), (b'{"state":"offline"}', False)):
        bridge.home.hear(f"{BRIDGE}/state", payload, 0.0)
        assert bridge.things["light.lamp"].available(0.0) is there


def test_with_availability_both_must_say_so_but_for_who_does_not_tell() -> None:
    bridge = Bridge()
    bridge.says("devices", [device(1, "Lamp", light()), device(2, "Quiet", light())])
    options = {"0x2": {"availability": False}}
    bridge.says("info", {"config": {"availability": {"enabled": True}, "devices": options}})
    bridge.home.hear(f"{BRIDGE}/state", b'{"state":"online"}', 0.0)
    assert not bridge.things["light.lamp"].available(0.0)
    assert bridge.things["light.quiet"].available(0.0)
    bridge.home.hear("zigbee2mqtt/Lamp/availability", b'{"state":"online"}', 0.0)
    assert bridge.things["light.lamp"].available(0.0)


def test_a_group_can_do_what_all_its_members_can() -> None:
    bridge = Bridge()
    bridge.says("groups", [group("Both", 1, 2)])
    assert bridge.things == {}, "its members are not known yet"
    bridge.says("devices", [device(1, "A", light(WHITE, COLOR)), device(2, "B", light(WHITE))])
    assert bridge.things["light.both"].features == {"brightness", "color_temp"}
    bridge.says("devices", [device(1, "A", light(WHITE, COLOR)), device(2, "B", numeric("x"))])
    assert "light.both" not in bridge.things


def test_a_renamed_device_moves_to_its_new_topics() -> None:
    bridge = Bridge()
    bridge.says("devices", [device(1, "Lamp", light())])
    bridge.says("devices", [device(1, "Desk/Lamp", light())])
    assert list(bridge.things) == ["light.desk_lamp"]
    assert bridge.home.topics() == {f"{BRIDGE}/state", "zigbee2mqtt/Desk/Lamp"}


def test_a_device_that_left_is_gone_and_so_is_everything_when_the_table_is_emptied() -> None:
    bridge = Bridge()
    bridge.says("devices", [device(1, "A", light()), device(2, "B", light())])
    bridge.says("devices", [device(2, "B", light())])
    assert list(bridge.things) == ["light.b"]
    bridge.says("devices", [])
    assert bridge.things == {}


def test_the_owner_may_have_given_it_another_base_topic() -> None:
    bridge = Bridge("upstairs/zigbee")
    bridge.says("devices", [device(1, "Lamp", light())])
    assert bridge.home.topics() == {"upstairs/zigbee/bridge/state", "upstairs/zigbee/Lamp"}


def test_settings_are_left_out_and_diagnoses_are_not_offered() -> None:
    bridge = Bridge()
    bridge.says("devices", [device(
        1, "Sensor", numeric("temperature", 1, unit="°C"), numeric("battery", 1, unit="%"),
        numeric("calibration", 7), numeric("linkquality", 1),
        {"type": "binary", "name": "led", "property": "led", "access": 1, "category": "config"},
        {"type": "enum", "name": "action", "property": "action", "access": 1},
    )])  # fmt: skip
    assert set(bridge.things) == {"sensor.sensor_temperature", "sensor.sensor_battery"}
    assert [e.entity_id for e in bridge.home.view().entities] == ["sensor.sensor_temperature"]


def test_one_bad_device_does_not_hide_the_others() -> None:
    reads = Zigbee2mqtt()
    table = [7, {"ieee_address": 5}, device(1, "Wild/#", light()), device(2, "Lamp", light())]
    first, _ = reads.read(f"{BRIDGE}/devices", json.dumps(table).encode())
    assert [found.name for found in first.entities] == ["Lamp"]
    assert len(first.problems) == 3
