"""From settings to a running updater: the one place that knows both."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from datetime import time as clock_time
from functools import partial
from pathlib import Path

from ota.deferral import Hours
from ota.errors import OtaError
from ota.generations import Generations
from ota.journal import Journal
from ota.layout import Addresses
from ota.offline import OFFLINE, OfflineFetcher, open_repository
from ota.release import Facts
from ota.rollout.hawkbit import HawkbitDdi
from ota.rollout.source import RolloutSource
from ota.rollout.status import Topics
from ota.rollout.waves import Waves
from ota.trust.client import Trust
from services.bundles import chosen_bundle
from services.home.clock import EARLIEST_S
from services.local_socket import SocketServer
from services.ota_agent import facts as machine
from services.ota_agent.agent import Agent, Parts
from services.ota_agent.contents import fetch_contents, usual_stick
from services.ota_agent.desk import AgentDesk
from services.ota_agent.effects import Effects, Means
from services.ota_agent.files import fault, read_named
from services.ota_agent.fleet_status import Fleet, FleetStatus, Nobody
from services.ota_agent.hawkbit import hawkbit_client
from services.ota_agent.trusted import AcceptedRelease, Trusted
from services.ota_agent.voice_link import VoiceLink
from services.ota_agent.work import ThreadedWorker
from services.settings import Ota, Settings
from services.settings_file import Problem, SettingsError
from services.wiring import broker_address

MAX_ROOT_BYTES = 512_000
LOCK_FILE = "hold"
"""Beside the updater's socket: while it is there, nothing is installed."""


def journal_of(settings: Settings) -> Journal:
    """What the updater remembers."""
    return Journal(settings.ota.directory)


@dataclass(frozen=True)
class _Made:
    """What is made once and shared by the agent's parts."""

    settings: Settings
    name: str
    """Of this device."""
    facts: Facts
    trusted: Trusted
    journal: Journal
    generations: Generations
    voice: VoiceLink
    fleet: Fleet
    source: RolloutSource

    @property
    def ota(self) -> Ota:
        return self.settings.ota


@contextmanager
def open_agent(settings: Settings) -> Iterator[Agent]:
    """An agent that only has to ``run``; its socket and its connection are open inside.

    Raises:
        SettingsError: updates are not switched on, would change nothing, or a file that is named
            cannot be used.
        SocketError, OtaError: its socket, its directory.
    """
    _refuse_a_named_bundle(settings)
    agent_of: list[Agent] = []
    made = _made(settings, lambda within: agent_of[0].poll_soon(within))
    agent = Agent(_parts(made))
    agent_of.append(agent)
    desk = AgentDesk(agent, made.generations, made.journal.read, partial(_consent, made.source))
    server = SocketServer(settings.ota.socket, desk.answer)
    if isinstance(made.fleet, FleetStatus):
        made.fleet.start()
    try:
        yield agent
    finally:
        server.close()
        if isinstance(made.fleet, FleetStatus):
            made.fleet.stop()


def _refuse_a_named_bundle(settings: Settings) -> None:
    """A bundle that is named goes before the installed one: after the next start of the voice
    daemon it would serve again, whatever had been committed."""
    named = settings.model.bundle
    if named is not None:
        why = "no update would last; run `linnet bundle install` on it and leave `bundle` unset"
        raise SettingsError([Problem("settings", None, "model.bundle", str(named), why)])


def _made(settings: Settings, nudged: Callable[[float], None]) -> _Made:
    ota = settings.ota
    name, facts, trusted = machine.device_id(ota), machine.facts(ota), _trusted(ota)
    journal = journal_of(settings)
    return _Made(
        settings=settings,
        name=name,
        facts=facts,
        trusted=trusted,
        journal=journal,
        generations=Generations(settings.model.generations),
        voice=VoiceLink(ota.voice_socket),
        fleet=_fleet(settings, name, facts, trusted, nudged),
        source=(
            hawkbit_client(ota, name, facts, journal)
            if ota.source == "hawkbit"
            else Waves(name, trusted.rollout, trusted.running)
        ),
    )


def _parts(made: _Made) -> Parts:
    ota = made.ota
    return Parts(
        journal=made.journal,
        worker=partial(_worker, made),
        source=made.source,
        rollouts=made.trusted,
        generations=made.generations,
        voice=made.voice,
        fleet=made.fleet,
        device_class=ota.device_class,
        deferral=ota.directory / "deferral.json",
        lock_file=ota.socket.with_name(LOCK_FILE),
        hours=Hours(
            clock_time.fromisoformat(ota.quiet_begin), clock_time.fromisoformat(ota.quiet_end)
        ),
        poll_s=partial(_poll_s, made),
    )


def _trusted(ota: Ota) -> Trusted:
    if ota.repository is None:
        raise fault("repository", None, "is not set: updates are switched off")
    make = partial(
        Trust,
        ota.directory / "trust",
        read_named(ota.root, "root", MAX_ROOT_BYTES),
        built=datetime.fromtimestamp(EARLIEST_S, timezone.utc),
    )
    here = make(Addresses.under(ota.repository))

    @contextmanager
    def on_stick(path: Path) -> Iterator[Trust]:
        with open_repository(path) as repository:
            yield make(OFFLINE, fetcher=OfflineFetcher(repository))

    stick = usual_stick(ota)
    reaching = (lambda: nullcontext(here)) if stick is None else partial(on_stick, stick)
    return Trusted(here, reaching, ota.device_class, on_stick)


def _poll_s(made: _Made) -> float:
    return made.source.wait_s if isinstance(made.source, HawkbitDdi) else made.ota.poll_s


def _consent(source: RolloutSource) -> str | None:
    return source.asked if isinstance(source, HawkbitDdi) else None


def _worker(made: _Made, agent: Agent) -> ThreadedWorker:
    settings = made.settings

    def fetched(done: int, total: int) -> None:
        agent.progress = (done, total)

    means = Means(
        facts=made.facts,
        device_id=made.name,
        trusted=made.trusted,
        accepted=AcceptedRelease(made.ota.directory),
        generations=made.generations,
        fetch=partial(fetch_contents, made.ota, made.generations.store),
        voice=made.voice,
        plans=None if settings.model.backend == "onnx" else settings.model.plans,
        first=lambda: chosen_bundle(settings),
        waiting=agent.waiting,
        assigned=agent.assigned,
        reachable=partial(_reachable, made),
        proved=agent.proved,
        fetched=fetched,
        soaked=agent.soaked,
    )
    return ThreadedWorker(Effects(means).do)


def _reachable(made: _Made) -> bool:
    if usual_stick(made.ota) is not None:
        return True  # the next one comes on a stick too; this one may be out by now
    try:
        made.trusted.rollout()
    except OtaError:
        return made.fleet.connected
    return True


def _fleet(
    settings: Settings, name: str, device: Facts, trusted: Trusted, nudged: Callable[[float], None]
) -> Fleet:
    ota = settings.ota
    if not ota.fleet_status:
        return Nobody()

    def inventory() -> tuple[int, int | None, int | None]:
        return (shutil.disk_usage(_existing(ota.directory)).free, *trusted.versions())

    topics, address = Topics(ota.tenant, name), broker_address(settings.mqtt)
    return FleetStatus(address, topics, device, inventory, nudged, time.time)


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.is_dir())
