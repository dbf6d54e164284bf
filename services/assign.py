"""``linnet devices assign``: changes the owner's map of the home, after looking who is there."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from services.commands.common import UsageError
from services.devices import collect
from services.exit_codes import ExitCode
from services.home.entities import Entity
from services.language.folding import name_form
from services.owner_map import MAX_ALIASES, changing, kept_name, with_owner_map
from services.settings import Settings, settings_path
from services.settings_file import Problem, SettingsError

RELOAD = "in force from the next start, or after: sudo systemctl reload linnet-voice"


def main(args: argparse.Namespace) -> int:
    """Change the map as the arguments say and print what stands there now.

    Raises:
        UsageError: no such device or room, or a name that cannot be one.
        SettingsError: the settings or the map cannot be used, or the settings file has the say.
        BrokerError: the broker cannot be used.
    """
    settings = Settings.load(args.config)
    change = _device if args.device is not None else _room if args.room is not None else _group
    told = change(args, settings)
    if args.json:
        print(json.dumps(told))
    else:
        print("; ".join(f"{key.replace('_', ' ')}: {_said(told[key])}" for key in told))
        print(RELOAD, file=sys.stderr)
    return ExitCode.OK


def _device(args: argparse.Namespace, settings: Settings) -> dict[str, object]:
    device = args.device
    if args.clear:
        with changing(settings.home.map_file) as kept:
            _assigned(device, {*kept.map.areas, *kept.map.aliases})
            kept.map = kept.map.without_device(device)
    else:
        area = _name("--area", args.area) if args.area is not None else None
        aliases = _aliases(args.alias or ())
        if area:
            _not_in_settings("home.areas", device, settings.home.areas, args.config)
        if aliases:
            _not_in_settings("home.aliases", device, settings.home.aliases, args.config)
        _known_device(device, collect(with_owner_map(settings), args.wait))
        with changing(settings.home.map_file) as kept:
            kept.map = kept.map.with_device(device, area, aliases)
    home = with_owner_map(settings).home
    names = list(home.aliases.get(device, ()))
    return {"device": device, "room": home.areas.get(device), "other_names": names}


def _room(args: argparse.Namespace, settings: Settings) -> dict[str, object]:
    room = _name("--room", args.room)
    if args.clear:
        with changing(settings.home.map_file) as kept:
            _assigned(room, {*kept.map.floors, *kept.map.place_aliases})
            kept.map = kept.map.without_room(room)
    else:
        floor = _name("--floor", args.floor) if args.floor is not None else None
        aliases = _aliases(args.alias or ())
        if floor:
            _not_in_settings("home.floors", room, settings.home.floors, args.config)
        if aliases:
            table = settings.home.place_aliases
            _not_in_settings("home.place_aliases", room, table, args.config)
        found = collect(with_owner_map(settings), args.wait)
        _known_room(room, found, or_floor=floor is None)
        _free_names(room, aliases, found)
        with changing(settings.home.map_file) as kept:
            kept.map = kept.map.with_room(room, floor, aliases)
    home = with_owner_map(settings).home
    names = list(home.place_aliases.get(room, ()))
    return {"room": room, "floor": home.floors.get(room), "other_names": names}


def _group(args: argparse.Namespace, settings: Settings) -> dict[str, object]:
    group = _name("--group", args.group)
    if args.clear:
        with changing(settings.home.map_file) as kept:
            _assigned(group, kept.map.groups)
            kept.map = kept.map.without_group(group)
    else:
        area = _name("--area", args.area)
        _not_in_settings("home.groups", group, settings.home.groups, args.config)
        found = collect(with_owner_map(settings), args.wait)
        _known_group(group, {name for e in found for name in e.groups})
        with changing(settings.home.map_file) as kept:
            kept.map = kept.map.with_group(group, area)
    return {"group": group, "room": with_owner_map(settings).home.groups.get(group)}


def _aliases(written: Iterable[str]) -> tuple[str, ...]:
    aliases = tuple(dict.fromkeys(_name("--alias", alias) for alias in written))
    if len(aliases) > MAX_ALIASES:
        raise UsageError(f"--alias: {len(aliases)} names are too many, {MAX_ALIASES} are the most")
    return aliases


# --- what is wrong ---------------------------------------------------------------------------


def _name(option: str, text: str) -> str:
    try:
        return kept_name(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _not_in_settings(key: str, entry: str, table: Collection[str], config: Path | None) -> None:
    """The settings file wins, so that a change here would be without effect."""
    if entry in table:
        file = str(settings_path(config))
        why = "the settings file says this, and wins over what is assigned; change it there"
        raise SettingsError([Problem(file, None, f'{key}."{entry}"', None, why)])


def _known_device(device: str, found: list[Entity]) -> None:
    ids = [e.entity_id for e in found]
    if device in ids:
        return
    if not ids:
        raise UsageError(f"no device {device} at the broker, nor any other")
    named = [e.entity_id for e in found if name_form(device) in (e.name, *e.aliases)]
    raise UsageError(f"no device {device} at the broker{_nearest(device, named or ids)}")


def _known_room(room: str, found: list[Entity], *, or_floor: bool) -> None:
    rooms = {e.area for e in found if e.area}
    if or_floor:
        rooms |= {e.floor for e in found if e.floor}
    if room not in rooms:
        raise UsageError(f"no device is in a room {room}{_nearest(room, rooms)}")


def _known_group(group: str, groups: Collection[str]) -> None:
    if group not in groups:
        near = difflib.get_close_matches(group, groups, 1, 0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"no device is in a zigbee2mqtt group {group}{hint}")


def _free_names(room: str, aliases: Collection[str], found: list[Entity]) -> None:
    """A name that two places bear would mean either of them."""
    taken = {name for e in found for name in _place_names(e, room)}
    for alias in aliases:
        if alias in taken:
            raise UsageError(f"--alias: {alias} is another room or floor already")


def _place_names(entity: Entity, but: str) -> Iterable[str]:
    for place, others in (
        (entity.area, entity.area_aliases), (entity.floor, entity.floor_aliases)
    ):  # fmt: skip
        if place and place != but:
            yield from (place, *others)


def _assigned(key: str, keys: Collection[str]) -> None:
    """Only what was assigned here can be cleared; what the settings file says stands there."""
    if key not in keys:
        raise UsageError(f"nothing is assigned to {key}{_nearest(key, keys)}")


def _nearest(word: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(word[:200], known, 1, 0.4)
    if near or len(known) == 1:
        return f"; did you mean {(near or list(known))[0]}?"
    return "; `linnet devices` lists them"


def _said(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return "not assigned" if value is None else str(value)
