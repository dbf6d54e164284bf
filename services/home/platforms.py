"""What a discovery payload may say, platform by platform: pydantic models of foreign bytes.

Unknown keys are ignored as Home Assistant does; wrong types, wildcard topics and templates beyond
the sandbox are errors. Long keys only: ``abbreviations`` comes first.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from services.home.templates import compile_template


def _text(value: object) -> object:
    """Payload values may be written as numbers or booleans; they are compared as text."""
    return str(value) if isinstance(value, (bool, int, float)) else value


def _topic(value: str) -> str:
    if not value or len(value) > 512 or any(c in value for c in "+#\0") or value[0] == "$":
        raise ValueError("not a topic of one device")
    return value


def _template(value: str) -> str:
    compile_template(value)
    return value


Text = Annotated[str, BeforeValidator(_text), Field(max_length=256)]
Topic = Annotated[str, AfterValidator(_topic)]
ValueTemplate = Annotated[str, AfterValidator(_template)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Device(_Model):
    name: Text | None = None
    suggested_area: Text | None = None


class AvailabilityTopic(_Model):
    topic: Topic
    payload_available: Text = "online"
    payload_not_available: Text = "offline"
    value_template: ValueTemplate | None = None


class Platform(_Model):
    """What every platform shares."""

    name: Text | None = None
    unique_id: Text | None = None
    object_id: Text | None = None
    default_entity_id: Text | None = None
    device: Device = Device()
    state_topic: Topic | None = None
    value_template: ValueTemplate | None = None
    availability: tuple[AvailabilityTopic, ...] = Field(default=(), max_length=16)
    availability_topic: Topic | None = None
    availability_template: ValueTemplate | None = None
    availability_mode: Literal["all", "any", "latest"] = "latest"
    payload_available: Text = "online"
    payload_not_available: Text = "offline"

    @property
    def availability_topics(self) -> tuple[AvailabilityTopic, ...]:
        if self.availability_topic is None:
            return self.availability
        one = AvailabilityTopic(
            topic=self.availability_topic,
            payload_available=self.payload_available,
            payload_not_available=self.payload_not_available,
            value_template=self.availability_template,
        )
        return (one,)

    @property
    def features(self) -> frozenset[str]:
        return frozenset()

    @property
    def state_topics(self) -> tuple[str, ...]:
        return () if self.state_topic is None else (self.state_topic,)


class JsonLight(Platform):
    """A light that takes and tells everything in one JSON object."""

    command_topic: Topic
    brightness: bool = False
    brightness_scale: int = Field(default=255, ge=1, le=65535)
    supported_color_modes: tuple[Text, ...] = Field(default=(), max_length=16)

    @property
    def color_space(self) -> str | None:
        """The space colours are sent in: rgb, hs or xy."""
        modes = self.supported_color_modes
        for mode in ("rgb", "hs", "xy", "rgbw", "rgbww"):
            if mode in modes:
                return mode
        return None

    @property
    def features(self) -> frozenset[str]:
        dims = self.brightness or any(m != "onoff" for m in self.supported_color_modes)
        return frozenset(
            (["brightness"] if dims else []) + (["color"] if self.color_space else [])
        )


class Light(Platform):
    """A light with a topic for each of its abilities (Home Assistant's default schema)."""

    command_topic: Topic
    state_value_template: ValueTemplate | None = None
    payload_on: Text = "ON"
    payload_off: Text = "OFF"
    on_command_type: Literal["last", "first", "brightness"] = "last"
    brightness_command_topic: Topic | None = None
    brightness_state_topic: Topic | None = None
    brightness_value_template: ValueTemplate | None = None
    brightness_scale: int = Field(default=255, ge=1, le=65535)
    rgb_command_topic: Topic | None = None
    rgb_state_topic: Topic | None = None
    rgb_value_template: ValueTemplate | None = None
    hs_command_topic: Topic | None = None
    hs_state_topic: Topic | None = None
    hs_value_template: ValueTemplate | None = None

    @property
    def features(self) -> frozenset[str]:
        color = self.rgb_command_topic or self.hs_command_topic
        return frozenset(
            (["brightness"] if self.brightness_command_topic else [])
            + (["color"] if color else [])
        )

    @property
    def state_topics(self) -> tuple[str, ...]:
        topics = (
            self.state_topic,
            self.brightness_state_topic,
            self.rgb_state_topic,
            self.hs_state_topic,
        )
        return tuple(dict.fromkeys(t for t in topics if t is not None))


class Switch(Platform):
    command_topic: Topic
    payload_on: Text = "ON"
    payload_off: Text = "OFF"
    state_on: Text | None = None
    state_off: Text | None = None


class Lock(Platform):
    command_topic: Topic
    payload_lock: Text = "LOCK"
    state_locked: Text = "LOCKED"
    state_unlocked: Text = "UNLOCKED"
    state_locking: Text = "LOCKING"
    state_unlocking: Text = "UNLOCKING"
    state_jammed: Text = "JAMMED"


class Cover(Platform):
    """Read only in this house: nothing opens by voice yet."""

    device_class: Text | None = None
    state_open: Text = "open"
    state_opening: Text = "opening"
    state_closed: Text = "closed"
    state_closing: Text = "closing"
    state_stopped: Text = "stopped"
    position_topic: Topic | None = None
    position_template: ValueTemplate | None = None
    position_open: int = 100
    position_closed: int = 0

    @property
    def state_topics(self) -> tuple[str, ...]:
        both = (self.state_topic, self.position_topic)
        return tuple(dict.fromkeys(t for t in both if t is not None))


class Sensor(Platform):
    state_topic: Topic
    device_class: Text | None = None
    unit_of_measurement: Text | None = None
    expire_after: float | None = Field(default=None, ge=0)


class BinarySensor(Platform):
    state_topic: Topic
    device_class: Text | None = None
    payload_on: Text = "ON"
    payload_off: Text = "OFF"
    expire_after: float | None = Field(default=None, ge=0)


Spec = JsonLight | Light | Switch | Lock | Cover | Sensor | BinarySensor

MODELS: dict[str, type[Spec]] = {
    "switch": Switch,
    "lock": Lock,
    "cover": Cover,
    "sensor": Sensor,
    "binary_sensor": BinarySensor,
}
"""Platforms with one form; ``light`` has several and is chosen by its ``schema``."""
LIGHTS: dict[str, type[Light] | type[JsonLight]] = {
    "json": JsonLight,
    "basic": Light,
    "default": Light,
}
