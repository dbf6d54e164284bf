"""One round of the guard: count, decide, sign what changes, tell the control plane."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ota.repository.errors import PublishError
from ota.repository.publisher import Publisher
from ota.repository.roles import ROLLOUT
from ota.repository.rollouts import current_rollout, revise
from ota.rollout.guard import Decision, Limits, Pause, Tally, Wait, carried_out, decide
from ota.rollout.management import HawkbitManagement
from ota.rollout.rollout import Rollout
from ota.rollout.status import Nudge
from services.fleet.watch import Watch
from services.home.broker import BrokerUnreachable


class ControlPlane(Protocol):
    """Where the counts come from, and who else has to hear of a change."""

    def tally(self, rollout: Rollout, now: datetime) -> Tally:
        """How the devices of the roll-out's class stand."""

    @property
    def uncounted(self) -> int:
        """Messages of devices that are too many to be counted."""

    @property
    def paces(self) -> bool:
        """Whether it sets the pace itself, so that the guard has no waves to open."""

    def pause(self) -> None:
        """Assign to nobody else."""

    def published(self, rollout: Rollout, now: datetime) -> None:
        """The signed roll-out says something new, or a round ended."""


class AtBroker:
    """Devices that say over MQTT how they stand; the signed roll-out alone assigns."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def tally(self, rollout: Rollout, now: datetime) -> Tally:
        if not self._watch.connected:
            # Everybody would look as online as when the line broke.
            raise BrokerUnreachable("the MQTT broker is away: nothing is known of the devices")
        if not self._watch.knows_any(rollout.device_class):
            # A wrong tenant, devices that do not tell, or a broker that forgot them: not a fleet
            # that does well.
            raise BrokerUnreachable(
                f"no {rollout.device_class} device of tenant {self._watch.tenant!r} is heard: "
                "check --tenant, and fleet_status on the devices"
            )
        return self._watch.tally(rollout.release, rollout.device_class)

    @property
    def uncounted(self) -> int:
        return self._watch.beyond_limit

    paces = False

    def pause(self) -> None:
        """Nothing beside the signed roll-out."""

    def published(self, rollout: Rollout, now: datetime) -> None:
        """Devices that ask sooner stop sooner."""
        if rollout.issued == now:
            self._watch.nudge(rollout.device_class, Nudge().model_dump_json().encode())


class AtHawkbit:
    """Devices that report to hawkBit, and one of its roll-outs."""

    def __init__(self, server: HawkbitManagement, rollout: int, limits: Limits) -> None:
        self._server, self._rollout, self._limits = server, rollout, limits

    def tally(self, rollout: Rollout, now: datetime) -> Tally:
        return self._server.tally(self._rollout, now, self._limits.silent_after)

    uncounted = 0  # hawkBit counts
    paces = True

    def pause(self) -> None:
        self._server.pause(self._rollout)

    def published(self, rollout: Rollout, now: datetime) -> None:
        """Silent devices are counted by now; hawkBit may forget them."""
        self._server.cancel_silent(self._rollout, now, self._limits.silent_after)


@dataclass(frozen=True)
class Round:
    """What a round found and did."""

    release: str
    tally: Tally
    decision: Decision
    uncounted: int = 0
    """As of ``ControlPlane``: above 0, the tally is of a part of the fleet."""


def guard_round(
    publisher: Publisher,
    device_class: str,
    plane: ControlPlane,
    limits: Limits,
    *,
    dry_run: bool = False,
) -> Round:
    """Look at a class's roll-out once.

    A pause reaches the signed roll-out first: devices that hawkBit has assigned already heed it,
    and it holds even where the control plane cannot be reached.

    Raises:
        PublishError: there is no roll-out, or the online key to change it is not here.
        TransferError, BrokerError: the control plane cannot be asked.
    """
    rollout = current_rollout(publisher, device_class)
    if rollout is None:
        raise PublishError(f"nothing is being rolled out to {device_class!r}")
    tally = plane.tally(rollout, publisher.now)
    decision = decide(rollout, tally, publisher.now, limits)
    if rollout.gated and plane.paces and not isinstance(decision, Pause):
        # Devices wait here for a wave and count there as under way: no wave would ever settle.
        decision = Wait("hawkBit sets the pace, --gated has none to wait for: roll out --nobody")
    if not dry_run:
        _act(publisher, rollout, decision, plane)
    return Round(rollout.release, tally, decision, plane.uncounted)


def _act(publisher: Publisher, rollout: Rollout, decision: Decision, plane: ControlPlane) -> None:
    now = publisher.now.replace(microsecond=0)
    with _also(plane, stop=isinstance(decision, Pause) or rollout.paused):
        if not isinstance(decision, Wait):
            rollout = carried_out(rollout, decision, now)
            outcome = revise(publisher, rollout)
            if not outcome.includes(ROLLOUT):  # a release that waits is no reason to worry
                raise PublishError(f"the roll-out is staged, not published: {ROLLOUT} has to sign")
    plane.published(rollout, now)


@contextmanager
def _also(plane: ControlPlane, *, stop: bool) -> Iterator[None]:
    """Stop the control plane too, whether or not signing works; it may have been away before."""
    try:
        yield
    finally:
        if stop:
            plane.pause()
