"""The two clocks of time keeping, and local time with its missing and its doubled hours.

What lasts (timers) is measured on a clock that only runs forward; what is set for an hour of the
day (alarms) follows the wall clock. A box without a battery-backed clock starts in the past and
jumps by years once the network has told it the time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

EARLIEST_S = datetime(2025, 1, 1, tzinfo=timezone.utc).timestamp()
"""A wall clock before this has not been set: this program is younger."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LOCAL_TIME = Path("/etc/localtime")


@dataclass(frozen=True)
class Moment:
    """Both clocks, read together."""

    clock_s: float
    """Seconds that never run backwards; comparable within one boot."""
    wall_s: float
    """Seconds since 1970, UTC, as the machine believes."""

    @property
    def wall_is_set(self) -> bool:
        return self.wall_s >= EARLIEST_S

    @property
    def offset_s(self) -> float:
        """Stays the same until somebody sets the wall clock."""
        return self.wall_s - self.clock_s


@dataclass(frozen=True)
class Clocks:
    """Where time comes from; tests put in their own."""

    clock: Callable[[], float]
    wall: Callable[[], float]
    zone: Callable[[], tzinfo]
    boot_id: str = ""
    """Differs after each start of the machine; empty where it is not known."""

    def moment(self) -> Moment:
        return Moment(self.clock(), self.wall())

    def local(self) -> datetime:
        """Local time without its zone."""
        return local_time(self.wall(), self.zone())


def system_clocks() -> Clocks:
    """The machine's own; its steady clock also counts while the machine sleeps."""
    zone = local_zone()
    return Clocks(_since_boot, time.time, lambda: zone, _boot_id())


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()[:64]
    except (OSError, UnicodeDecodeError):
        return ""


def local_zone() -> tzinfo:
    """The zone of ``$TZ``, else of ``/etc/localtime``, else UTC."""
    try:
        named = os.environ.get("TZ", "").lstrip(":")
        if named:
            return ZoneInfo(named)
        with _LOCAL_TIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return timezone.utc


def local_time(wall_s: float, zone: tzinfo) -> datetime:
    """The local time, without zone, at seconds since 1970."""
    return datetime.fromtimestamp(wall_s, zone).replace(tzinfo=None)


def instant(local: datetime, zone: tzinfo) -> float:
    """Seconds since 1970 at which a local time (without zone) comes.

    Where clocks go forward, a time that is left out comes at the first one after the gap: 02:30
    comes at 03:00. Where they go back, a time that comes twice counts the first time.
    """
    first = local.replace(tzinfo=zone, fold=0).timestamp()
    second = local.replace(tzinfo=zone, fold=1).timestamp()
    if second >= first:  # an ordinary time, or one that comes twice
        return first
    return _end_of_gap(int(second), int(first), zone)


def _end_of_gap(before_s: int, after_s: int, zone: tzinfo) -> float:
    """The second in (before, after] at which the zone's offset changes."""
    early = _offset(before_s, zone)
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if _offset(middle_s, zone) == early:
            before_s = middle_s
        else:
            after_s = middle_s
    return float(after_s)


def _offset(wall_s: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(wall_s, zone).utcoffset()
