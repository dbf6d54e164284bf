"""What the fleet is told over MQTT, and its nudges. See ``ota.rollout.status`` for the payloads."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ota.errors import Reason
from ota.machine import Ledger, Update
from ota.phases import Phase
from ota.release import Facts, class_of
from ota.rollout import status
from ota.rollout.status import GateResult, Inventory, Kind, Nudge, OtaEvent, OtaState, Topics
from services.home.broker import BrokerAddress, BrokerError, BrokerLink, LinkState, Message
from services.voice.trial.words import Proof

log = logging.getLogger(__name__)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
EVENT_CHARACTERS = 128


@dataclass(frozen=True)
class Standing:
    """The device at one moment; equal ones are told once."""

    phase: Phase
    release: str | None
    counter: int | None
    generation: str | None
    wanted: str | None
    trial_left: int | None
    progress: float | None
    reason: Reason | None

    @classmethod
    def of(cls, ledger: Ledger, generation: str | None, progress: float | None) -> Standing:
        """
        Args:
            generation: what ``current`` names.
            progress: share of the bytes that are here; told in whole per cents.
        """
        update = ledger.update
        return cls(
            phase=update.stage.phase if update else Phase.IDLE,
            release=release_of(ledger.running),
            counter=ledger.running_counter or None,
            generation=generation,
            wanted=_wanted(update),
            trial_left=update.tries_left if update and not update.ended else None,
            progress=None if progress is None else round(progress, 2),
            reason=update.reason if update else None,
        )


class Fleet(Protocol):
    """Who is told."""

    def state(self, standing: Standing) -> None: ...
    def event(self, update: Update, resumed: bool) -> None: ...
    def gate(self, update: Update, proof: Proof) -> None: ...
    @property
    def connected(self) -> bool: ...


class Nobody:
    """Where the settings switch it off."""

    connected = False

    def state(self, standing: Standing) -> None:
        return None

    def event(self, update: Update, resumed: bool) -> None:
        return None

    def gate(self, update: Update, proof: Proof) -> None:
        return None


class FleetStatus:
    """Start it once; ``stop`` says farewell. What cannot be sent is told again when it can."""

    def __init__(
        self,
        address: BrokerAddress,
        topics: Topics,
        facts: Facts,
        inventory: Callable[[], tuple[int, int | None, int | None]],
        nudged: Callable[[float], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            inventory: free bytes on disk; versions of the trusted root and timestamp.
            nudged: ask the source again within so many seconds; on the connection's thread.
        """
        self._topics, self._facts = topics, facts
        self._inventory, self._nudged, self._wall = inventory, nudged, wall
        self._counts: dict[Kind, Iterator[int]] = {}
        self._boot_id = _boot_id()
        self._told: Standing | None = None
        self._due = True
        self._nudges = frozenset(topics.nudges(facts.device_class))
        self._link = BrokerLink(
            address,
            self._take,
            self._link_changed,
            name=f"ota-{topics.device}",
            status_topic=topics.of("online"),
        )
        self._link.subscribe(self._nudges)

    def start(self) -> None:
        self._link.start()

    def stop(self) -> None:
        self._link.stop()

    @property
    def connected(self) -> bool:
        return self._link.connected

    def state(self, standing: Standing) -> None:
        """Tell how it stands, if that has changed or the broker is a new one."""
        if not self.connected or (standing == self._told and not self._due):
            return
        again, self._due = self._due, False
        try:
            if again:
                free, root, timestamp = self._inventory()
                self._publish("inventory", Inventory(
                    facts=self._facts, disk_free=free, root_version=root,
                    timestamp_version=timestamp, **self._stamp("inventory"),
                ))  # fmt: skip
            self._publish("state", OtaState(**vars(standing), **self._stamp("state")))
            self._told = standing
        except BrokerError as error:
            self._due = True
            log.debug("told again on the next connection: %s", error)

    def event(self, update: Update, resumed: bool) -> None:
        """One step, for the audit; a gap in ``seq`` tells that one was lost."""
        body = OtaEvent(
            phase=update.stage.phase,
            action=update.action[:EVENT_CHARACTERS],
            wanted=_wanted(update),
            reason=update.reason,
            detail=update.detail,
            resumed=resumed,
            **self._stamp("event"),
        )
        self._try("event", body)

    def gate(self, update: Update, proof: Proof) -> None:
        body = GateResult(
            wanted=update.release,
            ok=proof.reason is None,
            reason=proof.reason,
            recognised=proof.recognised,
            seconds=proof.seconds,
            p95_ms=proof.p95_ms,
            p95_before_ms=proof.p95_before_ms,
            **self._stamp("gate"),
        )
        self._try("gate", body)

    def _stamp(self, kind: Kind) -> dict[str, Any]:
        count = self._counts.setdefault(kind, itertools.count())
        return {"ts": self._wall(), "boot_id": self._boot_id, "seq": next(count)}

    def _try(self, kind: Kind, body: OtaEvent | GateResult) -> None:
        try:
            self._publish(kind, body)
        except BrokerError as error:
            log.debug("not told: %s", error)

    def _publish(self, kind: Kind, body: OtaState | Inventory | OtaEvent | GateResult) -> None:
        send = self._link.publish_state if kind in ("state", "inventory") else self._link.publish
        send(self._topics.of(kind), body.model_dump_json(exclude_none=True).encode())

    def _take(self, message: Message) -> None:
        if message.topic not in self._nudges:
            return
        try:
            nudge = status.parse(Nudge, message.payload)
        except status.StatusError as error:
            log.warning("a nudge is not one", extra={"reason": str(error)})
            return
        self._nudged(nudge.jitter_s)

    def _link_changed(self, state: LinkState) -> None:
        if state is LinkState.CONNECTED:
            self._due = True


def release_of(target: str) -> str | None:
    """The release's name in a target path."""
    return target.split("/")[2] if class_of(target) else None


def _wanted(update: Update | None) -> str | None:
    return (update.release or release_of(update.target)) if update else None


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return "00000000"
