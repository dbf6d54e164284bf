"""The updater as its settings put it together, before a real repository and a small voice daemon.

Nothing of ``services.ota_agent.wiring`` is replaced: the agent's own threads fetch over real
sockets or from real files, and ask a voice daemon at a real socket.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from device.bundle import Bundle
from ota.generations import Generations
from ota.machine import Ledger, Update
from ota.release import Compat, Delta, Gate
from ota.repository.publisher import Publisher
from ota.repository.releases import contents_of, make_release, publish_release
from ota.repository.rollouts import roll_out
from ota.repository.setup import Founders, found, small_keys
from ota.rollout.rollout import BUCKETS, Wave
from services.local_socket import SocketServer
from services.ota_agent.agent import Agent, Wish
from services.ota_agent.wiring import journal_of, open_agent
from services.settings import Settings
from services.voice.trial.words import Look, Prove, Question, Serve, Tell
from tests.support.tiny_bundle import write_bundle
from tests.support.updated_box import Voice

CLASS = "pc-x86-64"
PATIENCE_S = 60.0
_QUESTION: TypeAdapter[Question] = TypeAdapter(Question)


def updater_settings(folder: Path) -> dict[str, object]:
    """``[ota]`` of a device that lives in a folder and is never told to wait for the night."""
    return {
        "directory": folder / "ota",
        "device_id": "box-1",
        "device_class": CLASS,
        "quiet_begin": "00:00",
        "quiet_end": "00:00",
        "voice_socket": folder / "voice.sock",
        "socket": folder / "agent.sock",
    }


class Published:
    """A repository with a release of a tiny bundle, rolled out to everybody at one time."""

    def __init__(
        self,
        folder: Path,
        padding: int = 0,
        *,
        delta_of: str | None = None,
        opens: timedelta | None = timedelta(0),
    ) -> None:
        """
        Args:
            padding: bytes that each of its two files is longer.
            delta_of: hash of a file that a delta leads from, to each file; nobody has the delta.
            opens: when the only wave does, after now; None: there is no wave.
        """
        publisher = Publisher(folder / "fleet", now=datetime.now(timezone.utc))
        publisher.shelf.make()
        keys = small_keys(publisher)
        root, targets, online = keys["root"], keys["targets"], keys["online"]
        found(publisher, Founders(root, targets, online, online, {CLASS: keys["release"]}))
        bundle = Bundle.open(write_bundle(folder / "bundle", "new", padding))
        contents = contents_of(bundle)
        if delta_of is not None:
            nowhere = Delta(of=delta_of, sha256="1" * 64, bytes=1)
            contents = tuple(c.model_copy(update={"deltas": (nowhere,)}) for c in contents)
        gate = Gate(soak_turns=0)
        release = make_release(
            publisher, bundle, CLASS, "2.0", compat=Compat(), gate=gate, unproved=True
        ).model_copy(update={"contents": contents})
        publish_release(publisher, bundle, release)
        starts = [] if opens is None else [publisher.now + opens]
        waves = [Wave(until_bucket=BUCKETS, start=start) for start in starts]
        roll_out(publisher, CLASS, "2.0", waves)
        self.shelf, self.release = publisher.shelf, release
        self.root = self.shelf.metadata / "1.root.json"


class OpenedBox:
    """A device; ``settings`` may be changed between two runs."""

    def __init__(self, folder: Path, published: Published, **ota: object) -> None:
        """Args: ota: settings of that table, over those that keep it inside of ``folder``."""
        self.folder = folder
        self.generations = Generations(folder / "models")
        self.generations.install(write_bundle(folder / "factory", "factory"))
        self.settings = Settings.model_validate({
            "model": {"generations": folder / "models", "backend": "onnx"},
            "ota": {"root": published.root, **updater_settings(folder), **ota},
        })  # fmt: skip
        self.journal = journal_of(self.settings)
        self.voice = Voice(lambda: self._current)

    @property
    def _current(self) -> str:
        current = self.generations.current()
        return current.name if current else ""

    def run(
        self,
        until: Callable[[Agent, Ledger], bool],
        wish: Wish | None = None,
        *,
        begin: Callable[[], object] = lambda: None,
    ) -> Ledger:
        """Start the updater, let it work until something is so, and stop it.

        Args:
            wish: what the owner wants as soon as it runs.
            begin: called when it answers at its socket.
        """
        voice = SocketServer(self.folder / "voice.sock", self._answer)
        try:
            with open_agent(self.settings) as agent:
                agent.resume()
                begin()
                if wish is not None:
                    agent.wish(wish)
                return self._work(agent, until)
        finally:
            voice.close()

    def until_it_ends(self, wish: Wish | None = None) -> Update:
        """The update that is begun in this run, when it has ended and been told."""
        before = self.journal.read().update
        ledger = self.run(
            lambda agent, ledger: (
                ledger.update is not before
                and ledger.update is not None
                and ledger.update.ended
                and ledger.update != before
                and not ledger.unsent
            ),
            wish,
        )
        assert ledger.update is not None
        return ledger.update

    def _work(self, agent: Agent, until: Callable[[Agent, Ledger], bool]) -> Ledger:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            ledger = agent.tick()
            if until(agent, ledger):
                return ledger
            assert time.monotonic() < deadline, f"{ledger} {agent.unanswered} {agent.undone}"
            time.sleep(0.01)

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        match _QUESTION.validate_python(question):
            case Look():
                state = self.voice.look()
            case Prove() as asked:
                state = self.voice.prove(asked.generation, asked.gate)
            case Serve() as asked:
                state = self.voice.serve(asked.generation)
            case Tell() as told:
                state = self.voice.tell(told)
        return state.model_dump(mode="json")
