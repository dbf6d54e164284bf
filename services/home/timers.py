"""Timers, several at once: started, named, paused, changed, and due. Pure, on an injected clock.

A reminder "in twenty minutes" and a snoozed alarm are countdowns too and are kept here; ``kind``
says what will ring, and questions about timers see the timers only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.home.clock import Moment
from services.home.ringing import LATE_S, RING_FOR_S, Kind, Ring

MAX_TIMERS = 32
MAX_DURATION_S = 24 * 3600
PLAUSIBLE_OFF_S = 366 * 24 * 3600
"""A wall clock that says the box was off for longer is believed to be wrong."""


class TimerRefused(ValueError):
    """The duration is not between a second and a day, or too many timers run."""


@dataclass(frozen=True)
class Anchor:
    """Where a timer stood when the box went off, for as long as the wall clock is in doubt."""

    wall_s: float
    left_s: float

    def left_at(self, wall_s: float) -> float | None:
        """Seconds left, negative when it is over; None when that clock cannot be believed."""
        off_s = wall_s - self.wall_s
        return self.left_s - off_s if 0 <= off_s <= PLAUSIBLE_OFF_S else None


@dataclass(frozen=True)
class Timer:
    number: int
    duration_s: int
    """What it was started with."""
    ends_at_s: float
    """On the steady clock; without meaning while it is paused."""
    name: str | None = None
    kind: Kind = "timer"
    text: str | None = None
    """Of a reminder; personal data."""
    time: str | None = None
    """Of a snoozed alarm: ``HH:MM``."""
    paused_left_s: float | None = None
    anchor: Anchor | None = None

    @property
    def paused(self) -> bool:
        return self.paused_left_s is not None

    def left_s(self, now_s: float) -> float:
        """Seconds until it rings, negative when that has passed."""
        return self.ends_at_s - now_s if self.paused_left_s is None else self.paused_left_s

    def ring(self, late: bool = False, missed: bool = False) -> Ring:
        """What rings when it ends."""
        return Ring(
            self.kind, self.number, self.name, self.text, self.duration_s, self.time, late, missed
        )


class Timers:
    """Those that run or are paused. Reading is safe from any thread, changing is its owner's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._timers: tuple[Timer, ...] = ()
        self.last_number = 0

    def start(
        self,
        duration_s: int,
        name: str | None = None,
        kind: Kind = "timer",
        text: str | None = None,
    ) -> Timer:
        """Start a timer.

        Raises:
            TimerRefused: outside 1..86,400 s, or 32 run already.
        """
        if not 1 <= duration_s <= MAX_DURATION_S:
            raise TimerRefused(f"a timer runs between 1 and {MAX_DURATION_S} seconds")
        if len(self._timers) >= MAX_TIMERS:
            raise TimerRefused(f"{MAX_TIMERS} timers run already")
        self.last_number += 1
        ends_at_s = self._clock() + duration_s
        timer = Timer(self.last_number, duration_s, ends_at_s, name, kind, text)
        self._timers += (timer,)
        return timer

    def again(self, ring: Ring, duration_s: int) -> Timer:
        """Let what rang ring once more: a snooze is never refused for want of room."""
        self.last_number += 1
        ends_at_s = self._clock() + duration_s
        timer = Timer(
            self.last_number, duration_s, ends_at_s, ring.name, ring.kind, ring.text, ring.time
        )
        self._timers += (timer,)
        return timer

    def put(self, timer: Timer) -> None:
        """Take a timer as it is, replacing the one with its number."""
        kept = tuple(t for t in self._timers if t.number != timer.number)
        self._timers = tuple(sorted((*kept, timer), key=lambda t: t.number))
        self.last_number = max(self.last_number, timer.number)

    def drop(self, timer: Timer) -> None:
        """Forget a timer, running or paused."""
        self._timers = tuple(t for t in self._timers if t.number != timer.number)

    def all(self) -> tuple[Timer, ...]:
        """Every countdown of every kind, oldest first."""
        return self._timers

    def of_kind(self, kind: Kind) -> tuple[Timer, ...]:
        """Those of a kind, oldest first."""
        return tuple(t for t in self._timers if t.kind == kind)

    def running(self) -> tuple[Timer, ...]:
        """Timers that run, the next to ring first."""
        running = [t for t in self.of_kind("timer") if not t.paused]
        return tuple(sorted(running, key=lambda t: (t.ends_at_s, t.number)))

    def remaining_s(self, timer: Timer) -> int:
        """Whole seconds until it rings, rounded up, never negative."""
        return max(0, math.ceil(timer.left_s(self._clock())))

    def pause(self, timer: Timer) -> Timer:
        """Hold a timer; one that is held stays so."""
        left_s = max(0.0, timer.left_s(self._clock()))
        return self._changed(timer, replace(timer, paused_left_s=left_s, anchor=None))

    def resume(self, timer: Timer) -> Timer:
        """Let a held timer run on."""
        ends_at_s = self._clock() + timer.left_s(self._clock())
        return self._changed(timer, replace(timer, ends_at_s=ends_at_s, paused_left_s=None))

    def add(self, timer: Timer, seconds: int) -> Timer:
        """Lengthen a timer, or shorten it by a negative number; at zero it rings.

        Raises:
            TimerRefused: more than a day would be left.
        """
        left_s = max(0.0, timer.left_s(self._clock()) + seconds)
        if left_s > MAX_DURATION_S:
            raise TimerRefused(f"a timer runs at most {MAX_DURATION_S} seconds")
        if timer.paused:
            return self._changed(timer, replace(timer, paused_left_s=left_s))
        anchor = timer.anchor and replace(timer.anchor, left_s=timer.anchor.left_s + seconds)
        ends_at_s = self._clock() + left_s
        return self._changed(timer, replace(timer, ends_at_s=ends_at_s, anchor=anchor))

    def tick(self) -> tuple[Ring, ...]:
        """What rings now, in the order it was due; it is forgotten here."""
        now_s = self._clock()
        due = [t for t in self._timers if not t.paused and t.ends_at_s <= now_s]
        self._timers = tuple(t for t in self._timers if t not in due)
        return tuple(_over(t, now_s) for t in sorted(due, key=lambda t: t.ends_at_s))

    def settle(self, moment: Moment) -> None:
        """The wall clock was set: what the box's being off took from a timer is known better."""
        for timer in self._timers:
            if timer.anchor is None or timer.paused or not moment.wall_is_set:
                continue
            left_s = timer.anchor.left_at(moment.wall_s)
            if left_s is not None:
                self.put(replace(timer, ends_at_s=moment.clock_s + left_s))

    def _changed(self, old: Timer, new: Timer) -> Timer:
        if old in self._timers:
            self.put(new)
        return new


def _over(timer: Timer, now_s: float) -> Ring:
    """Nothing is that late unless the box was off, or its clock wrong, when the time came."""
    late_s = now_s - timer.ends_at_s
    return timer.ring(late=late_s > LATE_S, missed=late_s > RING_FOR_S)
