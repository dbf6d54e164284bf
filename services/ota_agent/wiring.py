"""From settings to a running updater: the one place that knows both."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from datetime import time as clock_time
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ota import transfer
from ota.deferral import Hours
from ota.errors import OtaError, Reason, TransferError
from ota.fetching import fetch_release
from ota.generations import Generations
from ota.journal import Journal
from ota.layout import CONTENT, Addresses
from ota.offline import OFFLINE, OfflineFetcher, OfflineSource, open_repository
from ota.phases import Phase
from ota.release import Facts, Release
from ota.rollout.source import RolloutSource
from ota.rollout.status import Topics
from ota.rollout.waves import Waves
from ota.transfer import ContentSource, HttpSource, Pace
from ota.transfer_plan import Limits
from ota.trust.client import Trust
from services.bundles import chosen_bundle
from services.home.clock import EARLIEST_S
from services.local_socket import SocketServer
from services.ota_agent import facts as machine
from services.ota_agent.agent import Agent, Parts
from services.ota_agent.desk import AgentDesk
from services.ota_agent.effects import Effects, Means
from services.ota_agent.fleet_status import Fleet, FleetStatus, Nobody
from services.ota_agent.trusted import AcceptedRelease, Trusted
from services.ota_agent.voice_link import VoiceLink
from services.ota_agent.work import Cancel, ThreadedWorker
from services.settings import Ota, Settings
from services.settings_file import Problem, SettingsError
from services.wiring import broker_address

MAX_ROOT_BYTES = 512_000
MAX_TOKEN_BYTES = 1024
LOCK_FILE = "hold"
"""Beside the updater's socket: while it is there, nothing is installed."""


def journal_of(settings: Settings) -> Journal:
    """What the updater remembers."""
    return Journal(settings.ota.directory)


@contextmanager
def open_agent(settings: Settings) -> Iterator[Agent]:
    """An agent that only has to ``run``; its socket and its connection are open inside.

    Raises:
        SettingsError: updates are not switched on, or a file that is named cannot be used.
        SocketError, OtaError: its socket, its directory.
    """
    ota, device = settings.ota, machine.facts(settings.ota)
    trusted = _trusted(ota)
    agent_of: list[Agent] = []
    fleet = _fleet(settings, device, trusted, lambda within: agent_of[0].poll_soon(within))
    journal, generations = journal_of(settings), Generations(settings.model.generations)
    source, poll_s = _source(settings, device, trusted, journal)
    parts = Parts(
        journal=journal,
        worker=lambda agent: _worker(settings, agent, device, trusted, generations, fleet),
        source=source,
        rollouts=_Rollouts(trusted),
        generations=generations,
        voice=VoiceLink(ota.voice_socket),
        fleet=fleet,
        device_class=ota.device_class,
        deferral=ota.directory / "deferral.json",
        lock_file=ota.socket.with_name(LOCK_FILE),
        hours=Hours(
            clock_time.fromisoformat(ota.quiet_begin), clock_time.fromisoformat(ota.quiet_end)
        ),
        poll_s=poll_s,
    )
    agent = Agent(parts)
    agent_of.append(agent)
    server = SocketServer(ota.socket, AgentDesk(agent, generations, journal.read).answer)
    if isinstance(fleet, FleetStatus):
        fleet.start()
    try:
        yield agent
    finally:
        server.close()
        if isinstance(fleet, FleetStatus):
            fleet.stop()


class _Rollouts:
    """See ``agent.Rollouts``."""

    def __init__(self, trusted: Trusted) -> None:
        self._trusted = trusted
        self.running = trusted.running

    def newest(self) -> str | None:
        found = self._trusted.rollout()
        return found.target if found else None


def _trusted(ota: Ota) -> Trusted:
    if ota.repository is None:
        raise _fault("repository", None, "is not set: updates are switched off")
    root, stick = _read(ota.root, "root", MAX_ROOT_BYTES), _stick(ota)
    make = partial(
        Trust,
        ota.directory / "trust",
        root,
        Addresses.under(ota.repository) if stick is None else OFFLINE,
        built=datetime.fromtimestamp(EARLIEST_S, timezone.utc),
    )
    here = make()
    if stick is None:
        return Trusted(here, lambda: nullcontext(here), ota.device_class)

    @contextmanager
    def plugged_in() -> Iterator[Trust]:
        with open_repository(stick) as repository:
            yield make(fetcher=OfflineFetcher(repository))

    return Trusted(here, plugged_in, ota.device_class)


