"""What to publish for a call, and what the device must say before it counts as done. Pure.

Calls carried out, by Home Assistant's names: ``HassTurnOn`` and ``HassTurnOff`` (on a cover or
valve: open, close; on a lock: lock, unlock; on a button or scene: press), ``HassLightSet``
(``brightness`` 0..100, ``color`` by name, ``temperature`` in kelvin), ``HassSetPosition``
(``position`` 0..100), ``HassStopMoving``, ``HassClimateSetTemperature`` (``temperature`` in the
device's own unit), ``HassClimateSetHvacMode`` (``mode``), ``HassClimateSetFanMode``
(``fan_mode``), ``HassFanSetSpeed`` (``percentage``), ``HassHumidifierSetpoint`` (``humidity``),
``HassHumidifierMode`` (``mode``), ``HassVacuumStart``, ``HassVacuumReturnToBase``; and our own
``LinnetSetNumber`` (``value``), ``LinnetSelectOption`` (``option``), ``LinnetSetText`` (``value``),
``LinnetArm`` (``mode``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.home.commands import climates, lights, openings, others
from services.home.commands.asked import Message, NotCommandable
from services.home.commands.wish import Wish, proving_topics
from services.home.entities import Entity
from services.home.platforms import (
    AlarmPanel,
    Button,
    Climate,
    Cover,
    Fan,
    Humidifier,
    JsonLight,
    Light,
    Lock,
    NumberValue,
    Scene,
    Select,
    Siren,
    Switch,
    TemplateLight,
    TextValue,
    Vacuum,
    Valve,
    WaterHeater,
)
from services.language.calls import Call

__all__ = ["Command", "NotCommandable", "Wish", "command", "proving_topics"]


@dataclass(frozen=True)
class Command:
    """Messages for one device, in order, and the state they ask for."""

    messages: tuple[Message, ...]
    """(topic, payload) pairs."""
    wish: Wish


_LIGHTS: dict[type, Callable[[Any, Wish], tuple[Message, ...]]] = {
    JsonLight: lights.json_light,
    Light: lights.light,
    TemplateLight: lights.template_light,
}
_OTHERS: dict[type, Callable[..., tuple[tuple[Message, ...], Wish]]] = {
    AlarmPanel: others.alarm,
    Button: others.button,
    Climate: climates.heating,
    Cover: openings.opening,
    Fan: climates.fan,
    Humidifier: climates.humidifier,
    Lock: openings.lock,
    NumberValue: others.number,
    Scene: others.scene,
    Select: others.select,
    Siren: others.siren,
    Switch: others.switch,
    TextValue: others.text,
    Vacuum: others.vacuum,
    Valve: openings.opening,
    WaterHeater: climates.heating,
}


def command(entity: Entity, call: Call) -> Command:
    """The command that carries out a resolved call on one device.

    Raises:
        NotCommandable: the device cannot do it; the text says why without naming the device.
    """
    spec = entity.found.spec
    if type(spec) in _LIGHTS:
        wish = lights.wished(spec, call)  # type: ignore[arg-type]
        return Command(_LIGHTS[type(spec)](spec, wish), wish)
    made = _OTHERS.get(type(spec))
    if made is None:
        raise NotCommandable(f"{call.name} on a {entity.domain}")
    return Command(*made(spec, call, entity.state))
