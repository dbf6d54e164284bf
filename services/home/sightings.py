"""All that was announced, by whom, and which of it is shown: one device may announce itself twice.

Two rules. Of entities with equal unique ids the first that came is shown. What a device says in
its maker's own words (zigbee2mqtt's table, Tasmota's discovery) is shown only while the same
device says nothing by Home Assistant's discovery. What was hidden is shown when its rival goes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from services.home.discovery import Announcement, DiscoveredEntity

log = logging.getLogger(__name__)

Keys = dict[str, None]
"""Keys of announced entities, in the order they came."""


class Sightings:
    """What every discovery topic says now."""

    def __init__(self, limit: int) -> None:
        """``limit``: entities that are kept at most."""
        self._limit = limit
        self._found: dict[str, DiscoveredEntity] = {}
        self._topics: dict[str, tuple[str, ...]] = {}
        self._rivals: dict[str, Keys] = {}
        """By unique id and by device, apart for Home Assistant's discovery and native words."""
        self._shown: set[str] = set()

    def see(
        self, announcement: Announcement
    ) -> tuple[list[DiscoveredEntity], list[DiscoveredEntity]]:
        """Take in all that a topic says; those now to be shown, and those not any more.

        An entity that only changed is in both lists; one that is announced again is in neither.
        """
        before = {key: self._found[key] for key in self._topics.pop(announcement.topic, ())}
        now = {found.key: found for found in announcement.entities}
        changed = [found for key, found in now.items() if before.get(key) != found]
        left = [found for key, found in before.items() if now.get(key) != found]
        touched = self._around([*left, *changed])
        hidden = [found for found in left if found.key in self._shown]
        for found in left:
            self._forget(found)
        changed = [found for found in changed if self._keep(found)]
        keys = tuple(key for key in now if key in self._found)
        if keys:
            self._topics[announcement.topic] = keys
        touched = [*dict.fromkeys((*touched, *self._around(changed)))]
        shown, more_hidden = self._settle(touched)
        return shown, [*hidden, *more_hidden]

    def _keep(self, found: DiscoveredEntity) -> bool:
        if len(self._found) >= self._limit:
            log.warning("skipped a %s: the home holds %d already", found.domain, self._limit)
            return False
        self._found[found.key] = found
        for name in _names(found):
            self._rivals.setdefault(name, {})[found.key] = None
        return True

    def _forget(self, found: DiscoveredEntity) -> None:
        del self._found[found.key]
        self._shown.discard(found.key)
        for name in _names(found):
            del self._rivals[name][found.key]
            if not self._rivals[name]:
                del self._rivals[name]

    def _around(self, changed: Iterable[DiscoveredEntity]) -> list[str]:
        """Keys of all entities that may have to be shown or hidden now."""
        touched: Keys = {}
        for found in changed:
            touched[found.key] = None
            for one in _ids(found):
                touched |= self._rivals.get(f"native {one}", {})
            touched |= self._rivals.get(f"device {_unique(found)}", {})
        return list(touched)

    def _settle(self, keys: Iterable[str]) -> tuple[list[DiscoveredEntity], list[DiscoveredEntity]]:
        shown, hidden = [], []
        for key in keys:
            found = self._found.get(key)
            if found is None or self._wanted(found) == (key in self._shown):
                continue
            if key in self._shown:
                self._shown.remove(key)
                hidden.append(found)
            else:
                self._shown.add(key)
                shown.append(found)
        return shown, hidden

    def _wanted(self, found: DiscoveredEntity) -> bool:
        if found.native and any(f"device {one}" in self._rivals for one in _ids(found)):
            return False
        return found.unique_id is None or next(iter(self._rivals[_names(found)[0]])) == found.key


def _unique(found: DiscoveredEntity) -> str:
    return f"unique {found.domain} {found.unique_id}"


def _ids(found: DiscoveredEntity) -> list[str]:
    """By what an entity and its device are known again; its unique id comes first."""
    own = [] if found.unique_id is None else [_unique(found)]
    return [*own, *sorted(found.spec.device.ids)]


def _names(found: DiscoveredEntity) -> list[str]:
    """Under what an entity meets its rivals."""
    kind = "native" if found.native else "device"
    return [f"{kind} {one}" for one in _ids(found)]
