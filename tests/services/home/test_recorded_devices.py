"""Devices as their makers describe them: found, heard, commanded, and believed or not.

``payloads/*.json`` hold announcements in the shapes that zigbee2mqtt, ESPHome, Tasmota and others
document, and for each thing a story: what it says and how that is told, what is sent for a call,
what the device answers, and what the call has come to then.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.home.commands import command, proving_topics
from services.home.confirm import Confirmation
from services.home.entities import Entity, Registry
from services.home.sources import Sources
from services.language.calls import Call

FILES = sorted(Path(__file__).parent.joinpath("payloads").glob("*.json"))
RECORDED = {file.stem: json.loads(file.read_text()) for file in FILES}
STORIES = [(name, story) for name, body in RECORDED.items() for story in body["stories"]]


def sent(payload: object) -> bytes:
    return payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()


def home(recorded: str) -> Registry:
    sources, registry = Sources(), Registry()
    for announced in RECORDED[recorded]["announce"]:
        for announcement in sources.read(announced["topic"], sent(announced["payload"])):
            registry.apply(announcement)
    return registry


def by_id(registry: Registry, entity_id: str) -> Entity:
    known = {entity.entity_id: entity for entity in registry.snapshot()}
    assert entity_id in known, sorted(known)
    return known[entity_id]


def same(payload: bytes, expected: object) -> bool:
    if isinstance(expected, str):
        return payload == expected.encode()
    return bool(json.loads(payload) == expected)


@pytest.mark.parametrize(
    ("recorded", "story"), STORIES, ids=[f"{name}-{story['entity']}" for name, story in STORIES]
)
def test_found_heard_commanded_and_confirmed(recorded: str, story: dict[str, Any]) -> None:
    registry = home(recorded)
    entity_id = story["entity"]
    assert sorted(by_id(registry, entity_id).features) == story["features"]
    for said in story["states"]:
        registry.hear(said["topic"], sent(said["payload"]), 0.0)
        assert said["told"] is None or by_id(registry, entity_id).told == said["told"]
    if story["states"] and any(step["told"] for step in story["states"]):
        registry.hear("zigbee2mqtt/bridge/state", b'{"state": "online"}', 0.0)
        assert by_id(registry, entity_id).available(0.0)
    for step in story["calls"]:
        entity = by_id(registry, entity_id)
        sending = command(entity, Call.of(step["call"], **step["arguments"]))
        assert [topic for topic, _ in sending.messages] == [t for t, _ in step["messages"]]
        for (_, payload), (_, expected) in zip(sending.messages, step["messages"], strict=True):
            assert same(payload, expected), payload
        assert answered(registry, entity, sending.wish, step) == (
            step["status"], step.get("state"),
        )  # fmt: skip


def answered(
    registry: Registry, entity: Entity, wish: Any, step: dict[str, Any]
) -> tuple[str, str | None]:
    if not proving_topics(entity.found.spec, wish):
        return "sent", None
    confirmation = Confirmation()
    confirmation.expect(entity, wish)
    for topic, payload in step["heard"]:
        assert not confirmation.settled, "not before the last word"
        for heard in registry.hear(topic, sent(payload), 1.0):
            confirmation.heard(heard, topic, 1.0)
    (result,) = confirmation.results()
    return result.status, result.state


@pytest.mark.parametrize("recorded", RECORDED)
def test_announced_again_nothing_changes(recorded: str) -> None:
    sources, registry = Sources(), Registry()
    seen = []
    for _ in range(2):
        for announced in RECORDED[recorded]["announce"]:
            for announcement in sources.read(announced["topic"], sent(announced["payload"])):
                registry.apply(announcement)
        seen.append(registry.snapshot())
    assert seen[0] == seen[1]


def test_every_platform_has_a_story() -> None:
    from services.home.platforms import MODELS

    told = {story["entity"].partition(".")[0] for _, story in STORIES}
    assert told == {*MODELS, "light"}
