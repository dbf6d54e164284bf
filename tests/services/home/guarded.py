"""Things that can open a house, and a home in which a lock can be told to unlock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.home.commands import Command, NotCommandable, Wish, command
from services.home.entities import Entity
from services.home.platforms import Lock
from services.home.resolver import Resolution, resolve
from services.home.step import Step
from services.language.calls import Call
from tests.services.home.things import entity


def thing(domain: str, name: str = "thing", device_class: str | None = None) -> Entity:
    """A thing of any domain, also of those no announcement makes yet."""
    made = entity("cover", name=name, device_class=device_class)
    entity_id = f"{domain}.{name.replace(' ', '_')}"
    return replace(made, entity_id=entity_id, found=replace(made.found, domain=domain))


def steps(call: Call, *entities: Entity) -> tuple[Step, ...]:
    return tuple(Step(one, call) for one in entities)


def resolve_freely(call: Call, entities: Sequence[Entity], here: str | None) -> Resolution:
    """As the house resolves, but a lock may be meant by "off", and everything in a room too."""
    args = call.args
    if call.name == "HassTurnOff" and "domain" not in args:
        meant = [
            e for e in entities
            if e.domain in ("light", "switch", "lock")
            and all(getattr(e, key) == value for key, value in args.items())
        ]  # fmt: skip
        if any(e.domain == "lock" for e in meant):
            return Resolution(tuple(meant))
    return resolve(call, entities, here)


def command_freely(entity: Entity, call: Call) -> Command:
    try:
        return command(entity, call)
    except NotCommandable:
        spec = entity.found.spec
        if not isinstance(spec, Lock) or call.name != "HassTurnOff":
            raise
        return Command(((spec.command_topic, b"UNLOCK"),), Wish("unlocked"))
