"""Home Assistant MQTT discovery, read purely: a topic and bytes in, entities or one reason out.

Both forms live on real brokers: one topic per component
(``homeassistant/light/lamp/config``) and one per device (``homeassistant/device/hub/config``
with ``components``). Each announcement replaces what its topic announced before; an empty
payload removes it. Reasons never quote a payload: it is foreign text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from services.home.abbreviations import expand, resolve_base
from services.home.platforms import LIGHTS, MODELS, Platform
from services.home.templates import parse_json

PREFIX = "homeassistant"
MAX_COMPONENTS = 200
"""Components one device may announce."""

_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_SHARED = (
    "availability", "availability_mode", "availability_template", "availability_topic",
    "payload_available", "payload_not_available", "command_topic", "state_topic", "device", "~",
)  # fmt: skip
"""Options a device's root may give to all of its components."""


class DiscoveryError(ValueError):
    """An announcement that cannot be used; the text says what is wrong, not what it held."""


@dataclass(frozen=True)
class DiscoveredEntity:
    """One entity as it described itself."""

    key: str
    """Unique among announcements: its topic, and its component's key in the device form."""
    domain: str
    name: str
    """As written by its maker; not yet a spoken form."""
    suggested_id: str
    """What it would like to be called after the dot of its entity id."""
    area: str | None
    unique_id: str | None
    spec: Platform
    native: bool = False
    """Told in its maker's own words; what the same device says by Home Assistant's discovery
    comes before it."""


Groups = tuple[tuple[str, tuple[str, ...]], ...]
"""Name of each group as its owner wrote it, and the ids of its members (see ``Device.ids``)."""


@dataclass(frozen=True)
class Announcement:
    """All that one discovery topic says now; no entities means it says nothing any more."""

    topic: str
    entities: tuple[DiscoveredEntity, ...] = ()
    problems: tuple[str, ...] = ()
    """Components of a device that were skipped, and why."""
    moving: bool = False
    """Its entities go away only to come back on another topic: what belongs to them is kept."""
    questions: tuple[tuple[str, bytes], ...] = ()
    """Messages that ask a device for its state where it does not leave it with the broker."""
    groups: Groups | None = None
    """All groups of a bridge where its table of them has come; None: it says nothing of them."""


def filters(prefix: str = PREFIX) -> tuple[str, ...]:
    """Topic filters that together carry every announcement."""
    return (f"{prefix}/+/+/config", f"{prefix}/+/+/+/config")


def is_config_topic(topic: str, prefix: str = PREFIX) -> bool:
    return topic.startswith(prefix + "/") and topic.endswith("/config")


def parse(topic: str, payload: bytes, prefix: str = PREFIX) -> Announcement:
    """Read one announcement.

    Platforms we do not speak of are an announcement of nothing, as is a message that a device
    is moving to its other form.

    Raises:
        DiscoveryError: malformed topic or payload.
    """
    platform, object_id = _split(topic, prefix)
    if not payload:
        return Announcement(topic)
    body = parse_json(payload)
    if not isinstance(body, dict):
        raise DiscoveryError("payload is not a JSON object")
    body = expand(body)
    if body.get("migrate_discovery") is True:
        return Announcement(topic, moving=True)
    if platform == "device":
        return _device(topic, object_id, body)
    found = component(topic, platform, object_id, body)
    return Announcement(topic, () if found is None else (found,))


def _split(topic: str, prefix: str) -> tuple[str, str]:
    parts = topic.split("/")
    inner = parts[prefix.count("/") + 1 : -1]
    if not is_config_topic(topic, prefix) or len(inner) not in (2, 3):
        raise DiscoveryError("topic is not a discovery topic")
    if not all(_ID.fullmatch(part) for part in inner):
        raise DiscoveryError("topic holds ids outside letters, digits, _ and -")
    return inner[0], "_".join(inner[1:])


def _device(topic: str, object_id: str, body: dict[str, object]) -> Announcement:
    components = body.get("components")
    if not isinstance(components, Mapping) or not isinstance(body.get("device"), Mapping):
        raise DiscoveryError("device form needs the objects 'device' and 'components'")
    if len(components) > MAX_COMPONENTS:
        raise DiscoveryError(f"device announces more than {MAX_COMPONENTS} components")
    shared = {key: body[key] for key in _SHARED if key in body}
    entities: list[DiscoveredEntity] = []
    problems: list[str] = []
    for key, part in components.items():
        try:
            found = _device_component(f"{topic}#{key}", f"{object_id}_{key}", part, shared)
        except DiscoveryError as error:
            problems.append(str(error))
        else:
            entities.extend([] if found is None else [found])
    return Announcement(topic, tuple(entities), tuple(problems))


def _device_component(
    key: str, object_id: str, part: object, shared: Mapping[str, object]
) -> DiscoveredEntity | None:
    if not isinstance(part, Mapping):
        raise DiscoveryError("a component is not an object")
    body = expand(part)
    platform = body.pop("platform", None)
    if not isinstance(platform, str):
        raise DiscoveryError("a component lacks its platform")
    # A component that is its platform and nothing else has been removed.
    return component(key, platform, object_id, {**shared, **body}) if body else None


def component(
    key: str, platform: str, object_id: str, body: dict[str, object], *, native: bool = False
) -> DiscoveredEntity | None:
    """One entity from long keys; None for a platform we do not speak of.

    Raises:
        DiscoveryError: malformed.
    """
    model: type[Platform] | None = MODELS.get(platform)
    if platform == "light":
        schema = body.get("schema", "basic")
        model = LIGHTS.get(schema) if isinstance(schema, str) else None
        if model is None:
            raise DiscoveryError("light schema is not json, default or template")
    if model is None:
        return None
    try:
        spec = model.model_validate(resolve_base(body))
    except ValidationError as error:
        raise DiscoveryError(_explain(platform, error)) from None
    name = _name(spec, object_id)
    if not name.strip():
        raise DiscoveryError(f"{platform}: it has no name")
    return DiscoveredEntity(
        key=key,
        domain=platform,
        name=name,
        suggested_id=_suggested_id(spec, name),
        area=spec.device.suggested_area,
        unique_id=spec.unique_id,
        spec=spec,
        native=native,
    )


def _name(spec: Platform, object_id: str) -> str:
    """``<device> <entity>``; a null name takes the device's, a device without one adds nothing."""
    device, own = spec.device.name, spec.name
    if own is None:
        return device or object_id.replace("_", " ").replace("-", " ")
    if device is None or own.lower().startswith(device.lower()):
        return own
    return f"{device} {own}"


def _suggested_id(spec: Platform, name: str) -> str:
    wished = spec.default_entity_id or spec.object_id
    return wished.rpartition(".")[2] if wished else name


def _explain(platform: str, error: ValidationError) -> str:
    """First fault by key and rule; pydantic's own text would quote the value, ours does not."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:80] or "payload"
    rule = first["msg"] if first["type"] == "value_error" else first["type"].replace("_", " ")
    return f"{platform}: {where}: {rule.removeprefix('Value error, ')}"
