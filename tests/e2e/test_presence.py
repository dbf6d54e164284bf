"""The daemon as Home Assistant meets it: commanded, restarted, killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.home.broker import BrokerLink, Message
from services.home.presence.entities import Place
from services.home.presence.identity import object_id
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.running import FAMILY, RunningDaemon, spoken
from tests.support.terminal import settings_file

pytestmark = pytest.mark.slow

PLACE = Place(object_id())
PATIENCE_S = 60.0
Start = Callable[[], RunningDaemon]


class Controller:
    def __init__(self, broker: Mosquitto) -> None:
        self.known: dict[str, bytes] = {}
        self.link = BrokerLink(broker.address, self._hear, name="controller")
        self.link.subscribe([PLACE.config, f"{PLACE.base}/#"])
        self.link.start()
        self.link.wait_connected(20)

    def _hear(self, message: Message) -> None:
        self.known[message.topic.removeprefix(f"{PLACE.base}/")] = message.payload

    def wait(self, key: str, payload: bytes) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.known.get(key) != payload:
            assert time.monotonic() < deadline, f"{key} is {self.known.get(key)!r}"
            time.sleep(0.02)

    def set(self, key: str, payload: bytes) -> None:
        self.link.publish(f"{PLACE.base}/{key}/set", payload)


@pytest.fixture
def controller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Controller, Start]]:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))  # as systemd gives it to the unit
    started: list[RunningDaemon] = []
    with mosquitto(tmp_path) as broker:
        config = settings_file(
            tmp_path,
            mqtt={"port": broker.address.port},
            model={"family": FAMILY},
            presence={"name": "Attic"},
        )
        silence = tmp_path / "silence.wav"

        def start() -> RunningDaemon:
            folder = tmp_path / str(len(started))
            folder.mkdir()
            heard = spoken(silence, 0.1)
            started.append(RunningDaemon(folder, "--config", config, "--input", heard))
            return started[-1]

        one = Controller(broker)
        yield one, start
        one.link.stop()
        for daemon in started:
            daemon.close()


def test_it_is_muted_stays_muted_and_is_missed_when_killed(
    controller: tuple[Controller, Start],
) -> None:
    home, start = controller
    daemon = start()
    daemon.wait_for("READY=1")
    home.wait("availability", b"online")
    home.wait("state", b"idle")
    assert json.loads(home.known[PLACE.config])["device"]["name"] == "Attic"
    home.set("mute", b"ON")
    home.wait("mute", b"ON")
    home.wait("state", b"muted")
    home.set("volume", b"15")
    home.wait("volume", b"15")

    daemon.process.kill()
    home.wait("availability", b"offline")

    home.known.clear()
    start().wait_for("READY=1")
    home.wait("availability", b"online")
    home.wait("mute", b"ON")
    home.wait("state", b"muted")
    home.wait("volume", b"15")
    home.set("mute", b"OFF")
    home.wait("mute", b"OFF")
    home.wait("state", b"idle")
