"""``linnet devices``: what announces itself at the broker."""

from __future__ import annotations

import argparse
import json
import time

from services.exit_codes import ExitCode
from services.home.entities import Entity
from services.owner_map import with_owner_map
from services.settings import Home, Settings
from services.wiring import open_home

CONNECT_WAIT_S = 5.0
_COLUMNS = ("device", "name", "other_names", "room", "room_from", "floor", "state", "can")


def main(args: argparse.Namespace) -> int:
    """Connect, collect for ``args.wait`` seconds at most, print; OK also when there are none.

    Raises:
        SettingsError, BrokerError: the broker cannot be used.
    """
    settings = with_owner_map(Settings.load(args.config))
    found = collect(settings, args.wait)
    now = time.monotonic()
    rows = [_row(e, settings.home, now) for e in found]
    if args.json:
        print(json.dumps({"devices": rows}))
    elif rows:
        print_table(rows)
    else:
        print("no device has announced itself; is MQTT discovery on in zigbee2mqtt, Tasmota …?")
    return ExitCode.OK


def collect(settings: Settings, wait_s: float) -> list[Entity]:
    """What has announced itself within ``wait_s``, by id. Raises as ``main``."""
    # No status topic: a look at the home must not say that the appliance is online.
    with open_home(settings, status_topic=None) as home:
        home.wait_connected(CONNECT_WAIT_S)
        home.wait_quiet(wait_s)
        return sorted(home.entities(), key=lambda e: e.entity_id)


def _row(entity: Entity, owners: Home, now_s: float) -> dict[str, object]:
    here = entity.available(now_s)
    by_owner = entity.entity_id in owners.areas or any(g in owners.groups for g in entity.groups)
    origin = "owner" if by_owner else "announced"
    return {
        "device": entity.entity_id,
        "name": entity.name,
        "other_names": list(entity.aliases),
        "room": entity.area,
        "room_from": origin if entity.area else None,
        "floor": entity.floor,
        "state": (entity.state.value or "unknown") if here else "unavailable",
        "can": sorted(entity.features),
    }


def print_table(rows: list[dict[str, object]]) -> None:
    """Columns as wide as what stands in them."""
    cells = [[_cell(row[column]) for column in _COLUMNS] for row in rows]
    lines = [[column.replace("_", " ") for column in _COLUMNS], *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_COLUMNS))]
    for line in lines:
        print("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
