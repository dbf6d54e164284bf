"""A fleet's status messages, heard over MQTT into a ``FleetView``."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ota.rollout.fleet_view import MAX_DEVICES, USUAL_WAVES, FleetView, Snapshot
from ota.rollout.guard import Tally
from ota.rollout.status import class_nudge, filters
from services.home.broker import BrokerAddress, BrokerLink, Message

CONNECT_S = 10.0
QUIET_S = 1.0
"""Retained messages have all arrived once nothing has come for so long."""
LONGEST_S = 30.0
_LOOK_S = 0.05


class Watch:
    """One fleet, as its messages show it by now."""

    def __init__(self, address: BrokerAddress, tenant: str, limit: int = MAX_DEVICES) -> None:
        """Raises ValueError for a tenant that fits no topic."""
        self._filters = filters(tenant)
        self.tenant = tenant
        self._view = FleetView(tenant, limit=limit)
        self._lock = threading.Lock()
        self._last = time.monotonic()
        self._link = BrokerLink(address, self._hear, name="linnet-fleet", read_qos=0)

    @contextmanager
    def watching(self, connect_s: float = CONNECT_S) -> Iterator[Watch]:
        """Connected, with everything heard that the broker keeps. Raises BrokerError."""
        self._link.start()
        try:
            self._link.wait_connected(connect_s)
            self._link.subscribe(self._filters)
            self._settle()
            yield self
        finally:
            self._link.stop()

    @property
    def connected(self) -> bool:
        """Whether the broker is there; what was heard before may no longer be so."""
        return self._link.connected

    @property
    def beyond_limit(self) -> int:
        """Messages of more devices than are kept, which nothing counts."""
        return self._view.beyond_limit

    def snapshot(
        self,
        release: str | None = None,
        device_class: str | None = None,
        waves: Sequence[int] = USUAL_WAVES,
    ) -> Snapshot:
        """How the fleet stands now; see ``FleetView.snapshot``."""
        with self._lock:
            return self._view.snapshot(time.time(), release, device_class, waves)

    def tally(self, release: str, device_class: str | None = None) -> Tally:
        """How a roll-out stands now, as the guard counts; see ``FleetView.tally``."""
        with self._lock:
            return self._view.tally(release, time.time(), device_class)

    def knows_any(self, device_class: str) -> bool:
        """Whether any device of a class, or of none that is known, was heard."""
        with self._lock:
            return self._view.knows_any(device_class)

    def nudge(self, device_class: str, payload: bytes) -> None:
        """Tell the devices of a class to ask sooner. Raises BrokerError."""
        self._link.publish(class_nudge(self.tenant, device_class), payload)

    def _hear(self, message: Message) -> None:
        with self._lock:
            self._last = time.monotonic()
            self._view.hear(
                message.topic, message.payload, retained=message.retained, now=time.time()
            )

    def _settle(self) -> None:
        until = time.monotonic() + LONGEST_S
        with self._lock:
            self._last = time.monotonic()
        while time.monotonic() < min(until, self._last + QUIET_S):
            time.sleep(_LOOK_S)
