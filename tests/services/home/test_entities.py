from __future__ import annotations

import json

from services.home.discovery import parse
from services.home.entities import MAX_ENTITIES, Entity, Registry
from services.language.homeview import EntityView
from tests.services.home.things import JSON_COLOR, light, registry


def only(home: Registry) -> Entity:
    (one,) = home.snapshot()
    return one


def test_a_view_holds_spoken_names_rooms_and_abilities() -> None:
    lamp = light("Lamp 2", "Living Room", **JSON_COLOR)
    home = registry(lamp, light("Été", None, object_id="summer"))
    view = home.view("Living Room")
    assert view.entities == (
        EntityView("light.lamp_2", "lamp two", "light", "living room",
                   (), frozenset({"brightness", "color"})),
        EntityView("light.summer", "ete", "light", None),
    )  # fmt: skip
    assert view.areas == ("living room",)
    assert view.here == "living room"


def test_names_that_cannot_be_spoken_are_left_out() -> None:
    assert registry(light("✨", None)).snapshot() == ()


def test_names_in_other_scripts_are_kept_as_they_are_written() -> None:
    (lamp,) = registry(light("客厅 LED", "客厅")).snapshot()
    assert (lamp.name, lamp.area) == ("客厅 led", "客厅")


def test_equal_names_get_ids_of_their_own() -> None:
    home = registry(light("Lamp", "Kitchen"), light("Lamp", "Office"))
    assert [e.entity_id for e in home.snapshot()] == ["light.lamp", "light.lamp_2"]


def test_one_device_announced_in_both_forms_is_one_device() -> None:
    single = light("Lamp", None, unique_id="u1")
    both = {"device": {"name": "Lamp"}, "components": {"a": {"platform": "light", **single[1]}}}
    assert len(registry(single, ("device/lamp", both)).snapshot()) == 1


def test_an_empty_payload_removes_and_its_topics_with_it() -> None:
    place, body = light("Lamp")
    home = registry((place, body))
    assert home.topics() == {"Lamp"}
    home.apply(parse(f"homeassistant/{place}/config", b""))
    assert home.snapshot() == ()
    assert home.topics() == frozenset()


def test_a_device_form_drops_the_component_it_no_longer_lists() -> None:
    def hub(*names: str) -> tuple[str, dict[str, object]]:
        parts = {n: {"platform": "sensor", "name": n, "state_topic": n} for n in names}
        return "device/hub", {"device": {"name": "Hub"}, "components": parts}

    home = registry(hub("a", "b"))
    home.hear("a", b"1", 0.0)
    place, body = hub("a")
    fresh = home.apply(parse(f"homeassistant/{place}/config", json.dumps(body).encode()))
    assert only(home).name == "hub a"
    assert only(home).state.value == "1", "an unchanged component keeps what it said"
    assert fresh == frozenset()


def test_a_changed_announcement_asks_for_its_retained_state_anew() -> None:
    place, body = light("Lamp")
    home = registry((place, body))
    body["device"] = {"name": "Bright Lamp"}
    fresh = home.apply(parse(f"homeassistant/{place}/config", json.dumps(body).encode()))
    assert fresh == {"Lamp"}
    assert only(home).name == "bright lamp"


def test_availability_modes() -> None:
    def here(mode: str, *said: tuple[str, bytes]) -> bool:
        home = registry(
            light("Lamp", availability=[{"topic": "a"}, {"topic": "b"}], availability_mode=mode)
        )
        for topic, payload in said:
            home.hear(topic, payload, 0.0)
        return only(home).available(0.0)

    on_a, off_b = ("a", b"online"), ("b", b"offline")
    assert not here("latest")
    assert here("latest", off_b, on_a)
    assert not here("latest", on_a, off_b)
    assert here("any", on_a, off_b)
    assert not here("all", on_a)
    assert here("all", on_a, ("b", b"online"))
    assert not here("latest", ("a", b"perhaps"))


def test_availability_by_template_and_old_readings() -> None:
    home = registry(
        ("sensor/s", {"name": "S", "state_topic": "s", "expire_after": 60,
                      "availability": {"topic": "a", "value_template": "{{ value_json.state }}"}})
    )  # fmt: skip
    home.hear("a", b'{"state": "online"}', 0.0)
    assert not only(home).available(0.0), "nothing heard yet"
    home.hear("s", b"1", 10.0)
    assert only(home).available(70.0)
    assert not only(home).available(71.0)


def test_after_the_connection_broke_nothing_heard_before_is_known() -> None:
    home = registry(light("Lamp", availability_topic="a"))
    home.hear("a", b"online", 0.0)
    home.hear("Lamp", b"ON", 0.0)
    home.forget_states()
    assert only(home).state.value is None
    assert not only(home).available(0.0)


def test_a_broker_gone_wild_cannot_fill_the_memory() -> None:
    home = registry(*(light(f"Lamp {n}") for n in range(MAX_ENTITIES + 5)))
    assert len(home.snapshot()) == MAX_ENTITIES
