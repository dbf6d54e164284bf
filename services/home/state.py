"""What is known of a thing in the home at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from services.home.colors import RGB


@dataclass(frozen=True)
class EntityState:
    """What is known of an entity; None where nothing was heard."""

    value: str | None = None
    """The state in one word or reading, as Home Assistant calls it: ``on``, ``locked``,
    ``21.5 degrees``; the mode of a climate device or water heater."""
    brightness: int | None = None
    """Percent, 1..100 for a light that shines."""
    color: RGB | None = None
    kelvin: int | None = None
    """Colour temperature, while the light shines white."""
    position: int | None = None
    """Percent open, 0..100."""
    tilt: int | None = None
    """Percent open, 0..100."""
    percentage: int | None = None
    """Speed of a fan, 0..100."""
    temperature: float | None = None
    """Wished, in the device's own unit, as the next one."""
    current_temperature: float | None = None
    humidity: float | None = None
    """Wished, percent, as the next one."""
    current_humidity: float | None = None
    mode: str | None = None
    """Preset of a fan or climate device, mode of a humidifier."""
    fan_mode: str | None = None
    oscillating: bool | None = None
    action: str | None = None
    """What a climate device does at this moment: ``heating``, ``idle`` …"""
    number: float | None = None
    """Value of a number, beside its reading in ``value``."""


UNKNOWN = EntityState()
