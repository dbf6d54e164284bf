"""Back to how it was before the last command: what was proved, for two minutes. Pure.

Only what a device itself confirmed is undone; of the rest nobody knows what there is to undo. What
cannot be asked for again is left and named: a colour without a name, a state never heard, a button
or scene, an alarm that was off. A command changes one thing of a device, and that is led back;
what the device changed along with it (a thermostat its goal, as it went off) is its own affair.
Whether a step back is risky is not decided here: it passes the same gate as any command.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from services.home import colors
from services.home.commands.asked import natural, plain
from services.home.commands.wish import MOVING
from services.home.entities import Entity
from services.home.step import Step, same
from services.language.calls import Call, Value

WITHIN_S = 120.0
KEPT = 8

READS = frozenset({
    "HassGetState", "HassGetCurrentTime", "HassGetCurrentDate", "HassTimerStatus", "HassNevermind",
    "HassClimateGetTemperature", "LinnetArithmetic", "LinnetRepeat", "LinnetAlarmStatus",
    "LinnetReminderStatus", "LinnetMicrophone", "LinnetStop",
})  # fmt: skip
"""Calls that change nothing; "undo that" after one of them means what came before."""


@dataclass(frozen=True)
class Done:
    """What a command changed."""

    before: tuple[Entity, ...]
    """The confirmed devices as they were when it was sent."""
    after: tuple[Entity, ...]
    """The same devices as they were when they had confirmed."""
    at_s: float
    volume: int | None = None
    """The appliance's own, in percent, before the command changed it."""


@dataclass(frozen=True)
class Plan:
    """Steps that lead back, and the names of things that stay as they are."""

    steps: tuple[Step, ...] = ()
    left: tuple[str, ...] = ()


class History:
    """The last commands, newest first to go."""

    def __init__(self, within_s: float = WITHIN_S, kept: int = KEPT) -> None:
        self._within_s = within_s
        self._done: deque[Done] = deque(maxlen=kept)

    def add(self, done: Done) -> None:
        """Remember a command; one that changed no device is remembered as such."""
        self._done.append(done)

    def last(self, now_s: float) -> Done | None:
        """The last command if it was not too long ago; it stays."""
        if not self._done or now_s - self._done[-1].at_s > self._within_s:
            self._done.clear()
            return None
        return self._done[-1]

    def take(self, now_s: float) -> Done | None:
        """As ``last``, once; older ones wait for the next."""
        return self._done.pop() if self.last(now_s) else None


def plan(before: Iterable[Entity], after: Iterable[Entity], entities: Iterable[Entity]) -> Plan:
    """How to get from what a command left behind to what was there before it.

    Args:
        before, after: the same devices around the command.
        entities: the home now; a device that is gone or another one by now is left alone.
    """
    now = {entity.entity_id: entity for entity in entities}
    changed = {entity.entity_id: entity for entity in after}
    steps: list[Step] = []
    left: list[str] = []
    for was in before:
        here, then = now.get(was.entity_id), changed.get(was.entity_id)
        if then is not None and _alike(was, then):
            continue
        back = _back(was, then) if then is not None else None
        if here is None or back is None or not same(was, here):
            left.append(was.name)
        else:
            steps.append(Step(here, back))
    return Plan(tuple(steps), tuple(left))


def _alike(was: Entity, then: Entity) -> bool:
    """Whether nothing happened that anybody could undo."""
    return was.state == then.state and was.state.value is not None


def _back(was: Entity, then: Entity) -> Call | None:
    """The call that restores one device; None when there is none."""
    if was.state.value is None:
        return None
    for way in _WAYS.get(was.domain, ()):
        call = way(was, then)
        if call is not None:
            return call
    return None


_Way = Callable[[Entity, Entity], Call | None]
"""From the device before and after the command; None where this way does not lead back."""


def _by_value(**calls: str) -> _Way:
    """State → the call that asks for it."""

    def way(was: Entity, _then: Entity) -> Call | None:
        name = calls.get(was.state.value or "")
        return None if name is None else Call.of(name, name=was.name)

    return way


def _by_number(field: str, call: str, argument: str, ability: str) -> _Way:
    """A number that changed and can be set again."""

    def way(was: Entity, then: Entity) -> Call | None:
        before: float | None = getattr(was.state, field)
        if before is None or before == getattr(then.state, field) or ability not in was.features:
            return None
        exact = natural(before)
        value: Value = exact if isinstance(exact, int) else plain(exact)
        return Call.of(call, name=was.name, **{argument: value})

    return way


def _by_word(field: str, call: str, argument: str) -> _Way:
    """A word that changed and is one of those the device can be asked for."""

    def way(was: Entity, then: Entity) -> Call | None:
        before: str | None = getattr(was.state, field)
        changed = before is not None and before != getattr(then.state, field)
        if not changed or before not in was.choices.get(argument, ()):
            return None
        return Call.of(call, name=was.name, **{argument: before})

    return way


