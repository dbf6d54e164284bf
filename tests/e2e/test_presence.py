"""The daemon as Home Assistant meets it: commanded, restarted, killed."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.home.broker import BrokerLink, Message
from services.home.presence.entities import Place
from services.home.presence.identity import object_id
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.running import FAMILY, RunningDaemon, spoken
from tests.support.sound_server import NoSoundServer, sound_server
from tests.support.terminal import settings_file

pytestmark = pytest.mark.slow

PLACE = Place(object_id())
PATIENCE_S = 60.0
Start = Callable[..., RunningDaemon]


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

        def start(microphone: bool = False) -> RunningDaemon:
            folder = tmp_path / str(len(started))
            folder.mkdir()
            sound = () if microphone else ("--input", spoken(silence, 0.1))
            started.append(RunningDaemon(folder, "--config", config, *sound))
            return started[-1]

        one = Controller(broker)
        yield one, start
        one.link.stop()
        for daemon in started:
            daemon.close()


@pytest.fixture
def sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A sound server of its own for the daemon and for ``pactl``."""
    if importlib.util.find_spec("pyaudio") is None or shutil.which("pactl") is None:
        pytest.skip("needs PyAudio (extra: audio) and pactl (package pulseaudio-utils)")
    folder = tmp_path / "sound"
    folder.mkdir()
    try:
        with sound_server(folder) as env:
            for name in ("ALSA_CONFIG_PATH", "PULSE_SERVER"):
                monkeypatch.setenv(name, env[name])
            yield
    except NoSoundServer as reason:
        pytest.skip(str(reason))


def recording_streams() -> int:
    """How many programs the sound server gives its microphone's sound to."""
    command = ["pactl", "list", "short", "source-outputs"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    return len(listed.stdout.splitlines())


@pytest.mark.audio
def test_a_muted_box_gives_the_microphone_back_to_the_system(
    sound: None, controller: tuple[Controller, Start]
) -> None:
    home, start = controller
    daemon = start(microphone=True)
    daemon.wait_for("READY=1")
    home.wait("state", b"idle")
    assert recording_streams() == 1
    home.set("mute", b"ON")
    home.wait("mute", b"ON")
    assert recording_streams() == 0
    home.set("mute", b"OFF")
    home.wait("mute", b"OFF")
    home.wait("state", b"idle")
    assert recording_streams() == 1

    home.set("mute", b"ON")
    home.wait("state", b"muted")
    daemon.process.kill()
    home.known.clear()
    start(microphone=True).wait_for("READY=1")
    home.wait("mute", b"ON")
    assert recording_streams() == 0, "not even while it starts"


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
