"""The updater's loop: polls, takes assignments up, steps the update, tells of it.

One thread does all of that, once a second; effects work on threads of their own, and questions of
``linnet ota`` come in as wishes. Everything that must not be lost is in the journal.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from ota.deferral import Box, Deferral, Hours, wait_for
from ota.errors import OtaError, Reason
from ota.generations import Generations
from ota.journal import Journal
from ota.machine import (
    Ledger,
    Stage,
    Update,
    give_up,
    reject_running,
    sent,
    soaked,
)
from ota.release import Release, release_target
from ota.rollout.source import Assignment, RolloutSource
from services.local_socket import SocketError
from services.ota_agent.driver import Driver, Worker
from services.ota_agent.fleet_status import Fleet, Standing
from services.ota_agent.reporting import OWNER, Reports
from services.ota_agent.showing import shown
from services.ota_agent.taking import by_owner, by_source
from services.state_file import StateFile
from services.voice.trial.words import Proof, Tell, VoiceState

log = logging.getLogger(__name__)

TICK_S = 1.0
LOOK_S = 3.0
"""Between two looks at what the owner asks for in Home Assistant."""
RETRY_S = 300.0
"""After a question that was not answered."""
AGAIN_S = 6 * 3600.0
"""Before an update that failed by bad luck is tried again."""
JITTER = 0.1


class Voice(Protocol):
    """What the loop itself wants of the voice daemon."""

    def look(self) -> VoiceState: ...
    def serve(self, generation: str) -> VoiceState: ...
    def tell(self, told: Tell) -> VoiceState: ...


class Rollouts(Protocol):
    """What is rolled out and signed, whatever the source says of it."""

    def newest(self) -> str | None:
        """Target of the signed roll-out, fetched anew. Raises OtaError."""

    def at(self, stick: str) -> Rollouts:
        """The same of a repository that the owner has brought; itself for ``""``."""

    def offered(self) -> Release | None:
        """Where the roll-out that was seen last leads; no network."""


@dataclass(frozen=True)
class Parts:
    """What an agent is put together from."""

    journal: Journal
    worker: Callable[[Agent], Worker]
    source: RolloutSource
    rollouts: Rollouts
    generations: Generations
    voice: Voice
    fleet: Fleet
    device_class: str
    deferral: Path
    lock_file: Path
    hours: Hours
    poll_s: Callable[[], float]
    """Seconds until the next poll, as source or settings want it."""
    clock: Callable[[], float] = time.monotonic
    local: Callable[[], datetime] = lambda: datetime.now().astimezone()
    chance: Callable[[], float] = random.random


@dataclass(frozen=True)
class Wish:
    """What the owner wants now."""

    do: str
    """``check``, ``install`` or ``rollback``."""
    release: str = ""
    stick: str = ""
    """Where to install from, if not from the usual repository."""


class Agent:
    """``run`` until ``stop``; or ``tick`` by hand."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._driver = Driver(parts.journal, parts.worker(self), parts.clock)
        self._reports = Reports(parts.source, parts.clock)
        self._deferrals = StateFile(parts.deferral, Deferral)
        self._wishes: queue.Queue[Wish] = queue.Queue(16)
        self._stopping = threading.Event()
        self._poll_at = 0.0
        self._wanted: Assignment | None = None
        self._look_at = 0.0
        self._told: Tell | None = None
        """What the voice daemon has heard; None: it was not there."""
        self._last: Update | None = None
        self._going = False
        self._ended_at: float | None = None
        self._resumed = False
        self.progress: tuple[int, int] = (0, 0)
        """Bytes that are here, and all of them."""
        self.waits = ""
        """What the update waits for."""
        self.unanswered = ""
        """Why the source could not be asked last time."""
        self.undone = ""
        """Why the owner's last wish could not be done."""
        self.polled: datetime | None = None
        self.proof: Proof | None = None
        """How the last release did in the gate."""

    def run(self, beat: Callable[[], object] = lambda: None) -> None:
        """Until ``stop``. ``beat`` is called once a tick: a sign of life."""
        self.resume()
        while not self._stopping.is_set():
            try:
                self.tick()
            except OtaError as error:
                log.error("the disk refuses", extra={"reason": str(error)})
            beat()
            self._stopping.wait(TICK_S)

    def stop(self) -> None:
        self._stopping.set()

    def resume(self) -> None:
        """Once, before the first tick. Raises StoreError."""
        ledger = self._p.journal.read()
        self._resumed = ledger.active is not None
        self._going = self._resumed
        if self._resumed:
            self._driver.resume()
        elif not ledger.unsent:
            self._last = ledger.update  # told before

    def tick(self) -> Ledger:
        """Everything that is due. Raises StoreError."""
        ledger = self._obey(self._driver.tick())
        if self._going and ledger.active is None:
            self._ended_at = self._p.clock()
        if self._p.clock() >= self._poll_at:
            ledger = self._poll(ledger)
        self._going = ledger.active is not None
        ledger = self._deliver(ledger)
        self._tell(ledger)
        return ledger

    # --- for other threads -----------------------------------------------------------------------

    def wish(self, wish: Wish) -> None:
        """Do it at the next tick; ``ValueError`` when too many wait."""
        try:
            self._wishes.put_nowait(wish)
        except queue.Full:
            raise ValueError("busy; ask again") from None

    def poll_soon(self, within_s: float) -> None:
        """A nudge: ask the source again at a random moment of that time."""
        self._poll_at = min(self._poll_at, self._p.clock() + within_s * self._p.chance())

    def defer(self, seconds: float, why: str) -> Deferral:
        """Keep the wish to wait; what is kept. ``ValueError`` where it cannot be."""
        try:
            active = self._p.journal.read().active
            action = active.action if active else ""
            kept = self.deferral().asked(self._p.local().timestamp(), seconds, why, action)
            self._p.deferral.parent.mkdir(parents=True, exist_ok=True)
            self._deferrals.write(kept)
        except OSError as error:
            raise ValueError(f"cannot be kept: {error.strerror}") from error
        except OtaError as error:
            raise ValueError(f"cannot be kept: {error}") from error
        return kept

    def deferred_until(self) -> float | None:
        """Wall seconds, while a wish to wait holds."""
        kept = self.deferral()
        return kept.until if kept.holds(self._p.local().timestamp()) else None

    def deferral(self) -> Deferral:
        return self._deferrals.load() or Deferral()

    def proved(self, update: Update, proof: Proof) -> None:
        """A gate is over."""
        self.proof = proof
        self._p.fleet.gate(update, proof)

    def waiting(self, update: Update, box: Box) -> str | None:
        """Why the update has to wait now; None when it may be installed."""
        active = self._p.journal.read().active or update
        self.waits = (
            wait_for(
                box,
                install=active.install,
                hours=self._p.hours,
                local=self._p.local(),
                deferral=self.deferral(),
                locked_since=_since(self._p.lock_file),
            )
            or ""
        )
        return self.waits or None

    def soaked(self, update: Update, seconds: float) -> None:
        """Keep how long the soak has lasted; where the disk refuses, the next minute will do."""
        try:
            self._p.journal.change(lambda now: soaked(now, update.action, seconds))
        except OtaError as error:
            log.warning("the soak is not kept", extra={"reason": str(error)})

    def assigned(self, update: Update) -> Assignment | None:
        """What is wanted of this update now."""
        active = self._p.journal.read().active
        if active is not None and active.forced:
            return Assignment(active.action, active.target, active.install, active.forced)
        wanted = self._wanted
        if wanted is None and self.polled is None and active is not None:
            return Assignment(active.action, active.target, active.install, active.forced)
        return wanted if wanted is not None and wanted.action == update.action else None

    # --- the source ------------------------------------------------------------------------------

    def _poll(self, ledger: Ledger) -> Ledger:
        spread = 1 + JITTER * (2 * self._p.chance() - 1)
        self._poll_at = self._p.clock() + self._p.poll_s() * spread
        try:
            wanted = self._p.source.poll()
        except OtaError as error:
            self.unanswered = f"{error.reason.name}: {error}"
            log.warning("the source could not be asked", extra={"reason": self.unanswered[:300]})
            self._poll_at = min(self._poll_at, self._p.clock() + RETRY_S * spread)
            return ledger
        self._wanted, self.unanswered, self.polled = wanted, "", self._p.local()
        rested = self._ended_at is None or self._p.clock() >= self._ended_at + AGAIN_S
        return self._p.journal.change(lambda now: by_source(now, wanted, rested=rested))

    def _deliver(self, ledger: Ledger) -> Ledger:
        """Final reports; one that is not taken waits in the journal."""
        for final in self._reports.ends(ledger):
            ledger = self._p.journal.change(partial(sent, report=final))
        return ledger

    # --- the owner -------------------------------------------------------------------------------

    def _obey(self, ledger: Ledger) -> Ledger:
        while not self._wishes.empty():
            wish, self.undone = self._wishes.get_nowait(), ""
            try:
                ledger = self._fulfil(wish, ledger)
            except (OtaError, SocketError) as error:
                self.undone = f"{wish.do}: {error}"
                log.error("cannot be done", extra={"wish": wish.do, "reason": str(error)[:300]})
        return ledger

    def _fulfil(self, wish: Wish, ledger: Ledger) -> Ledger:
        if wish.do == "check":
            self._poll_at = 0.0
            return ledger
        if wish.do == "install":
            return self._install(wish.release, wish.stick)
        if ledger.active is not None:
            return self._p.journal.change(
                lambda now: give_up(now, Reason.CANCELLED, "by the owner")
            )
        back = self._p.generations.rollback()
        ledger = self._p.journal.change(reject_running)
        self._p.voice.serve(back.name)
        return ledger

    def _install(self, release: str, stick: str) -> Ledger:
        """The owner's word overrules waves, quiet hours and a rejection; signatures it does not."""
        target = release_target(self._p.device_class, release) if release else None
        target = target or self._p.rollouts.at(stick).newest()
        if target is None:
            self.undone = "install: there is no roll-out for this class"
            return self._p.journal.read()
        action = f"{OWNER}{int(self._p.local().timestamp())}"
        wanted = Assignment(action, target, "now", forced=True, stick=stick)
        return self._p.journal.change(lambda ledger: by_owner(ledger, wanted))

    # --- telling ---------------------------------------------------------------------------------

    def _tell(self, ledger: Ledger) -> None:
        update = ledger.update
        if update is not None and _moved(self._last, update):
            self._told_step(update)
        elif update is not None and update.stage is Stage.DOWNLOADING and self.progress[1] > 0:
            self._reports.step(update, *self.progress)
        self._last = update
        done, total = self.progress
        downloading = update is not None and update.stage is Stage.DOWNLOADING and total > 0
        share = done / total if downloading else None
        if self._p.fleet.connected:
            self._p.fleet.state(self._standing(ledger, share))
        self._show(ledger, share)

    def _standing(self, ledger: Ledger, share: float | None) -> Standing:
        current = self._p.generations.current()
        return Standing.of(ledger, current.name if current else None, share)

    def _told_step(self, update: Update) -> None:
        """A new phase, for the audit and for the source; the end goes by the journal."""
        resumed, self._resumed = self._resumed, False
        log.info(
            "update",
            extra={"stage": update.stage.value, "release": update.release}
            | ({"reason": update.reason.name, "detail": update.detail} if update.reason else {}),
        )
        self._p.fleet.event(update, resumed)
        if update.ended:
            self.waits = ""
            self._tidy()
            # Who wants quiet wants it of what comes in place of a failed or withdrawn one, too.
            if update.stage is Stage.COMMITTED and self.deferral() != Deferral():
                self._deferrals.save(Deferral())
            return
        if update.stage is Stage.ASSIGNED:
            self.progress = (0, 0)  # what is known is of the update before
        self._reports.step(update, *self.progress, resumed=resumed)

    def _tidy(self) -> None:
        """Two generations are kept, and what a download has gathered: it may be tried again."""
        try:
            self._p.generations.collect()
        except OtaError as error:
            log.warning("old generations stay", extra={"reason": str(error)[:300]})

    def _show(self, ledger: Ledger, share: float | None) -> None:
        """To the owner, by way of the voice daemon; and what the owner asks for there."""
        told = shown(ledger, self._wanted, self._p.rollouts.offered(), share)
        if self._p.clock() < self._look_at and self._told in (told, None):
            return
        try:
            state = self._p.voice.look()
            if told.latest and state.install == told.latest:
                self.wish(Wish("install", told.latest))
            if told != self._told or state.install or not state.told:
                self._p.voice.tell(told)
            self._told = told
        except (SocketError, ValueError):
            self._told = None
        self._look_at = self._p.clock() + LOOK_S  # from the end: one that hangs takes seconds


def _moved(before: Update | None, now: Update) -> bool:
    """Whether it has come to another stage, or is another update."""
    return before is None or (before.action, before.stage) != (now.action, now.stage)


def _since(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
