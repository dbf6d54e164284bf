"""Reports to the source: ends are told until they are taken, the rest where it costs nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ota.errors import OtaError
from ota.machine import FinalReport, Ledger, Update
from ota.rollout.source import Report, RolloutSource

log = logging.getLogger(__name__)

RETRY_S = 300.0
"""After a report that was not taken."""
OWNER = "owner-"
"""How the actions begin that come from this device's owner, not from the source."""


class Reports:
    """Ends and steps wait each for themselves when the source is away."""

    def __init__(self, source: RolloutSource, clock: Callable[[], float]) -> None:
        """Args: clock: monotonic seconds."""
        self._source, self._clock = source, clock
        self._end_at = self._step_at = 0.0

    def ends(self, ledger: Ledger) -> tuple[FinalReport, ...]:
        """Those of the ledger's ends that the source has now, oldest first."""
        taken: list[FinalReport] = []
        for final in ledger.unsent:
            if not final.action.startswith(OWNER):
                if self._clock() < self._end_at:
                    break
                if not self._told(final.as_report()):
                    self._end_at = self._clock() + RETRY_S
                    break
            taken.append(final)
        return tuple(taken)

    def step(self, update: Update, done: int, total: int, *, resumed: bool = False) -> None:
        """Where an update stands: one try. The source thins what tells of bytes alone.

        Args:
            done: bytes that are here, of ``total``.
        """
        if update.action.startswith(OWNER) or self._clock() < self._step_at:
            return
        phase = update.stage.phase
        report = Report(update.action, phase, done=done, total=total, resumed=resumed)
        if not self._told(report):
            self._step_at = self._clock() + RETRY_S

    def _told(self, report: Report) -> bool:
        try:
            self._source.report(report)
        except OtaError as error:
            log.warning("a report was not taken", extra={"reason": str(error)[:300]})
            return False
        return True
