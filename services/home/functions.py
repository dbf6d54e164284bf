"""Calls that need no device, by name, and the arguments each may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.home import functions_alarms as alarms
from services.home import functions_small as small
from services.home import functions_timers as timers
from services.home.arguments import Refused
from services.home.clock import Moment
from services.home.desk import Desk
from services.language.calls import Call, Value
from services.language.functions import VOLUMES
from services.language.outcome import Outcome

Facts = Mapping[str, Value]
_DURATION = frozenset({"hours", "minutes", "seconds"})
_WHICH = frozenset({"name", "area", "start_hours", "start_minutes", "start_seconds"})


@dataclass(frozen=True)
class Function:
    carry_out: Callable[[Desk, Call, Moment], Facts]
    """Raises Refused; what it returns are the outcome's facts."""
    arguments: frozenset[str] = frozenset()


FUNCTIONS: Mapping[str, Function] = {
    "HassStartTimer": Function(timers.start, _DURATION | {"name"}),
    "HassCancelTimer": Function(timers.cancel, _WHICH),
    "HassCancelAllTimers": Function(timers.cancel_all),
    "HassIncreaseTimer": Function(timers.increase, _DURATION | _WHICH),
    "HassDecreaseTimer": Function(timers.decrease, _DURATION | _WHICH),
    "HassPauseTimer": Function(timers.pause, _WHICH),
    "HassUnpauseTimer": Function(timers.unpause, _WHICH),
    "HassTimerStatus": Function(timers.status, _WHICH),
    "LinnetSetAlarm": Function(alarms.set_alarm, frozenset({"time", "day", "days", "name"})),
    "LinnetCancelAlarm": Function(alarms.cancel_alarm, frozenset({"time", "name"})),
    "LinnetAlarmStatus": Function(alarms.alarm_status, frozenset({"time", "name"})),
    "LinnetReminder": Function(alarms.remind, _DURATION | {"text", "time", "day", "days"}),
    "LinnetReminderStatus": Function(alarms.reminder_status),
    "LinnetCancelReminder": Function(alarms.cancel_reminder, frozenset({"text", "time"})),
    "LinnetSnooze": Function(small.snooze, _DURATION),
    "LinnetStop": Function(small.stop),
    "LinnetRepeat": Function(small.repeat),
    "LinnetArithmetic": Function(small.arithmetic, frozenset({"left", "operator", "right"})),
    "LinnetDayOfWeek": Function(small.day_of_week),
    "HassSetVolume": Function(small.set_volume, frozenset({"volume_level"})),
    "HassSetVolumeRelative": Function(small.change_volume, frozenset({"volume_step"})),
    "HassMediaPlayerMute": Function(small.mute),
    "HassMediaPlayerUnmute": Function(small.unmute),
    "LinnetMicrophone": Function(small.microphone),
    "HassGetCurrentTime": Function(small.current_time),
    "HassGetCurrentDate": Function(small.current_date),
    "HassNevermind": Function(lambda desk, call, moment: {}),
}
_OF_DEVICES = frozenset({"name", "area", "floor", "domain", "device_class"})


def answer(call: Call, desk: Desk) -> Outcome | None:
    """The outcome of a call that needs no device, None when it is not one.

    Facts and errors are those of each function, see ``functions_timers``, ``functions_alarms``
    and ``functions_small``; ``unsupported`` where an argument is unknown or cannot be.
    """
    function = FUNCTIONS.get(call.name)
    given = frozenset(call.args)
    if function is None or (call.name in VOLUMES and given & _OF_DEVICES):
        return None
    if not given <= function.arguments:
        return Outcome(call, error="unsupported")
    try:
        with desk.changing() as moment:
            return Outcome(call, facts=function.carry_out(desk, call, moment))
    except Refused as refused:
        return Outcome(call, facts=refused.facts, error=refused.error)
