"""The devices on one broker, followed live: announcements, states, and waiting for proof.

Threads: messages arrive on the connection's thread; one condition guards the registry and the
confirmations, and callers wait on it.

Limits: what a device removed while we were away stays known until its topic says otherwise.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from services.home.broker import BrokerAddress, BrokerError, BrokerLink, LinkState, Message
from services.home.commands import Command
from services.home.confirm import Confirmation
from services.home.discovery import Announcement, DiscoveryError
from services.home.entities import Entity, Registry
from services.home.home_map import HomeMap
from services.home.presence.identity import is_appliance
from services.home.sources import Sources
from services.language.homeview import HomeView
from services.language.outcome import DeviceResult, Status

log = logging.getLogger(__name__)

PROBLEMS_TOLD = 10
"""Faults of one announcement that are logged; a hub may have hundreds of parts."""


class Devices:
    """What lives on the broker; see ``executor.Home`` for calls."""

    def __init__(
        self,
        address: BrokerAddress,
        *,
        prefix: str,
        clock: Callable[[], float],
        confirmed: Callable[[int, str], None],
        status_topic: str | None,
        ask_to_announce: bool,
        home_map: HomeMap,
        zigbee2mqtt: Sequence[str] = ("zigbee2mqtt",),
    ) -> None:
        """
        Args:
            confirmed: told the turn and entity of each wish met, on the connection's thread.
            home_map: the owner's word on rooms, floors and names.
            zigbee2mqtt: base topics of the zigbee2mqtt bridges.
        """
        self._prefix, self._clock, self._confirmed = prefix, clock, confirmed
        self._ask_to_announce = ask_to_announce
        self._changed = threading.Condition()
        self._registry = Registry(home_map)
        self._sources = Sources(prefix, zigbee2mqtt)
        self._confirmations: list[tuple[int, Confirmation]] = []
        self._last_news_s = time.monotonic()
        self._stopping = threading.Event()
        self._link = BrokerLink(
            address,
            self._received,
            self._link_changed,
            status_topic=status_topic,
            large=self._sources.large,
            on_answered=self._answered,
        )
        self._link.subscribe(self._sources.filters)

    def start(self) -> None:
        self._link.start()

    def stop(self) -> None:
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._link.stop()

    @property
    def connected(self) -> bool:
        return self._link.connected

    def wait_connected(self, timeout_s: float) -> None:
        self._link.wait_connected(timeout_s)

    def wait_quiet(self, timeout_s: float, quiet_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self._stopping.is_set():
            if self.connected and time.monotonic() - self._last_news_s >= quiet_s:
                return True
            self._stopping.wait(0.02)
        return False

    def view(self, here: str | None) -> HomeView:
        with self._changed:
            return self._registry.view(here)

    def snapshot(self) -> tuple[Entity, ...]:
        with self._changed:
            return self._registry.snapshot()

    # --- commands ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def confirmation(self, turn_id: int) -> Iterator[Confirmation]:
        """A confirmation that hears every device until the block ends."""
        entry = (turn_id, Confirmation())
        with self._changed:
            self._confirmations.append(entry)
        try:
            yield entry[1]
        finally:
            with self._changed:
                self._confirmations.remove(entry)

    def send(self, entity: Entity, sending: Command, confirmation: Confirmation) -> None:
        """Publish a command and expect its wish. Raises as ``BrokerLink.publish``."""
        with self._changed:
            confirmation.expect(entity, sending.wish, (topic for topic, _ in sending.messages))
        for topic, payload in sending.messages:
            self._link.publish(topic, payload)

    def settle(self, entity: Entity, status: Status, confirmation: Confirmation) -> None:
        with self._changed:
            confirmation.settle(entity, status)

    def results(self, confirmation: Confirmation, timeout_s: float) -> tuple[DeviceResult, ...]:
        """Wait until every device has answered, time is out or the connection broke."""
        deadline_s = self._clock() + timeout_s
        with self._changed:
            # A connection that breaks now will not be back, and heard from, in time.
            while not confirmation.settled and self.connected and not self._stopping.is_set():
                left_s = deadline_s - self._clock()
                if left_s <= 0:
                    break
                self._changed.wait(left_s)
            return confirmation.results()

    # --- the connection's thread ---------------------------------------------------------------

    def _received(self, message: Message) -> None:
        if self._sources.speaks_on(message.topic):
            self._announced(message)
            return
        done: list[tuple[int, str]] = []
        with self._changed:
            now_s = self._clock()
            for entity in self._registry.hear(message.topic, message.payload, now_s):
                self._last_news_s = time.monotonic()
                # What the broker remembers was said before the command.
                waiting = () if message.retained else self._confirmations
                done += [
                    (turn_id, entity.entity_id)
                    for turn_id, confirmation in waiting
                    if confirmation.heard(entity, message.topic, now_s)
                ]
            self._changed.notify_all()
        for turn_id, entity_id in done:
            self._confirmed(turn_id, entity_id)

    def _answered(self, topic: str, allowed: bool) -> None:
        with self._changed:
            for _, confirmation in self._confirmations:
                confirmation.answered(topic, allowed)
            self._changed.notify_all()

    def _announced(self, message: Message) -> None:
        if is_appliance(message.topic, self._prefix):
            return
        try:
            announcements = self._sources.read(message.topic, message.payload)
        except DiscoveryError as error:
            log.warning("ignored the announcement on %.200r: %s", message.topic, error)
            return
        for announcement in announcements:
            for problem in announcement.problems[:PROBLEMS_TOLD]:
                log.warning("ignored a part announced on %.200r: %s", message.topic, problem)
            with self._changed:
                change = self._registry.apply(announcement)
                self._last_news_s = time.monotonic()
            self._link.unsubscribe(sorted(change.gone))
            self._link.subscribe(sorted(change.fresh))
            self._ask(announcement)

    def _ask(self, announcement: Announcement) -> None:
        """After subscribing: the answers are not retained."""
        for topic, payload in announcement.questions:
            try:
                self._link.publish(topic, payload)
            except BrokerError as error:
                log.debug("a device was not asked for its state: %s", error)

    def _link_changed(self, state: LinkState) -> None:
        with self._changed:
            self._last_news_s = time.monotonic()
            if state is not LinkState.CONNECTED:
                self._registry.forget_states()
            self._changed.notify_all()
        if state is LinkState.CONNECTED and self._ask_to_announce:
            try:
                self._link.publish(f"{self._prefix}/status", b"online")
            except BrokerError as error:
                log.debug("devices were not asked to announce themselves: %s", error)
