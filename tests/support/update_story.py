"""One update by the real agent on a disk that may lose power, and what must hold wherever it ends.

judge → fetch → stage → hold → quiet → prove → switch → soak → committed, or back
"""

from __future__ import annotations

from pathlib import Path

from device.bundle import Bundle
from device.errors import BundleError
from ota.generations import Generations
from ota.journal import Journal
from ota.machine import MAY_SERVE, TRIES, Ledger, Stage
from ota.storage import Storage
from tests.support.updated_box import UpdatedBox


def update(
    root: Path, disk: Storage | None, like: UpdatedBox, target: str, *, good: bool = True
) -> Ledger:
    """Bring a release to its end: committed where it is good, rolled back where its turns fail."""
    box = UpdatedBox(root, storage=disk, like=like)

    def somebody_speaks() -> None:
        box.voice.turns, box.voice.failed = (3, 0) if good else (2, 1)

    box.clock.meanwhile = somebody_speaks
    box.want(target)
    return box.run()


def violation(root: Path, allowed: set[str], before: set[str]) -> str | None:
    """What must never be found after a cut; None where all is well.

    Args:
        allowed: digests of the bundles that may be current.
        before: those of them that need no ledger to be current.
    """
    current = Generations(root / "models").current()
    if current is None:
        return "nothing is current"
    try:
        digest = Bundle.open(current).digest
    except BundleError as error:
        return f"current is damaged: {error.problem}"
    if digest not in allowed:
        return "another bundle is current"
    return None if digest in before else _untold(root, current.name)


def _untold(root: Path, current: str) -> str | None:
    """What the ledger lacks for a new generation to be current."""
    ledger = Journal(root / "ota").read()
    update = ledger.update
    if update is None or update.generation != current:
        return "switched without a ledger"
    if update.stage is Stage.COMMITTED:
        return None if ledger.running == update.target else "committed and not running"
    if update.stage not in MAY_SERVE:
        return f"switched too early: {update.stage.value}"
    if update.tries_left >= TRIES:
        return "switched without a try spent"
    return _way_back_is_whole(root, update.previous)


def _way_back_is_whole(root: Path, name: str) -> str | None:
    try:
        Bundle.open(root / "models" / "gen" / name)
    except BundleError as error:
        return f"the generation to go back to is damaged: {error.problem}"
    return None


def litter(root: Path) -> list[str]:
    """What no generation holds and nobody removed."""
    models = root / "models"
    drafts = [p for folder in ("gen", "store") for p in (models / folder).glob(".*")]
    held = {p.read_bytes() for p in (models / "gen").rglob("*") if p.is_file()}
    spare = [
        p for p in (models / "store").iterdir() if len(p.name) == 64 and p.read_bytes() not in held
    ]
    return sorted(p.name for p in (*drafts, *spare) if p.name != ".lock")
