"""zigbee2mqtt in its own words: its tables of devices and groups become announcements.

For homes where its Home Assistant discovery is off. Four retained topics under the base topic:
``bridge/devices`` (with what each device exposes), ``bridge/groups``, ``bridge/info`` (whether
each device's availability is told) and ``bridge/state``. Settings that a device exposes are left
out: nobody speaks of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.home.discovery import Announcement, DiscoveredEntity, DiscoveryError, component
from services.home.platforms.base import fold_id
from services.home.templates import parse_json
from services.home.zigbee2mqtt_exposes import Body, Expose, bodies

BASE = "zigbee2mqtt"
MAX_DEVICES = 2000
MAX_TABLE_BYTES = 16 * 1024 * 1024
"""A table holds some ten kilobytes for each device."""

_ONLINE = "{{ value_json.state if value_json is mapping else value }}"
_COMMON = ("light", "switch", "cover", "lock", "fan")
"""What a group can be when all its members are."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Definition(_Model):
    exposes: tuple[Expose, ...] = Field(default=(), max_length=500)


class _Scene(_Model):
    id: int = Field(ge=0, le=65535)
    name: str = Field(max_length=100)


class _Endpoint(_Model):
    scenes: tuple[_Scene, ...] = Field(default=(), max_length=100)


class _Device(_Model):
    ieee_address: str = Field(max_length=32)
    friendly_name: str = Field(max_length=200)
    type: str = ""
    disabled: bool = False
    definition: _Definition | None = None
    endpoints: dict[str, _Endpoint] = Field(default={}, max_length=64)


class _Member(_Model):
    ieee_address: str


class _Group(_Model):
    id: int = Field(ge=0, le=65535)
    friendly_name: str = Field(max_length=200)
    members: tuple[_Member, ...] = Field(default=(), max_length=MAX_DEVICES)
    scenes: tuple[_Scene, ...] = Field(default=(), max_length=100)


@dataclass(frozen=True)
class _Thing:
    """A device or group, with what it can do but not yet where it says that it is there."""

    number: str
    """IEEE address of a device, number of a group."""
    name: str
    parts: tuple[Body, ...]


