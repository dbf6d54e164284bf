"""Spoken forms: every text a model reads or writes is lower-case words, numbers spelled out."""

from __future__ import annotations

import re
import unicodedata

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
"""All a word may hold; with the space, the alphabet of the recogniser's CTC head."""


def number_words(value: int) -> str:
    """``42`` → ``forty two``; 0..999,999, negatives with ``minus``."""
    if value < 0:
        return "minus " + number_words(-value)
    if value < 20:
        return _UNITS[value]
    if value < 100:
        rest = value % 10
        return _TENS[value // 10 - 2] + (" " + _UNITS[rest] if rest else "")
    unit, name = (100, "hundred") if value < 1000 else (1000, "thousand")
    head, rest = divmod(value, unit)
    if head >= 1000:
        raise ValueError(f"{value} is too large to be spoken")
    return f"{number_words(head)} {name}" + (" " + number_words(rest) if rest else "")


def decimal_words(value: float) -> str:
    """``21.5`` → ``twenty one point five``: one decimal at most, none when it is zero."""
    tenths = round(value * 10)
    sign = "minus " if tenths < 0 else ""
    whole, part = divmod(abs(tenths), 10)
    return sign + number_words(whole) + (f" point {_UNITS[part]}" if part else "")


_SYMBOLS = {"%": " percent ", "°": " degrees ", "&": " and ", "+": " plus ", "’": "'"}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def spoken(text: str) -> str:
    """Fold any written text to lower-case words: digits spelled, accents and marks dropped.

    ``Set Bed Light to 50%`` → ``set bed light to fifty percent``. Letters outside a–z vanish.
    """
    for mark, word in _SYMBOLS.items():
        text = text.replace(mark, word)
    text = _NUMBER.sub(lambda m: f" {_say(m.group())} ", text)
    text = unicodedata.normalize("NFKD", text).lower()
    text = "".join(c if c in LETTERS else ("" if unicodedata.combining(c) else " ") for c in text)
    return " ".join(w.strip("'") for w in text.split() if w.strip("'"))


def _say(digits: str) -> str:
    value = float(digits)
    if abs(value) >= 1_000_000:
        return " ".join(_UNITS[int(d)] for d in digits if d.isdigit())
    return decimal_words(value)
