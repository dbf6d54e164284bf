"""What a zigbee2mqtt device exposes, written as Home Assistant's discovery would write it. Pure.

Source: zigbee2mqtt documentation, "Exposes": ``access`` is a set of bits, 1 told in the state, 2
can be set, 4 can be asked for. Everything is told in one JSON object on the device's topic and
set by ``<topic>/set`` or ``<topic>/set/<property>``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

STATE, SET = 1, 2
_PROPERTY = re.compile(r"[A-Za-z0-9_. -]{1,100}")
_SPEEDS = ("low", "medium", "high")
_COLOR_MODES = {"color_xy": "xy", "color_hs": "hs", "color_temp": "color_temp"}
_LEFT_OUT = frozenset({"linkquality", "action", "update", "last_seen"})

_SENSOR_CLASSES = {
    "battery": "battery", "temperature": "temperature", "humidity": "humidity", "power": "power",
    "energy": "energy", "voltage": "voltage", "current": "current", "illuminance": "illuminance",
    "pressure": "pressure", "co2": "carbon_dioxide", "pm25": "pm25", "voc": "volatile_organic",
}  # fmt: skip
_BINARY_CLASSES = {
    "contact": "door", "occupancy": "occupancy", "presence": "presence", "water_leak": "moisture",
    "smoke": "smoke", "gas": "gas", "carbon_monoxide": "carbon_monoxide", "vibration": "vibration",
    "battery_low": "battery", "tamper": "tamper", "moving": "moving",
}  # fmt: skip
_DIAGNOSES = frozenset({"battery", "battery_low", "voltage", "tamper", "device_temperature"})


class Expose(BaseModel):
    """One thing a device can do or tell; some have parts."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    type: str = Field(max_length=40)
    name: str = Field(default="", max_length=100)
    label: str = Field(default="", max_length=100)
    property: str = Field(default="", max_length=100)
    endpoint: str | None = Field(default=None, max_length=40)
    access: int = 0
    category: str | None = None
    unit: str | None = Field(default=None, max_length=40)
    value_on: Any = None
    value_off: Any = None
    value_min: float | None = None
    value_max: float | None = None
    value_step: float | None = None
    values: tuple[str | int | float | bool, ...] = Field(default=(), max_length=200)
    features: tuple[Expose, ...] = Field(default=(), max_length=100)

    def part(self, *names: str) -> Expose | None:
        """The first part of one of these names, if it can be read into a template."""
        for name in names:
            for one in self.features:
                if one.name == name and _PROPERTY.fullmatch(one.property):
                    return one
        return None


@dataclass(frozen=True)
class Body:
    """One entity in long discovery keys, without its device and availability."""

    platform: str
    object_id: str
    body: Mapping[str, object]

    def shared_with(self, others: Iterable[Body]) -> Body:
        """What this and all others can do: for lights, the colour modes of all."""
        modes = self.body.get("supported_color_modes")
        if not isinstance(modes, list):
            return self
        for other in others:
            theirs = other.body.get("supported_color_modes", [])
            modes = [m for m in modes if isinstance(theirs, list) and m in theirs]
        return replace(self, body={**self.body, "supported_color_modes": modes})

    def moved_to(self, topic: str) -> Body:
        """The same on another device's topics: those of a group."""
        here = self.body.get("state_topic") or self.body.get("position_topic")
        if not isinstance(here, str):
            return self
        body = {
            key: topic + value[len(here) :]
            if key.endswith("_topic") and isinstance(value, str) and value.startswith(here)
            else value
            for key, value in self.body.items()
        }
        return replace(self, body=body)


def bodies(topic: str, exposes: Sequence[Expose]) -> tuple[Body, ...]:
    """All entities of a device whose state comes on ``topic``."""
    return tuple(body for expose in exposes for body in _made(topic, expose))


