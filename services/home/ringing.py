"""What rings, for how long, and what is to be sounded next. Pure, on an injected clock.

Ringing goes on until somebody stops it, or for a quarter of an hour. What was missed altogether
is told once and does not ring.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from services.language.calls import Call, Value
from services.language.outcome import Outcome

Kind = Literal["timer", "alarm", "reminder"]

RING_FOR_S = 15 * 60
"""Ringing nobody stops ends by itself; also how late something may still begin to ring."""
LATE_S = 5.0
"""What is later than this is told as late."""
CHIME_EVERY_S = 2.0
SNOOZE_S = 5 * 60
MAX_SOUNDING = 32
"""More at once cannot be told apart; the oldest fall silent."""
REMEMBERED_S = 2 * 60
"""How long after it was stopped a ring can still be snoozed."""


@dataclass(frozen=True)
class Ring:
    """Something whose time has come."""

    kind: Kind
    number: int
    name: str | None = None
    text: str | None = None
    """What to be reminded of; personal data."""
    duration_s: int = 0
    """What a timer was set to."""
    time: str | None = None
    """``HH:MM`` an alarm or a reminder was set to."""
    late: bool = False
    """Its time came while the box was off, or while its clock was wrong."""
    missed: bool = False
    """So late that it is only told of."""


def outcome(ring: Ring) -> Outcome:
    """A ring as something to speak of; the call is nobody's, it only names the reply."""
    facts: dict[str, Value] = {"kind": ring.kind}
    facts |= {key: v for key in ("name", "text", "time") if (v := getattr(ring, key)) is not None}
    facts |= {key: 1 for key in ("late", "missed") if getattr(ring, key)}
    if ring.duration_s:
        facts["duration_s"] = ring.duration_s
    return Outcome(Call.of("LinnetRing"), facts=facts)


@dataclass(frozen=True)
class Chime:
    """Sound this now: a chime, and words about those that have just begun."""

    rings: tuple[Ring, ...]
    """All that ring; those missed are here once."""
    begun: tuple[Ring, ...] = ()


@dataclass(frozen=True)
class Sounding:
    """A ring and when it stops by itself, on the steady clock."""

    ring: Ring
    until_s: float


class Ringer:
    """Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        self._sounding: tuple[Sounding, ...] = ()
        self._begun: tuple[Ring, ...] = ()
        self._next_chime_s = 0.0
        self._stopped: tuple[tuple[Ring, ...], float] = ((), 0.0)

    @property
    def sounding(self) -> tuple[Sounding, ...]:
        return self._sounding

    @property
    def rings(self) -> tuple[Ring, ...]:
        return tuple(sounding.ring for sounding in self._sounding)

    def begin(self, ring: Ring, now_s: float, for_s: float = RING_FOR_S) -> None:
        """Start to ring, or tell of what was missed, with the next chime."""
        if not ring.missed:
            self._sounding = (*self._sounding, Sounding(ring, now_s + for_s))[-MAX_SOUNDING:]
        if not self._begun:
            self._next_chime_s = now_s
        self._begun += (ring,)

    def tick(self, now_s: float) -> Chime | None:
        """The chime that is due, if one is."""
        self._sounding = tuple(s for s in self._sounding if s.until_s > now_s)
        if now_s < self._next_chime_s or not (self._sounding or self._begun):
            return None
        begun, self._begun = self._begun, ()
        self._next_chime_s = now_s + CHIME_EVERY_S
        missed = tuple(ring for ring in begun if ring.missed)
        return Chime(self.rings + missed, begun)

    def untold(self, chime: Chime) -> None:
        """A chime could not be sounded: what it had to tell comes with the next."""
        waiting = tuple(r for r in chime.begun if r.missed or r in self.rings)
        self._begun = (*waiting, *self._begun)[:MAX_SOUNDING]

    def stop(
        self, now_s: float, chosen: Callable[[Ring], bool] = lambda ring: True
    ) -> tuple[Ring, ...]:
        """End the ringing of all that are chosen; what rang."""
        ended = tuple(ring for ring in self.rings if chosen(ring))
        if ended:
            self._sounding = tuple(s for s in self._sounding if s.ring not in ended)
            self._begun = tuple(r for r in self._begun if r not in ended)
            self._stopped = ended, now_s
        return ended

    def snooze(self, now_s: float) -> tuple[Ring, ...]:
        """End the ringing for a while; what rings, or what was stopped a moment ago."""
        self.stop(now_s)
        rings, stopped_s = self._stopped
        self._stopped = (), 0.0
        fresh = rings and now_s - stopped_s <= REMEMBERED_S
        return tuple(replace(ring, late=False) for ring in rings) if fresh else ()
