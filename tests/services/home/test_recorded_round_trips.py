"""The recorded devices on a real mosquitto: announced, commanded, answered, believed.

A subscriber of its own sees what each command was: QoS 1 and not retained.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from services.home.broker import BrokerAddress
from services.home.commands import command
from services.home.devices import Devices
from services.home.entities import Entity
from services.language.calls import Call
from tests.services.home.test_live_sources import devices, until
from tests.services.home.test_recorded_devices import RECORDED, same, sent
from tests.support.mosquitto import Mosquitto

PATIENT_S = 20.0
BELIEVED = ("confirmed", "sent")
"""Steps that end by themselves; the others wait for an answer that does not come."""


class World:
    """All devices of one record: they announce themselves, and answer what the story expects."""

    def __init__(self, address: BrokerAddress, recorded: dict[str, Any]) -> None:
        self.commands: list[paho.MQTTMessage] = []
        self._step: dict[str, Any] | None = None
        self._left = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="world")
        self._client.on_message = self._received
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect(address.host, address.port)
        self._client.loop_start()
        for told in recorded["announce"]:
            self.says(told["topic"], told["payload"], retain=True)
        for story in recorded["stories"]:
            for told in story["states"]:
                self.says(told["topic"], told["payload"], retain=True)
        self._client.subscribe("#", qos=1)
        assert subscribed.wait(PATIENT_S)

    def says(self, topic: str, payload: object, *, retain: bool = False) -> None:
        self._client.publish(topic, sent(payload), qos=1, retain=retain)

    def expects(self, step: dict[str, Any]) -> None:
        self.commands.clear()
        self._step, self._left = step, len(step["messages"])

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _received(self, client: object, data: object, message: paho.MQTTMessage) -> None:
        if self._step is None or message.topic not in {t for t, _ in self._step["messages"]}:
            return
        self.commands.append(message)
        self._left -= 1
        if self._left == 0:
            for topic, payload in self._step["heard"]:
                self.says(topic, payload)


@contextmanager
def world(address: BrokerAddress, recorded: dict[str, Any]) -> Iterator[World]:
    made = World(address, recorded)
    try:
        yield made
    finally:
        made.stop()


def by_id(home: Devices, entity_id: str) -> Entity:
    (found,) = (e for e in home.snapshot() if e.entity_id == entity_id)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("recorded", RECORDED)
def test_every_platform_is_commanded_once_and_believed_by_its_own_word(
    broker: Mosquitto, recorded: str
) -> None:
    with world(broker.address, RECORDED[recorded]) as there, devices(broker.address) as home:
        assert home.wait_quiet(PATIENT_S, 0.5)
        walked = 0
        for story in RECORDED[recorded]["stories"]:
            for step in story["calls"]:
                if step["status"] in BELIEVED and step["messages"]:
                    walk(home, there, story["entity"], step)
                    walked += 1
        assert walked


def walk(home: Devices, there: World, entity_id: str, step: dict[str, Any]) -> None:
    entity = by_id(home, entity_id)
    sending = command(entity, Call.of(step["call"], **step["arguments"]))
    there.expects(step)
    with home.confirmation(1) as confirmation:
        home.send(entity, sending, confirmation)
        (result,) = home.results(confirmation, PATIENT_S)
    assert (entity_id, result.status) == (entity_id, step["status"])
    until(lambda: len(there.commands) >= len(step["messages"]))
    for message, (topic, expected) in zip(there.commands, step["messages"], strict=True):
        assert message.topic == topic
        assert same(message.payload, expected), message.payload
        assert (message.qos, message.retain) == (1, False), topic
