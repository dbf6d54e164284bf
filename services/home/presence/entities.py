"""What Linnet announces and tells of itself: pure, from what is seen to MQTT messages.

One announcement in Home Assistant's device form carries every entity. Nothing here was said by a
person: levels, switches, a state's name, numbers and times.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

MANUFACTURER = "Linnet"
MODEL = "Voice appliance"
STATES = (
    "idle", "waking", "listening", "thinking", "speaking", "follow_up", "muted", "updating",
    "fault",
)  # fmt: skip
"""What the state sensor can say: the controller's states."""
VERSION_CHARACTERS = 255
NOTES_CHARACTERS = 255
"""As many as Home Assistant takes."""
TITLE = "Linnet speech model"

_PERCENT = {"min": 0, "max": 100, "step": 1, "unit_of_measurement": "%", "mode": "slider"}
_Rows = Mapping[str, Mapping[str, object]]
_SETTABLE: _Rows = {
    "volume": {"platform": "number", "name": "Volume", "icon": "mdi:volume-high", **_PERCENT},
    "sensitivity": {
        "platform": "number", "name": "Wake sensitivity", "icon": "mdi:ear-hearing",
        "entity_category": "config", **_PERCENT,
    },
    "mute": {"platform": "switch", "name": "Mute", "icon": "mdi:microphone-off"},
    "do_not_disturb": {"platform": "switch", "name": "Do not disturb", "icon": "mdi:bell-off"},
    "update": {
        "platform": "update", "name": "Speech model", "device_class": "firmware",
        "entity_category": "config", "payload_install": "install",
    },
}  # fmt: skip
_TOLD: _Rows = {
    "state": {
        "platform": "sensor", "name": "State", "device_class": "enum", "options": STATES,
    },
    "timers": {"platform": "sensor", "name": "Timers", "icon": "mdi:timer"},
    "next_timer": {"platform": "sensor", "name": "Next timer", "device_class": "timestamp"},
}  # fmt: skip
_PRESSED: _Rows = {"chime": {"platform": "button", "name": "Chime", "icon": "mdi:bell-ring"}}


@dataclass(frozen=True)
class Place:
    """Where this appliance speaks and what it is called there."""

    object_id: str
    topic: str = "linnet"
    """Topic of the settings; everything of this appliance is below ``<topic>/<object_id>``."""
    prefix: str = "homeassistant"
    name: str = "Linnet"
    version: str = ""
    """Of the software."""
    room: str | None = None

    @property
    def base(self) -> str:
        return f"{self.topic}/{self.object_id}"

    @property
    def availability(self) -> str:
        return f"{self.base}/availability"

    @property
    def config(self) -> str:
        return f"{self.prefix}/device/{self.object_id}/config"

    @property
    def birth(self) -> str:
        """Home Assistant says ``online`` here when it has started."""
        return f"{self.prefix}/status"


@dataclass(frozen=True)
class Update:
    """The installed model and the newest there is; told by whoever installs."""

    installed: str
    latest: str | None = None
    """None: nothing newer is known."""
    progress: int | None = None
    """Percent while it is being installed."""
    notes: str = ""
    """What is new in the newest, as its publisher signed it."""


@dataclass(frozen=True)
class Seen:
    """The appliance at one moment."""

    volume: int
    """Percent, as are all levels here."""
    sensitivity: int
    muted: bool
    """The microphone is closed, not only unheeded."""
    do_not_disturb: bool
    state: str
    timers: int
    next_timer: str | None = None
    """ISO 8601 with zone: when the next timer rings."""
    update: Update | None = None


def announcement(place: Place, *, has_update: bool) -> bytes:
    """The retained configuration of the one device and all its entities."""
    device: dict[str, object] = {
        "identifiers": [place.object_id],
        "name": place.name,
        "manufacturer": MANUFACTURER,
        "model": MODEL,
    }
    if place.version:
        device["sw_version"] = place.version
    if place.room:
        device["suggested_area"] = place.room
    body = {
        "device": device,
        "origin": {"name": "linnet", **({"sw_version": place.version} if place.version else {})},
        "availability": [{"topic": place.availability}],
        "components": _components(place, has_update),
    }
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def states(place: Place, seen: Seen) -> dict[str, bytes]:
    """Topic → retained payload of everything that can be seen now."""
    told: dict[str, str] = {
        "volume": str(seen.volume),
        "sensitivity": str(seen.sensitivity),
        "mute": _on_off(seen.muted),
        "do_not_disturb": _on_off(seen.do_not_disturb),
        "state": seen.state,
        "timers": str(seen.timers),
        "next_timer": seen.next_timer or "None",  # Home Assistant's word for unknown
    }
    if seen.update is not None:
        told["update"] = _update(seen.update)
    return {f"{place.base}/{key}": text.encode() for key, text in told.items()}


def _components(place: Place, has_update: bool) -> dict[str, dict[str, object]]:
    rows = {**_SETTABLE, **_TOLD, **_PRESSED}
    made = {key: _component(place, key, row) for key, row in rows.items()}
    if not has_update:
        made["update"] = {"platform": "update"}  # the form's way to take one away
    return made


def _component(place: Place, key: str, row: Mapping[str, object]) -> dict[str, object]:
    made = {**row, "unique_id": f"{place.object_id}_{key}"}
    if key not in _PRESSED:
        made["state_topic"] = f"{place.base}/{key}"
    if key not in _TOLD:
        made["command_topic"] = f"{place.base}/{key}/set"
    return made


def _update(update: Update) -> str:
    installing = update.progress is not None
    # Home Assistant drops the whole message for a key it does not know, and keeps the value of one
    # that is not there: only these, and all of them each time.
    body: dict[str, object] = {
        "installed_version": update.installed[:VERSION_CHARACTERS],
        "latest_version": (update.latest or update.installed)[:VERSION_CHARACTERS],
        "title": TITLE,
        "release_summary": update.notes[:NOTES_CHARACTERS],
        "in_progress": installing,
        "update_percentage": max(0, min(update.progress or 0, 100)) if installing else None,
    }
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _on_off(value: bool) -> str:
    return "ON" if value else "OFF"
