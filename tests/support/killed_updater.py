"""The real updater on a real disk, killed at random moments, and what each kill left.

``python -m tests.support.killed_updater KILLS SEED`` publishes a release, lets a device take it up,
kills its updater again and again, sometimes the whole device, and prints what it found as JSON.
Nothing of the updater is replaced. It is forked from this process, which has loaded everything, and
only its pulse is quicker: a tick follows another at once, so that most kills meet it at work.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from device.bundle import Bundle
from ota.generations import Generations
from ota.journal import Journal
from ota.machine import Stage, Update
from ota.release import Compat, Gate
from ota.repository.publisher import Publisher
from ota.repository.releases import make_release, publish_release
from ota.repository.rollouts import roll_out
from ota.repository.setup import Founders, found, small_keys
from ota.rollout.rollout import BUCKETS, Wave
from services.cli import main as linnet
from services.local_socket import SocketServer
from services.ota_agent.wiring import open_agent
from services.settings import Settings
from services.voice.trial.words import Look, Prove, Question, Serve, Tell
from tests.support.opened_box import CLASS, updater_settings
from tests.support.terminal import settings_file
from tests.support.tiny_bundle import write_bundle
from tests.support.update_story import litter, violation
from tests.support.updated_box import Voice

RELEASE = "2.0"
PULSE_S = 0.01
WHOLE_S = 60.0
_QUESTION: TypeAdapter[Question] = TypeAdapter(Question)


def publish(folder: Path, bundle: Path) -> Path:
    """A repository with one release for everybody; its directory."""
    publisher = Publisher(folder / "fleet", now=datetime.now(timezone.utc))
    publisher.shelf.make()
    keys = small_keys(publisher)
    root, targets, online = keys["root"], keys["targets"], keys["online"]
    found(publisher, Founders(root, targets, online, online, {CLASS: keys["release"]}))
    opened = Bundle.open(bundle)
    gate = Gate(utterance="voice.bin", call="HassTurnOn {}", soak_turns=1)
    release = make_release(publisher, opened, CLASS, RELEASE, compat=Compat(), gate=gate)
    publish_release(publisher, opened, release)
    roll_out(publisher, CLASS, RELEASE, [Wave(until_bucket=BUCKETS, start=publisher.now)])
    return publisher.shelf.metadata.parent


class VoiceDaemon:
    """A voice daemon of a few variables at a real socket, in a process of its own."""

    def __init__(self, path: Path, current: Callable[[], str]) -> None:
        self._path, self._current = path, current
        self._pid = 0

    def start(self, *, spoils: bool) -> None:
        """Loads what ``current`` names. Args: spoils: turns with a new generation fail."""
        first = self._current()
        self._pid = _forked(lambda: self._serve(first, spoils))
        while not self._path.exists():
            time.sleep(PULSE_S)

    def kill(self) -> None:
        _killed(self._pid)
        self._path.unlink(missing_ok=True)

    def _serve(self, first: str, spoils: bool) -> None:
        voice = Voice(self._current)

        def answer(question: dict[str, Any]) -> dict[str, Any]:
            match _QUESTION.validate_python(question):
                case Look():
                    new = voice.serving != first
                    voice.turns, voice.failed = int(new), int(new and spoils)
                    state = voice.look()
                case Prove() as asked:
                    state = voice.prove(asked.generation, asked.gate)
                case Serve() as asked:
                    state = voice.serve(asked.generation)
                case Tell() as told:
                    state = voice.tell(told)
            return state.model_dump(mode="json")

        SocketServer(self._path, answer)
        while True:
            signal.pause()


@dataclass(frozen=True)
class Pace:
    """Seconds from a start to the gate, and to the end of the update."""

    gate_s: float
    end_s: float

    def life(self, chance: random.Random) -> float:
        """How long the updater lives this time: mostly too short to get past the gate."""
        if chance.random() < 0.6:
            return chance.uniform(0, 1.2 * self.gate_s)
        return chance.uniform(self.gate_s, 1.2 * self.end_s)


class Device:
    """One device and its two daemons."""

    def __init__(self, folder: Path, repository: Path, chance: random.Random) -> None:
        self.folder, self._chance = folder, chance
        self.factory = write_bundle(folder / "factory", "factory")
        self.config = settings_file(
            folder,
            model={"generations": folder / "models", "backend": "onnx"},
            ota={
                "repository": f"file://{repository}",
                "root": repository / "metadata" / "1.root.json",
                **updater_settings(folder),
            },
        )
        self.settings = Settings.load(self.config)
        self.journal = Journal(folder / "ota")
        self.voice = VoiceDaemon(folder / "voice.sock", lambda: self.current)

    @property
    def current(self) -> str:
        found = Generations(self.folder / "models").current()
        return found.name if found else ""

    @property
    def update(self) -> Update | None:
        return self.journal.read().update

    def deliver(self) -> None:
        """As it left the factory; now and then the release will be a bad one."""
        for name in ("models", "ota"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        Generations(self.folder / "models").install(self.factory)
        self.voice.start(spoils=self._chance.random() < 0.3)

    def cut_power(self) -> None:
        """Both daemons are gone; the voice daemon starts as its unit lets it."""
        self.voice.kill()
        linnet(["ota", "preflight", "--config", str(self.config)])
        self.voice.start(spoils=self._chance.random() < 0.3)

    def start(self) -> int:
        return _forked(self._updates)

    def _updates(self) -> None:
        with open_agent(self.settings) as agent:
            agent.resume()
            while True:
                agent.tick()
                time.sleep(PULSE_S)

    def until(self, true: Callable[[Update], bool]) -> float:
        """Let the updater live until something is so; the seconds that took."""
        pid, began = self.start(), time.monotonic()
        while (update := self.update) is None or not true(update):
            assert time.monotonic() < began + WHOLE_S, update
            time.sleep(PULSE_S)
        took = time.monotonic() - began
        _killed(pid)
        return took


def _forked(work: Callable[[], None]) -> int:
    """The id of a child that does the work; it never comes back."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException as error:  # noqa: BLE001  # the parent sees that it ended by itself
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(1)


def _killed(pid: int) -> bool:
    """Kill it; whether it had lived until then."""
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def run(folder: Path, kills: int, chance: random.Random) -> dict[str, Any]:
    new = write_bundle(folder / "new", "new", padding=2**18)
    device = Device(folder, publish(folder, new), chance)
    before = {Bundle.open(device.factory).digest}
    allowed = before | {Bundle.open(new).digest}
    device.deliver()
    gate_s = device.until(lambda update: update.stage is Stage.PROVING)
    pace = Pace(gate_s, gate_s + device.until(lambda update: update.ended))
    violations: list[str] = []
    ends: Counter[str] = Counter()

    def look() -> None:
        if (bad := violation(folder, allowed, before)) is not None:
            violations.append(bad)

    for _ in range(kills):
        if (update := device.update) is not None and update.ended:
            ends[update.stage.value] += 1
            device.voice.kill()
            device.deliver()
        pid = device.start()
        time.sleep(pace.life(chance))
        if not _killed(pid):
            violations.append("ended by itself")
        look()
        if chance.random() < 0.2:
            device.cut_power()
            look()
    device.until(lambda update: update.ended)  # and it still works
    look()
    device.voice.kill()
    Generations(folder / "models").collect()
    left = litter(folder)
    return {"kills": kills, "violations": violations, "left": left, "ends": dict(ends)}


def main() -> None:
    kills, seed = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(run(Path(place), kills, random.Random(seed))))


if __name__ == "__main__":
    main()
