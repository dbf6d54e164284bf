"""The values that fill a template's slots, as spoken words and as call arguments."""

from __future__ import annotations

from functools import lru_cache

from services.language.calls import Call, Value
from services.language.canonical import clock
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
_HVAC_MODES: tuple[Filling, ...] = (
    ("heat", "heat"), ("heating", "heat"), ("cool", "cool"), ("cooling", "cool"),
    ("auto", "auto"), ("automatic", "auto"),
)  # fmt: skip
TIMER_NAMES = (
    "pizza", "pasta", "egg", "eggs", "tea", "coffee", "rice", "bread", "cake", "cookies",
    "chicken", "potato", "oven", "laundry", "washing", "workout", "nap", "break", "dinner",
    "homework", "steak", "soup",
)  # fmt: skip
"""A timer that is spoken to is called one of these; typed ones have any name."""
_COVER_CLASSES = {
    "awning": "awning", "blind": "blind", "curtain": "curtain", "door": "door",
    "garage": "garage door", "gate": "gate", "shade": "shade", "shutter": "shutter",
    "window": "window",
}  # fmt: skip
_PASTS: tuple[Filling, ...] = (
    ("half past", 30), ("quarter past", 15), ("a quarter past", 15), ("quarter to", -15),
    ("a quarter to", -15), ("five past", 5), ("ten past", 10), ("twenty past", 20),
    ("twenty to", -20), ("ten to", -10), ("five to", -5),
)  # fmt: skip
_PARTS: tuple[Filling, ...] = (
    ("a m", "am"), ("in the morning", "am"), ("p m", "pm"), ("in the afternoon", "pm"),
    ("in the evening", "pm"), ("tonight", "pm"),
)  # fmt: skip
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS: tuple[Filling, ...] = (
    ("every day", "mon,tue,wed,thu,fri,sat,sun"), ("on weekdays", "mon,tue,wed,thu,fri"),
    ("every weekday", "mon,tue,wed,thu,fri"), ("on weekends", "sat,sun"),
    *((f"every {day}", day[:3]) for day in _WEEK),
)  # fmt: skip
_OPERATORS: tuple[Filling, ...] = (
    ("plus", "plus"), ("minus", "minus"), ("times", "times"), ("divided by", "divided_by"),
)  # fmt: skip
_LISTS: dict[str, tuple[Filling, ...]] = {
    "brightness_level": (
        ("max", 100), ("maximum", 100), ("highest", 100), ("min", 1), ("minimum", 1),
        ("lowest", 1),
    ),
    "timer_half": (("half", 30),),
    "color": tuple((c, c) for c in COLORS),
    "hvac_mode": _HVAC_MODES,
    "timer_name": tuple((name, name) for name in TIMER_NAMES),
    "clock_past": _PASTS,
    "clock_part": _PARTS,
    "clock_word": (("noon", "12:00"), ("midday", "12:00"), ("midnight", "00:00")),
    "clock_hour": tuple((number_words(n), n) for n in range(1, 13)),
    "clock_minute": (
        *((f"oh {number_words(n)}", n) for n in range(1, 10)),
        *((number_words(n), n) for n in range(10, 60)),
    ),
    "alarm_days": _DAYS,
    "snooze_minutes": tuple((number_words(n), n) for n in range(1, 61)),
    "sum_operator": _OPERATORS,
    # Degrees of rooms and, in Fahrenheit, of rooms again; water is heated further.
    "temperature": tuple((number_words(n), n) for n in (*range(5, 36), *range(40, 91))),
}  # fmt: skip
"""Slot source → its values."""
_PERCENT = ("brightness", "position", "fan_speed", "humidity", "volume", "sum_left", "sum_right")


@lru_cache(maxsize=64)
def fixed_values(source: str) -> tuple[Filling, ...]:
    """Values of the slots that do not depend on the home.

    Raises:
        KeyError: the slot is not a known one.
    """
    if source in _LISTS:
        return _LISTS[source]
    if source in _PERCENT:
        return tuple((number_words(n), n) for n in range(101))
    if source in ("timer_hours", "timer_minutes", "timer_seconds"):
        top = 24 if source == "timer_hours" else 99
        words = tuple((number_words(n), n) for n in range(1, top + 1))
        return (*words, ("a" if source != "timer_hours" else "an", 1))
    return tuple((s, None) for s in _STATES[source])


