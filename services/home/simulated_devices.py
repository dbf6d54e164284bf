"""The devices of the simulated home: how each announces itself, obeys, and tells its state.

Between them they use every form a real broker carries: lights with the JSON schema in three
colour spaces, lights with a topic per ability, templates, base topics, abbreviations, both
discovery forms, availability lists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

State = dict[str, object]


@dataclass(frozen=True)
class SimulatedDevice:
    """One device with one entity; subclasses are the kinds."""

    device_id: str
    name: str
    area: str
    initial: Mapping[str, object] = field(default_factory=dict)

    platform: ClassVar[str]
    commands: ClassVar[tuple[str, ...]] = ()
    """Ends of the topics it takes commands on."""

    @property
    def entity_id(self) -> str:
        return f"{self.platform}.{self.device_id}"

    @property
    def config_topic(self) -> str:
        return f"homeassistant/{self.platform}/{self.device_id}/config"

    def command_topics(self, base: str) -> tuple[str, ...]:
        return tuple(f"{base}/{self.device_id}/{suffix}" for suffix in self.commands)

    def config(self, base: str, bridge: str) -> dict[str, object]:
        """The discovery payload."""
        return {
            "~": f"{base}/{self.device_id}",
            "name": None,
            "unique_id": f"simulated_{self.device_id}",
            "object_id": self.device_id,
            "availability": [{"topic": bridge}, {"topic": "~/availability"}],
            "availability_mode": "all",
            "device": {
                "identifiers": [f"simulated_{self.device_id}"],
                "name": self.name,
                "suggested_area": self.area,
            },
            **self.abilities(),
        }

    def abilities(self) -> dict[str, object]:
        raise NotImplementedError

    def obey(self, suffix: str, payload: bytes, state: State) -> State | None:
        """What a command changes; None when it is not understood."""
        return None

    def state_messages(self, base: str, state: State) -> list[tuple[str, bytes]]:
        return [(f"{base}/{self.device_id}", str(state["state"]).encode())]


@dataclass(frozen=True)
class SimulatedJsonLight(SimulatedDevice):
    scale: int = 255
    mode: str = "rgb"
    """Color mode: rgb, hs, xy, or brightness."""

    platform = "light"
    commands = ("set",)

    def abilities(self) -> dict[str, object]:
        return {
            "schema": "json",
            "command_topic": "~/set",
            "state_topic": "~",
            "brightness": True,
            "brightness_scale": self.scale,
            "supported_color_modes": [self.mode],
        }

    def obey(self, suffix: str, payload: bytes, state: State) -> State | None:
        try:
            body = json.loads(payload)
        except ValueError:
            return None
        if not isinstance(body, dict) or body.get("state") not in ("ON", "OFF"):
            return None
        return {k: body[k] for k in ("state", "brightness", "color") if k in body}

    def state_messages(self, base: str, state: State) -> list[tuple[str, bytes]]:
        body = json.dumps({**state, "color_mode": self.mode})
        return [(f"{base}/{self.device_id}", body.encode())]


@dataclass(frozen=True)
class SimulatedPlainLight(SimulatedDevice):
    """A light with a topic per ability; without ``dimmable`` it only goes on and off."""

    dimmable: bool = True

    platform = "light"
    commands = ("set", "brightness/set")

    def abilities(self) -> dict[str, object]:
        power: dict[str, object] = {"cmd_t": "~/set", "stat_t": "~"}
        dimmer = {
            "bri_cmd_t": "~/brightness/set", "bri_stat_t": "~/brightness", "bri_scl": 100,
        }  # fmt: skip
        return power | dimmer if self.dimmable else power

    def obey(self, suffix: str, payload: bytes, state: State) -> State | None:
        text = payload.decode(errors="replace")
        if suffix == "set":
            return {"state": text} if text in ("ON", "OFF") else None
        return {"brightness": int(text)} if text.isascii() and text.isdigit() else None

    def state_messages(self, base: str, state: State) -> list[tuple[str, bytes]]:
        power = super().state_messages(base, state)
        if not self.dimmable:
            return power
        topic = f"{base}/{self.device_id}/brightness"
        return [*power, (topic, str(state["brightness"]).encode())]


@dataclass(frozen=True)
class SimulatedSwitch(SimulatedDevice):
    platform = "switch"
    commands = ("set",)

    def abilities(self) -> dict[str, object]:
        return {
            "command_topic": "~/set",
            "state_topic": "~",
            "value_template": '{{ value_json["state"] }}',
        }

    def obey(self, suffix: str, payload: bytes, state: State) -> State | None:
        text = payload.decode(errors="replace")
        return {"state": text} if text in ("ON", "OFF") else None

    def state_messages(self, base: str, state: State) -> list[tuple[str, bytes]]:
        return [(f"{base}/{self.device_id}", json.dumps(state).encode())]


@dataclass(frozen=True)
class SimulatedLock(SimulatedDevice):
    platform = "lock"
    commands = ("set",)

    def abilities(self) -> dict[str, object]:
        return {"command_topic": "~/set", "state_topic": "~"}

    def obey(self, suffix: str, payload: bytes, state: State) -> State | None:
        done = {b"LOCK": "LOCKED", b"UNLOCK": "UNLOCKED"}.get(payload)
        return None if done is None else {"state": done}


@dataclass(frozen=True)
class SimulatedCover(SimulatedDevice):
    """Takes no commands here: what opens a house is not for the voice yet."""

    platform = "cover"

    def abilities(self) -> dict[str, object]:
        return {"state_topic": "~", "device_class": "garage"}


@dataclass(frozen=True)
class SimulatedSensor(SimulatedDevice):
    unit: str = ""

    platform = "sensor"

    def abilities(self) -> dict[str, object]:
        return {
            "state_topic": "~",
            "unit_of_measurement": self.unit,
            "value_template": "{{ value_json.value | round(1) }}",
        }

    def state_messages(self, base: str, state: State) -> list[tuple[str, bytes]]:
        return [(f"{base}/{self.device_id}", json.dumps({"value": state["state"]}).encode())]


@dataclass(frozen=True)
class SimulatedThermostat(SimulatedSensor):
    """A temperature in the device form of discovery."""

    @property
    def config_topic(self) -> str:
        return f"homeassistant/device/{self.device_id}/config"

    def config(self, base: str, bridge: str) -> dict[str, object]:
        flat = super().config(base, bridge)
        shared = ("~", "availability", "availability_mode", "device")
        component = {k: v for k, v in flat.items() if k not in shared}
        return {
            **{k: flat[k] for k in shared},
            "origin": {"name": "linnet simulated home"},
            "components": {"temperature": {"platform": self.platform, **component}},
        }


@dataclass(frozen=True)
class SimulatedContact(SimulatedDevice):
    device_class: str = "window"

    platform = "binary_sensor"

    def abilities(self) -> dict[str, object]:
        return {"state_topic": "~", "device_class": self.device_class}


_OFF = {"state": "OFF"}
_DIM = {"state": "OFF", "brightness": 255}

DEVICES: tuple[SimulatedDevice, ...] = (
    SimulatedJsonLight("standing_light", "Standing Light", "Living Room", _DIM),
    SimulatedJsonLight("ceiling_light", "Ceiling Light", "Living Room", _DIM, mode="brightness"),
    SimulatedSwitch("television", "Television", "Living Room", _OFF),
    SimulatedThermostat("ecobee", "Ecobee", "Living Room", {"state": 21.5}, unit="°C"),
    SimulatedJsonLight("kitchen_lights", "Kitchen Lights", "Kitchen", _DIM, scale=254, mode="xy"),
    SimulatedSwitch("coffee_maker", "Coffee Maker", "Kitchen", _OFF),
    SimulatedContact("kitchen_window", "Kitchen Window", "Kitchen", _OFF),
    SimulatedJsonLight("bed_light", "Bed Light", "Bedroom", _DIM, mode="hs"),
    SimulatedSwitch("bedroom_fan", "Bedroom Fan", "Bedroom", _OFF),
    SimulatedJsonLight("office_light", "Office Light", "Office", _DIM),
    SimulatedPlainLight("desk_lamp", "Desk Lamp", "Office", {"state": "OFF", "brightness": 100}),
    SimulatedPlainLight("hallway_light", "Hallway Light", "Hallway", _OFF, dimmable=False),
    SimulatedLock("front_door", "Front Door", "Hallway", {"state": "UNLOCKED"}),
    SimulatedPlainLight("garage_light", "Garage Light", "Garage", _OFF, dimmable=False),
    SimulatedCover("garage_door", "Garage Door", "Garage", {"state": "closed"}),
    SimulatedSensor("outdoor_humidity", "Outdoor Humidity", "Garden", {"state": 54}, unit="%"),
)
"""Seven rooms and sixteen devices."""
