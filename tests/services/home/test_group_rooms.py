"""zigbee2mqtt groups say where their members are, unless something stronger does."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from services.home.discovery import parse
from services.home.entities import Registry
from services.home.home_map import HomeMap
from services.home.zigbee2mqtt import Zigbee2mqtt

POWER = {"type": "binary", "name": "state", "property": "state", "access": 7,
         "value_on": "ON", "value_off": "OFF"}  # fmt: skip
ELSEWHERE = "light/hue"
"""A lamp that suggests its room itself."""


class House:
    """A bridge with two lamps and a switch, and one lamp in the kitchen that says so."""

    def __init__(self, owner: HomeMap | None = None, *, known: str | None = "Kitchen") -> None:
        self.home = Registry(owner)
        self.bridge = Zigbee2mqtt()
        if known:
            self.announces(ELSEWHERE, "Hue", known)
        lamp = {"exposes": [{"type": "light", "features": [POWER]}]}
        plug = {"exposes": [{"type": "switch", "features": [POWER]}]}
        self.says("devices", *(
            {"ieee_address": f"0x{n}", "friendly_name": name, "type": "Router", "definition": what}
            for n, (name, what) in enumerate((("One", lamp), ("Two", lamp), ("Plug", plug)), 1)
        ))  # fmt: skip

    def says(self, table: str, *items: object) -> None:
        for found in self.bridge.read(f"zigbee2mqtt/bridge/{table}", json.dumps(items).encode()):
            self.home.apply(found)

    def groups(self, **members: list[int]) -> None:
        self.says("groups", *(
            {"id": n, "friendly_name": name.replace("_", " "),
             "members": [{"ieee_address": f"0x{m}"} for m in who]}
            for n, (name, who) in enumerate(members.items(), 1)
        ))  # fmt: skip

    def announces(self, place: str, name: str, area: str | None, ieee: str | None = None) -> None:
        device = {"name": name, "suggested_area": area, "identifiers": [f"zigbee2mqtt_{ieee}"]}
        slug = name.lower()
        body = {"name": None, "command_topic": f"{slug}/set", "state_topic": slug, "device": device}
        topic = f"homeassistant/{place}/config"
        self.home.apply(parse(topic, json.dumps(body).encode() if name else b""))

    def leaves(self, place: str) -> None:
        self.home.apply(parse(f"homeassistant/{place}/config", b""))

    @property
    def rooms(self) -> dict[str, str | None]:
        return {e.entity_id.partition(".")[2]: e.area for e in self.home.snapshot()}


def test_members_of_a_group_called_like_a_room_are_in_it() -> None:
    house = House()
    house.groups(Kitchen=[1, 3])
    assert house.rooms == {"hue": "kitchen", "one": "kitchen", "two": None, "plug": "kitchen"}


def test_it_matters_not_which_is_told_first_nor_in_whose_words() -> None:
    house = House(known=None)
    house.groups(Kitchen=[1, 2])
    assert set(house.rooms.values()) == {None}, "nobody knows that this is a room"
    house.announces(ELSEWHERE, "Hue", "Kitchen")
    assert house.rooms["one"] == "kitchen"
    house.announces("light/one", "One", None, "0x1")
    assert house.rooms["one"] == "kitchen", "the same lamp by Home Assistant's discovery"


def test_the_group_itself_is_in_no_room_lest_it_be_switched_twice() -> None:
    house = House()
    house.groups(Kitchen=[1, 2])
    assert house.rooms["kitchen"] is None


def test_what_is_no_room_makes_none_and_two_rooms_are_none() -> None:
    house = House(HomeMap(floors={"office": "first floor"}))
    house.groups(All_Lamps=[1, 2], Kitchen=[1], Office=[1, 2])
    assert house.rooms["one"] is None, "kitchen or office, who knows"
    assert house.rooms["two"] == "office"
    (two,) = (e for e in house.home.snapshot() if e.entity_id == "light.two")
    assert (two.floor, two.groups) == ("first floor", ("all lamps", "office"))


def test_the_strongest_word_counts() -> None:
    owner = HomeMap(areas={"light.two": "attic"}, groups={"lamps": "cellar"})
    house = House(owner)
    house.announces("light/one", "One", "Kitchen", "0x1")
    house.announces("switch/plug", "Plug", "Hall", "0x3")
    house.groups(Lamps=[1, 2], Kitchen=[3])
    assert house.rooms["two"] == "attic", "the owner, of the device"
    assert house.rooms["one"] == "cellar", "the owner, of its group"
    assert house.rooms["plug"] == "hall", "the device, against the name of a group"


def test_another_name_of_a_room_is_its_name() -> None:
    house = House(HomeMap(place_aliases={"kitchen": ("küche", "kuche")}))
    house.groups(Küche=[1])
    assert house.rooms["one"] == "kitchen"


def test_a_room_that_is_gone_and_a_group_that_is_left_say_nothing_more() -> None:
    house = House()
    house.groups(Kitchen=[1, 2])
    house.groups(Kitchen=[2])
    assert (house.rooms["one"], house.rooms["two"]) == (None, "kitchen")
    house.leaves(ELSEWHERE)
    assert house.rooms["two"] is None
    assert house.home.view().areas == ()


@given(st.permutations(["room", "groups", "more", "fewer", "gone", "back"]))
def test_rooms_are_those_of_a_home_that_was_told_all_at_once(order: list[str]) -> None:
    house, known, last = House(), True, {}
    for step in order:
        if step in ("room", "back"):
            house.announces(ELSEWHERE, "Hue", "Kitchen")
            known = True
        elif step == "gone":
            house.leaves(ELSEWHERE)
            known = False
        else:
            last = {"groups": {"Kitchen": [1]}, "more": {"Kitchen": [1, 2], "Hall": [2]},
                    "fewer": {"Kitchen": [3]}}[step]  # fmt: skip
            house.groups(**last)
    fresh = House(known="Kitchen" if known else None)
    fresh.groups(**last)
    assert house.rooms == fresh.rooms
