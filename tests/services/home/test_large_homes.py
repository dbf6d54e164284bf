"""A thousand devices: found once, announced again and again, and nothing grows."""

from __future__ import annotations

import gc
import json

from services.home.entities import Registry
from services.home.sources import Sources
from tests.services.home.things import light

DEVICES = 1000
PARTS = ("temperature", "humidity", "linkquality")


def announcements() -> list[tuple[str, bytes]]:
    found = []
    for number in range(DEVICES):
        topic = f"zigbee2mqtt/Device {number}"
        shared = {
            "state_topic": topic,
            "availability": [{"topic": "zigbee2mqtt/bridge/state"}, {"topic": f"{topic}/lwt"}],
            "device": {"identifiers": [f"0x{number:x}"], "name": f"Device {number}"},
        }
        lamp = {
            **shared, "name": None, "schema": "json", "command_topic": f"{topic}/set",
            "supported_color_modes": ["xy", "color_temp"], "unique_id": f"{number}_light",
        }  # fmt: skip
        found.append((f"homeassistant/light/{number}/light/config", json.dumps(lamp).encode()))
        for part in PARTS:
            body = {**shared, "name": part, "value_template": f"{{{{ value_json.{part} }}}}",
                    "unique_id": f"{number}_{part}"}  # fmt: skip
            place = f"homeassistant/sensor/{number}/{part}/config"
            found.append((place, json.dumps(body).encode()))
    return found


def announce(registry: Registry, messages: list[tuple[str, bytes]], sources: Sources) -> None:
    for topic, payload in messages:
        for announcement in sources.read(topic, payload):
            registry.apply(announcement)


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def test_a_thousand_devices_stay_as_large_as_they_are() -> None:
    registry, sources, messages = Registry(), Sources(), announcements()
    announce(registry, messages, sources)
    snapshot, view = registry.snapshot(), registry.view()
    first = objects()
    assert len(snapshot) == DEVICES * (1 + len(PARTS))
    for _ in range(3):
        announce(registry, messages, sources)
    assert objects() - first < DEVICES / 10, "nothing is kept of what was known already"
    assert registry.snapshot() is snapshot
    assert registry.view().entities is view.entities


def test_a_thousand_devices_that_change_and_leave_leave_nothing_behind() -> None:
    registry, sources, messages = Registry(), Sources(), announcements()
    announce(registry, messages[:8], sources)
    small = objects()
    announce(registry, messages, sources)
    renamed = [(t, p.replace(b'"Device ', b'"Lamp ')) for t, p in messages]
    announce(registry, renamed, sources)
    announce(registry, [(topic, b"") for topic, _ in messages[8:]], sources)
    announce(registry, messages[:8], sources)
    assert {e.name for e in registry.snapshot() if e.domain == "light"} == {
        "device zero", "device one",
    }  # fmt: skip
    assert registry.topics() == {
        "zigbee2mqtt/bridge/state",
        *(f"zigbee2mqtt/Device {n}{end}" for n in (0, 1) for end in ("", "/lwt")),
    }
    assert objects() - small < DEVICES


def test_states_do_not_pile_up_either() -> None:
    registry, sources, messages = Registry(), Sources(), announcements()[:8]
    announce(registry, messages, sources)

    def tell(times: int) -> None:
        for number in range(times):
            body = json.dumps({"state": "ON", "brightness": number % 255, "temperature": number})
            registry.hear("zigbee2mqtt/Device 1", body.encode(), float(number))

    tell(50)
    before = objects()
    tell(1000)
    assert objects() - before < 200


def test_a_broker_gone_wild_cannot_fill_the_memory() -> None:
    registry, sources = Registry(limit=50), Sources()
    messages = []
    for number in range(55):
        place, body = light(f"Lamp {number}")
        messages.append((f"homeassistant/{place}/config", json.dumps(body).encode()))
    announce(registry, messages, sources)
    assert len(registry.snapshot()) == 50


def test_a_bridge_of_a_thousand_devices_is_one_message() -> None:
    numeric = {"type": "numeric", "access": 1, "unit": "%"}
    exposes = [
        {"type": "switch", "features": [{"type": "binary", "name": "state", "property": "state",
                                         "access": 7, "value_on": "ON", "value_off": "OFF"}]},
        {**numeric, "name": "humidity", "property": "humidity"},
        *({**numeric, "access": 7, "name": f"o{n}", "property": f"o{n}"} for n in range(20)),
    ]  # fmt: skip
    table = [
        {"ieee_address": f"0x{n:x}", "friendly_name": f"Plug {n}", "type": "Router",
         "definition": {"exposes": exposes}}
        for n in range(DEVICES)
    ]  # fmt: skip
    registry, sources = Registry(), Sources()
    message = ("zigbee2mqtt/bridge/devices", json.dumps(table).encode())
    announce(registry, [message], sources)
    first = objects()
    assert len(registry.snapshot()) == 2 * DEVICES
    announce(registry, [message] * 2, sources)
    # The bridge keeps what it said last; a second copy of it must not stay.
    assert objects() - first < DEVICES
