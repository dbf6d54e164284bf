"""What must not happen on a single sentence: doors opening, alarms falling silent, sirens.

Pure, as a table. Securing the house is never asked about: locking, closing and stopping are plain
commands. In a domain that can open the house, whatever the table does not know as harmless is
taken for risky, and so is a domain the table does not know.

Home Assistant's words are a trap here: on a lock "on" means lock and "off" means unlock; on covers
and valves "on" means open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from services.home.entities import Entity
from services.home.step import Step
from services.language.calls import Call

Risk = Literal["unlock", "open", "sound", "turn on", "turn off", "disarm", "change"]
"""The verb by which a person is asked about it."""

HARMLESS = frozenset({
    "light", "fan", "climate", "humidifier", "water_heater", "vacuum", "number", "select", "text",
    "scene", "sensor", "binary_sensor",
})  # fmt: skip
"""Domains that may be moved on one sentence."""
RELAYS = frozenset({"switch", "button"})
"""Harmless, unless they are named like a door: many gates are opened by a plain relay."""
NEVER: frozenset[Risk] = frozenset({"disarm"})
"""Not done by voice at all, whoever agrees."""

_SWITCHING: dict[str, Risk] = {"HassTurnOn": "turn on", "HassTurnOff": "turn off"}
_OPENERS = frozenset({"door", "doors", "gate", "gates", "garage", "lock", "locks", "opener"})
"""Last words of names that mean a way into the house."""
_COVERINGS = frozenset({"awning", "blind", "curtain", "damper", "shade", "shutter", "window"})
"""Device classes of covers that are no way into the house."""
_ARMED = frozenset({"home", "away", "night", "vacation"})


@dataclass(frozen=True)
class Guarded:
    """A domain that needs a yes, and the calls on it that need none."""

    risk: Risk
    safe: frozenset[str]


GUARDED: dict[str, Guarded] = {
    "lock": Guarded("unlock", frozenset({"HassTurnOn"})),
    "cover": Guarded("open", frozenset({"HassTurnOff", "HassStopMoving"})),
    "valve": Guarded("open", frozenset({"HassTurnOff", "HassStopMoving"})),
    "siren": Guarded("sound", frozenset({"HassTurnOff"})),
    "alarm_control_panel": Guarded("disarm", frozenset({"LinnetArm"})),
}


def risk(call: Call, entity: Entity) -> Risk | None:
    """What a call would risk on one thing; None when it may simply be done."""
    if call.name == "HassGetState" or entity.domain in HARMLESS:
        return None
    if entity.domain in RELAYS:
        return _SWITCHING.get(call.name, "change") if _named_like_a_door(entity) else None
    if entity.domain == "cover" and not _way_in(entity):
        return None
    guarded = GUARDED.get(entity.domain, Guarded("change", frozenset()))
    return None if _means(call) in guarded.safe else guarded.risk


@dataclass(frozen=True)
class Sorted:
    """Steps by what they need."""

    free: tuple[Step, ...] = ()
    asked: tuple[tuple[Risk, Step], ...] = ()
    """To be done after a yes."""
    refused: tuple[tuple[Risk, Step], ...] = ()
    """Not to be done by voice."""


def sort_out(steps: Iterable[Step]) -> Sorted:
    """Split what a call means, so that a lock among ten lamps is not unlocked on the way."""
    weighed = [(risk(step.call, step.entity), step) for step in steps]
    return Sorted(
        tuple(step for danger, step in weighed if danger is None),
        tuple((danger, step) for danger, step in weighed if danger and danger not in NEVER),
        tuple((danger, step) for danger, step in weighed if danger in NEVER),
    )


def _means(call: Call) -> str:
    """The call's name, with the two calls whose risk lies in an argument made plain."""
    if call.name == "HassSetPosition" and call.args.get("position") == 0:
        return "HassTurnOff"
    if call.name == "LinnetArm" and call.args.get("mode") not in _ARMED:
        return "disarm"
    return call.name


def _way_in(cover: Entity) -> bool:
    if cover.device_class is None:
        return _named_like_a_door(cover)
    return cover.device_class not in _COVERINGS


def _named_like_a_door(entity: Entity) -> bool:
    return any(_OPENERS & set(name.split()[-1:]) for name in (entity.name, *entity.aliases))