def names(entity: EntityView) -> tuple[str, ...]:
    """Names the recogniser's letters can write; none for a thing named in another script."""
    return tuple(name for name in (entity.name, *entity.aliases) if _sayable(name))


def _sayable(name: str) -> bool:
    return all(c in LETTERS for c in name.replace(" ", ""))


_ABILITIES = {
    "HassSetPosition": "position",
    "HassStopMoving": "stop",
    "HassClimateSetTemperature": "temperature",
    "HassClimateSetHvacMode": "mode",
    "HassFanSetSpeed": "percentage",
    "HassHumidifierSetpoint": "humidity",
    "HassVacuumStart": "start",
    "HassVacuumReturnToBase": "return_home",
}
"""What a device must be able to do for a function to be asked of it."""
_SWITCHED_BY = {"cover": "open_close", "valve": "open_close", "climate": "on_off",
                "water_heater": "on_off"}  # fmt: skip
"""The same for on and off, where not every device of the kind can."""


def fits(template: Template, entity: EntityView) -> bool:
    """Whether this template may speak of this entity by its name."""
    if entity.domain not in template.domains or not names(entity):
        return False
    if template.intent == "HassLightSet":
        return ("color" in template.slots) <= ("color" in entity.features) and (
            "brightness" in template.slots
        ) <= ("brightness" in entity.features)
    # "turn on the front door" would lock it: only the verb "lock" may.
    return _able(template, entity)


def _able(template: Template, entity: EntityView) -> bool:
    if template.intent in ("HassTurnOn", "HassTurnOff"):
        ability = _SWITCHED_BY.get(entity.domain)
    else:
        ability = _ABILITIES.get(template.intent)
    return ability is None or ability in entity.features


def _serves(template: Template, entity: EntityView) -> bool:
    """Whether the template may speak of this entity by its place or kind."""
    if entity.domain not in template.needs or not _able(template, entity):
        return False
    if "cover_classes" in template.sources:
        return entity.device_class in _COVER_CLASSES
    asks = template.intent == "HassClimateGetTemperature" and entity.domain == "sensor"
    return not asks or entity.device_class == "temperature"


Bound = dict[str, Filling]
"""Source → what is said for it and the value of its argument."""


def bindings(template: Template, home: HomeView) -> list[tuple[float, Bound]]:
    """All ways to bind a template to this home, each with its share.

    Empty where the home has nothing that the template could be about.
    """
    if "name" not in template.bound:
        found = placings(template, home)
        return [(1.0 / len(found), bound) for bound in found]
    able = [e for e in home.entities if fits(template, e)]
    return [
        (1.0 / len(able) / len(names(e)), {"name": (said, e.name)})
        for e in able
        for said in names(e)
    ]


def placings(template: Template, home: HomeView) -> list[Bound]:
    """All ways to bind a template without a name: to areas, floors and kinds of cover."""
    if not template.needs:
        return [{}]
    kinds = "cover_classes" in template.bound
    found: dict[tuple[Filling, ...], Bound] = {}
    for entity in home.entities:
        place = _place(template, home, entity)
        if place is None or not _serves(template, entity):
            continue
        for said in _class_words(entity) if kinds else ("",):
            bound = {**place, **({"cover_classes": (said, entity.device_class)} if kinds else {})}
            found[tuple(bound.values())] = bound
    return sorted(found.values(), key=lambda bound: _rank(home, bound))


def _rank(home: HomeView, bound: Bound) -> int:
    return home.areas.index(bound["area"][0]) if "area" in bound else 0


def _place(template: Template, home: HomeView, entity: EntityView) -> Bound | None:
    """What the template names of an entity's place; None where that cannot be said."""
    if "area" in template.bound:
        known = entity.area in home.areas and _sayable(entity.area or "")
        return {"area": (entity.area or "", entity.area)} if known else None
    if "floor" in template.bound:
        known = entity.floor in home.floors and _sayable(entity.floor or "")
        return {"floor": (entity.floor or "", entity.floor)} if known else None
    return {}


def _class_words(entity: EntityView) -> tuple[str, ...]:
    word = _COVER_CLASSES[entity.device_class or ""]
    return word, f"{word}s"


def meant(intent: str, arguments: dict[str, Value]) -> Call:
    """The call of what was filled in: an hour, a minute and a part of the day are one time."""
    if "hour" not in arguments:
        return Call.of(intent, **arguments)
    read = clock(arguments)
    assert read is not None  # noqa: S101 - no list of hours goes beyond twelve
    return Call.of(intent, **read)
