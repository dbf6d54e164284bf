"""Commands of switches, sirens, buttons, scenes, vacuums, alarm panels, numbers, selects, texts."""

from __future__ import annotations

import json

from services.home.commands.asked import (
    Message,
    NotCommandable,
    asked_number,
    asked_word,
    message,
    natural,
)
from services.home.commands.wish import Wish
from services.home.platforms import (
    AlarmPanel,
    Button,
    NumberValue,
    Scene,
    Select,
    Siren,
    Switch,
    TextValue,
    Vacuum,
)
from services.home.platforms.machines import ARM_MODES
from services.home.state import EntityState
from services.language.calls import Call

Done = tuple[tuple[Message, ...], Wish]


def _on(call: Call) -> bool:
    if call.name not in ("HassTurnOn", "HassTurnOff"):
        raise NotCommandable(f"{call.name} on a thing that goes on and off")
    return call.name == "HassTurnOn"


def switch(spec: Switch, call: Call, _state: EntityState) -> Done:
    on = _on(call)
    payload = spec.payload_on if on else spec.payload_off
    sent = message(spec.command_topic, spec.command_template, payload)
    return (sent,), Wish("on" if on else "off")


def siren(spec: Siren, call: Call, _state: EntityState) -> Done:
    on = _on(call)
    payload = spec.payload_on if on else spec.payload_off
    template = spec.command_template if on else spec.command_off_template or spec.command_template
    value = payload if template else json.dumps({"state": payload}, separators=(",", ":"))
    return (message(spec.command_topic, template, value),), Wish("on" if on else "off")


def button(spec: Button, call: Call, _state: EntityState) -> Done:
    return (_pressed(call, spec.command_topic, spec.command_template, spec.payload_press),), Wish()


def scene(spec: Scene, call: Call, _state: EntityState) -> Done:
    return (_pressed(call, spec.command_topic, None, spec.payload_on),), Wish()


def _pressed(call: Call, topic: str, template: str | None, payload: str) -> Message:
    if call.name != "HassTurnOn":
        raise NotCommandable(f"{call.name} on a button or scene")
    return message(topic, template, payload)


def vacuum(spec: Vacuum, call: Call, _state: EntityState) -> Done:
    if call.name in ("HassTurnOn", "HassVacuumStart") and "start" in spec.features:
        return (message(spec.command_topic, None, spec.payload_start),), Wish("cleaning")
    if call.name in ("HassTurnOff", "HassVacuumReturnToBase") and "return_home" in spec.features:
        sent = message(spec.command_topic, None, spec.payload_return_to_base)
        return (sent,), Wish("docked", moving=("returning",))
    raise NotCommandable(f"{call.name} on a vacuum")


def alarm(spec: AlarmPanel, call: Call, _state: EntityState) -> Done:
    """Arms; nothing here disarms."""
    if call.name != "LinnetArm":
        raise NotCommandable(f"{call.name} on an alarm panel")
    mode = asked_word(call, "mode", ARM_MODES)
    if f"arm_{mode}" not in spec.features:
        raise NotCommandable("it cannot be armed so without a code")
    action = getattr(spec, f"payload_arm_{mode}")
    sent = message(spec.command_topic, spec.command_template, action, action=action)
    return (sent,), Wish(f"armed_{mode}", moving=("arming", "pending"))


def number(spec: NumberValue, call: Call, _state: EntityState) -> Done:
    _only(call, "LinnetSetNumber")
    wished = asked_number(call, "value", spec.min, spec.max)
    steps = round((wished - spec.min) / spec.step)
    value = natural(round(min(spec.max, spec.min + steps * spec.step), 6))
    sent = message(spec.command_topic, spec.command_template, value)
    return (sent,), Wish(number=float(value))


def select(spec: Select, call: Call, _state: EntityState) -> Done:
    _only(call, "LinnetSelectOption")
    option = asked_word(call, "option", spec.options)
    return (message(spec.command_topic, spec.command_template, option),), Wish(option)


def text(spec: TextValue, call: Call, _state: EntityState) -> Done:
    _only(call, "LinnetSetText")
    wished = call.args.get("value")
    if not isinstance(wished, str) or not spec.min <= len(wished) <= spec.max:
        raise NotCommandable(f"{call.name}: the text must have {spec.min} to {spec.max} letters")
    if spec.mode == "password":
        raise NotCommandable("passwords are not set by voice")
    return (message(spec.command_topic, spec.command_template, wished),), Wish(wished)


def _only(call: Call, name: str) -> None:
    if call.name != name:
        raise NotCommandable(f"{call.name} where {name} is meant")
