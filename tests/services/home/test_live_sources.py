"""Other dialects through a real mosquitto: asked, answered, commanded, confirmed."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.home.broker import MAX_PAYLOAD_BYTES, BrokerAddress, BrokerLink, Message
from services.home.commands import command
from services.home.devices import Devices
from services.home.entities import Entity
from services.home.home_map import HomeMap
from services.language.calls import Call
from tests.support.mosquitto import Mosquitto

PAYLOADS = Path(__file__).parent / "payloads"


def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


@contextlib.contextmanager
def devices(address: BrokerAddress) -> Iterator[Devices]:
    made = Devices(
        address, prefix="homeassistant", clock=time.monotonic, confirmed=lambda turn, one: None,
        status_topic=None, ask_to_announce=False, home_map=HomeMap(),
    )  # fmt: skip
    made.start()
    made.wait_connected(20)
    try:
        yield made
    finally:
        made.stop()


class Kettle:
    """A Tasmota plug: answers on topics that are not retained, only when asked or commanded."""

    def __init__(self, address: BrokerAddress) -> None:
        self.heard: list[Message] = []
        self.power = "OFF"
        self.link = BrokerLink(address, self._received, name="kettle")
        self.link.subscribe(["cmnd/kettle/+"])
        self.link.start()
        self.link.wait_connected(20)
        announced = json.loads((PAYLOADS / "tasmota.json").read_text())["announce"][0]
        self.link.publish_state("tele/kettle/LWT", b"Online")
        self.link.publish_state(announced["topic"], json.dumps(announced["payload"]).encode())

    def _received(self, message: Message) -> None:
        self.heard.append(message)
        if message.topic == "cmnd/kettle/STATE":
            self.link.publish("stat/kettle/RESULT", json.dumps({"POWER": self.power}).encode())
        elif message.topic == "cmnd/kettle/STATUS":
            measured = {"StatusSNS": {"ENERGY": {"Power": 1800}}}
            self.link.publish("stat/kettle/STATUS10", json.dumps(measured).encode())
        elif message.payload:
            self.power = message.payload.decode()
            self.link.publish("stat/kettle/RESULT", json.dumps({"POWER": self.power}).encode())


@pytest.fixture
def kettle(broker: Mosquitto) -> Iterator[Kettle]:
    made = Kettle(broker.address)
    yield made
    made.link.stop()


def only(home: Devices) -> Entity:
    (one,) = home.snapshot()
    return one


def test_a_tasmota_plug_is_found_asked_and_switched(broker: Mosquitto, kettle: Kettle) -> None:
    with devices(broker.address) as home:
        until(lambda: home.snapshot() and only(home).state.value == "off")
        assert only(home).available(time.monotonic())
        with home.confirmation(1) as confirmation:
            sending = command(only(home), Call.of("HassTurnOn", name="kettle"))
            home.send(only(home), sending, confirmation)
            (result,) = home.results(confirmation, 15.0)
        assert result.status == "confirmed"
    assert [(m.topic, m.payload) for m in kettle.heard][-1] == ("cmnd/kettle/POWER1", b"ON")
    assert not any(m.retained for m in kettle.heard)


def test_what_a_tasmota_plug_measures_is_asked_for_and_told(
    broker: Mosquitto, kettle: Kettle
) -> None:
    announced = json.loads((PAYLOADS / "tasmota.json").read_text())["announce"][0]
    topic = announced["topic"].replace("/config", "/sensors")
    kettle.link.publish_state(topic, b'{"sn": {"ENERGY": {"Power": 0}}, "ver": 1}')

    def power(home: Devices) -> list[str | None]:
        return [e.told for e in home.snapshot() if e.domain == "sensor"]

    with devices(broker.address) as home:
        until(lambda: power(home) == ["1800 watts"])
        assert all(e.available(time.monotonic()) for e in home.snapshot())


def test_a_bridge_table_of_a_megabyte_is_read_and_its_lamp_moves(broker: Mosquitto) -> None:
    told = json.loads((PAYLOADS / "zigbee2mqtt_bridge.json").read_text())["announce"]
    table = [{**device, "notes": "x" * 100_000} for device in told[1]["payload"]]
    payload = json.dumps(table).encode()
    assert len(payload) > MAX_PAYLOAD_BYTES
    heard: list[Message] = []
    bridge = BrokerLink(broker.address, heard.append, name="bridge")
    bridge.subscribe(["zigbee2mqtt/+/set"])
    bridge.start()
    bridge.wait_connected(20)
    bridge.publish_state("zigbee2mqtt/bridge/state", b'{"state": "online"}')
    bridge.publish_state(told[1]["topic"], payload)
    with devices(broker.address) as home:
        until(lambda: any(e.entity_id == "light.ceiling" for e in home.snapshot()))

        def lamp() -> Entity:
            return next(e for e in home.snapshot() if e.entity_id == "light.ceiling")

        until(lambda: lamp().available(time.monotonic()))
        with home.confirmation(1) as confirmation:
            home.send(lamp(), command(lamp(), Call.of("HassTurnOn")), confirmation)
            until(lambda: heard)
            bridge.publish("zigbee2mqtt/Ceiling", b'{"state": "ON", "brightness": 254}')
            (result,) = home.results(confirmation, 15.0)
        assert result.status == "confirmed"
        assert lamp().told == "on"
        bridge.publish_state("zigbee2mqtt/bridge/state", b'{"state": "offline"}')
        until(lambda: not lamp().available(time.monotonic()))
    bridge.stop()


def test_a_scene_is_told_and_nothing_more_is_claimed(broker: Mosquitto) -> None:
    body = {"name": "Movie", "command_topic": "movie/set"}
    maker = BrokerLink(broker.address, lambda message: None, name="maker")
    maker.start()
    maker.wait_connected(20)
    maker.publish_state("homeassistant/scene/movie/config", json.dumps(body).encode())
    with devices(broker.address) as home:
        until(home.snapshot)
        with home.confirmation(1) as confirmation:
            home.send(only(home), command(only(home), Call.of("HassTurnOn")), confirmation)
            (result,) = home.results(confirmation, 15.0)
    assert result.status == "sent"
    maker.stop()
