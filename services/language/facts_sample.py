"""Random facts and failures of calls without a device, as the home's desk tells them."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

from services.language.calls import Call, Value
from services.language.reply_facts import LISTED
from services.language.spoken_quantity import quantity_words
from services.language.values import TIMER_NAMES

Facts = dict[str, Value]
_SCALE = {"hours": 3600, "minutes": 60, "seconds": 1}
_DAYS = ("today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
         "sunday")  # fmt: skip


def facts(rng: random.Random, call: Call) -> Facts:
    """What a call that succeeded has to tell; empty where that is nothing."""
    told = _FACTS.get(call.name)
    return told(rng, call) if told else {}


def refusal(rng: random.Random, call: Call) -> tuple[str, Facts] | None:
    """A way in which such a call fails, with its facts; None for one that cannot."""
    ways = _REFUSALS.get(call.name)
    if not ways:
        return None
    error = rng.choice(ways)
    several = _SEVERAL.get(error)
    return error, several(rng) if several else {}


def _duration_s(call: Call, default: int = 0) -> int:
    args = call.args
    return sum(int(args.get(unit, 0)) * scale for unit, scale in _SCALE.items()) or default


def _remaining_s(rng: random.Random) -> int:
    return rng.randrange(1, rng.choice((60, 600, 3600, 3 * 3600)))


def _round_s(rng: random.Random) -> int:
    """A length people set timers for."""
    return rng.choice((60 * rng.randint(1, 60), 300 * rng.randint(1, 12), 3600 * rng.randint(1, 3)))


def _named(call: Call) -> Facts:
    return {"name": call.args["name"]} if "name" in call.args else {}


def _started(rng: random.Random, call: Call) -> Facts:
    return {"duration_s": _duration_s(call), **_named(call)}


def _standing(rng: random.Random, call: Call) -> Facts:
    if not call.arguments and rng.random() < 0.15:
        return _timers(rng)
    told: Facts = {"remaining_s": _remaining_s(rng), **_named(call)}
    return {**told, "paused": 1} if rng.random() < 0.1 else told


def _cancelled(rng: random.Random, call: Call) -> Facts:
    if not call.arguments:
        return {} if rng.random() < 0.8 else {"duration_s": _round_s(rng)}
    asked_s = int(call.args.get("start_minutes", 0)) * 60
    return {"duration_s": asked_s or _round_s(rng), **_named(call)}


def _changed(rng: random.Random, call: Call) -> Facts:
    sign = 1 if call.name == "HassIncreaseTimer" else -1
    added_s = sign * _duration_s(call)
    over = sign < 0 and rng.random() < 0.1
    left_s = 0 if over else _remaining_s(rng) + max(added_s, 0)
    return {"added_s": added_s, "remaining_s": left_s, **_named(call)}


def _timers(rng: random.Random) -> Facts:
    count = rng.choice((2, 2, 2, 3, 3, 4, 5))
    told: Facts = {"count": count}
    for place in range(1, min(count, LISTED) + 1):
        told[f"duration_s_{place}"] = _round_s(rng)
        told[f"remaining_s_{place}"] = _remaining_s(rng)
        if rng.random() < 0.5:
            told[f"name_{place}"] = rng.choice(TIMER_NAMES)
    return told


def _clock(rng: random.Random) -> str:
    minute = rng.choice((0, 0, 15, 30, 45, 5 * rng.randrange(12), rng.randrange(60)))
    return f"{rng.randrange(24):02}:{minute:02}"


def _alarm(rng: random.Random, call: Call) -> Facts:
    told: Facts = {"time": call.args.get("time") or _clock(rng), "day": rng.choice(_DAYS)}
    return {**told, "days": call.args["days"]} if "days" in call.args else told


def _alarm_off(rng: random.Random, call: Call) -> Facts:
    return {} if rng.random() < 0.2 else _alarm(rng, call)


def _alarms(rng: random.Random, call: Call) -> Facts:
    return _several_alarms(rng) if rng.random() < 0.4 else _alarm(rng, call)


def _several_alarms(rng: random.Random) -> Facts:
    count = rng.choice((2, 2, 3, 4))
    told: Facts = {"count": count}
    for place in range(1, min(count, LISTED) + 1):
        told[f"time_{place}"], told[f"day_{place}"] = _clock(rng), rng.choice(_DAYS)
    return told


def _sum(rng: random.Random, call: Call) -> Facts:
    left, right = Fraction(call.args["left"]), Fraction(call.args["right"])
    operator = call.args["operator"]
    if operator == "divided_by":
        value = left / right if right else Fraction(0)
    else:
        value = {"plus": left + right, "minus": left - right, "times": left * right}[str(operator)]
    rounded = round(value, 3)
    digits = f"{float(rounded):.3f}".rstrip("0").rstrip(".")
    return {"value": digits} if rounded == value else {"value": digits, "rounded": 1}


def _level(rng: random.Random, call: Call) -> Facts:
    asked = call.args.get("volume_level")
    return {"level": rng.randrange(0, 101, 10) if asked is None else asked}


def _last(rng: random.Random, call: Call) -> Facts:
    said = (f"that is {quantity_words(str(rng.randrange(100)))}", "the lights are on",
            "timer cancelled", "i can't find that")  # fmt: skip
    return {"text": rng.choice(said)}


def _time(rng: random.Random, call: Call) -> Facts:
    return {"time": f"{rng.randrange(24):02}:{rng.randrange(60):02}"}


def _date(rng: random.Random, call: Call) -> Facts:
    return {"date": f"2026-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"}


_FACTS: dict[str, Callable[[random.Random, Call], Facts]] = {
    "HassStartTimer": _started,
    "HassCancelTimer": _cancelled,
    "HassCancelAllTimers": lambda rng, call: {"count": rng.choice((1, 1, 2, 2, 3, 4))},
    "HassIncreaseTimer": _changed,
    "HassDecreaseTimer": _changed,
    "HassPauseTimer": lambda rng, call: {"remaining_s": _remaining_s(rng), **_named(call)},
    "HassUnpauseTimer": lambda rng, call: {"remaining_s": _remaining_s(rng), **_named(call)},
    "HassTimerStatus": _standing,
    "LinnetSetAlarm": _alarm,
    "LinnetCancelAlarm": _alarm_off,
    "LinnetAlarmStatus": _alarms,
    "LinnetSnooze": lambda rng, call: {"duration_s": _duration_s(call, 300)},
    "HassGetCurrentTime": _time,
    "HassGetCurrentDate": _date,
    "LinnetArithmetic": _sum,
    "HassSetVolume": _level,
    "HassSetVolumeRelative": _level,
    "LinnetRepeat": _last,
    "LinnetStop": lambda rng, call: {"stopped": 1} if rng.random() < 0.5 else {},
}
TOLD = frozenset(_FACTS)
"""Calls that are answered from facts alone."""

_TIMER = ("no_timer", "no_timer", "which_timer")
_REFUSALS: dict[str, tuple[str, ...]] = {
    "HassCancelTimer": ("no_timer",),
    "HassCancelAllTimers": ("no_timer",),
    "HassIncreaseTimer": _TIMER,
    "HassDecreaseTimer": _TIMER,
    "HassPauseTimer": _TIMER,
    "HassUnpauseTimer": _TIMER,
    "HassTimerStatus": ("no_timer",),
    "LinnetSetAlarm": ("clock_not_set",),
    "LinnetCancelAlarm": ("no_alarm", "which_alarm"),
    "LinnetAlarmStatus": ("no_alarm",),
    "LinnetSnooze": ("nothing_rings",),
    "LinnetRepeat": ("nothing_said",),
    "LinnetUndo": ("nothing_to_undo", "cannot_undo"),
}
_SEVERAL: dict[str, Callable[[random.Random], Facts]] = {
    "which_timer": _timers,
    "which_alarm": _several_alarms,
}
