"""From the text of a state message to values; what is not as it should be is None."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from services.home.platforms.base import Said
from services.home.state import EntityState
from services.home.templates import parse_json
from services.language.spoken import spoken

NONE = "None"
"""What a template gives, by Home Assistant's custom, when the state is not known any more."""
MAX_WORD_CHARS = 120


def number(value: object) -> float | None:
    """A finite number, from JSON or from text; booleans are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and abs(found) <= 1e12 else None


def numbers(text: str, count: int) -> list[float] | None:
    """``255,0,0`` with this many parts."""
    parts = [number(part) for part in text.strip("()[] ").split(",")[: count + 1]]
    known = [n for n in parts if n is not None]
    return known if len(known) == len(parts) == count else None


ZIGBEE_FULL = 254


def percent(value: object, scale: float) -> int | None:
    """Of a scale that ends at ``scale``; what shines at all has at least one percent.

    Zigbee lamps count to 254, and some tell 255 all the same.
    """
    found = number(value)
    if found == ZIGBEE_FULL + 1 and scale == ZIGBEE_FULL:
        found = scale
    if found is None or not 0 <= found <= scale:
        return None
    return max(1, round(found * 100 / scale)) if found else 0


def document(text: str) -> Mapping[str, Any] | None:
    """The JSON object that a text is."""
    body = parse_json(text.encode(errors="replace"))
    return body if isinstance(body, Mapping) else None


Reader = Callable[[str, EntityState], Said | None]


def one_of(field: str, words: Mapping[str, str]) -> Reader:
    """A field that takes one of a few words, by the text that stands for each."""

    def read(text: str, _known: EntityState) -> Said | None:
        if text in words:
            return {field: words[text]}
        return {field: None} if text == NONE else None

    return read


def word(field: str) -> Reader:
    """A field that takes any short text: a mode, a preset."""

    def read(text: str, _known: EntityState) -> Said | None:
        if text == NONE:
            return {field: None}
        return {field: text} if 0 < len(text) <= MAX_WORD_CHARS else None

    return read


def amount(field: str) -> Reader:
    """A field that takes a number."""

    def read(text: str, _known: EntityState) -> Said | None:
        if text == NONE:
            return {field: None}
        found = number(text)
        return None if found is None else {field: found}

    return read


_UNITS = {
    "%": "percent", "°C": "degrees", "°F": "degrees", "K": "kelvin", "W": "watts",
    "kW": "kilowatts", "Wh": "watt hours", "kWh": "kilowatt hours", "V": "volts", "A": "amps",
    "lx": "lux", "hPa": "hectopascals", "mbar": "millibars", "ppm": "parts per million",
    "µg/m³": "micrograms per cubic metre", "m/s": "metres per second",
    "km/h": "kilometres per hour", "mm": "millimetres", "cm": "centimetres", "m": "metres",
    "L": "litres", "m³": "cubic metres", "dB": "decibels", "s": "seconds", "min": "minutes",
    "h": "hours", "d": "days", "Hz": "hertz", "mA": "milliamps", "mV": "millivolts",
    "VA": "volt amps", "Pa": "pascals", "kPa": "kilopascals", "bar": "bars",
    "ppb": "parts per billion", "dBm": "decibel milliwatts", "lqi": "",
}  # fmt: skip
UNITS: Mapping[str, str] = _UNITS
"""Units as they are said."""


def reading(text: str, unit: str | None) -> str | None:
    """A measured value with its unit, or a short text, as it may be told."""
    if text.lower() in ("", "none", "unknown", "unavailable", "nan"):
        return None
    try:
        found = float(text)
    except ValueError:
        return spoken(text[: 4 * MAX_WORD_CHARS])[:MAX_WORD_CHARS] or None
    if not math.isfinite(found) or abs(found) > 1e12:
        return None
    rounded = f"{found:.1f}".removesuffix(".0")
    return f"{rounded} {_UNITS.get(unit or '', spoken(unit or ''))}".strip()
