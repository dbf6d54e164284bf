"""The calls about alarms and reminders.

Facts: ``time`` as ``HH:MM``, local; ``day`` on which it comes: ``today``, ``tomorrow`` or a
weekday; ``days`` such as ``mon,tue`` where it comes every week; ``name``; ``text`` and
``duration_s`` of a reminder; ``count``, and several as ``time_1``, ``day_1`` … three at most. What
is reminded of after a while has ``remaining_s_1`` in place of a time.

Errors: ``no_alarm``, ``which_alarm``, ``no_reminder``, ``which_reminder`` (several match; facts as
above), ``no_reminders`` (none at all), ``clock_not_set``, ``time_is_over`` (of that day),
``unsupported``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.home.alarms import WEEKDAYS, Alarm, AlarmRefused, next_due
from services.home.arguments import MAX_TEXT, Refused, clock_time, seconds, words
from services.home.clock import Clocks, Moment, instant
from services.home.desk import Desk
from services.home.ringing import Ring
from services.home.timers import Timer, TimerRefused
from services.language.calls import Call, Value

LISTED = 3
Facts = dict[str, Value]
_NAMED_DAYS = {
    "daily": WEEKDAYS,
    "weekdays": WEEKDAYS[:5],
    "weekends": WEEKDAYS[5:],
}
_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class _When:
    due: datetime
    days: tuple[int, ...]


def set_alarm(desk: Desk, call: Call, moment: Moment) -> Facts:
    time = clock_time(call)
    if time is None:
        raise Refused("unsupported")
    when = _when(desk.clocks, moment, time, call)
    return _told(_add(desk, when, name=words(call, "name")), desk.clocks)


def cancel_alarm(desk: Desk, call: Call, moment: Moment) -> Facts:
    time, name = clock_time(call), words(call, "name")
    stopped = desk.ringer.stop(moment.clock_s, lambda ring: _rings(ring, time, name))
    if stopped:
        return _named(stopped[0].name)
    snoozed = [t for t in desk.timers.of_kind("alarm") if _rings(t.ring(), time, name)]
    alarms = [a for a in desk.alarms.of_kind("alarm") if _rings(a.ring(), time, name)]
    if len(snoozed) == 1 and not alarms:
        desk.timers.drop(snoozed[0])
        return {**({"time": snoozed[0].time} if snoozed[0].time else {}), **_named(snoozed[0].name)}
    alarm = _one(alarms, "alarm", desk.clocks)
    desk.alarms.drop(alarm)
    return _told(alarm, desk.clocks)


def alarm_status(desk: Desk, call: Call, moment: Moment) -> Facts:
    time, name = clock_time(call), words(call, "name")
    alarms = [a for a in desk.alarms.of_kind("alarm") if _rings(a.ring(), time, name)]
    if not alarms:
        raise Refused("no_alarm")
    if len(alarms) == 1:
        return _told(alarms[0], desk.clocks)
    return _listed(alarms, desk.clocks)


def remind(desk: Desk, call: Call, moment: Moment) -> Facts:
    text, time = words(call, "text", MAX_TEXT), clock_time(call)
    after_s = seconds(call)
    if text is None or (time is None) == (after_s is None):
        raise Refused("unsupported")
    if time is not None:
        when = _when(desk.clocks, moment, time, call)
        return _told(_add(desk, when, text=text), desk.clocks)
    if after_s is None or call.args.keys() & {"day", "days"}:
        raise Refused("unsupported")
    try:
        desk.timers.start(after_s, kind="reminder", text=text)
    except TimerRefused as error:
        raise Refused("unsupported") from error
    return {"text": text, "duration_s": after_s}


def reminder_status(desk: Desk, call: Call, moment: Moment) -> Facts:
    """All that are set, the next to come first; always as a list, of one as well."""
    zone = desk.clocks.zone()
    waiting: list[tuple[float, Facts]] = []
    for timer in desk.timers.of_kind("reminder"):
        left_s = desk.timers.remaining_s(timer)
        waiting.append((float(left_s), {"text": timer.text or "", "remaining_s": left_s}))
    for alarm in desk.alarms.of_kind("reminder"):
        waiting.append((instant(alarm.due, zone) - moment.wall_s, _told(alarm, desk.clocks)))
    if not waiting:
        raise Refused("no_reminders")
    return _numbered([facts for _, facts in sorted(waiting, key=lambda pair: pair[0])])


def cancel_reminder(desk: Desk, call: Call, moment: Moment) -> Facts:
    text, time = words(call, "text", MAX_TEXT), clock_time(call)

    def meant(ring: Ring) -> bool:
        said = set((ring.text or "").split())
        return (
            ring.kind == "reminder"
            and time in (None, ring.time)
            and (text is None or set(text.split()) <= said)
        )

    stopped = desk.ringer.stop(moment.clock_s, meant)
    if stopped:
        return {"text": stopped[0].text or ""}
    timers = [t for t in desk.timers.of_kind("reminder") if meant(t.ring())]
    alarms = [a for a in desk.alarms.of_kind("reminder") if meant(a.ring())]
    texts = [t.text or "" for t in timers] + [a.text or "" for a in alarms]
    if not texts:
        raise Refused("no_reminder")
    if len(texts) > 1:
        facts = {f"text_{n}": text for n, text in enumerate(texts[:LISTED], 1)}
        raise Refused("which_reminder", {"count": len(texts), **facts})
    _drop(desk, timers, alarms)
    return {"text": texts[0]}


def _drop(desk: Desk, timers: Sequence[Timer], alarms: Sequence[Alarm]) -> None:
    for timer in timers:
        desk.timers.drop(timer)
    for alarm in alarms:
        desk.alarms.drop(alarm)


def _add(desk: Desk, when: _When, name: str | None = None, text: str | None = None) -> Alarm:
    try:
        return desk.alarms.add(when.due, when.days, name, text)
    except AlarmRefused as error:
        raise Refused("unsupported") from error


def _when(clocks: Clocks, moment: Moment, time: str, call: Call) -> _When:
    """The first time a wish comes true: on its ``day``, else each week on its ``days``.

    Raises:
        Refused: ``clock_not_set``; ``time_is_over``; ``unsupported`` for days that are none.
    """
    if not moment.wall_is_set:
        raise Refused("clock_not_set")
    zone, today = clocks.zone(), clocks.local().date()
    once, days = words(call, "day"), words(call, "days")
    if once and days:
        raise Refused("unsupported")
    if once in ("today", "tomorrow"):
        day = today + timedelta(days=once == "tomorrow")
        due = datetime.combine(day, datetime.strptime(time, "%H:%M").time())
        if instant(due, zone) <= moment.wall_s:
            raise Refused("time_is_over")
        return _When(due, ())
    if once:
        return _When(next_due(moment.wall_s, zone, time, _weekdays(once)), ())
    chosen = _weekdays(days) if days else ()
    return _When(next_due(moment.wall_s, zone, time, chosen), chosen)


def _weekdays(days: str) -> tuple[int, ...]:
    names = _NAMED_DAYS.get(days, tuple(day.strip()[:3] for day in days.split(",")))
    if not set(names) <= set(WEEKDAYS):
        raise Refused("unsupported")
    return tuple(sorted({WEEKDAYS.index(name) for name in names}))


def _rings(ring: Ring, time: str | None, name: str | None) -> bool:
    """Whether an alarm is the one that is meant."""
    return ring.kind == "alarm" and time in (None, ring.time) and name in (None, ring.name)


def _one(alarms: Sequence[Alarm], what: str, clocks: Clocks) -> Alarm:
    if not alarms:
        raise Refused(f"no_{what}")
    if len(alarms) > 1:
        raise Refused(f"which_{what}", _listed(alarms, clocks))
    return alarms[0]


def _told(alarm: Alarm, clocks: Clocks) -> Facts:
    facts: Facts = {"time": alarm.time, "day": _day(alarm.due.date(), clocks.local().date())}
    if alarm.days:
        facts["days"] = ",".join(WEEKDAYS[day] for day in alarm.days)
    if alarm.text is not None:
        facts["text"] = alarm.text
    return {**facts, **_named(alarm.name)}


def _day(day: date, today: date) -> str:
    ahead = (day - today).days
    return ("today", "tomorrow")[ahead] if ahead in (0, 1) else _LONG[day.weekday()]


def _listed(alarms: Sequence[Alarm], clocks: Clocks) -> Facts:
    return _numbered([_told(alarm, clocks) for alarm in alarms])


def _numbered(told: Sequence[Facts]) -> Facts:
    facts: Facts = {"count": len(told)}
    for place, each in enumerate(told[:LISTED], 1):
        facts |= {f"{key}_{place}": value for key, value in each.items()}
    return facts


def _named(name: str | None) -> Facts:
    return {} if name is None else {"name": name}
