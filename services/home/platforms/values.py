"""Values that are measured or set: sensor, binary sensor, number, select, text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from services.home.platforms.base import (
    Number,
    Platform,
    Reading,
    Said,
    Text,
    Topic,
    ValueTemplate,
    Words,
    has,
    told_by,
)
from services.home.platforms.parse import NONE, number, one_of, reading
from services.home.state import EntityState

_BINARY_WORDS = {
    **dict.fromkeys(("door", "garage_door", "opening", "window"), ("open", "closed")),
    **dict.fromkeys(
        ("motion", "gas", "smoke", "sound", "vibration", "carbon_monoxide", "moving", "tamper"),
        ("detected", "clear"),
    ),
    **dict.fromkeys(("occupancy", "presence"), ("occupied", "clear")),
    **dict.fromkeys(("problem", "safety"), ("in trouble", "fine")),
    "lock": ("unlocked", "locked"),
    "moisture": ("wet", "dry"),
    "connectivity": ("connected", "disconnected"),
    "battery": ("low", "normal"),
    "running": ("running", "not running"),
    "battery_charging": ("charging", "not charging"),
    "plug": ("plugged in", "unplugged"),
    "heat": ("hot", "normal"),
    "cold": ("cold", "normal"),
    "light": ("bright", "dark"),
}


class Sensor(Platform):
    state_topic: Topic
    device_class: Text | None = None
    unit_of_measurement: Text | None = None
    expire_after: float | None = Field(default=None, ge=0)

    def made_readings(self) -> list[Reading]:
        return told_by(self.state_topic, self.value_template, self._measured, "value")

    def _measured(self, text: str, _known: EntityState) -> Said | None:
        value = reading(text, self.unit_of_measurement)
        return None if value is None else {"value": value}


class BinarySensor(Platform):
    state_topic: Topic
    device_class: Text | None = None
    payload_on: Text = "ON"
    payload_off: Text = "OFF"
    expire_after: float | None = Field(default=None, ge=0)

    def made_readings(self) -> list[Reading]:
        on, off = _BINARY_WORDS.get(self.device_class or "", ("on", "off"))
        states = one_of("value", {self.payload_on: on, self.payload_off: off})
        return told_by(self.state_topic, self.value_template, states, "value")


class NumberValue(Platform):
    """A number that can be set, within bounds and in steps."""

    command_topic: Topic
    command_template: ValueTemplate | None = None
    device_class: Text | None = None
    unit_of_measurement: Text | None = None
    payload_reset: Text = NONE
    min: Number = 1
    max: Number = 100
    step: Number = Field(default=1, ge=0.001)

    @property
    def features(self) -> frozenset[str]:
        return has(number=True)

    def made_readings(self) -> list[Reading]:
        return told_by(self.state_topic, self.value_template, self._read, "value", "number")

    def _read(self, text: str, _known: EntityState) -> Said | None:
        if text == self.payload_reset:
            return {"value": None, "number": None}
        found = number(text)
        if found is None:
            return None
        return {"value": reading(text, self.unit_of_measurement), "number": found}


class Select(Platform):
    """One of a list of options."""

    command_topic: Topic
    command_template: ValueTemplate | None = None
    options: Words

    @property
    def features(self) -> frozenset[str]:
        return has(option=True)

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        return {"option": self.options}

    def made_readings(self) -> list[Reading]:
        options = one_of("value", {option: option for option in self.options})
        return told_by(self.state_topic, self.value_template, options, "value")


class TextValue(Platform):
    """A text that can be set. A password is neither told nor set by voice."""

    command_topic: Topic
    command_template: ValueTemplate | None = None
    min: int = Field(default=0, ge=0, le=255)
    max: int = Field(default=255, ge=1, le=255)
    mode: Literal["text", "password"] = "text"

    @property
    def features(self) -> frozenset[str]:
        return has(text=True)

    @property
    def exposed(self) -> bool:
        return super().exposed and self.mode == "text"

    def made_readings(self) -> list[Reading]:
        if self.mode == "password":
            return []
        return told_by(self.state_topic, self.value_template, _text, "value")


def _text(text: str, _known: EntityState) -> Said | None:
    return {"value": text} if len(text) <= 255 else None
