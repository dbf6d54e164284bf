"""The registry: what has been announced, what each thing last said, and whether it is there.

Fed with announcements and messages, it does no I/O and takes no lock: its owner holds one.
Entities are immutable, so a snapshot stays true to its moment.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.home.discovery import Announcement, DiscoveredEntity
from services.home.group_rooms import GroupRooms
from services.home.home_map import HomeMap
from services.home.platforms import AvailabilityTopic, BinarySensor, Sensor
from services.home.sightings import Sightings
from services.home.states import UNKNOWN, EntityState, read_state, told
from services.home.templates import TemplateFailed, TemplateRefused, render
from services.language.folding import name_form
from services.language.homeview import EntityView, HomeView

log = logging.getLogger(__name__)

MAX_ENTITIES = 20_000
"""More than this many are not taken in: a broker gone wild must not fill the memory."""
MAX_WORD_BYTES = 1024
"""A longer word on availability is not remembered, but asked for anew."""
MAX_MOVING = 1000
"""Ids that are kept for who is on the way to another topic."""


@dataclass(frozen=True)
class Entity:
    """One thing in the home, as announced and as last heard."""

    found: DiscoveredEntity
    entity_id: str
    name: str
    """Lower-case spoken name; as written where the letters are not Latin."""
    area: str | None
    groups: tuple[str, ...] = ()
    """Names of the groups it is in."""
    floor: str | None = None
    aliases: tuple[str, ...] = ()
    area_aliases: tuple[str, ...] = ()
    """Other names of its room."""
    floor_aliases: tuple[str, ...] = ()
    state: EntityState = UNKNOWN
    heard_at_s: float | None = None
    """Monotonic time of its last state, None when it has not spoken."""
    online: dict[str, bool] = field(default_factory=dict)
    """Last word of each of its availability topics."""
    last_word: bool | None = None

    @property
    def domain(self) -> str:
        return self.found.domain

    @property
    def device_class(self) -> str | None:
        return getattr(self.found.spec, "device_class", None)

    @property
    def features(self) -> frozenset[str]:
        return self.found.spec.features

    @property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """Argument of a call → the words it may have here: modes, options, fan modes."""
        return self.found.spec.choices

    @property
    def exposed(self) -> bool:
        """Whether people speak of it: settings, diagnoses and what its maker left off are not."""
        return self.found.spec.exposed

    @property
    def told(self) -> str | None:
        """All that is worth telling of its state, in words; None when nothing is known."""
        return told(self.found.spec, self.state)

    def available(self, now_s: float) -> bool:
        """Whether it may be commanded or believed.

        One with availability topics is away until it says otherwise; one that expires is away
        when its last reading is too old.
        """
        spec = self.found.spec
        topics = spec.availability_topics
        words = [self.online.get(t.topic, False) for t in topics]
        if topics:
            here = {"all": all(words), "any": any(words)}.get(
                spec.availability_mode, self.last_word is True
            )
            if not here:
                return False
        if isinstance(spec, (Sensor, BinarySensor)) and spec.expire_after:
            return self.heard_at_s is not None and now_s - self.heard_at_s <= spec.expire_after
        return True

    @property
    def topics(self) -> tuple[str, ...]:
        spec = self.found.spec
        return (*spec.state_topics, *(t.topic for t in spec.availability_topics))


@dataclass(frozen=True)
class Change:
    """What an announcement means for who listens to the broker."""

    fresh: frozenset[str] = frozenset()
    """Topics of entities that are new: their retained messages are wanted now, even where
    somebody else listens to the same topic already. A shared availability topic is not asked
    again: its last word is remembered."""
    gone: frozenset[str] = frozenset()
    """Topics that nobody speaks on any more."""


class Registry:
    """All entities by id."""

    def __init__(self, home_map: HomeMap | None = None, limit: int = MAX_ENTITIES) -> None:
        """
        Args:
            home_map: the owner's word, over what a device announces.
            limit: entities that are taken in at most.
        """
        self._map = home_map or HomeMap()
        self._groups = GroupRooms(self._map.groups)
        self._rooms: dict[str, int] = {}
        """Rooms that something but the name of a group says, and of how many entities."""
        self._rooms_changed = False
        self._sightings = Sightings(limit)
        self._entities: dict[str, Entity] = {}
        self._ids: dict[str, str] = {}
        """Key of an announced entity → its id here."""
        self._kept_ids: dict[str, str] = {}
        """Who moves to another topic keeps its id: domain and unique id → entity id."""
        self._numbers: dict[str, int] = {}
        self._listeners: dict[str, dict[str, None]] = {}
        self._words: dict[str, bytes | None] = {}
        """Availability topic that is listened to → last payload, None when nothing has come. One
        hub speaks for a thousand devices: were it asked for each, each answer would go to all."""
        self._snapshot: tuple[Entity, ...] | None = None
        self._view: HomeView | None = None

    def apply(self, announcement: Announcement) -> Change:
        """Replace all that this topic announced before; states survive an equal announcement."""
        shown, hidden = self._sightings.see(announcement)
        regrouped = announcement.groups is not None and self._groups.told(
            announcement.topic, announcement.groups
        )
        if not shown and not hidden and not regrouped:
            return Change()
        self._snapshot = self._view = None
        gone: set[str] = set()
        for found in hidden:
            gone.update(self._remove(found, keep_id=announcement.moving))
        fresh: set[str] = set()
        for found in shown:
            fresh.update(self._add(found))
        if regrouped:
            self._group_again()
        if self._rooms_changed:
            self._place_again()
        return Change(
            frozenset(fresh), frozenset(topic for topic in gone if topic not in self._listeners)
        )

    def hear(self, topic: str, payload: bytes, now_s: float) -> tuple[Entity, ...]:
        """Take in one message; the entities whose state or availability it spoke of."""
        touched = []
        if topic in self._words:
            self._keep_word(topic, payload)
        for entity_id in self._listeners.get(topic, ()):
            fresh = _heard(self._entities[entity_id], topic, payload, now_s)
            if fresh is not None:
                self._entities[entity_id] = fresh
                touched.append(fresh)
        if touched:
            self._snapshot = None
        return tuple(touched)

    def forget_states(self) -> None:
        """The connection broke: what was heard before it is not known any more."""
        for entity_id, entity in self._entities.items():
            self._entities[entity_id] = replace(
                entity, state=UNKNOWN, heard_at_s=None, online={}, last_word=None
            )
        self._words = dict.fromkeys(self._words)
        self._snapshot = None

    def topics(self) -> frozenset[str]:
        """Every topic that somebody's state or availability comes on."""
        return frozenset(self._listeners)

    def snapshot(self) -> tuple[Entity, ...]:
        if self._snapshot is None:
            self._snapshot = tuple(self._entities.values())
        return self._snapshot

    def view(self, here: str | None = None) -> HomeView:
        """What a model may know: the exposed, sorted, so that equal homes make equal prompts."""
        if self._view is None:
            exposed = (e for e in self._entities.values() if e.exposed)
            entities = sorted(exposed, key=lambda e: e.entity_id)
            self._view = HomeView(
                entities=tuple(_viewed(e) for e in entities),
                areas=tuple(sorted({e.area for e in entities if e.area})),
                floors=tuple(sorted({e.floor for e in entities if e.floor})),
                place_aliases=_place_aliases(entities),
            )
        return replace(self._view, here=name_form(here) if here else None)

    def _add(self, found: DiscoveredEntity) -> tuple[str, ...]:
        """The topics of the new entity, none when it cannot be taken in."""
        name = name_form(found.name)
        if not name:
            log.warning("skipped a %s: its name has no letters that can be spoken", found.domain)
            return ()
        entity_id = self._free_id(found)
        entity = self._placed(Entity(
            found, entity_id, name, None, aliases=tuple(self._map.aliases.get(entity_id, ()))
        ))  # fmt: skip
        self._count(entity, 1)
        entity, fresh = self._told_before(entity)
        self._entities[entity_id] = entity
        self._ids[found.key] = entity_id
        for heard in entity.topics:
            self._listeners.setdefault(heard, {})[entity_id] = None
        return fresh

    # --- rooms -----------------------------------------------------------------------------------

    def _placed(self, entity: Entity) -> Entity:
        """The entity in its room, on its floor; only the name of a group is a mere hint."""
        groups = self._groups.of(entity.found.spec.device.ids)
        area = self._said_room(entity, groups) or self._groups.suggested(groups, self._room)
        floor = self._map.floors.get(area or "")
        return replace(
            entity, area=area, groups=groups, floor=floor,
            area_aliases=self._others(area), floor_aliases=self._others(floor),
        )  # fmt: skip

    def _said_room(self, entity: Entity, groups: tuple[str, ...]) -> str | None:
        """The owner's word on the device, then on a group of it, then the device's own."""
        assigned = self._map.areas.get(entity.entity_id)
        if assigned is not None:
            return name_form(assigned) or None
        return self._groups.owned(groups) or name_form(entity.found.area or "") or None

    def _room(self, name: str) -> str | None:
        """The room of this name, or of which the owner says that it is another name."""
        if name in self._rooms or name in self._map.floors:
            return name
        others = (room for room, names in self._map.place_aliases.items() if name in names)
        return next((room for room in others if room in self._rooms), None)

    def _count(self, entity: Entity, more: int) -> None:
        room = self._said_room(entity, entity.groups)
        if room is None:
            return
        before = self._rooms.pop(room, 0)
        if before + more > 0:
            self._rooms[room] = before + more
        if (before == 0) != (before + more <= 0):
            # A room that came or went matters only to groups that are called so.
            self._rooms_changed |= any(map(self._groups.named, (room, *self._others(room))))

    def _group_again(self) -> None:
        """Some are in other groups now."""
        self._rooms = {}
        for entity_id, entity in self._entities.items():
            groups = self._groups.of(entity.found.spec.device.ids)
            self._count(replace(entity, groups=groups), 1)
            # Now, not with the others: who left all groups would be missed.
            self._entities[entity_id] = self._placed(entity)
        self._rooms_changed = True

    def _place_again(self) -> None:
        """A room came or went by which groups are called: their members may be elsewhere now."""
        for entity_id, entity in self._entities.items():
            if entity.groups:
                self._entities[entity_id] = self._placed(entity)
        self._rooms_changed = False
        self._snapshot = self._view = None

    def _others(self, place: str | None) -> tuple[str, ...]:
        return tuple(self._map.place_aliases.get(place or "", ()))

    def _told_before(self, entity: Entity) -> tuple[Entity, tuple[str, ...]]:
        """The entity with what its availability topics said last; topics still to be asked."""
        spec = entity.found.spec
        fresh = list(spec.state_topics)
        for topic in dict.fromkeys(rule.topic for rule in spec.availability_topics):
            if topic not in self._words:
                self._words[topic] = None
                fresh.append(topic)
            elif (payload := self._words[topic]) is not None:
                entity = _available(entity, topic, payload)
        return entity, tuple(fresh)

    def _keep_word(self, topic: str, payload: bytes) -> None:
        if len(payload) <= MAX_WORD_BYTES:
            self._words[topic] = payload
        else:
            del self._words[topic]

    def _remove(self, found: DiscoveredEntity, *, keep_id: bool) -> tuple[str, ...]:
        entity_id = self._ids.pop(found.key, None)
        if entity_id is None:
            return ()
        entity = self._entities.pop(entity_id)
        self._count(entity, -1)
        if keep_id and found.unique_id is not None and len(self._kept_ids) < MAX_MOVING:
            self._kept_ids[f"{found.domain} {found.unique_id}"] = entity_id
        self._numbers.pop(entity_id.rpartition("_")[0], None)
        self._numbers.pop(entity_id, None)
        for topic in set(entity.topics):
            del self._listeners[topic][entity_id]
            if not self._listeners[topic]:
                del self._listeners[topic]
                self._words.pop(topic, None)
        return entity.topics

    def _free_id(self, found: DiscoveredEntity) -> str:
        kept = self._kept_ids.pop(f"{found.domain} {found.unique_id}", None)
        if kept is not None and kept not in self._entities:
            return kept
        slug = re.sub(r"[^a-z0-9]+", "_", found.suggested_id.lower()).strip("_")[:64]
        first = f"{found.domain}.{slug or 'unnamed'}"
        number = self._numbers.get(first, 1)
        taken = set(self._kept_ids.values())
        while (wish := first + (f"_{number}" if number > 1 else "")) in self._entities or (
            wish in taken
        ):
            number += 1
        self._numbers[first] = number
        return wish


