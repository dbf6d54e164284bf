"""When an update may be installed: quiet hours, a quiet box, and who asked to wait.

Pure: times and facts in, a reason to wait out. Whoever defers may do so again, but all of it
together has an end, so that no forgotten lock keeps a device on an old release for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

from pydantic import BaseModel, ConfigDict, Field

from ota.rollout.source import Install

QUIET_S = 60.0
"""Since somebody spoke or was spoken to."""
CLEAR_S = 600.0
"""Until the next timer or alarm."""
MOST_DEFERRED_S = 7 * 86_400.0
"""From the first wish to wait; later ones are not heard."""


@dataclass(frozen=True)
class Hours:
    """Local times between which installing is allowed; over midnight where the end is earlier."""

    begin: time = time(2)
    end: time = time(5)

    def hold(self, local: datetime) -> bool:
        """Whether it is such an hour; equal ends mean all day."""
        now = local.time()
        if self.begin == self.end:
            return True
        if self.begin < self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end


@dataclass(frozen=True)
class Box:
    """What the voice daemon says of itself."""

    speaking: bool
    """A turn goes on, or its last sound is still to be played."""
    quiet_s: float
    """Since the end of the last turn."""
    due_s: float | None = None
    """Until the next timer or alarm rings; None where none is set."""


class Deferral(BaseModel):
    """Wishes to wait, as they are kept; in seconds of the wall clock, so a reboot ends none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: float = Field(default=0, ge=0, allow_inf_nan=False)
    """When somebody first asked to wait with ``action``; 0: nobody has."""
    until: float = Field(default=0, ge=0, allow_inf_nan=False)
    why: str = Field(default="", max_length=200)
    action: str = Field(default="", max_length=512)
    """The update that waited then; empty: none did, and a later one has the whole week."""

    def asked(self, now: float, seconds: float, why: str, action: str = "") -> Deferral:
        """The wish to wait ``seconds`` more, cut to the most that may be waited in all.

        Args:
            action: the update that goes on; empty where none does.

        Raises:
            ValueError: with this update nobody may ask to wait any more.
        """
        since = self.since if action and action == self.action else now
        end = since + MOST_DEFERRED_S
        if now >= end:
            raise ValueError("it has been put off for a week; it cannot be put off again")
        until = min(max(now + max(0.0, seconds), self.until), end)
        return Deferral(since=since, until=until, why=why[:200], action=action)

    def holds(self, now: float) -> bool:
        # A clock that was set back must not stretch it: never longer than was asked for in all.
        return self.since <= now < self.until


def wait_for(
    box: Box,
    *,
    install: Install,
    hours: Hours,
    local: datetime,
    deferral: Deferral,
    locked_since: float | None = None,
) -> str | None:
    """Why the update has to wait now; None when it may begin.

    Args:
        install: ``now`` waits for nothing but the end of the turn that goes on.
        local: local time, with its zone.
        locked_since: wall seconds since when the lock file is there; None where it is not.
    """
    now = local.timestamp()
    if box.speaking:
        return "a turn goes on"
    if install == "now":
        return None
    if deferral.holds(now):
        return f"deferred: {deferral.why}" if deferral.why else "deferred"
    if locked_since is not None and now < locked_since + MOST_DEFERRED_S:
        return "the lock file is there"
    if box.quiet_s < QUIET_S:
        return "somebody spoke a moment ago"
    if box.due_s is not None and box.due_s < CLEAR_S:
        return "a timer or an alarm is due"
    if not hours.hold(local):
        return f"waits for {hours.begin:%H:%M} to {hours.end:%H:%M}"
    return None