def _source(
    settings: Settings, device: Facts, trusted: Trusted, journal: Journal
) -> tuple[RolloutSource, Callable[[], float]]:
    ota, name = settings.ota, machine.device_id(settings.ota)
    if ota.source == "waves":
        return Waves(name, trusted.rollout, trusted.running), lambda: ota.poll_s
    from ota.rollout.hawkbit import HawkbitDdi, Server

    token = None
    if ota.token_file is not None:
        token = _read(ota.token_file, "token_file", MAX_TOKEN_BYTES).decode("ascii").strip()
    try:
        server = Server(ota.hawkbit or "", name, ota.tenant, token)
    except ValueError as error:
        raise _fault("hawkbit", ota.hawkbit, str(error)) from error

    def standing(action: str) -> Phase | None:
        update = journal.read().update
        return update.stage.phase if update and update.action == action else None

    source = HawkbitDdi(server, device, standing=standing)
    return source, lambda: source.wait_s


def _worker(
    settings: Settings,
    agent: Agent,
    device: Facts,
    trusted: Trusted,
    generations: Generations,
    fleet: Fleet,
) -> ThreadedWorker:
    ota = settings.ota

    def fetched(done: int, total: int) -> None:
        agent.progress = (done, total)

    def reachable() -> bool:
        try:
            trusted.rollout()
        except OtaError:
            return fleet.connected
        return True

    means = Means(
        facts=device,
        device_id=machine.device_id(ota),
        trusted=trusted,
        accepted=AcceptedRelease(ota.directory),
        generations=generations,
        fetch=partial(_fetch, ota, generations),
        voice=VoiceLink(ota.voice_socket),
        plans=None if settings.model.backend == "onnx" else settings.model.plans,
        first=lambda: chosen_bundle(settings),
        waiting=agent.waiting,
        assigned=agent.assigned,
        reachable=reachable,
        proved=agent.proved,
        fetched=fetched,
    )
    return ThreadedWorker(Effects(means).do)


def _fetch(
    ota: Ota,
    generations: Generations,
    release: Release,
    cancel: Cancel,
    arrived: Callable[[int], None],
) -> None:
    stop = transfer.Cancel()
    cancel.on_cancel(stop.cancel)
    try:
        with _contents(ota, stop, arrived) as source:
            fetch_release(release, generations.store, source)
    except TransferError as error:
        if error.reason is Reason.CANCELLED:
            cancel.sleep(0)  # given up: there is no outcome to tell
        raise


@contextmanager
def _contents(
    ota: Ota, stop: transfer.Cancel, arrived: Callable[[int], None]
) -> Iterator[ContentSource]:
    stick = _stick(ota)
    if stick is not None:
        with open_repository(stick) as repository:
            yield OfflineSource(repository, stop)
        return
    bases = [base.rstrip("/") for base in (ota.repository or "", *ota.mirrors)]
    pace = Pace(rate=ota.rate_kb_s * 1000 or None)
    mirrors = [f"{base}/{CONTENT}" for base in bases]
    limits = Limits(budget=ota.budget_mb * 1_000_000 or None)
    yield HttpSource(mirrors, limits=limits, pace=pace, cancel=stop, on_bytes=arrived)


def _stick(ota: Ota) -> Path | None:
    """The directory or archive of a ``file://`` address."""
    address = urlsplit(ota.repository or "")
    return Path(unquote(address.path)) if address.scheme == "file" else None


def _fleet(
    settings: Settings, device: Facts, trusted: Trusted, nudged: Callable[[float], None]
) -> Fleet:
    ota = settings.ota
    if not ota.fleet_status:
        return Nobody()

    def inventory() -> tuple[int, int | None, int | None]:
        return (shutil.disk_usage(_existing(ota.directory)).free, *trusted.versions())

    topics = Topics(ota.tenant, machine.device_id(ota))
    address = broker_address(settings.mqtt)
    return FleetStatus(address, topics, device, inventory, nudged, time.time)


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.is_dir())


def _read(path: Path, key: str, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise _fault(key, str(path), error.strerror or type(error).__name__) from error
    if len(data) > limit:
        raise _fault(key, str(path), f"is larger than {limit} bytes")
    return data


def _fault(key: str, value: str | None, why: str) -> SettingsError:
    return SettingsError([Problem("settings", None, f"ota.{key}", value, why)])
