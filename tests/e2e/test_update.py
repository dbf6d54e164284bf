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
from dataclasses import dataclass
from pathlib import Path

import pytest

from device.sound.frames import SAMPLE_RATE
from services.bundles import SHIPPED
from services.demo.script import shipped
from services.home.broker import BrokerLink, Message
from services.home.simulated import SimulatedHome
from tests.support.altered_bundle import altered
from tests.support.cut_proxy import CutProxy
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.nginx import PROGRAM, Nginx
from tests.support.running import RunningDaemon, spoken
from tests.support.running_agent import RunningAgent
from tests.support.terminal import linnet, settings_file

BUNDLE = SHIPPED / "linnet_mini-en"
CLASS = "pc-x86-64"
SAID = {
    "bed-light.wav": "bed_light",
    "kitchen-green.wav": "kitchen_lights",
    "ceiling-dim.wav": "ceiling_light",
}
"""What is said, one after the other, and the device that each moves."""
PAUSE_S = 13.0
"""Two rehearsals of a gate fit in between; were it less, only one would."""
PERIOD_S = PAUSE_S + 4.9
"""From one command to the next, by the longest recording."""
TURNS = 30
WAKE_STRIDE = 480
"""Samples that the wake word looks at together."""
PATIENCE_S = 240.0
BREAKS_AT, KILLED_AT = 2_000_000, 4_000_000
"""Bytes that are here when the line breaks, and when the updater is killed."""

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
                "quiet_begin": "00:00",
                "quiet_end": "00:00",
                "voice_socket": tmp_path / "voice.sock",
                "socket": tmp_path / "agent.sock",
            },
            log={"level": "info", "format": "json"},
        )

    return write


@dataclass(frozen=True)
class Moved:
    """A device that a turn has moved, however many commands that took."""

    device: str
    at_s: float


def moved(home: SimulatedHome) -> list[Moved]:
    """One for each turn, in order."""
    groups = itertools.groupby(home.commands, lambda command: command.device_id)
    return [Moved(device, next(commands).at_s) for device, commands in groups]


def lost(found: list[Moved]) -> str | None:
    """What tells that a turn is missing; None where each has moved its device."""
    expected = list(itertools.islice(itertools.cycle(SAID.values()), len(found)))
    if [one.device for one in found] != expected:
        return f"not in turns: {[one.device for one in found]}"
    gaps = [after.at_s - before.at_s for before, after in itertools.pairwise(found)]
    # As many as there are recordings in a row would leave the order as it is.
    return f"silent for {max(gaps):.0f} s" if gaps and max(gaps) > 2 * PERIOD_S else None


@pytest.mark.parametrize("missing", [[4], [4, 5], [4, 5, 6]])
def test_a_turn_that_is_lost_would_be_seen(missing: list[int]) -> None:
    whole = [
        Moved(device, turn * PERIOD_S)
        for turn, device in zip(range(12), itertools.cycle(SAID.values()), strict=False)
    ]
    assert lost(whole) is None
    assert lost([one for turn, one in enumerate(whole) if turn not in missing]) is not None


def talk() -> list[str | float]:
    """The recordings, one after the other, each time alike to the wake word's frames: one of them
    is missed where it begins between two, which no update is to blame for."""
    samples = {one.name: len(one.pcm) for one in shipped().recordings}
    sounds: list[str | float] = [2.0]
    for name in itertools.islice(itertools.cycle(SAID), TURNS):
        sounds += [name, PAUSE_S + (-samples[name] % WAKE_STRIDE) / SAMPLE_RATE]
    return sounds


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
    """The wave brings 2.0, over a line that breaks; the owner does not wait for a quiet moment."""
    slowly = "location /content/ { limit_rate 3m; }"
    heard = spoken(tmp_path / "heard.wav", *talk())
    with (
        Nginx(tmp_path / "nginx", published, slowly) as web,
        CutProxy(web.port, [BREAKS_AT]) as line,
        SimulatedHome(broker.address) as home,
    ):
        file = config(line.url)
        daemon = RunningDaemon(tmp_path, "--config", file, "--input", heard)
        agent = RunningAgent(tmp_path, file, tmp_path / "agent.sock")
        stop = threading.Event()
        try:
            agent.start()
            daemon.wait_for("READY=1")
            reading = drained(daemon, stop)
            agent.until(lambda status: status["bytes"]["here"] >= KILLED_AT)
            assert line.cuts_left == 0
            agent.kill()
            agent.start()
            wait(lambda: len(moved(home)) > 0, daemon)
            agent.until(lambda status: status["waits"] == "somebody spoke a moment ago")
            agent.command("install")
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
    assert lost(moved(home)) is None
    assert "turn failed" not in daemon.log
    ranged = [line for line in web.asked() if line[1] == "206"]
    assert len(ranged) >= 2, "went on where the line broke, and where the updater was killed"
    assert operator.gates == [True, False]
    assert operator.phases[-1] == "3.0 rolled_back"
    assert "2.0 committed" in operator.phases
