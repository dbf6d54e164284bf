from __future__ import annotations

import json
from pathlib import Path

from services.home.discovery import parse
from services.home.entities import Change, Entity, Registry
from services.home.sources import Sources
from services.language.homeview import EntityView
from tests.services.home.things import JSON_COLOR, light, registry

PAYLOADS = Path(__file__).parent / "payloads"


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
    assert fresh == Change(gone=frozenset({"b"}))


def test_a_changed_announcement_asks_for_its_retained_state_anew() -> None:
    place, body = light("Lamp")
    home = registry((place, body))
    body["device"] = {"name": "Bright Lamp"}
    fresh = home.apply(parse(f"homeassistant/{place}/config", json.dumps(body).encode()))
    assert fresh == Change(fresh=frozenset({"Lamp"}))
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


def test_the_word_of_a_hub_is_asked_for_once_and_holds_for_who_comes_later() -> None:
    home = Registry()

    def join(name: str, **options: object) -> Change:
        place, body = light(name, availability_topic="hub", **options)
        return home.apply(parse(f"homeassistant/{place}/config", json.dumps(body).encode()))

    def here() -> list[bool]:
        return [e.available(0.0) for e in home.snapshot()]

    assert join("First").fresh == {"First", "hub"}
    assert join("Second").fresh == {"Second"}, "the answer to the first will reach both"
    assert here() == [False, False]
    home.hear("hub", b"online", 0.0)
    assert join("Third").fresh == {"Third"}
    assert join("Fourth", payload_available="up", payload_not_available="online").fresh == {
        "Fourth"
    }
    assert here() == [True, True, True, False], "each reads the word in its own way"
    home.forget_states()
    assert join("Fifth").fresh == {"Fifth"}, "all topics are asked anew after a reconnection"
    assert here() == [False] * 5
    home.hear("hub", b"online", 0.0)
    assert here() == [True, True, True, False, True]


def test_the_word_of_a_hub_goes_with_its_last_device() -> None:
    place, body = light("Lamp", availability_topic="hub")
    home = registry((place, body))
    home.hear("hub", b"online", 0.0)
    topic = f"homeassistant/{place}/config"
    assert home.apply(parse(topic, b"")).gone == {"Lamp", "hub"}
    again = home.apply(parse(topic, json.dumps(body).encode()))
    assert again.fresh == {"Lamp", "hub"}
    assert not only(home).available(0.0)


def test_a_word_too_long_to_be_remembered_is_asked_for_again() -> None:
    home = registry(light("First", availability_topic="hub"))
    home.hear("hub", b"x" * 2000, 0.0)
    place, body = light("Second", availability_topic="hub")
    change = home.apply(parse(f"homeassistant/{place}/config", json.dumps(body).encode()))
    assert change.fresh == {"Second", "hub"}


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


def apply(home: Registry, place: str, body: object) -> Change:
    payload = b"" if body is None else json.dumps(body).encode()
    return home.apply(parse(f"homeassistant/{place}/config", payload))


def both_forms(unique_id: str = "u1") -> tuple[tuple[str, object], tuple[str, object]]:
    place, body = light("Lamp", None, unique_id=unique_id)
    hub = {"device": {"name": "Lamp"}, "components": {"a": {"platform": "light", **body}}}
    return (place, body), ("device/lamp", hub)


def test_who_announced_itself_twice_stays_when_one_announcement_goes() -> None:
    single, hub = both_forms()
    home = registry(single, hub)
    apply(home, single[0], None)
    assert only(home).found.key.startswith("homeassistant/device/lamp")
    apply(home, hub[0], None)
    assert home.snapshot() == ()