class Zigbee2mqtt:
    """One bridge. Fed with its tables, it tells what they announce; it does no I/O."""

    def __init__(self, base: str = BASE) -> None:
        """``base``: the base topic that the owner has given to zigbee2mqtt."""
        self._base = base
        self._devices: dict[str, _Thing] = {}
        self._groups: dict[str, _Group] = {}
        self._told: bool = False
        """Availability of each device is told."""
        self._untold: frozenset[str] = frozenset()
        """But not of these."""
        self.topics = tuple(f"{base}/bridge/{table}" for table in ("devices", "groups", "info"))

    def read(self, topic: str, payload: bytes) -> tuple[Announcement, ...]:
        """What the bridge announces after one of its ``topics`` has changed.

        Raises:
            DiscoveryError: the table is not one.
        """
        body = parse_json(payload) if payload else []
        table = topic.rpartition("/")[2]
        if table == "info":
            return self._informed(body)
        if not isinstance(body, list) or len(body) > MAX_DEVICES:
            raise DiscoveryError(f"not a list of at most {MAX_DEVICES} {table}")
        if table == "groups":
            groups, problems = _each(_Group, body)
            self._groups = {str(group.id): group for group in groups}
            return (self._announce_groups(problems),)
        devices, problems = _each(_Device, body)
        things = (self._thing(device) for device in devices if _usable(device))
        self._devices = {thing.number: thing for thing in things}
        return (self._announce_devices(problems), self._announce_groups([]))

    def _informed(self, body: object) -> tuple[Announcement, ...]:
        config = body.get("config", {}) if isinstance(body, Mapping) else {}
        told = _enabled(config.get("availability")) if isinstance(config, Mapping) else False
        devices = config.get("devices", {}) if isinstance(config, Mapping) else {}
        untold = frozenset(
            ieee
            for ieee, options in (devices.items() if isinstance(devices, Mapping) else ())
            if isinstance(options, Mapping) and options.get("availability") is False
        )
        if (told, untold) == (self._told, self._untold):
            return ()
        self._told, self._untold = told, untold
        return (self._announce_devices([]), self._announce_groups([]))

    def _thing(self, device: _Device) -> _Thing:
        exposes = device.definition.exposes if device.definition else ()
        topic = f"{self._base}/{device.friendly_name}"
        scenes = (scene for endpoint in device.endpoints.values() for scene in endpoint.scenes)
        parts = (*bodies(topic, exposes), *_scenes(topic, scenes))
        return _Thing(device.ieee_address, device.friendly_name, parts)

    def _announce_devices(self, problems: list[str]) -> Announcement:
        found: list[DiscoveredEntity] = []
        for thing in self._devices.values():
            tells = self._told and thing.number not in self._untold
            found += self._entities(thing, tells, problems)
        return Announcement(self.topics[0], tuple(found), tuple(problems))

    def _announce_groups(self, problems: list[str]) -> Announcement:
        found: list[DiscoveredEntity] = []
        for number, group in self._groups.items():
            thing = _Thing(number, group.friendly_name, self._shared(group))
            found += self._entities(thing, self._told, problems)
        groups = tuple((g.friendly_name, _member_ids(g)) for g in self._groups.values())
        return Announcement(self.topics[1], tuple(found), tuple(problems), groups=groups)

    def _shared(self, group: _Group) -> tuple[Body, ...]:
        """What all members of a group can do, on the group's own topics; and its scenes."""
        topic = f"{self._base}/{group.friendly_name}"
        scenes = _scenes(topic, group.scenes)
        members = [self._devices.get(member.ieee_address) for member in group.members]
        for platform in _COMMON:
            parts = [
                next((part for part in member.parts if part.platform == platform), None)
                for member in members
                if member is not None
            ]
            alike = [part for part in parts if part is not None]
            if alike and len(alike) == len(members):
                return (alike[0].shared_with(alike[1:]).moved_to(topic), *scenes)
        return scenes

    def _entities(
        self, thing: _Thing, tells: bool, problems: list[str]
    ) -> Iterable[DiscoveredEntity]:
        places = [f"{self._base}/bridge/state"]
        if tells:
            places.append(f"{self._base}/{thing.name}/availability")
        shared: dict[str, object] = {
            "availability": [{"topic": place, "value_template": _ONLINE} for place in places],
            "availability_mode": "all",
            "device": {"identifiers": [_identifier(thing.number)], "name": thing.name},
        }
        for part in thing.parts:
            unique = f"{thing.number}_{part.object_id}_{self._base}"
            body = {**part.body, **shared, "unique_id": unique}
            key = f"{self._base}#{unique}"
            try:
                found = component(key, part.platform, part.object_id, body, native=True)
            except DiscoveryError as error:
                problems.append(str(error))
            else:
                yield from () if found is None else (found,)


_Item = TypeVar("_Item", bound=_Model)


def _each(model: type[_Item], items: list[object]) -> tuple[list[_Item], list[str]]:
    """Items that are as they should be, and one reason for each that is not."""
    good: list[_Item] = []
    problems: list[str] = []
    for item in items:
        try:
            good.append(model.model_validate(item))
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in fault["loc"])[:80]
            problems.append(f"{where or 'item'}: {fault['type'].replace('_', ' ')}")
    return good, problems


def _identifier(number: str) -> str:
    """As zigbee2mqtt names a device in Home Assistant's discovery, too."""
    return f"zigbee2mqtt_{number}"


def _member_ids(group: _Group) -> tuple[str, ...]:
    return tuple(fold_id(_identifier(member.ieee_address)) for member in group.members)


def _usable(device: _Device) -> bool:
    return device.type != "Coordinator" and not device.disabled and bool(device.friendly_name)


def _enabled(option: object) -> bool:
    """``true``, or since version 2 ``{"enabled": true}``."""
    if isinstance(option, Mapping):
        return option.get("enabled", True) is True
    return option is True


def _scenes(topic: str, scenes: Iterable[_Scene]) -> tuple[Body, ...]:
    return tuple(
        Body(
            "scene",
            f"scene_{scene.id}",
            {
                "name": scene.name,
                "command_topic": f"{topic}/set",
                "payload_on": f'{{"scene_recall": {scene.id}}}',
            },
        )
        for scene in scenes
    )
