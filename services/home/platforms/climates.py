"""What makes air and water comfortable: climate, water heater, fan, humidifier."""

from __future__ import annotations

import math
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
from services.home.platforms.parse import NONE, amount, number, one_of, word
from services.home.state import EntityState


class _Heating(Platform):
    """What a climate device and a water heater share: a mode and a wished temperature."""

    modes: Words = ()
    mode_command_topic: Topic | None = None
    mode_command_template: ValueTemplate | None = None
    mode_state_topic: Topic | None = None
    mode_state_template: ValueTemplate | None = None
    temperature_command_topic: Topic | None = None
    temperature_command_template: ValueTemplate | None = None
    temperature_state_topic: Topic | None = None
    temperature_state_template: ValueTemplate | None = None
    current_temperature_topic: Topic | None = None
    current_temperature_template: ValueTemplate | None = None
    temperature_unit: Literal["C", "F"] = "C"
    min_temp: Number | None = None
    max_temp: Number | None = None
    temp_step: Number = Field(default=1.0, gt=0)
    power_command_topic: Topic | None = None
    power_command_template: ValueTemplate | None = None
    payload_on: Text = "ON"
    payload_off: Text = "OFF"

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        return {"mode": self.modes} if self.mode_command_topic else {}

    def made_readings(self) -> list[Reading]:
        default = self.value_template
        return [
            *told_by(self.mode_state_topic, self.mode_state_template or default,
                     word("value"), "value"),
            *told_by(self.temperature_state_topic, self.temperature_state_template or default,
                     amount("temperature"), "temperature"),
            *told_by(self.current_temperature_topic, self.current_temperature_template or default,
                     amount("current_temperature"), "current_temperature"),
        ]  # fmt: skip


class Climate(_Heating):
    modes: Words = ("auto", "off", "cool", "heat", "dry", "fan_only")
    temperature_high_command_topic: Topic | None = None
    temperature_high_command_template: ValueTemplate | None = None
    temperature_high_state_topic: Topic | None = None
    temperature_high_state_template: ValueTemplate | None = None
    temperature_low_command_topic: Topic | None = None
    temperature_low_command_template: ValueTemplate | None = None
    temperature_low_state_topic: Topic | None = None
    temperature_low_state_template: ValueTemplate | None = None
    fan_modes: Words = ("auto", "low", "medium", "high")
    fan_mode_command_topic: Topic | None = None
    fan_mode_command_template: ValueTemplate | None = None
    fan_mode_state_topic: Topic | None = None
    fan_mode_state_template: ValueTemplate | None = None
    preset_modes: Words = ()
    preset_mode_command_topic: Topic | None = None
    preset_mode_state_topic: Topic | None = None
    preset_mode_value_template: ValueTemplate | None = None
    action_topic: Topic | None = None
    action_template: ValueTemplate | None = None
    current_humidity_topic: Topic | None = None
    current_humidity_template: ValueTemplate | None = None

    @property
    def temperature_range(self) -> tuple[float, float]:
        low, high = (7.0, 35.0) if self.temperature_unit == "C" else (44.6, 95.0)
        return (
            low if self.min_temp is None else self.min_temp,
            high if self.max_temp is None else self.max_temp,
        )

    @property
    def features(self) -> frozenset[str]:
        two_sided = self.temperature_low_command_topic or self.temperature_high_command_topic
        return has(
            temperature=self.temperature_command_topic or two_sided,
            mode=self.mode_command_topic,
            fan_mode=self.fan_mode_command_topic,
            on_off=self.power_command_topic or (self.mode_command_topic and "off" in self.modes),
        )

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        fans = {"fan_mode": self.fan_modes} if self.fan_mode_command_topic else {}
        return {**super().choices, **fans}

    def made_readings(self) -> list[Reading]:
        default = self.value_template
        return [
            *super().made_readings(),
            *told_by(self.temperature_high_state_topic,
                     self.temperature_high_state_template or default,
                     _Side("cool"), "temperature"),
            *told_by(self.temperature_low_state_topic,
                     self.temperature_low_state_template or default,
                     _Side("heat"), "temperature"),
            *told_by(self.fan_mode_state_topic, self.fan_mode_state_template or default,
                     word("fan_mode"), "fan_mode"),
            *told_by(self.preset_mode_state_topic, self.preset_mode_value_template or default,
                     word("mode"), "mode"),
            *told_by(self.action_topic, self.action_template or default,
                     word("action"), "action"),
            *told_by(self.current_humidity_topic, self.current_humidity_template or default,
                     amount("current_humidity"), "current_humidity"),
        ]  # fmt: skip


class _Side:
    """The upper or lower bound is the wished temperature while the device cools or heats."""

    def __init__(self, mode: str) -> None:
        self._mode = mode

    def __call__(self, text: str, known: EntityState) -> Said | None:
        return amount("temperature")(text, known) if known.value == self._mode else None


