"""Devices that only speak: their status messages, put on a real broker by one connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from ota.errors import Reason
from ota.phases import Phase
from ota.release import Facts
from ota.rollout.status import OFFLINE, ONLINE, Inventory, OtaState, Topics
from services.home.broker import BrokerAddress

BOOT = "0f8fad5b-d9cb-469f-a165-70867728950e"


class VirtualFleet:
    """Says what devices say, retained as theirs is."""

    def __init__(self, client: paho.Client, tenant: str) -> None:
        self._client, self._tenant = client, tenant
        self._last: paho.MQTTMessageInfo | None = None

    def say(
        self,
        device: str,
        phase: Phase,
        *,
        release: str = "1.0",
        wanted: str | None = None,
        reason: Reason | None = None,
        online: bool = True,
        ago_s: float = 0.0,
        device_class: str = "pc-x86-64",
    ) -> None:
        topics, ts = Topics(self._tenant, device), time.time() - ago_s
        state = OtaState(
            ts=ts, boot_id=BOOT, seq=0, phase=phase, release=release, wanted=wanted, reason=reason
        )
        facts = Facts(device_class=device_class, memory_mb=8000, app="0.4")
        inventory = Inventory(ts=ts, boot_id=BOOT, seq=0, facts=facts, disk_free=10**9)
        self._publish(topics.of("online"), ONLINE if online else OFFLINE)
        self._publish(topics.of("state"), state.model_dump_json())
        self._publish(topics.of("inventory"), inventory.model_dump_json())

    def flush(self) -> None:
        """The broker has taken all of it."""
        if self._last is not None:
            self._last.wait_for_publish(30)
            assert self._last.is_published()

    def _publish(self, topic: str, payload: str) -> None:
        self._last = self._client.publish(topic, payload, 1, retain=True)


@contextmanager
def virtual_fleet(address: BrokerAddress, tenant: str = "home") -> Iterator[VirtualFleet]:
    """Connected to the broker."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect(address.host, address.port)
    client.loop_start()
    try:
        yield VirtualFleet(client, tenant)
    finally:
        client.disconnect()
        client.loop_stop()
