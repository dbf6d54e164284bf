"""The arguments of every function a model may call, as pydantic models with their limits.

Calls come from models and templates, so they are checked like any input. Names of devices, rooms
and floors are spoken lower-case forms; numbers are whole, but for temperatures and arithmetic,
which may be decimal texts (``"21.5"``).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

Domain = Literal[
    "light", "switch", "fan", "cover", "valve", "lock", "climate", "humidifier", "water_heater",
    "vacuum", "siren", "scene", "button", "number", "select", "text", "alarm_control_panel",
    "sensor", "binary_sensor",
]  # fmt: skip
Color = Literal[
    "white", "warm white", "red", "orange", "yellow", "lime", "green", "turquoise", "teal",
    "cyan", "blue", "indigo", "navy", "violet", "purple", "magenta", "pink", "gold", "brown",
]  # fmt: skip
"""Spoken colours that lights are given; English in every language."""
LARGEST = 10**12 - 1
DECIMAL = r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$"


def _one(value: object) -> object:
    """Home Assistant's tools write ``"domain": ["light"]``."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _decimal(value: object) -> object:
    """``21.50`` → ``"21.5"``, ``21.0`` and ``"21"`` → 21; booleans are no numbers."""
    if isinstance(value, float):
        value = f"{value:.6f}"
    if not isinstance(value, str) or not re.fullmatch(DECIMAL, value):
        return value
    whole, _, part = value.partition(".")
    return f"{whole}.{part.rstrip('0')}" if part.rstrip("0") else int(whole)


def _step(value: int | str) -> int | str:
    if not 0 < float(value) <= 100:
        raise ValueError("must be more than 0 and at most 100")
    return value


Words = Annotated[str, Field(min_length=1, max_length=100)]
Decimal = Annotated[
    Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
    | Annotated[str, StringConstraints(pattern=DECIMAL)],
    BeforeValidator(_decimal),
    WithJsonSchema({"type": "number"}),
]
Percent = Annotated[int, Field(ge=0, le=100)]
Hours = Annotated[int, Field(ge=0, le=100)]
Minutes = Annotated[int, Field(ge=0, le=1000)]
Seconds = Annotated[int, Field(ge=0, le=86_400)]


