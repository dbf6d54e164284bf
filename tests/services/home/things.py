"""Entities made the way a home makes them: from discovery payloads."""

from __future__ import annotations

import json

from services.home.discovery import parse
from services.home.entities import Entity, Registry


def registry(*announcements: tuple[str, dict[str, object]]) -> Registry:
    """A registry told of (``platform/object_id``, payload) pairs."""
    made = Registry()
    for place, body in announcements:
        made.apply(parse(f"homeassistant/{place}/config", json.dumps(body).encode()))
    return made


def entity(platform: str, **body: object) -> Entity:
    body.setdefault("name", "Thing")
    body.setdefault("state_topic", "thing")
    (one,) = registry((f"{platform}/thing", body)).snapshot()
    return one


def light(name: str, area: str | None = None, **more: object) -> tuple[str, dict[str, object]]:
    device = {"name": name, "suggested_area": area}
    written = f"{area or ''}{name}".replace(" ", "")
    slug = "".join(c if c.isascii() else f"{ord(c):x}" for c in written)
    body = {"name": None, "command_topic": f"{slug}/set", "state_topic": slug, "device": device}
    return f"light/{slug}", {**body, **more}


JSON_COLOR: dict[str, object] = {
    "schema": "json", "brightness": True, "supported_color_modes": ["rgb"],
}  # fmt: skip
