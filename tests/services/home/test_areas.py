"""The owner's word on rooms, floors and names wins over what a device announces."""

from __future__ import annotations

import json

from services.home.discovery import parse
from services.home.entities import Registry
from services.home.home_map import HomeMap
from tests.services.home.things import light


def home(owner: HomeMap) -> Registry:
    made = Registry(owner)
    for place, body in (light("Desk Lamp"), light("Spots", "Kitchen")):
        made.apply(parse(f"homeassistant/{place}/config", json.dumps(body).encode()))
    return made


def rooms(areas: dict[str, str]) -> dict[str, str | None]:
    return {e.entity_id: e.area for e in home(HomeMap(areas)).snapshot()}


def test_a_device_without_a_room_gets_the_owners() -> None:
    announced = rooms({})
    (lamp,) = (i for i, area in announced.items() if area is None)
    assert rooms({lamp: "Office"})[lamp] == "office"


def test_the_owner_is_believed_rather_than_the_device() -> None:
    (spots,) = (i for i, area in rooms({}).items() if area == "kitchen")
    assert rooms({spots: "Living Room"})[spots] == "living room"


def test_rooms_have_floors_and_devices_have_other_names_where_the_owner_says_so() -> None:
    (lamp,) = (i for i, area in rooms({}).items() if area is None)
    view = home(HomeMap({}, {"kitchen": "ground floor"}, {lamp: ("reading light",)})).view()
    assert view.floors == ("ground floor",)
    assert {e.name: (e.floor, e.aliases) for e in view.entities} == {
        "desk lamp": (None, ("reading light",)),
        "spots": ("ground floor", ()),
    }
