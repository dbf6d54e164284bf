"""Tasmota's own discovery: one retained message for each device, read purely.

Source: the field list as Home Assistant's ``hatasmota`` reads it. Relays, lights, shutters and
iFan are taken; a device tells its state on ``stat/…/RESULT`` after a command and on
``tele/…/STATE`` (shutters: ``tele/…/SENSOR``) every few minutes, with the same JSON.

What it measures and its wall switches are in ``tasmota_sensors``.

Limits: ``SetOption4`` (results on a topic for each command) is not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.home.discovery import Announcement, DiscoveredEntity, DiscoveryError, component
from services.home.templates import parse_json

FILTER = "tasmota/discovery/+/config"
_TOPIC = re.compile(r"tasmota/discovery/([A-Z0-9_-]{1,32})/config")

_RELAY, _LIGHT, _SHUTTER = 1, 2, 3
_DIMMER, _WHITES, _RGB, _RGBW, _RGBCW = 1, 2, 3, 4, 5
_INVERTED = 1
_REDUCED_MIREDS, _MIREDS = (200, 380), (153, 500)
_AS_LIGHT, _MANY_CHANNELS, _REDUCED = "30", "68", "82"
"""Numbers of the options that matter here (SetOption30 and so on)."""

_Text = Annotated[str, Field(max_length=200)]
_Flags = Annotated[tuple[int, ...], Field(max_length=32)]


class Config(BaseModel):
    """What a device says of itself; Tasmota's keys are two letters long."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    version: Literal[1] = Field(alias="ver")
    mac: _Text
    name: _Text = Field(alias="dn")
    friendly_names: tuple[_Text | None, ...] = Field(alias="fn", max_length=32)
    full_topic: _Text = Field(alias="ft")
    topic: _Text = Field(alias="t")
    host: _Text = Field(alias="hn")
    prefixes: tuple[_Text, _Text, _Text] = Field(alias="tp")
    online: _Text = Field(alias="onln")
    offline: _Text = Field(alias="ofln")
    states: tuple[_Text, ...] = Field(alias="state", min_length=2, max_length=8)
    relays: _Flags = Field(alias="rl")
    light_kind: int = Field(default=0, alias="lt_st", ge=0, le=5)
    linked: Annotated[bool, BeforeValidator(bool)] = Field(default=True, alias="lk")
    tuya: Annotated[bool, BeforeValidator(bool)] = Field(default=False, alias="ty")
    fan: Annotated[bool, BeforeValidator(bool)] = Field(default=False, alias="if")
    options: dict[str, int] = Field(default={}, alias="so", max_length=64)
    shutter_options: _Flags = Field(default=(), alias="sho")
    switch_modes: _Flags = Field(default=(), alias="swc")
    switch_names: tuple[_Text | None, ...] = Field(default=(), alias="swn", max_length=32)

    def on(self, option: str) -> bool:
        return self.options.get(option, 0) == 1

    def topic_of(self, prefix: int) -> str:
        """The start of all topics of one kind, by the owner's pattern; ends with a slash."""
        made = self.full_topic
        marks = {"hostname": self.host, "id": self.mac[-6:], "prefix": self.prefixes[prefix],
                 "topic": self.topic}  # fmt: skip
        for mark, value in marks.items():
            made = made.replace(f"%{mark}%", value)
        return made

    @property
    def commands(self) -> str:
        return self.topic_of(0)

    @property
    def results(self) -> str:
        return self.topic_of(1) + "RESULT"

    @property
    def reports(self) -> str:
        return self.topic_of(2)


@dataclass(frozen=True)
class _Part:
    platform: str
    number: int
    """From 0, among all relays; among the shutters for a shutter."""
    body: dict[str, object]


def is_config_topic(topic: str) -> bool:
    return _TOPIC.fullmatch(topic) is not None


def read(topic: str, payload: bytes) -> Announcement:
    """What one device announces; an empty payload takes it back.

    Raises:
        DiscoveryError: malformed topic or payload.
    """
    config = read_config(topic, payload)
    if config is None:
        return Announcement(topic)
    found, problems = _entities(config)
    return Announcement(topic, found, problems, questions=_questions(config) if found else ())


