"""Which devices a call means: pure, from the call's words and a snapshot of the home.

The order of narrowing: name or other name → room → floor → kind → what the device can do → the
room this appliance stands in → its floor. Where several are left that cannot all be meant, the
refusal is ``ambiguous`` and holds them, so that one short question can be asked.

Calls without any place, by function:

* ``HassTurnOn`` with only a kind means this room's where ``here`` is known, else the home's;
* ``HassTurnOff`` with only a kind means the whole home's ("turn off all lights"), as a question
  does;
* ``HassLightSet``, ``HassFanSetSpeed`` and ``HassSetPosition`` mean this room's;
* all others mean the one here, or the one there is.

Without a kind, a room's lights are meant. The area ``everywhere`` is the whole home. What would
switch a whole home at one word, other than its lights, fans and covers, is ``too_broad``: locking
alone is not. Whether a command is risky is not judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from services.home.commands import NotCommandable, command
from services.home.entities import Entity
from services.home.step import same
from services.language.calls import Call
from services.language.folding import fold, name_form, singular
from services.language.functions import (
    EVERYWHERE,
    FUNCTIONS,
    STARTED,
    SWITCHED,
    CallError,
    checked,
)

Refusal = Literal[
    "no_device", "no_device_in_area", "no_device_on_floor", "no_area", "no_floor", "unsupported",
    "ambiguous", "too_broad",
]  # fmt: skip

HOME_ASSISTANT_KEYS: dict[str, Refusal] = {
    "no_area": "no_area",
    "no_floor": "no_floor",
    **dict.fromkeys(("no_entity", "no_domain", "no_device_class"), "no_device"),
    **dict.fromkeys(
        ("no_entity_in_area", "no_domain_in_area", "no_device_class_in_area"), "no_device_in_area"
    ),
    **dict.fromkeys(
        ("no_entity_in_floor", "no_domain_in_floor", "no_device_class_in_floor"),
        "no_device_on_floor",
    ),
    **dict.fromkeys(
        ("duplicate_entities", "duplicate_entities_in_area", "duplicate_entities_in_floor"),
        "ambiguous",
    ),
    "feature_not_supported": "unsupported",
}
"""Home Assistant's error key → our word. Its ``…_exposed`` keys are as without: what is not offered
to the voice is not there. ``entity_wrong_state`` and the timers' keys arise in carrying out."""

DEVICE_CALLS = frozenset(name for name, row in FUNCTIONS.items() if row.domains)
"""Calls that are about devices; the others are answered by ``functions``."""
_HERE_CALLS = frozenset({"HassTurnOn", "HassLightSet", "HassFanSetSpeed", "HassSetPosition"})
_HOME_CALLS = frozenset({"HassTurnOff", "HassGetState"})
_HOME_DOMAINS = frozenset({"light", "fan", "cover"})
"""Kinds that may be switched all over the home at one word."""
_LIGHT_ABILITIES = {"brightness": "brightness", "color": "color", "temperature": "color_temp"}

Able = Callable[[Entity, Call], bool]


@dataclass(frozen=True)
class Resolution:
    """Targets, or the reason why there are none."""

    targets: tuple[Entity, ...] = ()
    refusal: Refusal | None = None
    candidates: tuple[Entity, ...] = ()
    """With ``ambiguous``: those that may be meant."""
    call: Call | None = None
    """The call as it was understood, with the room where ``here`` stood in for one."""


def can(entity: Entity, call: Call) -> bool:
    """Whether a command is known that carries this call out on this device."""
    if FUNCTIONS[call.name].effect == "asks":
        return True
    if call.name == "HassLightSet":
        wanted = {ability for key, ability in _LIGHT_ABILITIES.items() if key in call.args}
        if not wanted <= entity.features:
            return False
    try:
        command(entity, call)
    except NotCommandable:
        return False
    return True


def resolve(
    call: Call, entities: Sequence[Entity], here: str | None = None, able: Able = can
) -> Resolution:
    """The devices a call means.

    Args:
        here: the appliance's room; see the module's rules.
        able: whether a device can do it; ``can`` but in tests.
    """
    try:
        call = checked(call)
    except CallError:
        return Resolution(refusal="unsupported")
    if call.name not in DEVICE_CALLS:
        return Resolution(refusal="unsupported")
    here = name_form(here) if here else None
    return _Search(call, entities, here, able).run()


