"""Lights, in the three forms Home Assistant's discovery knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from services.home.colors import RGB, from_hs, from_xy, mireds_to_kelvin
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
from services.home.platforms.parse import document, number, numbers, one_of, percent
from services.home.state import EntityState

KELVIN = (1000, 20000)
"""What any lamp may be asked for."""


class _Light(Platform):
    """What the three forms share."""

    command_topic: Topic
    color_temp_kelvin: bool = False
    """Colour temperatures travel in kelvin, not in mireds."""
    min_kelvin: Number | None = None
    max_kelvin: Number | None = None
    min_mireds: Number | None = None
    max_mireds: Number | None = None

    @property
    def kelvin_range(self) -> tuple[int, int]:
        """The warmest and the coldest white of this lamp."""
        low = self.min_kelvin or mireds_to_kelvin(self.max_mireds or 0) or 2000
        high = self.max_kelvin or mireds_to_kelvin(self.min_mireds or 0) or 6535
        return round(min(low, high)), round(max(low, high))

    @property
    def scale(self) -> int:
        """Its brightest, in its own steps."""
        return 255

    def kelvin(self, value: object) -> int | None:
        """A colour temperature of a state message, in kelvin."""
        found = number(value)
        if found is None or found <= 0:
            return None
        kelvin = found if self.color_temp_kelvin else mireds_to_kelvin(found)
        return round(kelvin) if KELVIN[0] <= kelvin <= KELVIN[1] else None

    def _brightness(self, text: str, _known: EntityState) -> Said | None:
        found = percent(text, self.scale)
        return None if found is None else {"brightness": found}

    def _white(self, text: str, _known: EntityState) -> Said | None:
        found = self.kelvin(text)
        return None if found is None else {"kelvin": found}


class JsonLight(_Light):
    """A light that takes and tells everything in one JSON object."""

    brightness: bool = False
    brightness_scale: int = Field(default=255, ge=1, le=65535)
    supported_color_modes: Words = ()

    @property
    def scale(self) -> int:
        return self.brightness_scale

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
        return has(
            brightness=self.brightness or any(m != "onoff" for m in self.supported_color_modes),
            color=self.color_space,
            color_temp="color_temp" in self.supported_color_modes,
        )

    def made_readings(self) -> list[Reading]:
        fields = ("value", "brightness", "color", "kelvin")
        return told_by(self.state_topic, None, self._read, *fields)

    def _read(self, text: str, _known: EntityState) -> Said | None:
        body = document(text)
        if body is None:
            return None
        mode = body.get("color_mode")
        white = mode in ("color_temp", "white")
        said: dict[str, object] = {
            "brightness": percent(body.get("brightness"), self.scale),
            "color": None if white else json_color(body.get("color")),
            "kelvin": None if mode != "color_temp" and mode is not None
            else self.kelvin(body.get("color_temp")),
        }  # fmt: skip
        fresh = {field: value for field, value in said.items() if value is not None}
        power = body.get("state", "")
        if power is None or power in ("ON", "OFF"):
            fresh["value"] = None if power is None else power.lower()
        if fresh and isinstance(mode, str):
            # A lamp shines in a colour or in a white; what it left is not true any more.
            fresh |= {"color": None} if white else {"kelvin": None}
        return fresh or None


class Light(_Light):
    """A light with a topic for each of its abilities (Home Assistant's default schema)."""

    state_value_template: ValueTemplate | None = None
    payload_on: Text = "ON"
    payload_off: Text = "OFF"
    on_command_type: Literal["last", "first", "brightness"] = "last"
    brightness_command_topic: Topic | None = None
    brightness_command_template: ValueTemplate | None = None
    brightness_state_topic: Topic | None = None
    brightness_value_template: ValueTemplate | None = None
    brightness_scale: int = Field(default=255, ge=1, le=65535)
    color_mode_state_topic: Topic | None = None
    color_mode_value_template: ValueTemplate | None = None
    color_temp_command_topic: Topic | None = None
    color_temp_command_template: ValueTemplate | None = None
    color_temp_state_topic: Topic | None = None
    color_temp_value_template: ValueTemplate | None = None
    rgb_command_topic: Topic | None = None
    rgb_command_template: ValueTemplate | None = None
    rgb_state_topic: Topic | None = None
    rgb_value_template: ValueTemplate | None = None
    rgbw_command_topic: Topic | None = None
    rgbw_command_template: ValueTemplate | None = None
    rgbw_state_topic: Topic | None = None
    rgbw_value_template: ValueTemplate | None = None
    rgbww_command_topic: Topic | None = None
    rgbww_command_template: ValueTemplate | None = None
    rgbww_state_topic: Topic | None = None
    rgbww_value_template: ValueTemplate | None = None
    hs_command_topic: Topic | None = None
    hs_command_template: ValueTemplate | None = None
    hs_state_topic: Topic | None = None
    hs_value_template: ValueTemplate | None = None
    xy_command_topic: Topic | None = None
    xy_command_template: ValueTemplate | None = None
    xy_state_topic: Topic | None = None
    xy_value_template: ValueTemplate | None = None

    @property
    def scale(self) -> int:
        return self.brightness_scale

    @property
    def color_space(self) -> str | None:
        """The space colours are sent in."""
        for space in ("rgb", "hs", "xy", "rgbw", "rgbww"):
            if getattr(self, f"{space}_command_topic"):
                return space
        return None

    @property
    def features(self) -> frozenset[str]:
        return has(
            brightness=self.brightness_command_topic,
            color=self.color_space,
            color_temp=self.color_temp_command_topic,
        )

    def made_readings(self) -> list[Reading]:
        powers = {self.payload_on: "on", self.payload_off: "off"}
        power = self.state_value_template or self.value_template
        found = [
            *told_by(self.state_topic, power, one_of("value", powers), "value"),
            *told_by(self.brightness_state_topic, self.brightness_value_template,
                     self._brightness, "brightness"),
            *told_by(self.color_temp_state_topic, self.color_temp_value_template,
                     self._white, "kelvin"),
            *told_by(self.color_mode_state_topic, self.color_mode_value_template,
                     _mode, "color_mode"),
        ]  # fmt: skip
        for space, count in (("rgb", 3), ("rgbw", 4), ("rgbww", 5), ("hs", 2), ("xy", 2)):
            topic = getattr(self, f"{space}_state_topic")
            template = getattr(self, f"{space}_value_template")
            found += told_by(topic, template, _Colour(space, count), "color")
        return found


class TemplateLight(_Light):
    """A light whose every message is written and read by templates."""

    command_on_template: ValueTemplate
    command_off_template: ValueTemplate
    state_template: ValueTemplate | None = None
    brightness_template: ValueTemplate | None = None
    color_temp_template: ValueTemplate | None = None
    red_template: ValueTemplate | None = None
    green_template: ValueTemplate | None = None
    blue_template: ValueTemplate | None = None

    @property
    def features(self) -> frozenset[str]:
        colored = self.red_template and self.green_template and self.blue_template
        return has(
            brightness=self.brightness_template,
            color=colored,
            color_temp=self.color_temp_template,
        )

    def made_readings(self) -> list[Reading]:
        def shade(index: int) -> Any:
            return lambda text, known: _part(index, text, known)

        power = one_of("value", {"on": "on", "off": "off"})
        found = [*told_by(self.state_topic, self.state_template, power, "value")]
        if self.brightness_template:
            found += told_by(
                self.state_topic, self.brightness_template, self._brightness, "brightness"
            )
        if self.color_temp_template:
            found += told_by(self.state_topic, self.color_temp_template, self._white, "kelvin")
        if "color" in self.features:
            shades = (self.red_template, self.green_template, self.blue_template)
            for index, template in enumerate(shades):
                found += told_by(self.state_topic, template, shade(index), "color")
        return found


def _part(index: int, text: str, known: EntityState) -> Said | None:
    """One of red, green and blue; the others stay as they were."""
    found = number(text)
    if found is None or not 0 <= found <= 255:
        return None
    parts = list(known.color or (0, 0, 0))
    parts[index] = round(found)
    return {"color": (parts[0], parts[1], parts[2])}


def _mode(text: str, _known: EntityState) -> Said | None:
    if text in ("color_temp", "white"):
        return {"color": None}
    return {"kelvin": None} if text in ("rgb", "rgbw", "rgbww", "hs", "xy") else None


class _Colour:
    """Reads ``255,0,0`` and its like in one colour space."""

    def __init__(self, space: str, count: int) -> None:
        self._space, self._count = space, count

    def __call__(self, text: str, _known: EntityState) -> Said | None:
        parts = numbers(text, self._count)
        color = None if parts is None else _SPACES[self._space](*parts[: _SIZES[self._space]])
        return None if color is None else {"color": color}


def json_color(value: object) -> RGB | None:
    """The colour object of a JSON light's state."""
    if not isinstance(value, Mapping):
        return None
    for keys in ("rgb", "hs", "xy"):
        parts = [number(value.get(key)) for key in keys]
        known = [n for n in parts if n is not None]
        if len(known) == len(keys):
            color: RGB | None = _SPACES[keys](*known)
            return color
    return None


def _rgb(red: float, green: float, blue: float) -> RGB | None:
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        return None
    return (round(red), round(green), round(blue))


_SPACES: dict[str, Any] = {"rgb": _rgb, "rgbw": _rgb, "rgbww": _rgb, "hs": from_hs, "xy": from_xy}
_SIZES = {"rgb": 3, "rgbw": 3, "rgbww": 3, "hs": 2, "xy": 2}
