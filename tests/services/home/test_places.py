"""Rooms and floors by the other names that their owner gave them, in whatever language."""

from __future__ import annotations

import json

import pytest

from services.home.discovery import parse
from services.home.entities import Registry
from services.home.home_map import HomeMap
from services.home.resolver import resolve
from services.language.calls import Call
from services.language.fast_path import FastPath
from tests.services.home.things import light

MAP = HomeMap(
    floors={"living room": "ground floor", "office": "first floor"},
    place_aliases={
        "living room": ("lounge", "客厅"), "ground floor": ("downstairs",), "cellar": ("vault",),
    },
)  # fmt: skip


def home(owner: HomeMap = MAP) -> Registry:
    registry = Registry(owner)
    for place, body in (light("Lamp", "Living Room"), light("Spot", "Office")):
        registry.apply(parse(f"homeassistant/{place}/config", json.dumps(body).encode()))
    return registry


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("turn on the lights in the lounge", "en"),
        ("turn on the lights in the living room", "en"),
        ("turn on the lights on the downstairs floor", "en"),
        ("打开客厅的灯", "zh-CN"),
    ],
)
def test_a_sentence_with_another_name_means_the_room(text: str, language: str) -> None:
    heard = FastPath(language).understand(text, home().view())
    assert heard.call is not None
    found = resolve(heard.call, home().snapshot())
    assert [entity.name for entity in found.targets] == ["lamp"]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (Call.of("HassTurnOn", area="lounge"), ["lamp"]),
        (Call.of("HassTurnOn", area="Lounge", domain="light"), ["lamp"]),
        (Call.of("HassTurnOn", floor="downstairs"), ["lamp"]),
        (Call.of("HassTurnOn", name="lamp", area="lounge"), ["lamp"]),
    ],
)
def test_a_call_that_a_model_wrote_with_another_name_means_it_too(
    asked: Call, names: list[str]
) -> None:
    assert [entity.name for entity in resolve(asked, home().snapshot()).targets] == names


def test_the_room_of_the_appliance_may_be_told_by_another_name() -> None:
    found = resolve(Call.of("HassTurnOn", domain="light"), home().snapshot(), "lounge")
    assert [entity.name for entity in found.targets] == ["lamp"]


def test_a_view_shows_names_of_places_that_are_there_and_no_others() -> None:
    assert home().view().place_aliases == (
        ("downstairs", "ground floor"), ("lounge", "living room"), ("客厅", "living room"),
    )  # fmt: skip


def test_a_rooms_own_name_is_never_another_rooms() -> None:
    owner = HomeMap(place_aliases={"living room": ("office",)})
    assert home(owner).view().place_aliases == ()
    found = resolve(Call.of("HassTurnOn", area="office"), home(owner).snapshot())
    assert [entity.name for entity in found.targets] == ["spot"]


def test_without_other_names_nothing_is_known_of_the_word() -> None:
    asked = Call.of("HassTurnOn", area="lounge")
    assert resolve(asked, home(HomeMap()).snapshot()).refusal == "no_area"
