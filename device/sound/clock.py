"""Time, injected: a monotonic clock for the box and a virtual one for tests and fast replays."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds from an arbitrary start that never run backwards."""

    def now(self) -> float: ...

    def sleep_until(self, t: float) -> None:
        """Return when ``now() >= t``; at once if that has passed."""


class MonotonicClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep_until(self, t: float) -> None:
        wait = t - time.monotonic()
        if wait > 0:
            time.sleep(wait)


class VirtualClock:
    """Sleeping moves it, nothing else does: an hour of sound passes as fast as it is computed."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> float:
        with self._lock:
            return self._now

    def sleep_until(self, t: float) -> None:
        with self._lock:
            self._now = max(self._now, t)
