"""Arguments of the calls that need no device, checked; and why one is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping

from services.language.calls import Call, Value

MAX_NAME, MAX_TEXT = 100, 200  # characters
_MAX_AMOUNT = 86_400
_UNITS = {"hours": 3600, "minutes": 60, "seconds": 1}
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


class Refused(Exception):
    """A call that is not carried out.

    Args:
        error: the outcome's error.
        facts: what the question or excuse needs, such as the timers to choose among.
    """

    def __init__(self, error: str, facts: Mapping[str, Value] | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.facts = dict(facts or {})


def whole(call: Call, key: str, low: int, high: int) -> int:
    """A whole number within bounds, which may come as digits.

    Raises:
        Refused: ``unsupported``.
    """
    value = call.args.get(key)
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,9}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refused("unsupported")
    return value


def seconds(call: Call, prefix: str = "") -> int | None:
    """Hours, minutes and seconds together; None where none is given.

    Raises:
        Refused: ``unsupported``; an amount is no number from 0 to 86,400.
    """
    given = [unit for unit in _UNITS if prefix + unit in call.args]
    if not given:
        return None
    return sum(_UNITS[unit] * whole(call, prefix + unit, 0, _MAX_AMOUNT) for unit in given)


def words(call: Call, key: str, longest: int = MAX_NAME) -> str | None:
    """A name or text as it was given, but for space and case; None where it is not given.

    Raises:
        Refused: ``unsupported``; it is empty, too long, or holds what is no writing.
    """
    if key not in call.args:
        return None
    text = " ".join(str(call.args[key]).split()).casefold()
    if not text or len(text) > longest or not text.isprintable():
        raise Refused("unsupported")
    return text


def clock_time(call: Call, key: str = "time") -> str | None:
    """``7:05`` → ``07:05``; None where it is not given.

    Raises:
        Refused: ``unsupported``; it is no time of the day.
    """
    if key not in call.args:
        return None
    found = _CLOCK.fullmatch(str(call.args[key]).strip())
    if not found:
        raise Refused("unsupported")
    return f"{int(found[1]):02}:{found[2]}"
