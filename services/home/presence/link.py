"""Linnet on the broker: announces itself, tells what changed, obeys.

One thread of its own looks at the appliance ten times a second and does everything in turn, so
that a state is told only once it is true. It announces itself anew on each connection and when
Home Assistant says that it has started; the last will says that it is gone.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import Protocol

from services.home.broker import BrokerAddress, BrokerError, BrokerLink, LinkState, Message
from services.home.presence import commands
from services.home.presence.commands import Command, Refused
from services.home.presence.entities import Place, Seen, announcement, states

log = logging.getLogger(__name__)

TICK_S = 0.1
MAX_WAITING = 100
"""Commands that may wait; more are dropped."""


class Appliance(Protocol):
    """What is shown and commanded; called from presence's thread alone."""

    def seen(self) -> Seen:
        """How it is now; quick."""

    def obey(self, command: Command) -> None:
        """Begin to do it; quick. ``seen`` tells when it is done."""


class Presence:
    """Start it once; ``stop`` says farewell."""

    def __init__(self, address: BrokerAddress, place: Place, appliance: Appliance) -> None:
        self._place, self._appliance = place, appliance
        self._news: queue.Queue[Message] = queue.Queue(MAX_WAITING)
        self._due = threading.Event()
        """An announcement is wanted."""
        self._told: dict[str, bytes] = {}
        self._has_update = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._link = BrokerLink(
            address,
            self._take,
            self._link_changed,
            name=place.object_id,
            status_topic=place.availability,
        )
        self._commands = frozenset(commands.filters(place))
        self._link.subscribe([*self._commands, place.birth])

    def start(self) -> None:
        """Connect in the background; works without a broker."""
        self._thread.start()
        self._link.start()

    def stop(self) -> None:
        """Say ``offline`` and end the threads."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._link.stop()

    def __enter__(self) -> Presence:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- the connection's thread -----------------------------------------------------------------

    def _take(self, message: Message) -> None:
        if message.topic == self._place.birth:
            if message.payload == b"online":
                self._due.set()
            return
        if message.topic not in self._commands:
            return  # a broker may send more than was asked for
        try:
            self._news.put_nowait(message)
        except queue.Full:
            log.warning("too many commands at once: one is dropped")

    def _link_changed(self, state: LinkState) -> None:
        if state is LinkState.CONNECTED:
            self._due.set()

    # --- presence's own thread -------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                news = self._news.get(timeout=TICK_S)
            except queue.Empty:
                news = None
            if news is not None:
                self._obey(news)
            try:
                self._tell()
            except BrokerError as error:
                self._due.set()
                log.debug("presence is told again on the next connection: %s", error)

    def _obey(self, message: Message) -> None:
        command = commands.read(
            self._place, message.topic, message.payload, retained=message.retained
        )
        if isinstance(command, Refused):
            log.warning("refused a command", extra={"what": command.what, "reason": command.why})
            # Whoever sent it may show what it asked for: say again how it really is.
            self._told.pop(message.topic.removesuffix("/set"), None)
        else:
            self._appliance.obey(command)

    def _tell(self) -> None:
        if not self._link.connected:
            return
        seen = self._appliance.seen()
        has_update = seen.update is not None
        if self._due.is_set() or has_update != self._has_update:
            self._due.clear()
            self._told.clear()
            body = announcement(self._place, has_update=has_update)
            self._link.publish_state(self._place.config, body)
            self._has_update = has_update
        for topic, payload in states(self._place, seen).items():
            if self._told.get(topic) != payload:
                self._link.publish_state(topic, payload)
                self._told[topic] = payload
