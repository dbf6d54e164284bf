"""Linnet on a real broker: found by who comes late, obeying, truthful, and back after a break."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.home.broker import BrokerLink, Message
from services.home.discovery import parse
from services.home.executor import Home
from services.home.presence.commands import Command, SetLevel, SetSwitch
from services.home.presence.entities import Place, Seen, Update
from services.home.presence.link import Presence
from tests.support.certificates import authority, server
from tests.support.mosquitto import Mosquitto, mosquitto

PLACE = Place("linnet_00112233aabbccdd", name="Attic Linnet")
WAIT_S = 20.0


class Box:
    """An appliance that obeys only when it is let."""

    def __init__(self) -> None:
        self.now = Seen(80, 50, False, False, "idle", 0)
        self.asked: list[Command] = []
        self.able = True

    def seen(self) -> Seen:
        return self.now

    def obey(self, command: Command) -> None:
        self.asked.append(command)
        if self.able:
            self.do(command)

    def do(self, command: Command) -> None:
        if isinstance(command, SetLevel) and command.what == "volume":
            self.now = replace(self.now, volume=command.percent)
        if isinstance(command, SetSwitch) and command.what == "mute":
            self.now = replace(self.now, muted=command.on)


class Controller:
    """Home Assistant's side: a link that keeps what it hears."""

    def __init__(self, broker: Mosquitto) -> None:
        self.heard: list[Message] = []
        self.link = BrokerLink(broker.address, self.heard.append, name="controller")
        self.link.subscribe(["homeassistant/#", "linnet/#"])
        self.link.start()
        self.link.wait_connected(WAIT_S)

    def last(self, topic: str) -> bytes | None:
        return next((m.payload for m in reversed(self.heard) if m.topic == topic), None)

    def count(self, topic: str) -> int:
        return sum(m.topic == topic for m in self.heard)

    def set(self, key: str, payload: bytes) -> None:
        self.link.publish(f"{PLACE.base}/{key}/set", payload)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def presence(broker: Mosquitto, box: Box) -> Iterator[Presence]:
    with Presence(broker.address, PLACE, box) as running:
        yield running


@pytest.fixture
def late(broker: Mosquitto, presence: Presence) -> Iterator[Controller]:
    """Somebody who subscribes only after everything was told."""
    first = Controller(broker)
    until(lambda: first.last(f"{PLACE.base}/next_timer"))
    first.link.stop()
    controller = Controller(broker)
    yield controller
    controller.link.stop()


def test_who_comes_late_finds_the_whole_device_and_its_states(late: Controller) -> None:
    until(lambda: late.last(PLACE.availability) == b"online")
    until(lambda: late.last(f"{PLACE.base}/next_timer"))
    assert all(m.retained for m in late.heard)
    found = parse(PLACE.config, late.last(PLACE.config) or b"")
    assert found.problems == ()
    assert {"Attic Linnet Mute", "Attic Linnet State"} <= {e.name for e in found.entities}
    assert late.last(f"{PLACE.base}/volume") == b"80"
    assert late.last(f"{PLACE.base}/state") == b"idle"


def test_a_command_goes_round_and_its_echo_is_what_became_of_it(late: Controller, box: Box) -> None:
    late.set("volume", b"35")
    until(lambda: late.last(f"{PLACE.base}/volume") == b"35")
    late.set("mute", b"ON")
    until(lambda: late.last(f"{PLACE.base}/mute") == b"ON")
    assert box.asked == [SetLevel("volume", 35), SetSwitch("mute", True)]


def test_nothing_is_told_before_it_is_true(late: Controller, box: Box) -> None:
    until(lambda: late.last(f"{PLACE.base}/mute"))
    box.able = False
    late.set("mute", b"ON")
    until(lambda: box.asked)
    late.set("volume", b"1")
    until(lambda: len(box.asked) == 2)
    assert late.last(f"{PLACE.base}/mute") == b"OFF"
    box.do(box.asked[0])
    until(lambda: late.last(f"{PLACE.base}/mute") == b"ON")


