"""Numbers and sums as people say them in English: ``forty two``, ``3.5``, ``six times seven``."""

from __future__ import annotations

import re

from services.language.arguments import DECIMAL
from services.language.spoken import number_words

_UNITS = {number_words(n): n for n in range(20)}
_TENS = {number_words(n): n for n in range(20, 100, 10)}
_SCALES = {"thousand": 1_000, "million": 1_000_000}
_OPERATORS = (
    (r"percent of|% of", "percent_of"),
    (r"divided by|over|/|÷", "divided_by"),
    (r"multiplied by|times|\*|×|x", "times"),
    (r"plus|and|\+", "plus"),
    (r"minus|less|-|−", "minus"),
)
MAX_WORDS = 24


def number_of(text: str) -> str | None:
    """The decimal text of a number in digits or words, None when it is none.

    ``one hundred and five`` → ``105``, ``minus two point five`` → ``-2.5``.
    """
    text = text.strip().lower().replace(",", "").removesuffix(".")
    if re.fullmatch(DECIMAL, text):
        return text
    words = text.replace("-", " ").split()
    if not 0 < len(words) <= MAX_WORDS:
        return None
    sign = "-" if words[0] in ("minus", "negative") else ""
    words = words[1:] if sign else words
    head, point, tail = words, "", []
    if "point" in words:
        at = words.index("point")
        head, point, tail = words[:at], ".", words[at + 1 :]
    whole = _whole(head)
    digits = [_UNITS.get(word, 10) for word in tail]
    if whole is None or (point and (not digits or len(digits) > 6 or max(digits) > 9)):
        return None
    return f"{sign}{whole}{point}{''.join(map(str, digits))}"


def sum_of(text: str) -> tuple[str, str, str] | None:
    """``twelve times 3`` → (``12``, ``times``, ``3``); None when it is no sum of two numbers."""
    for pattern, operator in _OPERATORS:
        for match in re.finditer(rf"(?<=[\w%.])\s*(?:{pattern})\s*(?=[\w-])", text.lower()):
            left, right = number_of(text[: match.start()]), number_of(text[match.end() :])
            if left is not None and right is not None:
                return left, operator, right
    return None


def _whole(words: list[str]) -> int | None:
    """Number words without a sign; ``and`` may stand inside."""
    if not words or words[0] == "and" or words[-1] == "and":
        return None
    total, part, last = 0, 0, 1_000
    for word in words:
        if word == "and":
            continue
        if word in _SCALES:
            total, part, last = total + max(part, 1) * _SCALES[word], 0, 1_000
        elif word == "hundred" and 0 < part < 10:
            part, last = part * 100, 100
        elif word == "a" and part == 0 and last == 1_000:
            part, last = 1, 10
        elif word in _TENS and last > 10:
            part, last = part + _TENS[word], 10
        elif word in _UNITS and (last > 10 or (last == 10 and 0 < _UNITS[word] < 10 and part)):
            part, last = part + _UNITS[word], 1
        elif word.isdecimal() and word.isascii() and len(words) == 1:
            return int(word)
        else:
            return None
    return total + part
