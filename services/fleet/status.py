"""``linnet fleet status``: how a roll-out goes, from what devices say over MQTT."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from typing import TYPE_CHECKING

from services.commands.common import add_json
from services.exit_codes import ExitCode
from services.fleet.at_broker import add_fleet, watch_of

if TYPE_CHECKING:
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
    parser.add_argument("--release", metavar="R", help="which roll-out (default: the newest seen)")
    parser.add_argument("--once", action="store_true", help="one picture, then end")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    with watch_of(args).watching() as watch:
        if args.json:
            found = watch.snapshot(args.release, args.device_class)
            print(json.dumps(dataclasses.asdict(found)))
        elif args.once or not sys.stdout.isatty():
            print("\n".join(_picture(watch, args)))
        else:
            _live(watch, args)
    return ExitCode.OK


def _picture(watch: Watch, args: argparse.Namespace) -> list[str]:
    from services.fleet.status_lines import lines

    away = [] if watch.connected else ["THE BROKER IS AWAY; this is how it was", ""]
    return [*away, *lines(watch.snapshot(args.release, args.device_class))]


def _live(watch: Watch, args: argparse.Namespace) -> None:
    """Until the keyboard ends it."""
    sys.stdout.write(_HOME + _CLEAR_REST)
    while True:
        drawn = _CLEAR_LINE.join([*_picture(watch, args), "", "Ctrl-C ends"])
        sys.stdout.write(_HOME + drawn + _CLEAR_REST)
        sys.stdout.flush()
        time.sleep(1)
