"""A roll-out to a whole fleet, played in seconds: how many devices does a bad release reach?

Devices are random numbers; the waves, the gate and the stop are the code that runs in production
(``ota.rollout.guard``, ``ota.rollout.waves``). Time goes in steps of ten minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from ota.rollout.guard import Limits, Pause, Tally, carried_out, decide, first_wave
from ota.rollout.rollout import BUCKETS, DEFAULT_WAVES, Plan, Rollout, default_waves
from ota.rollout.waves import open_buckets

STEP = timedelta(minutes=10)
HORIZON = timedelta(days=14)
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
_NEVER = timedelta(days=3650)
_STEPS = HORIZON // STEP


@dataclass(frozen=True)
class Policy:
    """One way to run a roll-out."""

    limits: Limits
    gated: bool
    stopped_by_hand: timedelta | None = None
    """When a person stops a bad release, where nothing else does."""
    plan: Plan = DEFAULT_WAVES


POLICIES: Mapping[str, Policy] = {
    "open": Policy(
        Limits(errors=1, early=1, silent=1, silent_after=_NEVER), False, timedelta(hours=30)
    ),
    "errors": Policy(Limits(silent=1, silent_after=_NEVER), False),
    "silence": Policy(Limits(), False),
    "gated": Policy(Limits(), True),
    "no-canaries": Policy(Limits(), True, plan=DEFAULT_WAVES[1:]),
}
"""Waves by the clock alone; stopped by reported errors; by silence, too; and gated as well. Last:
gated, but with 1 % of the fleet for a first wave."""


@dataclass(frozen=True)
class World:
    """A fleet and a release. Shares of all devices, hours."""

    devices: int = 1_000_000
    silent: float = 0.0
    """The release bricks these: they begin and are never heard again."""
    failing: float = 0.0
    """The release fails on these; they roll back and say so."""
    failing_anyway: float = 0.003
    unplugged: float = 0.002
    """Of a good release, too: failures and silence that are nobody's fault."""
    away: float = 0.07
    """Off at first, back at some hour of the first three days."""
    poll: float = 1.0
    trial: float = 1.5
    """From the assignment to the end of the soak, at least; at most twice as long."""
    seed: int = 1


@dataclass(frozen=True)
class Moment:
    """Counts at one hour of the roll-out."""

    hours: float
    exposed: int
    bricked: int


@dataclass(frozen=True)
class Outcome:
    """How it ended."""

    policy: str
    devices: int
    exposed: int
    """Devices that began to install."""
    bricked: int
    failed: int
    """Rolled back, those included that are still at it when it is stopped."""
    hours: float
    """Until it was stopped, or until everybody was done."""
    completed: bool
    stopped: str | None
    """The guard's reason."""
    course: tuple[Moment, ...] = field(repr=False, default=())


class _Fleet:
    """Devices as arrays, and when each of their reports will arrive."""

    def __init__(self, world: World) -> None:
        draw = np.random.default_rng(world.seed)
        n = world.devices
        self.bucket = draw.integers(0, BUCKETS, n, dtype=np.int16)
        fate = draw.random(n, dtype=np.float32)
        edges = np.cumsum([world.silent, world.unplugged, world.failing + world.failing_anyway])
        self.fate = np.digitize(fate, edges).astype(np.int8)  # 0 bricked, 1 unplugged, 2 fails, 3
        off = draw.random(n, dtype=np.float32) < world.away
        back = draw.integers(0, timedelta(days=3) // STEP, n, dtype=np.int16)
        self.online_from = np.where(off, back, np.int16(0))
        self.slots = max(1, round(world.poll * 6))
        slot = draw.integers(0, self.slots, n, dtype=np.int16)
        self.waiting = [np.flatnonzero(slot == one) for one in range(self.slots)]
        self.trial = (round(world.trial * 6), round(world.trial * 12) + 1)
        self.draw = draw
        self.exposed = self.bricked = self.failed = 0
        self.due: dict[str, NDArray[np.int64]] = {
            name: np.zeros(_STEPS * 2, np.int64) for name in ("succeeded", "failed", "silent")
        }

    def poll(self, step: int, opened: int, silent_after: int) -> None:
        """Those whose turn it is ask, and begin where their wave is open."""
        waiting = self.waiting[step % self.slots]
        begins = (self.bucket[waiting] < opened) & (self.online_from[waiting] <= step)
        devices = waiting[begins]
        self.waiting[step % self.slots] = waiting[~begins]
        self.exposed += len(devices)
        fate = self.fate[devices]
        self.bricked += int(np.count_nonzero(fate == 0))
        self.failed += int(np.count_nonzero(fate == 2))
        ends = step + self.draw.integers(*self.trial, len(devices))
        self._await("succeeded", ends[fate == 3])
        self._await("failed", ends[fate == 2])
        lost = int(np.count_nonzero(fate < 2))
        self._await("silent", np.full(lost, step + silent_after))

    def tally(self, step: int) -> Tally:
        """What an operator knows at a step."""
        counts = {name: int(due[: step + 1].sum()) for name, due in self.due.items()}
        return Tally(begun=self.exposed, **counts)

    def _await(self, name: str, steps: NDArray[np.int64]) -> None:
        steps = steps[steps < _STEPS * 2]
        self.due[name] += np.bincount(steps, minlength=_STEPS * 2)


def simulate(world: World, name: str = "gated") -> Outcome:
    """Roll a release out to a fleet under one of ``POLICIES``."""
    policy, fleet = POLICIES[name], _Fleet(world)
    limits = policy.limits
    rollout = Rollout(
        device_class="simulated",
        release="1.0",
        counter=1,
        waves=(first_wave if policy.gated else default_waves)(BEGIN, policy.plan),
        gated=policy.gated,
        issued=BEGIN,
    )
    stopped: str | None = None
    course, step, done = [], 0, False
    for step in range(_STEPS):
        now = BEGIN + step * STEP
        fleet.poll(step, open_buckets(rollout, now), limits.silent_after // STEP)
        tally = fleet.tally(step)
        if step % 6 == 0:
            course.append(Moment(step / 6, fleet.exposed, fleet.bricked))
        decision = decide(rollout, tally, now, limits, policy.plan)
        if isinstance(decision, Pause):
            stopped = decision.why
        else:
            stopped = _stopped_by_hand(policy, world, now)
        if stopped:
            break
        rollout = carried_out(rollout, decision, now)
        done = fleet.exposed == world.devices and _all_ended(tally, world, limits)
        if done:
            break
    course.append(Moment(step / 6, fleet.exposed, fleet.bricked))
    return Outcome(
        name, world.devices, fleet.exposed, fleet.bricked, fleet.failed,
        round(step / 6, 1), done, stopped, tuple(course),
    )  # fmt: skip


def _stopped_by_hand(policy: Policy, world: World, now: datetime) -> str | None:
    bad = world.silent + world.failing > 0
    if bad and policy.stopped_by_hand is not None and now - BEGIN >= policy.stopped_by_hand:
        return "a person noticed"
    return None


def _all_ended(tally: Tally, world: World, limits: Limits) -> bool:
    if limits.silent_after == _NEVER:  # the silent are never counted then
        return tally.executed >= 0.99 * (1 - world.silent) * world.devices
    return tally.executed == world.devices
