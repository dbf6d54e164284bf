"""The home as the voice sees it: a view, and calls carried out and proved.

``execute`` resolves a call, publishes its commands and waits until each device's own state topic
says that it is so. It blocks its caller for at most the time-out; a thread of the home rings the
timers. What is risky is not done on one sentence: ``execute`` asks, ``confirm`` takes the answer.

Limits: a device without a state topic can never be confirmed and is reported as ``sent`` once the
broker has taken the command.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from services.home import discovery, relative
from services.home.broker import BrokerAddress, BrokerError, BrokerUnreachable
from services.home.commands import Command, NotCommandable, command
from services.home.confirm import Confirmation
from services.home.desk import Desk, Ringing
from services.home.devices import Devices
from services.home.entities import Entity
from services.home.functions import answer
from services.home.home_map import HomeMap
from services.home.resolver import DEVICE_CALLS, Resolution, current_resolution, resolve
from services.home.safety import Safety, Verdict
from services.home.step import Step
from services.home.timers import Timers
from services.home.undo import READS, Done, History, plan
from services.language.calls import Call
from services.language.functions import VOLUMES
from services.language.homeview import HomeView
from services.language.outcome import DeviceResult, Outcome

log = logging.getLogger(__name__)

CONFIRM_TIMEOUT_S = 1.0
TICK_S = 0.1
"""How late a timer may ring."""
STATUS_TOPIC = "linnet/status"


Resolver = Callable[[Call, Sequence[Entity], str | None], Resolution]
Commander = Callable[[Entity, Call], Command]


@dataclass(frozen=True)
class HomeEvent:
    """A step of a call, for time lines; holds no words."""

    kind: Literal["sent", "confirmed"]
    turn_id: int
    entity_id: str
    at_s: float
    """On the injected monotonic clock."""


@dataclass(frozen=True)
class _Turn:
    """Who asks, and whether they still do."""

    turn_id: int
    current: Callable[[int], bool]
    session: str | None

    @property
    def over(self) -> bool:
        return not self.current(self.turn_id)


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
        safety: Safety | None = None,
        resolver: Resolver = resolve,
        commander: Commander = command,
    ) -> None:
        """
        Args:
            here: the room this appliance stands in.
            safety: how long a question stays open and how often a device may be commanded.
            resolver, commander: which devices a call means, and what to send to each.
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
        self._resolver, self._commander = resolver, commander
        self._safety, self._history = safety or Safety(), History()
        self._guarding = threading.Lock()
        """Held around the safety and the history, which are pure and know no threads."""
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
    def asking(self) -> bool:
        """Whether a question waits for ``confirm``."""
        return self._safety.asking

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
        session: str | None = None,
        resolved: Resolution | None = None,
    ) -> Outcome:
        """Carry out a call and tell what happened; never raises for the home's faults.

        Args:
            current: whether this turn is still the current one. It is asked before anything is
                sent, and again before each device: an interrupted turn sends no more.
            session: who would answer a question, for ``confirm``; None for nobody.
            resolved: which devices it means, where the caller had to know that already; found
                anew if one of them has gone or become another since.

        Errors in the outcome: ``cancelled``, ``offline``, ``no_device``, ``no_area``,
        ``unsupported``, ``ambiguous``, ``nothing_to_undo``, ``cannot_undo``, those of
        ``functions``, and those of ``safety.Verdict`` and ``state_unknown`` (of what is to change
        from what it is now), beside which other devices may have been commanded.
        """
        turn = _Turn(turn_id, current, session)
        if turn.over:
            return Outcome(call, error="cancelled")
        self.withdraw()
        if call.name == "LinnetUndo":
            return self._undo(call, turn)
        volume = self._desk.volume.level
        answered = answer(call, self._desk)
        if answered is not None:
            if answered.error is None and call.name not in READS:
                self._remember((), (), volume if call.name in VOLUMES else None)
            return answered
        if call.name in DEVICE_CALLS and not self.connected:
            return Outcome(call, error="offline")
        entities = self.entities()
        resolution = current_resolution(resolved, entities) if resolved else None
        resolution = resolution or self._resolver(call, entities, self._here)
        call = resolution.call or call  # with the room that was meant but not said
        if resolution.refusal is not None:
            return Outcome(call, error=resolution.refusal)
        if call.name in READS:
            results = tuple(self._told(entity) for entity in resolution.targets)
            return Outcome(call, results)
        led = relative.steps(call, resolution.targets, self._clock())
        outcome = self._weighed(led.call, led.steps, turn, led.facts)
        error = outcome.error or ("state_unknown" if led.unknown else None)
        return replace(outcome, error=error)

    def confirm(
        self,
        said: str,
        session: str,
        turn_id: int = 0,
        current: Callable[[int], bool] = lambda turn_id: True,
    ) -> Outcome:
        """Take the answer to the question of the last ``needs_confirmation``.

        A yes carries out exactly what was asked for then; anything else leaves it. Either way the
        question is closed.

        Args:
            said: the whole of what was said or typed.
            session: as given to the ``execute`` that asked.

        Errors in the outcome: ``cancelled``, ``offline``, ``left_alone``, ``too_late``,
        ``home_changed``, ``nothing_asked``, ``too_fast``.
        """
        turn = _Turn(turn_id, current, session)
        entities, now_s = self.entities(), self._clock()
        with self._guarding:
            verdict = self._safety.confirm(said, session, entities, now_s)
        if turn.over:
            return Outcome(verdict.call, error="cancelled")
        if verdict.allowed and not self.connected:
            return Outcome(verdict.call, error="offline")
        return self._carry_out(verdict, turn, record=verdict.call.name != "LinnetUndo")

    def withdraw(self) -> None:
        """Close the open question: somebody has woken the appliance, or gone away."""
        with self._guarding:
            self._safety.withdraw()

    def _told(self, entity: Entity) -> DeviceResult:
        """What an entity last said, None if nothing yet, if it is there to stand behind it."""
        if not entity.available(self._clock()):
            return DeviceResult(entity.entity_id, entity.name, "unavailable")
        return DeviceResult(entity.entity_id, entity.name, "confirmed", entity.told)

    def _undo(self, call: Call, turn: _Turn) -> Outcome:
        """Lead the last command's devices back; risky steps are asked about like any others."""
        with self._guarding:
            last = self._history.last(self._clock())
            of_devices = last is None or last.volume is None
            if of_devices and not self.connected:
                return Outcome(call, error="offline")
            done = self._history.take(self._clock())
        if done is None:
            return Outcome(call, error="nothing_to_undo")
        if done.volume is not None:
            return Outcome(call, facts={"level": self._desk.volume.set(done.volume)})
        way = plan(done.before, done.after, self.entities())
        if not way.steps and not way.left:
            return Outcome(call, error="nothing_to_undo" if done.before else "cannot_undo")
        left = {"left": ",".join(way.left)} if way.left else {}
        return self._weighed(call, way.steps, turn, left, record=False)

    def _weighed(
        self,
        call: Call,
        steps: Sequence[Step],
        turn: _Turn,
        facts: Mapping[str, str | int] | None = None,
        record: bool = True,
    ) -> Outcome:
        with self._guarding:
            verdict = self._safety.weigh(call, steps, turn.session, self._clock())
        return self._carry_out(
            replace(verdict, facts={**(facts or {}), **verdict.facts}), turn, record
        )

    def _carry_out(self, verdict: Verdict, turn: _Turn, record: bool) -> Outcome:
        """Send what is allowed, wait for the devices, and remember what they confirmed."""
        error = verdict.error
        results: tuple[DeviceResult, ...] = ()
        if verdict.allowed:
            with self._devices.confirmation(turn.turn_id) as confirmation:
                failure = None
                for step in verdict.allowed:
                    failure = failure or self._send(step, turn, confirmation)
                results = self._devices.results(confirmation, self._timeout_s)
            if failure is not None:
                self.withdraw()  # an answer to a turn that was cut short answers nothing
                error = failure
            if record:
                self._remember(tuple(step.entity for step in verdict.allowed), results)
        return Outcome(verdict.call, results, verdict.facts, error)

    def _remember(
        self,
        before: Sequence[Entity],
        results: Sequence[DeviceResult],
        volume: int | None = None,
    ) -> None:
        confirmed = {result.entity_id for result in results if result.status == "confirmed"}
        after = tuple(entity for entity in self.entities() if entity.entity_id in confirmed)
        was = tuple(entity for entity in before if entity.entity_id in confirmed)
        with self._guarding:
            self._history.add(Done(was, after, self._clock(), volume))

    def _send(self, step: Step, turn: _Turn, confirmation: Confirmation) -> str | None:
        """Send to one device; the error that keeps the others from being sent, if any."""
        entity = step.entity
        if turn.over:
            return "cancelled"
        if not entity.available(self._clock()):
            self._devices.settle(entity, "unavailable", confirmation)
            return None
        try:
            self._devices.send(entity, self._commander(entity, step.call), confirmation)
        except BrokerUnreachable:
            self._devices.settle(entity, "rejected", confirmation)
            return "offline"
        except (BrokerError, NotCommandable) as error:
            log.warning("%s was not commanded: %s", entity.entity_id, error)
            self._devices.settle(entity, "rejected", confirmation)
        else:
            self._tell("sent", turn.turn_id, entity.entity_id)
        return None

    def _tell(self, kind: Literal["sent", "confirmed"], turn_id: int, entity_id: str) -> None:
        self._observe(HomeEvent(kind, turn_id, entity_id, self._clock()))

    def _tick(self) -> None:
        while not self._stopping.wait(TICK_S):
            self._desk.tick()
            if self.asking:
                self._look_at_home()

    def _look_at_home(self) -> None:
        """A thing that changes while its question is open closes it, even if it comes back."""
        entities, now_s = self.entities(), self._clock()
        with self._guarding:
            self._safety.look(entities, now_s)
