"""What the owner says of the home: rooms, floors and other names, over what devices announce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HomeMap:
    """The owner's word; spoken forms throughout."""

    areas: Mapping[str, str] = field(default_factory=dict)
    """Entity id → room."""
    floors: Mapping[str, str] = field(default_factory=dict)
    """Room → floor."""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Entity id → other names for it."""
    place_aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Room or floor → other names for it."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """zigbee2mqtt group → the room its members are in."""
