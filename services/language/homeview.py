"""What a speech model may know of a home: names and abilities, never states or topics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ABILITIES: Mapping[str, frozenset[str]] = {
    "light": frozenset({"brightness", "color"}),
    "cover": frozenset({"open_close", "stop", "position"}),
    "valve": frozenset({"open_close", "stop", "position"}),
    "fan": frozenset({"percentage"}),
    "climate": frozenset({"temperature", "mode", "on_off"}),
    "water_heater": frozenset({"temperature", "on_off"}),
    "humidifier": frozenset({"humidity"}),
    "vacuum": frozenset({"start", "return_home"}),
}
"""What a device of each kind can do beyond on and off when it is a complete one."""


@dataclass(frozen=True)
class EntityView:
    """One thing in the home that can be spoken of."""

    entity_id: str
    """``domain.object_id``, unique in the home."""
    name: str
    """Lower-case spoken name."""
    domain: str
    """A platform of Home Assistant's MQTT discovery: ``light``, ``switch``, ``lock`` …"""
    area: str | None = None
    """Lower-case spoken name of its room."""
    aliases: tuple[str, ...] = ()
    features: frozenset[str] = frozenset()
    """What it can do beyond on and off: ``brightness``, ``color``."""
    device_class: str | None = None
    """Kind within the domain, such as ``garage`` of a cover, when it says so."""
    floor: str | None = None
    """Lower-case spoken name of its room's floor."""


@dataclass(frozen=True)
class HomeView:
    """A snapshot of the home for one turn."""

    entities: tuple[EntityView, ...] = ()
    areas: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()
    place_aliases: tuple[tuple[str, str], ...] = ()
    """(other name, room or floor) pairs; the second is one of the names above."""
    here: str | None = None
    """The room this appliance stands in, when its owner has said so."""
