"""Updates end to end, while somebody talks to the box all the time.

A real publisher, a real web server that gives the files slowly, a real broker, the voice daemon and
the updater as processes of their own. No turn may be lost, whatever the updates do.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.bundles import SHIPPED
from services.home.broker import BrokerLink, Message
from services.home.simulated import SimulatedHome
from tests.support.altered_bundle import altered
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.nginx import PROGRAM, Nginx
from tests.support.running import RunningDaemon, spoken
from tests.support.running_agent import RunningAgent
from tests.support.terminal import linnet, settings_file

BUNDLE = SHIPPED / "linnet_mini-en"
CLASS = "pc-x86-64"
SAID = {"bed-light.wav": "bed_light", "kitchen-green.wav": "kitchen_lights"}
"""What is said, in turns, and the device that each moves."""
PAUSE_S = 13.0
TURNS = 30
PATIENCE_S = 240.0
CUT_AT = (2_500_000, 5_500_000)
"""Bytes that are here when the updater is killed."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="needs nginx"),
    pytest.mark.skipif(not (BUNDLE / "gate.wav").exists(), reason="needs the built-in bundle"),
]


def fleet(repository: Path, *words: object) -> None:
    done = linnet("fleet", *words, "--repository", repository, cwd=repository.parent)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A repository with a good release, 2.0, for everybody, and a bad one, 3.0, for nobody."""
    repository = tmp_path / "fleet"
    fleet(repository, "init", "--class", CLASS)
    for release, shuffled in (("2.0", False), ("3.0", True)):
        bundle = altered(BUNDLE, tmp_path / f"bundle-{release}", release, shuffled=shuffled)
        # This machine does other things meanwhile: only a release that hangs is too slow here.
        gate = ("--slower", 10, "--soak-turns", 1)
        fleet(repository, "publish", bundle, "--class", CLASS, "--release", release, *gate)
    fleet(repository, "rollout", "--class", CLASS, "--release", "2.0", "--everyone")
    return repository / "public"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


class Operator:
    """Hears what the device tells its fleet."""

    def __init__(self, broker: Mosquitto) -> None:
        self.phases: list[str] = []
        self.gates: list[bool] = []
        self._link = BrokerLink(broker.address, self._hear, name="operator")
        self._link.subscribe(["fleet/v1/home/box-1/ota/event", "fleet/v1/home/box-1/ota/gate"])
        self._link.start()
        self._link.wait_connected(20)

    def _hear(self, message: Message) -> None:
        body = json.loads(message.payload)
        if message.topic.endswith("gate"):
            self.gates.append(body["ok"])
        else:
            self.phases.append(f"{body['wanted']} {body['phase']}")

    def stop(self) -> None:
        self._link.stop()


@pytest.fixture
def operator(broker: Mosquitto) -> Iterator[Operator]:
    running = Operator(broker)
    yield running
    running.stop()


@pytest.fixture
def config(tmp_path: Path, broker: Mosquitto) -> Callable[[str], Path]:
    def write(repository: str) -> Path:
        return settings_file(
            tmp_path,
            mqtt={"port": broker.address.port},
            model={"generations": tmp_path / "models"},
            ota={
                "repository": repository,
                "root": tmp_path / "fleet" / "public" / "metadata" / "1.root.json",
                "directory": tmp_path / "ota",
                "device_id": "box-1",
                "device_class": CLASS,
                "fleet_status": True,
                "poll_s": 5.0,
                "voice_socket": tmp_path / "voice.sock",
                "socket": tmp_path / "agent.sock",
            },
            log={"level": "info", "format": "json"},
        )

    return write


def moved(home: SimulatedHome) -> list[str]:
    """Devices in the order in which they were commanded, one for each turn."""
    return [device for device, _ in itertools.groupby(c.device_id for c in home.commands)]


def drained(daemon: RunningDaemon, stop: threading.Event) -> threading.Thread:
    """Reads what the daemon tells its service manager, so that it is never held up."""

    def read() -> None:
        while not stop.wait(0.1):
            daemon.drain()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def wait(true: Callable[[], bool], daemon: RunningDaemon) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert daemon.process.poll() is None, f"it ended:\n{daemon.log}"
        assert time.monotonic() < deadline, daemon.log
        time.sleep(0.1)


def test_a_good_release_is_kept_and_a_bad_one_goes_and_no_turn_is_lost(
    tmp_path: Path,
    published: Path,
    broker: Mosquitto,
    operator: Operator,
    config: Callable[[str], Path],
) -> None:
    slowly = "location /content/ { limit_rate 1m; }"
    sounds: list[str | float] = [2.0]
    for name in itertools.islice(itertools.cycle(SAID), TURNS):
        sounds += [name, PAUSE_S]
    heard = spoken(tmp_path / "heard.wav", *sounds)
    with Nginx(tmp_path / "nginx", published, slowly) as web, SimulatedHome(broker.address) as home:
        file = config(web.url)
        daemon = RunningDaemon(tmp_path, "--config", file, "--input", heard)
        agent = RunningAgent(tmp_path, file, tmp_path / "agent.sock")
        stop = threading.Event()
        try:
            daemon.wait_for("READY=1")
            reading = drained(daemon, stop)
            wait(lambda: len(moved(home)) > 0, daemon)

            agent.start()
            agent.command("install")
            for here in CUT_AT:
                agent.until(lambda status, here=here: status["bytes"]["here"] >= here)
                agent.kill()
                agent.start()
            status = agent.until(lambda status: status["stage"] == "committed")
            assert status["release"] == "2.0"
            assert agent.command("status")["stage"] == "committed"
            good = status["generation"]

            agent.command("install", "3.0")
            status = agent.until(lambda s: s["wanted"] == "3.0" and s["stage"] == "rolled_back")
            assert status["reason"] == "GATE_REPLY"
            assert (status["generation"], status["release"]) == (good, "2.0")
            assert status["rejected"] == [{"release": "3.0", "reason": "GATE_REPLY"}]

            turns = len(moved(home))
            wait(lambda: len(moved(home)) > turns, daemon)
            assert (tmp_path / "models" / "current").readlink().name == good
        finally:
            stop.set()
            agent.close()
            daemon.close()
        reading.join()
    expected = itertools.cycle(SAID.values())
    assert moved(home) == list(itertools.islice(expected, len(moved(home))))
    assert "turn failed" not in daemon.log
    ranged = [line for line in web.asked() if line[1] == "206"]
    assert len(ranged) >= len(CUT_AT)
    assert operator.gates == [True, False]
    assert operator.phases[-1] == "3.0 rolled_back"
    assert "2.0 committed" in operator.phases