def _made(topic: str, expose: Expose) -> Iterator[Body]:
    special = _SPECIAL.get(expose.type)
    ending = f"_{expose.endpoint}" if expose.endpoint else ""
    if special is not None:
        body = special(topic, expose)
        if body is not None:
            name = {"name": expose.endpoint.replace("_", " ")} if expose.endpoint else {}
            yield Body(expose.type, expose.type + ending, {"name": None, **body, **name})
        return
    if expose.name in _LEFT_OUT or not _PROPERTY.fullmatch(expose.property):
        return
    settable = bool(expose.access & SET)
    if not expose.access & STATE or expose.category == "config" or settable:
        return
    made = _tells(topic, expose)
    if made is not None:
        platform, body = made
        category = expose.category or ("diagnostic" if expose.name in _DIAGNOSES else None)
        yield Body(platform, expose.name + ending, {**body, "entity_category": category})


def _tells(topic: str, expose: Expose) -> tuple[str, dict[str, object]] | None:
    """A sensor or a binary sensor."""
    said = {
        "name": expose.label or expose.name.replace("_", " "),
        "state_topic": topic,
        "value_template": _value(expose),
    }
    if expose.type == "binary":
        return "binary_sensor", {
            **said,
            "payload_on": str(expose.value_on),
            "payload_off": str(expose.value_off),
            "device_class": _BINARY_CLASSES.get(expose.name),
        }
    if expose.type in ("numeric", "enum", "text"):
        kind = _SENSOR_CLASSES.get(expose.name)
        return "sensor", {**said, "unit_of_measurement": expose.unit, "device_class": kind}
    return None


def _value(expose: Expose) -> str:
    """Reads a property; a payload without it says nothing."""
    return f'{{{{ value_json["{expose.property}"] }}}}'


