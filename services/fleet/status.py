"""``linnet fleet status``: how a roll-out goes, from what devices say over MQTT."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from services.commands.common import UsageError, add_json
from services.exit_codes import ExitCode
from services.fleet.at_broker import add_fleet, watch_of

if TYPE_CHECKING:
    from ota.rollout.fleet_view import Snapshot
    from services.fleet.watch import Watch

HELP = "show a roll-out as it goes: waves, releases, failed and silent devices"
EXAMPLE = "linnet fleet status --broker mqtt.example --tenant home"

_HOME, _CLEAR_REST = "\x1b[H", "\x1b[J"
_CLEAR_LINE = "\x1b[K\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_fleet(parser)
    parser.add_argument(
        "--class", dest="device_class", metavar="CLASS", help="its devices alone, as orin-nano-jp6"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--release", metavar="R", help="which roll-out (default: the newest seen)")
    which.add_argument(
        "--repository",
        type=Path,
        metavar="DIR",
        help="draw the roll-out that is published there for --class, with its own waves",
    )
    parser.add_argument("--once", action="store_true", help="one picture, then end")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.repository is not None and args.device_class is None:
        raise UsageError("--repository needs --class: which of its roll-outs?")
    with watch_of(args).watching() as watch:
        if args.json:
            print(json.dumps(dataclasses.asdict(_snapshot(watch, args))))
        elif args.once or not sys.stdout.isatty():
            print("\n".join(_picture(watch, args)))
        else:
            _live(watch, args)
    return ExitCode.OK


def _snapshot(watch: Watch, args: argparse.Namespace) -> Snapshot:
    """Read anew each time: a guard opens waves meanwhile."""
    if args.repository is None:
        return watch.snapshot(args.release, args.device_class)
    from ota.repository.rollouts import published_rollout
    from ota.repository.shelf import Shelf

    rollout = published_rollout(Shelf(args.repository), args.device_class)
    waves = [wave.until_bucket for wave in rollout.waves]
    return watch.snapshot(rollout.release, args.device_class, waves)


def _picture(watch: Watch, args: argparse.Namespace) -> list[str]:
    from services.fleet.status_lines import lines

    away = [] if watch.connected else ["THE BROKER IS AWAY; this is how it was", ""]
    return [*away, *lines(_snapshot(watch, args))]


def _live(watch: Watch, args: argparse.Namespace) -> None:
    """Until the keyboard ends it."""
    sys.stdout.write(_HOME + _CLEAR_REST)
    while True:
        drawn = _CLEAR_LINE.join([*_picture(watch, args), "", "Ctrl-C ends"])
        sys.stdout.write(_HOME + drawn + _CLEAR_REST)
        sys.stdout.flush()
        time.sleep(1)
