"""What Home Assistant may ask of the appliance: a topic and bytes in, a command or a reason out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from services.home.presence.entities import Place

Level = Literal["volume", "sensitivity"]
Switch = Literal["mute", "do_not_disturb"]

LEVELS: tuple[Level, ...] = ("volume", "sensitivity")
SWITCHES: tuple[Switch, ...] = ("mute", "do_not_disturb")
MAX_BYTES = 32
_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class SetLevel:
    what: Level
    percent: int
    """0..100."""


@dataclass(frozen=True)
class SetSwitch:
    what: Switch
    on: bool


@dataclass(frozen=True)
class Chime:
    """Make a sound, so that somebody looks up or finds the box."""


@dataclass(frozen=True)
class Install:
    """Take the newest model that is shown, without waiting for the night."""


Command = SetLevel | SetSwitch | Chime | Install


@dataclass(frozen=True)
class Refused:
    """Not obeyed; the text never quotes the payload."""

    what: str
    why: str


def filters(place: Place) -> tuple[str, ...]:
    """The topics that commands come on."""
    return tuple(f"{place.base}/{key}/set" for key in (*LEVELS, *SWITCHES, "chime", "update"))


def read(place: Place, topic: str, payload: bytes, *, retained: bool) -> Command | Refused:
    """One message on a command topic.

    A retained one is refused: it was meant for another day.
    """
    key = topic.removeprefix(f"{place.base}/").removesuffix("/set")
    if topic not in filters(place):
        return Refused("command", "no such topic")
    if retained:
        return Refused(key, "a retained command is not obeyed")
    if len(payload) > MAX_BYTES or not payload.isascii():
        return Refused(key, f"not a command of at most {MAX_BYTES} ASCII characters")
    text = payload.decode("ascii").strip()
    for level in LEVELS:
        if key == level:
            return _level(level, text)
    for switch in SWITCHES:
        if key == switch:
            return _switch(switch, text)
    if key == "update":
        return Install() if text == "install" else Refused(key, "not install")
    return Chime() if text == "PRESS" else Refused(key, "not PRESS")


def _level(what: Level, text: str) -> Command | Refused:
    if not _NUMBER.fullmatch(text) or float(text) > 100:
        return Refused(what, "not a number from 0 to 100")
    return SetLevel(what, round(float(text)))


def _switch(what: Switch, text: str) -> Command | Refused:
    on = {"ON": True, "OFF": False}.get(text)
    return Refused(what, "neither ON nor OFF") if on is None else SetSwitch(what, on)
