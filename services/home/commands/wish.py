"""What must be true of a device before a command counts as done. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.home import colors
from services.home.colors import RGB, mireds_to_kelvin
from services.home.platforms import Platform
from services.home.state import EntityState

BRIGHTNESS_TOLERANCE = 2
"""Percent: scales of 100, 254 and 255 steps round differently."""
POSITION_TOLERANCE = 3
"""Percent: motors stop where they stop."""
MIRED_TOLERANCE = 5
TEMPERATURE_TOLERANCE = 0.2
"""Degrees: less than any device's step, more than a conversion of units loses."""


@dataclass(frozen=True)
class Wish:
    """The state a command asks for; None where it does not matter."""

    value: str | None = None
    brightness: int | None = None
    color: RGB | None = None
    kelvin: int | None = None
    position: int | None = None
    percentage: int | None = None
    temperature: float | None = None
    humidity: float | None = None
    mode: str | None = None
    fan_mode: str | None = None
    number: float | None = None
    moving: tuple[str, ...] = ()
    """States by which a slow device says that it has begun: as good as done, but told as such."""
    never: tuple[str, ...] = ()
    """States it must have left."""

    def met_by(self, state: EntityState) -> bool:
        if state.value is not None and state.value in self.moving:
            return True
        if self.value is not None and state.value != self.value:
            return False
        if self.never and (state.value is None or state.value in self.never):
            return False
        return all(
            (
                _near(self.brightness, state.brightness, BRIGHTNESS_TOLERANCE),
                _near(self.percentage, state.percentage, 1),
                _near(self.temperature, state.temperature, TEMPERATURE_TOLERANCE),
                _near(self.humidity, state.humidity, 0.5),
                _near(self.number, state.number, 1e-6),
                self._opened(state),
                self._shines(state),
                self.mode is None or state.mode == self.mode,
                self.fan_mode is None or state.fan_mode == self.fan_mode,
            )
        )

    def _opened(self, state: EntityState) -> bool:
        # A blind may tell that it is open and keep its position to itself.
        silent = self.value is not None and state.position is None
        return silent or _near(self.position, state.position, POSITION_TOLERANCE)

    def _shines(self, state: EntityState) -> bool:
        if self.color is not None:
            return state.color is not None and colors.alike(state.color, self.color)
        if self.kelvin is None:
            return True
        asked, shines = mireds_to_kelvin(self.kelvin), mireds_to_kelvin(state.kelvin or 0)
        return abs(asked - shines) <= MIRED_TOLERANCE

    def begun(self, before: EntityState, after: EntityState) -> str | None:
        """``opening`` or ``closing`` when a position has moved towards the wished one."""
        if self.position is None or before.position is None or after.position is None:
            return None
        gained = abs(self.position - before.position) - abs(self.position - after.position)
        if gained <= 0:
            return None
        return "opening" if after.position > before.position else "closing"

    @property
    def fields(self) -> frozenset[str]:
        """What is heard of any of these speaks for or against the wish."""
        if self.never == MOVING:
            return frozenset({"motion"})
        if self.position is not None and self.value is None:
            return frozenset({"position", "motion"})
        for field in _TELLING:
            if getattr(self, field) is not None:
                return frozenset({field})
        return frozenset({"value"})


MOVING = ("opening", "closing")
_TELLING = (
    "color", "kelvin", "brightness", "percentage", "temperature", "humidity", "mode", "fan_mode",
    "number",
)  # fmt: skip


def proving_topics(spec: Platform, wish: Wish) -> frozenset[str]:
    """State topics of which one must be heard again before a wish counts as met.

    Empty where nothing can prove it: such a device can be told, and no more is known. A light
    with a topic for each ability may tell only what has changed, so its colour proves a colour,
    its brightness a brightness; what it said of its power before then still stands.
    """
    return frozenset(r.topic for r in spec.readings if r.fields & wish.fields)


def _near(asked: float | None, is_now: float | None, tolerance: float) -> bool:
    if asked is None:
        return True
    return is_now is not None and math.fabs(asked - is_now) <= tolerance
