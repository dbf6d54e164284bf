"""How long a release on trial has served under watch, over restarts of whoever watches. Pure.

What counts are the seconds between two answers of the voice daemon that are not far apart. Only
their sum is kept, so it does not matter that clocks begin anew at a boot or are set meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

APART_S = 30.0
"""Answers further apart tell nothing of the time between them."""
KEEP_S = 60.0
"""What a power cut may forget."""


class Soak:
    """Call ``answered`` whenever the voice daemon has said how it is."""

    def __init__(self, so_far: float, keep: Callable[[float], None]) -> None:
        """
        Args:
            so_far: seconds that were kept before.
            keep: makes a later sum durable.
        """
        self._seconds = self._kept = so_far
        self._keep = keep
        self._last: float | None = None

    def answered(self, now: float) -> float:
        """Seconds in all that count, by an answer at this moment of a monotonic clock."""
        if self._last is not None and now - self._last <= APART_S:
            self._seconds += now - self._last
        self._last = now
        if self._seconds - self._kept >= KEEP_S:
            self._kept = self._seconds
            self._keep(self._seconds)
        return self._seconds
