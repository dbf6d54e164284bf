"""The home as the voice sees it: a view, and calls carried out and proved.

``execute`` resolves a call, publishes its commands and waits until each device's own state topic
says that it is so. Threads: messages arrive on the connection's thread, ``execute`` blocks the
caller's for at most the time-out, a third rings timers; one condition guards the registry.

Limits: a device without a state topic can never be confirmed and is reported as ``timeout``. What
a device removed while we were away stays known until its topic says otherwise.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.home import discovery
from services.home.broker import (
    BrokerAddress,
    BrokerError,
    BrokerLink,
    BrokerUnreachable,
    LinkState,
    Message,
)
from services.home.commands import Command, NotCommandable, command, proving_topic
from services.home.confirm import Confirmation
from services.home.discovery import DiscoveryError
from services.home.entities import Entity, Registry
from services.home.functions import answer
from services.home.resolver import DEVICE_CALLS, resolve
from services.home.timers import Timer, Timers
from services.language.calls import Call
from services.language.homeview import HomeView
from services.language.outcome import DeviceResult, Outcome
from services.language.spoken import spoken

log = logging.getLogger(__name__)

CONFIRM_TIMEOUT_S = 1.0
TICK_S = 0.1
"""How late a timer may ring."""
STATUS_TOPIC = "linnet/status"


@dataclass(frozen=True)
class HomeEvent:
    """A step of a call, for time lines; holds no words."""

    kind: Literal["sent", "confirmed"]
    turn_id: int
    entity_id: str
    at_s: float
    """On the injected monotonic clock."""


class Home:
    """Devices found on one broker, and the functions that need none."""

    def __init__(
        self,
        address: BrokerAddress,
        *,
        here: str | None = None,
        prefix: str = discovery.PREFIX,
        timeout_s: float = CONFIRM_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = datetime.now,
        ring: Callable[[Timer], None] = lambda timer: None,
        observe: Callable[[HomeEvent], None] = lambda event: None,
        status_topic: str | None = STATUS_TOPIC,
        ask_to_announce: bool = False,
    ) -> None:
        """
        Args:
            here: the room this appliance stands in.
            timeout_s: how long devices have to confirm a command.
            ring: called on the timer thread when a timer ends.
            observe: called as commands are sent and confirmed; must be quick.
            ask_to_announce: publish Home Assistant's birth message on connect, for devices that
                do not retain their announcements. Off, because a real Home Assistant on the same
                broker says it too.
        """
        self._here, self._prefix, self._timeout_s = here, prefix, timeout_s
        self._clock, self._wall, self._observe = clock, wall, observe
        self._ask_to_announce = ask_to_announce
        self._changed = threading.Condition()
        self._registry = Registry()
        self._confirmations: list[tuple[int, Confirmation]] = []
        self._last_news_s = time.monotonic()
        self._stopping = threading.Event()
        self._ticker: threading.Thread | None = None
        self._timers = Timers(clock, ring)
        self._link = BrokerLink(
            address, self._received, self._link_changed, status_topic=status_topic
        )
        self._link.subscribe(discovery.filters(prefix))

    def start(self) -> None:
        """Connect in the background and start the timers' clock; works without a broker."""
        self._ticker = threading.Thread(target=self._tick, name="home-timers", daemon=True)
        self._ticker.start()
        self._link.start()

    def stop(self) -> None:
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._link.stop()
        if self._ticker is not None:
            self._ticker.join()

    def __enter__(self) -> Home:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def connected(self) -> bool:
        return self._link.connected

    @property
    def timers(self) -> Timers:
        return self._timers

    def wait_connected(self, timeout_s: float) -> None:
        """Raises ``BrokerRefused`` or ``BrokerUnreachable``, see ``BrokerLink``."""
        self._link.wait_connected(timeout_s)

    def wait_quiet(self, timeout_s: float, quiet_s: float = 0.3) -> bool:
        """Wait until no announcement or state has come for a while; False when time ran out.

        MQTT does not say when the last retained message has been sent; silence is the sign.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self._stopping.is_set():
            if self.connected and time.monotonic() - self._last_news_s >= quiet_s:
                return True
            self._stopping.wait(0.02)
        return False

    def view(self, here: str | None = None) -> HomeView:
        """Names, rooms and abilities of this moment; ``here`` overrides the appliance's room."""
        with self._changed:
            return self._registry.view(here or self._here)

    def entities(self) -> tuple[Entity, ...]:
        """All that is known, states included."""
        with self._changed:
            return self._registry.snapshot()

    def execute(
        self,
        call: Call,
        turn_id: int = 0,
        current: Callable[[int], bool] = lambda turn_id: True,
    ) -> Outcome:
        """Carry out a call and tell what happened; never raises for the home's faults.

        Args:
            current: whether this turn is still the current one. It is asked before anything is
                sent, and again before each device: an interrupted turn sends no more.

        Errors in the outcome: ``cancelled``, ``offline``, ``no_device``, ``no_area``,
        ``unsupported``, ``ambiguous``, ``needs_confirmation``, ``no_timer``.
        """
        if not current(turn_id):
            return Outcome(call, error="cancelled")
        answered = answer(call, self._timers, self._wall)
        if answered is not None:
            return answered
        if call.name in DEVICE_CALLS and not self.connected:
            return Outcome(call, error="offline")
        here = spoken(self._here) if self._here else None
        resolution = resolve(call, self.entities(), here)
        if resolution.refusal is not None:
            return Outcome(call, error=resolution.refusal)
        if call.name == "HassGetState":
            results = tuple(self._told(entity) for entity in resolution.targets)
            return Outcome(call, results)
        return self._command(call, resolution.targets, turn_id, current)

    # --- commands ----------------------------------------------------------------------------

    def _told(self, entity: Entity) -> DeviceResult:
        """What an entity last said, None if nothing yet, if it is there to stand behind it."""
        if not entity.available(self._clock()):
            return DeviceResult(entity.entity_id, entity.name, "unavailable")
        return DeviceResult(entity.entity_id, entity.name, "confirmed", entity.state.value)

    def _command(
        self, call: Call, targets: tuple[Entity, ...], turn_id: int, current: Callable[[int], bool]
    ) -> Outcome:
        confirmation = Confirmation()
        with self._changed:
            self._confirmations.append((turn_id, confirmation))
        try:
            error = self._send_all(call, targets, turn_id, current, confirmation)
            with self._changed:
                self._wait_settled(confirmation)
                return Outcome(call, confirmation.results(), error=error)
        finally:
            with self._changed:
                self._confirmations.remove((turn_id, confirmation))

    def _send_all(
        self,
        call: Call,
        targets: tuple[Entity, ...],
        turn_id: int,
        current: Callable[[int], bool],
        confirmation: Confirmation,
    ) -> str | None:
        """Send to each device; the error that stopped it, if any."""
        for entity in targets:
            if not current(turn_id):
                return "cancelled"
            if not entity.available(self._clock()):
                with self._changed:
                    confirmation.settle(entity, "unavailable")
                continue
            try:
                self._send(entity, command(entity, call), turn_id, confirmation)
            except BrokerUnreachable:
                self._settle(confirmation, entity, "rejected")
                return "offline"
            except (BrokerError, NotCommandable) as error:
                log.warning("%s was not commanded: %s", entity.entity_id, error)
                self._settle(confirmation, entity, "rejected")
        return None

    def _settle(
        self, confirmation: Confirmation, entity: Entity, status: Literal["rejected", "timeout"]
    ) -> None:
        with self._changed:
            confirmation.settle(entity, status)

    def _send(
        self, entity: Entity, sending: Command, turn_id: int, confirmation: Confirmation
    ) -> None:
        with self._changed:
            confirmation.expect(entity, sending.wish)
        for topic, payload in sending.messages:
            self._link.publish(topic, payload)
        self._observe(HomeEvent("sent", turn_id, entity.entity_id, self._clock()))
        if proving_topic(entity.found.spec, sending.wish) is None:
            self._settle(confirmation, entity, "timeout")

    def _wait_settled(self, confirmation: Confirmation) -> None:
        deadline_s = self._clock() + self._timeout_s
        # A connection that breaks now will not be back, and heard from, in time.
        while not confirmation.settled and self.connected and not self._stopping.is_set():
            left_s = deadline_s - self._clock()
            if left_s <= 0:
                return
            self._changed.wait(left_s)

    # --- the connection's thread ---------------------------------------------------------------

    def _received(self, message: Message) -> None:
        if discovery.is_config_topic(message.topic, self._prefix):
            self._announced(message)
            return
        confirmed: list[HomeEvent] = []
        with self._changed:
            now_s = self._clock()
            for entity in self._registry.hear(message.topic, message.payload, now_s):
                self._last_news_s = time.monotonic()
                # What the broker remembers was said before the command.
                waiting = () if message.retained else self._confirmations
                confirmed += [
                    HomeEvent("confirmed", turn_id, entity.entity_id, now_s)
                    for turn_id, confirmation in waiting
                    if confirmation.heard(entity, message.topic, now_s)
                ]
            self._changed.notify_all()
        for event in confirmed:
            self._observe(event)

    def _announced(self, message: Message) -> None:
        try:
            announcement = discovery.parse(message.topic, message.payload, self._prefix)
        except DiscoveryError as error:
            log.warning("ignored the announcement on %.200r: %s", message.topic, error)
            return
        for problem in announcement.problems:
            log.warning("ignored a component announced on %.200r: %s", message.topic, problem)
        with self._changed:
            before = self._registry.topics()
            fresh = self._registry.apply(announcement)
            gone = before - self._registry.topics()
            self._last_news_s = time.monotonic()
        self._link.unsubscribe(sorted(gone))
        self._link.subscribe(sorted(fresh))

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

    # --- the timers' thread --------------------------------------------------------------------

    def _tick(self) -> None:
        while not self._stopping.wait(TICK_S):
            self._timers.tick()
