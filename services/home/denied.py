"""What a broker lets through and what not: which message or filter it was; a no is logged once.

The broker answers by number; here the numbers are known by their topics while they are on the way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from paho.mqtt.reasoncodes import ReasonCode

log = logging.getLogger(__name__)

MAX_EARLY = 1000
MAX_TOLD = 100
"""Topics that are told; a broker that denies everything must not fill the log."""


class Denied:
    """Messages and filters of one connection; safe from any thread."""

    def __init__(self, where: str) -> None:
        """
        Args:
            where: the broker, for the log.
        """
        self._where = where
        self._lock = threading.Lock()
        """Never held while the client is called: it calls back under locks of its own."""
        self._published: dict[int, str] = {}
        self._asked: dict[int, Sequence[str]] = {}
        self._early: dict[int, Sequence[ReasonCode]] = {}
        """Answers that came before the number was noted."""
        self._told: set[str] = set()

    def published(self, mid: int, topic: str) -> bool | None:
        """Note a message; whether it was let through, None where that is still to come.

        Every message must be noted: an answer to one that was not is kept for the next of its
        number, and numbers come round.
        """
        with self._lock:
            early = self._early.pop(mid, None)
            if early is None:
                self._published[mid] = topic
                return None
        return not self._refused("publish on", (topic,), early)

    def asked(self, mid: int | None, filters: Sequence[str]) -> None:
        """Note a subscription."""
        if mid is None:
            return
        with self._lock:
            early = self._early.pop(mid, None)
            if early is None:
                self._asked[mid] = filters
        self._refused("hear", filters, early or ())

    def acknowledged(self, mid: int, reason: ReasonCode) -> tuple[str, bool] | None:
        """The topic of a message and whether it was let through; None before it was noted."""
        with self._lock:
            topic = self._published.pop(mid, None)
            if topic is None:
                self._keep(mid, [reason])
        if topic is None:
            return None
        return topic, not self._refused("publish on", (topic,), [reason])

    def subscribed(self, mid: int, reasons: Sequence[ReasonCode]) -> None:
        with self._lock:
            filters = self._asked.pop(mid, None)
            if filters is None:
                self._keep(mid, reasons)
        self._refused("hear", filters or (), reasons)

    def forget(self) -> None:
        """A new connection: nothing is on the way any more."""
        with self._lock:
            for kept in (self._published, self._asked, self._early):
                kept.clear()

    def _keep(self, mid: int, reasons: Sequence[ReasonCode]) -> None:
        if len(self._early) < MAX_EARLY:
            self._early[mid] = reasons

    def _refused(self, what: str, topics: Sequence[str], reasons: Sequence[ReasonCode]) -> bool:
        no = [pair for pair in zip(topics, reasons, strict=False) if pair[1].is_failure]
        for topic, reason in no:
            self._tell(what, topic, reason)
        return bool(no)

    def _tell(self, what: str, topic: str, reason: ReasonCode) -> None:
        if topic in self._told or len(self._told) >= MAX_TOLD:
            return
        self._told.add(topic)
        log.warning(
            "MQTT broker %s does not let us %s %.200r: %s",
            self._where, what, topic, str(reason).lower(),
        )  # fmt: skip
