"""From "a bit brighter" to "at sixty percent": how far a thing is now, and where it is to go. Pure.

A relative wish is turned into an absolute call for each device as soon as the devices are known,
and only that is sent. So a message that arrives twice does nothing twice, a question is asked
about the very position that will be taken, and undoing knows what was there before.

What goes down stops at the least that still is something: dimming never switches a lamp off. What
goes up from nothing begins there: a lamp that is off is as dark as can be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from services.home.entities import Entity
from services.home.platforms import (
    Climate,
    Cover,
    Fan,
    Humidifier,
    JsonLight,
    Light,
    TemplateLight,
    Valve,
    WaterHeater,
)
from services.home.step import Step
from services.language.calls import Call, Value

RELATIVE = "LinnetAdjust"
Quantity = Literal["brightness", "temperature", "position", "speed", "humidity"]
ABSOLUTE: dict[Quantity, tuple[str, str]] = {
    "brightness": ("HassLightSet", "brightness"),
    "temperature": ("HassClimateSetTemperature", "temperature"),
    "position": ("HassSetPosition", "position"),
    "speed": ("HassFanSetSpeed", "percentage"),
    "humidity": ("HassHumidifierSetpoint", "humidity"),
}
"""Quantity → the function that sets it, and the argument."""
_USUAL: dict[Quantity, float] = {
    "brightness": 20, "temperature": 1, "position": 20, "speed": 20, "humidity": 5,
}  # fmt: skip
"""How much is meant where nobody says: percent, degrees Celsius."""
_FAHRENHEIT = 2.0
_WISHES = frozenset({"quantity", "direction", "amount"})
_FROM_NOTHING: frozenset[Quantity] = frozenset({"brightness", "speed"})
"""Off is nothing of these."""


@dataclass(frozen=True)
class _Scale:
    """Where a device stands on the scale of one quantity."""

    now: float | None
    """None: it has not said."""
    low: float
    high: float
    usual: float
    """How much is meant where nobody says."""
    least: float = 1
    """A smaller change is none that the device could make."""

    def reachable(self, goal: float) -> float:
        """The goal, or the device's own step that is nearest where these are coarse."""
        if self.least <= 1:
            return goal
        return math.floor(round(goal / self.least) * self.least)


@dataclass(frozen=True)
class Steps:
    """What a relative call comes down to."""

    call: Call
    """The absolute call where it is the same for all devices, else as it was."""
    steps: tuple[Step, ...]
    unknown: tuple[Entity, ...] = ()
    """Devices that have not said how far they are: nothing can be added to that."""

    @property
    def facts(self) -> dict[str, str | int]:
        """``unknown``: their names, joined by commas; absent where there are none."""
        return {"unknown": ",".join(e.name for e in self.unknown)} if self.unknown else {}


def setter(call: Call) -> str:
    """The function by whose rules a call finds its devices: its own, or its absolute one."""
    return ABSOLUTE[_quantity(call)][0] if call.name == RELATIVE else call.name


def example(entity: Entity, call: Call) -> Call | None:
    """An absolute call of this kind that is within the device's bounds; None where it has none."""
    scale = _scale(entity, _quantity(call))
    return None if scale is None else _absolute(call, scale.high)


def steps(call: Call, entities: Sequence[Entity], now_s: float) -> Steps:
    """The absolute steps of a relative call; of any other call, the call for each device.

    Of several lamps, those that shine are meant, if any do: dimming a room does not light it up.

    Args:
        now_s: devices that are away at this moment are kept, to be told by name.
    """
    if call.name != RELATIVE:
        return Steps(call, tuple(Step(entity, call) for entity in entities))
    made: list[Step] = []
    unknown: list[Entity] = []
    for entity in _meant(call, entities):
        wished = _wished(entity, call, present=entity.available(now_s))
        if wished is None:
            unknown.append(entity)
        else:
            made.append(Step(entity, wished))
    calls = {step.call for step in made}
    told = calls.pop() if len(calls) == 1 else call
    return Steps(told, tuple(made), tuple(unknown))


def _meant(call: Call, entities: Sequence[Entity]) -> Sequence[Entity]:
    if _quantity(call) not in _FROM_NOTHING or len(entities) < 2:
        return entities
    return [e for e in entities if e.state.value == "on"] or entities


def _wished(entity: Entity, call: Call, present: bool) -> Call | None:
    scale = _scale(entity, _quantity(call))
    if scale is None or (scale.now is None and present):
        return None
    now = scale.now if scale.now is not None else scale.low
    up = call.args["direction"] == "up"
    if now == 0 and not up and _quantity(call) in _FROM_NOTHING:
        return _absolute(call, 0)  # off already, and stays so
    by = max(scale.least, float(call.args.get("amount", scale.usual)))
    goal = min(scale.high, max(scale.low, now + (by if up else -by)))
    return _absolute(call, scale.reachable(goal))


def _absolute(call: Call, goal: float) -> Call:
    name, argument = ABSOLUTE[_quantity(call)]
    place = {key: value for key, value in call.args.items() if key not in _WISHES}
    return Call.of(name, **{**place, argument: _number(goal, argument)})


def _number(goal: float, argument: str) -> Value:
    """Percents are whole; of degrees, halves and tenths count."""
    if argument != "temperature":
        return round(goal)
    rounded = round(goal, 2)
    return int(rounded) if rounded.is_integer() else f"{rounded:g}"


def _quantity(call: Call) -> Quantity:
    return cast(Quantity, call.args["quantity"])


def _scale(entity: Entity, quantity: Quantity) -> _Scale | None:
    """The scale of a device; None where it has none of this quantity."""
    spec, state, usual = entity.found.spec, entity.state, _USUAL[quantity]
    if quantity == "brightness" and isinstance(spec, JsonLight | Light | TemplateLight):
        if "brightness" not in spec.features:
            return None
        return _Scale(_running(state.value, state.brightness), 1, 100, usual)
    if quantity == "speed" and isinstance(spec, Fan):
        least = 100 / spec.steps
        return _Scale(_running(state.value, state.percentage), least, 100, usual, least)
    if quantity == "temperature" and isinstance(spec, Climate | WaterHeater):
        degree = usual if spec.temperature_unit == "C" else _FAHRENHEIT
        return _Scale(state.temperature, *spec.temperature_range, degree, spec.temp_step)
    if quantity == "position" and isinstance(spec, Cover | Valve):
        ends = {"open": 100, "closed": 0}
        now = state.position if state.position is not None else ends.get(state.value or "")
        return _Scale(now, 0, 100, usual)
    if quantity == "humidity" and isinstance(spec, Humidifier):
        return _Scale(state.humidity, spec.min_humidity, spec.max_humidity, usual)
    return None


def _running(value: str | None, level: int | None) -> int | None:
    """A lamp or fan that is off is at nothing, whatever it will come back to."""
    return 0 if value == "off" else level
