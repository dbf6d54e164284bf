"""What a sentence does: the devices that are meant, and what each of them would be sent.

``meant`` knows the devices from the sampler's choices and looks at no name; ``effect`` turns
devices and a call into something that can be compared: messages where the home has a command for
it, else the call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.evaluate.intents_home import Home
from services.home.commands import NotCommandable, command
from services.home.entities import Entity
from services.home.resolver import can
from services.language.calls import Call, Value
from services.language.functions import FUNCTIONS

Effect = frozenset[tuple[object, ...]]
"""One entry a device: its id and its messages, or its id and what is asked of it."""
_PLACE = ("name", "area", "floor", "domain", "device_class")


@dataclass
class TruePlace:
    """The place the sampler chose."""

    domains: frozenset[str] = frozenset()
    """Kinds the wording allows; all the function's where it has no say."""
    entity: Entity | None = None
    """The device, where the sentence names one."""


def meant(call: Call, place: TruePlace, home: Home) -> tuple[Entity, ...]:
    """The devices a sampled sentence is about; none where it has no single meaning in this home."""
    function = FUNCTIONS[call.name]
    if not function.domains:
        return ()
    domains = place.domains or function.domains
    if place.entity is not None:
        chosen = place.entity
        return (chosen,) if _single(chosen, call, domains, home) and can(chosen, call) else ()
    args = call.args
    inside = [
        e for e in home.offered
        if e.domain in domains
        and args.get("area", e.area) == e.area
        and args.get("floor", e.floor) == e.floor
        and args.get("device_class", e.device_class) == e.device_class
    ]  # fmt: skip
    if call.name == "HassClimateGetTemperature":
        thermostats = [e for e in inside if e.domain == "climate"]
        inside = thermostats or [e for e in inside if e.device_class == "temperature"]
    elif call.name == "HassClimateSetTemperature":
        inside = [e for e in inside if e.domain == "climate"]
    return tuple(e for e in inside if can(e, call))


def _single(chosen: Entity, call: Call, domains: Iterable[str], home: Home) -> bool:
    """Whether no other device of its name could be meant just as well."""
    args = call.args
    others = [
        e for e in home.offered
        if e is not chosen and e.name == chosen.name and e.domain in domains
        and args.get("area", e.area) == e.area and args.get("floor", e.floor) == e.floor
    ]  # fmt: skip
    return chosen.area == home.here or not others


def effect(call: Call, targets: Iterable[Entity]) -> Effect:
    """What carrying out this call on these devices does; calls without devices are their effect."""
    if not FUNCTIONS[call.name].domains:
        return frozenset({(call.json(),)})
    return frozenset((e.entity_id, *_sent(call, e)) for e in targets)


def wish(call: Call) -> tuple[tuple[str, Value], ...]:
    """What a call wants, without where."""
    return tuple((key, value) for key, value in call.arguments if key not in _PLACE)


def _sent(call: Call, entity: Entity) -> tuple[object, ...]:
    if FUNCTIONS[call.name].effect == "moves":
        try:
            return command(entity, call).messages
        except NotCommandable:
            pass
    return (call.name, *wish(call))
