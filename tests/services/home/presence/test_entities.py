"""What Linnet announces: a device that our own reader, made for foreign devices, understands."""

from __future__ import annotations

import json
from dataclasses import replace

from services.home.discovery import parse
from services.home.presence.commands import filters
from services.home.presence.entities import STATES, Place, Seen, Update, announcement, states
from services.voice.controller import State

PLACE = Place("linnet_00112233aabbccdd", name="Kitchen Linnet", version="1.2", room="kitchen")
SEEN = Seen(
    volume=80, sensitivity=50, muted=False, do_not_disturb=True, state="idle", timers=0,
    update=Update("2026.2"),
)  # fmt: skip


def test_our_own_discovery_reads_every_entity_without_a_problem() -> None:
    body = announcement(PLACE, has_update=True)
    found = parse(PLACE.config, body)
    assert found.problems == ()
    read = {entity.suggested_id: entity for entity in found.entities}
    assert {"Kitchen Linnet Mute", "Kitchen Linnet State"} <= set(read)
    mute = read["Kitchen Linnet Mute"]
    assert mute.area == "kitchen"
    assert mute.unique_id == "linnet_00112233aabbccdd_mute"
    assert mute.spec.availability_topics[0].topic == PLACE.availability
    assert mute.spec.state_topic == f"{PLACE.base}/mute"


def test_the_device_form_has_what_home_assistant_asks_for() -> None:
    body = json.loads(announcement(PLACE, has_update=True))
    assert body["device"]["identifiers"] == [PLACE.object_id]
    assert body["origin"]["name"] == "linnet"
    components = body["components"].values()
    assert all({"platform", "unique_id", "name"} <= set(c) for c in components)
    ids = [c["unique_id"] for c in components]
    assert len(set(ids)) == len(ids)


def test_every_state_topic_is_told_and_every_command_topic_is_listened_to() -> None:
    components = json.loads(announcement(PLACE, has_update=True))["components"].values()
    assert {c["state_topic"] for c in components if "state_topic" in c} == set(states(PLACE, SEEN))
    assert {c["command_topic"] for c in components if "command_topic" in c} == set(filters(PLACE))


def test_the_state_sensor_knows_every_state_of_the_controller() -> None:
    assert set(STATES) == {state.value for state in State}


def test_a_box_without_a_bundle_takes_its_update_entity_away() -> None:
    components = json.loads(announcement(PLACE, has_update=False))["components"]
    assert components["update"] == {"platform": "update"}
    assert f"{PLACE.base}/update" not in states(PLACE, replace(SEEN, update=None))


def test_an_update_tells_only_the_keys_that_home_assistant_knows() -> None:
    def told(update: Update) -> dict[str, object]:
        body = states(PLACE, replace(SEEN, update=update))[f"{PLACE.base}/update"]
        read: dict[str, object] = json.loads(body)
        return read

    assert told(Update("1", "2", 140, "Hears better in the kitchen.")) == {
        "installed_version": "1", "latest_version": "2", "in_progress": True,
        "update_percentage": 100, "title": "Linnet speech model",
        "release_summary": "Hears better in the kitchen.",
    }  # fmt: skip
    assert told(Update("1", "2", notes="x" * 300))["release_summary"] == "x" * 255
    assert told(Update("1", "2", 0))["in_progress"] is True
    assert told(Update("1")) == {
        "installed_version": "1", "latest_version": "1", "in_progress": False,
        "update_percentage": None, "title": "Linnet speech model", "release_summary": "",
    }, "a key that is left out would leave it installing for ever"  # fmt: skip


def test_what_is_unknown_is_told_as_unknown() -> None:
    told = states(PLACE, SEEN)
    assert told[f"{PLACE.base}/next_timer"] == b"None"
    assert told[f"{PLACE.base}/do_not_disturb"] == b"ON"
    assert told[f"{PLACE.base}/volume"] == b"80"
