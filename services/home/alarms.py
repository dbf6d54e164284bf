"""Alarms and reminders at an hour of the day, once or on weekdays. Pure, fed both clocks.

Each holds the local time it is due next, so it follows the zone and its summer time. A wall clock
that is set by more than an hour was wrong before: what was planned on it is planned again, which
neither rings nor loses anything. What was planned before the machine started stands, for then the
clock had been right; it rings if it is a quarter of an hour late at most, else it is told once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from services.home.clock import Moment, instant, local_time
from services.home.ringing import LATE_S, RING_FOR_S, Kind, Ring
from services.home.timers import PLAUSIBLE_OFF_S

MAX_ALARMS = 64
SET_ANEW_S = 3600.0
"""A wall clock that moves further was wrong before; less is a correction."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class AlarmRefused(ValueError):
    """Too many alarms, or a day that has passed."""


@dataclass(frozen=True)
class Alarm:
    number: int
    time: str
    """``HH:MM``, local."""
    due: datetime
    """Local, without zone."""
    days: tuple[int, ...] = ()
    """Weekdays, Monday is 0; empty: once."""
    name: str | None = None
    text: str | None = None
    """Of a reminder; personal data."""
    inherited: bool = False
    """Planned before the machine started."""

    @property
    def kind(self) -> Kind:
        return "alarm" if self.text is None else "reminder"

    def ring(self, late: bool = False, missed: bool = False) -> Ring:
        """What rings when it is due."""
        return Ring(
            self.kind,
            self.number,
            self.name,
            self.text,
            time=self.time,
            late=late,
            missed=missed,
        )


def next_due(now_s: float, zone: tzinfo, time: str, days: tuple[int, ...] = ()) -> datetime:
    """The first local time that comes after ``now_s`` and is ``HH:MM`` on one of the days.

    Without days any will do. See ``clock.instant`` for the nights when clocks change.
    """
    hour, minute = (int(part) for part in time.split(":"))
    due = local_time(now_s, zone).replace(hour=hour, minute=minute, second=0, microsecond=0)
    while instant(due, zone) <= now_s or (days and due.weekday() not in days):
        due += timedelta(days=1)
    return due


class Alarms:
    """Those that are set. Reading is safe from any thread, changing is its owner's."""

    def __init__(self) -> None:
        self._alarms: tuple[Alarm, ...] = ()
        self.last_number = 0

    def add(
        self,
        due: datetime,
        days: tuple[int, ...] = (),
        name: str | None = None,
        text: str | None = None,
    ) -> Alarm:
        """Set an alarm, or a reminder where there is a text; one that is there already is kept.

        Raises:
            AlarmRefused: 64 are set.
        """
        alarm = Alarm(self.last_number + 1, f"{due:%H:%M}", due, days, name, text)
        for other in self._alarms:
            if replace(other, number=alarm.number, inherited=False) == alarm:
                return other
        if len(self._alarms) >= MAX_ALARMS:
            raise AlarmRefused(f"{MAX_ALARMS} alarms are set")
        self.put(alarm)
        return alarm

    def put(self, alarm: Alarm) -> None:
        """Take an alarm as it is, replacing the one with its number."""
        kept = tuple(a for a in self._alarms if a.number != alarm.number)
        self._alarms = tuple(sorted((*kept, alarm), key=lambda a: a.number))
        self.last_number = max(self.last_number, alarm.number)

    def drop(self, alarm: Alarm) -> None:
        self._alarms = tuple(a for a in self._alarms if a.number != alarm.number)

    def all(self) -> tuple[Alarm, ...]:
        """Alarms and reminders, oldest first."""
        return self._alarms

    def of_kind(self, kind: Kind) -> tuple[Alarm, ...]:
        """Those of a kind, the next to ring first."""
        chosen = [a for a in self._alarms if a.kind == kind]
        return tuple(sorted(chosen, key=lambda a: (a.due, a.number)))

    def stepped(self, moment: Moment, zone: tzinfo, moved_s: float) -> None:
        """The wall clock was set by so much: plan again what was planned while it was wrong."""
        if abs(moved_s) <= SET_ANEW_S:
            return
        for alarm in self._alarms:
            if not alarm.inherited:
                self._plan(alarm, moment, zone)

    def tick(self, moment: Moment, zone: tzinfo) -> tuple[Ring, ...]:
        """What rings now, in the order it was due; nothing while the wall clock is not set."""
        if not moment.wall_is_set:
            return ()
        due = [(moment.wall_s - instant(a.due, zone), a) for a in self._alarms]
        over = sorted((d for d in due if d[0] >= 0), key=lambda d: -d[0])
        rings = []
        for late_s, alarm in over:
            if late_s > PLAUSIBLE_OFF_S:  # nobody sleeps for a year: that clock was wrong
                self._plan(alarm, moment, zone)
                continue
            rings.append(alarm.ring(late=late_s > LATE_S, missed=late_s > RING_FOR_S))
            if alarm.days:
                self._plan(alarm, moment, zone)
            else:
                self.drop(alarm)
        return tuple(rings)

    def _plan(self, alarm: Alarm, moment: Moment, zone: tzinfo) -> None:
        due = next_due(moment.wall_s, zone, alarm.time, alarm.days)
        self.put(replace(alarm, due=due, inherited=False))
