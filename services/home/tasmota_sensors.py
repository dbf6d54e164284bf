"""What Tasmota devices measure, and their wall switches, read purely.

A device says on ``tasmota/discovery/<MAC>/sensors`` what its telemetry looks like (``sn``), and on
``…/config`` where it comes and which switches there are; either may come first. Values come on
``tele/…/SENSOR`` every few minutes and, when asked for, on ``stat/…/STATUS10``; a switch that is
moved says so on ``stat/…/RESULT`` at once. Source: hatasmota's ``sensor.py`` and ``switch.py``.

Limits: only quantities of the table below; of several phases only the first; buttons and switches
that only tell that they were pressed have no state to ask for, and neither have motion switches
(modes 13 and 14) that never say when it is over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from services.home.discovery import Announcement, DiscoveryError
from services.home.tasmota import Config, made, read_config
from services.home.templates import parse_json

FILTER = "tasmota/discovery/+/sensors"
MAX_DEVICES = 1000
MAX_SENSORS = 32
"""Of one device; more are left out, in the order they are told."""

_TOPIC = re.compile(r"tasmota/discovery/([A-Z0-9_-]{1,32})/sensors")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}")
"""Keys of telemetry become part of a template, so they must be plain."""
_NOT_MEASURED = frozenset({"Time", "PN532", "RDM6300", "ESP32"})
"""Clock, card readers, and the warmth of the chip itself."""
_STATE_MODES = frozenset({1, 2, 3, 4, 5, 6, 9, 10})
"""SwitchMode numbers by which a switch tells whether it is on."""

_TELEMETRY = "(value_json.StatusSNS if value_json.StatusSNS is defined else value_json)"


@dataclass(frozen=True)
class _Quantity:
    name: str
    unit: str | None = None
    device_class: str | None = None
    unit_key: str | None = None
    """Where the device tells its unit."""


_QUANTITIES: Mapping[str, _Quantity] = {
    "Temperature": _Quantity("temperature", "C", "temperature", "TempUnit"),
    "DewPoint": _Quantity("dew point", "C", None, "TempUnit"),
    "Humidity": _Quantity("humidity", "%", "humidity"),
    "Pressure": _Quantity("pressure", "hPa", "pressure", "PressureUnit"),
    "SeaPressure": _Quantity("sea level pressure", "hPa", "pressure", "PressureUnit"),
    "Illuminance": _Quantity("brightness", "lx", "illuminance"),
    "Ambient": _Quantity("brightness", "lx", "illuminance"),
    "CarbonDioxide": _Quantity("carbon dioxide", "ppm", "carbon_dioxide"),
    "eCO2": _Quantity("carbon dioxide", "ppm", "carbon_dioxide"),
    "TVOC": _Quantity("air quality", "ppb", "volatile_organic_compounds_parts"),
    "PM1": _Quantity("fine dust 1", "µg/m³", "pm1"),
    "PM2.5": _Quantity("fine dust", "µg/m³", "pm25"),
    "PM10": _Quantity("coarse dust", "µg/m³", "pm10"),
    "Moisture": _Quantity("moisture", "%", "moisture"),
    "Distance": _Quantity("distance", "cm", "distance"),
    "Weight": _Quantity("weight", "kg", "weight"),
    "Battery": _Quantity("battery", "%", "battery"),
    "Power": _Quantity("power", "W", "power"),
    "Voltage": _Quantity("voltage", "V", "voltage"),
    "Current": _Quantity("current", "A", "current"),
    "Today": _Quantity("energy today", "kWh", "energy"),
    "Yesterday": _Quantity("energy yesterday", "kWh", "energy"),
    "Total": _Quantity("energy", "kWh", "energy"),
}
_Kept = TypeVar("_Kept")
_UNITS = {"C": "°C", "F": "°F"}


@dataclass(frozen=True)
class _Measured:
    chip: str
    key: str
    unit: str | None

    @property
    def quantity(self) -> _Quantity:
        return _QUANTITIES[self.key]


def is_sensors_topic(topic: str) -> bool:
    return _TOPIC.fullmatch(topic) is not None


class TasmotaSensors:
    """All devices of one broker. Fed with both of their messages; it does no I/O."""

    def __init__(self) -> None:
        self._configs: dict[str, Config] = {}
        self._measured: dict[str, tuple[_Measured, ...]] = {}

    def configured(self, topic: str, payload: bytes) -> Announcement:
        """After a device's ``config`` message. Raises DiscoveryError, as ``tasmota.read``."""
        address, config = topic.split("/")[2], read_config(topic, payload)
        _keep(self._configs, address, config)
        return self._announced(address)

    def sensed(self, topic: str, payload: bytes) -> Announcement:
        """After a device's ``sensors`` message.

        Raises:
            DiscoveryError: malformed topic or payload.
        """
        place = _TOPIC.fullmatch(topic)
        if place is None:
            raise DiscoveryError("topic is not one of Tasmota's discovery")
        body = parse_json(payload) if payload else {"sn": {}}
        telemetry = body.get("sn") if isinstance(body, Mapping) else None
        if not isinstance(telemetry, Mapping):
            raise DiscoveryError("sensors are not told as the object 'sn'")
        _keep(self._measured, place[1], tuple(_measured(telemetry))[:MAX_SENSORS] or None)
        return self._announced(place[1])

    def _announced(self, address: str) -> Announcement:
        topic, config = f"tasmota/discovery/{address}/sensors", self._configs.get(address)
        if config is None:
            return Announcement(topic)
        measured = self._measured.get(address, ())
        found, problems = made(config, (*_sensors(config, measured), *_switches(config)))
        ask = ((config.commands + "STATUS", b"10"),) if found else ()
        return Announcement(topic, found, problems, questions=ask)


