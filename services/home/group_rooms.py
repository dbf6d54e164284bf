"""Rooms by groups: a zigbee2mqtt group that is called like a room says where its members are.

Pure. Two strengths: what the owner said of a group (``owned``) and what its bare name suggests
(``suggested``); ``entities.Registry`` puts the announced room between them. A device whose groups
say two different rooms gets neither: which it is, nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from services.home.discovery import Groups
from services.language.folding import name_form

MAX_GROUPS_OF_ONE = 32
"""Groups of one device that are looked at."""


class GroupRooms:
    """Which groups each device is in, as the bridges told last."""

    def __init__(self, owners: Mapping[str, str]) -> None:
        """``owners``: name of a group → room, both in spoken form."""
        self._owners = owners
        self._told: dict[str, dict[str, tuple[str, ...]]] = {}
        """Topic of a table → device → names of its groups."""
        self._names: frozenset[str] = frozenset()

    def told(self, topic: str, groups: Groups) -> bool:
        """Take in a bridge's table of groups; whether it says anything new."""
        members: dict[str, tuple[str, ...]] = {}
        for written, devices in groups:
            name = name_form(written)
            for device in devices if name else ():
                before = members.get(device, ())
                if len(before) < MAX_GROUPS_OF_ONE:
                    members[device] = (*before, name)
        if self._told.get(topic, {}) == members:
            return False
        self._told[topic] = members
        self._names = frozenset(n for t in self._told.values() for ns in t.values() for n in ns)
        return True

    def named(self, room: str) -> bool:
        """Whether a group is called so."""
        return room in self._names

    def of(self, device_ids: Iterable[str]) -> tuple[str, ...]:
        """Names of the groups of a device, sorted."""
        ids = tuple(device_ids) if self._told else ()
        found = {n for table in self._told.values() for one in ids for n in table.get(one, ())}
        return tuple(sorted(found))

    def owned(self, groups: Iterable[str]) -> str | None:
        """The room that the owner gave to one of these groups."""
        return _only(self._owners[name] for name in groups if name in self._owners)

    def suggested(self, groups: Iterable[str], room: Callable[[str], str | None]) -> str | None:
        """The room that one of these groups is called by; ``room``: the room of a name."""
        return _only(found for name in groups if (found := room(name)) is not None)


def _only(rooms: Iterable[str]) -> str | None:
    found = set(rooms)
    return found.pop() if len(found) == 1 else None
