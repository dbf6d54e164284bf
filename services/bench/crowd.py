"""A large home for measuring: so many devices, all of other names, in rooms, that answer at once.

They and their broker live in processes of their own, so that processor time and memory of the home
that listens to them are its alone. The broker is mosquitto where it is installed, else the embedded
one, which is slow to hand out what a thousand devices have left with it. Nothing here knows
``Home``.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from services.bench.mosquitto import mosquitto
from services.home.broker import BrokerAddress, BrokerError, BrokerLink, Message, PublishFailed
from services.home.embedded_broker import EmbeddedBroker
from services.home.simulated_devices import (
    SimulatedDevice,
    SimulatedJsonLight,
    SimulatedPlainLight,
    SimulatedSensor,
    SimulatedSwitch,
)

BASE = "crowd"
BRIDGE = f"{BASE}/bridge"
START_S = 60.0  # for a large crowd to be announced
STOP_S = 10.0
FULL_S = 0.002  # between two looks at a queue that is full

_COLOURS = [
    "amber", "azure", "black", "blue", "bronze", "brown", "copper", "coral", "crimson",
    "golden", "green", "grey", "indigo", "ivory", "jade", "lilac", "maroon", "orange", "pink",
    "purple", "red", "scarlet", "silver", "violet", "white",
]  # fmt: skip
_WOODS = ["oak", "birch", "cedar", "elm", "maple", "willow", "walnut", "beech"]
_LIGHTS = ["lamp", "spot", "lantern", "chandelier", "sconce", "downlight"]
_PLUGS = ["kettle", "heater", "printer", "radio"]
_METERS = ["meter", "probe"]
_ROOMS = [
    "kitchen", "bedroom", "bathroom", "hallway", "garage", "garden", "office", "library",
    "studio", "pantry", "cellar", "attic", "nursery", "lounge", "gallery", "workshop",
    "laundry", "porch", "terrace", "playroom",
]  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """A typed line and how many devices it moves."""

    text: str
    devices: int = 1


def crowd(count: int) -> tuple[SimulatedDevice, ...]:
    """``count`` devices: six of twelve lights, four plugs, two sensors; twenty rooms.

    Names are "oak amber lamp" and so on: two of them share two words at most.
    """
    kinds = (*_LIGHTS, *_PLUGS, *_METERS)
    found = []
    for number in range(count):
        rest, kind = divmod(number, len(kinds))
        rest, colour = divmod(rest, len(_COLOURS))
        floor, wood = divmod(rest, len(_WOODS))
        words = [_WOODS[wood], _COLOURS[colour], kinds[kind], *([str(floor + 1)] if floor else [])]
        room = _ROOMS[number * 7 % len(_ROOMS)]
        found.append(_device(kinds[kind], kind, " ".join(words), room))
    return tuple(found)


def _device(kind: str, place: int, name: str, room: str) -> SimulatedDevice:
    device_id = name.replace(" ", "_")
    if kind in _METERS:
        return SimulatedSensor(device_id, name, room, {"state": 20.5}, unit="°C")
    if kind in _PLUGS:
        return SimulatedSwitch(device_id, name, room, {"state": "OFF"})
    state = {"state": "OFF", "brightness": 100}
    light = SimulatedJsonLight if place % 2 else SimulatedPlainLight
    return light(device_id, name, room, state)


def sentences(devices: Sequence[SimulatedDevice], count: int, seed: int = 1) -> list[Sentence]:
    """A seeded draw: nine of ten lines name a device, one names a room's lights."""
    draw = random.Random(seed)
    movable = [device for device in devices if device.commands]
    rooms = sorted({d.area for d in movable if d.platform == "light"})
    found = []
    for _ in range(count):
        verb = draw.choice(("turn on", "turn off", "switch on", "switch off"))
        if draw.random() < 0.1:
            room = draw.choice(rooms)
            lights = sum(d.platform == "light" and d.area == room for d in movable)
            found.append(Sentence(f"{verb} the {room} lights", lights))
            continue
        device = draw.choice(movable)
        if device.platform == "light" and draw.random() < 0.4:
            found.append(Sentence(f"set the {device.name} to {draw.randint(1, 100)} percent"))
        else:
            found.append(Sentence(f"{verb} the {device.name}"))
    return found


