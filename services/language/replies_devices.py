"""What a confirmed command made of a device, in words: ``open``, ``set to twenty one degrees``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from services.language.calls import Call, Value
from services.language.outcome import DeviceResult
from services.language.spoken import decimal_words, number_words, spoken

_TURNED: Mapping[tuple[str, str], str] = {
    ("HassTurnOn", "cover"): "open",
    ("HassTurnOff", "cover"): "closed",
    ("HassTurnOn", "valve"): "open",
    ("HassTurnOff", "valve"): "closed",
    ("HassTurnOn", "lock"): "locked",
    ("HassTurnOff", "lock"): "unlocked",
    ("HassTurnOn", "vacuum"): "cleaning",
    ("HassTurnOff", "vacuum"): "at its base",
}
"""What on and off mean, where it is not on and off."""


UNDERWAY: Mapping[str | None, str] = {
    "opening": "opening", "closing": "closing", "returning": "returning to its base",
    "arming": "arming", "pending": "arming",
}  # fmt: skip
"""States of a device that has begun what was asked, and has not done it yet."""
_KINDS = {
    "light": "lights", "switch": "switches", "cover": "covers", "fan": "fans", "lock": "locks",
    "valve": "valves", "siren": "sirens", "climate": "thermostats", "humidifier": "humidifiers",
    "vacuum": "vacuums",
}  # fmt: skip


def kind(results: Iterable[DeviceResult]) -> str:
    """What several devices are together: ``lights``, or ``devices`` when of several kinds."""
    domains = {result.entity_id.partition(".")[0] for result in results}
    return _KINDS.get(domains.pop(), "devices") if len(domains) == 1 else "devices"


def wanted(call: Call, result: DeviceResult) -> str | None:
    """What has come true of a device, or has begun to; None where on and off say it all."""
    if result.state in UNDERWAY:
        return UNDERWAY[result.state]
    turned = _TURNED.get((call.name, result.entity_id.partition(".")[0]))
    if turned is not None:
        return turned
    told = _TOLD.get(call.name)
    return None if told is None else told(call.args)


def _amount(value: Value | None) -> str:
    try:
        return decimal_words(float(value if value is not None else ""))
    except (ValueError, OverflowError):
        return spoken(str(value))


def _opened(args: Mapping[str, Value]) -> str:
    position = int(args.get("position", 0))
    return {0: "closed", 100: "open"}.get(position, f"at {number_words(position)} percent")


def _speed(args: Mapping[str, Value]) -> str:
    speed = int(args.get("percentage", 0))
    return f"at {number_words(speed)} percent" if speed else "off"


def _set(key: str, unit: str = "") -> Callable[[Mapping[str, Value]], str]:
    def tell(args: Mapping[str, Value]) -> str:
        value = args.get(key)
        word = isinstance(value, str) and not value.replace(".", "", 1).lstrip("-").isdigit()
        said = spoken(str(value).replace("_", " ")) if word else _amount(value)
        return f"set to {said} {unit}".rstrip()

    return tell


def _climate_mode(args: Mapping[str, Value]) -> str:
    return "off" if args.get("mode") == "off" else _set("mode")(args)


_ADJUSTED: Mapping[tuple[str, str], str] = {
    ("brightness", "up"): "brighter", ("brightness", "down"): "dimmer",
    ("temperature", "up"): "warmer", ("temperature", "down"): "cooler",
    ("position", "up"): "further open", ("position", "down"): "less open",
    ("speed", "up"): "faster", ("speed", "down"): "slower",
    ("humidity", "up"): "set higher", ("humidity", "down"): "set lower",
}  # fmt: skip
"""Several devices that went the same way, each by its own measure."""


def _adjusted(args: Mapping[str, Value]) -> str:
    return _ADJUSTED[str(args["quantity"]), str(args["direction"])]


_TOLD: Mapping[str, Callable[[Mapping[str, Value]], str]] = {
    "HassSetPosition": _opened,
    "HassStopMoving": lambda args: "stopped",
    "HassClimateSetTemperature": _set("temperature", "degrees"),
    "HassClimateSetHvacMode": _climate_mode,
    "HassClimateSetFanMode": lambda args: f"set to fan mode {spoken(str(args.get('fan_mode')))}",
    "HassFanSetSpeed": _speed,
    "HassHumidifierSetpoint": _set("humidity", "percent"),
    "HassHumidifierMode": _set("mode"),
    "HassVacuumStart": lambda args: "cleaning",
    "HassVacuumReturnToBase": lambda args: "at its base",
    "LinnetAdjust": _adjusted,
    "LinnetSetNumber": _set("value"),
    "LinnetSelectOption": _set("option"),
    "LinnetSetText": lambda args: "set",
    "LinnetArm": lambda args: f"armed {spoken(str(args.get('mode')))}",
}
COMMANDS = frozenset(_TOLD)
"""Calls that command devices, beside on, off and the light."""
