"""The access list of docs/updates.md, on a real broker: a device speaks as itself alone."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from ota.rollout.status import Topics, class_nudge, filters
from tests.support.mosquitto import PROGRAM, Mosquitto, mosquitto

PAGE = Path(__file__).parents[3] / "docs" / "updates.md"
USERS = {"spk-1": "a", "spk-2": "b", "operator": "c"}
LIMIT_S = 20.0
MINE, OTHERS = Topics("home", "spk-1"), Topics("home", "spk-2")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed")


class Somebody:
    """A client that remembers what it hears."""

    def __init__(self, broker: Mosquitto, name: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._news = threading.Condition()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(name, USERS[name])
        self._client.on_message = self._hear
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect(broker.address.host, broker.address.port)
        self._client.loop_start()
        self._client.subscribe([("fleet/#", 1), *((f, 1) for f in filters("home"))])
        assert subscribed.wait(LIMIT_S)

    def say(self, topic: str) -> None:
        self._client.publish(topic, topic.encode(), 1).wait_for_publish(LIMIT_S)

    def hears(self, topic: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: topic in dict(self.heard), LIMIT_S), topic

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _hear(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        with self._news:
            self.heard.append((message.topic, message.payload))
            self._news.notify_all()


@pytest.fixture
def people(tmp_path: Path) -> Iterator[dict[str, Somebody]]:
    rights = re.search(r"```text\n(pattern write.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert rights is not None
    with mosquitto(tmp_path, users=USERS, rights=rights[1]) as broker:
        everybody = {name: Somebody(broker, name) for name in USERS}
        yield everybody
        for one in everybody.values():
            one.close()


def test_the_operator_hears_what_each_device_says_of_itself(people: dict[str, Somebody]) -> None:
    for kind in ("online", "state", "event", "gate", "inventory"):
        people["spk-1"].say(MINE.of(kind))  # type: ignore[arg-type]
        people["operator"].hears(MINE.of(kind))  # type: ignore[arg-type]


def test_no_device_speaks_for_another_or_hears_it(people: dict[str, Somebody]) -> None:
    people["spk-1"].say(OTHERS.of("state"))
    people["spk-1"].say(class_nudge("home", "pc-x86-64"))
    people["spk-1"].say(MINE.of("state"))
    people["operator"].hears(MINE.of("state"))  # said last, so the others were dropped
    assert set(dict(people["operator"].heard)) == {MINE.of("state")}
    people["operator"].say(class_nudge("home", "pc-x86-64"))
    people["spk-2"].hears(class_nudge("home", "pc-x86-64"))
    assert dict(people["spk-2"].heard).keys() == {class_nudge("home", "pc-x86-64")}
