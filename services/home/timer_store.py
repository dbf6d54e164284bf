"""Timers, alarms and what rings, as they are kept on disk.

Steady clocks begin anew with each start of the machine, so a countdown is kept as what was left
of it, beside both clocks and the boot they belong to. Within one boot the rest is exact, whatever
became of the wall clock; across boots the wall clock says how long the box was off.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from services.home.alarms import MAX_ALARMS, Alarm, Alarms
from services.home.clock import Moment
from services.home.ringing import MAX_SOUNDING, RING_FOR_S, Kind, Ring, Ringer
from services.home.timers import MAX_DURATION_S, Anchor, Timer, Timers

FILE_NAME = "timers.json"
MAX_COUNTDOWNS = 1_000
"""More than timers, reminders and snoozes can add up to."""

Seconds = Annotated[float, Field(allow_inf_nan=False)]
Number = Annotated[int, Field(ge=1, le=2**53)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KeptAnchor(_Kept):
    wall_s: Seconds
    left_s: Seconds


class KeptTimer(_Kept):
    number: Number
    kind: Kind
    duration_s: Annotated[int, Field(ge=1, le=MAX_DURATION_S)]
    left_s: Annotated[Seconds, Field(le=MAX_DURATION_S + 1)]
    paused: bool
    name: Short | None = None
    text: Text | None = None
    time: ClockTime | None = None
    anchor: KeptAnchor | None = None


class KeptAlarm(_Kept):
    number: Number
    time: ClockTime
    due: datetime
    days: Annotated[tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(max_length=7)] = ()
    name: Short | None = None
    text: Text | None = None
    inherited: bool = False

    @field_validator("due")
    @classmethod
    def _local(cls, due: datetime) -> datetime:
        if due.tzinfo is not None:
            raise ValueError("due is a local time and has no zone")
        return due


class KeptRing(_Kept):
    kind: Kind
    number: Number
    left_s: Annotated[Seconds, Field(le=RING_FOR_S + 1)]
    duration_s: Annotated[int, Field(ge=0, le=MAX_DURATION_S)] = 0
    name: Short | None = None
    text: Text | None = None
    time: ClockTime | None = None


class Kept(_Kept):
    """The whole file."""

    schema_version: Literal[1] = 1
    boot_id: Annotated[str, StringConstraints(max_length=64)]
    clock_s: Seconds
    wall_s: Seconds
    timers: Annotated[tuple[KeptTimer, ...], Field(max_length=MAX_COUNTDOWNS)] = ()
    alarms: Annotated[tuple[KeptAlarm, ...], Field(max_length=MAX_ALARMS)] = ()
    ringing: Annotated[tuple[KeptRing, ...], Field(max_length=MAX_SOUNDING)] = ()

    @property
    def moment(self) -> Moment:
        return Moment(self.clock_s, self.wall_s)


def keep(moment: Moment, boot_id: str, timers: Timers, alarms: Alarms, ringer: Ringer) -> Kept:
    """All that must outlive the process."""
    now_s = moment.clock_s
    return Kept(
        boot_id=boot_id,
        clock_s=moment.clock_s,
        wall_s=moment.wall_s,
        timers=tuple(_timer(t, now_s) for t in timers.all()),
        alarms=tuple(_alarm(a) for a in alarms.all()),
        ringing=tuple(_ring(s.ring, s.until_s - now_s) for s in ringer.sounding),
    )


def restore(
    kept: Kept, moment: Moment, boot_id: str, timers: Timers, alarms: Alarms, ringer: Ringer
) -> None:
    """Put back what was kept, as far as time has not taken it."""
    same_boot = bool(boot_id) and boot_id == kept.boot_id and moment.clock_s >= kept.clock_s
    for timer in kept.timers:
        timers.put(_restored(timer, kept, moment, same_boot))
    for alarm in kept.alarms:
        inherited = alarm.inherited or not same_boot
        fields = alarm.model_dump(exclude={"inherited"})
        alarms.put(Alarm(**fields, inherited=inherited))
    timers.settle(moment)
    off_s = _off_s(kept, moment, same_boot)
    for ring in kept.ringing:
        left_s = min(ring.left_s - off_s, RING_FOR_S)
        if left_s > 0:
            fields = ring.model_dump(exclude={"left_s"})
            ringer.begin(Ring(**fields), moment.clock_s, left_s)


def _off_s(kept: Kept, moment: Moment, same_boot: bool) -> float:
    """How long nobody counted; 0 where no clock can tell."""
    if same_boot:
        return moment.clock_s - kept.clock_s
    if not (moment.wall_is_set and kept.moment.wall_is_set):
        return 0.0
    left_s = Anchor(kept.wall_s, 0.0).left_at(moment.wall_s)
    return 0.0 if left_s is None else -left_s


def _restored(timer: KeptTimer, kept: Kept, moment: Moment, same_boot: bool) -> Timer:
    left_s = timer.left_s if timer.paused else timer.left_s - _off_s(kept, moment, same_boot)
    anchor = Anchor(timer.anchor.wall_s, timer.anchor.left_s) if timer.anchor else None
    if not same_boot and anchor is None and kept.moment.wall_is_set:
        anchor = Anchor(kept.wall_s, timer.left_s)
    fields = timer.model_dump(include={"number", "kind", "duration_s", "name", "text", "time"})
    running = Timer(**fields, ends_at_s=moment.clock_s + left_s, anchor=anchor)
    return replace(running, paused_left_s=left_s, anchor=None) if timer.paused else running


def _timer(timer: Timer, now_s: float) -> KeptTimer:
    anchor = timer.anchor
    return KeptTimer(
        number=timer.number,
        kind=timer.kind,
        duration_s=timer.duration_s,
        left_s=timer.left_s(now_s),
        paused=timer.paused,
        name=timer.name,
        text=timer.text,
        time=timer.time,
        anchor=KeptAnchor(wall_s=anchor.wall_s, left_s=anchor.left_s) if anchor else None,
    )


def _alarm(alarm: Alarm) -> KeptAlarm:
    return KeptAlarm(
        number=alarm.number,
        time=alarm.time,
        due=alarm.due,
        days=alarm.days,
        name=alarm.name,
        text=alarm.text,
        inherited=alarm.inherited,
    )


def _ring(ring: Ring, left_s: float) -> KeptRing:
    return KeptRing(
        kind=ring.kind,
        number=ring.number,
        left_s=left_s,
        duration_s=ring.duration_s,
        name=ring.name,
        text=ring.text,
        time=ring.time,
    )
