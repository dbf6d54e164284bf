"""Sums people ask for aloud: two numbers and an operator, exact, with bounded digits. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

MAX_DIGITS = 15
"""Of each number, before and after the point together."""
MAX_RESULT = 10**15
PLACES = 3
"""Decimals of a result that does not end."""
OPERATORS = ("plus", "minus", "times", "divided by", "percent of")

_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")


class ArithmeticRefused(ValueError):
    """Not a sum this can do; ``args[0]`` is ``unsupported``, ``too_large`` or ``zero_divisor``."""


@dataclass(frozen=True)
class Result:
    value: str
    """Decimal digits without exponent, such as ``-2.5``."""
    exact: bool


def compute(left: str | int, operator: str, right: str | int) -> Result:
    """``compute(1, "divided by", 3)`` → 0.333, not exact.

    Raises:
        ArithmeticRefused: see there.
    """
    a, b = _number(left), _number(right)
    if operator == "plus":
        value = a + b
    elif operator == "minus":
        value = a - b
    elif operator == "times":
        value = a * b
    elif operator == "percent of":
        value = a * b / 100
    elif operator == "divided by":
        if b == 0:
            raise ArithmeticRefused("zero_divisor")
        value = a / b
    else:
        raise ArithmeticRefused("unsupported")
    return _told(value)


def _number(written: str | int) -> Fraction:
    text = str(written) if isinstance(written, str) or abs(written) < 10**MAX_DIGITS else ""
    if not _NUMBER.fullmatch(text) or sum(c.isdigit() for c in text) > MAX_DIGITS:
        raise ArithmeticRefused("unsupported")
    return Fraction(text)


def _told(value: Fraction) -> Result:
    rounded = round(value, PLACES)
    if abs(rounded) >= MAX_RESULT:
        raise ArithmeticRefused("too_large")
    # At most 18 digits, as a whole number of thousandths: Decimal keeps them all.
    digits = f"{Decimal(int(rounded * 10**PLACES)).scaleb(-PLACES):f}"
    value_text = digits.rstrip("0").rstrip(".")
    return Result("0" if value_text in ("-0", "") else value_text, rounded == value)
