"""What a discovery payload may say, platform by platform: pydantic models of foreign bytes.

Unknown keys are ignored as Home Assistant does; wrong types, wildcard topics and templates beyond
the sandbox are errors. Long keys only: ``abbreviations`` comes first. Each model also tells what
its state topics say (``readings``) and what it can do:

=====================  ==========================================================================
platform               features
=====================  ==========================================================================
light                  ``brightness``, ``color``, ``color_temp``
cover, valve           ``open_close``, ``stop``, ``position``, ``tilt``
climate, water_heater  ``on_off``, ``temperature``, ``mode``, ``fan_mode``
fan                    ``percentage``, ``preset``, ``oscillation``
humidifier             ``humidity``, ``mode``
vacuum                 ``start``, ``return_home``
alarm_control_panel    ``arm_home``, ``arm_away``, ``arm_night``, ``arm_vacation``
number, select, text   ``number``, ``option``, ``text``
=====================  ==========================================================================
"""

from __future__ import annotations

from services.home.platforms.base import AvailabilityTopic, Device, Platform, Reading
from services.home.platforms.climates import Climate, Fan, Humidifier, WaterHeater
from services.home.platforms.lights import JsonLight, Light, TemplateLight
from services.home.platforms.machines import AlarmPanel, Vacuum
from services.home.platforms.openings import Cover, Lock, Valve
from services.home.platforms.switches import Button, Scene, Siren, Switch
from services.home.platforms.values import BinarySensor, NumberValue, Select, Sensor, TextValue

__all__ = [
    "LIGHTS", "MODELS", "AlarmPanel", "AvailabilityTopic", "BinarySensor", "Button", "Climate",
    "Cover", "Device", "Fan", "Humidifier", "JsonLight", "Light", "Lock", "NumberValue",
    "Platform", "Reading", "Scene", "Select", "Sensor", "Siren", "Switch", "TemplateLight",
    "TextValue", "Vacuum", "Valve", "WaterHeater",
]  # fmt: skip

MODELS: dict[str, type[Platform]] = {
    "alarm_control_panel": AlarmPanel,
    "binary_sensor": BinarySensor,
    "button": Button,
    "climate": Climate,
    "cover": Cover,
    "fan": Fan,
    "humidifier": Humidifier,
    "lock": Lock,
    "number": NumberValue,
    "scene": Scene,
    "select": Select,
    "sensor": Sensor,
    "siren": Siren,
    "switch": Switch,
    "text": TextValue,
    "vacuum": Vacuum,
    "valve": Valve,
    "water_heater": WaterHeater,
}
"""Platforms with one form; ``light`` has several and is chosen by its ``schema``."""
LIGHTS: dict[str, type[Platform]] = {
    "json": JsonLight,
    "basic": Light,
    "default": Light,
    "template": TemplateLight,
}
