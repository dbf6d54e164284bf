"""A simulated home: devices that live on a real broker and behave as real ones do.

Each announces itself by retained Home Assistant discovery, answers commands on its state topic
after a short while, has an availability topic, and goes offline by the connection's last will.
Faults can be set while it runs. Used by the demo and by tests; it knows nothing of ``Home``.
"""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.home.broker import (
    BrokerAddress,
    BrokerError,
    BrokerLink,
    BrokerUnreachable,
    LinkState,
    Message,
)
from services.home.simulated_devices import DEVICES, SimulatedDevice

log = logging.getLogger(__name__)

BASE = "simulated_home"
BRIDGE = f"{BASE}/bridge"
"""Availability of all devices at once; the last will speaks here."""
BIRTH_TOPIC = "homeassistant/status"
ANSWER_S = 0.03


@dataclass(frozen=True)
class Fault:
    """What is wrong with a device."""

    silent: bool = False
    """Takes commands and never answers nor moves."""
    offline: bool = False
    """Says that it is away, and does nothing."""
    answer_s: float = ANSWER_S
    """From command to state, seconds."""
    jammed: bool = False
    """A lock that cannot move and says so."""


@dataclass(frozen=True)
class Received:
    """A command as it arrived."""

    device_id: str
    topic: str
    payload: bytes
    retained: bool
    at_s: float


class SimulatedHome:
    """Devices on one connection; ``start`` returns when all have announced themselves."""

    def __init__(
        self, address: BrokerAddress, devices: Sequence[SimulatedDevice] = DEVICES
    ) -> None:
        self.devices = {device.device_id: device for device in devices}
        self._states = {d.device_id: dict(d.initial) for d in devices}
        self._faults = {d.device_id: Fault() for d in devices}
        self._commands: list[Received] = []
        self._lock = threading.Lock()
        self._later = _Later()
        self._announced = threading.Event()
        self._topics = {t: d for d in devices for t in d.command_topics(BASE)}
        self._link = BrokerLink(
            address, self._received, self._link_changed, name=BASE, status_topic=BRIDGE
        )
        self._link.subscribe([*self._topics, BIRTH_TOPIC])

    def start(self, timeout_s: float = 10.0) -> None:
        """Raises ``BrokerUnreachable`` or ``BrokerRefused``."""
        self._later.start()
        self._link.start()
        self._link.wait_connected(timeout_s)
        if not self._announced.wait(timeout_s):
            raise BrokerUnreachable("the simulated home could not announce its devices")

    def stop(self) -> None:
        self._later.stop()
        self._link.stop()

    def __enter__(self) -> SimulatedHome:
        try:
            self.start()
        except BrokerError:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def state(self, device_id: str) -> dict[str, object]:
        """The true state of a device, whatever it has told."""
        with self._lock:
            return dict(self._states[device_id])

    @property
    def commands(self) -> tuple[Received, ...]:
        """All commands received, in order."""
        with self._lock:
            return tuple(self._commands)

    def set_fault(self, device_id: str, fault: Fault) -> None:
        """Break a device, or mend it with ``Fault()``."""
        with self._lock:
            self._faults[device_id] = fault
        self._tell_availability(self.devices[device_id])

    def change(self, device_id: str, **state: object) -> None:
        """Something moved by hand: a door, a reading."""
        with self._lock:
            self._states[device_id].update(state)
        self._tell_state(self.devices[device_id])

    def remove(self, device_id: str) -> None:
        """Take a device out of the home for good."""
        device = self.devices[device_id]
        self._publish(device.config_topic, b"")

    # --- threads of the connection and of late answers -----------------------------------------

    def _link_changed(self, state: LinkState) -> None:
        if state is LinkState.CONNECTED:
            self._announce()
            self._announced.set()

    def _announce(self) -> None:
        for device in self.devices.values():
            self._publish(device.config_topic, _json(device.config(BASE, BRIDGE)))
            self._tell_availability(device)
            self._tell_state(device)

    def _received(self, message: Message) -> None:
        if message.topic == BIRTH_TOPIC:
            if message.payload == b"online" and not message.retained:
                self._announce()
            return
        device = self._topics.get(message.topic)
        if device is None:
            return
        with self._lock:
            self._commands.append(
                Received(
                    device.device_id, message.topic, message.payload, message.retained,
                    time.monotonic(),
                )
            )  # fmt: skip
            fault = self._faults[device.device_id]
        # A command kept by the broker is an old wish: doors must not move when power returns.
        if message.retained or fault.silent or fault.offline:
            return
        self._later.call(fault.answer_s, lambda: self._obey(device, message, fault))

    def _obey(self, device: SimulatedDevice, message: Message, fault: Fault) -> None:
        suffix = message.topic.removeprefix(f"{BASE}/{device.device_id}/")
        with self._lock:
            state = self._states[device.device_id]
            change = device.obey(suffix, message.payload, dict(state))
            if fault.jammed and change:
                change = {"state": "JAMMED"}
            if change is None:
                return
            state.update(change)
        self._tell_state(device)

    def _tell_state(self, device: SimulatedDevice) -> None:
        with self._lock:
            messages = device.state_messages(BASE, dict(self._states[device.device_id]))
        for topic, payload in messages:
            self._publish(topic, payload)

    def _tell_availability(self, device: SimulatedDevice) -> None:
        with self._lock:
            offline = self._faults[device.device_id].offline
        word = b"offline" if offline else b"online"
        self._publish(f"{BASE}/{device.device_id}/availability", word)

    def _publish(self, topic: str, payload: bytes) -> None:
        try:
            self._link.publish_state(topic, payload)
        except BrokerError as error:
            # All is told again after the next connection.
            log.debug("the simulated home could not speak: %s", error)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class _Later:
    """Calls after a delay, in order of their time, on one thread."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=BASE, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    def call(self, delay_s: float, function: Callable[[], None]) -> None:
        with self._wake:
            entry = (time.monotonic() + delay_s, next(self._numbers), function)
            heapq.heappush(self._queue, entry)
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._stopping and not self._due():
                    left_s = self._queue[0][0] - time.monotonic() if self._queue else None
                    self._wake.wait(left_s)
                if self._stopping:
                    return
                function = heapq.heappop(self._queue)[2]
            function()

    def _due(self) -> bool:
        return bool(self._queue) and self._queue[0][0] <= time.monotonic()