def find(entities: Iterable[Entity], entity_id: str) -> Entity | None:
    return next((e for e in entities if e.entity_id == entity_id), None)


def _heard(entity: Entity, topic: str, payload: bytes, now_s: float) -> Entity | None:
    fresh = _available(entity, topic, payload)
    if topic in entity.found.spec.state_topics:
        state = read_state(entity.found.spec, topic, payload, entity.state)
        if state is not None:
            fresh = replace(fresh, state=state, heard_at_s=now_s)
    return None if fresh is entity else fresh


def _available(entity: Entity, topic: str, payload: bytes) -> Entity:
    for rule in entity.found.spec.availability_topics:
        word = _availability_word(rule, payload) if rule.topic == topic else None
        if word is not None:
            entity = replace(entity, online={**entity.online, topic: word}, last_word=word)
    return entity


def _availability_word(rule: AvailabilityTopic, payload: bytes) -> bool | None:
    try:
        text = render(rule.value_template, payload)
    except (TemplateFailed, TemplateRefused):
        return None
    return {rule.payload_available: True, rule.payload_not_available: False}.get(text)


def _place_aliases(entities: Iterable[Entity]) -> tuple[tuple[str, str], ...]:
    """Other names of the rooms and floors that are there; none that is a place's own name."""
    places = {(e.area, e.area_aliases) for e in entities} | {
        (e.floor, e.floor_aliases) for e in entities
    }
    own = {place for place, _ in places}
    pairs = {(alias, place) for place, others in places if place for alias in others}
    return tuple(sorted(pair for pair in pairs if pair[0] not in own))


def _viewed(entity: Entity) -> EntityView:
    return EntityView(
        entity.entity_id, entity.name, entity.domain, entity.area, entity.aliases,
        entity.features, entity.device_class, entity.floor,
    )  # fmt: skip