def _changed(way: _Way) -> _Way:
    """Only where the state itself is another: a fan that runs on was not switched."""
    return lambda was, then: way(was, then) if was.state.value != then.state.value else None


def _heating(was: Entity, then: Entity) -> Call | None:
    """One that has a power switch and no modes."""
    if "mode" in was.features or "on_off" not in was.features:
        return None
    return Call.of("HassTurnOff" if was.state.value == "off" else "HassTurnOn", name=was.name)


def _position(was: Entity, _then: Entity) -> Call | None:
    """Half open; one that was moving is sent on its way instead."""
    position = was.state.position
    if position is None or not _half_open(was) or "position" not in was.features:
        return None
    return Call.of("HassSetPosition", name=was.name, position=position)


def _ends(was: Entity, then: Entity) -> Call | None:
    """Wholly open or closed; what was half open would be more so than it was."""
    return None if _half_open(was) else _ENDS(was, then)


def _half_open(was: Entity) -> bool:
    position = was.state.position
    return was.state.value not in MOVING and position is not None and 0 < position < 100


def _speed(was: Entity, then: Entity) -> Call | None:
    """A fan that ran runs again as it did."""
    if was.state.value != "on" or not was.state.percentage or "percentage" not in was.features:
        return None
    if (was.state.value, was.state.percentage) == (then.state.value, then.state.percentage):
        return None
    return Call.of("HassFanSetSpeed", name=was.name, percentage=was.state.percentage)


def _lit(was: Entity, then: Entity) -> Call | None:
    """A light that shone, with what it is known to have shone like."""
    if was.state.value != "on":
        return None
    wanted: dict[str, Value] = {}
    if was.state.brightness and "brightness" in was.features:
        wanted["brightness"] = was.state.brightness
    shown, shows = (was.state.color, was.state.kelvin), (then.state.color, then.state.kelvin)
    if shown != shows and any(shows):
        hue = _hue(was)
        if not hue:
            return None
        wanted |= hue
    return Call.of("HassLightSet" if wanted else "HassTurnOn", name=was.name, **wanted)


def _hue(was: Entity) -> dict[str, Value]:
    """The white or the colour it had, by what can be asked for; empty when nothing can."""
    kelvin, color = was.state.kelvin, was.state.color
    if kelvin is not None and "color_temp" in was.features:
        return {"temperature": kelvin}
    if color is None:
        return {}
    alike = {name: rgb for name, rgb in colors.NAMES.items() if colors.alike(color, rgb)}
    name = min(alike, key=lambda name: math.dist(alike[name], color), default=None)
    return {} if name is None else {"color": name}


_POWER = _by_value(on="HassTurnOn", off="HassTurnOff")
_ENDS = _by_value(
    open="HassTurnOn", opening="HassTurnOn", closed="HassTurnOff", closing="HassTurnOff"
)
_GOAL = _by_number("temperature", "HassClimateSetTemperature", "temperature", "temperature")
_HVAC = _by_word("value", "HassClimateSetHvacMode", "mode")

_WAYS: Mapping[str, tuple[_Way, ...]] = {
    "light": (_lit, _by_value(off="HassTurnOff")),
    "switch": (_POWER,),
    "siren": (_POWER,),
    "lock": (_by_value(locked="HassTurnOn", unlocked="HassTurnOff"),),
    "cover": (_position, _ends),
    "valve": (_position, _ends),
    "fan": (_speed, _changed(_POWER)),
    "climate": (
        _HVAC, _changed(_heating), _GOAL, _by_word("fan_mode", "HassClimateSetFanMode", "fan_mode"),
    ),
    "water_heater": (_HVAC, _changed(_heating), _GOAL),
    "humidifier": (
        _changed(_POWER),
        _by_number("humidity", "HassHumidifierSetpoint", "humidity", "humidity"),
        _by_word("mode", "HassHumidifierMode", "mode"),
    ),
    "number": (_by_number("number", "LinnetSetNumber", "value", "number"),),
    "select": (_by_word("value", "LinnetSelectOption", "option"),),
    "text": (lambda was, _: Call.of("LinnetSetText", name=was.name, value=was.state.value or ""),),
    "vacuum": (_by_value(docked="HassVacuumReturnToBase", returning="HassVacuumReturnToBase",
                         cleaning="HassVacuumStart"),),
    "alarm_control_panel": (
        lambda was, _: _armed(was, (was.state.value or "").removeprefix("armed_")),
    ),
}  # fmt: skip
"""Domain → ways back, the first that leads there is taken; a button that was pressed has none."""


def _armed(was: Entity, mode: str) -> Call | None:
    """Armed as it was; one that was off is never disarmed."""
    known = f"arm_{mode}" in was.features
    return Call.of("LinnetArm", name=was.name, mode=mode) if known else None
