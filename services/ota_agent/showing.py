"""What the owner is shown of updates. Pure."""

from __future__ import annotations

from ota.machine import Ledger, Stage
from ota.release import Release
from ota.rollout.source import Assignment
from services.ota_agent.fleet_status import release_of
from services.voice.trial.words import Tell

_PROGRESS = {
    Stage.ASSIGNED: 0, Stage.DOWNLOADING: 0, Stage.VERIFIED: 50, Stage.STAGED: 60,
    Stage.PROVING: 70, Stage.SWITCHING: 80, Stage.SOAKING: 90, Stage.GOING_BACK: 90,
}  # fmt: skip
"""Percent at the beginning of each stage in which something is done; downloading takes half."""


def shown(
    ledger: Ledger, wanted: Assignment | None, offered: Release | None, share: float | None
) -> Tell:
    """What Home Assistant is to show; a rejected release is nothing that could be installed.

    Args:
        wanted: what the source wants now.
        offered: where the signed roll-out leads: the owner need not wait for its wave.
        share: of the bytes, where they are being fetched.
    """
    update = ledger.active
    named = update or wanted or offered
    target = named.target if named else ""
    if ledger.rejection(target) is not None or target == ledger.running:
        target = ""
    progress, notes = None, ""
    last = ledger.update
    if target and last is not None and last.target == target:
        notes = last.notes
    elif offered is not None and offered.target == target:
        notes = offered.notes
    if update is not None and update.stage is not Stage.WAIT_QUIET:
        progress = _PROGRESS[update.stage] + round((share or 0) * 50)
    return Tell(
        installed=release_of(ledger.running) or "",
        latest=release_of(target) or "",
        progress=progress,
        notes=notes,
    )