def current_resolution(found: Resolution, entities: Sequence[Entity]) -> Resolution | None:
    """A resolution with its devices as they are now; None if one is gone or another by now.

    A refusal is not looked at again: it holds for the moment it was made in.
    """
    wanted = {entity.entity_id for entity in found.targets}
    now = {e.entity_id: e for e in entities if e.entity_id in wanted}
    if not all(e.entity_id in now and same(e, now[e.entity_id]) for e in found.targets):
        return None
    return replace(found, targets=tuple(now[e.entity_id] for e in found.targets))


class _Search:
    """One resolution, step by step."""

    def __init__(self, call: Call, all_: Sequence[Entity], here: str | None, able: Able) -> None:
        self.call, self.all, self.able = call, all_, able
        self.here = _place(here, "area", all_)
        args = call.args
        self.name = _word(args.get("name"))
        self.area = _place(_word(args.get("area")), "area", all_)
        self.floor = _place(_word(args.get("floor")), "floor", all_)
        self.device_class = args.get("device_class")
        self.domains = FUNCTIONS[call.name].domains
        if "domain" in args:
            self.domains &= {str(args["domain"])}

    @cached_property
    def home(self) -> tuple[Entity, ...]:
        """What people speak of; few calls have to go through it all."""
        return tuple(e for e in self.all if _exposed(e))

    def run(self) -> Resolution:
        if self.area not in (None, EVERYWHERE) and not _known(self.area, "area", self.all):
            return self._refused("no_area")
        if self.floor and not _known(self.floor, "floor", self.all):
            return self._refused("no_floor")
        if not self.domains:
            return self._refused("unsupported")
        return self._named() if self.name else self._placed()

    # --- by name -------------------------------------------------------------------------------

    def _named(self) -> Resolution:
        assert self.name is not None  # noqa: S101 - for the type checker
        bearing = _bearing(self.name, self.area, self.all)
        inside = [e for e in bearing if self._inside(e)]
        kinds = [e for e in inside if self._of_kind(e)]
        if not kinds:
            wrong_kind = inside and "domain" not in self.call.args and not self.device_class
            return self._refused("unsupported" if wrong_kind else self._nothing(bool(bearing)))
        able = [e for e in kinds if self.able(e, self.call)]
        return self._one(able) if able else self._refused("unsupported")

    def _one(self, able: Sequence[Entity]) -> Resolution:
        """The one of several that is meant, else a question."""
        near = self._nearest(able)
        if len(near) > 1 and FUNCTIONS[self.call.name].effect == "asks":
            # "is the front door locked": its lock answers, not its contact.
            near = [e for e in near if e.domain in SWITCHED] or near
        if len(near) == 1:
            return Resolution((near[0],), call=self.call)
        return Resolution(refusal="ambiguous", candidates=tuple(near), call=self.call)

    def _nearest(self, entities: Sequence[Entity]) -> list[Entity]:
        """Those here, else those on this floor, else all."""
        if len(entities) < 2 or self.here is None:
            return list(entities)
        floor = next((e.floor for e in self.home if e.area == self.here and e.floor), None)
        near = [e for e in entities if e.area == self.here]
        near = near or [e for e in entities if floor is not None and e.floor == floor]
        return near or list(entities)

    # --- by place ------------------------------------------------------------------------------

    def _placed(self) -> Resolution:
        if "domain" not in self.call.args and not self._imply_kind():
            nowhere = self.area == EVERYWHERE
            return self._refused("too_broad" if nowhere else "unsupported")
        unplaced = self.area is None and self.floor is None
        if unplaced and self.here and self.call.name in _HERE_CALLS:
            self.area = self.here
            self.call = Call.of(self.call.name, **{**self.call.args, "area": self.here})
        kinds = self._kinds()
        if not kinds:
            return self._refused(self._nothing(True))
        able = [e for e in kinds if self.able(e, self.call)]
        if not able:
            return self._refused("unsupported")
        if self.area in (None, EVERYWHERE) and self.floor is None:
            return self._all_over(able)
        return self._several(able)

    def _imply_kind(self) -> bool:
        """Narrow the kinds where the call names none; False where nothing can be implied."""
        if self.call.name in ("HassTurnOn", "HassTurnOff") and not self.device_class:
            self.domains &= {"light"}
            return self.area != EVERYWHERE
        if self.call.name == "HassClimateSetTemperature":
            self.domains &= {"climate"}
        return self.call.name != "HassGetState" or bool(self.device_class)

    def _kinds(self) -> list[Entity]:
        kinds = [e for e in self.all if self._of_kind(e) and self._inside(e) and _exposed(e)]
        if self.call.name != "HassClimateGetTemperature":
            return kinds
        thermostats = [e for e in kinds if e.domain == "climate"]
        return thermostats or [e for e in kinds if e.device_class == "temperature"]

    def _all_over(self, able: Sequence[Entity]) -> Resolution:
        """A call without a place, or about the whole home."""
        asked = self.call.name == "HassGetState"
        many = self.call.name in ("HassTurnOn", "HassTurnOff") or self.area == EVERYWHERE
        if not asked and not many:
            return self._one(able)
        locking = self.call.name == "HassTurnOn" and all(e.domain == "lock" for e in able)
        broad = any(e.domain not in _HOME_DOMAINS for e in able) and not asked and not locking
        if broad and len(able) > 1:
            return Resolution(refusal="too_broad", candidates=tuple(able), call=self.call)
        return self._several(able)

    def _several(self, able: Sequence[Entity]) -> Resolution:
        if len(able) > 1 and any(e.domain in STARTED for e in able):
            return Resolution(refusal="ambiguous", candidates=tuple(able), call=self.call)
        return Resolution(tuple(able), call=self.call)

    # --- both ------------------------------------------------------------------------------------

    def _inside(self, entity: Entity) -> bool:
        area = self.area in (None, EVERYWHERE) or _same(self.area, entity.area)
        return area and (self.floor is None or _same(self.floor, entity.floor))

    def _of_kind(self, entity: Entity) -> bool:
        kind = self.device_class is None or entity.device_class == self.device_class
        return kind and entity.domain in self.domains

    def _nothing(self, elsewhere: bool) -> Refusal:
        """Why nothing is left: there is none, or none in that place."""
        if elsewhere and self.area not in (None, EVERYWHERE):
            return "no_device_in_area"
        return "no_device_on_floor" if elsewhere and self.floor else "no_device"

    def _refused(self, refusal: Refusal) -> Resolution:
        return Resolution(refusal=refusal, call=self.call)


