"""The owner's word on where a device stands wins over what the device announces."""

from __future__ import annotations

import json

from services.home.discovery import parse
from services.home.entities import Registry
from tests.services.home.things import light


def rooms(areas: dict[str, str]) -> dict[str, str | None]:
    made = Registry(areas)
    for place, body in (light("Desk Lamp"), light("Spots", "Kitchen")):
        made.apply(parse(f"homeassistant/{place}/config", json.dumps(body).encode()))
    return {e.entity_id: e.area for e in made.snapshot()}


def test_a_device_without_a_room_gets_the_owners() -> None:
    announced = rooms({})
    (lamp,) = (i for i, area in announced.items() if area is None)
    assert rooms({lamp: "Office"})[lamp] == "office"


def test_the_owner_is_believed_rather_than_the_device() -> None:
    (spots,) = (i for i, area in rooms({}).items() if area == "kitchen")
    assert rooms({spots: "Living Room"})[spots] == "living room"
