"""Numbers of any size as they are said: what sums give."""

from __future__ import annotations

from services.language.spoken import number_words

_SCALES = (
    (10**12, "trillion"),
    (10**9, "billion"),
    (10**6, "million"),
)


def whole_words(value: int) -> str:
    """``2000001`` → ``two million one``; below a thousand trillion either way.

    Raises:
        ValueError: the number is larger.
    """
    if abs(value) >= 10**15:
        raise ValueError("a number of sixteen digits is too large to be spoken")
    if value < 0:
        return "minus " + whole_words(-value)
    parts = []
    for scale, name in _SCALES:
        count, value = divmod(value, scale)
        if count:
            parts.append(f"{number_words(count)} {name}")
    if value or not parts:
        parts.append(number_words(value))
    return " ".join(parts)


def quantity_words(digits: str) -> str:
    """``-2.75`` → ``minus two point seven five``; digits as ``arithmetic`` gives them."""
    whole, _, part = digits.lstrip("-").partition(".")
    sign = "minus " if digits.startswith("-") else ""
    said = " ".join(number_words(int(digit)) for digit in part)
    return sign + whole_words(int(whole)) + (f" point {said}" if said else "")
