"""One command for one thing: what a call comes down to once its devices are known."""

from __future__ import annotations

from dataclasses import dataclass

from services.home.entities import Entity
from services.language.calls import Call


@dataclass(frozen=True)
class Step:
    """An entity as it was when it was chosen, and what it is to do."""

    entity: Entity
    call: Call


def same(asked: Entity, now: Entity) -> bool:
    """Whether a thing is still the one that was meant: nothing it announced has changed."""
    return (asked.entity_id, asked.name, asked.area, asked.found) == (
        now.entity_id, now.name, now.area, now.found,
    )  # fmt: skip
