"""Small homes for tests of language and voice."""

from __future__ import annotations

from services.language.homeview import EntityView, HomeView

_FULL = frozenset({"brightness", "color"})


def _light(name: str, area: str, *aliases: str) -> EntityView:
    object_id = name.replace(" ", "_")
    return EntityView(f"light.{object_id}", name, "light", area, aliases, _FULL)


def _other(domain: str, name: str, area: str | None = None) -> EntityView:
    return EntityView(f"{domain}.{name.replace(' ', '_')}", name, domain, area)


def fifteen_devices() -> HomeView:
    """Six rooms and fifteen things: the size a first home has, and the names the recordings use."""
    return HomeView(
        (
            _light("bed light", "bedroom"),
            _light("kitchen lights", "kitchen"),
            _light("office lights", "office"),
            _light("standing light", "living room"),
            _light("desk lamp", "office"),
            _light("ceiling light", "living room"),
            _light("mirror light", "bathroom"),
            _light("porch light", "garden"),
            _other("switch", "coffee machine", "kitchen"),
            _other("switch", "fan", "bedroom"),
            _other("lock", "front door"),
            _other("cover", "garage door"),
            _other("sensor", "outdoor humidity"),
            _other("sensor", "ecobee", "living room"),
            _other("binary_sensor", "office motion", "office"),
        ),
        ("bedroom", "kitchen", "office", "living room", "bathroom", "garden"),
    )


def two_lights() -> HomeView:
    """The smallest home in which names, rooms and aliases can be confused."""
    return HomeView(
        (_light("lamp", "den", "big lamp"), _light("den lights", "den")),
        ("den", "attic"),
        here="den",
    )
