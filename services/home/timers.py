"""Kitchen timers in memory, on an injected monotonic clock.

They ring when ``tick`` is called at or after their end, so tests need no sleep. They do not
survive a restart yet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

MAX_TIMERS = 32
MAX_DURATION_S = 24 * 3600


class TimerRefused(ValueError):
    """The duration is not between a second and a day, or too many timers run."""


@dataclass(frozen=True)
class Timer:
    number: int
    duration_s: int
    ends_at_s: float
    """Monotonic time."""


class Timers:
    """Running timers; safe to call from any thread, ``ring`` is called outside the lock."""

    def __init__(self, clock: Callable[[], float], ring: Callable[[Timer], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._lock = threading.Lock()
        self._running: list[Timer] = []
        self._started = 0

    def start(self, duration_s: int) -> Timer:
        """Start a timer.

        Raises:
            TimerRefused: outside 1..86,400 s, or 32 run already.
        """
        if not 1 <= duration_s <= MAX_DURATION_S:
            raise TimerRefused(f"a timer runs between 1 and {MAX_DURATION_S} seconds")
        with self._lock:
            if len(self._running) >= MAX_TIMERS:
                raise TimerRefused(f"{MAX_TIMERS} timers run already")
            self._started += 1
            timer = Timer(self._started, duration_s, self._clock() + duration_s)
            self._running.append(timer)
        return timer

    def cancel(self) -> Timer | None:
        """Stop the timer started last; None when none runs."""
        with self._lock:
            return self._running.pop() if self._running else None

    def running(self) -> tuple[Timer, ...]:
        """Running timers, the next to ring first."""
        with self._lock:
            return tuple(sorted(self._running, key=lambda t: (t.ends_at_s, t.number)))

    def remaining_s(self, timer: Timer) -> int:
        """Whole seconds until it rings, rounded up, never negative."""
        return max(0, int(-(-(timer.ends_at_s - self._clock()) // 1)))

    def tick(self) -> None:
        """Ring and drop every timer whose time has come, in order."""
        now = self._clock()
        with self._lock:
            due = [t for t in self._running if t.ends_at_s <= now]
            self._running = [t for t in self._running if t.ends_at_s > now]
        for timer in sorted(due, key=lambda t: t.ends_at_s):
            self._ring(timer)
