"""State messages read purely: bytes on a state topic become what the home knows and can say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.home.colors import RGB, from_hs, from_xy
from services.home.platforms import (
    BinarySensor,
    Cover,
    JsonLight,
    Light,
    Lock,
    Sensor,
    Spec,
    Switch,
)
from services.home.templates import TemplateFailed, TemplateRefused, parse_json, render
from services.language.spoken import spoken


@dataclass(frozen=True)
class EntityState:
    """What is known of an entity; None where nothing was heard."""

    value: str | None = None
    """State as it may be told: ``on``, ``locked``, ``21.5 degrees``."""
    brightness: int | None = None
    """Percent, 1..100 for a light that shines."""
    color: RGB | None = None


UNKNOWN = EntityState()


def read_state(spec: Spec, topic: str, payload: bytes, known: EntityState) -> EntityState | None:
    """The state after one message, None when it says nothing usable."""
    try:
        if isinstance(spec, JsonLight):
            return _json_light(spec, payload, known)
        if isinstance(spec, Light):
            return _light(spec, topic, payload, known)
        if isinstance(spec, Cover) and topic != spec.state_topic:
            return _position(spec, render(spec.position_template, payload))
        text = render(spec.value_template, payload)
    except (TemplateFailed, TemplateRefused):
        return None
    value = _word(spec, text)
    return None if value is None else EntityState(value)


def _word(spec: Spec, text: str) -> str | None:
    if isinstance(spec, Sensor):
        return _reading(text, spec.unit_of_measurement)
    if isinstance(spec, BinarySensor):
        on, off = _BINARY_WORDS.get(spec.device_class or "", ("on", "off"))
        return {spec.payload_on: on, spec.payload_off: off}.get(text)
    if isinstance(spec, Switch):
        on_text = spec.payload_on if spec.state_on is None else spec.state_on
        off_text = spec.payload_off if spec.state_off is None else spec.state_off
        return {on_text: "on", off_text: "off"}.get(text)
    if isinstance(spec, Lock):
        words = ("locked", "unlocked", "locking", "unlocking", "jammed")
        return {getattr(spec, f"state_{word}"): word for word in words}.get(text)
    words = ("open", "opening", "closed", "closing", "stopped")
    return {getattr(spec, f"state_{word}"): word for word in words}.get(text)


_BINARY_WORDS = {
    **dict.fromkeys(("door", "garage_door", "opening", "window"), ("open", "closed")),
    **dict.fromkeys(("motion", "gas", "smoke", "sound", "vibration"), ("detected", "clear")),
    **dict.fromkeys(("occupancy", "presence"), ("occupied", "clear")),
    "lock": ("unlocked", "locked"),
    "moisture": ("wet", "dry"),
    "connectivity": ("connected", "disconnected"),
    "battery": ("low", "normal"),
}

_UNITS = {
    "%": "percent", "°C": "degrees", "°F": "degrees", "K": "kelvin", "W": "watts",
    "kW": "kilowatts", "Wh": "watt hours", "kWh": "kilowatt hours", "V": "volts", "A": "amps",
    "lx": "lux", "hPa": "hectopascals", "mbar": "millibars", "ppm": "parts per million",
    "µg/m³": "micrograms per cubic metre", "m/s": "metres per second",
    "km/h": "kilometres per hour", "mm": "millimetres", "L": "litres", "dB": "decibels",
}  # fmt: skip


def _reading(text: str, unit: str | None) -> str | None:
    if text.lower() in ("", "none", "unknown", "unavailable", "nan"):
        return None
    try:
        number = float(text)
    except ValueError:
        return spoken(text)[:120] or None
    if not math.isfinite(number):
        return None
    rounded = f"{number:.1f}".removesuffix(".0")
    return f"{rounded} {_UNITS.get(unit or '', spoken(unit or ''))}".strip()


def _position(spec: Cover, text: str) -> EntityState | None:
    try:
        position = float(text)
    except ValueError:
        return None
    if not math.isfinite(position):
        return None
    return EntityState("closed" if position == spec.position_closed else "open")


def _json_light(spec: JsonLight, payload: bytes, known: EntityState) -> EntityState | None:
    body = parse_json(payload)
    if not isinstance(body, Mapping):
        return None
    said: dict[str, Any] = {
        "brightness": _percent(body.get("brightness"), spec.brightness_scale),
        "color": _color(body.get("color")),
    }
    fresh = {part: value for part, value in said.items() if value is not None}
    power = body.get("state", "")
    if power is None or power in ("ON", "OFF"):
        fresh["value"] = None if power is None else power.lower()
    if body.get("color_mode") in ("color_temp", "white"):
        fresh["color"] = None
    return replace(known, **fresh) if fresh else None


def _light(spec: Light, topic: str, payload: bytes, known: EntityState) -> EntityState | None:
    fresh: dict[str, Any] = {}
    if topic == spec.state_topic:
        text = render(spec.state_value_template or spec.value_template, payload)
        fresh["value"] = {spec.payload_on: "on", spec.payload_off: "off"}.get(text)
    if topic == spec.brightness_state_topic:
        text = render(spec.brightness_value_template, payload)
        fresh["brightness"] = _percent(text, spec.brightness_scale)
    if topic == spec.rgb_state_topic:
        numbers = _numbers(render(spec.rgb_value_template, payload), 3)
        fresh["color"] = None if numbers is None else _rgb(*numbers)
    if topic == spec.hs_state_topic:
        numbers = _numbers(render(spec.hs_value_template, payload), 2)
        fresh["color"] = None if numbers is None else from_hs(*numbers)
    fresh = {part: value for part, value in fresh.items() if value is not None}
    return replace(known, **fresh) if fresh else None


def _percent(value: object, scale: int) -> int | None:
    number = _number(value)
    if number is None or not 0 <= number <= scale:
        return None
    return max(1, round(number * 100 / scale)) if number else 0


def _color(value: object) -> RGB | None:
    if not isinstance(value, Mapping):
        return None
    for keys, convert in (("rgb", _rgb), ("hs", from_hs), ("xy", from_xy)):
        numbers = [_number(value.get(key)) for key in keys]
        known = [n for n in numbers if n is not None]
        if len(known) == len(keys):
            return convert(*known)
    return None


def _rgb(red: float, green: float, blue: float) -> RGB | None:
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        return None
    return (round(red), round(green), round(blue))


def _numbers(text: str, count: int) -> list[float] | None:
    numbers = [_number(part) for part in text.strip("()[] ").split(",")[: count + 1]]
    known = [n for n in numbers if n is not None]
    return known if len(known) == len(numbers) == count else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