def test_a_device_that_moves_to_the_other_form_keeps_its_id() -> None:
    home = registry(light("Lamp", "Kitchen"))
    (place, body), hub = both_forms()
    place = f"{place}2"
    apply(home, place, body)
    mine = "light.lamp_2"
    assert mine in {e.entity_id for e in home.snapshot()}
    apply(home, "light/Lamp3", {**body, "unique_id": "u3"})
    apply(home, place, {"migrate_discovery": True})
    assert mine not in {e.entity_id for e in home.snapshot()}
    apply(home, "light/Lamp4", {**body, "unique_id": "u4"})
    apply(home, *hub)
    apply(home, place, None)
    names = {e.found.unique_id: e.entity_id for e in home.snapshot()}
    assert names == {None: "light.lamp", "u1": mine, "u3": "light.lamp_3", "u4": "light.lamp_4"}
    assert len(home.snapshot()) == 4


def test_settings_and_diagnoses_are_known_but_not_offered() -> None:
    home = registry(
        light("Lamp"),
        light("Spare", enabled_by_default=False),
        ("number/delay", {"name": "Delay", "command_topic": "d", "entity_category": "config"}),
        ("sensor/link", {"name": "Link", "state_topic": "l", "entity_category": "diagnostic"}),
        ("text/code", {"name": "Code", "command_topic": "c", "mode": "password"}),
    )
    assert len(home.snapshot()) == 5
    assert [e.entity_id for e in home.snapshot() if e.exposed] == ["light.lamp"]
    assert [e.entity_id for e in home.view().entities] == ["light.lamp"]


def test_a_view_is_made_anew_only_when_the_home_changes() -> None:
    home = registry(light("Lamp"))
    view, snapshot = home.view("Office"), home.snapshot()
    assert home.view("Office").entities is view.entities
    home.hear("Lamp", b"ON", 0.0)
    assert home.view("Office") == view
    assert home.snapshot() is not snapshot
    apply(home, *light("Other Lamp"))
    assert len(home.view().entities) == 2


Z2M = "zigbee2mqtt/bridge/devices"


def table(*names: str) -> bytes:
    power = {"type": "binary", "name": "state", "property": "state", "access": 7,
             "value_on": "ON", "value_off": "OFF"}  # fmt: skip
    return json.dumps(
        [
            {"ieee_address": f"0x{n}", "friendly_name": name, "type": "Router",
             "definition": {"exposes": [{"type": "switch", "features": [power]}]}}
            for n, name in enumerate(names)
        ]
    ).encode()  # fmt: skip


def test_a_device_told_by_discovery_and_by_its_bridge_is_one_device() -> None:
    sources, home = Sources(), Registry()
    for announcement in sources.read(Z2M, table("Plug", "Other")):
        home.apply(announcement)
    assert [e.name for e in home.snapshot()] == ["plug", "other"]
    body = {"name": None, "command_topic": "c", "state_topic": "s",
            "device": {"name": "My Plug", "identifiers": "zigbee2mqtt_0x0"}}  # fmt: skip
    change = apply(home, "switch/plug", body)
    assert sorted(e.name for e in home.snapshot()) == ["my plug", "other"]
    assert "zigbee2mqtt/Plug" in change.gone
    for announcement in sources.read(Z2M, table("Plug", "Other")):
        assert home.apply(announcement) == Change()
    apply(home, "switch/plug", None)
    assert sorted(e.name for e in home.snapshot()) == ["other", "plug"]


def test_tasmota_is_one_device_with_what_it_says_by_discovery() -> None:
    sources, home = Sources(), Registry()
    recorded = json.loads((PAYLOADS / "tasmota.json").read_text())["announce"][0]
    topic, payload = recorded["topic"], json.dumps(recorded["payload"]).encode()
    home.apply(sources.read(topic, payload)[0])
    body = {"name": None, "command_topic": "c",
            "device": {"name": "Pot", "connections": [["mac", "aa:bb:cc:00:00:01"]]}}  # fmt: skip
    apply(home, "switch/pot", body)
    assert only(home).name == "pot"
    home.apply(sources.read(topic, b"")[0])
    assert only(home).name == "pot"