class WaterHeater(_Heating):
    modes: Words = (
        "off", "eco", "electric", "gas", "heat_pump", "high_demand", "performance",
    )  # fmt: skip

    @property
    def temperature_range(self) -> tuple[float, float]:
        low, high = (43.3, 60.0) if self.temperature_unit == "C" else (110.0, 140.0)
        return (
            low if self.min_temp is None else self.min_temp,
            high if self.max_temp is None else self.max_temp,
        )

    @property
    def features(self) -> frozenset[str]:
        return has(
            temperature=self.temperature_command_topic,
            mode=self.mode_command_topic,
            on_off=self.power_command_topic or (self.mode_command_topic and "off" in self.modes),
        )


class Fan(Platform):
    command_topic: Topic
    command_template: ValueTemplate | None = None
    state_value_template: ValueTemplate | None = None
    payload_on: Text = "ON"
    payload_off: Text = "OFF"
    percentage_command_topic: Topic | None = None
    percentage_command_template: ValueTemplate | None = None
    percentage_state_topic: Topic | None = None
    percentage_value_template: ValueTemplate | None = None
    payload_reset_percentage: Text = NONE
    speed_range_min: int = Field(default=1, ge=1, le=65534)
    speed_range_max: int = Field(default=100, ge=1, le=65535)
    preset_modes: Words = ()
    preset_mode_command_topic: Topic | None = None
    preset_mode_state_topic: Topic | None = None
    preset_mode_value_template: ValueTemplate | None = None
    oscillation_command_topic: Topic | None = None
    oscillation_state_topic: Topic | None = None
    oscillation_value_template: ValueTemplate | None = None
    payload_oscillation_on: Text = "oscillate_on"
    payload_oscillation_off: Text = "oscillate_off"

    @property
    def steps(self) -> int:
        """How many speeds there are."""
        return max(1, self.speed_range_max - self.speed_range_min + 1)

    def speed(self, percentage: int) -> int:
        """The device's own speed for 1..100 percent: the slowest that is at least that fast."""
        return self.speed_range_min - 1 + math.ceil(percentage * self.steps / 100)

    def percent(self, speed: float) -> int | None:
        """Percent of a speed the device tells; 0 is off."""
        step = speed - (self.speed_range_min - 1)
        if speed == 0 or step == 0:
            return 0
        return round(step * 100 / self.steps) if 1 <= step <= self.steps else None

    @property
    def features(self) -> frozenset[str]:
        return has(
            percentage=self.percentage_command_topic,
            preset=self.preset_mode_command_topic,
            oscillation=self.oscillation_command_topic,
        )

    def made_readings(self) -> list[Reading]:
        powers = one_of("value", {self.payload_on: "on", self.payload_off: "off"})
        swings = {self.payload_oscillation_on: True, self.payload_oscillation_off: False}
        alone = () if self.state_topic else ("value",)

        def swing(text: str, _known: EntityState) -> Said | None:
            return {"oscillating": swings[text]} if text in swings else None

        return [
            *told_by(self.state_topic, self.state_value_template or self.value_template,
                     powers, "value"),
            *told_by(self.percentage_state_topic, self.percentage_value_template,
                     self._percentage, "percentage", *alone),
            *told_by(self.preset_mode_state_topic, self.preset_mode_value_template,
                     word("mode"), "mode"),
            *told_by(self.oscillation_state_topic, self.oscillation_value_template,
                     swing, "oscillating"),
        ]  # fmt: skip

    def _percentage(self, text: str, _known: EntityState) -> Said | None:
        if text == self.payload_reset_percentage:
            return {"percentage": None}
        speed = number(text)
        percent = None if speed is None else self.percent(speed)
        if percent is None:
            return None
        state = {} if self.state_topic else {"value": "on" if percent else "off"}
        return {"percentage": percent, **state}


class Humidifier(Platform):
    command_topic: Topic
    command_template: ValueTemplate | None = None
    device_class: Text | None = "humidifier"
    state_value_template: ValueTemplate | None = None
    payload_on: Text = "ON"
    payload_off: Text = "OFF"
    target_humidity_command_topic: Topic
    target_humidity_command_template: ValueTemplate | None = None
    target_humidity_state_topic: Topic | None = None
    target_humidity_state_template: ValueTemplate | None = None
    current_humidity_topic: Topic | None = None
    current_humidity_template: ValueTemplate | None = None
    min_humidity: Number = 0
    max_humidity: Number = 100
    modes: Words = ()
    mode_command_topic: Topic | None = None
    mode_command_template: ValueTemplate | None = None
    mode_state_topic: Topic | None = None
    mode_state_template: ValueTemplate | None = None

    @property
    def features(self) -> frozenset[str]:
        return has(humidity=True, mode=self.mode_command_topic)

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        return {"mode": self.modes} if self.mode_command_topic else {}

    def made_readings(self) -> list[Reading]:
        powers = one_of("value", {self.payload_on: "on", self.payload_off: "off"})
        return [
            *told_by(self.state_topic, self.state_value_template or self.value_template,
                     powers, "value"),
            *told_by(self.target_humidity_state_topic, self.target_humidity_state_template,
                     amount("humidity"), "humidity"),
            *told_by(self.current_humidity_topic, self.current_humidity_template,
                     amount("current_humidity"), "current_humidity"),
            *told_by(self.mode_state_topic, self.mode_state_template, word("mode"), "mode"),
        ]  # fmt: skip
