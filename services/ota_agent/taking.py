"""Which assignments are taken up, hurried or taken back: the source's, and the owner's. Pure."""

from __future__ import annotations

from ota.errors import Reason
from ota.machine import IN_TRIAL, Ledger, Stage, begin, give_up
from ota.rollout.source import Assignment

BAD_LUCK = frozenset({
    Reason.UNREACHABLE, Reason.REFUSED, Reason.TOO_SLOW, Reason.BYTE_BUDGET, Reason.UNTRUSTED,
    Reason.CLOCK, Reason.NO_ROOM, Reason.DISK, Reason.ENGINE_BUILD, Reason.LOOP, Reason.CANCELLED,
    Reason.NEVER_QUIET,
})  # fmt: skip
"""Reasons before a trial that may have gone by tomorrow."""


def by_source(ledger: Ledger, wanted: Assignment | None, *, rested: bool) -> Ledger:
    """The ledger after the source was asked.

    Args:
        wanted: what it wants now; None: nothing, or it takes back what goes on.
        rested: whether enough time has passed since the last update ended to try it again.
    """
    active = ledger.active
    if active is None:
        if wanted is None or not _may_begin(ledger, wanted, rested):
            return ledger
        return begin(ledger, wanted)
    if active.forced or active.stage in IN_TRIAL:
        return ledger  # the owner's word stands, and a trial is brought to its end
    if wanted is None or wanted.action != active.action:
        return give_up(ledger, Reason.CANCELLED, "the source took it back")
    how = {"install": wanted.install, "forced": wanted.forced}
    return ledger.model_copy(update={"update": active.model_copy(update=how)})


def by_owner(ledger: Ledger, wanted: Assignment) -> Ledger:
    """The ledger after the owner asked for a release: what goes on is hurried, or makes way."""
    active = ledger.active
    if active is None:
        return begin(ledger, wanted)
    if active.target == wanted.target and wanted.stick in ("", active.stick):
        hurried = active.model_copy(update={"install": "now", "forced": True})
        return ledger.model_copy(update={"update": hurried})
    if active.stage in IN_TRIAL:
        return ledger
    return begin(give_up(ledger, Reason.CANCELLED, "the owner wants another"), wanted)


def _may_begin(ledger: Ledger, wanted: Assignment, rested: bool) -> bool:
    if any(report.action == wanted.action for report in ledger.unsent):
        return False  # it has ended here, and the source does not know yet
    last = ledger.update
    if last is None or (last.action, last.target) != (wanted.action, wanted.target):
        return True
    return last.stage is Stage.FAILED and last.reason in BAD_LUCK and rested