def _bearing(name: str, area: str | None, entities: Sequence[Entity]) -> list[Entity]:
    """Devices of this name; else but for plurals; else whose name holds the room as well."""
    exact = _called(name, entities)
    if exact:
        return exact
    single = singular(name)
    home = [e for e in entities if _exposed(e)]
    loose = [e for e in home if any(single == singular(n) for n in _names(e))]
    if loose or area is None:
        return loose
    return _called(f"{area} {name}", home)


def _called(name: str, entities: Sequence[Entity]) -> list[Entity]:
    """The names first: they are many, and nearly all of them others."""
    return [
        e
        for e in entities
        if (fold(e.name) == name or (e.aliases and name in _names(e))) and _exposed(e)
    ]


def _exposed(entity: Entity) -> bool:
    return entity.exposed


def _names(entity: Entity) -> tuple[str, ...]:
    return tuple(fold(n) for n in (entity.name, *entity.aliases))


def _word(value: object) -> str | None:
    return fold(value) if isinstance(value, str) else None


def _known(word: str | None, place: Literal["area", "floor"], all_: Sequence[Entity]) -> bool:
    return any(_same(word, getattr(e, place)) and _exposed(e) for e in all_)


def _place(word: str | None, place: Literal["area", "floor"], all_: Sequence[Entity]) -> str | None:
    """The place's own name where a word is one of its others, else the word."""
    if word in (None, EVERYWHERE) or _known(word, place, all_):
        return word
    for entity in all_:
        if any(_same(word, alias) for alias in getattr(entity, f"{place}_aliases")):
            return _word(getattr(entity, place))
    return word


def _same(word: str | None, other: str | None) -> bool:
    return word is not None and other is not None and word == fold(other)