def read_config(topic: str, payload: bytes) -> Config | None:
    """What a device says of itself, None when it takes itself back. Raises as ``read``."""
    place = _TOPIC.fullmatch(topic)
    if place is None:
        raise DiscoveryError("topic is not one of Tasmota's discovery")
    if not payload:
        return None
    try:
        config = Config.model_validate(parse_json(payload))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])[:80] or "payload"
        raise DiscoveryError(f"{where}: {fault['type'].replace('_', ' ')}") from None
    if config.mac.replace(":", "").upper() != place[1]:
        raise DiscoveryError("address in the topic and in the payload differ")
    return config


def _questions(config: Config) -> tuple[tuple[str, bytes], ...]:
    """What makes it tell its state now rather than within five minutes."""
    state = (config.commands + "STATE", b"")
    shutters = (config.commands + "STATUS", b"10")
    return (state, shutters) if _SHUTTER in config.relays else (state,)


def _entities(config: Config) -> tuple[tuple[DiscoveredEntity, ...], tuple[str, ...]]:
    return made(config, ((p.platform, f"{p.platform}_{p.number}", p.body) for p in _parts(config)))


def made(
    config: Config, parts: Iterable[tuple[str, str, Mapping[str, object]]]
) -> tuple[tuple[DiscoveredEntity, ...], tuple[str, ...]]:
    """Entities of one device from (platform, id within the device, payload), and what was wrong."""
    shared: dict[str, object] = {
        "availability_topic": config.reports + "LWT",
        "payload_available": config.online,
        "payload_not_available": config.offline,
        "device": {
            "name": config.name,
            "connections": [["mac", config.mac]],
            "identifiers": [config.mac[-6:]],
        },
    }
    found, problems = [], []
    for platform, own, body in parts:
        unique = f"{config.mac}_{own}"
        whole = {**shared, "unique_id": unique, **body}
        try:
            entity = component(f"tasmota#{unique}", platform, unique, whole, native=True)
        except DiscoveryError as error:
            problems.append(str(error))
        else:
            found += [] if entity is None else [entity]
    return tuple(found), tuple(problems)


def _parts(config: Config) -> Iterator[_Part]:
    if config.fan:
        yield _Part("fan", 0, _fan(config))
    lights = [n for n, kind in enumerate(config.relays) if kind == _LIGHT]
    for number, kind in enumerate(config.relays):
        name = {"name": _name(config, number)}
        plain_light = config.on(_AS_LIGHT) or (config.fan and number == 0)
        if kind == _RELAY and not plain_light:
            yield _Part("switch", number, {**name, **_power(config, number, "value_template")})
        elif kind == _RELAY or (kind == _LIGHT and config.fan and number == 0):
            body = _power(config, number, "state_value_template")
            yield _Part("light", number, {**name, **body})
        elif kind == _LIGHT:
            body = _light(config, number, lights.index(number))
            yield _Part("light", number, {**name, **body})
    for shutter in range(_shutters(config.relays)):
        yield _Part("cover", shutter, _cover(config, shutter))


def _shutters(relays: tuple[int, ...]) -> int:
    """Each takes two relays that follow each other."""
    return relays.count(_SHUTTER) // 2


def _name(config: Config, number: int) -> str | None:
    own = config.friendly_names[number] if number < len(config.friendly_names) else None
    if own is None:
        several = sum(kind > 0 for kind in config.relays) > 1
        return f"{number + 1}" if several else None
    return None if number == 0 and own == config.name else own


def _power(config: Config, number: int, template: str) -> dict[str, object]:
    key = f"POWER{number + 1}"
    # The first relay of a device with one relay has no number.
    first = f"{{{{ value_json.POWER if value_json.POWER is defined else value_json.{key} }}}}"
    return {
        "state_topic": config.results,
        "same_topics": [[config.reports + "STATE", config.results]],
        template: first if number == 0 else f"{{{{ value_json.{key} }}}}",
        "command_topic": config.commands + key,
        "payload_on": config.states[1],
        "payload_off": config.states[0],
    }