class Arguments(BaseModel):
    """What every function shares: unknown keys and wrong types are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True,
        str_strip_whitespace=True, allow_inf_nan=False,
    )  # fmt: skip


class Place(Arguments):
    """Which devices: by name, by room, by floor, by kind; together they narrow."""

    name: Words | None = None
    """Name of one device, as listed."""
    area: Words | None = None
    """Name of a room, as listed, or `everywhere` for the whole home."""
    floor: Words | None = None
    """Name of a floor, as listed."""
    domain: Annotated[Domain | None, BeforeValidator(_one)] = None
    """Kind of device."""
    device_class: Annotated[Words | None, BeforeValidator(_one)] = None
    """Kind within the domain, such as curtain, garage or outlet."""


def _some(place: Place, *keys: str) -> None:
    if all(getattr(place, key) is None for key in keys):
        raise ValueError(f"needs one of {', '.join(keys)}")


class Somewhere(Place):
    """A place that must be told."""

    @model_validator(mode="after")
    def _told(self) -> Somewhere:
        _some(self, "name", "area", "floor", "domain", "device_class")
        return self


class StateOf(Somewhere):
    state: Words | None = None
    """State that is asked about, such as on, open or locked."""


class LightSet(Place):
    brightness: Percent | None = None
    """Percent of full brightness."""
    color: Color | None = None
    """English name of the colour."""
    temperature: Annotated[int, Field(ge=1000, le=10_000)] | None = None
    """Colour temperature in kelvin."""

    @model_validator(mode="after")
    def _wish(self) -> LightSet:
        _some(self, "brightness", "color", "temperature")
        return self


class Position(Somewhere):
    position: Percent
    """Percent open."""


class Temperature(Place):
    temperature: Decimal
    """Degrees in the unit of the home."""


class HvacMode(Place):
    mode: Literal["off", "auto", "heat", "cool", "heat_cool", "dry", "fan_only"]
    """What the device shall do."""


class FanMode(Place):
    fan_mode: Words
    """One of the fan modes of the device."""


class FanSpeed(Place):
    percentage: Percent
    """Percent of full speed."""


class Humidity(Place):
    humidity: Percent
    """Relative humidity in percent."""


class Mode(Place):
    mode: Words
    """One of the modes of the device."""


class Adjust(Place):
    quantity: Literal["brightness", "temperature", "position", "speed", "humidity"]
    """What is to change; position is how far a cover or valve is open."""
    direction: Literal["up", "down"]
    """up: brighter, warmer, further open, faster, more humid."""
    amount: Annotated[Decimal, AfterValidator(_step)] | None = None
    """By how many percent or degrees; a little where it is left out."""


class Number(Somewhere):
    value: Decimal
    """The number to set."""


class Option(Somewhere):
    option: Words
    """One of the options of the device."""


class Text(Somewhere):
    value: Annotated[str, Field(max_length=255)]
    """The text to set."""


class Arm(Place):
    mode: Literal["home", "away", "night", "vacation"]
    """How to arm the alarm system."""


class Which(Arguments):
    """Which running timer: by its name, by what it was started for, or by room."""

    name: Words | None = None
    """Name of the timer."""
    area: Words | None = None
    """Room of the appliance the timer runs on."""
    start_hours: Hours | None = None
    """Hours it was started for."""
    start_minutes: Minutes | None = None
    """Minutes it was started for."""
    start_seconds: Seconds | None = None
    """Seconds it was started for."""


class Room(Arguments):
    area: Words | None = None
    """Room of the appliance."""


class Duration(Arguments):
    hours: Hours | None = None
    minutes: Minutes | None = None
    seconds: Seconds | None = None


def _lasting(arguments: Duration | Change) -> None:
    if not any((arguments.hours, arguments.minutes, arguments.seconds)):
        raise ValueError("needs hours, minutes or seconds")


class StartTimer(Duration):
    name: Words | None = None
    """What the timer is for, such as pizza."""

    @model_validator(mode="after")
    def _time(self) -> StartTimer:
        _lasting(self)
        return self


class Change(Which):
    """A running timer and how much to add or take."""

    hours: Hours | None = None
    minutes: Minutes | None = None
    seconds: Seconds | None = None

    @model_validator(mode="after")
    def _time(self) -> Change:
        _lasting(self)
        return self


class Nothing(Arguments):
    """No arguments."""


class Volume(Arguments):
    volume_level: Percent
    """Percent of full loudness."""


class VolumeStep(Arguments):
    volume_step: Literal["up", "down"] | Annotated[int, Field(ge=-100, le=100)]
    """up, down, or percent to add (negative to take)."""


Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
Day = Literal["today", "tomorrow", "mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Days = Annotated[str, Field(pattern=rf"^{_DAY}(,{_DAY}){{0,6}}$")]


class Arithmetic(Arguments):
    left: Decimal
    operator: Literal["plus", "minus", "times", "divided_by", "percent_of"]
    right: Decimal


def _once_or_often(arguments: SetAlarm | Reminder) -> None:
    if arguments.day is not None and arguments.days is not None:
        raise ValueError("takes either day or days")


class SetAlarm(Arguments):
    time: Clock
    """Local time, HH:MM, 24 hours."""
    day: Day | None = None
    """The one day it rings on; none rings as soon as it is that time."""
    days: Days | None = None
    """Days it repeats on, such as mon,tue; none rings once."""
    name: Words | None = None

    @model_validator(mode="after")
    def _when(self) -> SetAlarm:
        _once_or_often(self)
        return self


class WhichAlarm(Arguments):
    time: Clock | None = None
    name: Words | None = None


class Reminder(Duration):
    text: Annotated[str, Field(min_length=1, max_length=200)]
    """What to remind of."""
    time: Clock | None = None
    """Local time, HH:MM, 24 hours; or else how long from now."""
    day: Day | None = None
    """The one day it comes on, with a time."""
    days: Days | None = None
    """Days it repeats on, with a time."""

    @model_validator(mode="after")
    def _when(self) -> Reminder:
        if (self.time is None) != any((self.hours, self.minutes, self.seconds)):
            raise ValueError("needs either a time or hours, minutes, seconds from now")
        _once_or_often(self)
        return self


class WhichReminder(Arguments):
    text: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Snooze(Duration):
    """How long; a few minutes where it is not said."""
