"""One device in memory: real trust, real generations, a voice daemon made of a few variables.

Time is virtual: whatever waits moves the clock. ``restart`` is a power cut between two ticks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from device.bundle import Bundle
from ota.deferral import Hours
from ota.errors import Reason, TransferError, TrustError
from ota.fetching import fetch_release
from ota.generations import Generations
from ota.journal import Journal
from ota.machine import WORK, Effect, Ledger, Result, Stage, Update
from ota.release import Facts, Gate, Release
from ota.rollout.source import Assignment, Report
from ota.rollout.waves import Waves
from ota.storage import Storage
from ota.store import Pinned, Store
from services.local_socket import SocketError
from services.ota_agent.agent import Agent, Parts
from services.ota_agent.effects import Effects, Means
from services.ota_agent.fleet_status import Standing
from services.ota_agent.trusted import AcceptedRelease, Trusted
from services.ota_agent.work import Cancel, Stopped, ThreadedWorker
from services.voice.trial.words import Proof, Tell, VoiceState
from tests.support.tiny_bundle import write_bundle
from tests.support.tiny_release import release_of
from tests.support.update_repository import B as CLASS
from tests.support.update_repository import Device, UpdateRepository

SOON = {"gate": {"soak_turns": 0}}
"""Of a release that is kept as soon as its gate has passed."""
NIGHT = datetime(2026, 3, 2, 3, 0, tzinfo=timezone.utc)


class Clock:
    """Seconds, and the local time that goes with them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meanwhile: Callable[[], object] = lambda: None
        """What happens while somebody waits."""

    def local(self) -> datetime:
        return NIGHT + timedelta(seconds=self.now)


class Voice:
    """The voice daemon as the updater meets it."""

    def __init__(self, serving: Callable[[], str]) -> None:
        self._current = serving
        self.serving = serving()
        self.verdict: Reason | None = None
        """How every gate ends."""
        self.recognised: bool | None = None
        """Whether its replies are understood."""
        self.silent = False
        """Nobody answers."""
        self.busy = False
        """Another generation is in the gate."""
        self.dies_in_gate = 0
        """How often it still dies while it proves."""
        self.turns, self.failed = 0, 0
        self.quiet_s = 3600.0
        self.proof: Proof | None = None
        self.gates: list[Gate] = []
        self.told: list[Tell] = []
        self.wish = ""

    def restart(self) -> None:
        """It loads what ``current`` names."""
        self.serving, self.proof, self.turns, self.failed = self._current(), None, 0, 0

    def look(self) -> VoiceState:
        if self.silent:
            raise SocketError("voice.sock: nobody")
        if self.proof is not None and not self.proof.over:
            if self.dies_in_gate:
                self.dies_in_gate -= 1
                self.restart()
            else:
                ended = {"over": True, "reason": self.verdict, "recognised": self.recognised}
                self.proof = self.proof.model_copy(update=ended)
        return VoiceState(
            serving=self.serving,
            quiet_s=self.quiet_s,
            turns=self.turns,
            failed=self.failed,
            install=self.wish,
            told=bool(self.told),
            proof=self.proof,
        )

    def prove(self, generation: str, gate: Gate) -> VoiceState:
        if self.silent:
            raise SocketError("voice.sock: nobody")
        if self.busy:
            raise SocketError("voice.sock: busy with another generation")
        self.gates.append(gate)
        self.proof = Proof(generation=generation)
        return self.look_only()

    def serve(self, generation: str) -> VoiceState:
        if self.silent:
            raise SocketError("voice.sock: nobody")
        if generation != self.serving:
            self.serving, self.turns, self.failed = generation, 0, 0
        return self.look_only()

    def tell(self, told: Tell) -> VoiceState:
        self.told.append(told)
        self.wish = ""
        return self.look_only()

    def look_only(self) -> VoiceState:
        return VoiceState(serving=self.serving)