def _keep(table: dict[str, _Kept], address: str, value: _Kept | None) -> None:
    """Remember what a device said last; a broker gone wild must not fill the memory."""
    table.pop(address, None)
    if value is not None and len(table) < MAX_DEVICES:
        table[address] = value


def _measured(telemetry: Mapping[str, object]) -> Iterator[_Measured]:
    for chip, values in telemetry.items():
        if chip in _NOT_MEASURED or not isinstance(values, Mapping) or not _KEY.fullmatch(chip):
            continue
        for key in values:
            quantity = _QUANTITIES.get(key)
            if quantity is None:
                continue
            told = telemetry.get(quantity.unit_key) if quantity.unit_key else None
            unit = told if isinstance(told, str) and len(told) <= 8 else quantity.unit
            yield _Measured(chip, key, _UNITS.get(unit or "", unit))


Part = tuple[str, str, Mapping[str, object]]


def _sensors(config: Config, measured: tuple[_Measured, ...]) -> Iterator[Part]:
    names = [one.quantity.name for one in measured]
    for place, one in enumerate(measured):
        own = one.quantity.name
        value = f"{_TELEMETRY}['{one.chip}']['{one.key}']"
        yield "sensor", f"sensor_{one.chip}_{one.key}", {
            # Nobody knows the chips' names: where there are several, they are numbered.
            "name": own if names.count(own) == 1 else f"{own} {names[:place].count(own) + 1}",
            "device_class": one.quantity.device_class,
            "unit_of_measurement": one.unit,
            "value_template": f"{{% set v = {value} %}}"
                              "{{ v if v is string or v is number else v[0] }}",
            **_places(config),
        }  # fmt: skip


def _switches(config: Config) -> Iterator[Part]:
    for number, mode in enumerate(config.switch_modes):
        own = config.switch_names[number] if number < len(config.switch_names) else None
        key = own or f"Switch{number + 1}"
        if mode not in _STATE_MODES or not _KEY.fullmatch(key):
            continue
        said = f"{_TELEMETRY}['{key}']"
        yield "binary_sensor", f"binary_sensor_{number}", {
            "name": own or f"switch {number + 1}",
            "payload_on": config.states[1],
            "payload_off": config.states[0],
            "value_template": f"{{% set s = {said} %}}{{{{ s.Action if s is mapping else s }}}}",
            **_places(config, [config.results, config.reports + "SENSOR"]),
        }  # fmt: skip


def _places(config: Config, *more: list[str]) -> dict[str, object]:
    telemetry = config.reports + "SENSOR"
    asked = [config.topic_of(1) + "STATUS10", telemetry]
    return {"state_topic": telemetry, "same_topics": [asked, *more]}
