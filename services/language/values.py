"""The values that fill a template's slots, as spoken words and as call arguments."""

from __future__ import annotations

from functools import lru_cache

from services.language.homeview import EntityView, HomeView
from services.language.spoken import LETTERS, number_words
from services.language.templates import Template

Filling = tuple[str, str | int | None]
"""(spoken words, argument value); None leaves the argument out."""

COLORS = ("white", "red", "orange", "yellow", "green", "blue", "purple", "pink", "turquoise")
_STATES = {
    "on_off_states": ("on", "off"),
    "lock_states": ("locked", "unlocked"),
    "cover_states": ("open", "closed", "shut"),
    "bs_open_states": ("open", "closed", "shut"),
    "bs_occupancy_states": ("occupied", "detected", "triggered", "on", "empty", "clear"),
}
_LEVELS: tuple[Filling, ...] = (
    ("max", 100), ("maximum", 100), ("highest", 100), ("min", 1), ("minimum", 1), ("lowest", 1),
)


@lru_cache(maxsize=16)
def fixed_values(source: str) -> tuple[Filling, ...]:
    """Values of the slots that do not depend on the home.

    Raises:
        KeyError: the slot is not a known one.
    """
    if source == "brightness":
        return tuple((number_words(n), n) for n in range(101))
    if source in ("timer_hours", "timer_minutes", "timer_seconds"):
        top = 24 if source == "timer_hours" else 99
        words = tuple((number_words(n), n) for n in range(1, top + 1))
        return (*words, ("a" if source != "timer_hours" else "an", 1))
    if source == "timer_half":
        return (("half", 30),)
    if source == "color":
        return tuple((c, c) for c in COLORS)
    if source == "brightness_level":
        return _LEVELS
    return tuple((s, None) for s in _STATES[source])


def names(entity: EntityView) -> tuple[str, ...]:
    """Names the recogniser's letters can write; none for a thing named in another script."""
    return tuple(name for name in (entity.name, *entity.aliases) if _sayable(name))


def _sayable(name: str) -> bool:
    return all(c in LETTERS for c in name.replace(" ", ""))


def fits(template: Template, entity: EntityView) -> bool:
    """Whether this template may speak of this entity."""
    if entity.domain not in template.domains or not names(entity):
        return False
    if template.intent == "HassLightSet":
        return ("color" in template.slots) <= ("color" in entity.features) and (
            "brightness" in template.slots
        ) <= ("brightness" in entity.features)
    # "turn on the front door" would lock it: only the verb "lock" may.
    return True


def lit_areas(home: HomeView) -> tuple[str, ...]:
    """Areas with a light in them: the ones an area template may name."""
    lit = {e.area for e in home.entities if e.domain == "light"}
    return tuple(a for a in home.areas if a in lit and _sayable(a))
