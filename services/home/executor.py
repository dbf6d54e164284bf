"""The home as the voice sees it: a view, and calls carried out and proved.

``execute`` resolves a call, publishes its commands and waits until each device's own state topic
says that it is so. It blocks its caller for at most the time-out; a thread of the home rings the
timers.

Limits: a device without a state topic can never be confirmed and is reported as ``timeout``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from services.home import discovery
from services.home.broker import BrokerAddress, BrokerError, BrokerUnreachable
from services.home.commands import NotCommandable, command
from services.home.confirm import Confirmation
from services.home.desk import Desk, Ringing
from services.home.devices import Devices
from services.home.entities import Entity
from services.home.functions import answer
from services.home.home_map import HomeMap
from services.home.resolver import DEVICE_CALLS, resolve
from services.home.timers import Timers
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
        ring: Ringing = lambda chime: None,
        desk: Desk | None = None,
        observe: Callable[[HomeEvent], None] = lambda event: None,
        status_topic: str | None = STATUS_TOPIC,
        ask_to_announce: bool = False,
        home_map: HomeMap | None = None,
    ) -> None:
        """
        Args:
            here: the room this appliance stands in.
            home_map: the owner's rooms, floors and names; they win over what is announced.
            timeout_s: how long devices have to confirm a command.
            ring: called on the timer thread with each chime; not used where a desk is given.
            desk: timers, alarms and volume; its own, which forgets at its end, unless given.
            observe: called as commands are sent and confirmed; must be quick.
            ask_to_announce: publish Home Assistant's birth message on connect, for devices that
                do not retain their announcements. Off, because a real Home Assistant on the same
                broker says it too.
        """
        self._here, self._timeout_s = here, timeout_s
        self._clock, self._observe = clock, observe
        self._desk = desk or Desk(ring)
        self._stopping = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="home-timers", daemon=True)
        self._devices = Devices(
            address,
            prefix=prefix,
            clock=clock,
            confirmed=lambda turn_id, entity_id: self._tell("confirmed", turn_id, entity_id),
            status_topic=status_topic,
            ask_to_announce=ask_to_announce,
            home_map=home_map or HomeMap(),
        )

    def start(self) -> None:
        """Connect in the background and start the timers' clock; works without a broker."""
        self._ticker.start()
        self._devices.start()

    def stop(self) -> None:
        """Leave the broker with a farewell and end the threads; a home starts once."""
        self._stopping.set()
        self._devices.stop()
        if self._ticker.is_alive():
            self._ticker.join()

    def __enter__(self) -> Home:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def connected(self) -> bool:
        return self._devices.connected

    @property
    def desk(self) -> Desk:
        """Timers, alarms, volume: what needs no device."""
        return self._desk

    @property
    def timers(self) -> Timers:
        return self._desk.timers

    def wait_connected(self, timeout_s: float) -> None:
        """Raises ``BrokerRefused`` or ``BrokerUnreachable``, see ``BrokerLink``."""
        self._devices.wait_connected(timeout_s)

    def wait_quiet(self, timeout_s: float, quiet_s: float = 0.3) -> bool:
        """Wait until no announcement or state has come for a while; False when time ran out.

        MQTT does not say when the last retained message has been sent; silence is the sign.
        """
        return self._devices.wait_quiet(timeout_s, quiet_s)

    def view(self, here: str | None = None) -> HomeView:
        """Names, rooms and abilities of this moment; ``here`` overrides the appliance's room."""
        return self._devices.view(here or self._here)

    def entities(self) -> tuple[Entity, ...]:
        """All that is known, states included."""
        return self._devices.snapshot()

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
        ``unsupported``, ``ambiguous``, ``needs_confirmation``, and those of ``functions``.
        """
        if not current(turn_id):
            return Outcome(call, error="cancelled")
        answered = answer(call, self._desk)
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

    def _told(self, entity: Entity) -> DeviceResult:
        """What an entity last said, None if nothing yet, if it is there to stand behind it."""
        if not entity.available(self._clock()):
            return DeviceResult(entity.entity_id, entity.name, "unavailable")
        return DeviceResult(entity.entity_id, entity.name, "confirmed", entity.state.value)

    def _command(
        self, call: Call, targets: tuple[Entity, ...], turn_id: int, current: Callable[[int], bool]
    ) -> Outcome:
        with self._devices.confirmation(turn_id) as confirmation:
            error = None
            for entity in targets:
                error = error or self._send(entity, call, turn_id, current, confirmation)
            return Outcome(call, self._devices.results(confirmation, self._timeout_s), error=error)

    def _send(
        self,
        entity: Entity,
        call: Call,
        turn_id: int,
        current: Callable[[int], bool],
        confirmation: Confirmation,
    ) -> str | None:
        """Send to one device; the error that keeps the others from being sent, if any."""
        if not current(turn_id):
            return "cancelled"
        if not entity.available(self._clock()):
            self._devices.settle(entity, "unavailable", confirmation)
            return None
        try:
            self._devices.send(entity, command(entity, call), confirmation)
        except BrokerUnreachable:
            self._devices.settle(entity, "rejected", confirmation)
            return "offline"
        except (BrokerError, NotCommandable) as error:
            log.warning("%s was not commanded: %s", entity.entity_id, error)
            self._devices.settle(entity, "rejected", confirmation)
        else:
            self._tell("sent", turn_id, entity.entity_id)
        return None

    def _tell(self, kind: Literal["sent", "confirmed"], turn_id: int, entity_id: str) -> None:
        self._observe(HomeEvent(kind, turn_id, entity_id, self._clock()))

    def _tick(self) -> None:
        while not self._stopping.wait(TICK_S):
            self._desk.tick()
