"""``linnet devices``: what announces itself at the broker."""

from __future__ import annotations

import argparse
import json
import time

from services.exit_codes import ExitCode
from services.home.entities import Entity
from services.settings import Settings
from services.wiring import open_home

CONNECT_WAIT_S = 5.0
_COLUMNS = ("device", "name", "room", "state", "can")


def main(args: argparse.Namespace) -> int:
    """Connect, collect for ``args.wait`` seconds at most, print; OK also when there are none.

    Raises:
        SettingsError, BrokerError: the broker cannot be used.
    """
    # No status topic: a look at the home must not say that the appliance is online.
    with open_home(Settings.load(args.config), status_topic=None) as home:
        home.wait_connected(CONNECT_WAIT_S)
        home.wait_quiet(args.wait)
        now = time.monotonic()
        rows = [_row(e, now) for e in sorted(home.entities(), key=lambda e: e.entity_id)]
    if args.json:
        print(json.dumps({"devices": rows}))
    elif rows:
        print_table(rows)
    else:
        print("no device has announced itself; is MQTT discovery on in zigbee2mqtt, Tasmota …?")
    return ExitCode.OK


def _row(entity: Entity, now_s: float) -> dict[str, object]:
    here = entity.available(now_s)
    return {
        "device": entity.entity_id,
        "name": entity.name,
        "room": entity.area,
        "state": (entity.state.value or "unknown") if here else "unavailable",
        "can": sorted(entity.features),
    }


def print_table(rows: list[dict[str, object]]) -> None:
    """Columns as wide as what stands in them."""
    cells = [[_cell(row[column]) for column in _COLUMNS] for row in rows]
    lines = [list(_COLUMNS), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_COLUMNS))]
    for line in lines:
        print("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
