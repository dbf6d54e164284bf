"""The phases of one update on one device: the words that machine, reports and displays share."""

from __future__ import annotations

from enum import Enum


class Phase(str, Enum):
    """Where an update stands. The last three end it."""

    IDLE = "idle"
    ASSIGNED = "assigned"
    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    """Every file is here and has its signed hash."""
    STAGED = "staged"
    """An immutable generation, engines built; nothing points at it yet."""
    WAIT_QUIET = "wait_quiet"
    """Waiting until nobody speaks, no timer is due and the hour is allowed."""
    TRIAL = "trial"
    """``current`` points at it; attempts are counted until the gate and the soak have passed."""
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to this update."""
        return self in (Phase.COMMITTED, Phase.ROLLED_BACK, Phase.FAILED)