class Source:
    """Says what it is told to say, and keeps what it is told."""

    def __init__(self) -> None:
        self.wanted: Assignment | None = None
        self.deaf = False
        self.reports: list[Report] = []

    def poll(self) -> Assignment | None:
        return self.wanted

    def report(self, report: Report) -> None:
        if self.deaf:
            raise TransferError(Reason.UNREACHABLE, "nobody listens")
        self.reports.append(report)

    @property
    def ends(self) -> list[tuple[str, str]]:
        """Phase and reason of the reports that end an update."""
        return [
            (r.phase.value, r.reason.name if r.reason else "")
            for r in self.reports
            if r.phase.ended
        ]


class Shelf:
    """Contents by their hash."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.empty = False

    def add(self, bundle: Path) -> None:
        for content in release_of(bundle).contents:
            self.files[content.sha256] = (bundle / content.file).read_bytes()

    def fetch(self, pinned: Pinned, store: Store) -> Path:
        if self.empty:
            raise TransferError(Reason.UNREACHABLE, "nothing answers")
        data = self.files[pinned.sha256]
        store.append(pinned.sha256, data[store.gathered(pinned.sha256) :])
        try:
            return store.admit(pinned)
        except TrustError:  # a power cut had spoiled what was gathered; it is gone now
            store.append(pinned.sha256, data)
            return store.admit(pinned)


@dataclass
class Fleet:
    """What the fleet has heard."""

    connected: bool = False
    states: list[Standing] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    gates: list[bool] = field(default_factory=list)

    def state(self, standing: Standing) -> None:
        if not self.states or self.states[-1] != standing:
            self.states.append(standing)

    def event(self, update: Update, resumed: bool) -> None:
        self.events.append(update.stage.value)

    def gate(self, update: Update, proof: Proof) -> None:
        self.gates.append(proof.reason is None)


PATIENCE_S = 3 * 86_400.0


class VirtualCancel(Cancel):
    """Sleeping moves the clock, for some days or to the end of the stage's time."""

    def __init__(self, clock: Clock, until: float) -> None:
        super().__init__()
        self._clock, self._until = clock, until

    def sleep(self, seconds: float) -> None:
        self._clock.now += seconds
        self._clock.meanwhile()
        if self._clock.now > self._until:
            raise Stopped


class AtOnce(ThreadedWorker):
    """Does each effect when it is begun, in the caller's thread."""

    def __init__(self, effects: Effects, clock: Clock) -> None:
        super().__init__(effects.do)
        self._clock = clock
        self._ended: Result | None = None

    def start(self, effect: Effect, update: Update) -> None:
        until = self._clock.now + min(PATIENCE_S, WORK[update.stage].budget_s)
        self._ended = self._outcome(effect, update, VirtualCancel(self._clock, until))

    def poll(self) -> Result | None:
        return self._ended

    def abandon(self) -> None:
        self._ended = None


