"""The registry: what has been announced, what each thing last said, and whether it is there.

Fed with announcements and messages, it does no I/O and takes no lock: its owner holds one.
Entities are immutable, so a snapshot stays true to its moment.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from services.home.discovery import Announcement, DiscoveredEntity
from services.home.home_map import HomeMap
from services.home.platforms import AvailabilityTopic, BinarySensor, Sensor
from services.home.states import UNKNOWN, EntityState, read_state
from services.home.templates import TemplateFailed, TemplateRefused, render
from services.language.folding import name_form
from services.language.homeview import EntityView, HomeView

log = logging.getLogger(__name__)

MAX_ENTITIES = 1000
"""More than this many are not taken in: a broker gone wild must not fill the memory."""


@dataclass(frozen=True)
class Entity:
    """One thing in the home, as announced and as last heard."""

    found: DiscoveredEntity
    entity_id: str
    name: str
    """Lower-case spoken name; as written where the letters are not Latin."""
    area: str | None
    floor: str | None = None
    aliases: tuple[str, ...] = ()
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


class Registry:
    """All entities by id."""

    def __init__(self, home_map: HomeMap | None = None) -> None:
        """``home_map``: the owner's word, over what a device announces."""
        self._map = home_map or HomeMap()
        self._entities: dict[str, Entity] = {}
        self._sources: dict[str, list[str]] = {}
        self._listeners: dict[str, dict[str, None]] = {}

    def apply(self, announcement: Announcement) -> frozenset[str]:
        """Replace all that this topic announced before; states survive an equal announcement.

        Returns the topics of entities that are new: their retained messages are wanted now, even
        where somebody else listens to the same topic already.
        """
        topic = announcement.topic
        before = {self._entities[i].found.key: i for i in self._sources.get(topic, ())}
        kept: list[str] = []
        gone = dict(before)
        for found in announcement.entities:
            if found.key in before and self._entities[before[found.key]].found == found:
                kept.append(gone.pop(found.key))
        for entity_id in gone.values():
            self._remove(entity_id)
        self._sources[topic] = kept
        kept_before = frozenset(kept)
        for found in announcement.entities:
            if found.key not in before or found.key in gone:
                self._add(topic, found)
        fresh = [i for i in self._sources[topic] if i not in kept_before]
        if not self._sources[topic]:
            del self._sources[topic]
        return frozenset(t for i in fresh for t in self._entities[i].topics)

    def hear(self, topic: str, payload: bytes, now_s: float) -> tuple[Entity, ...]:
        """Take in one message; the entities whose state or availability it spoke of."""
        touched = []
        for entity_id in self._listeners.get(topic, ()):
            fresh = _heard(self._entities[entity_id], topic, payload, now_s)
            if fresh is not None:
                self._entities[entity_id] = fresh
                touched.append(fresh)
        return tuple(touched)

    def forget_states(self) -> None:
        """The connection broke: what was heard before it is not known any more."""
        for entity_id, entity in self._entities.items():
            self._entities[entity_id] = replace(
                entity, state=UNKNOWN, heard_at_s=None, online={}, last_word=None
            )

    def topics(self) -> frozenset[str]:
        """Every topic that somebody's state or availability comes on."""
        return frozenset(self._listeners)

    def snapshot(self) -> tuple[Entity, ...]:
        return tuple(self._entities.values())

    def view(self, here: str | None = None) -> HomeView:
        """What a model may know: sorted, so that equal homes make equal prompts."""
        entities = sorted(self._entities.values(), key=lambda e: e.entity_id)
        return HomeView(
            entities=tuple(_viewed(e) for e in entities),
            areas=tuple(sorted({e.area for e in entities if e.area})),
            floors=tuple(sorted({e.floor for e in entities if e.floor})),
            here=name_form(here) if here else None,
        )

    def _add(self, topic: str, found: DiscoveredEntity) -> None:
        name = name_form(found.name)
        if not name:
            log.warning("skipped a %s: its name has no letters that can be spoken", found.domain)
            return
        if len(self._entities) >= MAX_ENTITIES:
            log.warning("skipped a %s: the home holds %d already", found.domain, MAX_ENTITIES)
            return
        if self._twin(found):
            log.info("skipped a %s announced twice under one unique_id", found.domain)
            return
        entity_id = self._free_id(found.domain, found.suggested_id)
        area = name_form(self._map.areas.get(entity_id, found.area or "")) or None
        floor = self._map.floors.get(area or "")
        aliases = tuple(self._map.aliases.get(entity_id, ()))
        entity = Entity(found, entity_id, name, area, floor, aliases)
        self._entities[entity_id] = entity
        self._sources.setdefault(topic, []).append(entity_id)
        for heard in entity.topics:
            self._listeners.setdefault(heard, {})[entity_id] = None

    def _remove(self, entity_id: str) -> None:
        entity = self._entities.pop(entity_id)
        for topic in set(entity.topics):
            del self._listeners[topic][entity_id]
            if not self._listeners[topic]:
                del self._listeners[topic]

    def _twin(self, found: DiscoveredEntity) -> bool:
        """A device that announces itself in both forms is one device; the first form stays."""
        return found.unique_id is not None and any(
            e.found.unique_id == found.unique_id and e.domain == found.domain
            for e in self._entities.values()
        )

    def _free_id(self, domain: str, wish: str) -> str:
        slug = re.sub(r"[^a-z0-9]+", "_", wish.lower()).strip("_")[:64] or "unnamed"
        ids = (f"{domain}.{slug}" + (f"_{n}" if n > 1 else "") for n in range(1, MAX_ENTITIES + 2))
        return next(i for i in ids if i not in self._entities)


def find(entities: Iterable[Entity], entity_id: str) -> Entity | None:
    return next((e for e in entities if e.entity_id == entity_id), None)


def _heard(entity: Entity, topic: str, payload: bytes, now_s: float) -> Entity | None:
    fresh = entity
    for rule in entity.found.spec.availability_topics:
        word = _availability_word(rule, payload) if rule.topic == topic else None
        if word is not None:
            fresh = replace(fresh, online={**fresh.online, topic: word}, last_word=word)
    if topic in entity.found.spec.state_topics:
        state = read_state(entity.found.spec, topic, payload, entity.state)
        if state is not None:
            fresh = replace(fresh, state=state, heard_at_s=now_s)
    return None if fresh is entity else fresh


def _availability_word(rule: AvailabilityTopic, payload: bytes) -> bool | None:
    try:
        text = render(rule.value_template, payload)
    except (TemplateFailed, TemplateRefused):
        return None
    return {rule.payload_available: True, rule.payload_not_available: False}.get(text)


def _viewed(entity: Entity) -> EntityView:
    return EntityView(
        entity.entity_id, entity.name, entity.domain, entity.area, entity.aliases,
        entity.features, entity.device_class, entity.floor,
    )  # fmt: skip
