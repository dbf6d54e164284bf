"""Back to how it was before the last command: what was proved, for two minutes. Pure.

Only what a device itself confirmed is undone; of the rest nobody knows what there is to undo. A
state that cannot be asked for again (a colour without a name, a state never heard) is left and
told. Whether a step back is risky is not decided here: it passes the same gate as any command.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from services.home import colors
from services.home.entities import Entity
from services.home.step import Step, same
from services.language.calls import Call, Value

WITHIN_S = 120.0
KEPT = 8

READS = frozenset({
    "HassGetState", "HassGetCurrentTime", "HassGetCurrentDate", "HassTimerStatus", "HassNevermind",
    "HassClimateGetTemperature", "LinnetArithmetic", "LinnetRepeat", "LinnetAlarmStatus",
    "LinnetStop",
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

    def take(self, now_s: float) -> Done | None:
        """The last command, once, if it was not too long ago; older ones wait for the next."""
        if not self._done or now_s - self._done[-1].at_s > self._within_s:
            self._done.clear()
            return None
        return self._done.pop()


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
    way = _WAYS.get(was.domain)
    return way(was, then) if way is not None and was.state.value is not None else None


def _switch(was: Entity, _then: Entity) -> Call | None:
    return _by_value(was, {"on": "HassTurnOn", "off": "HassTurnOff"})


def _lock(was: Entity, _then: Entity) -> Call | None:
    return _by_value(was, {"locked": "HassTurnOn", "unlocked": "HassTurnOff"})


def _cover(was: Entity, _then: Entity) -> Call | None:
    position = getattr(was.state, "position", None)
    if isinstance(position, int) and 0 < position < 100:
        return Call.of("HassSetPosition", name=was.name, position=position)
    return _by_value(was, {"open": "HassTurnOn", "closed": "HassTurnOff"})


def _light(was: Entity, then: Entity) -> Call | None:
    if was.state.value != "on":
        return _switch(was, then)
    wanted: dict[str, Value] = {}
    if was.state.brightness and "brightness" in was.features:
        wanted["brightness"] = was.state.brightness
    if was.state.color != then.state.color and then.state.color is not None:
        name = _color_name(was)
        if name is None:
            return None
        wanted["color"] = name
    if not wanted:
        return _switch(was, then)
    return Call.of("HassLightSet", name=was.name, **wanted)


def _color_name(was: Entity) -> str | None:
    """The name by which the colour it had can be asked for."""
    color = was.state.color
    if color is None:
        return None
    alike = {name: rgb for name, rgb in colors.NAMES.items() if colors.alike(color, rgb)}
    return min(alike, key=lambda name: math.dist(alike[name], color), default=None)


def _by_value(was: Entity, calls: Mapping[str, str]) -> Call | None:
    name = calls.get(was.state.value or "")
    return None if name is None else Call.of(name, name=was.name)


_WAYS: dict[str, Callable[[Entity, Entity], Call | None]] = {
    "light": _light,
    "lock": _lock,
    "cover": _cover,
    "valve": _cover,
    **dict.fromkeys(("switch", "fan", "humidifier", "siren"), _switch),
}
"""Domains that can be led back; a button that was pressed cannot."""
