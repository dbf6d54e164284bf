"""The small calls: time and date, sums, volume, stop, snooze and "say that again".

Facts: ``time`` as ``HH:MM`` and ``date`` as ``YYYY-MM-DD``, local, absent while the clock is not
set; ``value`` (decimal digits) and ``rounded`` (1) of a sum; ``level`` of the volume, in percent;
``stopped``, how much rang; ``duration_s`` of a snooze; ``text``, the last reply.

Errors: ``nothing_rings``, ``nothing_said``, ``zero_divisor``, ``too_large``, ``unsupported``.
"""

from __future__ import annotations

from services.home.arguments import Refused, seconds, whole
from services.home.arithmetic import ArithmeticRefused, compute
from services.home.clock import Moment
from services.home.desk import Desk
from services.home.ringing import SNOOZE_S
from services.home.volume import STEP
from services.language.calls import Call, Value

Facts = dict[str, Value]


def current_time(desk: Desk, call: Call, moment: Moment) -> Facts:
    return {"time": f"{desk.clocks.local():%H:%M}"} if moment.wall_is_set else {}


def current_date(desk: Desk, call: Call, moment: Moment) -> Facts:
    return {"date": f"{desk.clocks.local():%Y-%m-%d}"} if moment.wall_is_set else {}


day_of_week = current_date
"""The reply tells the weekday of the date."""


def arithmetic(desk: Desk, call: Call, moment: Moment) -> Facts:
    args = call.args
    if len(args) != 3:
        raise Refused("unsupported")
    try:
        result = compute(args["left"], str(args["operator"]).replace("_", " "), args["right"])
    except ArithmeticRefused as error:
        raise Refused(str(error)) from error
    return {"value": result.value} if result.exact else {"value": result.value, "rounded": 1}


def set_volume(desk: Desk, call: Call, moment: Moment) -> Facts:
    return {"level": desk.volume.set(whole(call, "volume_level", 0, 100))}


def change_volume(desk: Desk, call: Call, moment: Moment) -> Facts:
    steps = {"up": STEP, "down": -STEP}
    named = steps.get(str(call.args.get("volume_step")))
    percent = whole(call, "volume_step", -100, 100) if named is None else named
    return {"level": desk.volume.change(percent)}


def mute(desk: Desk, call: Call, moment: Moment) -> Facts:
    """No sound but that of what rings; what is said is still heard, so it can be undone."""
    return {"level": desk.volume.set(0)}


def unmute(desk: Desk, call: Call, moment: Moment) -> Facts:
    return {"level": desk.volume.unmute()}


def microphone(desk: Desk, call: Call, moment: Moment) -> Facts:
    """Nothing is done: the reply tells of the switch. Words must not close what hears them."""
    return {}


def stop(desk: Desk, call: Call, moment: Moment) -> Facts:
    stopped = desk.ringer.stop(moment.clock_s)
    return {"stopped": len(stopped)} if stopped else {}


def snooze(desk: Desk, call: Call, moment: Moment) -> Facts:
    asked_s = seconds(call)
    duration_s = SNOOZE_S if asked_s is None else asked_s
    if not 1 <= duration_s <= 3600:
        raise Refused("unsupported")
    rings = desk.ringer.snooze(moment.clock_s)
    if not rings:
        raise Refused("nothing_rings")
    for ring in rings:
        desk.timers.again(ring, duration_s)
    return {"duration_s": duration_s}


def repeat(desk: Desk, call: Call, moment: Moment) -> Facts:
    if not desk.last_reply:
        raise Refused("nothing_said")
    return {"text": desk.last_reply}
