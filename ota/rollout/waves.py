"""Signed waves: who may install when, computed on the device, with no server but static files.

A device's bucket depends on the release, so that the same homes do not always go first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from ota.rollout.rollout import BUCKETS, Rollout
from ota.rollout.source import Assignment, Report

NotYet = Literal[
    "not vouched for", "too old", "paused", "another release", "needs a newer Linnet", "wave"
]


def bucket(device_id: str, release: str) -> int:
    """Place of a device in a release's roll-out, 0..2047, even over devices."""
    digest = hashlib.sha256(f"{device_id}{release}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % BUCKETS


def open_buckets(rollout: Rollout, now: datetime) -> int:
    """Buckets below this one may install now: 0 = nobody, 2048 = all."""
    opened = (wave.until_bucket for wave in rollout.waves if wave.start <= now)
    return max(opened, default=0)


def leads_on(rollout: Rollout, running: int) -> bool:
    """Whether waves lead from the release of a counter to another one, now or later."""
    if rollout.paused or not rollout.waves or running == rollout.counter:
        return False
    return running < rollout.counter or rollout.downgrade_to == rollout.counter


@dataclass(frozen=True)
class Standing:
    """What a device knows when it asks whether to install a release."""

    device_id: str
    release: str
    counter: int
    floor: int
    """The lowest counter it may install without a signed downgrade."""
    vouched: bool
    """TUF vouches for the release, for this device's class."""
    now: datetime
    app_fits: bool = True
    """The running Linnet is no older than the roll-out's ``minimum_app``."""


def not_yet(assignment: Assignment, rollout: Rollout | None, standing: Standing) -> NotYet | None:
    """Why an assigned release must not be installed now; None where it may.

    May = TUF vouches ∧ (counter ≥ floor ∨ a signed downgrade to it) ∧ ¬paused ∧ (its wave is open
    ∨ a human forced it). A roll-out without waves leaves the pace to who assigned.
    """
    if not standing.vouched:
        return "not vouched for"
    back = rollout.downgrade_to if rollout else None
    if standing.counter < standing.floor and standing.counter != back:
        return "too old"
    if rollout is None:
        return None
    if rollout.paused:
        return "paused"
    if not standing.app_fits:
        return "needs a newer Linnet"
    return None if assignment.forced else _held_by_waves(rollout, standing)


def _held_by_waves(rollout: Rollout, standing: Standing) -> NotYet | None:
    if not rollout.waves:
        return None
    if standing.release != rollout.release:
        return "another release"
    place = bucket(standing.device_id, standing.release)
    return None if place < open_buckets(rollout, standing.now) else "wave"


class Waves:
    """The source that needs no server: the signed roll-out assigns its own release.

    It hears no reports: devices tell their standing over MQTT, where there is a broker.
    """

    def __init__(
        self,
        device_id: str,
        rollout: Callable[[], Rollout | None],
        running: Callable[[], int | None],
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """
        Args:
            rollout: the newest trusted roll-out of this device's class (``Trust.rollout``).
            running: counter of the release that runs; None before the first.
        """
        self._device_id, self._rollout, self._running = device_id, rollout, running
        self._now = now

    def poll(self) -> Assignment | None:
        """The roll-out's release, once this device's wave is open and it is not running yet."""
        rollout = self._rollout()
        if rollout is None or not leads_on(rollout, self._running() or 0):
            return None
        if bucket(self._device_id, rollout.release) >= open_buckets(rollout, self._now()):
            return None
        return Assignment(action=f"waves-{rollout.counter}", target=rollout.target)

    def report(self, report: Report) -> None:
        """Nobody listens."""
