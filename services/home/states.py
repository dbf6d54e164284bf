"""State messages read purely: bytes on a state topic become what the home knows and can say."""

from __future__ import annotations

from dataclasses import replace

from services.home.platforms import Climate, Cover, Fan, Humidifier, Platform, Valve, WaterHeater
from services.home.state import UNKNOWN, EntityState
from services.home.templates import TemplateFailed, TemplateRefused, render

__all__ = ["UNKNOWN", "EntityState", "read_state", "told"]


def read_state(
    spec: Platform, topic: str, payload: bytes, known: EntityState
) -> EntityState | None:
    """The state after one message, None when it says nothing usable."""
    topic = spec.stands_for(topic)
    heard = False
    for reading in spec.readings:
        if reading.topic != topic:
            continue
        try:
            said = reading.read(render(reading.template, payload), known)
        except (TemplateFailed, TemplateRefused):
            continue
        if said:
            known = replace(known, **said)  # type: ignore[arg-type]
            heard = True
    return known if heard else None


def told(spec: Platform, state: EntityState) -> str | None:
    """All of a state that is worth telling, in words; None when nothing is known.

    ``heat, set to 21 degrees, now at 19.5 degrees``; ``on at 66 percent``; ``open at 40 percent``.
    """
    if state.value is None and state.current_temperature is None:
        return None
    parts = [part for part in (_main(spec, state), *_details(spec, state)) if part]
    return ", ".join(parts) or None


def _main(spec: Platform, state: EntityState) -> str | None:
    value = None if state.value is None else state.value.replace("_", " ")
    level = _level(spec, state)
    if value in ("on", "open") and level is not None and 0 < level < 100:
        return f"{value} at {level} percent"
    if isinstance(spec, (Climate, WaterHeater)) and value not in (None, "off"):
        return f"on {value}"
    return value


def _level(spec: Platform, state: EntityState) -> int | None:
    if isinstance(spec, (Cover, Valve)):
        return state.position
    return state.percentage if isinstance(spec, Fan) else state.brightness


def _details(spec: Platform, state: EntityState) -> list[str | None]:
    running = state.value != "off"
    if isinstance(spec, (Climate, WaterHeater)):
        return [
            _said("set to {} degrees", state.temperature if running else None),
            _said("now at {} degrees", state.current_temperature),
        ]
    if isinstance(spec, Humidifier):
        return [
            _said("set to {} percent", state.humidity if running else None),
            _said("now at {} percent", state.current_humidity),
            _mode(state.mode if running else None),
        ]
    if isinstance(spec, Fan) and running:
        return [_mode(state.mode), "oscillating" if state.oscillating else None]
    if isinstance(spec, Cover):
        return [_said("slats at {} percent", state.tilt)]
    return []


def _mode(mode: str | None) -> str | None:
    return None if mode in (None, "", "none") else f"in {mode} mode".replace("_", " ")


def _said(sentence: str, value: float | None) -> str | None:
    return None if value is None else sentence.format(f"{value:.1f}".removesuffix(".0"))
