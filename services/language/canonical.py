"""From what a template matched to the call it means: values in the one form everybody reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from services.language.calls import Call
from services.language.functions import FUNCTIONS, VOLUMES, CallError, read_call
from services.language.number_reading import number_of, sum_of

V = TypeVar("V")
Matched = Mapping[str, object]
"""Slot → value, as ``hassil`` gives them."""


def call_of(intent: str, slots: Matched) -> Call | None:
    """The call of a match, None when its values make no call of the table."""
    known = FUNCTIONS[intent].arguments.model_fields
    rewrite = _REWRITES.get(intent)
    read = dict(slots) if rewrite is None else rewrite(slots)
    if read is None:
        return None
    given = {key: _plain(value) for key, value in read.items() if value not in (None, "")}
    if intent in VOLUMES:
        # Their templates are heard in a room, but the room is no argument.
        given = {key: value for key, value in given.items() if key in known}
    try:
        return read_call(intent, given)
    except CallError:
        return None


def _plain(value: object) -> object:
    """Numbers that are whole as ints: percentages come as floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(slots: Matched) -> dict[str, object] | None:
    value = number_of(str(slots.get("value", "")))
    return None if value is None else {**slots, "value": value}


def _arithmetic(slots: Matched) -> dict[str, object] | None:
    if "operator" in slots:
        return dict(slots)
    found = sum_of(str(slots.get("expression", "")))
    return None if found is None else dict(zip(("left", "operator", "right"), found, strict=True))


_OF_CLOCK = frozenset({"hour", "minute", "past", "part", "day_part"})
_NIGHTFALL = 5
"""At night, an hour from this one on is before midnight, and twelve is midnight itself."""


def clock(slots: Mapping[str, V]) -> dict[str, V | str] | None:
    """``hour``, ``minute``, ``past`` and ``part`` of the day become ``time``.

    ``day_part`` is the part where it is said with the day, "tomorrow morning"; None where the
    two do not agree.
    """
    rest: dict[str, V | str] = {k: v for k, v in slots.items() if k not in _OF_CLOCK}
    if "hour" not in slots:
        return rest
    parts = [slots[key] for key in ("part", "day_part") if key in slots]
    if len({part == "am" for part in parts}) > 1:
        return None
    hour, minute = _int(slots["hour"]), _int(slots.get("minute", 0))
    past, part = _int(slots.get("past", 0)), parts[0] if parts else None
    if part is not None:
        if not 1 <= hour <= 12:
            return None
        late = part == "pm" or (part == "night" and _NIGHTFALL <= hour < 12)
        hour = hour % 12 + (12 if late else 0)
    if hour > 24 or (hour == 24 and minute):
        return None
    total = (hour * 60 + minute + past) % (24 * 60)
    return {**rest, "time": f"{total // 60:02}:{total % 60:02}"}


def _int(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) else 0


_REWRITES: Mapping[str, Callable[[Matched], dict[str, object] | None]] = {
    "LinnetSetNumber": _number,
    "LinnetArithmetic": _arithmetic,
    "LinnetSetAlarm": clock,
    "LinnetCancelAlarm": clock,
    "LinnetReminder": clock,
}
