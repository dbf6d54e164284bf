"""What each stage of an update does. Every effect may be begun again after a death at any line."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Protocol

from ota.deferral import Box
from ota.errors import OtaError, Reason
from ota.fetching import cost, plan_fetch
from ota.generations import Generations
from ota.machine import Effect, Outcome, Result, Update
from ota.release import Facts, Gate, Release, numbers
from ota.rollout.source import Assignment
from ota.rollout.waves import Standing, not_yet
from services.local_socket import SocketError
from services.ota_agent.plans import awaited
from services.ota_agent.soaking import Soak
from services.ota_agent.trusted import AcceptedRelease, Trusted
from services.ota_agent.work import Cancel
from services.voice.trial.words import Proof, VoiceState

log = logging.getLogger(__name__)

LOOK_S = 1.0
QUIET_LOOK_S = 5.0
HOLD_S = 60.0
BUILD_LOOK_S = 10.0
GONE_S = 30.0
"""Silence of the voice daemon that means more than a restart of it."""
DONE = Result(Outcome.DONE)


class Voice(Protocol):
    """The voice daemon; ``SocketError`` where nobody answers."""

    def look(self) -> VoiceState: ...
    def prove(self, generation: str, gate: Gate) -> VoiceState: ...
    def serve(self, generation: str) -> VoiceState: ...


Fetch = Callable[[Update, Release, Cancel, Callable[[int], None]], None]
"""Brings a release's contents into the store; tells of bytes as they arrive."""


@dataclass(frozen=True)
class Means:
    """All that effects work with."""

    facts: Facts
    device_id: str
    trusted: Trusted
    accepted: AcceptedRelease
    generations: Generations
    fetch: Fetch
    voice: Voice
    plans: Path | None
    """Directory of plans, where engines are built for this device's GPU."""
    first: Callable[[], Path]
    """The bundle that serves where no generation is installed yet."""
    waiting: Callable[[Update, Box], str | None]
    """Why it must wait at this moment, by the hour and whoever defers."""
    assigned: Callable[[Update], Assignment | None]
    """What the source says of this update now; None: nothing any more."""
    reachable: Callable[[], bool]
    """Whether update server or broker can be reached: else no later release could come."""
    proved: Callable[[Update, Proof], None] = lambda update, proof: None
    fetched: Callable[[int, int], None] = lambda done, total: None
    soaked: Callable[[Update, float], None] = lambda update, seconds: None
    """Keeps how long the soak has lasted."""
    clock: Callable[[], float] = time.monotonic


