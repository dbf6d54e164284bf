"""Works off the stages of an update: one effect at a time, each with a budget.

The journal says what to do, never this object: it may die between any two lines, and whoever
comes after begins the stage's effect again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ota.journal import Journal
from ota.machine import WORK, Effect, Key, Ledger, Outcome, Result, Update, key, step


class Worker(Protocol):
    """Does one effect at a time, in the background."""

    def start(self, effect: Effect, update: Update) -> None:
        """Begin; quick."""

    def poll(self) -> Result | None:
        """How it ended; None while it goes on."""

    def abandon(self) -> None:
        """Forget it and ask it to stop; its outcome is of no interest any more."""


class Driver:
    """Call ``tick`` every second or so."""

    def __init__(self, journal: Journal, worker: Worker, clock: Callable[[], float]) -> None:
        """Args: clock: monotonic seconds."""
        self._journal, self._worker, self._clock = journal, worker, clock
        self._at: Key | None = None
        """The stage whose effect goes on."""
        self._until = 0.0
        self._result: Result | None = None
        """Known, but not stored yet."""

    def resume(self) -> Ledger:
        """Once after a start: whatever went on has died with the process before.

        Raises:
            StoreError: the disk refuses.
        """
        return self._journal.change(lambda ledger: step(ledger, Result(Outcome.KILLED)))

    def tick(self) -> Ledger:
        """Look, begin what has to be done, store what has come of it.

        Raises:
            StoreError: the disk refuses; the next call tries again.
        """
        ledger = self._journal.read()
        self._follow(ledger)
        at = self._at
        if at is None:
            return ledger
        self._result = self._result or self._outcome()
        if self._result is None:
            return ledger
        # Somebody else may have moved it on since it was read: then this outcome is an old one.
        result = self._result
        ledger = self._journal.change(lambda now: step(now, result) if key(now) == at else now)
        self._leave()
        self._follow(ledger)
        return ledger

    def _follow(self, ledger: Ledger) -> None:
        """Be at the ledger's stage: begin its effect, unless that goes on already."""
        at = key(ledger)
        if at == self._at:
            return
        self._leave()
        if ledger.active is not None:
            work = WORK[ledger.active.stage]
            self._at, self._until = at, self._clock() + work.budget_s
            self._worker.start(work.effect, ledger.active)

    def _outcome(self) -> Result | None:
        found = self._worker.poll()
        if found is None and self._clock() >= self._until:
            return Result(Outcome.HUNG)
        return found

    def _leave(self) -> None:
        if self._at is not None:
            self._worker.abandon()
        self._at, self._result = None, None