def test_what_is_refused_is_answered_by_how_it_really_is(
    late: Controller, box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    until(lambda: late.last(f"{PLACE.base}/volume"))
    before = late.count(f"{PLACE.base}/volume")
    late.set("volume", b"loudest")
    until(lambda: late.count(f"{PLACE.base}/volume") > before)
    assert late.last(f"{PLACE.base}/volume") == b"80"
    assert box.asked == []
    assert "loudest" not in caplog.text


def test_a_command_the_broker_remembers_does_not_unmute(broker: Mosquitto, box: Box) -> None:
    controller = Controller(broker)
    controller.link.publish_state(f"{PLACE.base}/mute/set", b"OFF")
    controller.link.publish_state(f"{PLACE.base}/volume/set", b"100")
    until(lambda: controller.count(f"{PLACE.base}/volume/set"))
    with Presence(broker.address, PLACE, box):
        until(lambda: controller.last(f"{PLACE.base}/next_timer"))
        controller.set("volume", b"20")  # comes after the remembered ones
        until(lambda: box.asked)
        assert box.asked == [SetLevel("volume", 20)]
    controller.link.stop()


def test_it_announces_itself_again_when_home_assistant_starts(late: Controller) -> None:
    until(lambda: late.last(PLACE.config))
    before = late.count(PLACE.config), late.count(f"{PLACE.base}/state")
    late.link.publish(PLACE.birth, b"offline")
    late.link.publish(PLACE.birth, b"online")
    until(lambda: late.count(PLACE.config) > before[0])
    until(lambda: late.count(f"{PLACE.base}/state") > before[1])
    assert late.count(PLACE.config) == before[0] + 1


def test_a_model_that_comes_later_brings_its_update_entity(late: Controller, box: Box) -> None:
    def component() -> dict[str, object]:
        found = json.loads(late.last(PLACE.config) or b"{}")
        return dict(found.get("components", {}).get("update", {}))

    until(lambda: component() == {"platform": "update"})
    box.now = replace(box.now, update=Update("1", latest="2"))
    until(lambda: "unique_id" in component())
    until(lambda: late.last(f"{PLACE.base}/update"))
    told = json.loads(late.last(f"{PLACE.base}/update") or b"")
    assert (told["installed_version"], told["latest_version"]) == ("1", "2")


def test_a_broker_that_lost_everything_is_told_everything(
    broker: Mosquitto, late: Controller
) -> None:
    broker.kill()
    late.heard.clear()
    broker.start()
    until(lambda: late.last(f"{PLACE.base}/next_timer"))
    assert json.loads(late.last(PLACE.config) or b"")["device"]["name"] == "Attic Linnet"
    assert late.last(PLACE.availability) == b"online"


def test_stopping_says_farewell(broker: Mosquitto, box: Box) -> None:
    controller = Controller(broker)
    with Presence(broker.address, PLACE, box):
        until(lambda: controller.last(PLACE.availability) == b"online")
    until(lambda: controller.last(PLACE.availability) == b"offline")
    controller.link.stop()


def test_a_linnet_is_no_device_of_the_home(broker: Mosquitto, late: Controller) -> None:
    with Home(broker.address) as home:
        home.wait_connected(WAIT_S)
        late.link.publish_state(
            "homeassistant/switch/fan/config",
            json.dumps({"name": "Fan", "command_topic": "fan/set", "state_topic": "fan"}).encode(),
        )
        until(lambda: home.entities())
        assert home.wait_quiet(WAIT_S)
        assert [e.name for e in home.entities()] == ["fan"]


def test_it_shows_itself_through_tls_a_password_and_access_rules(
    tmp_path: Path, box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    """What the appliance itself needs is all that its user may do here."""
    trusted = authority(tmp_path, "house")
    rights = "\n".join(
        [
            "user controller", "topic readwrite #",
            "user linnet", f"topic readwrite {PLACE.base}/#", f"topic write {PLACE.config}",
            "topic read homeassistant/status",
        ]
    )  # fmt: skip
    users = {"linnet": "right", "controller": "also right"}
    shown = server(tmp_path, trusted, "IP:127.0.0.1")
    with mosquitto(tmp_path, users, rights=rights, certificate=shown) as running:
        safe = replace(running.address, ca_file=str(trusted.certificate))
        running.address = replace(safe, username="controller", password="also right")
        controller = Controller(running)
        with Presence(replace(safe, username="linnet", password="right"), PLACE, box):
            until(lambda: controller.last(f"{PLACE.base}/volume") == b"80")
            assert parse(PLACE.config, controller.last(PLACE.config) or b"").entities
            controller.set("volume", b"35")
            until(lambda: controller.last(f"{PLACE.base}/volume") == b"35")
        until(lambda: controller.last(PLACE.availability) == b"offline")
        controller.link.stop()
    assert "does not let us" not in caplog.text
