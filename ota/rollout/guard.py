"""When to open the next wave of a roll-out and when to stop it: one decision, fed with counts.

A device that began and fell silent counts as failed: a bricked device reports nothing. The next
wave opens only after the silence of the one before would have been noticed. The simulation runs
this very code.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ota.rollout.rollout import DEFAULT_WAVES, Plan, Rollout, Wave, default_waves


@dataclass(frozen=True)
class Limits:
    """What a roll-out may cost before it stops, and how long a wave is watched."""

    errors: float = 0.05
    """Share of the executed that may have failed, the silent among them."""
    silent: float = 0.01
    """Share of the executed that may have fallen silent."""
    least_executed: int = 50
    """Below this many, shares say little, and ``early`` holds where it is the larger one."""
    early: float = 0.25
    """Share of fewer than ``least_executed`` that may have failed or fallen silent."""
    least_bad: int = 3
    """Fewer than this many stop nothing: somebody always pulls a plug."""
    silent_after: timedelta = timedelta(hours=6)
    """Must be at least twice the poll interval of the devices."""
    settle: timedelta = timedelta(hours=14)
    """How long a wave is watched before the next: a poll (6 h), the trial, ``silent_after``."""
    settled: float = 0.9
    """Share of the begun that must have ended, too: some wait for a quiet night."""


@dataclass(frozen=True)
class Tally:
    """How the devices of one roll-out stand, all waves together."""

    begun: int = 0
    """Took the assignment up; the four below are among them."""
    succeeded: int = 0
    failed: int = 0
    """Rolled back or gave up, and said so."""
    silent: int = 0
    """Began, did not end, and were not heard for ``silent_after``."""
    cancelled: int = 0
    """Force-cancelled while silent: no server counts them, so we do, as silent."""

    @property
    def lost(self) -> int:
        return self.silent + self.cancelled

    @property
    def executed(self) -> int:
        return self.succeeded + self.failed + self.lost


@dataclass(frozen=True)
class Wait:
    """Nothing to change now."""

    why: str


@dataclass(frozen=True)
class Open:
    """Let the buckets below this one install, too."""

    until_bucket: int


@dataclass(frozen=True)
class Pause:
    """Stop it, in the control plane and in the signed roll-out."""

    why: str


Decision = Wait | Open | Pause


def decide(
    rollout: Rollout,
    tally: Tally,
    now: datetime,
    limits: Limits = Limits(),
    plan: Plan = DEFAULT_WAVES,
) -> Decision:
    """What to do about a roll-out that so many devices took up.

    A roll-out that was published with all its waves is only ever paused; one that was signed as
    ``gated`` gets the next wave of ``plan`` when the one before has settled.
    """
    if rollout.paused:
        return Wait("paused")
    why = fault(tally, limits)
    if why is not None:
        return Pause(why)
    if not rollout.waves:
        return Wait("paced by the control plane")
    if not rollout.gated:
        return Wait("its waves are all signed")
    upcoming = _next_wave(rollout, plan)
    if upcoming is None:
        return Wait("every wave is open")
    last = rollout.waves[-1]
    if now < max(upcoming.start, last.start + limits.settle):
        return Wait("the last wave is being watched")
    if tally.executed < limits.settled * tally.begun:
        return Wait(f"{tally.begun - tally.executed} of {tally.begun} are still at it")
    return Open(upcoming.until_bucket)


def fault(tally: Tally, limits: Limits) -> str | None:
    """Why a roll-out must stop; None where it need not."""
    executed, bad = tally.executed, tally.failed + tally.lost
    few = executed < limits.least_executed
    least = limits.early if few else 0.0
    of = f"the first {executed}" if few else f"{executed}"
    if tally.lost >= limits.least_bad and tally.lost > max(least, limits.silent) * executed:
        return f"{tally.lost} of {of} fell silent"
    if bad >= limits.least_bad and bad > max(least, limits.errors) * executed:
        return f"{bad} of {of} failed"
    return None


def carried_out(rollout: Rollout, decision: Decision, now: datetime) -> Rollout:
    """The roll-out to sign and publish after a decision; the same object where nothing changes."""
    if isinstance(decision, Pause):
        return rollout.model_copy(update={"paused": True, "issued": now})
    if isinstance(decision, Open):
        wave = Wave(until_bucket=decision.until_bucket, start=now)
        return rollout.model_copy(update={"waves": (*rollout.waves, wave), "issued": now})
    return rollout


def first_wave(begin: datetime, plan: Plan = DEFAULT_WAVES) -> tuple[Wave, ...]:
    """The waves to publish at first in a roll-out that is signed as ``gated``."""
    return default_waves(begin, plan)[:1]


def _next_wave(rollout: Rollout, plan: Plan) -> Wave | None:
    planned = default_waves(rollout.waves[0].start, plan)
    reached = rollout.waves[-1].until_bucket
    return next((wave for wave in planned if wave.until_bucket > reached), None)
