"""Commands of climate devices, water heaters, fans and humidifiers."""

from __future__ import annotations

from services.home.commands.asked import (
    Message,
    NotCommandable,
    asked_number,
    asked_word,
    message,
    natural,
)
from services.home.commands.wish import Wish
from services.home.platforms import Climate, Fan, Humidifier, WaterHeater
from services.home.state import EntityState
from services.language.calls import Call

Done = tuple[tuple[Message, ...], Wish]

_PREFERRED = ("heat_cool", "auto", "heat", "cool", "eco", "electric")
"""The mode that "on" means, where a device has no switch of its own."""


def heating(spec: Climate | WaterHeater, call: Call, state: EntityState) -> Done:
    if call.name in ("HassTurnOn", "HassTurnOff"):
        return _switched(spec, call.name == "HassTurnOn")
    if call.name == "HassClimateSetTemperature":
        return _warmed(spec, call, state)
    if call.name == "HassClimateSetHvacMode" and spec.mode_command_topic:
        return _in_mode(spec, asked_word(call, "mode", spec.modes))
    if call.name == "HassClimateSetFanMode" and isinstance(spec, Climate):
        mode = asked_word(call, "fan_mode", spec.fan_modes)
        sent = message(spec.fan_mode_command_topic, spec.fan_mode_command_template, mode)
        return (sent,), Wish(fan_mode=mode)
    raise NotCommandable(f"{call.name} on a climate device")


def _switched(spec: Climate | WaterHeater, on: bool) -> Done:
    wish = Wish(never=("off",)) if on else Wish("off")
    if spec.power_command_topic:
        payload = spec.payload_on if on else spec.payload_off
        return (message(spec.power_command_topic, spec.power_command_template, payload),), wish
    running = [mode for mode in spec.modes if mode != "off"]
    modes = [m for m in _PREFERRED if m in running] or running if on else ["off"]
    if not modes or modes[0] not in spec.modes:
        raise NotCommandable("it cannot be switched on and off")
    return _in_mode(spec, modes[0])[0], wish


def _in_mode(spec: Climate | WaterHeater, mode: str) -> Done:
    sent = message(spec.mode_command_topic, spec.mode_command_template, mode)
    return (sent,), Wish(mode)


def _warmed(spec: Climate | WaterHeater, call: Call, state: EntityState) -> Done:
    low, high = spec.temperature_range
    wished = asked_number(call, "temperature", low, high)
    degrees = min(high, max(low, round(wished / spec.temp_step) * spec.temp_step))
    value = natural(round(degrees, 2))
    topic = spec.temperature_command_topic
    template = spec.temperature_command_template
    if topic is None and isinstance(spec, Climate):
        # A device with two bounds keeps to the one that its mode works towards.
        if state.value == "heat":
            topic = spec.temperature_low_command_topic
            template = spec.temperature_low_command_template
        elif state.value == "cool":
            topic = spec.temperature_high_command_topic
            template = spec.temperature_high_command_template
    return (message(topic, template, value),), Wish(temperature=float(value))


def fan(spec: Fan, call: Call, state: EntityState) -> Done:
    on = message(spec.command_topic, spec.command_template, spec.payload_on)
    off = message(spec.command_topic, spec.command_template, spec.payload_off)
    if call.name == "HassTurnOn":
        return (on,), Wish("on")
    if call.name == "HassTurnOff":
        return (off,), Wish("off")
    if call.name != "HassFanSetSpeed":
        raise NotCommandable(f"{call.name} on a fan")
    percentage = round(asked_number(call, "percentage", 0, 100))
    if percentage == 0:
        return (off,), Wish("off")
    speed = spec.speed(percentage)
    sent = message(spec.percentage_command_topic, spec.percentage_command_template, speed)
    wish = Wish(
        "on" if spec.state_topic or spec.percentage_state_topic else None,
        percentage=spec.percent(speed),
    )
    return ((sent,) if state.value == "on" else (on, sent)), wish


def humidifier(spec: Humidifier, call: Call, _state: EntityState) -> Done:
    if call.name in ("HassTurnOn", "HassTurnOff"):
        on = call.name == "HassTurnOn"
        payload = spec.payload_on if on else spec.payload_off
        sent = message(spec.command_topic, spec.command_template, payload)
        return (sent,), Wish("on" if on else "off")
    if call.name == "HassHumidifierSetpoint":
        wished = asked_number(call, "humidity", spec.min_humidity, spec.max_humidity)
        topic = spec.target_humidity_command_topic
        value = natural(round(wished))
        sent = message(topic, spec.target_humidity_command_template, value)
        return (sent,), Wish(humidity=float(value))
    if call.name == "HassHumidifierMode":
        mode = asked_word(call, "mode", spec.modes)
        sent = message(spec.mode_command_topic, spec.mode_command_template, mode)
        return (sent,), Wish(mode=mode)
    raise NotCommandable(f"{call.name} on a humidifier")
