"""Turns are numbered, the number only grows, and what is older than the current one is dropped."""

from __future__ import annotations

import threading


class TurnFence:
    """The current turn's number, shared by every thread that queues anything."""

    def __init__(self) -> None:
        self._current = 0
        self._lock = threading.Lock()

    @property
    def current(self) -> int:
        return self._current

    def advance(self) -> int:
        """Start a new turn: everything that carries an older number is stale from now on."""
        with self._lock:
            self._current += 1
            return self._current

    def admits(self, turn_id: int) -> bool:
        """Whether something of this turn may still have an effect."""
        return turn_id >= self._current
