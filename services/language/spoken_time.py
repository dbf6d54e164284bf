"""Durations, times and dates as they are said."""

from __future__ import annotations

import re

from services.language.phrases import joined
from services.language.spoken import number_words, spoken


def duration_words(seconds: int) -> str:
    """``3660`` → ``one hour and one minute``; zero and less are ``no time``."""
    hours, rest = divmod(max(seconds, 0), 3600)
    parts = ((hours, "hour"), (rest // 60, "minute"), (rest % 60, "second"))
    said = [f"{number_words(n)} {unit}{'s' if n != 1 else ''}" for n, unit in parts if n]
    return joined(said) or "no time"


def time_words(text: str) -> str:
    """``14:05`` → ``two oh five in the afternoon``; other texts are only folded to words."""
    found = re.fullmatch(r"(\d{1,2}):(\d{2})(?::\d{2})?", text.strip())
    if not found:
        return spoken(text)
    hour, minute = int(found[1]), int(found[2])
    part = "morning" if hour < 12 else "afternoon" if hour < 18 else "evening"
    past = number_words(minute) if minute > 9 else f"oh {number_words(minute)}"
    return f"{number_words(hour % 12 or 12)} {past if minute else _ON_THE_HOUR} in the {part}"


_ON_THE_HOUR = "o'clock"

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_ORDINALS = {
    1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth",
    20: "twentieth", 30: "thirtieth",
}  # fmt: skip


def ordinal_words(value: int) -> str:
    """``21`` → ``twenty first``; 1..99."""
    if value in _ORDINALS:
        return _ORDINALS[value]
    if value > 20 and value % 10:
        return f"{number_words(value - value % 10)} {ordinal_words(value % 10)}"
    return number_words(value) + "th"


def date_words(text: str) -> str:
    """``2026-03-21`` → ``march twenty first``; other texts are only folded to words."""
    found = re.fullmatch(r"\d{4}-(\d{2})-(\d{2})", text.strip())
    if not found or not 1 <= int(found[1]) <= 12 or not 1 <= int(found[2]) <= 31:
        return spoken(text)
    return f"{_MONTHS[int(found[1]) - 1]} {ordinal_words(int(found[2]))}"
