"""Whether this device's clock may judge expiry.

A clock that is behind hides a freeze attack: what expired long ago looks valid. A clock that is
ahead refuses everything, the repair included. Neither is worked around: the update is refused and
the fleet is told why, while the model that runs goes on running.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ota.errors import Reason, TrustError

SLACK = timedelta(days=1)
"""How far an honest clock may be off between a cold start and its first time server."""


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(timezone.utc)


def reference(now: datetime, *bounds: datetime | None) -> datetime:
    """The time to judge expiry by: ``now``, or a bound that is later by no more than ``SLACK``.

    Args:
        now: what the clock says.
        bounds: moments that have certainly passed, as the build of the image.

    Raises:
        TrustError: CLOCK; the clock is behind a bound by more than ``SLACK``.
    """
    floor = max((bound for bound in bounds if bound is not None), default=now)
    if now < floor - SLACK:
        raise TrustError(
            Reason.CLOCK, f"the clock says {_day(now)}, but {_day(floor)} is in the past already"
        )
    return max(now, floor)


def expired(what: str, now: datetime, witness: datetime | None) -> TrustError:
    """What to say of expired metadata: is the repository old, or this clock ahead?

    Both refuse. A witness only names the cause, so it needs no trust.

    Args:
        what: the role that expired.
        now: what the clock says.
        witness: what the server's clock says, if it said anything.
    """
    if witness is not None and now - witness > SLACK:
        return TrustError(
            Reason.CLOCK,
            f"{what} is expired by this clock ({_day(now)}), but the server says {_day(witness)}",
        )
    return TrustError(Reason.UNTRUSTED, f"{what}: expired")


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