class Crowd:
    """The processes of broker and devices; a context manager."""

    address: BrokerAddress

    def __init__(self, count: int, program: str | None = None) -> None:
        """``program``: a mosquitto to start; None for the embedded broker."""
        self._count, self._program = count, program
        self._parts = contextlib.ExitStack()

    def __enter__(self) -> Crowd:
        """Raises BrokerError when broker or devices do not come up."""
        with contextlib.ExitStack() as parts:
            broker = parts.enter_context(mosquitto(self._program)) if self._program else None
            context = multiprocessing.get_context("spawn")
            self._pipe, far = context.Pipe()
            process = context.Process(target=_live, args=(far, self._count, broker), daemon=True)
            process.start()
            far.close()
            parts.callback(_end, process, self._pipe)
            version = broker.version if broker else EmbeddedBroker.VERSION
            self.address = BrokerAddress("127.0.0.1", self._answer(), version=version)
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def announce_again(self) -> None:
        """Every device says again, word by word, what it said at first.

        Raises:
            BrokerError: the process is not well.
        """
        self._pipe.send("announce")
        self._answer()

    def _answer(self) -> int:
        try:
            if self._pipe.poll(START_S):
                return int(self._pipe.recv())
        except (EOFError, OSError) as error:
            raise BrokerError("the process of the simulated devices has ended") from error
        raise BrokerError("the process of the simulated devices does not answer")


def _end(process: BaseProcess, pipe: Connection) -> None:
    with contextlib.suppress(OSError):  # it has gone already
        pipe.send("stop")
    process.join(STOP_S)
    if process.is_alive():
        process.kill()
        process.join()


def _live(pipe: Connection, count: int, broker: BrokerAddress | None) -> None:
    """The other process: announce, obey, until told to stop."""
    with contextlib.ExitStack() as parts:
        address = broker or parts.enter_context(EmbeddedBroker()).address
        people = _People(address, crowd(count))
        people.start()
        pipe.send(address.port)
        while pipe.recv() != "stop":
            people.announce()
            pipe.send(address.port)
        people.stop()


class _People:
    """All devices on one connection."""

    def __init__(self, address: BrokerAddress, devices: Sequence[SimulatedDevice]) -> None:
        self._devices = devices
        self._states = {d.device_id: dict(d.initial) for d in devices}
        self._topics = {t: d for d in devices for t in d.command_topics(BASE)}
        self._link = BrokerLink(address, self._received, name=BASE, status_topic=BRIDGE)
        self._link.subscribe([f"{BASE}/+/set", f"{BASE}/+/brightness/set"])

    def start(self) -> None:
        self._link.start()
        self._link.wait_connected(START_S)
        self.announce()

    def stop(self) -> None:
        self._link.stop()

    def announce(self) -> None:
        for topic, payload in self._told():
            self._publish(topic, payload)

    def _told(self) -> Iterator[tuple[str, bytes]]:
        for device in self._devices:
            body = {**device.config(BASE, BRIDGE), "availability": [{"topic": BRIDGE}]}
            yield device.config_topic, json.dumps(body, separators=(",", ":")).encode()
            yield from device.state_messages(BASE, self._states[device.device_id])

    def _publish(self, topic: str, payload: bytes) -> None:
        """At the broker's pace."""
        while True:
            try:
                return self._link.publish_state(topic, payload)
            except PublishFailed:
                time.sleep(FULL_S)

    def _received(self, message: Message) -> None:
        device = self._topics.get(message.topic)
        if device is None or message.retained:
            return
        suffix = message.topic.removeprefix(f"{BASE}/{device.device_id}/")
        state = self._states[device.device_id]
        change = device.obey(suffix, message.payload, dict(state))
        if change is not None:
            state.update(change)
            for topic, payload in device.state_messages(BASE, state):
                self._link.publish_state(topic, payload)
