"""Calls that need no device: timers, the time, the date, and never mind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from services.home.timers import TimerRefused, Timers
from services.language.calls import Call
from services.language.outcome import Outcome

_SECONDS = {"hours": 3600, "minutes": 60, "seconds": 1}


def answer(call: Call, timers: Timers, wall: Callable[[], datetime]) -> Outcome | None:
    """The outcome of a call that needs no device, None when it is not one.

    Facts: ``duration_s`` (start); ``remaining_s`` (status: of the next to ring); ``time`` as
    ``HH:MM``, ``date`` as ``YYYY-MM-DD``, both local.
    Errors: ``no_timer``, ``unsupported``.
    """
    if call.name == "HassStartTimer":
        return _start(call, timers)
    without_arguments: Mapping[str, Callable[[], Outcome]] = {
        "HassCancelTimer": lambda: _cancel(call, timers),
        "HassTimerStatus": lambda: _status(call, timers),
        "HassGetCurrentTime": lambda: Outcome(call, facts={"time": f"{wall():%H:%M}"}),
        "HassGetCurrentDate": lambda: Outcome(call, facts={"date": f"{wall():%Y-%m-%d}"}),
        "HassNevermind": lambda: Outcome(call),
    }
    function = without_arguments.get(call.name)
    if function is None:
        return None
    return Outcome(call, error="unsupported") if call.arguments else function()


def _start(call: Call, timers: Timers) -> Outcome:
    duration_s = 0
    for unit, amount in call.arguments:
        if unit not in _SECONDS or not isinstance(amount, int) or not 0 <= amount <= 86_400:
            return Outcome(call, error="unsupported")
        duration_s += _SECONDS[unit] * amount
    try:
        timers.start(duration_s)
    except TimerRefused:
        return Outcome(call, error="unsupported")
    return Outcome(call, facts={"duration_s": duration_s})


def _cancel(call: Call, timers: Timers) -> Outcome:
    return Outcome(call, error="no_timer" if timers.cancel() is None else None)


def _status(call: Call, timers: Timers) -> Outcome:
    running = timers.running()
    if not running:
        return Outcome(call, error="no_timer")
    return Outcome(call, facts={"remaining_s": timers.remaining_s(running[0])})