class Effects:
    """``do`` is what a ``ThreadedWorker`` runs."""

    def __init__(self, means: Means) -> None:
        self._m = means
        self._table = {
            Effect.JUDGE: self._judge,
            Effect.FETCH: self._fetch,
            Effect.STAGE: self._stage,
            Effect.HOLD: self._hold,
            Effect.AWAIT_QUIET: self._await_quiet,
            Effect.PROVE: self._prove,
            Effect.SWITCH: self._switch,
            Effect.SOAK: self._soak,
            Effect.GO_BACK: self._go_back,
        }

    def do(self, effect: Effect, update: Update, cancel: Cancel) -> Result:
        """Raises OtaError, SocketError, OSError, Stopped."""
        return self._table[effect](update, cancel)

    def _judge(self, update: Update, cancel: Cancel) -> Result:
        release = self._m.trusted.at(update.stick).vouch(update.target).release
        misfit = release.misfit(self._m.facts)
        if misfit is not None:
            return Result(Outcome.FAILED, Reason.MISFIT, misfit)
        self._m.accepted.keep(release)
        known: dict[str, str | int]
        known = {"release": release.release, "counter": release.counter, "size": release.size}
        known["notes"] = release.notes
        return Result(Outcome.DONE, learnt=known)

    def _fetch(self, update: Update, cancel: Cancel) -> Result:
        generations = self._m.generations
        if generations.current() is None:
            # So that there is a way back, and a start for what both releases share.
            generations.install(self._m.first())
        release, store = self._m.accepted.read(update.target), generations.store
        needs = plan_fetch(release, store)
        total = cost(needs)
        done = sum(store.gathered((need.delta or need.content).sha256) for need in needs)

        def arrived(count: int) -> None:
            nonlocal done
            done += count
            self._m.fetched(min(done, total), total)

        arrived(0)
        self._m.fetch(update, release, cancel, arrived)
        return DONE

    def _stage(self, update: Update, cancel: Cancel) -> Result:
        generations = self._m.generations
        current, release = generations.current(), self._m.accepted.read(update.target)
        if current is None:
            return Result(Outcome.FAILED, Reason.DISK, "no generation serves; there is no way back")
        staged = generations.stage(release)
        if staged.current:  # another name of the same bundle, or another action for it
            self._m.trusted.committed(release)
            return Result(Outcome.DONE, learnt=_names(staged.path, current))
        if self._m.plans is not None:
            while missing := awaited(self._m.plans, current, staged.path):
                log.debug("engines are being built", extra={"missing": len(missing)})
                cancel.sleep(BUILD_LOOK_S)
        return Result(Outcome.DONE, learnt=_names(staged.path, current))

    def _hold(self, update: Update, cancel: Cancel) -> Result:
        while True:
            held = self._held(update)
            if held is None:
                return DONE
            log.debug("held", extra={"why": held})
            cancel.sleep(HOLD_S)

    def _held(self, update: Update) -> str | None:
        wanted = self._m.assigned(update)
        if wanted is None or wanted.install == "not yet":
            return "not to be installed yet"
        try:
            vouched = self._m.trusted.at(update.stick).vouch(update.target)
        except OtaError as error:
            return str(error)
        rollout = vouched.rollout
        fits = rollout is None or numbers(self._m.facts.app) >= numbers(rollout.minimum_app)
        standing = Standing(
            self._m.device_id,
            update.release,
            update.counter,
            vouched.floor,
            vouched=True,
            now=datetime.now(timezone.utc),
            app_fits=fits,
        )
        return not_yet(wanted, rollout, standing)

    def _await_quiet(self, update: Update, cancel: Cancel) -> Result:
        why: str | None = ""
        while True:
            found = self._why_not_now(update)
            if found is None:
                return DONE
            if found != why:
                log.info("waits", extra={"why": found})
            why = found
            cancel.sleep(QUIET_LOOK_S)

    def _why_not_now(self, update: Update) -> str | None:
        try:
            state = self._m.voice.look()
        except SocketError as error:
            return str(error)
        return self._m.waiting(update, Box(state.speaking, state.quiet_s, state.due_s))

    def _prove(self, update: Update, cancel: Cancel) -> Result:
        if not self._begun(update, cancel):
            return Result(Outcome.FAILED, Reason.CRASH, "the voice daemon begins no gate")
        last = self._m.clock()
        while True:
            cancel.sleep(LOOK_S)
            try:
                proof = self._m.voice.look().proof
            except SocketError:
                if self._m.clock() - last > GONE_S:
                    return Result(Outcome.KILLED)
                continue
            last = self._m.clock()
            if proof is None or proof.generation != update.generation:
                return Result(Outcome.KILLED)  # it died and has started again
            if proof.over:
                return self._proven(update, proof)

    def _begun(self, update: Update, cancel: Cancel) -> bool:
        """Whether a gate goes on; no release is to blame for a daemon that is just restarting, or
        that has not yet let go of another generation."""
        gate, since = self._m.accepted.read(update.target).gate, self._m.clock()
        while True:
            try:
                self._m.voice.prove(update.generation, gate)
                return True
            except SocketError as error:
                if self._m.clock() - since > 10 * GONE_S:
                    return False
                log.debug("no gate yet", extra={"reason": str(error)})
            cancel.sleep(LOOK_S)

    def _proven(self, update: Update, proof: Proof) -> Result:
        # What came on a stick needs no network, nor will what comes after it.
        if proof.reason is None and not update.stick and not self._m.reachable():
            problem = "neither update server nor broker can be reached"
            proof = proof.model_copy(update={"reason": Reason.GATE_CONTROL, "detail": problem})
        self._m.proved(update, proof)
        if proof.reason is not None:
            return Result(Outcome.FAILED, proof.reason, proof.detail)
        return DONE

    def _switch(self, update: Update, cancel: Cancel) -> Result:
        self._m.generations.switch(update.generation)
        self._m.voice.serve(update.generation)
        self._serves(update.generation, cancel)
        return DONE

    def _serves(self, generation: str, cancel: Cancel) -> None:
        """Wait until it answers; a daemon that starts anew loads what ``current`` names."""
        silent_since = self._m.clock()
        while True:
            try:
                if self._m.voice.look().serving == generation:
                    return
                silent_since = self._m.clock()
            except SocketError:
                if self._m.clock() - silent_since > GONE_S:
                    raise
            cancel.sleep(LOOK_S)

    def _soak(self, update: Update, cancel: Cancel) -> Result:
        release = self._m.accepted.read(update.target)
        soak = Soak(update.soaked_s, partial(self._m.soaked, update))
        last = self._m.clock()
        while True:
            try:
                state = self._m.voice.look()
                last = self._m.clock()
                result = _soaked(release.gate, state, update, soak.answered(last))
            except SocketError:
                result = None
                if self._m.clock() - last > 10 * GONE_S:
                    return Result(Outcome.FAILED, Reason.CRASH, "the voice daemon stays away")
            if result is not None:
                if result.outcome is Outcome.DONE:
                    self._m.trusted.committed(release)
                return result
            cancel.sleep(LOOK_S)

    def _go_back(self, update: Update, cancel: Cancel) -> Result:
        generations = self._m.generations
        current = generations.current()
        if update.previous and current is not None and current.name != update.previous:
            generations.switch(update.previous)
        try:
            self._m.voice.serve(update.previous)
            self._serves(update.previous, cancel)
        except SocketError as error:
            # It loads what ``current`` names when it comes back: the way back is laid.
            log.warning("went back without the voice daemon", extra={"reason": str(error)})
        if update.generation:
            generations.discard(update.generation)
        return DONE


def _names(staged: Path, previous: Path) -> dict[str, str | int]:
    """What is learnt of an update when its generation is there."""
    return {"generation": staged.name, "previous": previous.name}


def _soaked(gate: Gate, state: VoiceState, update: Update, seconds: float) -> Result | None:
    """What real turns say; None while they have not said enough."""
    if state.serving != update.generation:
        return Result(Outcome.FAILED, Reason.GATE_LOAD, "it does not serve any more")
    if state.failed:
        return Result(Outcome.FAILED, Reason.SOAK, f"{state.failed} turns ended in a fault")
    if state.turns >= gate.soak_turns or seconds >= gate.soak_seconds:
        return DONE
    return None
