"""The calls about timers.

Facts: ``duration_s`` (start), ``remaining_s``, ``added_s`` (a change), ``name``, ``paused`` (1),
``count``; several timers are told one by one as ``name_1``, ``duration_s_1``, ``remaining_s_1``,
``paused_1`` and so on, three at most. A cancelled timer is named where another could be meant.

Errors: ``no_timer``, ``which_timer`` (several match; facts as above), ``unsupported``.

Timers are in no room; "the kitchen timer" is one of that name, and any other ``area`` is
``unsupported``. Without a selector "cancel" means what rings, else the timer started last; pausing
and changing ask back where several could be meant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.home.arguments import Refused, seconds, words
from services.home.clock import Moment
from services.home.desk import Desk
from services.home.ringing import Ring
from services.home.timers import Timer, TimerRefused
from services.language.calls import Call, Value

LISTED = 3
Facts = dict[str, Value]


def start(desk: Desk, call: Call, moment: Moment) -> Facts:
    duration_s, name = seconds(call), words(call, "name")
    if duration_s is None:
        raise Refused("unsupported")
    try:
        desk.timers.start(duration_s, name)
    except TimerRefused as error:
        raise Refused("unsupported") from error
    return {"duration_s": duration_s, **_named(name)}


def cancel(desk: Desk, call: Call, moment: Moment) -> Facts:
    stopped = desk.ringer.stop(moment.clock_s, _selector(desk, call))
    if stopped:
        return _named(stopped[0].name)
    timers = desk.timers.of_kind("timer")
    timer = _one(desk, call) if call.arguments or not timers else timers[-1]
    desk.timers.drop(timer)
    if len(timers) == 1 and timer.name is None:
        return {}
    return {"duration_s": timer.duration_s, **_named(timer.name)}


def cancel_all(desk: Desk, call: Call, moment: Moment) -> Facts:
    timers = desk.timers.of_kind("timer")
    stopped = desk.ringer.stop(moment.clock_s, _is_timer)
    if not timers and not stopped:
        raise Refused("no_timer")
    for timer in timers:
        desk.timers.drop(timer)
    return {"count": len(timers) + len(stopped)}


def increase(desk: Desk, call: Call, moment: Moment) -> Facts:
    return _change(desk, call, 1)


def decrease(desk: Desk, call: Call, moment: Moment) -> Facts:
    return _change(desk, call, -1)


def pause(desk: Desk, call: Call, moment: Moment) -> Facts:
    timer = _one(desk, call, lambda t: not t.paused)
    return _told(desk, desk.timers.pause(timer))


def unpause(desk: Desk, call: Call, moment: Moment) -> Facts:
    timer = _one(desk, call, lambda t: t.paused)
    return _told(desk, desk.timers.resume(timer))


def status(desk: Desk, call: Call, moment: Moment) -> Facts:
    matching = _matching(desk, call)
    if not matching:
        raise Refused("no_timer")
    return _told(desk, matching[0]) if len(matching) == 1 else _listed(desk, matching)


def _change(desk: Desk, call: Call, sign: int) -> Facts:
    amount_s = seconds(call)
    if not amount_s:
        raise Refused("unsupported")
    timer = _one(desk, call)
    try:
        changed = desk.timers.add(timer, sign * amount_s)
    except TimerRefused as error:
        raise Refused("unsupported") from error
    return {"added_s": sign * amount_s, **_told(desk, changed)}


def _one(desk: Desk, call: Call, fits: Callable[[Timer], bool] = lambda timer: True) -> Timer:
    """The one timer that is meant: the one that fits, where several were named alike."""
    matching = _matching(desk, call)
    if not matching:
        raise Refused("no_timer")
    fitting = [t for t in matching if fits(t)] or matching
    if len(fitting) > 1:
        raise Refused("which_timer", _listed(desk, fitting))
    return fitting[0]


def _matching(desk: Desk, call: Call) -> list[Timer]:
    """The timers that were named, the next to ring first."""
    chosen = _selector(desk, call)
    timers = [t for t in desk.timers.of_kind("timer") if chosen(t.ring())]
    return sorted(timers, key=lambda t: (t.paused, desk.timers.remaining_s(t), t.number))


def _is_timer(ring: Ring) -> bool:
    return ring.kind == "timer"


def _selector(desk: Desk, call: Call) -> Callable[[Ring], bool]:
    name, area, duration_s = words(call, "name"), words(call, "area"), seconds(call, "start_")
    if area is not None:
        known = [t.name for t in desk.timers.all()] + [r.name for r in desk.ringer.rings]
        if name is not None or area not in known:
            raise Refused("unsupported")
        name = area

    def chosen(ring: Ring) -> bool:
        named = name is None or ring.name == name
        return _is_timer(ring) and named and duration_s in (None, ring.duration_s)

    return chosen


def _told(desk: Desk, timer: Timer) -> Facts:
    facts: Facts = {"remaining_s": desk.timers.remaining_s(timer), **_named(timer.name)}
    if timer.paused:
        facts["paused"] = 1
    if timer.name is None and len(desk.timers.of_kind("timer")) > 1:
        facts["duration_s"] = timer.duration_s
    return facts


def _listed(desk: Desk, timers: Sequence[Timer]) -> Facts:
    facts: Facts = {"count": len(timers)}
    for place, timer in enumerate(timers[:LISTED], 1):
        facts[f"duration_s_{place}"] = timer.duration_s
        facts |= {f"{key}_{place}": value for key, value in _told(desk, timer).items()}
    return facts


def _named(name: str | None) -> Facts:
    return {} if name is None else {"name": name}
