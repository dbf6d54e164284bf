"""The arguments of a call, checked against what a device can have; and messages made of them."""

from __future__ import annotations

from collections.abc import Iterable

from services.home.platforms.parse import number
from services.home.templates import TemplateFailed, TemplateRefused, render_command
from services.language.calls import Call
from services.language.spoken import spoken

Message = tuple[str, bytes]
"""Topic and payload."""


class NotCommandable(ValueError):
    """No command is known for this call on this device; the text names no device."""


def asked_number(call: Call, key: str, low: float, high: float) -> float:
    """A number within bounds.

    Raises:
        NotCommandable: not a number, or one that the device cannot have.
    """
    found = number(call.args.get(key))
    if found is None:
        raise NotCommandable(f"{call.name} needs the number {key}")
    if not low <= found <= high:
        raise NotCommandable(f"{call.name}: {key} must be {low:g} to {high:g}")
    return found


def asked_word(call: Call, key: str, allowed: Iterable[str]) -> str:
    """One of the device's own words, however it is written: ``fan only`` means ``fan_only``.

    Raises:
        NotCommandable: the device has no such word.
    """
    wished = call.args.get(key)
    if not isinstance(wished, str):
        raise NotCommandable(f"{call.name} needs the word {key}")
    words = tuple(allowed)
    folded = fold(wished)
    for word in words:
        if word == wished or fold(word) == folded != "":
            return word
    raise NotCommandable(f"{call.name}: the device has no such {key}")


def fold(word: str) -> str:
    return spoken(word.replace("_", " ")).replace(" ", "")


def message(topic: str | None, template: str | None, value: object, **more: object) -> Message:
    """A payload as the device wants it: rendered by its template, else the value's own text.

    Raises:
        NotCommandable: there is no topic, or the template does not take this value.
    """
    if topic is None:
        raise NotCommandable("the device has no topic for it")
    if template is None:
        return topic, plain(value).encode()
    try:
        return topic, render_command(template, {"value": value, **more}).encode()
    except (TemplateFailed, TemplateRefused) as error:
        raise NotCommandable(f"command template: {error}") from None


def plain(value: object) -> str:
    """Whole numbers without a point; texts as they are."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def natural(value: float) -> float | int:
    """21.0 as 21: templates and devices compare with whole numbers."""
    return int(value) if value == int(value) else value