def _light(config: Config, number: int, place: int) -> dict[str, object]:
    """``place``: which of the device's lights it is; some share their colours out between two."""
    kind, dimmer, told = config.light_kind, "Dimmer", "Dimmer"
    if config.tuya:
        dimmer = "Dimmer3"
    if config.on(_MANY_CHANNELS):
        kind, dimmer = _DIMMER, f"Channel{number + 1}"
        told = dimmer
    elif not config.linked and kind >= _RGBW:
        dimmer = told = f"Dimmer{1 + min(place, 1)}"
        kind = _RGB if place == 0 else _DIMMER if kind == _RGBW else _WHITES
    body = _power(config, number, "state_value_template")
    if kind >= _DIMMER:
        body |= {
            "brightness_command_topic": config.commands + dimmer,
            "brightness_state_topic": config.results,
            "brightness_value_template": f"{{{{ value_json.{told} }}}}",
            "brightness_scale": 100,
        }
    if kind in (_WHITES, _RGBCW):
        body |= _whites(config)
    if kind in (_RGB, _RGBW, _RGBCW):
        body |= _colors(config)
    return body


def _whites(config: Config) -> dict[str, object]:
    low, high = _REDUCED_MIREDS if config.on(_REDUCED) else _MIREDS
    return {
        "color_temp_command_topic": config.commands + "CT",
        "color_temp_state_topic": config.results,
        "color_temp_value_template": "{{ value_json.CT }}",
        "min_mireds": low,
        "max_mireds": high,
    }


def _colors(config: Config) -> dict[str, object]:
    return {
        "hs_command_topic": config.commands + "Backlog",
        "hs_command_template": (
            "NoDelay;HsbColor1 {{ hue | round }};NoDelay;HsbColor2 {{ sat | round }}"
        ),
        "hs_state_topic": config.results,
        "hs_value_template": (
            "{% set hsb = value_json.HSBColor.split(',') %}{{ hsb[0] }},{{ hsb[1] }}"
        ),
    }


def _fan(config: Config) -> dict[str, object]:
    """iFan: speeds 1 to 3, and 0 is off."""
    speed = config.commands + "FanSpeed"
    return {
        "name": None,
        "command_topic": speed,
        "payload_on": "2",
        "payload_off": "0",
        "percentage_command_topic": speed,
        "percentage_state_topic": config.results,
        "percentage_value_template": "{{ value_json.FanSpeed }}",
        "speed_range_max": 3,
        "same_topics": [[config.reports + "STATE", config.results]],
    }


def _cover(config: Config, shutter: int) -> dict[str, object]:
    number = shutter + 1
    turned = shutter < len(config.shutter_options) and bool(
        config.shutter_options[shutter] & _INVERTED
    )
    up, down, closed = (-1, 1, 100) if turned else (1, -1, 0)
    several = _shutters(config.relays) > 1
    shutters = "(value_json.StatusSNS if value_json.StatusSNS is defined else value_json)"
    return {
        "state_topic": config.results,
        "same_topics": [
            [config.reports + "SENSOR", config.results],
            [config.topic_of(1) + "STATUS10", config.results],
        ],
        "name": f"shutter {number}" if several else None,
        "value_template": (
            f"{{% set s = {shutters}.Shutter{number} %}}"
            f"{{{{ 'opening' if s.Direction == {up} else 'closing' if s.Direction == {down}"
            f" else 'closed' if s.Position == {closed} else 'open' }}}}"
        ),
        "position_topic": config.results,
        "position_template": f"{{{{ {shutters}.Shutter{number}.Position }}}}",
        "position_open": 100 - closed,
        "position_closed": closed,
        "command_topic": config.commands + "Backlog",
        "payload_open": f"ShutterOpen{number}",
        "payload_close": f"ShutterClose{number}",
        "payload_stop": f"ShutterStop{number}",
        "set_position_topic": f"{config.commands}ShutterPosition{number}",
    }