class UpdatedBox:
    """``publish`` a release, let the ``source`` want it, ``run`` until nothing goes on."""

    def __init__(
        self,
        folder: Path,
        device_class: str = CLASS,
        *,
        storage: Storage | None = None,
        like: UpdatedBox | None = None,
    ) -> None:
        """
        Args:
            storage: the disk of what must survive a power cut.
            like: another device, whose repository this one has, too; nothing is installed then.
        """
        self.folder, self.clock, self.device_class = folder, Clock(), device_class
        self.repository = like.repository if like else UpdateRepository()
        self.shelf = like.shelf if like else Shelf()
        self.trust_in = like.trust_in if like else folder / "trust"
        self.storage = storage
        self.source, self.fleet = Source(), Fleet()
        self.waves: Waves | None = None
        """Asked in place of ``source``, after ``by_waves``."""
        self.generations = Generations(folder / "models", storage)
        self.journal = Journal(folder / "ota", storage)
        self.factory = write_bundle(folder / "factory", "factory")
        if like is None:
            self.generations.install(self.factory)
        self.voice = Voice(lambda: self.current)
        self.facts = Facts(device_class=device_class, memory_mb=8000, app="0.1.0")
        self.lock_file = folder / "hold"
        self.restart()

    @property
    def stage(self) -> Stage | None:
        """Of the update that goes on, or of the last."""
        update = self.journal.read().update
        return update.stage if update else None

    @property
    def current(self) -> str:
        found = self.generations.current()
        return found.name if found else ""

    @property
    def content(self) -> bytes:
        """What serves, by its bundle's only word."""
        return (self.folder / "models" / "gen" / self.voice.serving / "voice.bin").read_bytes()

    def publish(self, marker: str, counter: int, **changes: object) -> str:
        """A signed release of a tiny bundle; its target."""
        target = self.prepare(marker, counter, **changes)
        self.repository.publish(self.device_class)
        return target

    def prepare(self, marker: str, counter: int, **changes: object) -> str:
        """As ``publish``, but it is to be signed with what is published next."""
        bundle = write_bundle(self.folder / f"bundle-{marker}", marker)
        self.shelf.add(bundle)
        contents = [c.model_dump(mode="json") for c in release_of(bundle).contents]
        name = f"1.{counter}"
        Bundle.open(bundle)
        return self.repository.release(
            self.device_class, name, counter, contents=contents, **changes
        )

    def roll_out(self, counter: int, **changes: object) -> None:
        """Sign that a release is rolled out."""
        self.repository.rollout(self.device_class, f"1.{counter}", counter, **changes)
        self.repository.publish("rollout")

    def by_waves(self) -> None:
        """From now on nobody says what to install but the signed roll-out."""
        self.waves = Waves(
            "box-1",
            lambda: self.trusted.rollout(),
            lambda: self.trusted.running(),
            lambda: self.repository.now,
        )
        self.restart()

    def want(self, target: str, action: str = "one", **how: object) -> None:
        self.source.wanted = Assignment(action, target, **how)  # type: ignore[arg-type]

    def restart(self) -> None:
        """The updater begins again with what is on disk."""
        device = Device(self.trust_in, self.repository)
        trust = device.trust()
        self.trusted = Trusted(trust, lambda: nullcontext(trust), self.device_class)
        self.agent = Agent(self._parts())
        self.agent.resume()

    def tick(self) -> Ledger:
        ledger = self.agent.tick()
        self.clock.now += 1
        return ledger

    def run(self, ticks: int = 60) -> Ledger:
        """Ask the source, then go on until an update has ended, or nothing has begun."""
        self.agent.poll_soon(0)
        for _ in range(ticks):
            ledger = self.tick()
            if ledger.active is None and not ledger.unsent:
                break
        return self.tick()

    def _parts(self) -> Parts:
        return Parts(
            journal=self.journal,
            worker=self._worker,
            source=self.waves or self.source,
            rollouts=self.trusted,
            generations=self.generations,
            voice=self.voice,
            fleet=self.fleet,
            device_class=self.device_class,
            deferral=self.folder / "ota" / "deferral.json",
            lock_file=self.lock_file,
            hours=Hours(),
            poll_s=lambda: 10.0,
            clock=lambda: self.clock.now,
            local=self.clock.local,
            chance=lambda: 0.5,
        )

    def means(self, agent: Agent) -> Means:
        """What the effects of an agent work with."""
        return Means(
            facts=self.facts,
            device_id="box-1",
            trusted=self.trusted,
            accepted=AcceptedRelease(self.folder / "ota", self.storage),
            generations=self.generations,
            fetch=self._fetch,
            voice=self.voice,
            plans=self.folder / "plans",
            first=lambda: self.factory,
            waiting=agent.waiting,
            assigned=agent.assigned,
            reachable=lambda: not self.shelf.empty or self.fleet.connected,
            proved=agent.proved,
            soaked=agent.soaked,
            clock=lambda: self.clock.now,
        )

    def _worker(self, agent: Agent) -> AtOnce:
        return AtOnce(Effects(self.means(agent)), self.clock)

    def _fetch(
        self, update: Update, release: Release, cancel: Cancel, arrived: Callable[[int], None]
    ) -> None:
        fetch_release(release, self.generations.store, self.shelf)