def _sent(value: object) -> str:
    """A value as ``set/<property>`` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def _switch(topic: str, expose: Expose) -> dict[str, object] | None:
    state = expose.part("state")
    if state is None:
        return None
    return {
        "command_topic": f"{topic}/set/{state.property}",
        "state_topic": topic,
        "value_template": _value(state),
        "payload_on": _sent(state.value_on),
        "payload_off": _sent(state.value_off),
        "state_on": str(state.value_on),
        "state_off": str(state.value_off),
    }


def _light(topic: str, expose: Expose) -> dict[str, object] | None:
    if expose.endpoint:
        return _light_of_many(topic, expose)
    level, white = expose.part("brightness"), expose.part("color_temp")
    modes = [mode for part, mode in _COLOR_MODES.items() if expose.part(part)]
    if "xy" in modes and "hs" in modes:
        modes.remove("hs")
    return {
        "schema": "json",
        "command_topic": f"{topic}/set",
        "state_topic": topic,
        "brightness": level is not None,
        "brightness_scale": int(level.value_max or 254) if level else 254,
        "supported_color_modes": modes or ["brightness" if level else "onoff"],
        "min_mireds": white.value_min if white else None,
        "max_mireds": white.value_max if white else None,
    }


def _light_of_many(topic: str, expose: Expose) -> dict[str, object] | None:
    """One of several lights of a device: its properties carry its ending, so JSON cannot."""
    power = _switch(topic, expose)
    if power is None:
        return None
    del power["state_on"], power["state_off"]
    level, white = expose.part("brightness"), expose.part("color_temp")
    if level is not None:
        power |= {
            "brightness_command_topic": f"{topic}/set/{level.property}",
            "brightness_state_topic": topic,
            "brightness_value_template": _value(level),
            "brightness_scale": int(level.value_max or 254),
        }
    if white is not None:
        power |= {
            "color_temp_command_topic": f"{topic}/set/{white.property}",
            "color_temp_state_topic": topic,
            "color_temp_value_template": _value(white),
            "min_mireds": white.value_min,
            "max_mireds": white.value_max,
        }
    return power


def _lock(topic: str, expose: Expose) -> dict[str, object] | None:
    state = expose.part("state")
    if state is None:
        return None
    return {
        "command_topic": f"{topic}/set/{state.property}",
        "state_topic": topic,
        "value_template": _value(state),
        "payload_lock": _sent(state.value_on),
        "payload_unlock": _sent(state.value_off),
        "state_locked": str(state.value_on),
        "state_unlocked": str(state.value_off),
    }


def _cover(topic: str, expose: Expose) -> dict[str, object] | None:
    state, position = expose.part("state"), expose.part("position")
    tilt = expose.part("tilt")
    body: dict[str, object] = {}
    if state is not None:
        body |= {
            "command_topic": f"{topic}/set/{state.property}",
            "state_topic": topic,
            "value_template": _value(state),
            "state_open": "OPEN",
            "state_closed": "CLOSE",
            "state_stopped": "STOP",
        }
    if position is not None:
        body |= {
            "position_topic": topic,
            "position_template": _value(position),
            "set_position_topic": f"{topic}/set/{position.property}",
        }
    if tilt is not None:
        body |= {
            "tilt_command_topic": f"{topic}/set/{tilt.property}",
            "tilt_status_topic": topic,
            "tilt_status_template": _value(tilt),
        }
    return body or None


def _fan(topic: str, expose: Expose) -> dict[str, object] | None:
    body = _switch(topic, expose)
    if body is None:
        return None
    body["state_value_template"] = body.pop("value_template")
    speed, mode = expose.part("speed"), expose.part("mode")
    told = {"percentage_state_topic": topic}
    if speed is not None:
        body |= {
            **told,
            "percentage_command_topic": f"{topic}/set/{speed.property}",
            "percentage_value_template": _value(speed),
            "speed_range_min": max(1, int(speed.value_min or 1)),
            "speed_range_max": int(speed.value_max or 254),
        }
    elif mode is not None and (speeds := [s for s in _SPEEDS if s in mode.values]):
        by_number = ", ".join(f"{n}: '{s}'" for n, s in enumerate(speeds, 1))
        by_name = ", ".join(f"'{s}': {n}" for n, s in enumerate(speeds, 1))
        body |= {
            **told,
            "percentage_command_topic": f"{topic}/set/{mode.property}",
            "percentage_command_template": f"{{{{ {{{by_number}}}[value] }}}}",
            "percentage_value_template": (
                f"{{{{ {{'off': 0, {by_name}}}[value_json[\"{mode.property}\"]]"
                " | default('None') }}"
            ),
            "speed_range_max": len(speeds),
        }
    return body


def _climate(topic: str, expose: Expose) -> dict[str, object] | None:
    wished = expose.part(
        "occupied_heating_setpoint", "current_heating_setpoint", "occupied_cooling_setpoint"
    )
    if wished is None:
        return None
    body: dict[str, object] = {
        "temperature_command_topic": f"{topic}/set/{wished.property}",
        "temperature_state_topic": topic,
        "temperature_state_template": _value(wished),
        "min_temp": wished.value_min,
        "max_temp": wished.value_max,
        "temp_step": wished.value_step or 0.5,
        "temperature_unit": "F" if wished.unit == "°F" else "C",
        "modes": [],
    }
    for name, prefix, template in (
        ("local_temperature", "current_temperature", "current_temperature_template"),
        ("system_mode", "mode_state", "mode_state_template"),
        ("fan_mode", "fan_mode_state", "fan_mode_state_template"),
        ("preset", "preset_mode_state", "preset_mode_value_template"),
        ("running_state", "action", "action_template"),
    ):
        part = expose.part(name)
        if part is None:
            continue
        body |= {f"{prefix}_topic": topic, template: _value(part)}
        chosen = {"system_mode": ("mode_command_topic", "modes"),
                  "fan_mode": ("fan_mode_command_topic", "fan_modes")}.get(name)  # fmt: skip
        if chosen is not None and part.access & SET:
            body |= {chosen[0]: f"{topic}/set/{part.property}", chosen[1]: list(part.values)}
    return body


_SPECIAL: dict[str, Callable[[str, Expose], dict[str, object] | None]] = {
    "light": _light,
    "switch": _switch,
    "lock": _lock,
    "cover": _cover,
    "fan": _fan,
    "climate": _climate,
}
