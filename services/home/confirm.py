"""Did the devices do it: wishes sent, states heard since, and a deadline. Pure, fed by the home.

Only what is heard after a command was sent counts: a state that was already as wished proves
nothing about a device that may be dead. Of a device that never tells, it counts that the broker has
taken the command.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from services.home.commands import Wish, proving_topics
from services.home.entities import Entity
from services.language.outcome import DeviceResult, Status

_REFUSING = frozenset({("lock", "jammed"), ("vacuum", "error")})
"""Domain and state by which a device says that it could not."""


@dataclass
class _Waiting:
    entity: Entity
    wish: Wish
    status: Status | None = None
    unanswered: int = 0
    """Messages for it that the broker has not taken yet."""
    proven: bool = False
    """A topic that proves the wish has been heard since the command was sent."""
    state: str | None = None
    """What it said that it does, where that is not yet what was asked for."""


class Confirmation:
    """Results of one call on several devices, in the order they were asked."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._unanswered: dict[str, deque[_Waiting]] = {}
        """By topic, in the order they were sent: the broker answers in that order."""

    def expect(self, entity: Entity, wish: Wish, topics: Iterable[str] = ()) -> None:
        """Call before the command is sent on ``topics``, or an early answer is lost.

        Args:
            topics: one for each message.
        """
        one = self._waiting[entity.entity_id] = _Waiting(entity, wish)
        for topic in topics:
            one.unanswered += 1
            self._unanswered.setdefault(topic, deque()).append(one)

    def answered(self, topic: str, allowed: bool) -> None:
        """The broker has taken a message; or it did not let it through, and nobody has heard it.

        What cannot tell more (a button, a device without a state topic) is ``sent`` by that.
        """
        asked = self._unanswered.get(topic)
        if not asked:
            return
        one = asked.popleft()
        one.unanswered -= 1
        if one.status is not None:
            return
        if not allowed:
            one.status = "rejected"
        elif not one.unanswered and not proving_topics(one.entity.found.spec, one.wish):
            one.status = "sent"

    def settle(self, entity: Entity, status: Status) -> None:
        """A result that needs no waiting: known to be offline, or never sent."""
        self._waiting[entity.entity_id] = _Waiting(entity, Wish(), status)

    def heard(self, entity: Entity, topic: str, now_s: float) -> bool:
        """Take in what a device has just said on a topic; True when this confirms the wish."""
        one = self._waiting.get(entity.entity_id)
        if one is None or one.status is not None:
            return False
        spec = entity.found.spec
        one.proven = one.proven or spec.stands_for(topic) in proving_topics(spec, one.wish)
        if not entity.available(now_s):
            one.status = "unavailable"
        elif topic in spec.state_topics and (entity.domain, entity.state.value) in _REFUSING:
            one.status = "rejected"
        elif one.proven and self._done(one, entity):
            one.status = "confirmed"
        return one.status == "confirmed"

    def _done(self, one: _Waiting, now: Entity) -> bool:
        """As wished; or on its way there, which takes longer than anybody waits for an answer."""
        begun = one.wish.begun(one.entity.state, now.state)
        met = one.wish.met_by(now.state)
        if now.state.value in one.wish.moving:
            begun = now.state.value
        elif met:
            begun = None
        one.state = begun
        return met or begun is not None

    @property
    def settled(self) -> bool:
        return all(one.status is not None for one in self._waiting.values())

    def results(self) -> tuple[DeviceResult, ...]:
        """What is known now; devices that said nothing in time are ``timeout``.

        A state only where a slow device has begun (``opening``): else a confirmed wish is the
        state, and of the others nothing is sure.
        """
        return tuple(
            DeviceResult(entity_id, one.entity.name, one.status or "timeout", one.state)
            for entity_id, one in self._waiting.items()
        )
